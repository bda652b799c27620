//! `[join]`

use std::time::Duration;

use serde::Deserialize;

use super::value;
use crate::names::Tag;

/// `[join]` governs the registration of this node in its role. A node after `k2hdkc-agent leave` stays out, whatever
/// stands here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Join {
    /// Registers this node at the first start. Off with `source = "file"`, which knows no role.
    /// Default: `true`
    pub enabled: bool,
    /// Registers this node again where its membership was lost later. Off, the operator does so.
    /// Default: `true`
    pub repair: bool,
    /// Answers in a row without this node before `repair` acts. A host that registers again is gone from one answer,
    /// not from three (K4).
    /// Default: `3`
    pub confirm_polls: u32,
    /// Time over which those answers must lie. A restarted K2HR3 shows half of its members for a moment (K2).
    /// Default: `"60s"`
    #[serde(deserialize_with = "value::span")]
    pub confirm_for: Duration,
    /// Tag of the registration, by convention the host's name.
    /// Default: the file `k2hr3-tag-param` of the user-data, else the host's name with its first domain. Example: `"vm1.example.com"`
    #[serde(deserialize_with = "value::tag")]
    pub tag: Option<Tag>,
}

impl Default for Join {
    fn default() -> Self {
        Self {
            enabled: true,
            repair: true,
            confirm_polls: 3,
            confirm_for: Duration::from_secs(60),
            tag: None,
        }
    }
}
