//! The counters of the programs that read and write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::cost::milliseconds;

/// The counts of all readers so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) reads: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) unwritten: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Microseconds, since it was last taken.
    pub(super) longest: AtomicU64,
    /// The same since the start.
    pub(super) longest_ever: AtomicU64,
    /// The last thing that did not go well.
    pub(super) trouble: Mutex<Option<String>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Reads that were served, with the right value.
    pub reads: u64,
    /// Tries that were not.
    pub retries: u64,
    /// Reads that were not served although they were tried again for a long time.
    pub failed: u64,
    /// Handles that broke: somebody ended that slave's chmpx.
    pub broken: u64,
    /// Writes that were taken.
    pub writes: u64,
    /// Writes that were not, likewise.
    pub unwritten: u64,
    /// Longest time until a read was served: since the last `Traffic::take`.
    pub longest: Duration,
}

impl Counted {
    /// Adds both up.
    pub(super) fn and(self, later: Self) -> Self {
        Self {
            reads: self.reads + later.reads,
            retries: self.retries + later.retries,
            failed: self.failed + later.failed,
            broken: self.broken + later.broken,
            writes: self.writes + later.writes,
            unwritten: self.unwritten + later.unwritten,
            longest: self.longest.max(later.longest),
        }
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let Self { reads, retries, failed, broken, writes, unwritten, longest } = self;
        let more = [
            (retries, "tried again"),
            (failed, "reads not served"),
            (unwritten, "writes not taken"),
            (broken, "handles broken"),
        ];
        let more: String = more
            .into_iter()
            .filter(|(count, _)| **count > 0)
            .map(|(count, what)| format!(", {count} {what}"))
            .collect();
        format!("{reads} reads and {writes} writes, the slowest read {}{more}", milliseconds(*longest))
    }

    /// Subtracts what was there before.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            reads: self.reads - earlier.reads,
            retries: self.retries - earlier.retries,
            failed: self.failed - earlier.failed,
            broken: self.broken - earlier.broken,
            writes: self.writes - earlier.writes,
            unwritten: self.unwritten - earlier.unwritten,
            longest: self.longest,
        }
    }
}

/// For whoever shows it: the counters of a running traffic.
#[derive(Debug, Clone)]
pub(super) struct Meter(pub(super) Arc<Counters>);

impl Meter {
    /// The counters now, the longest wait since the start.
    pub(super) fn now(&self) -> Counted {
        let longest = Duration::from_micros(self.0.longest_ever.load(Ordering::Relaxed));
        Counted { longest, ..self.0.now() }
    }

    /// Keys that were found lost when all were counted the last time.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn now(&self) -> Counted {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            reads: of(&self.reads),
            retries: of(&self.retries),
            failed: of(&self.failed),
            broken: of(&self.broken),
            writes: of(&self.writes),
            unwritten: of(&self.unwritten),
            longest: Duration::from_micros(of(&self.longest)),
        }
    }

    pub(super) fn note(&self, text: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}
