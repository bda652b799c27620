//! Waits: since when each thing is waited for, and since when nothing has moved.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::lifecycle::{Action, Decision, Patience, Rewrite};
use crate::supervisor::Step;

/// A thing that a row of the table waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::lifecycle) enum Waiting {
    /// Any other server at all.
    Anybody,
    /// A helper that starts chmpx again.
    Helper,
    /// Every other server.
    Peers,
    /// A time in which all servers are well.
    Calm,
    /// The list of servers that chmpx has.
    List,
    /// The other servers, until they list this one.
    Listed,
    /// The other servers, until they answer at all.
    Answers,
    /// The end of a change that a server left behind.
    LeftBehind,
}

/// Begin of each wait, and of the time without any movement.
#[derive(Debug, Clone, Default)]
pub(super) struct Waits {
    pub(super) since: BTreeMap<Waiting, Instant>,
    pub(super) still: Option<Instant>,
}

impl Waits {
    pub(super) fn begins(&self, waits: &BTreeSet<Waiting>) -> bool {
        waits.iter().any(|what| !self.since.contains_key(what))
    }

    /// A move of a process or of the file is movement; a word to chmpx is none.
    pub(super) fn record(&mut self, decision: &Decision) {
        let now = decision.at;
        let still = if self.begins(&decision.waits) { None } else { self.still };
        let since = |what: &Waiting| (*what, self.since.get(what).copied().unwrap_or(now));
        self.since = decision.waits.iter().map(since).collect();
        self.still = match &decision.action {
            _ if decision.patience == Patience::Lasts => None,
            Action::Step(
                Step::Control(_) | Step::Prompt(_) | Step::RemoveLeftovers | Step::DisableWriter,
                _,
            )
            | Action::Wait(..)
            | Action::Hold(..)
            | Action::Demand(_) => still.or(Some(now)),
            Action::Converged | Action::Step(..) | Action::Rewrite(..) | Action::RollBack(..) => None,
        };
        // The next one begins a count of its own.
        if let Action::Rewrite(Rewrite::List, _) = &decision.action {
            self.since.remove(&Waiting::List);
        }
    }
}
