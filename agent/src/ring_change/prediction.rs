//! The predicted stop of a change: the time in which no server of the ring takes a request.
//!
//! All servers copy at once. On two shared cores 240 keys took 0.4 to 1.4 s, 5000 keys 1.4 s and 20,000 keys 6 s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Steps around the copy: Pending, the stop of k2hdkc, the pause before MERGE, COMPMERGE.
const STEPS: Duration = Duration::from_millis(1500);
/// Copy of a ring without keys.
const COPY: Duration = Duration::from_millis(400);
/// Fewest keys whose copy shows a rate: that of fewer is lost in the time of an empty one.
const SHOWS_RATE: u64 = 5000;

/// Time of the copy for each key of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate {
    nanos: u32,
}

impl Rate {
    /// The rate of small VMs that share their processors, where none was measured.
    pub const USUAL: Self = Self { nanos: 250_000 };
    /// The lowest rate that is believed: one lucky copy must not promise a short stop to a ring of ten times the keys.
    const LEAST: Self = Self { nanos: 20_000 };

    /// Returns the rate of a merge of that many keys of the whole ring; `None` where they are too few to show one.
    pub fn of_merge(keys: u64, lasted: Duration) -> Option<Self> {
        let keys = u32::try_from(keys).ok().filter(|keys| u64::from(*keys) >= SHOWS_RATE)?;
        let each = lasted.saturating_sub(COPY).checked_div(keys)?;
        Some(Self { nanos: u32::try_from(each.as_nanos()).unwrap_or(u32::MAX).max(Self::LEAST.nanos) })
    }

    /// Returns the time for each key.
    pub fn per_key(self) -> Duration {
        Duration::from_nanos(self.nanos.into())
    }
}

/// The prediction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prediction {
    /// Keys of the ring, about: servers have unequal shares. `None` where the last change says more than a count of keys.
    pub keys: Option<u64>,
    /// Predicted stop.
    #[serde(rename = "stop-ms", with = "crate::clock::millis")]
    pub stop: Duration,
}

impl Prediction {
    /// Predicts by the elements that one server of `servers` holds. Copies that earlier changes have left behind count as well.
    pub fn by_elements(elements: u64, servers: usize, replicas: u32, rate: Rate) -> Self {
        let keys = keys_of_ring(elements, servers, replicas);
        Self { keys: Some(keys), stop: stop(keys, rate) }
    }

    /// Predicts that a change stops the ring for as long as the last one did.
    pub fn as_before(stop: Duration) -> Self {
        Self { keys: None, stop }
    }

    /// Predicts a change whose copy takes that time.
    pub fn by_copy(copy: Duration) -> Self {
        Self { keys: None, stop: STEPS.saturating_add(copy) }
    }

    /// Returns the longer one.
    #[must_use]
    pub fn or_longer(self, other: Self) -> Self {
        if other.stop > self.stop { other } else { self }
    }
}

/// Returns the number of keys of the whole ring, by the elements that one server of `servers` holds.
fn keys_of_ring(elements: u64, servers: usize, replicas: u32) -> u64 {
    let servers = u64::try_from(servers).unwrap_or(u64::MAX).max(1);
    let copies = u64::from(replicas).saturating_add(1).min(servers);
    elements.saturating_mul(servers).div_ceil(copies)
}

/// Returns the predicted stop of a change of a ring with that many keys.
fn stop(keys: u64, rate: Rate) -> Duration {
    let keys = u32::try_from(keys).unwrap_or(u32::MAX);
    STEPS.saturating_add(COPY).saturating_add(rate.per_key().saturating_mul(keys))
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
    fn the_rate_of_the_last_merge_replaces_the_usual_one_where_it_shows_one() {
        let of = |keys, ms| Rate::of_merge(keys, Duration::from_millis(ms)).map(Rate::per_key);
        assert_eq!(of(20_000, 6400), Some(Duration::from_micros(300)));
        assert_eq!(of(20_000, 300), Some(Rate::LEAST.per_key()));
        assert_eq!([of(4999, 900), of(0, 900), of(u64::MAX, 900)], [None; 3]);
    }

    #[test]
    fn the_longer_prediction_counts() {
        let by_keys = Prediction::by_elements(80, 3, 0, Rate::USUAL);
        let longer = Prediction { keys: None, stop: Duration::from_millis(33_500) };
        assert_eq!(by_keys.or_longer(Prediction::by_copy(Duration::from_secs(32))), longer);
        assert_eq!(by_keys.or_longer(Prediction::by_copy(Duration::ZERO)), by_keys);
    }

    #[test]
    fn copies_are_counted_once() {
        let keys = |elements, servers, replicas| {
            Prediction::by_elements(elements, servers, replicas, Rate::USUAL).keys.unwrap()
        };
        assert_eq!(keys(120, 4, 1), 240);
        assert_eq!(keys(240, 3, 5), 240);
        assert_eq!(keys(80, 3, 0), 240);
        assert_eq!(keys(7, 0, 0), 7);
    }
}
