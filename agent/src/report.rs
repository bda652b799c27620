//! What one pass found and did: the single value that logs, `status` and the next wait are made of. A pass cannot
//! fail; what failed in it stands in here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, spoken};
use crate::guard::{Absence, Held};
use crate::ledger::Generation;
use crate::plan::Plan;
use crate::problem::{Problem, one_line};
use crate::source::Doubt;

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
            Self::Doubtful(_) => Kind::Doubtful,
            Self::Refused(_) => Kind::Refused,
            Self::Held(_) => Kind::Held,
            Self::Failed(_) => Kind::Failed,
        }
    }

    /// Whether the pass did what it was for: something is installed and it is what is wanted.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Settling | Self::Installed(_))
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
        let changed = matches!(self.outcome, Outcome::Installed(_) | Outcome::Restored(..));
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
