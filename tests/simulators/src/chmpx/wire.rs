//! The messages between the simulated processes: lines of JSON over TCP (chmpx to chmpx) and over a unix socket (k2hdkc and
//! clients to their chmpx). Not the real protocol; what it carries is.

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::model::ring::{Item, Message, Micros, Range};

/// A key, and what is kept of it.
pub type Record = (String, Item<String>);

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
    /// The answer to a hello that was taken: all rows.
    Welcome(Vec<Row>),
    /// The rows of a server that was welcomed, as they are by then.
    Met(Vec<Row>),
    /// The answer to a hello of somebody who is not listed.
    Refused,
    /// A message of the ring.
    Ring {
        /// The rows of the sender, whose places are the nodes of the message.
        rows: Vec<Row>,
        /// The message.
        message: Message,
    },
    /// Items that a server gives to a merge.
    Items(Vec<Record>),
    /// A copy of what a client wrote to another server.
    Replica(Record),
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

/// The questions of clients of chmpx, by chmpx of another one, and by chmpx of its k2hdkc.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Question {
    /// Sets a key to a value.
    Set(String, String),
    /// The value of a key.
    Get(String),
    /// Keeps what another server has written.
    Copy(Vec<Record>),
    /// The time of the last direct write.
    Last,
    /// All keys of a range: k2hdkc's merge-get callback.
    Give(Range),
    /// Keeps what a merge copied: k2hdkc's merge-set callback.
    Keep(Vec<Record>),
    /// A control-port command that another node forwards.
    Command(String),
}

/// The replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Kept.
    Kept,
    /// Written, as this record.
    Written(Record),
    /// The value, if there is one.
    Value(Option<String>),
    /// A time.
    Last(Micros),
    /// Keys.
    Items(Vec<Record>),
    /// Text of the control port.
    Text(String),
    /// The question could not be answered.
    Failed(String),
}
