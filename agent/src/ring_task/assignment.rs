//! The node and its ring as the latest pass saw them: the part that a ring change needs to look and to act.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::time::Instant;

use crate::automerge::Automerge;
use crate::chmpx_state::Row;
use crate::names::Port;
use crate::ring::{self, Ring};
use crate::ring_change::prediction::Prediction;
use crate::ring_change::{self, Entry, List, Node, ServerId};
use crate::settings;
use crate::supervisor::control_port::{Command, Server};
use crate::supervisor::{NodeSpec, ProcessId, Program};

/// A node that takes part in the changes of its ring.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Kind of this node.
    pub node: Node,
    /// GROUP: an answer of another ring is none.
    pub group: String,
    /// Control port of the local chmpx.
    pub control: SocketAddr,
    /// Servers of the installed ini.
    pub members: BTreeMap<ServerId, ring::Node>,
    /// Number of slaves of the installed ini.
    pub slaves: u32,
    /// Number of extra copies of a key.
    pub replicas: u32,
    /// True where the installed ini has chmpx begin merges by itself.
    pub automerge: bool,
    /// The running programs.
    pub programs: Programs,
    /// Will of the operator and of K2HR3 for this node.
    pub will: Will,
    /// Prediction of a change: by the keys of this server, or by the last two changes that this slave saw.
    pub prediction: Option<Prediction>,
    /// The operator's limits.
    pub limits: settings::Merge,
    /// End of the quiet time behind a new file: a question before it may cost a reload (C12).
    pub quiet_until: Option<Instant>,
}

/// The running programs of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// The running chmpx, by its number in this host's `/proc`.
    pub chmpx: Option<ProcessId>,
    /// The running k2hdkc, likewise.
    pub k2hdkc: Option<ProcessId>,
    /// Programs that run out of sight of this host's `/proc`, as in a container of another host: nothing can move them, and they are
    /// taken for running.
    pub hidden: Vec<Program>,
    /// Database file of k2hdkc in its own sight.
    pub database: Option<PathBuf>,
}

impl Programs {
    /// Returns the running process of a program.
    pub(super) fn of(&self, program: Program) -> Option<ProcessId> {
        match program {
            Program::Chmpx => self.chmpx,
            Program::K2hdkc => self.k2hdkc,
        }
    }
}

/// Will of the operator and of K2HR3 for this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Will {
    /// True where this server is to leave the ring.
    pub leave: bool,
    /// True where the operator has confirmed a change that lasts longer than the limit.
    pub confirmed: bool,
}

impl Assignment {
    /// Makes the assignment of an installed ring; `None` where the ini does not name a server by an address.
    pub fn of(ring: &Ring, spec: &NodeSpec, limits: settings::Merge) -> Option<Self> {
        let section = spec.section.as_ref()?;
        let node = match spec.mode {
            ring::Mode::Server => Node::Server(id_of(section)),
            ring::Mode::Slave => Node::Slave(spread(section)),
        };
        let members = ring.servers.iter().filter(|server| !server.is_placeholder());
        let slaves = ring.slaves.iter().filter(|slave| !slave.is_placeholder());
        Some(Self {
            node,
            group: spec.group.clone(),
            control: spec.control,
            members: members.map(|server| (id_of(server), server.clone())).collect(),
            slaves: u32::try_from(slaves.count()).unwrap_or(u32::MAX),
            replicas: ring.replicas(),
            automerge: Automerge::of_ring(ring).is_on(),
            programs: Programs { database: spec.database.clone(), ..Programs::default() },
            will: Will::default(),
            prediction: None,
            limits,
            quiet_until: None,
        })
    }

    /// Returns the rows as a list. A server that the ini does not name keeps the id of its row.
    pub(super) fn list(&self, rows: &[Row]) -> List {
        rows.iter()
            .map(|row| (self.id_of_row(row), Entry { status: row.status, slot: row.base_hash }))
            .collect()
    }

    /// Returns the id of the server in a row.
    fn id_of_row(&self, row: &Row) -> ServerId {
        let member = self.members.iter().find(|(_, section)| row.is_of(section));
        member.map_or_else(|| id(&row.seed, &row.cuk, &row.name, row.ctlport), |(id, _)| id.clone())
    }

    /// Returns the control port of a server. One that the ini does not name any more is found by its row.
    pub(super) fn control_of(&self, server: &ServerId, rows: &[Row]) -> Option<SocketAddr> {
        if self.node == Node::Server(server.clone()) {
            return Some(self.control);
        }
        let by_row = || {
            let row = rows.iter().find(|row| self.id_of_row(row) == *server)?;
            Some(SocketAddr::new(row.name.parse().ok()?, row.ctlport?.get()))
        };
        self.members.get(server).and_then(ring::Node::control_address).or_else(by_row)
    }

    /// Returns true in the quiet time behind a new file.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }

    /// Returns a command in chmpx's wording; `None` where it cannot name its server.
    pub(super) fn command(&self, command: &ring_change::Command, rows: &[Row]) -> Option<Command> {
        Some(match command {
            ring_change::Command::ServiceIn => Command::ServiceIn,
            ring_change::Command::ServiceOut(server) => Command::ServiceOut(self.name_of(server, rows)?),
            ring_change::Command::UpdateStatus => Command::UpdateStatus,
            ring_change::Command::Merge => Command::Merge,
            ring_change::Command::CompMerge => Command::CompMerge,
            ring_change::Command::AbortMerge => Command::AbortMerge,
        })
    }

    /// Returns a server as SERVICEOUT names it, by the row of the chmpx that gets the command.
    fn name_of(&self, server: &ServerId, rows: &[Row]) -> Option<Server> {
        if let Some(row) = rows.iter().find(|row| self.id_of_row(row) == *server) {
            return Server::new(&row.name, row.ctlport?, server.as_str()).ok();
        }
        let section = self.members.get(server)?;
        Server::new(&section.name, section.ctlport, server.as_str()).ok()
    }
}

/// Returns the id of a section: the text of which chmpx makes its own.
fn id_of(section: &ring::Node) -> ServerId {
    id(&section.seed, &section.cuk, &section.name, Some(section.ctlport))
}

fn id(seed: &str, cuk: &str, name: &str, ctlport: Option<Port>) -> ServerId {
    match (seed, cuk, ctlport) {
        ("", "", Some(port)) => ServerId::new(&format!("{name}:{port}")),
        ("", "", None) => ServerId::new(name),
        ("", cuk, _) => ServerId::new(cuk),
        (seed, _, _) => ServerId::new(seed),
    }
}

/// Returns a number by which slaves ask different servers.
fn spread(section: &ring::Node) -> u64 {
    section
        .cuk
        .bytes()
        .chain(section.name.bytes())
        .fold(0, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte))
}
