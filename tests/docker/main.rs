//! Real agents beside real Docker daemons, with the simulators in containers as Trove makes them.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod auto;
mod classes;
mod database;
mod leaving;
mod race;
mod ring;
mod split;
mod vanishing;
