//! A row of the list of servers: what the file or another chmpx says of a node, and its status.

use k2hdkc_agent::ring::Node;
use serde::{Deserialize, Serialize};

use crate::model::ring::{List, Word};
use crate::model::status::Status;

/// A node as a chmpx knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The chmpxid; 0 for a row without a slot.
    pub id: u64,
    /// NAME
    pub name: String,
    /// PORT; -1 on a slave.
    pub port: i32,
    /// CTLPORT
    pub ctlport: i32,
    /// CUK
    pub cuk: String,
    /// CUSTOM_ID_SEED
    pub seed: String,
    /// ENDPOINTS, CTLENDPOINTS, FORWARD_PEERS, REVERSE_PEERS.
    pub lists: [String; 4],
    /// SSL
    pub ssl: bool,
    /// The status of the server.
    pub status: Status,
    /// The time of the status, in microseconds since 1970.
    pub stamp: u64,
}

const LISTS: [&str; 4] = ["ENDPOINTS", "CTLENDPOINTS", "FORWARD_PEERS", "REVERSE_PEERS"];

impl Row {
    /// The row of a node of a file.
    pub fn of(id: u64, node: &Node, status: Status, stamp: u64) -> Self {
        Self {
            id,
            name: node.name.clone(),
            port: node.port.map_or(-1, |port| i32::from(port.get())),
            ctlport: i32::from(node.ctlport.get()),
            cuk: node.cuk.clone(),
            seed: node.seed.clone(),
            lists: lists(node),
            ssl: node.rest.get("SSL").is_some_and(k2hdkc_agent::keys::is_on),
            status,
            stamp,
        }
    }

    /// Makes the row of a server for which chmpx had no slot left (docs/facts.md C20).
    pub fn ghost() -> Self {
        Self {
            id: 0,
            name: String::new(),
            port: 0,
            ctlport: 0,
            cuk: String::new(),
            seed: String::new(),
            lists: Default::default(),
            ssl: false,
            status: Status::GHOST,
            stamp: 0,
        }
    }

    /// Checks whether it is that node, by chmpx's comparison: PORT and SSL do not count (lib/chmstructure.tcc:5649-5668).
    pub fn is(&self, node: &Node) -> bool {
        let ports = self.ctlport == i32::from(node.ctlport.get());
        ports
            && (&self.name, &self.cuk, &self.seed) == (&node.name, &node.cuk, &node.seed)
            && self.lists == lists(node)
    }

    /// Checks whether it is the same server as another row, whatever their statuses.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.id, self.ctlport, &self.name, &self.cuk) == (other.id, other.ctlport, &other.name, &other.cuk)
            && self.lists == other.lists
    }

    /// Returns the row with what a list says of it.
    pub(super) fn with(&self, Word { status, at }: Word) -> Self {
        Self { status, stamp: at, ..self.clone() }
    }
}

fn lists(node: &Node) -> [String; 4] {
    LISTS.map(|key| node.rest.get(key).unwrap_or_default().to_owned())
}

/// The slot of a server in the order of a ring; all ones for none, as chmpx prints it.
pub fn slot(ring: &[u64], id: u64) -> u64 {
    ring.iter().position(|other| *other == id).map_or(u64::MAX, |slot| slot as u64)
}

/// Returns the list of statuses that rows make, with the node of each.
pub(super) fn list(rows: &[Row], nodes: &[Option<usize>]) -> List {
    let mut list = List::default();
    for (row, node) in rows.iter().zip(nodes) {
        if let Some(node) = node {
            list.set(*node, row.status, row.stamp);
        }
    }
    list
}
