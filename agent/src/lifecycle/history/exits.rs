//! The ends and starts of one program.

use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::rules::{SETTLED, SOON, STILLBORN};
use crate::retry::{Backoff, Retry};
use crate::supervisor::{Exit, Running};

/// The ends and starts of one program.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Exits {
    /// The first look that did not find it.
    gone: Option<Instant>,
    /// Ends in a row that came too soon.
    failures: u32,
    last: Option<Exit>,
    /// The end of the pause after the latest end.
    not_before: Option<Instant>,
    /// Starts in a row that the host refused.
    starts: Retry,
}

impl Exits {
    /// Takes in an end. `asked` is true for one that the agent asked for.
    pub(super) fn ended(&mut self, exit: Exit, asked: bool, now: Instant, backoff: (&Backoff, f64)) {
        self.last = Some(exit);
        // Whatever kept it from a start before: it ran.
        self.starts.succeeded();
        if asked {
            self.not_before = None;
            return;
        }
        let ran = now.duration_since(exit.was.since);
        self.failures = if ran < STILLBORN { self.failures + 1 } else { u32::from(ran < SETTLED) };
        // The first time at once: a node without chmpx is out of its ring.
        let pauses = self.failures.saturating_sub(1);
        let pause = if pauses > 0 { backoff.0.pause(pauses, backoff.1) } else { SOON };
        self.not_before = Some(now + pause);
    }

    /// Takes in a start that the host refused. It is no failure of the program itself: it has not run.
    pub(super) fn refused(&mut self, why: &str, now: Instant, (backoff, random): (&Backoff, f64)) {
        self.starts.failed(now, why, backoff, random);
    }

    pub(super) fn observe(&mut self, running: Option<Running>, now: Instant) {
        let Some(running) = running else {
            self.gone.get_or_insert(now);
            return;
        };
        self.gone = None;
        self.starts.succeeded();
        if now.duration_since(running.since) > SETTLED {
            self.failures = 0;
        }
    }

    /// Another ring: nothing of the past applies.
    pub(super) fn forget_failures(&mut self) {
        (self.failures, self.not_before) = (0, None);
        self.starts.hurry();
    }

    pub(super) fn gone(&self) -> Option<Instant> {
        self.gone
    }

    /// Returns how often in a row the program ended too soon, and its latest end.
    pub(in crate::lifecycle) fn failures(&self) -> (u32, Option<Exit>) {
        (self.failures, self.last)
    }

    /// Returns the starts that the host refused.
    pub(in crate::lifecycle) fn starts(&self) -> &Retry {
        &self.starts
    }

    /// Returns the rest of the pause before the next start.
    pub(in crate::lifecycle) fn rests(&self, now: Instant) -> Option<Duration> {
        let after_end = self.not_before.filter(|at| *at > now).map(|at| at - now);
        after_end.max(self.starts.wait(now))
    }
}
