//! The node agent of a K2HDKC cluster. It learns the members of the cluster's roles from K2HR3, regenerates the ini file
//! that chmpx and k2hdkc read, and installs it so that chmpx follows without a restart.
//!
//! # The data flow
//!
//! ```text
//!             K2HR3 (or a file)                 /etc/antpickax/k2hdkc.ini -> chmpx reloads by itself
//!                   |                                      ^
//! wake -> [source] -> membership -> guard -> render -> validate -> plan -> [apply -> file, hosts] -> report
//!      \-> [supervisor] -> chmpx_state -> lifecycle --------------------------> [apply -> supervisor]  ------^  |
//!                                                                         log, status, next wake  <--+
//! ```
//!
//! Stages in brackets touch the world; the others are pure functions of plain values. Only [`reconcile`] calls them,
//! in this order; no stage calls another. The source alone is asked beside the passes, by [`daemon`]: its answer is an
//! argument of the pass that it wakes. Start reading in [`reconcile`]. The upper line makes the file right; the lower one makes
//! the processes run it, one step a pass, and is done when chmpx itself says so.
//!
//! # Invariants
//!
//! 1. Pure modules do no I/O; time and randomness are arguments.
//! 2. Only [`reconcile`] changes state; only [`apply`], [`mod@file`] and [`supervisor`] change the machine (and the source
//!    keeps its own address-bound token).
//! 3. [`apply`] takes [`validate::Validated`] and nothing weaker, and only [`validate`] can make one.
//! 4. The live file is never opened for writing, truncated, linked, unlinked or swapped by symlink: it is exchanged,
//!    with owner, mode, xattrs and label in place before, and file and directory synced.
//! 5. Converged is a property of the process, not of the file: desired, written, applied and verified generation are
//!    four things, kept apart in one ledger.
//! 6. A pass cannot fail: it returns a [`report::Report`], and logs, status and waits all read that one value.
//! 7. Fail static: no answer, or a refused one, changes nothing on the machine. The one exception repairs: where the
//!    live file is missing or chmpx would refuse it, the newest kept one that passes validation is put back.
//! 8. Every wake has a named reason, every wait a deadline, every retry a limit and jitter.
//! 9. k2hdkc is never older than its chmpx, and never started alone on a ring that has other members ([`lifecycle`]).
//! 10. Secrets live in [`names::Token`], whose `Debug` prints `***`; texts of K2HR3 are masked before they are kept.
//! 11. Every wait that protects something counts boot time ([`clock::BootTime`]), also over a restart of the agent; the wall
//!     clock is for people.
//! 12. Absent on purpose: locks around state, global registries, shells, plug-ins. What is run inside of a container is a
//!     constant script of that container's own shell, and what varies are its arguments.

// A module imports from its own group and from the groups above it.
//
// Values.
pub mod problem;
pub(crate) mod fingerprint;
pub mod clock;
pub mod retry;
pub(crate) mod repeats;
pub mod wake;
pub mod names;
pub mod keys;
pub(crate) mod answer;
pub(crate) mod generation;

// The dialect, the ring, and files.
pub mod ini;
pub mod ring;
pub mod file;
pub(crate) mod took_over;

// The operator's settings.
pub mod settings;
pub(crate) mod pace;
pub(crate) mod log;

// The pure file half, and facts about this host.
pub mod acceptance;
pub(crate) mod replicas;
pub(crate) mod automerge;
pub mod chmpx_state;
pub mod membership;
pub(crate) mod registration;
pub mod guard;
pub mod render;
pub mod plan;
pub(crate) mod hosts;
pub mod machine;
pub mod installed;
pub mod validate;

// The process half.
pub mod peers;
pub mod supervisor;
pub mod lifecycle;
pub mod ring_change;
pub mod data_in_sight;

// The state and its report.
pub mod process_status;
pub mod ring_status;
pub mod report;
pub mod ledger;
pub mod identity;
pub mod status;

// The hands.
pub mod ring_task;
pub mod peer_watch;
pub mod source;
pub(crate) mod apply;

// The pass and its edges.
pub mod reconcile;
pub(crate) mod watch;
pub mod admin;
pub(crate) mod notify;
pub mod daemon;
pub mod bootstrap;
pub mod cli;

#[cfg(test)]
mod fixtures;
