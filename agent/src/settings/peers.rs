//! `[peers]`

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// `[peers]` watches the hosts at the other ends of chmpx's connections. A host that vanishes without a word stops all reads
/// until the kernel gives its connections up, a quarter of an hour later (C35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Peers {
    /// Destroys chmpx's connections to a host that acknowledges nothing, so that reads go on at once. It needs
    /// `CAP_NET_ADMIN`. With `false` the agent only reports such a host.
    /// Default: `true`
    pub cut: bool,
    /// Time without any acknowledgement after which a host counts as dead. Longer ones let old writes wait in queues: after
    /// 30 s they were carried out late (C35).
    /// Default: `"3s"`
    #[serde(deserialize_with = "value::span")]
    pub dead_after: Duration,
}

impl Default for Peers {
    fn default() -> Self {
        Self { cut: true, dead_after: Duration::from_secs(3) }
    }
}
