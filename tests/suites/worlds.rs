//! The worlds themselves, without any agent: that systemd, Docker and what stands in for upstream's scripts behave in
//! them as they were recorded.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

#[path = "worlds/database.rs"]
mod database;
#[path = "worlds/direct.rs"]
mod direct;
#[path = "worlds/helper.rs"]
mod helper;
#[path = "worlds/leftovers.rs"]
mod leftovers;
#[path = "worlds/split.rs"]
mod split;
