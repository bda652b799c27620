//! Observation of the two programs, as plain values.

use std::time::Duration;

use derive_more::Display;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Program;
use super::neighbours::PeerKnowledge;
use crate::chmpx_state::ChmpxState;
use crate::peers::Findings;
use crate::ring::Mode;

/// A process that cannot be taken for another one: numbers are used again, but not within one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// Its start, in clock ticks since that of the host (field 22 of `/proc/PID/stat`).
    #[serde(rename = "ticks")]
    pub start_ticks: u64,
}

/// A process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// The process.
    pub id: ProcessId,
    /// Its start.
    pub since: Instant,
    /// The processor time that it had used at `counted`.
    pub worked: Duration,
    /// The time of the latest count.
    pub counted: Instant,
}

/// End of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
pub enum ExitStatus {
    /// An exit with this status.
    #[display("ended with status {_0}")]
    Exit(i32),
    /// A signal, by its number.
    #[display("was ended by {}", signal(*_0))]
    Signal(i32),
    /// Unknown: the process was not the agent's own child.
    #[display("ended")]
    Unknown,
}

impl ExitStatus {
    /// Returns true for an end that the file may have caused: by itself, or a crash.
    pub fn is_own(self) -> bool {
        use Signal as S;
        match self {
            Self::Exit(_) => true,
            Self::Signal(signal) => {
                [S::SIGSEGV, S::SIGABRT, S::SIGFPE, S::SIGBUS, S::SIGILL].iter().any(|s| *s as i32 == signal)
            }
            Self::Unknown => false,
        }
    }
}

fn signal(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

/// A process that ended since the last observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The program.
    pub program: Program,
    /// The process, and its start.
    pub was: Running,
    /// The end.
    pub how: ExitStatus,
}

/// Answer of chmpx, and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct ChmpxReport {
    /// The answer, whole.
    pub view: ChmpxState,
    /// The time of the question: the answer is not older.
    pub at: Instant,
}

/// State of the merging thread of chmpx, while the status says `[Doing]` (C31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeThread {
    /// Asks k2hdkc for the time of its last change, and looks for the answer without a pause.
    Asks,
    /// Waits for data of other servers.
    Copies,
    /// Waits for work: it has given up the merge.
    Rests,
}

/// Observation of the two programs. No answer is no failure: the unknown is `None`.
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
    pub knowledge: PeerKnowledge,
    /// The latest command that another server did not carry out, with its answer.
    pub unprompted: Option<String>,
    /// Hosts at the other ends of chmpx's connections that acknowledge nothing.
    pub dead: Findings,
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
    /// Returns true where the programs of a node of that kind are seen to run, on the installed file.
    pub fn runs(&self, mode: Mode) -> bool {
        let all = self.chmpx.is_some() && (mode == Mode::Slave || self.k2hdkc.is_some());
        all && self.unobservable.is_none() && self.file.out_of_sync.is_none()
    }
}

/// Another program that replaces the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignWriter {
    /// Its name, by which failures with another one do not count.
    pub of: String,
    /// The program and its doing, in words.
    pub text: String,
    /// The remedy for the operator.
    pub remedy: String,
}

impl ForeignWriter {
    /// Makes one of a unit of systemd.
    pub fn unit(text: &str) -> Self {
        Self { of: text.to_owned(), text: text.to_owned(), remedy: "disable it".to_owned() }
    }
}

/// A file before the processes that is not the installed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutOfSync {
    /// Can be replaced: the difference.
    Replaceable(String),
    /// Cannot be replaced: the remedy.
    Fixed(String),
}
