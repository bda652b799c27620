//! The rules of whose word about a row counts.
//!
//! A server writes its own row; a row of a server that went down is written by whoever saw its connection break. Of two
//! words about one row the later counts, and every server passes on what was new to it. What a slave sees by itself is no
//! word.

use std::time::Duration;

use super::event::{Origin, Peer};
use super::node::{Chmpx, Wake};
use crate::model::status::Status;
use crate::model::table::Row;

impl Chmpx {
    /// Takes the later word about each row, and passes it on. `greeting` is a whole table or a newcomer's row.
    pub(super) fn learn(&mut self, rows: Vec<Row>, from: Option<u64>, greeting: bool) {
        let (mut news, mut lost) = (Vec::new(), false);
        for row in rows.into_iter().filter(|row| row.id != 0) {
            if row.id == self.own && self.config.is_server {
                self.insist(&row);
                continue;
            }
            match self.table.get_mut(row.id) {
                Some(old) if old.stamp >= row.stamp => continue,
                Some(old) => {
                    lost |= old.status.has_base() && row.status == Status::OUT_DOWN;
                    // Its file may be newer than ours; a changed node makes a row of its own with the next reload.
                    old.status = row.status;
                    old.stamp = row.stamp;
                }
                None if row.status == Status::OUT_DOWN && self.config.server(row.id).is_none() => continue,
                None => self.add(row.clone()),
            }
            self.refused.remove(&row.id);
            news.push(row);
        }
        if news.is_empty() {
            return;
        }
        self.spread(&news, from);
        if lost {
            self.after_loss();
        }
        if !greeting || news.iter().any(|row| row.status.is_pending()) || self.config.is_server {
            self.wake(Wake::Advance, Duration::from_millis(10));
        }
    }

    /// Repeats the own word where another server takes this one for down, or has a later word about it than its own.
    fn insist(&mut self, row: &Row) {
        let stamp = self.stamp().max(row.stamp + 1);
        let Some(own) = self.table.get_mut(self.own) else { return };
        if row.stamp <= own.stamp && row.status.is_up() {
            return;
        }
        own.stamp = stamp;
        let own = own.clone();
        self.spread(&[own], None);
    }

    pub(super) fn closed(&mut self, number: u64) {
        let Some((peer, _)) = self.links.remove(&number) else { return };
        match peer {
            Peer::Server(id) => self.lost(id),
            Peer::Process(attach) if attach.is_k2hdkc => self.k2hdkc_left(),
            Peer::Stranger(Origin::Dialled(id)) => self.unreachable(id),
            Peer::Stranger(_) | Peer::Slave(_) | Peer::Process(_) => {}
        }
    }

    pub(super) fn unreachable(&mut self, id: u64) {
        self.dialling.remove(&id);
        self.lost(id);
    }

    /// A server without any connection left is down; with AUTOMERGE its neighbours take it out (docs/facts.md C23).
    fn lost(&mut self, id: u64) {
        let still = self.links.values().any(|(peer, _)| *peer == Peer::Server(id));
        let Some(status) = self.table.get(id).map(|row| row.status).filter(|status| !still && status.is_up())
        else {
            return;
        };
        if !self.config.is_server {
            return self.out_of_reach(id, status);
        }
        let was_operating = self.table.is_operating();
        self.set_status(id, status.down());
        if was_operating {
            self.abort_merge();
        }
        if self.config.merges_by_itself() && !self.merging.suspended && status.down().is_in() {
            let out = status.down().service_out().merge_completed();
            self.set_status(id, out);
            self.after_loss();
        }
    }

    /// To a slave a server is down that it has no connection to, also one that has turned it away.
    pub(super) fn out_of_reach(&mut self, id: u64, status: Status) {
        let known = self.table.get(id).map_or(0, |row| row.stamp);
        self.set_status(id, status.down());
        // What a server says of it counts, also what it said before the slave saw the connection break.
        if let Some(row) = self.table.get_mut(id) {
            row.stamp = known;
        }
        if !self.table.rows().iter().any(|row| row.status.is_up()) {
            self.all_down();
        }
    }

    /// A server was taken out because it went down: seen here, or told by whoever saw it first.
    fn after_loss(&mut self) {
        self.drop_unlisted();
        if self.config.is_server && self.config.merges_by_itself() {
            self.catch_up();
        }
    }

    /// To a slave that sees no server none of them is in service (lib/chmstructure.tcc `CheckAllServiceOutStatus`).
    fn all_down(&mut self) {
        let ids: Vec<u64> = self.table.rows().iter().map(|row| row.id).collect();
        for id in ids {
            self.set_status(id, Status::OUT_DOWN);
        }
        self.drop_unlisted();
    }
}
