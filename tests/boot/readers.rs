//! Programs on slaves that read all keys again and again while the cluster changes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use k2hdkc_tests::environments::Container;
use k2hdkc_tests::environments::keys;
use k2hdkc_tests::environments::systemd::INI;

/// The number of keys.
pub(crate) const KEYS: usize = 60;

/// The observations of the readers.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    over: AtomicBool,
    /// The number of rounds over all keys.
    pub(crate) rounds: AtomicUsize,
    /// The number of all answers that were not the key's value.
    pub(crate) missed: AtomicUsize,
}

impl Seen {
    /// Has those slaves read until `act` is through.
    pub(crate) fn during<T>(&self, slaves: &[Container], act: impl FnOnce() -> T) -> T {
        self.over.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            for slave in slaves {
                scope.spawn(move || self.read(slave));
            }
            let _over = Over(&self.over);
            act()
        })
    }

    /// Checks whether they have read at all, and no more failed than reads in the moments of a change.
    pub(crate) fn assert_served(&self) {
        let (rounds, missed) = (self.rounds.load(Ordering::SeqCst), self.missed.load(Ordering::SeqCst));
        assert!(rounds > 0, "nobody has read");
        assert!(missed * 20 <= rounds * KEYS, "{missed} of {} reads failed", rounds * KEYS);
    }

    fn read(&self, slave: &Container) {
        while !self.over.load(Ordering::SeqCst) {
            let found = keys::readable(slave, INI, KEYS).unwrap_or_default();
            self.rounds.fetch_add(1, Ordering::SeqCst);
            self.missed.fetch_add(KEYS - found, Ordering::SeqCst);
        }
    }
}

/// Ends the readers, also where a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
