//! The messages between chmpx, and what a chmpx asks of its k2hdkc.

use serde::{Deserialize, Serialize};

use super::list::{List, Micros, Node, Nodes, Word};
use super::range::Range;
use super::store::{Item, Key};

/// A message between two chmpx. Tokens go round the ring until they are back at their start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// A status; servers pass it on to the next one and to their slaves.
    Change(Token, Node, Word),
    /// The whole list, to be compared before a merge.
    Confirm(Token, Box<List>),
    /// MERGE: each server that is `[Pending]` starts to copy.
    Start(Token),
    /// COMPMERGE.
    Complete(Token),
    /// ABORTMERGE.
    Abort(Token),
    /// A server went down.
    Down(Token, Node),
    /// SUSPENDMERGE or NOSUSPENDMERGE.
    Suspend(Token, bool),
    /// The question of a merge, and who has nothing to answer to it.
    Ask(Token, Box<Question>),
    /// SERVICEOUT that another server's control port got.
    ServiceOut,
    /// What a giver sends.
    Items(Vec<(Key, Item)>),
    /// A giver has sent everything.
    Given(Node),
    /// A request of a program on a slave.
    Request(Request),
    /// The answer to it.
    Answer(Ticket, Answer),
    /// A copy of what a client wrote, or removed.
    Replica(Key, Option<Item>, Micros),
}

impl Message {
    /// Checks whether it is a matter of the ring, which is handled also by a chmpx whose data connections hang.
    pub fn is_token(&self) -> bool {
        match self {
            Self::Change(..)
            | Self::Confirm(..)
            | Self::Start(_)
            | Self::Complete(_)
            | Self::Abort(_)
            | Self::Down(..)
            | Self::Suspend(..)
            | Self::Ask(..)
            | Self::ServiceOut => true,
            Self::Items(_) | Self::Given(_) | Self::Request(_) | Self::Answer(..) | Self::Replica(..) => {
                false
            }
        }
    }
}

/// The head of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its start.
    pub start: Node,
    /// Records whether a server on the way has failed it.
    pub failed: bool,
}

/// The question of a merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The keys.
    pub range: Range,
    /// The servers that are asked.
    pub wanted: Nodes,
    /// Those that do not send anything.
    pub idle: Nodes,
}

/// The number of a request.
pub type Ticket = usize;

/// A request of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Number.
    pub ticket: Ticket,
    /// The slave that it came from.
    pub slave: Node,
    /// The key.
    pub key: Key,
    /// The deed.
    pub deed: Deed,
}

/// The deed that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Reads.
    Get,
    /// Writes a value.
    Set(u32),
    /// Removes.
    Delete,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The value of a key.
    Value(u32),
    /// The server does not have the key.
    NotFound,
    /// Done.
    Ok,
    /// The program gave up.
    Failed,
}

/// Work for a k2hdkc.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A request.
    Serve(Request),
    /// A replica.
    Copy(Key, Option<Item>, Micros),
    /// Items of a merge.
    Keep(Vec<(Key, Item)>),
    /// The question for the last direct write, with the number of the merge and the time of the question.
    Last(u32, Micros),
    /// The question of another server's merge.
    Give(Node, Range),
}
