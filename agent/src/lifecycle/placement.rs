//! How often the installed file was put before the processes, and when it is put there again: what fails or does not last
//! is tried less and less often.

use std::time::Duration;

use tokio::time::Instant;

use super::past::pause;
use super::rules::FEW_PLACEMENTS;
use super::{Case, Next};
use crate::supervisor::Step;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Placement {
    /// Times in a row that it was put there and did not stay, and the last of them.
    times: u32,
    last: Option<Instant>,
    failed: Option<Failed>,
}

/// It could not be put there.
#[derive(Debug, Clone)]
struct Failed {
    why: String,
    /// Attempts in a row.
    times: u32,
    /// Not tried again before.
    not_before: Instant,
}

impl Placement {
    /// It is there.
    pub(super) fn lasts(&mut self) {
        (self.times, self.last) = (0, None);
    }

    /// It could not be put there.
    pub(super) fn failed(&mut self, why: &str, now: Instant, backoff: (Duration, Duration)) {
        let times = self.failed.take().map_or(0, |failed| failed.times) + 1;
        self.failed = Some(Failed { why: why.to_owned(), times, not_before: now + pause(times, backoff) });
        // That rests by itself.
        self.lasts();
    }

    /// It was put there, or what kept it from being put there has gone.
    pub(super) fn worked(&mut self) {
        self.failed = None;
    }

    /// The placement, or the rest after some: two that write in turn would end chmpx now and then.
    pub(super) fn next(&mut self, case: &Case<'_>, text: &str) -> Next {
        let rest = self.times.checked_sub(FEW_PLACEMENTS).map(|more| pause(more + 1, case.rules.backoff));
        let not_before = self.last.zip(rest).map(|(at, rest)| at + rest).filter(|at| *at > case.now);
        if let Some(at) = not_before {
            let text =
                format!("{text}, although it was put there {} times: somebody else writes it", self.times);
            return Next::Hold(text, at - case.now);
        }
        if let Some(failed) = self.failed.as_ref().filter(|failed| case.now < failed.not_before) {
            return Next::Hold(format!("{text}: {}", failed.why), failed.not_before - case.now);
        }
        (self.times, self.last) = (self.times + 1, Some(case.now));
        Next::Step(Step::Place, text.to_owned())
    }
}
