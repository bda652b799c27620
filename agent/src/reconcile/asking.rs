//! When chmpx may be asked: often while something is on its way or moves in the ring, seldom where all is well, and never
//! in the moment after a replacement of the file.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Reconciler;
use crate::installed::Installed;
use crate::lifecycle::COMES_SOON;
use crate::supervisor::{Ask, Supervisor};

/// Longest time that a command waits at once until chmpx may be asked.
const LONGEST_QUIET: Duration = Duration::from_secs(1);

impl<T: Supervisor> Reconciler<T> {
    /// A command asks only where chmpx's view of the ring may decide: before another ring than the installed one. Beside
    /// it an agent may run that has just replaced the file.
    pub(super) async fn may_ask_once(&self, installed: &Installed) -> Ask {
        let wanted = self.membership.wanted();
        if installed.ring().is_none_or(|ring| wanted.is_none_or(|wanted| **ring == *wanted.ring)) {
            return Ask::No;
        }
        for _ in 0..2 {
            match self.quiet_for() {
                None => return Ask::Wait,
                Some(left) => sleep(left.min(LONGEST_QUIET)).await,
            }
        }
        if self.quiet_for().is_none() { Ask::Wait } else { Ask::No }
    }

    /// Returns the rest of the quiet after a replacement, also after one by another writer.
    fn quiet_for(&self) -> Option<Duration> {
        let quiet = self.settings.supervisor.timing.quiet_after_write;
        self.files
            .look
            .age(&self.settings.ini.path, self.clock.now().wall)
            .and_then(|age| quiet.checked_sub(age))
            .filter(|left| !left.is_zero())
    }

    /// At most one question a second, seldom where all is well, and none in the moment after a replacement.
    pub(super) fn may_ask(&self, now: Instant) -> Ask {
        let (rules, processes) = (&self.settings.supervisor, &self.processes);
        let between = match (processes.settled && !processes.history.is_stirred(now), processes.comes) {
            (true, _) => rules.timing.resync_interval,
            (false, true) => COMES_SOON.min(rules.timing.min_query_interval),
            (false, false) => rules.timing.min_query_interval,
        };
        let too_soon = processes.asked.is_some_and(|asked| now < asked + between);
        let too_loud =
            processes.history.quiet_until(rules.timing.quiet_after_write).is_some_and(|until| now < until);
        if too_soon || too_loud || self.quiet_for().is_some() { Ask::No } else { Ask::Start }
    }

    /// chmpx is asked at the next look, however calm all is, where that may be.
    pub fn ask_soon(&mut self) {
        let rules = &self.settings.supervisor;
        let now = Instant::now();
        self.processes.asked = self.processes.asked.filter(|at| now < *at + rules.timing.min_query_interval);
    }
}
