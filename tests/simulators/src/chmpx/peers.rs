//! Other chmpx: who is let in, and who is connected to (docs/facts.md C22, C30, C33).

use std::net::IpAddr;
use std::time::Duration;

use super::event::{Event, Origin, Peer};
use super::link::Link;
use super::node::{Chmpx, now};
use super::own::matches;
use super::row::{self, Row};
use super::wire::{Note, Question};
use super::{dial, wire};
use crate::model::ring::{Node, Turn};

/// Between two looks of a slave that sees no server: 100 to 200 ms (lib/chmcntrl.cc:511-527).
const SLAVE_RESCAN: Duration = Duration::from_millis(200);
/// The same for a server. The real one takes about ten seconds; tests have no time for that.
const SERVER_RESCAN: Duration = Duration::from_secs(1);

impl Chmpx {
    pub(super) fn opened(&mut self, number: u64, link: Link, origin: Origin) {
        if let Origin::Dialled(_) = origin {
            let own =
                self.rows.get(self.ring.own).filter(|_| self.config.is_server).unwrap_or(&self.own_slave);
            link.tell(Note::Hello {
                group: self.config.group().to_owned(),
                row: Box::new(own.clone()),
                is_server: self.config.is_server,
            });
        }
        self.links.insert(number, (Peer::Stranger(origin), link));
    }

    pub(super) fn note(&mut self, number: u64, note: Note) {
        let Some((peer, _)) = self.links.get(&number) else { return };
        match (note, peer.clone()) {
            (Note::Hello { group, row, is_server }, Peer::Stranger(Origin::Port(address))) => {
                if group == self.config.group() && self.lets_in(&row, is_server, address) {
                    self.welcome(number, *row, is_server);
                } else {
                    self.refuse(number, &row);
                }
            }
            (Note::Welcome(rows), Peer::Stranger(Origin::Dialled(id))) => self.welcomed(number, id, &rows),
            (Note::Refused, Peer::Stranger(Origin::Dialled(id))) => self.refused(number, id),
            (Note::Attach(attach), Peer::Stranger(Origin::Local)) => self.attached(number, attach),
            (Note::Met(rows), Peer::Server(id)) => self.met(id, &rows),
            (Note::Ring { rows, message }, Peer::Server(_)) => self.received(&rows, message),
            (Note::Items(records), Peer::Server(_)) => self.keep(records, true),
            (Note::Replica(record), Peer::Server(_)) => self.keep(vec![record], false),
            _ => {}
        }
    }

    /// Servers must be listed, or known from the ring; slaves must be listed (docs/facts.md C22).
    fn lets_in(&self, row: &Row, is_server: bool, address: IpAddr) -> bool {
        if !self.config.is_server {
            return false;
        }
        if is_server {
            return row.id != self.own && self.place(row.id).is_some();
        }
        let named = |pattern: &str| matches(pattern, &row.name) || matches(pattern, &address.to_string());
        self.config.ring.slaves.iter().any(|node| {
            named(&node.name) && matches(&node.cuk, &row.cuk) && i32::from(node.ctlport.get()) == row.ctlport
        })
    }

    fn refuse(&mut self, number: u64, row: &Row) {
        self.log.err(format_args!("AcceptPort : {} is not allowed.", row.name));
        self.part(number);
    }

    /// Says no, and closes when that is out.
    fn part(&mut self, number: u64) {
        if let Some((_, link)) = self.links.remove(&number) {
            link.tell(Note::Refused);
        }
    }

    fn welcome(&mut self, number: u64, row: Row, is_server: bool) {
        if is_server {
            self.settle(number, row.id);
        } else if self.free_slots() == 0 {
            self.log.err("SetSlaveBase : No more free CHMPXLIST.");
            return self.part(number);
        } else if let Some((peer, _)) = self.links.get_mut(&number) {
            *peer = Peer::Slave(Box::new(row));
        }
        if let Some((_, link)) = self.links.get(&number) {
            link.tell(Note::Welcome(self.rows()));
        }
    }

    /// A connection is one to that server from now on.
    fn settle(&mut self, number: u64, id: u64) {
        if let Some((peer, _)) = self.links.get_mut(&number) {
            *peer = Peer::Server(id);
        }
        if let Some(place) = self.place(id) {
            self.ring.linked = self.ring.linked.with(place);
        }
    }

    fn welcomed(&mut self, number: u64, id: u64, rows: &[Row]) {
        let was_alone = self.is_alone();
        let nodes = self.import(rows);
        let (list, Some(by)) = (row::list(rows, &nodes), self.place(id)) else { return };
        let mut out = Vec::new();
        self.ring.welcomed(by, &list, &mut Turn { now: now(), out: &mut out });
        self.settle(number, id);
        if let Some((_, link)) = self.links.get(&number).filter(|_| self.config.is_server) {
            link.tell(Note::Met(self.rows()));
        }
        self.connected(id);
        self.follow(out);
        if was_alone {
            (0..self.rows.len()).for_each(|place| self.dial(place));
        }
    }

    fn met(&mut self, id: u64, rows: &[Row]) {
        let nodes = self.import(rows);
        let (list, Some(other)) = (row::list(rows, &nodes), self.place(id)) else { return };
        self.act(|chmpx, turn| chmpx.met(other, &list, turn));
        self.connected(id);
    }

    /// Sends what has waited for a connection.
    fn connected(&mut self, id: u64) {
        self.calls.open.remove(&id);
        for note in self.calls.unsent.remove(&id).unwrap_or_default() {
            self.post(id, note);
        }
    }

    /// To a slave a server that has turned it away is down. It tries again when it hears of that server.
    fn refused(&mut self, number: u64, id: u64) {
        self.log.err(format_args!("ConnectServer : could not allow from this server({id:#018x})."));
        self.links.remove(&number);
        self.calls.open.remove(&id);
        self.calls.unsent.remove(&id);
        if !self.config.is_server {
            self.lost(id);
        }
    }

    pub(super) fn unreachable(&mut self, id: u64) {
        self.calls.open.remove(&id);
        self.calls.unsent.remove(&id);
        self.lost(id);
        if let Some(place) = self.place(id).filter(|_| self.config.is_server && self.is_alone()) {
            self.seek(place);
        }
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

    /// The last connection to a server is gone.
    fn lost(&mut self, id: u64) {
        if self.link_to(id).is_some() {
            return;
        }
        if let Some(place) = self.place(id) {
            self.act(|chmpx, turn| chmpx.lost(place, turn));
        }
    }

    /// Looks for other servers while none is seen: a slave for all, a server for the next one of the ring that runs. Where
    /// that one turns it away it asks nobody else.
    pub(super) fn rescan(&mut self) {
        if !self.is_alone() {
            return;
        }
        if self.config.is_server {
            return self.seek(self.ring.own);
        }
        (0..self.rows.len()).for_each(|place| self.dial(place));
    }

    /// Calls the server behind that one, once round the ring.
    fn seek(&mut self, place: Node) {
        let next = (place + 1) % self.rows.len().max(1);
        if next != self.ring.own {
            self.dial(next);
        }
    }

    /// Checks whether no other server is connected.
    pub(super) fn is_alone(&self) -> bool {
        !self.links.values().any(|(peer, _)| matches!(peer, Peer::Server(_)))
    }

    /// Plans the next look of who is alone.
    pub(super) fn keep_looking(&mut self) {
        if self.is_alone() && !self.calls.rescans {
            self.calls.rescans = true;
            let said = self.faults.rescan_time();
            let after = if self.config.is_server { said.unwrap_or(SERVER_RESCAN) } else { SLAVE_RESCAN };
            self.later(after, Event::Rescan);
        }
    }

    /// Calls a server, unless there is a connection or a call already.
    pub(super) fn dial(&mut self, place: Node) {
        let is_own = place == self.ring.own && self.config.is_server;
        let Some(row) = self.rows.get(place).filter(|row| !is_own && row.port > 0).cloned() else { return };
        if self.link_to(row.id).is_some() || !self.calls.open.insert(row.id) {
            return;
        }
        dial::to_server((row.name, row.port), self.own_slave.name.clone(), row.id, self.events());
    }

    /// Servers with a connection.
    pub(super) fn linked(&self) -> Vec<u64> {
        let ids = self.links.values().filter_map(|(peer, _)| match peer {
            Peer::Server(id) => Some(*id),
            Peer::Stranger(_) | Peer::Slave(_) | Peer::Process(_) => None,
        });
        let mut ids: Vec<u64> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The connection to a server.
    pub(super) fn link_to(&mut self, id: u64) -> Option<&mut Link> {
        let found = self.links.values_mut().find(|(peer, _)| *peer == Peer::Server(id));
        found.map(|(_, link)| link)
    }

    /// Asks another server; the receiver fails when it goes away.
    pub(super) fn ask_server(
        &mut self,
        id: u64,
        question: Question,
    ) -> Option<tokio::sync::oneshot::Receiver<wire::Reply>> {
        Some(self.link_to(id)?.ask(question))
    }
}
