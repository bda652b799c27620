//! The interval between two questions to K2HR3: as short as a whole cluster can afford. Pure: the random number is an
//! argument.

use std::time::Duration;

use crate::retry::Backoff;
use crate::settings::Poll;

impl Poll {
    /// Returns the time between two questions when `nodes` agents ask and one answer takes `cost` of the server's time.
    ///
    /// Each GET expands the whole template on the server, and so does a 304 (50 ms at 10 hosts, seconds at 1000).
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

    /// Returns the wait after the `doubts`-th doubtful answer in a row, counted from 1; `random` is from 0 to 1.
    pub fn after_doubt(&self, doubts: u32, random: f64) -> Duration {
        self.pauses().pause(doubts, random)
    }

    /// Returns the pauses after failures at K2HR3, which all nodes of the cluster ask.
    pub(crate) fn pauses(&self) -> Backoff {
        Backoff::new(self.backoff, self.max_backoff).spread()
    }
}

fn clamp(seconds: f64, least: Duration, most: Duration) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(most).clamp(least, most)
}

/// Returns the smoothed answer time: a quarter of the newest, three quarters of the past.
pub(crate) fn smoothed(past: Option<Duration>, newest: Duration) -> Duration {
    past.map_or(newest, |past| past.mul_f64(0.75) + newest.mul_f64(0.25))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_small_cluster_polls_at_the_shortest_interval() {
        assert_eq!(Poll::default().interval(10, Duration::from_millis(50)), Duration::from_secs(5));
    }

    #[test]
    fn a_large_or_slow_one_slows_down_to_the_stated_load() {
        assert_eq!(Poll::default().interval(100, Duration::from_millis(140)), Duration::from_secs(28));
        assert_eq!(Poll::default().interval(1000, Duration::from_secs(3)), Duration::from_secs(600));
    }

    #[test]
    fn one_slow_answer_moves_the_smoothed_time_by_a_quarter() {
        assert_eq!(smoothed(None, Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(smoothed(Some(Duration::from_secs(1)), Duration::from_secs(5)), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn every_wait_stays_within_its_limits(
            nodes in 0usize..100_000, cost in 0u64..100_000, random in 0.0f64..=1.0,
        ) {
            let pace = Poll::default();
            let interval = pace.interval(nodes, Duration::from_millis(cost));
            prop_assert!(interval >= pace.interval && interval <= pace.max_interval);
            let moved = pace.jittered(interval, random).as_secs_f64() / interval.as_secs_f64();
            prop_assert!((0.799..=1.201).contains(&moved));
        }
    }
}
