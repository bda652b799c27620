//! The keys of one k2hdkc: what is on its disk, and when it was last written to directly.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::list::Micros;
use super::range::Range;
use crate::model::id::fnv1a;

/// A key, by its number.
pub type Key = usize;

/// A value and the time at which it was set. In virtual time a value is the number of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item<V = u32> {
    /// The value.
    pub value: V,
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
pub struct Store<K = Key, V = u32> {
    items: BTreeMap<K, Item<V>>,
    /// The last direct write; replicas and merges do not count (k2hash lib/k2hshm.cc:475, 4006).
    last: Micros,
}

impl<K, V> Default for Store<K, V> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), last: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> Store<K, V> {
    /// Returns the item of a key.
    pub fn get(&self, key: &K) -> Option<&Item<V>> {
        self.items.get(key)
    }

    /// Returns the time of the last direct write.
    pub fn last(&self) -> Micros {
        self.last
    }

    /// Writes for a client.
    pub fn write(&mut self, key: K, item: Item<V>) {
        self.last = item.set;
        self.items.insert(key, item);
    }

    /// Removes for a client, without a tombstone.
    pub fn remove(&mut self, key: &K, at: Micros) {
        self.items.remove(key);
        self.last = at;
    }

    /// Keeps what a merge or a replica brings, unless its own is as new (k2hash lib/k2hshmdirect.cc:380-424).
    pub fn keep(&mut self, key: K, item: Item<V>) -> bool {
        let is_newer = self.items.get(&key).is_none_or(|own| own.set < item.set);
        if is_newer {
            self.items.insert(key, item);
        }
        is_newer
    }

    /// Removes what another server has removed at that time, unless its own is newer.
    pub fn forget(&mut self, key: &K, at: Micros) {
        if self.items.get(key).is_some_and(|own| own.set <= at) {
            self.items.remove(key);
        }
    }

    /// Lists what a merge takes.
    pub fn give(&self, hash: impl Fn(&K) -> u64, range: &Range, until: Micros) -> Vec<(K, Item<V>)> {
        let taken = self.items.iter().filter(|(key, item)| range.takes(hash(key), item.set, until));
        taken.map(|(key, item)| (key.clone(), item.clone())).collect()
    }

    /// Counts the keys.
    pub fn count(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_of_two_values_stays_and_a_direct_write_counts_whatever_it_meets() {
        let mut store = Store::default();
        let item = |value, set| Item { value, set };
        store.keep(0, item(2, 20));
        store.keep(0, item(1, 10));
        assert_eq!((store.get(&0), store.last()), (Some(&item(2, 20)), 0));
        store.write(0, item(1, 15));
        assert_eq!((store.get(&0), store.last()), (Some(&item(1, 15)), 15));
        store.forget(&0, 14);
        assert_eq!(store.get(&0), Some(&item(1, 15)));
    }
}
