//! Status of the ring, for `status`, `diff` and `leave`: where the keys are, the change that waits or runs, what the next one would
//! cost, and what the last one took.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::problem::Note;
use crate::ring_change::Progress;
use crate::ring_change::prediction::Prediction;
use crate::ring_change::record::LastChange;

/// Status of the ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RingStatus {
    /// The data of the ring.
    pub data: Note,
    /// The change that waits or runs, with its stage and the servers that it waits for.
    pub change: Option<Note>,
    /// Prediction of the next change, or of the one under way; absent where nothing is known, or chmpx runs the merges.
    pub predicted: Option<Prediction>,
    /// Longest predicted stop of a change that runs without being confirmed (`merge.longest-stop`).
    #[serde(rename = "longest-stop-ms", with = "crate::clock::millis")]
    pub longest_stop: Duration,
    /// The last change that this node saw from its begin to its end.
    pub last: Option<LastChange>,
}

/// Returns the change that waits or runs.
pub fn change(progress: &Progress) -> Option<Note> {
    let shown = progress.is_under_way() || progress.hold.is_some() || progress.is_wanted();
    shown.then(|| Note { code: progress.code().to_owned(), text: progress.to_string() })
}
