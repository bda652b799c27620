//! What a chmpx says of itself and of its ring, as plain values: its answers on the control port and what
//! `chmpxstatus` prints. Nothing is asked here; `supervisor` does that.
//!
//! Keys that are not known are passed over, one that is needed and missing is an error, and so is an answer that was
//! cut off: a view never has fewer servers than chmpx counts. One answer cannot tell that, see [`all_status`].

mod answer;
mod chmpxstatus;
mod dump;
mod fields;
mod lines;
mod node_status;
mod reading;
mod row;
mod statuses;

#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::ring::Mode;

pub use answer::{Answer, Refusal, Trace, Version, answer, traces, version, waited};
pub use chmpxstatus::{chmpxstatus, chmpxstatus_self};
pub use dump::dump;
pub use node_status::{Action, NodeStatus, Operation};
pub use row::{HostLists, Row};
pub use statuses::{all_status, self_status};

/// All that DUMP or `chmpxstatus` tells of a running chmpx.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "chmpx says yes or no to each of them, and all of them can be yes"
)]
pub struct View {
    /// FILEVERSION of the file it runs on; `None` where it is no number from 0 to 4294967295 (chmpx keeps a signed
    /// one, and a FILEVERSION beyond 31 bits becomes negative).
    pub fileversion: Option<u32>,
    /// Its process.
    pub pid: u32,
    /// When that started, in seconds since 1970.
    pub started: u64,
    /// GROUP.
    pub group: String,
    /// Which kind of node it is.
    pub mode: Mode,
    /// AUTOMERGE of its file.
    pub automerge: bool,
    /// Whether SUSPENDMERGE holds; every reload ends that.
    pub automerge_suspended: bool,
    /// DOMERGE of its file.
    pub domerge: bool,
    /// REPLICA: copies beyond the first.
    pub replicas: u32,
    /// MAXCHMPX of the file it last loaded, which is not what its table has room for: see `capacity`.
    pub maxchmpx: usize,
    /// Rows of its table, taken and free together: MAXCHMPX as it was when the process started, since no reload makes
    /// the table larger. `None` where the answer does not count the free ones.
    pub capacity: Option<usize>,
    /// Whether it takes part in a merge now.
    pub operating: bool,
    /// Its own row.
    pub own: Row,
    /// The servers of its ring, by id; on a server itself as well.
    pub servers: Vec<Row>,
    /// The slaves that are connected to it, by id. Servers are among them, since they connect to each other in the
    /// same way.
    pub slaves: Vec<Row>,
    /// Processes that joined it, on a server its k2hdkc; `None` where the answer does not tell.
    pub clients: Option<Vec<u32>>,
}

/// What SELFSTATUS or `chmpxstatus -self` tells.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfStatus {
    /// GROUP; `chmpxstatus -self` does not tell.
    pub group: Option<String>,
    /// Which kind of node it is.
    pub mode: Mode,
    /// Its own row.
    pub own: Row,
}

/// What ALLSTATUS tells.
#[derive(Debug, Clone, PartialEq)]
pub struct AllStatus {
    /// GROUP.
    pub group: String,
    /// The servers of its ring, without their ids.
    pub servers: Vec<Row>,
}

/// Why an answer is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ViewError {
    /// The end is missing: the connection broke, or chmpx ended in the middle.
    #[error("the answer to {answer} is cut off")]
    CutOff {
        /// What was asked.
        answer: &'static str,
    },
    /// A key that is needed is not there.
    #[error("the answer to {answer} has no \"{key}\"")]
    Missing {
        /// What was asked.
        answer: &'static str,
        /// The key, as chmpx spells it in this answer.
        key: &'static str,
    },
    /// A value is not what its key promises.
    #[error("the answer to {answer} has an unreadable \"{key}\": \"{value}\"")]
    Unreadable {
        /// What was asked.
        answer: &'static str,
        /// The key, as chmpx spells it in this answer.
        key: &'static str,
        /// The value, cut and made printable.
        value: String,
    },
    /// chmpx counts more or fewer nodes than it lists. A whole answer says so while a reload changes the table, and for
    /// good once there are more servers than the table has room for: chmpx goes on counting, and ALLSTATUS then fills
    /// the difference with rows of uninitialised memory (read, lib/chmstructure.tcc:5640-5700 and 5861-5893).
    #[error("the answer to {answer} counts {counted} nodes in \"{key}\" and lists {listed}")]
    Miscounted {
        /// What was asked.
        answer: &'static str,
        /// The key of the count.
        key: &'static str,
        /// What it says.
        counted: usize,
        /// How many rows there are.
        listed: usize,
    },
    /// chmpx refused, or the text is something else altogether.
    #[error("the answer to {answer} is \"{said}\"")]
    Said {
        /// What was asked.
        answer: &'static str,
        /// What came, cut and made printable.
        said: String,
    },
}
