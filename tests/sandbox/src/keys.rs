//! The keys that the sandbox writes, and what a read of one may give.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A key. Only the slave that made it writes it; everybody reads it.
#[derive(Debug)]
pub(super) struct Key {
    /// As it is in the ring.
    pub name: String,
    owner: String,
    /// The last version that a server has taken; 0 for none.
    taken: AtomicU32,
    /// The last version that was sent.
    sent: AtomicU32,
    /// Records whether it was not there when all keys were counted.
    lost: AtomicBool,
}

impl Key {
    /// The next version, and the value that says it. It counts as sent from now on.
    pub(super) fn next(&self) -> (u32, String) {
        let version = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        (version, format!("{}#{version}", self.name))
    }

    /// A server has taken it.
    pub(super) fn taken(&self, version: u32) {
        self.taken.fetch_max(version, Ordering::SeqCst);
    }

    /// The version that a read which begins now must give at least; `None` before the first write.
    pub(super) fn least(&self) -> Option<u32> {
        Some(self.taken.load(Ordering::SeqCst)).filter(|version| *version > 0)
    }

    /// Notes that the key was counted, and whether it was lost.
    pub(super) fn counted(&self, is_lost: bool) {
        self.lost.store(is_lost, Ordering::SeqCst);
    }

    /// Checks whether it was not there when all keys were counted the last time: nobody waits for it.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Checks whether an answer is right, for a read that began when the key had at least version `least`.
    pub(super) fn check(&self, least: u32, answer: Option<&str>) -> Result<(), String> {
        let Some(answer) = answer else { return Err(format!("{} has no value", self.name)) };
        let version =
            answer.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('#')?.parse::<u32>().ok());
        match version {
            Some(version) if version < least => {
                Err(format!("{} has version {version}, and had {least}", self.name))
            }
            Some(version) if version <= self.sent.load(Ordering::SeqCst) => Ok(()),
            _ => Err(format!("{} has the value {answer:?}", self.name)),
        }
    }
}

/// All keys; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(Arc<Mutex<Vec<Arc<Key>>>>);

impl Keys {
    /// Returns the keys that a slave writes, made when it comes for the first time.
    pub(super) fn of(&self, slave: &str, count: usize) -> Vec<Arc<Key>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.iter().any(|key| key.owner == slave) {
            keys.extend((0..count).map(|number| {
                let (name, owner) = (format!("{slave}/{number}"), slave.to_owned());
                Arc::new(Key {
                    name,
                    owner,
                    taken: AtomicU32::new(0),
                    sent: AtomicU32::new(0),
                    lost: AtomicBool::new(false),
                })
            }));
        }
        keys.iter().filter(|key| key.owner == slave).cloned().collect()
    }

    /// All that were written.
    pub(super) fn written(&self) -> Vec<Arc<Key>> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter(|key| key.least().is_some()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_gives_what_was_taken_before_it_or_what_was_sent_meanwhile() {
        let keys = Keys::default();
        let key = Arc::clone(&keys.of("slave-1", 2)[0]);
        assert!(key.least().is_none() && keys.written().is_empty());
        let (first, value) = key.next();
        assert_eq!(value, "slave-1/0#1");
        key.taken(first);
        key.next();
        assert_eq!(key.least(), Some(1));
        assert_eq!(key.check(1, Some("slave-1/0#1")), Ok(()));
        assert_eq!(key.check(1, Some("slave-1/0#2")), Ok(()));
        assert!(key.check(2, Some("slave-1/0#1")).is_err());
        assert!(key.check(1, Some("slave-1/0#3")).is_err());
        assert!(key.check(1, Some("else")).is_err() && key.check(1, None).is_err());
        assert_eq!((keys.written().len(), keys.of("slave-1", 9).len()), (1, 2));
        key.counted(true);
        assert!(key.is_lost() && keys.written()[0].is_lost());
    }
}
