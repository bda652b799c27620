//! The input of a decision: one observation beside the installed file, and helpers to read it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::chmpx_state::{ChmpxState, NodeStatus, Row};
use crate::clock::BootTime;
use crate::ring::{Mode, Node, Ring};
use crate::ring_change::{Progress, Stage};
use crate::settings::Supervisor;
use crate::supervisor::Observed;

/// An observation beside the installed file.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The present, for waits that may be forgotten.
    pub now: Instant,
    /// The present, for waits that outlive the agent.
    pub boot: BootTime,
    /// A random number from 0 to 1, for the jitter of pauses.
    pub random: f64,
    /// The ring that the installed file says.
    pub ring: &'a Ring,
    /// The installed file besides its ring.
    pub file: InstalledFile,
    /// The programs, and the latest answer of chmpx.
    pub observed: &'a Observed,
    /// The operator's limits.
    pub limits: &'a Supervisor,
    /// The change of the ring as this node sees it; `None` where chmpx runs the merges by itself.
    pub ring_change: Option<&'a Progress>,
}

/// The installed file, and what became of it so far.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct InstalledFile {
    /// Its generation.
    pub fileversion: u32,
    /// The control port that it gives chmpx.
    pub ctlport: u16,
    /// Time since the agent installed it; `None` for the file of another writer.
    pub age: Option<Duration>,
    /// True once chmpx was seen with this generation loaded, be it with a restart still to come.
    pub loaded: bool,
    /// True once chmpx was seen with this generation loaded while no restart was due.
    pub verified: bool,
    /// True if it replaced a file that chmpx does not survive: an end soon after says nothing of this one.
    pub replaces_unloadable: bool,
    /// True if the generation before it, of another ring, is kept.
    pub has_previous: bool,
    /// True if the last verified generation, of another ring, is kept.
    pub has_verified: bool,
}

impl<'a> Situation<'a> {
    /// Returns MODE of the file; a file without one is a slave's.
    pub(super) fn mode(&self) -> Mode {
        self.ring.mode().unwrap_or(Mode::Slave)
    }

    /// Returns true on a server.
    pub(super) fn is_server(&self) -> bool {
        self.mode() == Mode::Server
    }

    /// Returns the latest answer of chmpx.
    pub(super) fn view(&self) -> Option<&'a ChmpxState> {
        self.observed.control.report.as_ref().map(|said| &said.view)
    }

    /// Returns the latest answer of a server's chmpx.
    pub(super) fn server_view(&self) -> Option<&'a ChmpxState> {
        self.view().filter(|_| self.is_server())
    }

    /// Returns the change of the ring, where the agents run it and it keeps the programs still: the ring merges, or this node
    /// waits to join.
    pub(super) fn change(&self) -> Option<&'a Progress> {
        let progress = self.ring_change?;
        let waits = self.server_view().is_some_and(|view| {
            let status = view.own.status;
            !status.is_healthy() && !status.is_suspended()
        });
        (progress.is_under_way() || waits).then_some(progress)
    }

    /// Returns the change of the ring, where the agents keep chmpx from answering: it stands still.
    pub(super) fn parked(&self) -> Option<&'a Progress> {
        self.ring_change.filter(|progress| progress.stage == Stage::Frozen)
    }

    /// Returns this host's own server section.
    pub(super) fn own(&self) -> Option<&'a Node> {
        if self.is_server() { self.ring.candidates(Mode::Server).next() } else { None }
    }

    /// Returns every other server of the file.
    pub(super) fn peers(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        let own = self.own();
        self.ring.servers.iter().filter(move |node| own.is_none_or(|own| !std::ptr::eq(*node, own)))
    }

    /// Returns this server's place in the order that all nodes agree on.
    pub(super) fn rank(&self) -> u32 {
        let own = self.own();
        let place = self.ring.servers.iter().position(|node| own.is_some_and(|own| std::ptr::eq(node, own)));
        u32::try_from(place.unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// Returns the control port of the server in that row, if the file says an address.
    pub(super) fn control_address(&self, row: &Row) -> Option<SocketAddr> {
        self.ring.servers.iter().find(|node| row.is_of(node))?.control_address()
    }
}

impl ChmpxState {
    /// Returns the status of a server of the file; `None` where chmpx does not list it.
    pub(super) fn status_of(&self, node: &Node) -> Option<NodeStatus> {
        self.servers.iter().find(|row| row.is_of(node)).map(|row| row.status)
    }

    /// Returns true for the row of the node that answered.
    pub(super) fn is_own(&self, row: &Row) -> bool {
        row.chmpxid.is_some() && row.chmpxid == self.own.chmpxid
    }

    /// Returns the rows of the other servers.
    pub(super) fn others(&self) -> impl Iterator<Item = &Row> {
        self.servers.iter().filter(|row| !self.is_own(row))
    }

    /// Returns true if chmpx merges by itself.
    pub(super) fn merges_by_itself(&self) -> bool {
        self.automerge && !self.automerge_suspended
    }
}

/// Returns the name of a row in texts.
pub(super) fn label(row: &Row) -> String {
    let port = row.ctlport.map_or_else(|| "?".to_owned(), |port| port.to_string());
    format!("{}:{port}", row.name)
}
