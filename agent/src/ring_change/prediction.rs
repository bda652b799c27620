//! The predicted stop of a change: the time in which no server of the ring takes a request.
//!
//! All servers copy at once. On two shared cores 240 keys took 0.4 to 1.4 s, 5000 keys 1.4 s and 20,000 keys 6 s.

use std::time::Duration;

/// Steps around the copy: Pending, the stop of k2hdkc, the pause before MERGE, COMPMERGE.
const STEPS: Duration = Duration::from_millis(1500);
/// Copy of a ring without keys.
const COPY: Duration = Duration::from_millis(400);

/// Time of the copy for each key of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Duration);

impl Rate {
    /// The rate of small VMs that share their processors, where none was measured.
    pub const USUAL: Self = Self(Duration::from_micros(250));

    /// Returns the rate of a merge of that many keys of the whole ring; the usual one where none were copied.
    pub fn of_merge(keys: u64, lasted: Duration) -> Self {
        let copy = lasted.saturating_sub(COPY);
        u32::try_from(keys).ok().and_then(|keys| copy.checked_div(keys)).map_or(Self::USUAL, Self)
    }

    /// Returns the time for each key.
    pub fn per_key(self) -> Duration {
        self.0
    }
}

/// Returns the number of keys of the whole ring, by the elements that one server of `servers` holds.
pub fn keys_of_ring(elements: u64, servers: usize, replicas: u32) -> u64 {
    let servers = u64::try_from(servers).unwrap_or(u64::MAX).max(1);
    let copies = u64::from(replicas).saturating_add(1).min(servers);
    elements.saturating_mul(servers).div_ceil(copies)
}

/// Returns the predicted stop of a change of a ring with that many keys.
pub fn stop(keys: u64, rate: Rate) -> Duration {
    let keys = u32::try_from(keys).unwrap_or(u32::MAX);
    STEPS.saturating_add(COPY).saturating_add(rate.0.saturating_mul(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_grows_with_the_keys_of_the_ring() {
        let stops = [0, 240, 5000, 20_000].map(|keys| stop(keys, Rate::USUAL).as_millis());
        assert_eq!(stops, [1900, 1960, 3150, 6900]);
        assert_eq!(stop(u64::MAX, Rate::USUAL), stop(u64::from(u32::MAX), Rate::USUAL));
    }

    #[test]
    fn the_rate_of_the_last_merge_replaces_the_usual_one() {
        assert_eq!(Rate::of_merge(20_000, Duration::from_millis(6400)).per_key(), Duration::from_micros(300));
        assert_eq!(Rate::of_merge(0, Duration::from_secs(1)), Rate::USUAL);
        assert_eq!(Rate::of_merge(100, Duration::from_millis(300)).per_key(), Duration::ZERO);
    }

    #[test]
    fn copies_are_counted_once() {
        assert_eq!(keys_of_ring(120, 4, 1), 240);
        assert_eq!(keys_of_ring(240, 3, 5), 240);
        assert_eq!(keys_of_ring(80, 3, 0), 240);
        assert_eq!(keys_of_ring(7, 0, 0), 7);
    }
}
