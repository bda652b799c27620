//! The outcome of a pass in words.

use std::fmt::{self, Display, Formatter, Write as _};

use super::{Outcome, Report};
use crate::clock::spoken;
use crate::guard::Held;
use crate::lifecycle::Rejected;
use crate::problem::{coded, joined, one_line};

coded! { Outcome {
    Self::Unchanged => "unchanged",
    Self::Settling => "settling",
    Self::Installed(_) => "installed",
    Self::Restored(..) => "restored",
    Self::Rewritten(..) => "rewritten",
    Self::RolledBack(..) => "rolled-back",
    Self::Rejected(_) => "rejected",
    Self::Doubtful(_) => "doubtful",
    Self::Refused(_) => "refused",
    Self::Held(_) => "held",
    Self::Failed(_) => "failed",
}}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("unchanged: what is installed is what is wanted"),
            Self::Settling => f.write_str("a change was seen and rests for a moment before it is installed"),
            Self::Installed(generation) => write!(f, "installed generation {}", generation.fileversion),
            Self::Restored(generation, why) => {
                write!(f, "put a kept generation back as {} ({why})", generation.fileversion)
            }
            Self::Rewritten(generation, why) => {
                write!(f, "wrote the same ring again as generation {} ({why})", generation.fileversion)
            }
            Self::RolledBack(generation, why) => write!(
                f,
                "rolled back: the last verified ring is generation {} now ({why})",
                generation.fileversion
            ),
            Self::Rejected(rejected) => write!(f, "nothing changed, {}", Tried(rejected)),
            Self::Doubtful(doubt) => write!(f, "nothing changed, no answer to go by: {doubt}"),
            Self::Refused(problems) => {
                write!(f, "nothing changed, the answer is refused: {}", one_line(problems))
            }
            Self::Held(held) => write!(f, "nothing changed, {}", HeldLine(held)),
            Self::Failed(text) => write!(f, "failed, the live file is whole: {text}"),
        }
    }
}

/// An answer that was rolled back.
struct Tried<'a>(&'a Rejected);

impl Display for Tried<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(rejected) = self;
        write!(
            f,
            "the answer was tried as generation {} and rolled back: {} (kept as {}; it is tried again when it changes, or \
             after 'k2hdkc-agent confirm {}')",
            rejected.fileversion,
            rejected.why,
            rejected.kept,
            rejected.id()
        )
    }
}

/// A held answer with its remedy.
struct HeldLine<'a>(&'a Held);

impl Display for HeldLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(held) = self;
        write!(f, "the answer is held: {} (", joined(&held.reasons))?;
        if held.releasable {
            write!(f, "if it is meant, 'k2hdkc-agent confirm {}')", held.id)
        } else {
            f.write_str("no confirmation can release that)")
        }
    }
}

impl Report {
    /// The line with its changes, for `once` and the log.
    pub fn line(&self) -> String {
        let mut line = self.outcome.to_string();
        // Writing to a String cannot fail.
        let _ = self.changes(&mut line);
        line
    }

    fn changes(&self, line: &mut String) -> fmt::Result {
        const SHOWN: usize = 4;
        if let Some(plan) = self.plan.as_ref().filter(|_| self.outcome.is_installed()) {
            let changes: Vec<_> =
                plan.changes.iter().take(SHOWN).map(|change| change.text.as_str()).collect();
            write!(line, ": {}", changes.join("; "))?;
            if plan.changes.len() > SHOWN {
                write!(line, "; and {} more", plan.changes.len() - SHOWN)?;
            }
        }
        if let (Outcome::Unchanged, waiting @ 1..) = (&self.outcome, self.waiting.len()) {
            write!(line, "; {waiting} missing nodes stay until they were seen missing again")?;
        }
        match self.asked {
            Some(asked) => write!(line, " [answer after {}]", spoken(asked)),
            None => Ok(()),
        }
    }
}
