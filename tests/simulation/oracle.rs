//! What must be so: the invariants, and the programs' book of what was acknowledged.

use std::collections::BTreeSet;
use std::fmt;

use k2hdkc_simulators::model::ring::{Key, Micros, Node};

use crate::plan::seconds;

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The time.
    pub(crate) at: Micros,
    /// The invariant.
    pub(crate) broken: Broken,
}

/// An invariant that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A read got an older value than one that was acknowledged before it began, and that this server has.
    Old { key: Key, got: u32, acknowledged: u32, holder: Node },
    /// A read got nothing, and this server has an acknowledged value.
    NotFound { key: Key, acknowledged: u32, holder: Node },
    /// At the end a slave cannot read what was acknowledged.
    Lost { key: Key, got: Option<u32>, acknowledged: u32 },
    /// COMPMERGE although this server was skipped.
    CompletedBesideSkipped(Node),
    /// A program stood still longer than its limit.
    FrozenTooLong(Node),
    /// A k2hdkc runs on that has seen another chmpx.
    OlderThanItsChmpx(Node),
    /// An agent moved a ring in which a server runs AUTOMERGE.
    Meddled(Node),
    /// The ring is not what K2HR3 says, so long after the last fault.
    NotConverged(String),
}

impl Broken {
    /// Returns the kind, by which shortened plans are compared.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Old { .. } => "old value",
            Self::NotFound { .. } => "not found",
            Self::Lost { .. } => "lost",
            Self::CompletedBesideSkipped(_) => "completed beside a skipped server",
            Self::FrozenTooLong(_) => "frozen too long",
            Self::OlderThanItsChmpx(_) => "k2hdkc older than chmpx",
            Self::Meddled(_) => "meddled with AUTOMERGE",
            Self::NotConverged(_) => "not converged",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3} s  {}: {:?}", seconds(self.at), self.broken.kind(), self.broken)
    }
}

/// Since when each node breaks a limit, or would if it went on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    /// List of the node, as it was noted last.
    pub(crate) list: String,
    /// Its k2hdkc has seen another chmpx, while its agent runs.
    pub(crate) older: Option<Micros>,
    /// Its k2hdkc stands still.
    pub(crate) k2hdkc: Option<Micros>,
    /// Its chmpx stands still.
    pub(crate) chmpx: Option<Micros>,
    /// A program of it was gone, and the server has not served since.
    pub(crate) away: bool,
    /// A merge has skipped it: it is `[n/a][Pending]` beside others that are `[Done]`.
    pub(crate) skipped: Option<Micros>,
}

/// Notes whether something is so, and checks whether it has been for longer than the limit.
pub(crate) fn lasts(since: &mut Option<Micros>, is: bool, limit: Micros, now: Micros) -> bool {
    *since = is.then(|| since.unwrap_or(now));
    since.is_some_and(|since| since + limit < now)
}

/// The book of one key. Each key has one writer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// The latest version that was acknowledged.
    pub(crate) acknowledged: u32,
    /// The latest version that was written.
    pub(crate) written: u32,
    /// Versions of which nobody knows whether they were carried out, and which may still be: no read of them is too old.
    pub(crate) unknown: BTreeSet<u32>,
    /// Removals that have begun: a read that meets one may get nothing, or what a server without it has.
    pub(crate) removals: u32,
    /// Records whether a removal may still be carried out.
    pub(crate) removal_unknown: bool,
}

impl Book {
    /// Checks whether a read that began when `floor` was acknowledged may get that version.
    pub(crate) fn allows(&self, floor: u32, got: u32) -> bool {
        got >= floor || self.unknown.contains(&got)
    }
}
