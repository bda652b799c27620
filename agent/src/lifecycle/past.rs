//! One program's past: how often it ended too soon, and when it may be started again.

use std::time::Duration;

use tokio::time::Instant;

use super::Case;
use super::rules::{SETTLED, SOON, STILLBORN};
use crate::supervisor::Ended;

/// One program's past.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// When it was first seen gone.
    pub(super) gone: Option<Instant>,
    /// Ends in a row that came too soon.
    pub(super) failures: u32,
    /// Starts in a row that this host refused.
    pub(super) blocked: u32,
    /// Why the last of them came to nothing.
    pub(super) refusal: Option<String>,
    /// The last end.
    pub(super) last: Option<Ended>,
    /// Not started before.
    pub(super) not_before: Option<Instant>,
}

impl Past {
    /// Takes in an end.
    pub(super) fn ended(&mut self, ended: Ended, asked: bool, case: &Case<'_>) {
        self.last = Some(ended);
        // Whatever kept it from starting before: it ran.
        (self.blocked, self.refusal) = (0, None);
        if asked {
            self.not_before = None;
            return;
        }
        let ran = case.now.duration_since(ended.was.since);
        self.failures = if ran < STILLBORN { self.failures + 1 } else { u32::from(ran < SETTLED) };
        // The first time at once: a node without chmpx is out of its ring.
        let rest = if self.failures > 1 { pause(self.failures - 1, case.rules.backoff) } else { SOON };
        self.not_before = Some(case.now + rest);
    }
}

/// Twice as long each time, within the limits.
pub(super) fn pause(failures: u32, (least, most): (Duration, Duration)) -> Duration {
    least.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most)
}
