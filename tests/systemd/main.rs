//! Real agents under a real systemd, with the simulators in units: the programs themselves, and behind upstream's helpers.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod auto;
mod classes;
mod direct;
mod helper;
mod leaving;
mod packages;
mod poweroff;
mod ring;
mod rollback;
mod shipped;
mod vanishing;
