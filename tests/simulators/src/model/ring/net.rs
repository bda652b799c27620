//! Connections, and what is sent on them. A host that vanished acknowledges nothing: what is sent to it waits.

use super::Ring;
use super::chmpx::Chmpx;
use super::host::Unsent;
use super::list::{Micros, Node, Nodes};
use super::message::Message;
use super::queue::Event;

/// chmpx has an idle connection probed after so long, and again in this time (docs/facts.md C35).
const PROBED: [Micros; 2] = [60_000_000, 10_000_000];
/// The kernel sends what is not acknowledged again after these times; each pause is twice as long as the one before.
const REPEATED: [Micros; 8] =
    [200_000, 600_000, 1_400_000, 3_000_000, 6_200_000, 12_600_000, 25_400_000, 51_000_000];
/// A connection that was cut is not made again at once.
const PAUSE: Micros = 200_000;

/// A connection of a chmpx as its kernel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// The node at the other end.
    pub peer: Node,
    /// Number of the connection among those between both.
    pub number: u32,
    /// Repetitions and probes without an answer.
    pub unanswered: u8,
    /// Time since the other host was heard.
    pub quiet: Micros,
}

impl Ring {
    /// The network of a host goes away: no FIN, no RST.
    pub fn vanish(&mut self, node: Node) {
        let now = self.now;
        self.hosts[node].vanished.get_or_insert(now);
    }

    /// The network of a host is there again. What waits is sent again, after the kernel's pause, which is as long as the outage.
    pub fn reappear(&mut self, node: Node) {
        let Some(since) = self.hosts[node].vanished.take() else { return };
        let most = (self.now - since).clamp(200_000, 60_000_000);
        for peer in 0..self.hosts.len() {
            for (from, to) in [(peer, node), (node, peer)] {
                let at = self.now + self.rng.u64(1_000..most);
                self.queue.plan(at, Event::Resend { from, to });
            }
        }
    }

    /// Checks whether packets go from one host to the other.
    pub fn reaches(&self, from: Node, to: Node) -> bool {
        from == to || self.hosts[from].vanished.is_none() && self.hosts[to].vanished.is_none()
    }

    /// Returns the connections of a chmpx.
    pub fn wires(&self, at: Node) -> impl Iterator<Item = Wire> + '_ {
        let linked = self.hosts[at].chmpx.as_ref().map_or(Nodes::default(), |chmpx| chmpx.linked);
        linked.iter().filter(move |peer| *peer != at).map(move |peer| {
            let quiet = self.now - self.heard[at][peer];
            let (number, unanswered) = (self.links[at][peer], self.unanswered(at, peer, quiet));
            Wire { peer, number, unanswered, quiet }
        })
    }

    fn unanswered(&self, at: Node, peer: Node, quiet: Micros) -> u8 {
        if self.reaches(at, peer) && self.hosts[at].unsent.iter().all(|unsent| unsent.to != peer) {
            return 0;
        }
        let sent = self.hosts[at].unsent.iter().filter(|unsent| unsent.to == peer).map(|unsent| unsent.since);
        let count = match sent.min() {
            Some(since) => REPEATED.iter().filter(|after| since + **after <= self.now).count() as u64,
            None => quiet.checked_sub(PROBED[0]).map_or(0, |late| 1 + late / PROBED[1]),
        };
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    /// Notes that both hosts have heard of each other.
    pub(super) fn hear(&mut self, from: Node, to: Node) {
        if self.reaches(from, to) {
            (self.heard[from][to], self.heard[to][from]) = (self.now, self.now);
        }
    }

    /// Returns which chmpx of a node runs, counted by its starts.
    pub fn life(&self, node: Node) -> Option<u32> {
        self.hosts[node].chmpx.as_ref().map(|_| self.hosts[node].life)
    }

    /// Destroys the connections of a host to another one (`SOCK_DESTROY`).
    pub fn cut(&mut self, at: Node, peer: Node) {
        self.hosts[at].unsent.retain(|unsent| unsent.to != peer);
        self.cut_until[at][peer] = self.now + PAUSE;
        if let Some(chmpx) = self.hosts[at].chmpx.as_mut().filter(|chmpx| chmpx.linked.has(peer)) {
            chmpx.linked = chmpx.linked.without(peer);
            self.plan_lost(at, peer);
        }
    }

    pub(super) fn plan_lost(&mut self, at: Node, peer: Node) {
        let (when, life) = (self.now + self.rng.u64(1_000..20_000), self.hosts[at].life);
        self.queue.plan(when, Event::Lost { at, life, peer });
    }

    /// The kernel of `to` resets a connection of which it has no side: its chmpx is another one by now, or none.
    pub(super) fn reset(&mut self, from: Node, to: Node) {
        if from != to && self.reaches(from, to) && self.is_linked(from, to) && !self.is_linked(to, from) {
            self.plan_lost(from, to);
        }
    }

    /// Every peer that can hear it sees that a chmpx is gone.
    pub(super) fn part_all(&mut self, node: Node, linked: Nodes) {
        for peer in linked.iter().filter(|peer| *peer != node) {
            if self.reaches(node, peer) {
                self.plan_lost(peer, node);
            }
        }
        self.hosts[node].unsent.clear();
    }

    /// Sends. Without a connection one is made, or the message is lost.
    pub(super) fn post(&mut self, from: Node, to: Node, message: Message) {
        let linked =
            |chmpx: &Option<Chmpx>| chmpx.as_ref().is_some_and(|chmpx| from == to || chmpx.linked.has(to));
        if !linked(&self.hosts[from].chmpx) && !self.connect(from, to) {
            if self.reaches(from, to) && self.hosts[to].chmpx.is_none() {
                self.plan_lost(from, to);
            }
            return;
        }
        if !self.reaches(from, to) {
            return self.hold(from, to, message);
        }
        if message.is_token() && self.chance(self.odds.loses) {
            return;
        }
        let at = self.arrival(from, to);
        self.queue.plan(at, Event::Arrive { from, to, life: self.hosts[to].life, message });
    }

    fn hold(&mut self, from: Node, to: Node, message: Message) {
        let since = self.now;
        if !self.hosts[from].unsent.iter().any(|unsent| unsent.to == to) {
            self.queue.plan(since + self.odds.gives_up, Event::GiveUp { at: from, peer: to, since });
        }
        self.hosts[from].unsent.push(Unsent { to, message, since });
    }

    /// Messages of one connection keep their order, as a rule.
    fn arrival(&mut self, from: Node, to: Node) -> Micros {
        let hop =
            if self.chance(self.odds.slow) { self.odds.slow_hop.clone() } else { self.odds.hop.clone() };
        let at = self.now + self.rng.u64(hop);
        if self.chance(self.odds.overtakes) {
            return at;
        }
        let last = &mut self.last_arrival[from][to];
        *last = at.max(*last + 1);
        *last
    }

    /// What waited since an outage goes on, or meets a peer that knows the connection no more.
    pub(super) fn resend(&mut self, from: Node, to: Node) {
        if !self.reaches(from, to) {
            return;
        }
        let linked = self.hosts[to].chmpx.as_ref().is_some_and(|chmpx| chmpx.linked.has(from));
        let all = std::mem::take(&mut self.hosts[from].unsent);
        let (sent, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|unsent| unsent.to == to);
        self.hosts[from].unsent = kept;
        if sent.is_empty() {
            return;
        }
        if !linked {
            return self.plan_lost(from, to);
        }
        for unsent in sent {
            self.post(from, to, unsent.message);
        }
        self.drain(from);
    }

    /// The kernel gives up.
    pub(super) fn give_up(&mut self, at: Node, peer: Node, since: Micros) {
        if self.hosts[at].unsent.iter().any(|unsent| unsent.to == peer && unsent.since == since) {
            self.cut(at, peer);
        }
    }

    /// Connects two chmpx, where the other one lets it in: it lists it, or knows it from the ring (docs/facts.md C22).
    pub(super) fn connect(&mut self, from: Node, to: Node) -> bool {
        let frozen = self.hosts[from].frozen || self.hosts[to].frozen;
        if from == to || frozen || !self.reaches(from, to) || self.now < self.cut_until[from][to] {
            return false;
        }
        let Some(other) = self.hosts[to].chmpx.as_ref() else { return false };
        let listed = other.ini.servers.has(from) || other.ini.slaves.has(from) || other.list.knows(from);
        let knows = self.hosts[from].chmpx.as_ref().is_some_and(|chmpx| chmpx.list.knows(to));
        if !listed || !knows || !other.is_server || !self.is_let_into_ring(from) {
            return false;
        }
        if other.linked.has(from) && !self.is_linked(from, to) {
            self.lose(to, from);
        }
        self.link(from, to);
        true
    }

    /// A server that is connected to none is let in where the next one that runs lists it, too (docs/facts.md C33).
    fn is_let_into_ring(&self, from: Node) -> bool {
        let alone =
            self.chmpx(from).is_some_and(|chmpx| !(0..self.servers).any(|node| chmpx.linked.has(node)));
        if from >= self.servers || !alone {
            return true;
        }
        let behind = (1..self.servers).map(|step| (from + step) % self.servers);
        let next = behind.filter(|node| self.reaches(from, *node)).find_map(|node| self.chmpx(node));
        next.is_none_or(|next| next.ini.servers.has(from) || next.list.knows(from))
    }

    fn is_linked(&self, from: Node, to: Node) -> bool {
        self.hosts[from].chmpx.as_ref().is_some_and(|chmpx| chmpx.linked.has(to))
    }

    fn link(&mut self, from: Node, to: Node) {
        let Some(other) = self.hosts[to].chmpx.as_mut() else { return };
        other.linked = other.linked.with(from);
        let list = other.list;
        self.hear(from, to);
        let number = self.links[from][to] + 1;
        (self.links[from][to], self.links[to][from]) = (number, number);
        self.turn(from, |chmpx, turn| chmpx.welcomed(to, &list, turn));
        if let Some(list) = self.list(from).copied().filter(|_| from < self.servers) {
            self.turn(to, |chmpx, turn| chmpx.met(from, &list, turn));
        }
    }
}
