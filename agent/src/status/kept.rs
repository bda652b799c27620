//! What the ledger keeps of the last pass, for who asks when no agent runs, or one has just started after a kill.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::age;
use crate::clock::Timestamp;
use crate::report::{Kind, Report};

/// How often a pass that came to what the one before came to is kept: each time is a write that the disk must confirm.
const KEPT_EVERY: Duration = Duration::from_mins(10);

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPass {
    /// When it ended.
    pub at: Timestamp,
    /// What came of it.
    pub kind: Kind,
    /// The same in one line.
    pub line: String,
    /// When an answer was last good by then.
    pub last_good: Option<Timestamp>,
}

impl LastPass {
    /// What is kept after this pass; `None` where what is kept already will do.
    pub fn after(kept: Option<&Self>, report: &Report, last_good: Option<Timestamp>) -> Option<Self> {
        let (at, kind) = (report.at, report.outcome.kind());
        let will_do = |kept: &Self| kept.kind == kind && kept.at <= at && at.since(kept.at) < KEPT_EVERY;
        let line = report.outcome.line();
        (!kept.is_some_and(will_do)).then_some(Self { at, kind, line, last_good })
    }
}

/// The state of an agent that has made no pass.
pub(super) fn state(kept: Option<&LastPass>, now: Timestamp) -> String {
    let before = |kept: &LastPass| {
        format!("{} (by the ledger, which noted this pass {} ago)", kept.line, age(kept.at, now))
    };
    kept.map_or_else(|| "no pass yet".to_owned(), before)
}

/// When an answer was last good, where none was since the agent started. The ledger may lag behind.
pub(super) fn last_good(kept: Option<&LastPass>, runs: bool, now: Timestamp) -> String {
    match kept.and_then(|kept| kept.last_good) {
        Some(good) => format!("at most {} ago (by the ledger)", age(good, now)),
        None if runs => "never since the start".to_owned(),
        None => "not known to the ledger".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;
    use crate::source::{Doubt, DoubtKind};

    fn report(outcome: Outcome, seconds: u64) -> Report {
        Report {
            at: Timestamp(seconds * 1000),
            reasons: "timer".into(),
            asked: Some(Duration::ZERO),
            outcome,
            plan: None,
            waiting: Vec::new(),
            notes: Vec::new(),
            left_out: Vec::new(),
            standing: None,
            step: None,
        }
    }

    #[test]
    fn another_state_is_kept_at_once_and_the_same_one_now_and_then() {
        let good = |seconds| report(Outcome::Unchanged, seconds);
        let first = LastPass::after(None, &good(1000), Some(Timestamp(1_000_000))).unwrap();
        assert_eq!(LastPass::after(Some(&first), &good(1599), None), None);
        for seconds in [1600, 999] {
            let again = LastPass::after(Some(&first), &good(seconds), None);
            assert_eq!(again.map(|again| again.at), Some(Timestamp(seconds * 1000)), "set back as well");
        }
        let doubt = report(Outcome::Doubtful(Doubt::new(DoubtKind::TooSlow, "slow")), 1001);
        assert_eq!(LastPass::after(Some(&first), &doubt, None).map(|kept| kept.kind), Some(Kind::Doubtful));
    }
}
