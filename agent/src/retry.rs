//! Retries: counts failed attempts, and lengthens the pause before the next one. Pure: time and randomness are arguments.

use std::time::Duration;

use tokio::time::Instant;

/// Attempts at one thing since it last succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retry {
    /// Failures in a row.
    attempts: u32,
    not_before: Option<Instant>,
    last_error: Option<String>,
}

impl Retry {
    /// Counts a failure at `now`, and holds the next attempt back; `random` is from 0 to 1.
    pub fn failed(&mut self, now: Instant, why: impl Into<String>, backoff: &Backoff, random: f64) {
        self.attempts = self.attempts.saturating_add(1);
        self.not_before = Some(now + backoff.pause(self.attempts, random));
        self.last_error = Some(why.into());
    }

    /// Forgets all failures: the next attempt may come at once.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Holds the next attempt back until `time`, and counts nothing: success may deserve a pause as well.
    pub fn hold_until(&mut self, time: Instant) {
        self.not_before = Some(time);
    }

    /// Allows the next attempt at once, but keeps the count: its cause may have gone.
    pub fn hurry(&mut self) {
        self.not_before = None;
    }

    /// Returns true where the next attempt may come.
    pub fn is_due(&self, now: Instant) -> bool {
        self.wait(now).is_none()
    }

    /// Returns the rest of the pause; `None` where the next attempt may come.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let rest = self.not_before?.saturating_duration_since(now);
        (!rest.is_zero()).then_some(rest)
    }

    /// Returns the end of the pause; `None` where none was ordered.
    pub fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Returns the number of failures in a row.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the reason of the latest failure.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

/// The exponential pause between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub least: Duration,
    /// The longest pause.
    pub most: Duration,
    /// Share of a pause that is left to chance.
    pub jitter: Jitter,
}

/// Share of a pause that is left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Shortens each pause by up to a fifth, for what one node does by itself.
    Fifth,
    /// Chooses from `least` to the next step, for what all nodes of a cluster ask of one K2HR3.
    Full,
}

impl Jitter {
    /// The largest share by which [`Jitter::Fifth`] shortens a pause.
    const SHARE: f64 = 0.2;
}

impl Backoff {
    /// A pause from `least` to `most`, shortened by up to a fifth.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, jitter: Jitter::Fifth }
    }

    /// Spreads the pause over the whole step.
    #[must_use]
    pub const fn spread(self) -> Self {
        Self { jitter: Jitter::Full, ..self }
    }

    /// Returns the pause after `attempts` failures in a row, counted from 1.
    ///
    /// It doubles up to `most`. `random` is from 0 to 1; 1 gives the longest pause of the step.
    pub fn pause(&self, attempts: u32, random: f64) -> Duration {
        let random = random.clamp(0.0, 1.0);
        match self.jitter {
            Jitter::Fifth => self.step(attempts).mul_f64(1.0 - Jitter::SHARE * (1.0 - random)),
            Jitter::Full => {
                let step = self.step(attempts.max(1).saturating_add(1)).mul_f64(random);
                step.clamp(self.least, self.most.max(self.least))
            }
        }
    }

    /// Returns the step without jitter.
    fn step(&self, attempts: u32) -> Duration {
        self.least.saturating_mul(1 << attempts.saturating_sub(1).min(31)).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

    #[test]
    fn a_pause_doubles_within_its_limits_and_is_shortened_at_random() {
        let seconds = |attempts, random| BACKOFF.pause(attempts, random).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 99].map(|attempts| seconds(attempts, 1.0)), [5, 10, 20, 40, 60, 60]);
        assert_eq!([1, 2, 99].map(|attempts| seconds(attempts, 0.0)), [4, 8, 48]);
    }

    #[test]
    fn a_spread_pause_lies_anywhere_from_the_least_to_the_next_step() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).spread();
        let longest: Vec<_> = (1..=8).map(|attempts| backoff.pause(attempts, 1.0).as_secs()).collect();
        assert_eq!(longest, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.pause(5, 0.0), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_counted_until_a_success_and_each_holds_the_next_attempt_back() {
        let (now, mut retry) = (Instant::now(), Retry::default());
        assert!(retry.is_due(now));
        retry.failed(now, "no route", &BACKOFF, 1.0);
        retry.failed(now, "refused", &BACKOFF, 1.0);
        assert_eq!((retry.attempts(), retry.last_error()), (2, Some("refused")));
        assert_eq!(retry.wait(now + Duration::from_secs(4)), Some(Duration::from_secs(6)));
        assert!(!retry.is_due(now + Duration::from_secs(9)) && retry.is_due(now + Duration::from_secs(10)));
        retry.hurry();
        assert_eq!((retry.is_due(now), retry.attempts()), (true, 2));
        retry.succeeded();
        assert_eq!(retry, Retry::default());
        retry.hold_until(now + Duration::from_secs(1));
        assert_eq!((retry.wait(now), retry.attempts()), (Some(Duration::from_secs(1)), 0));
    }

    proptest! {
        #[test]
        fn every_pause_stays_within_its_limits(attempts in 0u32.., random in 0.0f64..=1.0) {
            let (slight, spread) = (BACKOFF.pause(attempts, random), BACKOFF.spread().pause(attempts, random));
            prop_assert!(slight >= BACKOFF.least.mul_f64(0.8) && slight <= BACKOFF.most);
            prop_assert!(spread >= BACKOFF.least && spread <= BACKOFF.most);
        }
    }
}
