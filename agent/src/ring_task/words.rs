//! The task of the ring change in words.

use derive_more::Display;

/// Readiness of a server for a change by the agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
pub enum Readiness {
    /// AUTOMERGE is off, and chmpx answers.
    #[display("ready")]
    Ready,
    /// chmpx runs the merges there.
    #[display("AUTOMERGE is on: set merge.by to \"agents\" there")]
    RunsAutomerge,
    /// The control port does not answer.
    #[display("its control port does not answer")]
    Silent,
}
