//! Real agents under a real systemd, with the simulators in units: the programs themselves, and behind upstream's helpers.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

#[path = "systemd/auto.rs"]
mod auto;
#[path = "systemd/classes.rs"]
mod classes;
#[path = "systemd/direct.rs"]
mod direct;
#[path = "systemd/helper.rs"]
mod helper;
#[path = "systemd/leaving.rs"]
mod leaving;
#[path = "systemd/packages.rs"]
mod packages;
#[path = "systemd/poweroff.rs"]
mod poweroff;
#[path = "systemd/ring.rs"]
mod ring;
#[path = "systemd/rollback.rs"]
mod rollback;
#[path = "systemd/shipped.rs"]
mod shipped;
