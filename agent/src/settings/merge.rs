//! `[merge]`

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// `[merge]` governs the merges of the ring: who runs them, and how long they may stop the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Merge {
    /// Hand that runs the merges: `"agents"` has every server copy what it will hold, `"chmpx"` leaves it to
    /// AUTOMERGE, which hides keys at each change of the number of servers (D10). A ring with one server by chmpx is by
    /// chmpx as a whole.
    /// Default: `"agents"`
    pub by: MergeBy,
    /// Longest predicted stop of a change that runs without being confirmed. A stop grows by about a second for 4000
    /// keys.
    /// Default: `"30s"`
    #[serde(deserialize_with = "value::span")]
    pub longest_stop: Duration,
    /// Longest predicted stop for which the chmpx of slaves stands still, so that requests wait instead of failing: they
    /// fail by themselves after 9 s. A slave goes by the shorter of the last two that it saw. `"0s"` never stops them.
    /// Default: `"8s"`
    #[serde(deserialize_with = "value::span")]
    pub freeze: Duration,
    /// Fate of a change that is predicted to last longer than `longest-stop`: `"hold"` has it wait for
    /// `k2hdkc-agent confirm`, `"run"` runs it.
    /// Default: `"hold"`
    pub over_limit: OverLimit,
}

impl Default for Merge {
    fn default() -> Self {
        Self {
            by: MergeBy::Agents,
            longest_stop: Duration::from_secs(30),
            freeze: Duration::from_secs(8),
            over_limit: OverLimit::Hold,
        }
    }
}

/// The hand that runs the merges of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeBy {
    /// The agents, by the protocol of [`crate::ring_change`].
    Agents,
    /// chmpx, by AUTOMERGE.
    Chmpx,
}

/// The fate of a change that is predicted to last too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverLimit {
    /// Waits for the operator.
    Hold,
    /// Runs.
    Run,
}
