//! The programs on the slaves: their requests, and what becomes of them.

use super::Ring;
use super::list::{List, Micros, Node, Nodes};
use super::message::{Answer, Deed, Message, Request, Ticket};
use super::queue::Event;
use super::store::Key;
use crate::model::status::Status;

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Number.
    pub ticket: Ticket,
    /// The answer.
    pub answer: Answer,
    /// The time.
    pub at: Micros,
}

/// Returns the holders of a hash that take requests (lib/chmimdata.cc:2034-2124): those of its slots in force, and those after
/// the merge as well while any server is `[Doing]` or `[Done]`.
pub fn asked(list: &List, hash: u64, replicas: usize) -> Nodes {
    all_holders(list, hash, replicas).filter(|node| list.status(*node).is_asked()).collect()
}

/// Returns the one that a slave asks.
pub fn first_asked(list: &List, hash: u64, replicas: usize) -> Option<Node> {
    all_holders(list, hash, replicas).find(|node| list.status(*node).is_asked())
}

fn all_holders(list: &List, hash: u64, replicas: usize) -> impl Iterator<Item = Node> {
    let base: Vec<Node> = list.base().holders(hash, replicas).collect();
    let pending: Vec<Node> =
        if list.is_operating() { list.pending().holders(hash, replicas).collect() } else { Vec::new() };
    base.into_iter().chain(pending)
}

impl Ring {
    /// A program on a slave asks. Its outcome comes later, see [`Self::outcomes`].
    pub fn ask(&mut self, slave: Node, key: Key, deed: Deed) -> Ticket {
        let ticket = self.open.len();
        self.open.push(true);
        let request = Request { ticket, slave, key, deed };
        let (at, end) =
            (self.now + self.rng.u64(50..200), self.now + self.rng.u64(self.odds.patience.clone()));
        let life = self.hosts[slave].life;
        self.queue
            .plan(at, Event::Arrive { from: slave, to: slave, life, message: Message::Request(request) });
        self.queue.plan(end, Event::Expire(ticket));
        ticket
    }

    /// Takes the requests that have ended.
    pub fn outcomes(&mut self) -> impl Iterator<Item = Outcome> + '_ {
        self.outcomes.drain(..)
    }

    pub(super) fn end(&mut self, ticket: Ticket, answer: Answer) {
        if std::mem::take(&mut self.open[ticket]) {
            self.outcomes.push(Outcome { ticket, answer, at: self.now });
        }
    }

    /// Sends a request to the first server that serves its key; without one it is dropped, and its program waits in vain.
    pub(super) fn route(&mut self, slave: Node, request: Request) {
        let hash = self.hashes.of_key(request.key);
        let Some(chmpx) = &self.hosts[slave].chmpx else { return };
        if let Some(server) = first_asked(&chmpx.list, hash, chmpx.ini.replicas) {
            self.post(slave, server, Message::Request(request));
        }
    }

    /// Returns the server whose answer a program would get now, by the list of that slave.
    pub fn server_of(&self, slave: Node, key: Key) -> Option<Node> {
        let chmpx = self.hosts[slave].chmpx.as_ref()?;
        first_asked(&chmpx.list, self.hashes.of_key(key), chmpx.ini.replicas)
    }

    /// Counts the keys that a program on a slave can read now.
    pub fn readable(&self, slave: Node) -> usize {
        let held = |key: &Key| {
            self.server_of(slave, *key).is_some_and(|server| self.hosts[server].store.get(key).is_some())
        };
        (0..self.hashes.count()).filter(held).count()
    }

    /// Checks whether all servers are calm and in service, in the list of that node.
    pub fn is_calm(&self, node: Node) -> bool {
        let list = self.list(node);
        list.is_some_and(|list| list.iter().all(|(_, status)| status == Status::IN_UP))
    }
}
