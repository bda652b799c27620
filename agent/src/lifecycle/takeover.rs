//! Attempts to end another program that writes the same file: the last one that failed, why, and when the next is due.

use std::time::Duration;

use tokio::time::Instant;

use super::past::pause;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct TakeOver {
    /// Which program it was.
    of: String,
    /// Why it could not be ended.
    why: String,
    /// Attempts in a row that failed.
    times: u32,
    /// Not tried again before.
    not_before: Option<Instant>,
}

impl TakeOver {
    /// This one is there now: what was tried with another one does not count.
    pub(super) fn meets(&mut self, of: &str) {
        if self.of != of {
            *self = Self { of: of.to_owned(), ..Self::default() };
        }
    }

    /// It could not be ended.
    pub(super) fn failed(&mut self, why: &str, now: Instant, backoff: (Duration, Duration)) {
        why.clone_into(&mut self.why);
        self.times += 1;
        self.not_before = Some(now + pause(self.times, backoff));
    }

    /// Why it could not be ended the last time; `None` where that was not tried.
    pub(super) fn failure(&self) -> Option<&str> {
        (self.times > 0).then_some(&*self.why)
    }

    /// Whether it is too early for another attempt.
    pub(super) fn rests(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| now < at)
    }
}
