//! `[supervisor.timing]`

use std::time::Duration;

use serde::Deserialize;

use crate::retry::Backoff;
use crate::settings::value;

/// `[supervisor.timing]` has the times of the processes. Each default was measured (docs/facts.md); shorter ones lose
/// reloads, merges or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Timing {
    /// Longest time between two looks at the processes where all is well. Ends are reported at once; a look finds a
    /// merge that sticks, or a server that went out of service.
    /// Default: `"15s"`
    #[serde(deserialize_with = "value::span")]
    pub resync_interval: Duration,
    /// Shortest time between two questions to chmpx. Questions every 5 ms coincided with a merge that stuck; one a
    /// second was harmless.
    /// Default: `"1s"`
    #[serde(deserialize_with = "value::span")]
    pub min_query_interval: Duration,
    /// Silence after a replacement of the file. A question at the moment of a reload makes a slave's chmpx lose it
    /// (C18).
    /// Default: `"500ms"`
    #[serde(deserialize_with = "value::span")]
    pub quiet_after_write: Duration,
    /// Longest wait for an answer of chmpx. It is silent for 5 to 20 s while it tries members that are down.
    /// Default: `"20s"`
    #[serde(deserialize_with = "value::span")]
    pub answer_within: Duration,
    /// Silence of a chmpx after which it is restarted: six times the longest one of a chmpx that was well.
    /// Default: `"2m"`
    #[serde(deserialize_with = "value::span")]
    pub unresponsive_after: Duration,
    /// Least age of chmpx at the start of k2hdkc. Right after chmpx up to 2 of 13 joins stuck, a second later none of
    /// 38.
    /// Default: `"1s"`
    #[serde(deserialize_with = "value::span")]
    pub start_gap: Duration,
    /// Least time from the end of k2hdkc to that of chmpx. Within 0.1 s chmpx crashed in 12 of 12, later in 0 of 48
    /// (C17).
    /// Default: `"500ms"`
    #[serde(deserialize_with = "value::span")]
    pub stop_gap: Duration,
    /// Time for a program to end before it is killed. A main loop in connects or name look-ups hears SIGHUP after 15
    /// s and more.
    /// Default: `"20s"`
    #[serde(deserialize_with = "value::span")]
    pub stop_within: Duration,
    /// Time for both programs to end with the agent: half a second, a HUP and a KILL each.
    /// Default: `"45s"`
    #[serde(deserialize_with = "value::span")]
    pub drain: Duration,
    /// Time after an installation in which the end of chmpx is blamed on the file, which is then rolled back. A file
    /// that does not load ends chmpx within milliseconds, or seconds where names are looked up (C2).
    /// Default: `"30s"`
    #[serde(deserialize_with = "value::span")]
    pub roll_back_within: Duration,
    /// Time for which a listed server that is down keeps k2hdkc from starting, where others are up. chmpx tries it
    /// every 10 s (C22).
    /// Default: `"30s"`
    #[serde(deserialize_with = "value::span")]
    pub peers_within: Duration,
    /// Time for k2hdkc to join its chmpx before it is restarted. Joins took 0.01 to 1 s.
    /// Default: `"20s"`
    #[serde(deserialize_with = "value::span")]
    pub join_within: Duration,
    /// Time without progress after which the processes of a merge are ended. chmpx gives up after some 70 s (C29);
    /// where its merging thread can be seen, it takes 10 s.
    /// Default: `"100s"`
    #[serde(deserialize_with = "value::span")]
    pub idle_merge: Duration,
    /// Time after which `status` reports a merge that works. The agent does not end it.
    /// Default: `"30m"`
    #[serde(deserialize_with = "value::span")]
    pub merge_within: Duration,
    /// Time between the restarts of two servers for one change: stop, start, join and merge of a small server.
    /// Default: `"30s"`
    #[serde(deserialize_with = "value::span")]
    pub restart_stagger: Duration,
    /// Time for which all servers must have been well before one restarts. A leave one second after another server's
    /// join stuck in its merge (C27).
    /// Default: `"5s"`
    #[serde(deserialize_with = "value::span")]
    pub settle_before_drain: Duration,
    /// First pause before a program that ends again and again is restarted; it doubles.
    /// Default: `"1s"`
    #[serde(deserialize_with = "value::span")]
    pub restart_backoff: Duration,
    /// Longest such pause.
    /// Default: `"60s"`
    #[serde(deserialize_with = "value::span")]
    pub max_restart_backoff: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            resync_interval: Duration::from_secs(15),
            min_query_interval: Duration::from_secs(1),
            quiet_after_write: Duration::from_millis(500),
            answer_within: Duration::from_secs(20),
            unresponsive_after: Duration::from_secs(120),
            start_gap: Duration::from_secs(1),
            stop_gap: Duration::from_millis(500),
            stop_within: Duration::from_secs(20),
            drain: Duration::from_secs(45),
            roll_back_within: Duration::from_secs(30),
            peers_within: Duration::from_secs(30),
            join_within: Duration::from_secs(20),
            idle_merge: Duration::from_secs(100),
            merge_within: Duration::from_secs(1800),
            restart_stagger: Duration::from_secs(30),
            settle_before_drain: Duration::from_secs(5),
            restart_backoff: Duration::from_secs(1),
            max_restart_backoff: Duration::from_secs(60),
        }
    }
}

impl Timing {
    /// Returns the pauses between attempts that fail.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.restart_backoff, self.max_restart_backoff)
    }
}
