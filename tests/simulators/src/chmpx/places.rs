//! The rows of this chmpx and the nodes of the model: a node's number is the place of its row.
//!
//! Rows stand in the order of the ring, by id, the highest first (seen in every recording). A changed node has a second row
//! under the same id.

use super::node::Chmpx;
use super::row::Row;
use crate::model::ring::{Ini, MOST, Node};
use crate::model::status::Status;

impl Chmpx {
    /// Returns the rows with their statuses.
    pub(super) fn rows(&self) -> Vec<Row> {
        let rows = self.rows.iter().enumerate();
        rows.map(|(place, row)| row.with(self.ring.list.word(place))).collect()
    }

    /// Returns the id of a node of the model.
    pub(super) fn id(&self, place: Node) -> Option<u64> {
        self.rows.get(place).map(|row| row.id)
    }

    /// Returns the node of an id; the one that is up, or the newest, where there are two.
    pub(super) fn place(&self, id: u64) -> Option<Node> {
        let word = |place: &Node| (self.ring.list.status(*place).is_up(), self.ring.list.word(*place).at);
        (0..self.rows.len()).filter(|place| self.rows[*place].id == id).max_by_key(word)
    }

    /// Adds a row at its place, or a ghost where MAXCHMPX as of the start leaves no slot.
    pub(super) fn add(&mut self, row: Row) {
        if !self.has_room() {
            self.log.err("PopFront : PCHMPXLIST does not set.");
            self.log.err("Initialize : PCHMPX does not set.");
            self.ghosts += 1;
            return;
        }
        let place = self.rows.partition_point(|other| other.id >= row.id);
        self.rows.insert(place, Row { status: Status::GHOST, ..row });
        self.ring.open(place);
    }

    fn has_room(&self) -> bool {
        self.free_slots() > 0 && self.rows.len() + 1 < MOST
    }

    /// Returns the nodes of another chmpx's rows; rows that are new here are added, as long as there are slots.
    pub(super) fn import(&mut self, rows: &[Row]) -> Vec<Option<Node>> {
        for row in rows.iter().filter(|row| row.id != 0) {
            if self.has_room() && !self.rows.iter().any(|own| own.id == row.id) {
                self.add(row.clone());
            }
        }
        let same = |row: &Row| self.rows.iter().position(|own| own.is_same(row));
        rows.iter().map(|row| same(row).or_else(|| self.place(row.id))).collect()
    }

    /// Logs what has changed, and drops the rows that the model does not list.
    pub(super) fn settle_rows(&mut self) {
        for place in 0..self.rows.len() {
            self.log_status(place, self.ring.list.status(place));
        }
        for place in (0..self.rows.len()).rev() {
            if !self.ring.list.knows(place) {
                self.rows.remove(place);
                self.ring.close(place);
            }
        }
    }

    /// Logs the status of a row, where it is another one than at the last time.
    pub(super) fn log_status(&mut self, place: Node, status: Status) {
        let Some(row) = self.rows.get_mut(place).filter(|row| row.status != status) else { return };
        let old = std::mem::replace(&mut row.status, status);
        let (id, new, was) = (row.id, status.bits(), old.bits());
        if status == Status::GHOST {
            self.log.msg(format_args!(
                "UpdateChmpxSvrs : chmpxid({id:#018x}) with status({was:#018x}:{old}) is retrieved."
            ));
        } else {
            self.log.msg(format_args!(
                "Status({new:#018x}:{status}) is changed from old status({was:#018x}:{old})."
            ));
        }
    }

    /// Returns the settings of the file that is in force, as the model takes them.
    pub(super) fn ini(&self) -> Ini {
        let config = &self.config;
        let is_listed =
            |row: &Row| config.ring.servers.iter().any(|node| row.is(node) && row.id == config.id_of(node));
        Ini {
            servers: (0..self.rows.len()).filter(|place| is_listed(&self.rows[*place])).collect(),
            replicas: config.replicas(),
            automerge: config.merges_by_itself(),
            domerge: config.is_on("DOMERGE"),
            ..Ini::default()
        }
    }

    /// Adds the servers of the file that have no row yet.
    pub(super) fn list_servers(&mut self) {
        for node in self.config.ring.servers.clone() {
            let id = self.config.id_of(&node);
            if !self.rows.iter().any(|row| row.id == id && row.is(&node)) {
                self.add(Row::of(id, &node, Status::GHOST, 0));
            }
        }
    }
}
