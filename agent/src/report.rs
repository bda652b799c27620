//! What one pass found and did: the single value that logs, `status` and the next wait are made of. A pass cannot
//! fail; what failed in it stands in here.

mod last_pass;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answer::Doubt;
use crate::clock::{Timestamp, spoken};
use crate::generation::Generation;
use crate::guard::{Absence, Held};
use crate::lifecycle::Rejected;
use crate::plan::Plan;
use crate::problem::{Problem, one_line};
use crate::standing::Standing;
pub use last_pass::LastPass;

/// The outcome of one pass with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When the pass ended.
    pub at: Timestamp,
    /// Why it ran.
    pub reasons: String,
    /// How long the source took to answer, if it was asked.
    pub asked: Option<Duration>,
    /// What came of it.
    pub outcome: Outcome,
    /// What differs, where something does.
    pub plan: Option<Plan>,
    /// Removals that are not believed yet.
    pub waiting: Vec<Absence>,
    /// What an operator should know although it changes nothing.
    pub notes: Vec<String>,
    /// Records of K2HR3 that are no good and were left out, each with its member and what to do.
    pub left_out: Vec<String>,
    /// How the processes are; `None` where nobody looks after them.
    pub standing: Option<Standing>,
    /// What was done to the processes, or could not be, in one line.
    pub step: Option<Result<String, String>>,
}

/// What came of a pass.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What is installed is what is wanted.
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
    /// This host did not let the agent do its work; the live file is whole.
    Failed(String),
}

/// The kinds of [`Outcome`], for `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
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
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unchanged => Kind::Unchanged,
            Self::Settling => Kind::Settling,
            Self::Installed(_) => Kind::Installed,
            Self::Restored(..) => Kind::Restored,
            Self::Rewritten(..) => Kind::Rewritten,
            Self::RolledBack(..) => Kind::RolledBack,
            Self::Rejected(_) => Kind::Rejected,
            Self::Doubtful(_) => Kind::Doubtful,
            Self::Refused(_) => Kind::Refused,
            Self::Held(_) => Kind::Held,
            Self::Failed(_) => Kind::Failed,
        }
    }

    /// Whether the pass did what it was for: something is installed and it is what is wanted.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Settling | Self::Installed(_) | Self::Rewritten(..))
    }

    /// One line that a human understands.
    pub fn line(&self) -> String {
        match self {
            Self::Unchanged => "unchanged: what is installed is what is wanted".to_owned(),
            Self::Settling => "a change was seen and rests for a moment before it is installed".to_owned(),
            Self::Installed(generation) => format!("installed generation {}", generation.fileversion),
            Self::Restored(generation, why) => {
                format!("put a kept generation back as {} ({why})", generation.fileversion)
            }
            Self::Rewritten(generation, why) => {
                format!("wrote the same ring again as generation {} ({why})", generation.fileversion)
            }
            Self::RolledBack(generation, why) => {
                format!(
                    "rolled back: the last verified ring is generation {} now ({why})",
                    generation.fileversion
                )
            }
            Self::Rejected(rejected) => format!(
                "nothing changed, the answer was tried as generation {} and rolled back: {} (kept as {}; it is tried again \
                 when it changes, or after 'k2hdkc-agent confirm {}')",
                rejected.fileversion,
                rejected.why,
                rejected.kept,
                rejected.id()
            ),
            Self::Doubtful(doubt) => format!("nothing changed, no answer to go by: {}", doubt.text),
            Self::Refused(problems) => {
                format!("nothing changed, the answer is refused: {}", one_line(problems))
            }
            Self::Held(held) => format!("nothing changed, {}", held_line(held)),
            Self::Failed(text) => format!("failed, the live file is whole: {text}"),
        }
    }
}

fn held_line(held: &Held) -> String {
    let remedy = if held.releasable {
        format!("if it is meant, 'k2hdkc-agent confirm {}'", held.id)
    } else {
        "no confirmation can release that".to_owned()
    };
    format!("the answer is held: {} ({remedy})", held.reasons.join("; "))
}

impl Report {
    /// The line with what surrounds it, for `once` and the log.
    pub fn line(&self) -> String {
        let mut line = self.outcome.line();
        let changed =
            matches!(self.outcome, Outcome::Installed(_) | Outcome::Restored(..) | Outcome::RolledBack(..));
        if let Some(plan) = self.plan.as_ref().filter(|_| changed) {
            let changes: Vec<_> = plan.changes.iter().take(4).map(|change| change.text.as_str()).collect();
            line.push_str(&format!(": {}", changes.join("; ")));
            if plan.changes.len() > changes.len() {
                line.push_str(&format!("; and {} more", plan.changes.len() - changes.len()));
            }
        }
        if let (Outcome::Unchanged, waiting @ 1..) = (&self.outcome, self.waiting.len()) {
            line.push_str(&format!("; {waiting} missing nodes stay until they were seen missing again"));
        }
        if let Some(asked) = self.asked {
            line.push_str(&format!(" [answer after {}]", spoken(asked)));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::DoubtKind;
    use crate::fixtures;
    use crate::plan::{Change, Class};

    fn held(releasable: bool) -> Held {
        let reasons = vec!["2 of 4 servers would go at once: a:1, b:1".to_owned()];
        Held { id: "d73fc602".into(), reasons, since: crate::fixtures::boot_time(0), polls: 3, releasable }
    }

    fn generation() -> Generation {
        Generation { fileversion: 7, ring: "abc".into(), at: Timestamp(0) }
    }

    #[test]
    fn every_outcome_is_one_line_that_says_what_changed_and_why() {
        let doubt = Doubt::new(DoubtKind::Denied, "K2HR3 answered 401");
        for (outcome, kind, good, line) in [
            (Outcome::Unchanged, Kind::Unchanged, true, "unchanged: what is installed is what is wanted"),
            (
                Outcome::Settling,
                Kind::Settling,
                true,
                "a change was seen and rests for a moment before it is installed",
            ),
            (Outcome::Installed(generation()), Kind::Installed, true, "installed generation 7"),
            (
                Outcome::Restored(generation(), "the live file is missing".into()),
                Kind::Restored,
                false,
                "put a kept generation back as 7 (the live file is missing)",
            ),
            (
                Outcome::Doubtful(doubt),
                Kind::Doubtful,
                false,
                "nothing changed, no answer to go by: K2HR3 answered 401",
            ),
            (
                Outcome::Refused(vec![Problem::refused(3, "no GROUP")]),
                Kind::Refused,
                false,
                "nothing changed, the answer is refused: line 3: no GROUP",
            ),
            (
                Outcome::Held(held(true)),
                Kind::Held,
                false,
                "nothing changed, the answer is held: 2 of 4 servers would go at once: a:1, b:1 (if it is meant, \
                 'k2hdkc-agent confirm d73fc602')",
            ),
            (
                Outcome::Held(held(false)),
                Kind::Held,
                false,
                "nothing changed, the answer is held: 2 of 4 servers would go at once: a:1, b:1 (no confirmation can \
                 release that)",
            ),
            (Outcome::Failed("EROFS".into()), Kind::Failed, false, "failed, the live file is whole: EROFS"),
        ] {
            assert_eq!((outcome.kind(), outcome.is_good(), outcome.line().as_str()), (kind, good, line));
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
