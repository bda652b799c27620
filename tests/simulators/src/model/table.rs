//! The table of servers that every chmpx of a ring keeps, and the order of the slots that follows from it.

use k2hdkc_agent::ring::Node;
use serde::{Deserialize, Serialize};

use super::status::Status;

/// A server as the ring knows it.
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
    /// When the status was set, in microseconds since 1970. The later one of two counts.
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
}

fn lists(node: &Node) -> [String; 4] {
    LISTS.map(|key| node.rest.get(key).unwrap_or_default().to_owned())
}

/// The rows of a ring, in its order: by id, the highest first (seen in every recording).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Table(Vec<Row>);

impl Table {
    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// The row of that id; the newest where a changed node has made a second one.
    pub fn get(&self, id: u64) -> Option<&Row> {
        self.0.iter().filter(|row| row.id == id && id != 0).max_by_key(|row| (row.status.is_up(), row.stamp))
    }

    /// The row of that id, to change it.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Row> {
        let found = self.0.iter_mut().filter(|row| row.id == id && id != 0);
        found.max_by_key(|row| (row.status.is_up(), row.stamp))
    }

    /// Adds a row at its place.
    pub fn insert(&mut self, row: Row) {
        let place = self.0.partition_point(|other| other.id >= row.id);
        self.0.insert(place, row);
    }

    /// Removes what `goes` says.
    pub fn remove(&mut self, goes: impl Fn(&Row) -> bool) {
        self.0.retain(|row| !goes(row));
    }

    /// Servers that answer for keys, by slot.
    pub fn base(&self) -> Vec<u64> {
        self.0.iter().filter(|row| row.status.has_base()).map(|row| row.id).collect()
    }

    /// Servers that will answer for keys when the merge is complete, by slot.
    pub fn pending(&self) -> Vec<u64> {
        self.0.iter().filter(|row| row.status.has_pending()).map(|row| row.id).collect()
    }

    /// Checks whether any server that is up merges.
    pub fn is_operating(&self) -> bool {
        self.0.iter().any(|row| row.status.is_up() && row.status.is_operating())
    }
}

#[cfg(test)]
impl Table {
    /// Makes the table of servers with those ids and statuses.
    pub(super) fn of(statuses: &[(u64, Status)]) -> Self {
        let node = &crate::chmpx::fixtures::ring(&[1], &[1]).servers[0];
        let mut table = Self::default();
        for (id, status) in statuses {
            table.insert(Row::of(*id, node, *status, 1));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::share::slot;

    fn table(ids: &[u64]) -> Table {
        Table::of(&ids.iter().map(|id| (*id, Status::IN_UP)).collect::<Vec<_>>())
    }

    #[test]
    fn slots_are_places_among_the_servers_in_service_the_highest_id_first() {
        let mut table = table(&[0xa0e4_3776, 0xa0e4_3ff5, 0xa0e4_3adc]);
        assert_eq!(table.base(), [0xa0e4_3ff5, 0xa0e4_3adc, 0xa0e4_3776]);
        table.get_mut(0xa0e4_3ff5).unwrap().status = Status::IN_UP.service_out();
        assert_eq!(slot(&table.base(), 0xa0e4_3ff5), 0);
        assert_eq!(slot(&table.pending(), 0xa0e4_3ff5), u64::MAX);
        assert_eq!(slot(&table.pending(), 0xa0e4_3adc), 0);
    }
}
