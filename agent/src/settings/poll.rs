//! `[poll]`

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// `[poll]` paces the questions to K2HR3. The interval grows with the role and with K2HR3's answer time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Poll {
    /// Shortest time between two questions. Fifteen nodes at 50 ms an answer stay within `load` with it.
    /// Default: `"5s"`
    #[serde(deserialize_with = "value::span")]
    pub interval: Duration,
    /// Longest time between two questions. `load` holds up to here: 1000 nodes at 2 s an answer take 3.3 workers of
    /// K2HR3.
    /// Default: `"10m"`
    #[serde(deserialize_with = "value::span")]
    pub max_interval: Duration,
    /// Seconds of a K2HR3 worker per second that the whole cluster may take: half of one worker.
    /// Default: `0.5`
    pub load: f64,
    /// Share from 0 to 0.9 by which each interval is moved at random, so that nodes that booted together drift apart.
    /// Default: `0.2`
    pub jitter: f64,
    /// Wait after a first doubtful answer; it doubles with each further one.
    /// Default: `"1s"`
    #[serde(deserialize_with = "value::span")]
    pub backoff: Duration,
    /// Longest wait after doubtful answers.
    /// Default: `"60s"`
    #[serde(deserialize_with = "value::span")]
    pub max_backoff: Duration,
    /// Rest of a change before its installation. Nodes that register at once arrive within moments.
    /// Default: `"250ms"`
    #[serde(deserialize_with = "value::span")]
    pub settle: Duration,
    /// Longest delay of a change by further ones, so that an addition is installed within a second.
    /// Default: `"800ms"`
    #[serde(deserialize_with = "value::span")]
    pub max_settle: Duration,
}

impl Poll {
    /// Returns the rest of a change before its installation, and the longest delay by further ones.
    pub fn settling(&self) -> (Duration, Duration) {
        (self.settle, self.max_settle)
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            max_interval: Duration::from_secs(600),
            load: 0.5,
            jitter: 0.2,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
            settle: Duration::from_millis(250),
            max_settle: Duration::from_millis(800),
        }
    }
}
