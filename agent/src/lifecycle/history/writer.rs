//! Attempts to end another program that writes the same file.

use tokio::time::Instant;

use super::At;
use crate::retry::Retry;

/// Attempts to end another program that writes the same file.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Writer {
    /// The program that was met last.
    of: String,
    attempts: Retry,
}

impl Writer {
    /// Takes in which program is there now: what was tried with another one does not count.
    pub(super) fn meet(&mut self, of: &str) {
        if self.of != of {
            *self = Self { of: of.to_owned(), ..Self::default() };
        }
    }

    pub(super) fn record(&mut self, failure: Option<&str>, at: &At) {
        if let Some(error) = failure {
            self.attempts.failed(at.now, error, &at.backoff, at.random);
        }
    }

    /// Returns the error of the latest attempt.
    pub(in crate::lifecycle) fn error(&self) -> Option<&str> {
        self.attempts.last_error()
    }

    /// Returns true where the next attempt may come.
    pub(in crate::lifecycle) fn is_due(&self, now: Instant) -> bool {
        self.attempts.is_due(now)
    }
}
