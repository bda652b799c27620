//! State of a chmpx and of its ring as plain values, read from its answers on the control port and from the output of
//! `chmpxstatus`. Pure; [`crate::supervisor`] asks.
//!
//! Unknown keys are ignored, and a missing one is an error. So is a cut-off answer: a view never lists fewer servers than
//! chmpx counts. ALLSTATUS counts nothing, see [`all_status()`].

mod all_status;
mod answer;
mod chmpxstatus;
mod dump;
mod fields;
mod lines;
mod node_status;
mod reading;
mod row;

#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use all_status::{AllStatus, all_status};
pub use answer::is_accepted;
pub use chmpxstatus::chmpxstatus;
pub use dump::dump;
pub use node_status::{Action, NodeStatus, Operation};
pub use row::Row;

/// State of a running chmpx, from DUMP or `chmpxstatus`.
#[derive(Debug, Clone, PartialEq)]
pub struct ChmpxState {
    /// FILEVERSION of the loaded file; `None` if it is no number from 0 to 4294967295 (chmpx keeps a signed one, and a
    /// FILEVERSION beyond 31 bits becomes negative).
    pub fileversion: Option<u32>,
    /// Process of chmpx.
    pub pid: u32,
    /// AUTOMERGE of the loaded file.
    pub automerge: bool,
    /// MERGETIMEOUT of the loaded file, in seconds.
    pub merge_timeout: u64,
    /// True while SUSPENDMERGE holds; every reload ends it.
    pub automerge_suspended: bool,
    /// Rows of its table, taken and free: MAXCHMPX at the start of the process, since no reload enlarges the table. `None`
    /// if the answer does not count the free ones.
    pub capacity: Option<usize>,
    /// Row of this node.
    pub own: Row,
    /// Servers of the ring by id; a server lists itself as well.
    pub servers: Vec<Row>,
    /// Connected slaves by id. Servers are among them: they connect to each other as slaves do.
    pub slaves: Vec<Row>,
}

/// Reason why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ViewError {
    /// The end is missing: the connection broke, or chmpx ended amid the answer.
    #[error("the answer to {answer} is cut off")]
    CutOff {
        /// Command of the answer.
        answer: &'static str,
    },
    /// A required key is missing.
    #[error("the answer to {answer} has no \"{key}\"")]
    Missing {
        /// Command of the answer.
        answer: &'static str,
        /// The key in chmpx's spelling.
        key: &'static str,
    },
    /// A value has another form than its key requires.
    #[error("the answer to {answer} has an unreadable \"{key}\": \"{value}\"")]
    Unreadable {
        /// Command of the answer.
        answer: &'static str,
        /// The key in chmpx's spelling.
        key: &'static str,
        /// The value, cut and made printable.
        value: String,
    },
    /// chmpx counts more or fewer nodes than it lists: for a moment while a reload changes the table, and for good once
    /// there are more servers than rows. chmpx then goes on counting, and ALLSTATUS fills the difference with
    /// uninitialised memory (read, lib/chmstructure.tcc:5640-5700 and 5861-5893).
    #[error("the answer to {answer} counts {counted} nodes in \"{key}\" and lists {listed}")]
    Miscounted {
        /// Command of the answer.
        answer: &'static str,
        /// Key of the count.
        key: &'static str,
        /// Value of the count.
        counted: usize,
        /// Number of rows.
        listed: usize,
    },
    /// chmpx refused, or the text is no answer of chmpx.
    #[error("the answer to {answer} is \"{said}\"")]
    Said {
        /// Command of the answer.
        answer: &'static str,
        /// The text, cut and made printable.
        said: String,
    },
}
