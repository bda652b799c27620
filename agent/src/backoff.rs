//! When to ask K2HR3 again: the interval that a whole cluster can afford, and the wait after a doubtful answer; and when to
//! try anything else again.
//! Pure: the random number is an argument.

use std::time::Duration;

/// The limits within which [`Pace::interval`] and [`Pace::after_doubt`] choose. See `[poll]` in the configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Shortest time between two questions.
    pub interval: Duration,
    /// Longest time between two questions.
    pub max_interval: Duration,
    /// Share of the interval by which each wait is moved at random, from 0 to 1.
    pub jitter: f64,
    /// Seconds of one K2HR3 worker per second that all nodes of the cluster together may use.
    pub load: f64,
    /// Shortest and longest wait after a doubtful answer.
    pub backoff: (Duration, Duration),
}

impl Pace {
    /// Time between two questions when `nodes` agents ask and one answer takes `cost` of the server's time.
    ///
    /// Every GET expands the whole template on the server, a 304 as well (50 ms at 10 hosts, seconds at 1000), so
    /// `nodes` agents at interval `p` use `nodes * cost / p` workers. The answer time stands for the cost: it is
    /// never smaller, and it grows when the server is busy, so the cluster slows itself down.
    pub fn interval(&self, nodes: usize, cost: Duration) -> Duration {
        let nodes = u32::try_from(nodes.max(1)).unwrap_or(u32::MAX);
        let needed = cost.as_secs_f64() * f64::from(nodes) / self.load;
        clamp(needed, self.interval, self.max_interval.max(self.interval))
    }

    /// Moves `interval` by the jitter; `random` is from 0 to 1.
    pub fn jittered(&self, interval: Duration, random: f64) -> Duration {
        let factor = 1.0 + self.jitter * (2.0 * random - 1.0);
        clamp(interval.as_secs_f64() * factor, Duration::ZERO, Duration::MAX)
    }

    /// Wait after the `doubts`-th doubtful answer in a row (counted from 1): full jitter below a doubling limit.
    pub fn after_doubt(&self, doubts: u32, random: f64) -> Duration {
        let (least, most) = self.backoff;
        let limit = least.as_secs_f64() * 2f64.powi(i32::try_from(doubts.min(32)).unwrap_or(32));
        let limit = limit.min(most.as_secs_f64());
        clamp(limit * random, least, most.max(least))
    }
}

/// The pause after so many attempts in vain (counted from 1): twice as long each time, from the first of `limits` to the
/// last, less up to a fifth of it; `random` is from 0 to 1.
pub fn pause(times: u32, (least, most): (Duration, Duration), random: f64) -> Duration {
    let limit = least.saturating_mul(1 << times.saturating_sub(1).min(16)).min(most);
    limit.mul_f64(1.0 - 0.2 * random.clamp(0.0, 1.0))
}

fn clamp(seconds: f64, least: Duration, most: Duration) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(most).clamp(least, most)
}

/// The new smoothed answer time: a quarter of the newest, three quarters of the past.
pub fn smoothed(past: Option<Duration>, newest: Duration) -> Duration {
    past.map_or(newest, |past| past.mul_f64(0.75) + newest.mul_f64(0.25))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pace() -> Pace {
        Pace {
            interval: Duration::from_secs(5),
            max_interval: Duration::from_secs(600),
            jitter: 0.2,
            load: 0.5,
            backoff: (Duration::from_secs(1), Duration::from_secs(60)),
        }
    }

    #[test]
    fn a_pause_doubles_within_its_limits_and_is_shortened_at_random() {
        let limits = (Duration::from_secs(5), Duration::from_secs(60));
        let seconds = |times, random| pause(times, limits, random).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 99].map(|times| seconds(times, 0.0)), [5, 10, 20, 40, 60, 60]);
        assert_eq!([1, 2, 99].map(|times| seconds(times, 1.0)), [4, 8, 48]);
    }

    #[test]
    fn a_small_cluster_polls_at_the_shortest_interval() {
        assert_eq!(pace().interval(10, Duration::from_millis(50)), Duration::from_secs(5));
    }

    #[test]
    fn a_large_or_slow_one_slows_down_to_the_stated_load() {
        assert_eq!(pace().interval(100, Duration::from_millis(140)), Duration::from_secs(28));
        assert_eq!(pace().interval(1000, Duration::from_secs(3)), Duration::from_secs(600));
    }

    #[test]
    fn doubt_waits_longer_and_longer_up_to_the_cap() {
        let waits: Vec<_> = (1..=8).map(|n| pace().after_doubt(n, 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pace().after_doubt(5, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn one_slow_answer_moves_the_smoothed_time_by_a_quarter() {
        assert_eq!(smoothed(None, Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(smoothed(Some(Duration::from_secs(1)), Duration::from_secs(5)), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn every_wait_stays_within_its_limits(
            nodes in 0usize..100_000, cost in 0u64..100_000, doubts in 0u32..10_000, random in 0.0f64..=1.0,
        ) {
            let pace = pace();
            let interval = pace.interval(nodes, Duration::from_millis(cost));
            prop_assert!(interval >= pace.interval && interval <= pace.max_interval);
            let moved = pace.jittered(interval, random).as_secs_f64() / interval.as_secs_f64();
            prop_assert!((0.799..=1.201).contains(&moved));
            let wait = pace.after_doubt(doubts, random);
            prop_assert!(wait >= pace.backoff.0 && wait <= pace.backoff.1);
        }
    }
}
