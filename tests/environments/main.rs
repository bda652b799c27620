//! The environments themselves, without any agent: that systemd, Docker and what stands in for upstream's scripts behave in
//! them as they were recorded.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod database;
mod direct;
mod helper;
mod leftovers;
mod split;
