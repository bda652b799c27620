//! Commands to chmpx that should help a state on: how often, and when again.

use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::Action;
use crate::lifecycle::rules::{MOST_NUDGES, NUDGE_AGAIN, NUDGE_SELDOM};
use crate::lifecycle::words::Reason;
use crate::supervisor::{ControlCommand, Step};

/// Commands in the present status.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Nudges {
    times: u32,
    last: Option<Instant>,
}

impl Nudges {
    /// Sends chmpx the command, unless the latest one was a moment ago; `None` where enough of them were in vain.
    pub(in crate::lifecycle) fn next(
        &self,
        order: ControlCommand,
        now: Instant,
        reason: impl Into<Reason>,
    ) -> Option<Action> {
        let since = self.last.map(|at| now.duration_since(at));
        if let Some(rest) = since.and_then(|since| NUDGE_AGAIN.checked_sub(since)).filter(|r| !r.is_zero()) {
            return Some(Action::Wait(reason.into(), rest));
        }
        // Afterwards only now and then, and the operator is told.
        if self.times >= MOST_NUDGES && since.is_some_and(|since| since < NUDGE_SELDOM) {
            return None;
        }
        Some(Action::Step(Step::Control(order), reason.into()))
    }

    pub(super) fn record(&mut self, now: Instant) {
        (self.times, self.last) = (self.times + 1, Some(now));
    }

    pub(super) fn stood_still(&mut self, time: Duration) {
        self.last.iter_mut().for_each(|at| *at += time);
    }
}
