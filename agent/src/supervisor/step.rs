//! Steps of a supervisor, and their outcome.

use std::net::SocketAddr;

use derive_more::Display;
use thiserror::Error;

use super::{ProcessId, Program, docker, systemd};
use crate::names::Port;

/// A signal that the agent sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: both end with status 0 (chmpx blocks TERM for ever).
    Hangup,
    /// SIGKILL.
    Kill,
}

impl Signal {
    fn word(self) -> &'static str {
        if self == Self::Kill { "kill" } else { "stop" }
    }
}

/// A server as SERVICEOUT names it, by what its chmpxid is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its host, as chmpx lists it.
    pub host: String,
    /// Control port of the server.
    pub ctlport: Port,
    /// CUSTOM_ID_SEED or CUK, by CHMPXIDTYPE.
    pub id: String,
}

/// Command to chmpx by its control port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlCommand {
    /// Sends the status to the ring again: cures a join that sticks at `[ADD][Done]`.
    UpdateStatus,
    /// Comes into service: cures `[SERVICE OUT][NoSuspend]`.
    ServiceIn,
    /// Leaves the service; the ring merges first.
    ServiceOut,
    /// Starts the merge that waits.
    Merge,
    /// Lets the ring use the merged keys: ends the change of a server that went down in the middle of it.
    CompMerge,
    /// Takes another server out of service, which is down and no member any more.
    Dismiss(Named),
}

impl ControlCommand {
    /// Returns the word on the wire.
    pub fn word(&self) -> &'static str {
        match self {
            Self::UpdateStatus => "UPDATESTATUS",
            Self::ServiceIn => "SERVICEIN",
            Self::ServiceOut | Self::Dismiss(_) => "SERVICEOUT",
            Self::Merge => "MERGE",
            Self::CompMerge => "COMPMERGE",
        }
    }
}

/// Step of a supervisor, in words for the log.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub enum Step {
    /// Starts the program.
    #[display("start {}", _0.name())]
    Start(Program),
    /// Sends a signal to one process.
    #[display("{} {} (pid {})", _2.word(), _0.name(), _1.pid)]
    Signal(Program, ProcessId, Signal),
    /// Keeps the program from further starts, also at the next boot; a service manager stops it with that.
    #[display("stop {} for good", _0.name())]
    Disable(Program),
    /// Lets the program start at the next boot again, as before it was disabled.
    #[display("enable {} again", _0.name())]
    Enable(Program),
    /// Sends a command to the local chmpx.
    #[display("send chmpx {}", _0.word())]
    Control(ControlCommand),
    /// Sends UPDATESTATUS to the chmpx of another server.
    #[display("send the chmpx at {_0} {}", ControlCommand::UpdateStatus.word())]
    Prompt(SocketAddr),
    /// Removes the files that killed chmpx processes left behind.
    #[display("remove what killed chmpx processes left behind")]
    RemoveLeftovers,
    /// Ends the other program that replaces the same file, for good.
    #[display("take the file over")]
    DisableWriter,
    /// Puts the installed file before the processes, where they have one of their own.
    #[display("put the file in place")]
    SyncFile,
}

/// Outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Done.
    Plainly,
    /// Done, and this process runs now.
    Started(ProcessId),
    /// Done, and the program had started at each boot before.
    Disabled,
}

/// Failure of a step.
#[derive(Debug, Error)]
pub enum SupervisorError {
    /// The note for a removal of the package could not be written, and so the unit was not disabled.
    #[error("cannot note that {unit} is to be enabled again when the package is removed")]
    Note {
        /// The unit.
        unit: String,
        /// The cause.
        #[source]
        source: crate::file::FileError,
    },
    /// The program is not on this host.
    #[error("{0} is not installed: it is neither a path nor found in PATH")]
    NotInstalled(String),
    /// The settings name a user that this host does not have.
    #[error("supervisor.process.user is \"{0}\", but this host has no such user")]
    NoUser(String),
    /// The program did not start.
    #[error("cannot start {program}")]
    Spawn {
        /// The program or process.
        program: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A process runs that the agent cannot watch.
    #[error("{program} runs already (pid {pid}), and cannot be watched")]
    RunsAlready {
        /// The program.
        program: &'static str,
        /// Its process id.
        pid: u32,
    },
    /// A process cannot be signalled.
    #[error("cannot signal process {pid}")]
    Signal {
        /// The program or process.
        pid: u32,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The process belongs to another user.
    #[error(
        "process {pid} belongs to the user {owner}, and the agent, which is {own}, may not signal it: run the agent as \
         root or as {owner}, or end the process yourself; supervisor.process.user says as whom the next one runs"
    )]
    NotPermitted {
        /// The program or process.
        pid: u32,
        /// Its user.
        owner: String,
        /// The user of the agent.
        own: String,
    },
    /// A file beside the processes cannot be made or removed.
    #[error(transparent)]
    File(#[from] crate::file::FileError),
    /// The command has no form for this node.
    #[error("cannot send {order} for this node: {why}")]
    Unsayable {
        /// The command.
        order: &'static str,
        /// The cause.
        why: String,
    },
    /// The supervisor cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// systemd did not do it.
    #[error(transparent)]
    Systemd(#[from] systemd::BusError),
    /// Docker did not do it.
    #[error(transparent)]
    Docker(#[from] docker::EngineError),
    /// The supervisor moves no processes.
    #[error("the supervisor \"{0}\" moves no processes")]
    NotOurs(&'static str),
}
