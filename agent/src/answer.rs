//! An answer of K2HR3, or the doubt in its place. Plain values: the source makes them, and membership, registration and
//! the report read them.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::problem::coded;

/// A member of a role, as K2HR3 keeps it. Other fields of the record are not needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRecord {
    /// The source address with which it registered.
    pub host: String,
    /// CUK of the node; K2HR3 has `null` where none was given.
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
    /// Equal to the last answer (304).
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

/// The reason for which a question has no answer. Every kind means the same to the cluster: nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Kind, for `status` and counters.
    pub kind: DoubtKind,
    /// Line for people, tokens masked.
    pub text: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

/// Kinds of doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// The node lacks an address of K2HR3, a role or a CUK.
    NotReady,
    /// Connecting failed, or the connection broke.
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

    /// Adds to the text.
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
