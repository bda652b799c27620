//! `[guard]`

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// `[guard]` limits the loss of servers that one answer of K2HR3 may cause.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Guard {
    /// Largest number of servers that may go at once; more are held. With REPLICA 1 the loss of two servers loses
    /// keys.
    /// Default: `1`
    pub max_lost_servers: usize,
    /// Largest share of the servers that may go at once, from 0 to 1. One of three may go, one of two may not.
    /// Default: `0.4`
    pub max_lost_share: f64,
    /// Answers in a row that release a held loss. A sick backend gives the same wrong answer several times (K2).
    /// Default: `5`
    pub confirm_polls: u32,
    /// Time over which those answers must lie: longer than a restart of K2HR3. `k2hdkc-agent confirm` releases at
    /// once.
    /// Default: `"5m"`
    #[serde(deserialize_with = "value::span")]
    pub confirm_for: Duration,
    /// Time within which servers count as gone at once. A small ring merges its data in it.
    /// Default: `"5m"`
    #[serde(deserialize_with = "value::span")]
    pub window: Duration,
    /// Answers in a row without a node that make an ordinary removal. A host that registers again is gone from one
    /// answer, not from three (K4).
    /// Default: `3`
    pub removal_polls: u32,
    /// Time over which those answers must lie. Registration again takes milliseconds, its retry seconds.
    /// Default: `"15s"`
    #[serde(deserialize_with = "value::span")]
    pub removal_for: Duration,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            max_lost_servers: 1,
            max_lost_share: 0.4,
            confirm_polls: 5,
            confirm_for: Duration::from_secs(300),
            window: Duration::from_secs(300),
            removal_polls: 3,
            removal_for: Duration::from_secs(15),
        }
    }
}
