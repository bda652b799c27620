//! The events of a chmpx, and the peers at the other end of its connections.

use std::net::IpAddr;

use tokio::sync::oneshot;

use super::link::Link;
use super::row::Row;
use super::wire::{Attach, Frame, Note, Question, Record};
use crate::model::ring::Micros;

/// An event of a chmpx.
#[derive(Debug)]
pub enum Event {
    /// A connection was made; what comes over it bears the number.
    Opened(u64, Link, Origin),
    /// A frame came.
    Frame(u64, Frame),
    /// A connection ended.
    Closed(u64),
    /// No process took a connection to that server.
    Unreachable(u64),
    /// The watch says that the file changed.
    File,
    /// A connection came to the control port.
    Control(IpAddr),
    /// A command came over the control port.
    Command(Vec<u8>, oneshot::Sender<String>),
    /// Time to send that to a server.
    Post(u64, Box<Note>),
    /// Time to look whether the copy with that number is finished.
    Tick(u32),
    /// Time to look for peers.
    Rescan,
    /// k2hdkc has been gone for a moment.
    ClientGone,
    /// k2hdkc has answered the question of a copy.
    Last {
        /// The number of the copy.
        number: u32,
        /// The time of the question.
        asked: Micros,
        /// The time of its last direct write.
        last: Micros,
    },
    /// k2hdkc gives this to the merge of that server.
    Gave(u64, Vec<Record>),
    /// k2hdkc has written this for a client.
    Written(Record),
    /// HUP or INT.
    Stop,
    /// USR1
    Bump,
}

impl Event {
    /// Checks whether it is a request of a program. Words of the ring that have come by then are taken first: of some 500
    /// requests that waited for a stopped chmpx of a slave none was sent by its old list.
    pub(super) fn is_request(&self) -> bool {
        matches!(self, Self::Frame(_, Frame::Ask { question: Question::Set(..) | Question::Get(_), .. }))
    }
}

/// The origin of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A connection came to PORT, from that address.
    Port(IpAddr),
    /// This process connected to that server.
    Dialled(u64),
    /// A process on this host.
    Local,
}

/// The peer at the other end.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Peer {
    Stranger(Origin),
    Server(u64),
    Slave(Box<Row>),
    Process(Attach),
}

/// The ends of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Exit code 0, files removed.
    Graceful,
    /// SIGSEGV
    Crash,
}
