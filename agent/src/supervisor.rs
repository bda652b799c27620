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
pub(crate) mod docker;
mod local;
pub(crate) mod neighbours;
mod node_spec;
pub(crate) mod process;
pub(crate) mod systemd;

pub use any::{AnySupervisor, FileOnly};
pub use auto::choose::{Choice, Kind};
pub use node_spec::NodeSpec;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;

use crate::names::Port;
use crate::ring::Mode;
use crate::view::View;
use neighbours::Hearsay;

/// Sees and moves the local chmpx and k2hdkc.
pub trait Supervisor {
    /// Its name in `status`.
    fn name(&self) -> &'static str;

    /// What the processes are now, and what chmpx said last; `None` where the processes are not the agent's business.
    fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> impl Future<Output = Option<Observed>>;

    /// Takes one step.
    fn act(&mut self, step: &Step, spec: &NodeSpec) -> impl Future<Output = Result<Done, SupervisorError>>;

    /// When it is worth to observe again after an observation that gave `None`; `None` where that is for good.
    fn look_again(&self) -> Option<Instant> {
        None
    }

    /// Why nobody knows where the programs are, where whoever may have them does not answer.
    fn in_doubt(&self) -> Option<String> {
        None
    }

    /// Where the programs are, be it picked or named in the settings: the next agent must know it.
    fn in_force(&self) -> Option<Kind> {
        None
    }
}

/// Whether an observation may put a question to chmpx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// It may not: the last one is too recent, or the file was replaced a moment ago.
    No,
    /// It starts one, and does not wait for the answer: a later observation has it.
    Start,
    /// It waits for the answer, for a command that looks once.
    Wait,
}

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The communication layer, on every node.
    Chmpx,
    /// The database, on server nodes.
    K2hdkc,
}

impl Program {
    /// Its name, which is also that of its process.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chmpx => "chmpx",
            Self::K2hdkc => "k2hdkc",
        }
    }
}

/// A process that cannot be taken for another one: numbers are used again, but not within one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// Its start, in clock ticks since that of the host (field 22 of `/proc/PID/stat`).
    #[serde(rename = "ticks")]
    pub start_ticks: u64,
}

/// A process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Which.
    pub id: ProcessId,
    /// Since when.
    pub since: Instant,
    /// How much processor time it had used …
    pub worked: Duration,
    /// … when that was last counted.
    pub counted: Instant,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody can say: it was not the agent's own child.
    Unknown,
}

impl ExitStatus {
    /// Returns true for an end that the file may have caused: by itself, or a crash.
    pub fn is_own(self) -> bool {
        use nix::sys::signal::Signal as S;
        match self {
            Self::Exit(_) => true,
            Self::Signal(signal) => {
                [S::SIGSEGV, S::SIGABRT, S::SIGFPE, S::SIGBUS, S::SIGILL].iter().any(|s| *s as i32 == signal)
            }
            Self::Unknown => false,
        }
    }

    /// In words.
    pub fn text(self) -> String {
        match self {
            Self::Exit(code) => format!("ended with status {code}"),
            Self::Signal(signal) => match nix::sys::signal::Signal::try_from(signal) {
                Ok(signal) => format!("was ended by {signal}"),
                Err(_) => format!("was ended by signal {signal}"),
            },
            Self::Unknown => "ended".to_owned(),
        }
    }
}

/// A process that ended since the last observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Which program.
    pub program: Program,
    /// Which process, and since when it ran.
    pub was: Running,
    /// How.
    pub how: ExitStatus,
}

/// What chmpx said, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct ChmpxReport {
    /// The answer, whole.
    pub view: View,
    /// When it was asked: what it says is not older.
    pub at: Instant,
}

/// What the thread of a chmpx is doing that merges, while its status says `[Doing]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeThread {
    /// It asks k2hdkc for the time of its last change, and looks for the answer without a pause.
    Asks,
    /// It waits for what other servers send.
    Copies,
    /// It waits for work: it has given up what it had.
    Rests,
}

/// One observation of the two programs. No answer is no failure: the unknown is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The running chmpx that reads the ini.
    pub chmpx: Option<Running>,
    /// The running k2hdkc that reads the ini.
    pub k2hdkc: Option<Running>,
    /// Further processes of the same two programs with the same ini.
    pub duplicates: Vec<(Program, u32)>,
    /// Programs that do not run.
    pub absence: Absence,
    /// Ends and starts since the last observation.
    pub events: Events,
    /// The control port of the local chmpx.
    pub control: ControlPort,
    /// The control ports of the other servers.
    pub peers: Peers,
    /// The file before the programs.
    pub file: FilePlace,
    /// Files that chmpx leaves behind when it starts after a kill (`*.chmpx.bup*`).
    pub leftovers: usize,
    /// The reason for which nothing can be seen now. All else here is as it was last.
    pub unobservable: Option<String>,
}

/// Programs that do not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Absence {
    /// Programs that come or go by themselves.
    pub externally_managed: Vec<(Program, String)>,
    /// Programs that the agent cannot start, with the remedy.
    pub cannot_start: Vec<(Program, String)>,
    /// The end of each, in the words of its supervisor.
    pub exit_details: Vec<(Program, String)>,
}

/// Ends and starts since the last observation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// Ends, in their order.
    pub exits: Vec<Exit>,
    /// Starts that came to nothing, and why.
    pub failed_starts: Vec<(Program, String)>,
    /// The process that has come of the latest start, where the start itself did not know it.
    pub appeared: Option<(Program, ProcessId)>,
}

/// The control port of the local chmpx.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ControlPort {
    /// The latest whole answer of the running chmpx.
    pub report: Option<ChmpxReport>,
    /// The begin of a silence, and what came instead of the latest answer.
    pub silent: Option<(Instant, String)>,
    /// The name server that chmpx waits for in its main loop: it is not deaf, and comes back by itself.
    pub resolver: Option<String>,
    /// True if nobody listened at the latest question.
    pub refuses: bool,
    /// An answer that is not understood: it is no silence.
    pub not_understood: Option<String>,
    /// The latest command that chmpx did not carry out, with its answer.
    pub declined: Option<String>,
    /// The state of the thread that merges, where chmpx merges and the kernel shows it (C31).
    pub merge_thread: Option<MergeThread>,
}

/// The control ports of the other servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peers {
    /// Their knowledge of this node, where its own chmpx says nothing.
    pub hearsay: Hearsay,
    /// The latest command that another server did not carry out, with its answer.
    pub unprompted: Option<String>,
}

/// The file before the programs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FilePlace {
    /// Another program that replaces the same file.
    pub foreign_writer: Option<ForeignWriter>,
    /// True if the programs have a file of their own, into which the installed one is put.
    pub is_own: bool,
    /// The difference of their own file to the installed one.
    pub out_of_sync: Option<OutOfSync>,
    /// The reason for which no program is there to get the file.
    pub missing: Option<String>,
}

impl Observed {
    /// Whether the programs of a node of that kind are seen to run, on the installed file.
    pub fn runs(&self, mode: Mode) -> bool {
        let all = self.chmpx.is_some() && (mode == Mode::Slave || self.k2hdkc.is_some());
        all && self.unobservable.is_none() && self.file.out_of_sync.is_none()
    }
}

/// Another program that replaces the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignWriter {
    /// Which one: what could not be done with another one says nothing of it.
    pub of: String,
    /// What it is, and what it does.
    pub text: String,
    /// What somebody can do about it.
    pub remedy: String,
}

impl ForeignWriter {
    /// A unit of systemd.
    pub fn unit(text: &str) -> Self {
        Self { of: text.to_owned(), text: text.to_owned(), remedy: "disable it".to_owned() }
    }
}

/// A file before the processes that is not the installed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutOfSync {
    /// It can be replaced: what is wrong with it.
    Replaceable(String),
    /// It cannot, and this is the remedy.
    Fixed(String),
}

/// A signal that the agent sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: both end with status 0 (chmpx blocks TERM for ever).
    Hangup,
    /// SIGKILL.
    Kill,
}

/// A server as SERVICEOUT names it, by what its chmpxid is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its host, as chmpx lists it.
    pub host: String,
    /// Its control port.
    pub ctlport: Port,
    /// CUSTOM_ID_SEED or CUK, by CHMPXIDTYPE.
    pub id: String,
}

/// What chmpx is told through its control port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlCommand {
    /// Say your status to the ring again: what cures a join that sticks at `[ADD][Done]`.
    UpdateStatus,
    /// Come into service: what cures `[SERVICE OUT][NoSuspend]`.
    ServiceIn,
    /// Leave the service; the ring moves this node's keys first.
    ServiceOut,
    /// Start the merge that waits: what cures one that nobody starts.
    Merge,
    /// Let the ring use what was merged: what ends the change of a server that went down in the middle of it.
    CompMerge,
    /// Take another server, which is down and no member any more, out of service.
    Dismiss(Named),
}

impl ControlCommand {
    /// As it stands on the wire.
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

/// One thing that a supervisor does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Starts the program.
    Start(Program),
    /// Sends a signal to this very process.
    Signal(Program, ProcessId, Signal),
    /// Sees to it that nobody starts the program again, not at the next boot either; where a service manager has it, that
    /// stops it too.
    Disable(Program),
    /// Lets the program start at the next boot again, as before it was retired.
    Enable(Program),
    /// Tells chmpx something.
    Control(ControlCommand),
    /// Tells the chmpx of another server, by its control port, to say its status once more.
    Prompt(SocketAddr),
    /// Removes the files that killed chmpx processes left behind.
    RemoveLeftovers,
    /// Ends the other program that replaces the same file, for good.
    DisableWriter,
    /// Puts the installed file before the processes, where they have one of their own.
    SyncFile,
}

impl Step {
    /// In words, for the log.
    pub fn text(&self) -> String {
        match self {
            Self::Start(program) => format!("start {}", program.name()),
            Self::Signal(program, id, signal) => {
                let word = if *signal == Signal::Kill { "kill" } else { "stop" };
                format!("{word} {} (pid {})", program.name(), id.pid)
            }
            Self::Disable(program) => format!("stop {} for good", program.name()),
            Self::Enable(program) => format!("enable {} again", program.name()),
            Self::Control(order) => format!("tell chmpx {}", order.word()),
            Self::Prompt(address) => {
                format!("tell the chmpx at {address} {}", ControlCommand::UpdateStatus.word())
            }
            Self::RemoveLeftovers => "remove what killed chmpx processes left behind".to_owned(),
            Self::DisableWriter => "take the file over".to_owned(),
            Self::SyncFile => "put the file in place".to_owned(),
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is done.
    Plainly,
    /// It is done, and this process runs now.
    Started(ProcessId),
    /// It is done, and the program started at each boot before.
    Disabled,
}

/// Why a step was not taken.
#[derive(Debug, Error)]
pub enum SupervisorError {
    /// What is disabled could not be noted for a removal of the package, and so it was not disabled.
    #[error("cannot note that {unit} is to be enabled again when the package is removed")]
    Note {
        /// Which unit.
        unit: String,
        /// Why.
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
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// One runs that the agent cannot watch.
    #[error("{program} runs already (pid {pid}), and cannot be watched")]
    RunsAlready {
        /// Which program.
        program: &'static str,
        /// Its process.
        pid: u32,
    },
    /// A process cannot be signalled.
    #[error("cannot signal process {pid}")]
    Signal {
        /// Which.
        pid: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It belongs to somebody whose processes the agent may not signal.
    #[error(
        "process {pid} belongs to the user {owner}, and the agent, which is {own}, may not signal it: run the agent as \
         root or as {owner}, or end the process yourself; supervisor.process.user says as whom the next one runs"
    )]
    NotPermitted {
        /// Which.
        pid: u32,
        /// Its user.
        owner: String,
        /// The agent's.
        own: String,
    },
    /// A file beside the processes cannot be made or removed.
    #[error(transparent)]
    File(#[from] crate::file::FileError),
    /// What has to be said to chmpx has no form on its control port.
    #[error("cannot say {order} for this node: {why}")]
    Unsayable {
        /// What.
        order: &'static str,
        /// Why.
        why: String,
    },
    /// Who runs the processes cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// systemd did not do it.
    #[error(transparent)]
    Systemd(#[from] systemd::BusError),
    /// Docker did not do it.
    #[error(transparent)]
    Docker(#[from] docker::EngineError),
    /// This supervisor moves no processes.
    #[error("the supervisor \"{0}\" moves no processes")]
    NotOurs(&'static str),
}
