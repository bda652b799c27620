//! The events of a chmpx, and the peers at the other end of its connections.

use std::net::IpAddr;

use tokio::sync::oneshot;

use super::link::Link;
use super::wire::{Attach, Frame};
use crate::model::keys::Item;
use crate::model::table::Row;

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
    /// Time to look what must go on.
    Advance,
    /// Time to look for peers.
    Rescan,
    /// k2hdkc has been gone for a moment.
    ClientGone,
    /// The copying with that number is finished.
    Copied(u64),
    /// The copying with that number has everything that others had.
    Gathered(u64, Vec<Item>),
    /// HUP or INT.
    Stop,
    /// USR1
    Bump,
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
