//! The messages between the simulated processes: lines of JSON over TCP (chmpx to chmpx) and over a unix socket (k2hdkc and
//! clients to their chmpx). Not the real protocol; what it carries is.

use serde::{Deserialize, Serialize};

use crate::model::keys::Item;
use crate::model::share::Share;
use crate::model::table::Row;

/// A line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Frame {
    /// Something that is not answered.
    Note(Note),
    /// Something that is.
    Ask {
        /// Which answer belongs to it.
        ticket: u64,
        /// The question.
        question: Question,
    },
    /// The answer.
    Answer {
        /// The ticket of the question.
        ticket: u64,
        /// The reply.
        reply: Reply,
    },
}

/// The note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Note {
    /// The first line of whoever connects to a server's PORT: its own row and whether it is a server.
    Hello {
        /// GROUP
        group: String,
        /// The identity of the sender.
        row: Box<Row>,
        /// Server or slave.
        is_server: bool,
    },
    /// The answer to a hello that was taken: all rows, and whether merging is suspended.
    Welcome {
        /// The table.
        rows: Vec<Row>,
        /// SUSPENDMERGE
        suspended: bool,
    },
    /// The answer to a hello of somebody who is not listed.
    Refused,
    /// Rows that changed.
    Rows(Vec<Row>),
    /// A step of a merge.
    Merge(Merge),
    /// SUSPENDMERGE or NOSUSPENDMERGE.
    SuspendMerge(bool),
    /// The first line of a process that attaches to its chmpx.
    Attach(Attach),
}

/// A process that attaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The process.
    pub pid: u32,
    /// Records whether it is k2hdkc and not a client.
    pub is_k2hdkc: bool,
    /// Records whether it may trigger the one automatic SERVICEIN.
    pub joins_ring: bool,
}

/// The steps of a merge, which one server drives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Merge {
    /// Pending ones go to Doing and copy.
    Start {
        /// Which merge.
        id: u64,
        /// The table of the one who drives it.
        rows: Vec<Row>,
    },
    /// The sender has copied what it needs.
    Copied {
        /// Which merge.
        id: u64,
    },
    /// All servers have copied: Doing ones go to Done.
    Done,
    /// The new slots are in force.
    Complete,
    /// Back to Pending.
    Abort,
}

/// The questions of clients of chmpx, by chmpx of another one, and by chmpx of its k2hdkc.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Question {
    /// Keep it.
    Set(Item),
    /// The value of a key.
    Get(String),
    /// All keys of a share: k2hdkc's merge-get callback.
    MergeGet(Share),
    /// Keep what a merge copied: k2hdkc's merge-set callback.
    MergeSet(Vec<Item>),
    /// A control-port command that another node forwards.
    Command(String),
}

/// The replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Kept.
    Kept,
    /// The value, if there is one.
    Value(Option<String>),
    /// Keys.
    Items(Vec<Item>),
    /// Text of the control port.
    Text(String),
    /// The question could not be answered.
    Failed(String),
}
