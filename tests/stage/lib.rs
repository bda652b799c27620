//! The shared parts of the suites. `testbed` is a K2HR3 with nodes, `deployment` one whose nodes run processes and enter and
//! leave their roles by themselves. `ring` is a ring of simulated programs. `environments` are nodes in containers, with systemd,
//! and as Trove makes them.
//!
//! Each suite is a folder beside this one.
#![allow(
    clippy::missing_errors_doc,
    reason = "a suite ends with the text of whatever error its helpers return"
)]

pub mod deployment;
pub mod ring;
pub mod testbed;
pub mod environments;
