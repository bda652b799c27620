//! The processes that run what the file says. The second thing that a unit test cannot have, hence a trait.
//!
//! A supervisor looks and moves; it decides nothing. What it is told to do are single [`Step`]s, each of which returns at
//! once: waiting between them is the business of [`crate::lifecycle`], so that an agent that is killed between two steps
//! finds its place again by looking.

mod any;
mod auto;
mod unreachable;
pub(crate) mod chmpx_status;
pub mod control_port;
pub(crate) mod database;
pub(crate) mod docker;
pub mod freeze;
mod local;
pub(crate) mod neighbours;
mod node_spec;
mod observed;
pub(crate) mod process;
pub(crate) mod sockets;
mod step;
pub(crate) mod systemd;

pub use any::{AnySupervisor, FileOnly};
pub use auto::choose::{Choice, Kind};
pub use node_spec::NodeSpec;
pub use observed::{
    Absence, ChmpxReport, ControlPort, Events, Exit, ExitStatus, FilePlace, ForeignWriter, MergeThread,
    Observed, OutOfSync, Peers, ProcessId, Running,
};
pub use step::{ControlCommand, Done, Named, Signal, Step, SupervisorError};

use std::future::Future;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Observes and moves the local chmpx and k2hdkc.
pub trait Supervisor {
    /// Returns its name in `status`.
    fn name(&self) -> &'static str;

    /// Observes the programs; `None` where the agent has none to look after.
    fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> impl Future<Output = Option<Observed>>;

    /// Takes one step.
    ///
    /// # Errors
    ///
    /// The step was not taken; see [`SupervisorError`].
    fn act(&mut self, step: &Step, spec: &NodeSpec) -> impl Future<Output = Result<Done, SupervisorError>>;

    /// Returns the process of a program by its number in this host's own `/proc`; `None` where it is not seen there. Signals
    /// that may not miss, and connections, need that number: one inside of a container is another process's here.
    fn on_host(&self, program: Program) -> Option<ProcessId>;

    /// Returns when the next observation may give something after one that gave `None`; `None` where it never will.
    fn look_again(&self) -> Option<Instant> {
        None
    }

    /// Returns why it is unknown where the programs are: the supervisor that may have them does not answer.
    fn in_doubt(&self) -> Option<String> {
        None
    }

    /// Returns the supervisor in force, picked or named in the settings: the next agent must know it.
    fn in_force(&self) -> Option<Kind> {
        None
    }
}

/// Permission to put a question to chmpx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// None: the latest question is too recent, or the file was replaced a moment ago.
    No,
    /// Starts a question; a later observation has the answer.
    Start,
    /// Waits for the answer, for a command that looks once.
    Wait,
}

/// A program of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The communication layer, on every node.
    Chmpx,
    /// The database, on server nodes.
    K2hdkc,
}

impl Program {
    /// Returns its name, which is also that of its process.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chmpx => "chmpx",
            Self::K2hdkc => "k2hdkc",
        }
    }
}
