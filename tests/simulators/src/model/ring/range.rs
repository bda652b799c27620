//! The range of keys that a server asks for in a merge, with the sums of the real programs: they wrap, and they overflow.
//!
//! chmpx lib/chmeventsock.cc:1583-1628 makes the range, k2hash lib/k2hshmdirect.cc:117-183 takes it. docs/facts.md D12, D15.

use serde::{Deserialize, Serialize};

use super::list::{List, Micros, Node};

/// The slots of a circle that a server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Circle {
    first: u64,
    slots: u64,
}

impl Circle {
    /// The slots from `copies` behind `slot` up to it. From more copies than slots on the sums leave the circle.
    fn behind(slot: u64, slots: u64, copies: u64) -> Self {
        let round = if copies <= slot + 1 { 0 } else { slots };
        Self { first: (slot + round + 1).wrapping_sub(copies), slots }
    }

    fn has(self, hash: u64, count: u64) -> bool {
        let last = self.first.wrapping_add(count.saturating_sub(1)) % self.slots;
        let at = hash % self.slots;
        if self.first <= last { (self.first..=last).contains(&at) } else { at <= last || self.first <= at }
    }
}

/// A question of a merge: which keys, and how old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    wanted: Circle,
    held: Option<Circle>,
    count: u64,
    since: Micros,
}

impl Range {
    /// Makes the question of a server whose k2hdkc was last written to at `since`.
    pub fn of(list: &List, own: Node, replicas: usize, since: Micros) -> Option<Self> {
        let (pending, base) = (list.pending(), list.base());
        let (now, then) = (pending.count() as u64, base.count() as u64);
        let copies = replicas as u64 + 1;
        let wanted = Circle::behind(pending.slot(own)?, now, copies);
        let count = copies.min(now + 1);
        let held = base.slot(own).map(|slot| Circle::behind(slot, then, count));
        Some(Self { wanted, held, count: if held.is_some() { count.min(then + 1) } else { count }, since })
    }

    /// Checks whether a key is sent: in the range, and where the asker held it before, no older than its last direct write.
    /// Whatever was set after `until` is not sent at all.
    pub fn takes(&self, hash: u64, set: Micros, until: Micros) -> bool {
        let held = self.held.is_some_and(|held| held.has(hash, self.count));
        self.wanted.has(hash, self.count) && (!held || set >= self.since) && set <= until
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::list;
    use super::*;

    fn slots(range: Range, slots: u64, set: Micros) -> Vec<u64> {
        (0..slots).filter(|hash| range.takes(*hash, set, u64::MAX)).collect()
    }

    #[test]
    fn a_joining_server_asks_for_its_slot_and_the_replicas_before_it_however_old() {
        let ring = list(&[0x21, 0x21, 0x21, 0x1121]);
        assert_eq!(slots(Range::of(&ring, 3, 1, 100).unwrap(), 4, 0), [2, 3]);
        assert_eq!(slots(Range::of(&ring, 3, 0, 100).unwrap(), 4, 0), [3]);
    }

    #[test]
    fn what_it_held_before_a_server_is_sent_only_where_it_is_newer_than_its_last_write() {
        let ring = list(&[0x1021, 0x1021, 0x1021, 0x1121]);
        let of = |set| slots(Range::of(&ring, 1, 0, 100).unwrap(), 12, set);
        assert_eq!(of(100), [1, 5, 9]);
        assert_eq!(of(99), [5, 9], "1 is its own by three slots as well");
    }

    #[test]
    fn as_many_extra_copies_as_servers_make_a_range_of_one_slot() {
        let ring = list(&[0x21, 0x21, 0x21, 0x1121]);
        assert_eq!(slots(Range::of(&ring, 3, 3, 0).unwrap(), 4, 0), [0, 1, 2, 3]);
        assert_eq!(slots(Range::of(&ring, 3, 4, 0).unwrap(), 4, 0), [3]);
    }
}
