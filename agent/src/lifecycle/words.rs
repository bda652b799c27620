//! Reasons of decisions. Each is a value with a stable code, and its sentence stands beside it.
//!
//! `status --json` has the code as `reason` and the sentence as `text`.

mod ring;
mod way_out;

use std::net::SocketAddr;

use derive_more::{Display, From};
use strum::{IntoStaticStr, VariantNames};

pub use self::ring::{Join, Peer, Slave};
pub use self::way_out::{Leave, Restart};
use super::rules::{COMES_WITHIN, MOST_REWRITES, STALLED};
use crate::chmpx_state::NodeStatus;
use crate::ring_change::Progress;
use crate::supervisor::{ExitStatus, Program};

/// Reason of an action, a wait, a hold or a condition.
#[derive(Debug, Clone, PartialEq, Eq, Display, From)]
pub enum Reason {
    /// Of the file before the programs.
    File(File),
    /// Of the control port.
    Control(Control),
    /// Of a start.
    Start(Start),
    /// Of a stop.
    Stop(Stop),
    /// Of a restart.
    Restart(Restart),
    /// Of the place of a server in its ring.
    Join(Join),
    /// Of another server's change.
    Peer(Peer),
    /// Of a slave's connections.
    Slave(Slave),
    /// Of a leave, or of a stop for maintenance.
    Leave(Leave),
    /// Of a change of the ring that the agents run.
    RingChange(Box<Progress>),
    /// Of a wait that nothing has ended for a long time.
    #[display("{_0}; nothing has changed for {} min", STALLED.as_secs() / 60)]
    #[from(ignore)]
    Stalled(Box<Reason>),
}

impl Reason {
    /// Returns the stable code, in kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(reason) => reason.into(),
            Self::Control(reason) => reason.into(),
            Self::Start(reason) => reason.into(),
            Self::Stop(reason) => reason.into(),
            Self::Restart(reason) => reason.into(),
            Self::Join(reason) => reason.into(),
            Self::Peer(reason) => reason.into(),
            Self::Slave(reason) => reason.into(),
            Self::Leave(reason) => reason.into(),
            Self::RingChange(progress) => progress.code(),
            Self::Stalled(reason) => reason.code(),
        }
    }

    /// Returns every code, for the documents.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        let control = Control::VARIANTS;
        let (file, start, stop, restart) =
            (File::VARIANTS, Start::VARIANTS, Stop::VARIANTS, Restart::VARIANTS);
        let (join, peer, slave, leave) = (Join::VARIANTS, Peer::VARIANTS, Slave::VARIANTS, Leave::VARIANTS);
        let lifecycle = [file, control, start, stop, restart, join, peer, slave, leave];
        lifecycle.into_iter().flatten().copied().chain(Progress::codes())
    }
}

impl From<Progress> for Reason {
    fn from(progress: Progress) -> Self {
        Self::RingChange(Box::new(progress))
    }
}

/// Reasons beside each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons(pub(super) Vec<Reason>);

impl Reasons {
    /// Returns true where there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns these reasons, and those that they lack.
    pub(super) fn and(&self, others: Self) -> Self {
        let lacking = others.0.into_iter().filter(|reason| !self.0.contains(reason));
        Self(self.0.iter().cloned().chain(lacking).collect())
    }

    /// Returns the stable codes.
    pub fn codes(&self) -> Vec<&'static str> {
        self.0.iter().map(Reason::code).collect()
    }
}

impl std::fmt::Display for Reasons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

/// Reason that has to do with the file before the programs.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "file-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum File {
    #[display("the file comes first")]
    ComesFirst,
    #[display("it waits for a file that says which node this is")]
    NamesNobody,
    #[display("{_0}")]
    ForeignWriter(String),
    #[display("{writer}; {remedy}, or set supervisor.take-over = true")]
    ForeignWriterStays { writer: String, remedy: String },
    #[display("{writer}; the agent could not end that ({error}), and tries it again: {remedy}")]
    ForeignWriterResists { writer: String, remedy: String, error: String },
    #[display("{_0}")]
    OutOfSync(String),
    #[display("{_0}")]
    CannotBeSynced(String),
    #[display("{_0}, and stays so as long as both are to write it")]
    Contested(String),
    #[display("{text}, although it was put there {times} times: another program writes it")]
    SyncedInVain { text: String, times: u32 },
    #[display("{text}: {error}")]
    SyncFailed { text: String, error: String },
    #[display("chmpx {how} {millis} ms after generation {generation} was installed")]
    EndedChmpx { how: ExitStatus, millis: u128, generation: u32 },
    #[display("chmpx does not start with generation {generation}: it {how}, {times} times")]
    StartsNoChmpx { how: ExitStatus, times: u32, generation: u32 },
    #[display(
        "chmpx has not come with generation {_0} within {} s, although a helper starts it",
        COMES_WITHIN.as_secs()
    )]
    BringsNoChmpx(u32),
    #[display("the file was replaced a moment ago; chmpx is asked after it")]
    JustReplaced,
    #[display("chmpx reports generation {}, not {wanted}", reported(*loaded))]
    NotLoaded { loaded: Option<u32>, wanted: u32 },
    #[display(
        "chmpx reports generation {}, not {wanted}, although it was written {MOST_REWRITES} times again",
        reported(*loaded)
    )]
    NeverLoaded { loaded: Option<u32>, wanted: u32 },
    #[display("chmpx does not list {_0}")]
    NotListed(String),
    #[display("chmpx lists {server} until that server ends ({status})")]
    ListedUntilItEnds { server: String, status: NodeStatus },
    #[display("chmpx still lists {_0}, which is gone")]
    StillListed(String),
    #[display("{reason}, and the file cannot be written: {error}")]
    CannotBeWritten { reason: String, error: String },
    #[display("{reason}, and it cannot be written again: {error}")]
    CannotBeRewritten { reason: String, error: String },
    #[display("{reason}, and a rollback is not possible: {error}")]
    CannotBeRolledBack { reason: String, error: String },
}

fn reported(generation: Option<u32>) -> String {
    generation.map_or_else(|| "none".to_owned(), |generation| generation.to_string())
}

/// Reason that has to do with the control port.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "control-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Control {
    #[display("{_0}")]
    Unobservable(String),
    #[display("chmpx (pid {pid}) has been silent too long: {text}")]
    SilentTooLong { pid: u32, text: String },
    #[display("chmpx (pid {_0}) came before the other servers listed this one, and has never listened")]
    CameTooEarly(u32),
    #[display("chmpx (pid {_0}) has never listened on its control port")]
    NeverListened(u32),
    #[display("chmpx (pid {pid}) answers what is not understood: {text}")]
    NotUnderstood { pid: u32, text: String },
    #[display("waiting for chmpx's first answer: {_0}")]
    FirstAnswer(String),
    #[display(
        "chmpx waits for the name server {server} ({reason}); see to it that the server answers, or that /etc/hosts has \
         every member"
    )]
    Resolving { server: String, reason: String },
}

/// Reason that has to do with a start.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "start-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Start {
    #[display(
        "several {} run with this ini (pids {pids}): stop all but one, and k2hdkc with its chmpx",
        program.name()
    )]
    Duplicate { program: Program, pids: String },
    #[display("it does not run{}", after(last.as_ref()))]
    NotRunning { last: Option<String> },
    #[display("{} cannot be started: {text}", program.name())]
    Blocked { program: Program, text: String },
    #[display("{_0}")]
    ByItself(String),
    #[display("{} is started again in a moment{}", program.name(), after(last.as_ref()))]
    Again { program: Program, last: Option<String> },
    #[display("{} has failed to run {times} times in a row{}", program.name(), after(last.as_ref()))]
    FailsToRun { program: Program, times: u32, last: Option<String> },
    #[display("{} could not be started {times} times in a row{}", program.name(), after(last.as_ref()))]
    FailsToStart { program: Program, times: u32, last: Option<String> },
    #[display("it is to run here again")]
    RunsAgain,
    #[display("{} does not start at the next boot: {error}", program.name())]
    NotEnabled { program: Program, error: String },
    #[display(
        "chmpx starts when the next server in the ring has had time to learn of this one, and says that it has"
    )]
    NextServerLearns,
    #[display("chmpx starts in a moment: none of the other servers answers yet")]
    NobodyAnswers,
    #[display("chmpx starts when {_0} lists this server: until then it turns it away")]
    Unlisted(SocketAddr),
    #[display(
        "chmpx is not started: {_0} does not list this server, and would turn it away; see whether the agent there runs, has \
         an answer of K2HR3, and holds no join for 'k2hdkc-agent confirm'; it is asked once a minute"
    )]
    NeverListed(SocketAddr),
    #[display("k2hdkc starts a moment after its chmpx")]
    AfterChmpx,
    #[display("k2hdkc starts a moment after the end of the one before it")]
    AfterK2hdkc,
    #[display("k2hdkc starts when chmpx answers again")]
    ChmpxIsSilent,
    #[display("k2hdkc starts when chmpx has seen the end of the one before it")]
    EndNotSeen,
    #[display("supervisor.wait-for-peers is off{}", after(last.as_ref()))]
    WaitsForNobody { last: Option<String> },
    #[display("this is the ring's only server{}", after(last.as_ref()))]
    OnlyServer { last: Option<String> },
    #[display("all {peers} other servers are up{}", after(last.as_ref()))]
    AllUp { peers: usize, last: Option<String> },
    #[display("{serving} others serve; {down} stay down{}", after(last.as_ref()))]
    SomeServe { serving: usize, down: String, last: Option<String> },
    #[display("it begins the ring{}", after(last.as_ref()))]
    BeginsTheRing { last: Option<String> },
    #[display("k2hdkc waits a while for {_0}")]
    WaitsForPeers(String),
    #[display("k2hdkc waits for {_0} to begin the ring")]
    WaitsForTheFirst(String),
    #[display("it looks for {_0} anew")]
    LooksAnew(String),
    #[display(
        "k2hdkc is not started alone: none of the other {down} servers is up to this chmpx ({names}); if they are gone for \
         good, take them out of their role in K2HR3"
    )]
    Isolated { down: usize, names: String },
    #[display(
        "k2hdkc does not begin a ring: only {up} of {all} servers are up to this chmpx, and none of them serves; missing are \
         {names}"
    )]
    Minority { up: usize, all: usize, names: String },
}

/// The latest end or failure of a program, behind the reason of its start.
fn after(last: Option<&String>) -> String {
    last.map_or_else(String::new, |text| format!("; {text}"))
}

/// Reason that has to do with a stop.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "stop-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Stop {
    #[display("{_0}")]
    ForRestart(String),
    #[display("it is older than its chmpx, and would answer merges with nothing")]
    Outlived,
    #[display("it leaves the cluster")]
    Leaves,
    #[display("it was told to stop")]
    Stops,
    #[display("the agent ends, and supervisor.on-exit is \"stop\"")]
    AgentEnds,
    #[display("{} (pid {pid}) is stopping: {reason}", program.name())]
    Stopping { program: Program, pid: u32, reason: String },
    #[display("{} (pid {pid}) must stop ({reason}): {error}", program.name())]
    CannotBeSignalled { program: Program, pid: u32, reason: String, error: String },
    #[display("{} cannot be stopped for good: {error}", program.name())]
    CannotBeDisabled { program: Program, error: String },
    #[display("chmpx stops a moment after its k2hdkc")]
    AfterK2hdkc,
    #[display("{_0} files of killed chmpx processes")]
    Leftovers(usize),
}
