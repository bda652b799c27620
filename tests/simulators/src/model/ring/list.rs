//! The list of servers that each chmpx keeps: what it believes of the ring.
//!
//! Lists of two chmpx differ: a word of a status goes round as a token, and of two words about one server the one of the later
//! *second* counts. Within one second the word that comes last wins, even where it is the older one
//! (lib/chmstructure.tcc:428-436, 1908).

use serde::{Deserialize, Serialize};

use crate::model::status::Status;

/// A server or a slave; servers are numbered in the order of the ring, slaves follow.
pub type Node = usize;

/// Microseconds of virtual time.
pub type Micros = u64;

/// The greatest number of nodes.
pub const MOST: usize = 24;

const SECOND: Micros = 1_000_000;

/// A set of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nodes(u32);

impl Nodes {
    /// Makes the set of these nodes.
    pub fn of(nodes: impl IntoIterator<Item = Node>) -> Self {
        nodes.into_iter().fold(Self::default(), Self::with)
    }

    /// Returns the set with one more node.
    #[must_use]
    pub fn with(self, node: Node) -> Self {
        Self(self.0 | 1 << node)
    }

    /// Returns the set without a node.
    #[must_use]
    pub fn without(self, node: Node) -> Self {
        Self(self.0 & !(1 << node))
    }

    /// Returns the nodes of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Checks whether a node is in it.
    pub fn has(self, node: Node) -> bool {
        self.0 & 1 << node != 0
    }

    /// Checks whether all nodes of another set are in it.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Checks whether no node is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Counts its nodes.
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Lists its nodes, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = Node> {
        (0..MOST).filter(move |node| self.has(*node))
    }
}

/// A status, and the time at which it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The status.
    pub status: Status,
    /// The time.
    pub at: Micros,
}

/// The servers as one chmpx knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List([Word; MOST]);

impl Default for List {
    fn default() -> Self {
        Self([Word { status: Status::GHOST, at: 0 }; MOST])
    }
}

impl List {
    /// Returns the word about a server.
    pub fn word(&self, node: Node) -> Word {
        self.0[node]
    }

    /// Returns the status of a server; [`Status::GHOST`] for one that is not listed.
    pub fn status(&self, node: Node) -> Status {
        self.0[node].status
    }

    /// Checks whether a server is listed.
    pub fn knows(&self, node: Node) -> bool {
        self.status(node) != Status::GHOST
    }

    /// Sets a status.
    pub fn set(&mut self, node: Node, status: Status, at: Micros) {
        self.0[node] = Word { status, at };
    }

    /// Removes a server.
    pub fn remove(&mut self, node: Node) {
        self.set(node, Status::GHOST, 0);
    }

    /// Takes a word that arrived, unless the known one is of a later second; a server that is down and out is not added.
    pub fn learn(&mut self, node: Node, word: Word) -> bool {
        let known = self.0[node];
        let is_new = known.status == Status::GHOST;
        if is_new && word.status == Status::OUT_DOWN || known.at / SECOND > word.at / SECOND {
            return false;
        }
        self.0[node] = word;
        known.status != word.status
    }

    /// Lists the servers and their statuses.
    pub fn iter(&self) -> impl Iterator<Item = (Node, Status)> + '_ {
        self.0.iter().map(|word| word.status).enumerate().filter(|(_, status)| *status != Status::GHOST)
    }

    /// Compares the statuses of two lists, as it is done before each merge. One that is down and out may be missing
    /// (lib/chmimdata.cc, `CompareChmpxSvrs`).
    pub fn agrees(&self, other: &Self) -> bool {
        let counts = |status: Status| if status == Status::OUT_DOWN { Status::GHOST } else { status };
        (0..MOST).all(|node| counts(self.status(node)) == counts(other.status(node)))
    }

    /// Checks whether any server is `[Doing]` or `[Done]`.
    pub fn is_operating(&self) -> bool {
        self.iter().any(|(_, status)| status.is_operating())
    }

    /// Returns the slots in force.
    pub fn base(&self) -> Slots {
        Slots::of(self, Status::has_base)
    }

    /// Returns the slots after the merge.
    pub fn pending(&self) -> Slots {
        Slots::of(self, Status::has_pending)
    }

    /// Returns the server to which `own` passes tokens on: the next one that is up.
    pub fn next(&self, own: Node) -> Option<Node> {
        behind(own).find(|node| self.status(*node).is_up())
    }

    /// Checks whether a token that started at `start` is passed on to `next`: not where its start is down and met first
    /// (lib/chmeventsock.cc, `IsSafeDeptAndNextChmpxId`).
    pub fn passes(&self, own: Node, start: Node, next: Node) -> bool {
        behind(own)
            .find(|node| *node == next || *node == start && self.knows(start))
            .is_none_or(|node| node == next)
    }
}

/// The nodes behind one, once round.
fn behind(own: Node) -> impl Iterator<Item = Node> {
    (1..MOST).map(move |step| (own + step) % MOST)
}

/// The servers by slot.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    servers: [u8; MOST],
    count: usize,
}

impl Slots {
    fn of(list: &List, has: impl Fn(Status) -> bool) -> Self {
        let mut slots = Self { servers: [0; MOST], count: 0 };
        for (node, status) in list.iter() {
            if has(status) {
                slots.servers[slots.count] = u8::try_from(node).unwrap_or(u8::MAX);
                slots.count += 1;
            }
        }
        slots
    }

    /// Counts the slots.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Lists the servers by slot.
    pub fn iter(&self) -> impl Iterator<Item = Node> + '_ {
        self.servers[..self.count].iter().map(|server| usize::from(*server))
    }

    /// Returns the slot of a server.
    pub fn slot(&self, node: Node) -> Option<u64> {
        let found = self.iter().position(|server| server == node);
        found.map(|slot| slot as u64)
    }

    /// Lists the holders of a hash, the first one first.
    pub fn holders(&self, hash: u64, replicas: usize) -> impl Iterator<Item = Node> + '_ {
        let count = self.count.max(1);
        let first = usize::try_from(hash % count as u64).unwrap_or_default();
        let most = (replicas + 1).min(self.count);
        (0..most).map(move |copy| usize::from(self.servers[(first + copy) % count]))
    }
}

/// Makes a list of these statuses for tests.
#[cfg(test)]
pub(super) fn list(statuses: &[u64]) -> List {
    let mut list = List::default();
    for (node, status) in statuses.iter().enumerate() {
        list.set(node, Status::from_bits(*status), 0);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_words_the_one_of_the_later_second_counts_and_within_one_the_last_that_comes() {
        let mut own = list(&[0x21]);
        let word = |status, at| Word { status: Status::from_bits(status), at };
        assert!(own.learn(0, word(0x1021, 1_900_000)));
        assert!(own.learn(0, word(0x1221, 1_100_000)), "an older word of the same second");
        assert!(!own.learn(0, word(0x21, 900_000)));
        assert_eq!(own.status(0).bits(), 0x1221);
        assert!(!own.learn(1, word(0x10, 2_000_000)), "who is down and out is not added");
    }

    #[test]
    fn a_joining_server_has_a_slot_of_the_pending_hash_only_and_a_leaving_one_of_the_base_hash_only() {
        let list = list(&[0x1021, 0x1121, 0x1221, 0x20, 0x11]);
        let of = |slots: Slots| (0..5).map(|node| slots.slot(node)).collect::<Vec<_>>();
        assert_eq!(of(list.base()), [Some(0), None, Some(1), Some(2), None]);
        assert_eq!(of(list.pending()), [Some(0), Some(1), None, Some(2), None]);
    }

    #[test]
    fn tokens_go_to_the_next_one_up_and_end_before_a_start_that_is_down() {
        let list = list(&[0x21, 0x20, 0x21, 0x10]);
        assert_eq!((list.next(0), list.next(2)), (Some(2), Some(0)));
        assert!(list.passes(0, 0, 2));
        assert!(!list.passes(0, 1, 2), "the start is down, between this server and the next");
        assert!(list.passes(2, 1, 0));
    }
}
