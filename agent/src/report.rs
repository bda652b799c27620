//! The findings and acts of one pass: the single value behind logs, `status` and the next wait. A pass cannot
//! fail; what failed in it stands in here.

mod last_pass;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answer::Doubt;
use crate::clock::Timestamp;
use crate::generation::Generation;
use crate::guard::{Absence, Held};
use crate::lifecycle::Rejected;
use crate::plan::Plan;
use crate::problem::{Note, Problem};
use crate::process_status::ProcessStatus;
use crate::ring_status::RingStatus;
pub use last_pass::LastPass;

/// The outcome of one pass with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When the pass ended.
    pub at: Timestamp,
    /// Reasons of the wake that made it.
    pub reasons: String,
    /// Time that the source took to answer, if it was asked.
    pub asked: Option<Duration>,
    /// The outcome.
    pub outcome: Outcome,
    /// Differences between the installed ring and the wanted one, where there are any.
    pub plan: Option<Plan>,
    /// Removals that are not believed yet.
    pub waiting: Vec<Absence>,
    /// Notes for the operator that change nothing.
    pub notes: Vec<String>,
    /// Records of K2HR3 that are no good and were left out, each with its member and what to do.
    pub left_out: Vec<Note>,
    /// State of the processes; `None` where no supervisor observes them.
    pub processes: Option<ProcessStatus>,
    /// Status of the ring; `None` where no supervisor observes the processes.
    pub ring: Option<Box<RingStatus>>,
    /// The step of the processes, or its failure, in one line.
    pub step: Option<Result<String, String>>,
}

/// The outcome of a pass.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The wanted ring is installed already.
    Unchanged,
    /// A change was seen and rests until it is installed.
    Settling,
    /// A generation was installed.
    Installed(Generation),
    /// A kept generation was put back, since the live file was missing or unloadable and no answer could be used.
    Restored(Generation, String),
    /// The installed ring was written again under a new number, since chmpx has not loaded it.
    Rewritten(Generation, String),
    /// The last verified ring was put back, since the newer one ended chmpx or made it deaf.
    RolledBack(Generation, String),
    /// The answer is the very ring that was rolled back; nothing changed.
    Rejected(Rejected),
    /// The source gave no usable answer; nothing changed.
    Doubtful(Doubt),
    /// The answer is good, but may not be installed on this node; nothing changed.
    Refused(Vec<Problem>),
    /// The answer takes away too much to be believed yet; nothing changed.
    Held(Held),
    /// The host did not let the agent do its work; the live file is whole.
    Failed(String),
}

/// The kinds of [`Outcome`], for `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// See [`Outcome::Unchanged`].
    Unchanged,
    /// See [`Outcome::Settling`].
    Settling,
    /// See [`Outcome::Installed`].
    Installed,
    /// See [`Outcome::Restored`].
    Restored,
    /// See [`Outcome::Rewritten`].
    Rewritten,
    /// See [`Outcome::RolledBack`].
    RolledBack,
    /// See [`Outcome::Rejected`].
    Rejected,
    /// See [`Outcome::Doubtful`].
    Doubtful,
    /// See [`Outcome::Refused`].
    Refused,
    /// See [`Outcome::Held`].
    Held,
    /// See [`Outcome::Failed`].
    Failed,
}

impl Outcome {
    /// Returns the kind of the outcome.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Unchanged => OutcomeKind::Unchanged,
            Self::Settling => OutcomeKind::Settling,
            Self::Installed(_) => OutcomeKind::Installed,
            Self::Restored(..) => OutcomeKind::Restored,
            Self::Rewritten(..) => OutcomeKind::Rewritten,
            Self::RolledBack(..) => OutcomeKind::RolledBack,
            Self::Rejected(_) => OutcomeKind::Rejected,
            Self::Doubtful(_) => OutcomeKind::Doubtful,
            Self::Refused(_) => OutcomeKind::Refused,
            Self::Held(_) => OutcomeKind::Held,
            Self::Failed(_) => OutcomeKind::Failed,
        }
    }

    /// Tells whether the wanted ring is installed, or will be in a moment.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Settling | Self::Installed(_) | Self::Rewritten(..))
    }

    /// Tells whether a ring was installed that differs from the one before.
    pub fn is_installed(&self) -> bool {
        matches!(self, Self::Installed(_) | Self::Restored(..) | Self::RolledBack(..))
    }

    /// The doubt, or the faults of the answer, one by one.
    pub fn details(&self) -> Vec<Note> {
        match self {
            Self::Doubtful(doubt) => vec![Note::of(doubt)],
            Self::Refused(problems) => problems.iter().map(Note::from).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::DoubtKind;
    use crate::fixtures;
    use crate::plan::{Change, Class};

    fn held(releasable: bool) -> Held {
        let text = "2 of 4 servers would go at once: a:1, b:1".to_owned();
        let reasons = vec![Note { code: "too-many-servers".into(), text }];
        Held { id: "d73fc602".into(), reasons, since: crate::fixtures::boot_time(0), polls: 3, releasable }
    }

    fn generation() -> Generation {
        Generation { fileversion: 7, ring: "abc".into(), at: Timestamp(0) }
    }

    #[test]
    fn every_outcome_is_one_line_that_says_what_changed_and_why() {
        let doubt = Doubt::new(DoubtKind::Denied, "K2HR3 answered 401");
        for (outcome, kind, good, line) in [
            (
                Outcome::Unchanged,
                OutcomeKind::Unchanged,
                true,
                "unchanged: what is installed is what is wanted",
            ),
            (
                Outcome::Settling,
                OutcomeKind::Settling,
                true,
                "a change was seen and rests for a moment before it is installed",
            ),
            (Outcome::Installed(generation()), OutcomeKind::Installed, true, "installed generation 7"),
            (
                Outcome::Restored(generation(), "the live file is missing".into()),
                OutcomeKind::Restored,
                false,
                "put a kept generation back as 7 (the live file is missing)",
            ),
            (
                Outcome::Doubtful(doubt),
                OutcomeKind::Doubtful,
                false,
                "nothing changed, no answer to go by: K2HR3 answered 401",
            ),
            (
                Outcome::Refused(vec![Problem::refused(3, "no GROUP")]),
                OutcomeKind::Refused,
                false,
                "nothing changed, the answer is refused: line 3: no GROUP",
            ),
            (
                Outcome::Held(held(true)),
                OutcomeKind::Held,
                false,
                "nothing changed, the answer is held: 2 of 4 servers would go at once: a:1, b:1 (if it is meant, \
                 'k2hdkc-agent confirm d73fc602')",
            ),
            (
                Outcome::Held(held(false)),
                OutcomeKind::Held,
                false,
                "nothing changed, the answer is held: 2 of 4 servers would go at once: a:1, b:1 (no confirmation can \
                 release that)",
            ),
            (
                Outcome::Failed("EROFS".into()),
                OutcomeKind::Failed,
                false,
                "failed, the live file is whole: EROFS",
            ),
        ] {
            assert_eq!((outcome.kind(), outcome.is_good(), outcome.to_string().as_str()), (kind, good, line));
        }
    }

    #[test]
    fn an_installation_names_its_first_changes() {
        let mut report = fixtures::report(0, Outcome::Installed(generation()));
        let change = |n: usize| Change { class: Class::Reload, text: format!("+ server {n}") };
        report.plan = Some(Plan {
            class: Class::Reload,
            changes: (1..=6).map(change).collect(),
            mode: crate::ring::Mode::Server,
            at_once: false,
        });
        report.asked = Some(Duration::from_millis(42));
        assert_eq!(
            report.line(),
            "installed generation 7: + server 1; + server 2; + server 3; + server 4; and 2 more [answer after 42 ms]"
        );
    }

    #[test]
    fn an_unchanged_pass_tells_who_is_missing() {
        let mut report = fixtures::report(0, Outcome::Unchanged);
        let node = crate::fixtures::server(2).key();
        let since = crate::fixtures::boot_time(0);
        report.waiting.push(Absence { node, mode: crate::ring::Mode::Server, since, polls: 1 });
        assert!(
            report.line().ends_with("; 1 missing nodes stay until they were seen missing again"),
            "{}",
            report.line()
        );
    }
}
