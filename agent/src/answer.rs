//! An answer of K2HR3, or the doubt in its place. Plain values: the source makes them, and membership, registration and
//! the report read them.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::problem::coded;

/// One member of a role, as K2HR3 keeps it. Other fields of the record are not needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRecord {
    /// The source address with which it registered.
    pub host: String,
    /// Its CUK; K2HR3 has `null` where none was given.
    pub cuk: Option<String>,
    /// Free text, by convention the host's FQDN.
    pub tag: Option<String>,
    /// Address at which others reach it, behind NAT.
    pub inbound: Option<String>,
    /// Address from which it reaches others, behind NAT.
    pub outbound: Option<String>,
}

/// An answer that may be read. Whether it may be believed is decided later.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The same as the last one (304).
    Unchanged,
    /// The operator's ini, expanded.
    Ini(String),
    /// The members of the two roles.
    Members {
        /// Members of the server role.
        servers: Rc<[HostRecord]>,
        /// Members of the slave role.
        slaves: Rc<[HostRecord]>,
    },
}

/// Why a question has no answer. All kinds mean the same to the cluster: nothing is known, nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which kind, for `status` and counters.
    pub kind: DoubtKind,
    /// One line for people, tokens masked.
    pub text: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

/// Kinds of doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// This node does not know yet whom to ask, or as whom.
    NotReady,
    /// No connection, or it broke.
    Unreachable,
    /// A deadline passed.
    TooSlow,
    /// An answer with another status than 200, or without `result: true`.
    Denied,
    /// 200, but not what was asked for.
    Unreadable,
}

impl Doubt {
    /// A doubt of that kind; `text` must be free of tokens.
    pub fn new(kind: DoubtKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), status: None }
    }

    /// The same with more to its text.
    #[must_use]
    pub fn with(mut self, more: &str) -> Self {
        self.text.push_str(more);
        self
    }
}

coded! { Doubt {
    Self { kind: DoubtKind::NotReady, .. } => "not-ready",
    Self { kind: DoubtKind::Unreachable, .. } => "unreachable",
    Self { kind: DoubtKind::TooSlow, .. } => "too-slow",
    Self { kind: DoubtKind::Denied, .. } => "denied",
    Self { kind: DoubtKind::Unreadable, .. } => "unreadable",
}}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
