//! The lines of `status` that the ledger answers, where the agent has made no pass yet.

use super::age;
use crate::clock::Timestamp;
use crate::report::LastPass;

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
