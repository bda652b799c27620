//! Real agents beside real Docker daemons, with the simulators in containers as Trove makes them.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

#[path = "docker/auto.rs"]
mod auto;
#[path = "docker/classes.rs"]
mod classes;
#[path = "docker/database.rs"]
mod database;
#[path = "docker/leaving.rs"]
mod leaving;
#[path = "docker/race.rs"]
mod race;
#[path = "docker/ring.rs"]
mod ring;
#[path = "docker/split.rs"]
mod split;
#[path = "docker/tls.rs"]
mod tls;
