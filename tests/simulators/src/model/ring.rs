//! A ring of chmpx and k2hdkc in virtual time: servers and slaves, each chmpx with a list of its own, and the connections
//! between them. No kinder than the real programs; what is known of those is cited by file and line, or by number from
//! docs/facts.md.
//!
//! ```text
//! list     what a chmpx believes       chmpx    one of them as a value         net       connections, outages
//! range    the keys of a merge         tokens   messages that go round         programs  starts, ends, signals
//! store    the keys of a k2hdkc        merge    one server's part of a merge   works     the work of k2hdkc
//! message  what is sent                orders   the control port               clients   programs on slaves
//! odds     latencies and chances       views    connections that come and go   queue     events to come
//! numbers  nodes under other numbers
//! ```

mod chmpx;
mod clients;
mod host;
mod list;
mod merge;
mod message;
mod net;
mod numbers;
mod odds;
mod orders;
mod programs;
mod queue;
mod range;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod views;
mod works;

pub use chmpx::{Chmpx, Effect, Ini, Turn};
pub use clients::{Outcome, asked, first_asked};
pub use host::K2hdkc;
pub use list::{List, MOST, Micros, Node, Nodes, Slots, Word};
pub use message::{Answer, Deed, Message, Ticket, Token, Work};
pub use net::Wire;
pub use odds::Odds;
pub use orders::{Command, Reply};
pub use range::Range;
pub use store::{Item, Key, Store};

use host::Host;
use queue::{Event, Queue};
use store::Hashes;

/// A ring.
#[derive(Debug)]
pub struct Ring {
    hosts: Vec<Host>,
    servers: usize,
    now: Micros,
    queue: Queue,
    odds: Odds,
    rng: fastrand::Rng,
    hashes: Hashes,
    last_arrival: [[Micros; MOST]; MOST],
    cut_until: [[Micros; MOST]; MOST],
    /// Time at which each host last heard of each other one, an acknowledgement included.
    heard: [[Micros; MOST]; MOST],
    /// Connections that were made between each two chmpx.
    links: [[u32; MOST]; MOST],
    open: Vec<bool>,
    outcomes: Vec<Outcome>,
    spare: Vec<Effect>,
    steps: u64,
}

impl Ring {
    /// Makes a ring of hosts on which nothing runs yet.
    pub fn new(servers: usize, slaves: usize, keys: usize, odds: Odds, rng: fastrand::Rng) -> Self {
        let hashes = Hashes::of(keys);
        Self {
            hosts: (0..servers + slaves).map(|_| Host::new()).collect(),
            servers,
            now: 0,
            queue: Queue::default(),
            odds,
            rng,
            hashes,
            last_arrival: [[0; MOST]; MOST],
            cut_until: [[0; MOST]; MOST],
            heard: [[0; MOST]; MOST],
            links: [[0; MOST]; MOST],
            open: Vec::new(),
            outcomes: Vec::new(),
            spare: Vec::new(),
            steps: 0,
        }
    }

    /// Returns the time.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Counts the events so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns the odds, to change them.
    pub fn odds(&mut self) -> &mut Odds {
        &mut self.odds
    }

    /// Checks whether a node is a server.
    pub fn is_server(&self, node: Node) -> bool {
        node < self.servers
    }

    /// Returns the chmpx of a node.
    pub fn chmpx(&self, node: Node) -> Option<&Chmpx> {
        self.hosts[node].chmpx.as_ref()
    }

    /// Returns the list of a node's chmpx.
    pub fn list(&self, node: Node) -> Option<&List> {
        self.chmpx(node).map(|chmpx| &chmpx.list)
    }

    /// Checks whether a node's chmpx is stopped by a signal.
    pub fn is_frozen(&self, node: Node) -> bool {
        self.hosts[node].frozen
    }

    /// Returns the k2hdkc of a node.
    pub fn k2hdkc(&self, node: Node) -> Option<K2hdkc> {
        self.hosts[node].k2hdkc
    }

    /// Checks whether no request waits for a node's k2hdkc.
    pub fn is_idle(&self, node: Node) -> bool {
        self.hosts[node].works.is_empty()
    }

    /// Returns a number that changes with each work of a node's k2hdkc, as its processor time does.
    pub fn progress(&self, node: Node) -> u64 {
        self.hosts[node].done
    }

    /// Returns the ini on the disk of a node.
    pub fn ini(&self, node: Node) -> Ini {
        self.hosts[node].ini
    }

    /// Returns the item that a node has of a key.
    pub fn item(&self, node: Node, key: Key) -> Option<Item> {
        self.hosts[node].store.get(&key).copied()
    }

    /// Counts the keys of a node.
    pub fn held(&self, node: Node) -> usize {
        self.hosts[node].store.count()
    }

    /// Gives a command to the control port of a node. No answer says nothing about what has been done.
    pub fn order(&mut self, from: Node, node: Node, command: Command) -> Option<Reply> {
        if self.hosts[node].frozen || self.hosts[node].chmpx.is_none() || !self.reaches(from, node) {
            return None;
        }
        let silent = self.chance(self.odds.silent);
        if silent && self.rng.bool() {
            return None;
        }
        let mut reply = None;
        self.turn(node, |chmpx, turn| reply = Some(chmpx.order(command, turn)));
        reply.filter(|_| !silent)
    }

    /// Asks the control port of a node for its list.
    pub fn look(&mut self, from: Node, node: Node) -> Option<List> {
        let silent = self.chance(self.odds.silent) || self.hosts[node].frozen || !self.reaches(from, node);
        self.list(node).copied().filter(|_| !silent)
    }

    /// Runs until that time.
    pub fn run_until(&mut self, until: Micros) {
        while let Some((at, event)) = self.queue.due(until) {
            self.now = at;
            self.steps += 1;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Post { from, to, message } => self.post(from, to, message),
            Event::Arrive { from, to, life, message } => self.arrive(from, to, life, message),
            Event::Resend { from, to } => self.resend(from, to),
            Event::GiveUp { at, peer, since } => self.give_up(at, peer, since),
            Event::Lost { at, life, peer } if self.hosts[at].life == life => self.lose(at, peer),
            Event::Reach { at, life, peer } => self.reach(at, life, peer),
            Event::Rescan { at, life } => self.rescan(at, life),
            Event::Tick { at, life, number } if self.hosts[at].life == life => {
                self.turn(at, |chmpx, turn| chmpx.tick(number, turn));
            }
            Event::Lost { .. } | Event::Tick { .. } => {}
            Event::Join { at, life } => self.join(at, life),
            Event::Gone { at, life } => self.gone(at, life),
            Event::Work { at, life } => self.work(at, life),
            Event::Give { .. } => self.give(event),
            Event::Expire(ticket) => self.end(ticket, Answer::Failed),
        }
    }

    fn arrive(&mut self, from: Node, to: Node, life: u32, message: Message) {
        let now = self.now;
        self.hear(from, to);
        let host = &mut self.hosts[to];
        // A host without its side of the connection resets it.
        if host.alive(life).is_none_or(|chmpx| from != to && !chmpx.linked.has(from)) {
            return self.reset(from, to);
        }
        if host.frozen || !message.is_token() && host.hangs(now) {
            return host.inbox.push_back((from, message));
        }
        self.take(to, message);
    }

    fn take(&mut self, to: Node, message: Message) {
        match message {
            Message::Answer(ticket, answer) => self.end(ticket, answer),
            Message::Request(request) if to >= self.servers => self.route(to, request),
            message => self.turn(to, |chmpx, turn| chmpx.receive(message, turn)),
        }
    }

    /// Takes what has waited while a chmpx was stopped, or hung. Words of the ring come first: of some 500 requests that waited for
    /// a stopped chmpx of a slave none was sent by its old list.
    fn drain(&mut self, node: Node) {
        let now = self.now;
        let (tokens, rest): (Vec<_>, Vec<_>) =
            self.hosts[node].inbox.drain(..).partition(|(_, message)| message.is_token());
        self.hosts[node].inbox.extend(tokens.into_iter().chain(rest));
        while !self.hosts[node].frozen && !self.hosts[node].hangs(now) {
            let Some((_, message)) = self.hosts[node].inbox.pop_front() else { return };
            self.take(node, message);
        }
    }

    /// A connection broke.
    fn lose(&mut self, at: Node, peer: Node) {
        self.hosts[at].unsent.retain(|unsent| unsent.to != peer);
        self.turn(at, |chmpx, turn| chmpx.lost(peer, turn));
        self.drain(at);
    }

    fn reach(&mut self, at: Node, life: u32, peer: Node) {
        if self.hosts[at].alive(life).is_some_and(|chmpx| !chmpx.linked.has(peer)) {
            self.connect(at, peer);
        }
    }

    /// Lets a chmpx do something, and carries out what follows from it.
    fn turn(&mut self, node: Node, deed: impl FnOnce(&mut Chmpx, &mut Turn<'_>)) {
        let mut out = std::mem::take(&mut self.spare);
        if let Some(chmpx) = self.hosts[node].chmpx.as_mut() {
            deed(chmpx, &mut Turn { now: self.now, out: &mut out });
        }
        let mut next = Vec::new();
        std::mem::swap(&mut self.spare, &mut next);
        for effect in out.drain(..) {
            self.follow(node, effect);
        }
        self.spare = out;
    }

    fn follow(&mut self, node: Node, effect: Effect) {
        let (now, life) = (self.now, self.hosts[node].life);
        match effect {
            Effect::Send(to, message) => self.post(node, to, message),
            Effect::Later(after, to, message) => {
                self.queue.plan(now + after, Event::Post { from: node, to, message });
            }
            Effect::Slaves(server, word) => self.tell_slaves(node, server, word),
            Effect::Work(work) => self.hand(node, work),
            Effect::Reach(peer) => {
                let at = now + self.rng.u64(self.odds.hop.clone());
                self.queue.plan(at, Event::Reach { at: node, life, peer });
            }
            Effect::Tick(number) => self.queue.plan(now + 100_000, Event::Tick { at: node, life, number }),
        }
    }

    fn tell_slaves(&mut self, node: Node, server: Node, word: Word) {
        let Some(chmpx) = &self.hosts[node].chmpx else { return };
        let (linked, token) = (chmpx.linked, message::Token { start: node, failed: false });
        for slave in (self.servers..self.hosts.len()).filter(|slave| linked.has(*slave)) {
            self.post(node, slave, Message::Change(token, server, word));
        }
    }

    fn chance(&mut self, odds: f64) -> bool {
        odds > 0.0 && self.rng.f64() < odds
    }
}
