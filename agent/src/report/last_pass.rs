//! The last pass as the ledger keeps it, for a caller that asks when no agent runs, or when one has just started.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{OutcomeKind, Report};
use crate::clock::Timestamp;

/// Shortest time between two writes of the same state: the disk must confirm each.
const KEPT_EVERY: Duration = Duration::from_mins(10);

/// The last pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastPass {
    /// When it ended.
    pub at: Timestamp,
    /// The kind of its outcome.
    #[serde(alias = "kind")]
    pub code: OutcomeKind,
    /// The outcome in one line.
    #[serde(alias = "line")]
    pub text: String,
    /// The last good answer by then.
    #[serde(alias = "last_good")]
    pub last_good: Option<Timestamp>,
}

impl LastPass {
    /// Makes the record of this pass; `None` where the kept one will do.
    pub fn after(kept: Option<&Self>, report: &Report, last_good: Option<Timestamp>) -> Option<Self> {
        let (at, code) = (report.at, report.outcome.kind());
        let will_do = |kept: &Self| kept.code == code && kept.at <= at && at.since(kept.at) < KEPT_EVERY;
        let text = report.outcome.to_string();
        (!kept.is_some_and(will_do)).then_some(Self { at, code, text, last_good })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Doubt, DoubtKind};
    use crate::fixtures;
    use crate::report::Outcome;

    #[test]
    fn the_form_of_an_older_ledger_is_read() {
        let old = r#"{"at": 1, "kind": "rolled-back", "line": "x", "last_good": 2}"#;
        let read: LastPass = serde_json::from_str(old).unwrap();
        let (at, last_good) = (Timestamp(1), Some(Timestamp(2)));
        assert_eq!(read, LastPass { at, code: OutcomeKind::RolledBack, text: "x".into(), last_good });
    }

    #[test]
    fn another_state_is_kept_at_once_and_the_same_one_now_and_then() {
        let good = |seconds| fixtures::report(seconds * 1000, Outcome::Unchanged);
        let first = LastPass::after(None, &good(1000), Some(Timestamp(1_000_000))).unwrap();
        assert_eq!(LastPass::after(Some(&first), &good(1599), None), None);
        for seconds in [1600, 999] {
            let again = LastPass::after(Some(&first), &good(seconds), None);
            assert_eq!(again.map(|again| again.at), Some(Timestamp(seconds * 1000)), "set back as well");
        }
        let doubt = fixtures::report(1_001_000, Outcome::Doubtful(Doubt::new(DoubtKind::TooSlow, "slow")));
        assert_eq!(
            LastPass::after(Some(&first), &doubt, None).map(|kept| kept.code),
            Some(OutcomeKind::Doubtful)
        );
    }
}
