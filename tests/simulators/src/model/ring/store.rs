//! The keys of one k2hdkc: what is on its disk, and when it was last written to directly.

use std::rc::Rc;

use super::list::Micros;
use super::range::Range;
use crate::model::id::fnv1a;

/// A key, by its number.
pub type Key = usize;

/// A value and the time at which it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The value: the number of its version.
    pub value: u32,
    /// The time.
    pub set: Micros,
}

/// The hashes of all keys that occur.
#[derive(Debug, Clone)]
pub(super) struct Hashes(Rc<[u64]>);

impl Hashes {
    /// Makes the hashes of so many keys, `mk000000` and on; the byte of the end belongs to a key.
    pub(super) fn of(keys: usize) -> Self {
        Self((0..keys).map(|key| fnv1a(format!("mk{key:06}\0").as_bytes())).collect())
    }

    /// Returns the hash of a key.
    pub(super) fn of_key(&self, key: Key) -> u64 {
        self.0[key]
    }

    /// Counts the keys.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// The keys of one k2hdkc.
#[derive(Debug, Clone)]
pub(super) struct Store {
    items: Vec<Option<Item>>,
    /// The last direct write; replicas and merges do not count (k2hash lib/k2hshm.cc:475, 4006).
    last: Micros,
}

impl Store {
    /// Makes an empty one.
    pub(super) fn new(hashes: &Hashes) -> Self {
        Self { items: vec![None; hashes.count()], last: 0 }
    }

    /// Returns the item of a key.
    pub(super) fn get(&self, key: Key) -> Option<Item> {
        self.items[key]
    }

    /// Returns the time of the last direct write.
    pub(super) fn last(&self) -> Micros {
        self.last
    }

    /// Writes for a client.
    pub(super) fn write(&mut self, key: Key, item: Item) {
        self.items[key] = Some(item);
        self.last = item.set;
    }

    /// Removes for a client, without a tombstone.
    pub(super) fn remove(&mut self, key: Key, at: Micros) {
        self.items[key] = None;
        self.last = at;
    }

    /// Keeps what a merge or a replica brings, unless its own is as new (k2hash lib/k2hshmdirect.cc:380-424).
    pub(super) fn keep(&mut self, key: Key, item: Item) {
        if self.items[key].is_none_or(|own| own.set < item.set) {
            self.items[key] = Some(item);
        }
    }

    /// Removes what another server has removed at that time, unless its own is newer.
    pub(super) fn forget(&mut self, key: Key, at: Micros) {
        self.items[key].take_if(|own| own.set <= at);
    }

    /// Lists what a merge takes.
    pub(super) fn give(&self, hashes: &Hashes, range: &Range, until: Micros) -> Vec<(Key, Item)> {
        let items = self.items.iter().enumerate().filter_map(|(key, item)| Some((key, (*item)?)));
        items.filter(|(key, item)| range.takes(hashes.of_key(*key), item.set, until)).collect()
    }

    /// Counts the keys.
    pub(super) fn count(&self) -> usize {
        self.items.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_of_two_values_stays_and_a_direct_write_counts_whatever_it_meets() {
        let mut store = Store::new(&Hashes::of(1));
        let item = |value, set| Item { value, set };
        store.keep(0, item(2, 20));
        store.keep(0, item(1, 10));
        assert_eq!((store.get(0), store.last()), (Some(item(2, 20)), 0));
        store.write(0, item(1, 15));
        assert_eq!((store.get(0), store.last()), (Some(item(1, 15)), 15));
        store.forget(0, 14);
        assert_eq!(store.get(0), Some(item(1, 15)));
    }
}
