//! A service of this host that cannot be reached, with the time of the next attempt. The pauses grow and have jitter, and
//! the end of each wakes a pass.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::retry::{Backoff, Retry};
use crate::wake::{Reason, Waker};

/// See the module. Dropped, it wakes nobody any more.
#[derive(Debug)]
pub(super) struct Unreachable {
    attempts: Retry,
    /// Wakes when it is due.
    _bell: JoinSet<()>,
}

impl Unreachable {
    /// Counts one more failed attempt; `limits` are the first pause and the longest.
    pub(super) fn more(past: Option<Self>, why: String, limits: (Duration, Duration), waker: &Waker) -> Self {
        let (now, mut attempts) = (Instant::now(), past.map_or_else(Retry::default, |past| past.attempts));
        attempts.failed(now, why, &Backoff::new(limits.0, limits.1), fastrand::f64());
        let due = attempts.not_before().unwrap_or(now);
        let (mut bell, waker) = (JoinSet::new(), waker.clone());
        bell.spawn(async move {
            sleep_until(due).await;
            waker.wake(Reason::SupervisorChanged);
        });
        Self { attempts, _bell: bell }
    }

    /// Returns the error of the last attempt.
    pub(super) fn why(&self) -> &str {
        self.attempts.last_error().unwrap_or_default()
    }

    /// True while the pause lasts.
    pub(super) fn rests(&self) -> bool {
        !self.attempts.is_due(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_attempt_in_vain_doubles_the_pause_and_its_end_wakes_a_pass() {
        let (waker, limits) = (Waker::default(), (Duration::from_secs(1), Duration::from_secs(10)));
        let mut away = None;
        for most in [1.0, 2.0, 4.0, 8.0, 10.0, 10.0] {
            let begun = Instant::now();
            let now = Unreachable::more(away.take(), "nobody listens".to_owned(), limits, &waker);
            assert!(now.rests());
            assert_eq!(waker.woken().await, Reason::SupervisorChanged.into());
            let pause = begun.elapsed().as_secs_f64();
            assert!((most * 0.8 - 0.01..=most + 0.01).contains(&pause), "{pause} of {most}");
            assert!(!now.rests());
            away = Some(now);
        }
    }
}
