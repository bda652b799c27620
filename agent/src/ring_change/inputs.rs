//! The inputs of one look: facts as plain values, gathered by whoever calls. Nothing here is remembered but by [`super::History`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::automerge::Automerge;
use crate::chmpx_state::NodeStatus;

/// Identifies a server by the text of which chmpx makes its id: CUSTOM_ID_SEED or CUK.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(Arc<str>);

impl ServerId {
    /// Makes the id of this text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One server in the list of a chmpx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Status in the ring.
    pub status: NodeStatus,
    /// Enable Hash Value; `None` outside of the ring.
    pub slot: Option<u64>,
}

/// The servers in the list of one chmpx.
pub type List = BTreeMap<ServerId, Entry>;

/// The facts of one look.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// The moment of the look.
    pub now: Instant,
    /// A number from 0 to 1, for the jitter of pauses.
    pub random: f64,
    /// The kind of this node.
    pub node: Node,
    /// Servers of the installed ini.
    pub members: BTreeSet<ServerId>,
    /// Number of extra copies of a key (REPLICA), as the own chmpx has loaded it.
    pub replicas: u32,
    /// True where the own file has chmpx begin merges by itself.
    pub automerge: bool,
    /// Number of slaves of the installed ini, by which a stopped one spares the servers.
    pub slaves: u32,
    /// Will of the operator and of K2HR3 for this node.
    pub wish: Wish,
    /// The own chmpx's list; `None` where it has not answered the question of this look.
    pub list: Option<List>,
    /// Answers to the latest [`super::Action::Ask`], each round given to one look only.
    pub round: Option<Round>,
    /// Facts of this host.
    pub local: Local,
}

/// Kind of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A server, and its id.
    Server(ServerId),
    /// A slave, and a number that spreads the questions of many slaves over the servers.
    Slave(u64),
}

/// Will of the operator and of K2HR3 for this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// True where this server is to leave the ring.
    pub leave: bool,
    /// True where the operator has confirmed a change that lasts longer than `longest-stop`.
    pub confirmed: bool,
    /// Predicted stop of a change, see [`super::prediction`]; `None` where nothing is known.
    pub predicted_stop: Option<Duration>,
}

/// Answers to one question that went to several servers in parallel.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The moment of the question: no answer is older.
    pub at: Instant,
    /// Answers; `None` for a server that did not answer, also not when asked once again.
    pub answers: BTreeMap<ServerId, Option<Answer>>,
}

/// Answer of one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// List of that server, itself included.
    pub list: List,
    /// AUTOMERGE of its loaded ini; `None` where DUMP was not asked.
    pub automerge: Option<Automerge>,
}

/// Facts of this host, read at this look and not remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct Local {
    /// State of k2hdkc in `/proc`.
    pub k2hdkc: Process,
    /// State of chmpx in `/proc`.
    pub chmpx: Process,
    /// True where the message queues between both are empty; read only while [`super::History::waits_for_queues`].
    pub queues_empty: bool,
    /// Progress of k2hdkc: any number that changes whenever its file or its processor time does.
    pub progress: u64,
    /// Mark of a slave's freeze on its disk.
    pub mark: Mark,
}

/// State of a process in `/proc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// No process.
    Absent,
    /// A process that runs.
    Running,
    /// A process in state T.
    Stopped,
}

/// Mark of a slave's freeze on its disk. It outlives the agent, and ends with the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// No freeze in this change.
    Absent,
    /// chmpx was stopped, and no agent has continued it.
    Frozen,
    /// An agent has continued chmpx.
    Thawed,
}

impl Inputs {
    /// Returns the own id of a server.
    pub(super) fn own(&self) -> Option<&ServerId> {
        match &self.node {
            Node::Server(id) => Some(id),
            Node::Slave(_) => None,
        }
    }

    /// Returns the round where it is young enough.
    pub(super) fn fresh_round(&self) -> Option<&Round> {
        let young = |round: &&Round| self.now.saturating_duration_since(round.at) <= super::timing::FRESH;
        self.round.as_ref().filter(young)
    }
}
