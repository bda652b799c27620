//! The slots of a ring: which servers hold a key, and which keys a server holds (docs/facts.md D4, D9, D15).
//!
//! A ring is the list of its servers' ids by slot, see [`super::table::Table::base`] and [`super::table::Table::pending`].

use serde::{Deserialize, Serialize};

/// The keys that a server holds or will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The slot.
    pub slot: u64,
    /// Of so many.
    pub slots: u64,
    /// Extra copies.
    pub replicas: u64,
}

impl Share {
    /// Checks whether a key of that hash is in it, by the sums of the real ones (chmpx lib/chmeventsock.cc:1571-1603, k2hash
    /// lib/k2hshmdirect.cc:117-134): the slots behind its own and its own. From as many extra copies as there are slots
    /// on the range ends where it begins, and is one slot. docs/facts.md D15.
    pub fn has(&self, hash: u64) -> bool {
        let (slots, copies) = (self.slots.max(1), self.replicas.saturating_add(1));
        let round = if copies <= self.slot + 1 { 0 } else { slots };
        let first = (self.slot + round + 1).wrapping_sub(copies);
        let last = first.wrapping_add(copies.min(slots + 1) - 1) % slots;
        let at = hash % slots;
        if first <= last { (first..=last).contains(&at) } else { at <= last || first <= at }
    }
}

/// The slot of a server in the order of a ring; all ones for none, as chmpx prints it.
pub fn slot(ring: &[u64], id: u64) -> u64 {
    ring.iter().position(|other| *other == id).map_or(u64::MAX, |slot| slot as u64)
}

/// Lists the holders of the key of that hash: its slot's server and the `replicas` next ones.
pub fn holders(ring: &[u64], hash: u64, replicas: usize) -> Vec<u64> {
    let first = usize::try_from(hash % (ring.len().max(1) as u64)).unwrap_or_default();
    ring.iter().cycle().skip(first).take((replicas + 1).min(ring.len())).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_what_the_ring_gives_to_its_slot() {
        let ring = [9, 8, 7, 6];
        for replicas in 0..4 {
            for (slot, id) in ring.iter().enumerate() {
                let share = Share { slot: slot as u64, slots: 4, replicas: replicas as u64 };
                for hash in 0..40 {
                    assert_eq!(
                        share.has(hash),
                        holders(&ring, hash, replicas).contains(id),
                        "{share:?} {hash}"
                    );
                }
            }
        }
    }

    #[test]
    fn as_many_extra_copies_as_slots_make_a_share_of_one_slot() {
        for slot in 0..4 {
            let of = |replicas| {
                let share = Share { slot, slots: 4, replicas };
                (0..4).filter(|hash| share.has(*hash)).collect::<Vec<_>>()
            };
            assert_eq!((of(3), of(4)), (vec![0, 1, 2, 3], vec![slot]));
        }
    }

    #[test]
    fn replicas_are_on_the_next_servers_round_the_ring() {
        assert_eq!(holders(&[7, 5, 3], 2, 1), [3, 7]);
        assert_eq!(holders(&[7, 5, 3], 4, 5), [5, 3, 7]);
        assert_eq!(holders(&[], 4, 1), Vec::<u64>::new());
    }
}
