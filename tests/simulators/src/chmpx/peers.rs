//! Other chmpx: who is let in, and who is connected to (docs/facts.md C22).

use std::net::IpAddr;
use std::time::Duration;

use super::event::{Event, Origin, Peer};
use super::link::Link;
use super::node::{Chmpx, Wake};
use super::own::matches;
use super::wire::{Note, Question};
use super::{dial, wire};
use crate::model::status::Status;
use crate::model::table::Row;

/// Between two looks of a slave that sees no server: 100 to 200 ms (lib/chmcntrl.cc:511-527).
const SLAVE_RESCAN: Duration = Duration::from_millis(200);
/// The same for a server. The real one takes about ten seconds; tests have no time for that.
const SERVER_RESCAN: Duration = Duration::from_secs(1);

impl Chmpx {
    pub(super) fn opened(&mut self, number: u64, link: Link, origin: Origin) {
        if let Origin::Dialled(_) = origin {
            let own = self.table.get(self.own).filter(|_| self.config.is_server).unwrap_or(&self.own_slave);
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
            (Note::Welcome { rows, suspended }, Peer::Stranger(Origin::Dialled(id))) => {
                self.welcomed(number, id, rows, suspended);
            }
            (Note::Refused, Peer::Stranger(Origin::Dialled(id))) => {
                self.log.err(format_args!("ConnectServer : could not allow from this server({id:#018x})."));
                self.links.remove(&number);
                self.dialling.remove(&id);
                self.refused.insert(id);
                let status = self.table.get(id).map(|row| row.status).filter(|status| status.is_up());
                if let Some(status) = status.filter(|_| !self.config.is_server) {
                    self.out_of_reach(id, status);
                }
            }
            (Note::Attach(attach), Peer::Stranger(Origin::Local)) => self.attached(number, attach),
            (Note::Rows(rows), Peer::Server(_)) => self.learn(rows, Some(number), false),
            (Note::Merge(step), Peer::Server(from)) => self.merge_step(from, step),
            (Note::SuspendMerge(suspended), Peer::Server(_)) => self.suspend_merge(suspended),
            _ => {}
        }
    }

    /// Servers must be listed, or known from the ring; slaves must be listed (docs/facts.md C22).
    fn lets_in(&self, row: &Row, is_server: bool, address: IpAddr) -> bool {
        if !self.config.is_server {
            return false;
        }
        if is_server {
            return self.config.server(row.id).is_some() || self.table.get(row.id).is_some();
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

    fn welcome(&mut self, number: u64, mut row: Row, is_server: bool) {
        if !is_server {
            if self.free_slots() == 0 {
                self.log.err("SetSlaveBase : No more free CHMPXLIST.");
                return self.part(number);
            }
            self.settle(number, Peer::Slave(Box::new(row)));
        } else if row.id != self.own {
            // With AUTOMERGE off a server comes back to its place on the ring (lib/chmstructure.tcc:5920-5942).
            let stays = self.table.get(row.id).filter(|old| old.status.is_in() && !old.status.is_up());
            if stays.is_some() && row.status.is_out() {
                let back = Status::IN_UP.client_left();
                row.status = if row.status.is_suspended() { back } else { back.client_joined() };
                row.stamp = self.stamp();
            }
            self.settle(number, Peer::Server(row.id));
            self.learn(vec![row], Some(number), true);
        }
        let rows = self.table.rows().to_vec();
        if let Some((_, link)) = self.links.get(&number) {
            link.tell(Note::Welcome { rows, suspended: self.merging.suspended });
        }
    }

    fn welcomed(&mut self, number: u64, id: u64, rows: Vec<Row>, suspended: bool) {
        self.dialling.remove(&id);
        self.refused.remove(&id);
        self.settle(number, Peer::Server(id));
        self.merging.suspended |= suspended;
        let own =
            rows.iter().find(|row| row.id == self.own && row.status.is_in() && row.status.is_up()).cloned();
        if let Some(back) = own.filter(|_| self.config.is_server && self.own_status().is_out()) {
            self.set_own(|_| back.status);
        }
        self.learn(rows, Some(number), true);
    }

    fn settle(&mut self, number: u64, peer: Peer) {
        if let Some((place, _)) = self.links.get_mut(&number) {
            *place = peer;
        }
    }

    /// Looks for other servers while none is seen.
    pub(super) fn rescan(&mut self) {
        if !self.is_alone() {
            return;
        }
        let ids: Vec<u64> = self.table.rows().iter().map(|row| row.id).collect();
        for id in ids {
            self.dial(id);
        }
    }

    /// Checks whether no other server is connected.
    pub(super) fn is_alone(&self) -> bool {
        !self.links.values().any(|(peer, _)| matches!(peer, Peer::Server(_)))
    }

    /// After every event: the timer of who is alone, and connections to servers that are up but not connected. One that has
    /// said no is tried again when it is heard of again, or by who sees nobody else (docs/facts.md C22).
    pub(super) fn keep_linked(&mut self) {
        if self.is_alone() && !self.wakes.contains(&Wake::Rescan) {
            let said = self.faults.rescan_time();
            let after = if self.config.is_server { said.unwrap_or(SERVER_RESCAN) } else { SLAVE_RESCAN };
            self.wake(Wake::Rescan, after);
        }
        let linked = self.linked();
        let missing = |row: &&Row| !linked.contains(&row.id) && !self.refused.contains(&row.id);
        let up = self.table.rows().iter().filter(|row| row.status.is_up()).filter(missing);
        let ids: Vec<u64> = up.map(|row| row.id).collect();
        for id in ids {
            self.dial(id);
        }
    }

    fn dial(&mut self, id: u64) {
        let is_own = id == self.own && self.config.is_server;
        let Some(row) = self.table.get(id).filter(|row| !is_own && row.port > 0) else { return };
        if !self.dialling.insert(id) {
            return;
        }
        let (to, from) = ((row.name.clone(), row.port), self.own_slave.name.clone());
        dial::to_server(to, from, id, self.events.clone());
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

    /// Sends an event from a task.
    pub(super) fn events(&self) -> tokio::sync::mpsc::UnboundedSender<Event> {
        self.events.clone()
    }
}
