//! The keys of one server.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::id::key_hash;
use super::share::Share;

/// A key with its value; the later stamp of two counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// When it was set, in microseconds since 1970.
    pub stamp: u64,
}

/// Keys and values; of two values of a key the later set counts.
#[derive(Debug, Default)]
pub struct Keys(HashMap<String, Item>);

impl Keys {
    /// Keeps an item, and returns it; nothing where the value that is here is as late or later.
    pub fn keep(&mut self, item: Item) -> Option<&Item> {
        let key = item.key.clone();
        if self.0.get(&key).is_some_and(|old| old.stamp >= item.stamp) {
            return None;
        }
        self.0.insert(key.clone(), item);
        self.0.get(&key)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|item| item.value.clone())
    }

    /// Lists the items of a share.
    pub fn share(&self, share: &Share) -> Vec<Item> {
        self.0.values().filter(|item| share.has(key_hash(&item.key))).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(value: &str, stamp: u64) -> Item {
        Item { key: "a".into(), value: value.into(), stamp }
    }

    #[test]
    fn the_later_of_two_values_counts_in_whichever_order_they_come() {
        let mut keys = Keys::default();
        assert!(keys.keep(item("2", 2)).is_some());
        assert!(keys.keep(item("1", 1)).is_none());
        assert!(keys.keep(item("other", 2)).is_none());
        assert_eq!((keys.get("a"), keys.get("b")), (Some("2".into()), None));
    }

    #[test]
    fn a_share_of_one_slot_of_one_is_everything() {
        let mut keys = Keys::default();
        keys.keep(item("1", 1));
        let all = Share { slot: 0, slots: 1, replicas: 0 };
        assert_eq!(keys.share(&all), [item("1", 1)]);
    }
}
