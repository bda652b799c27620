//! The processes that run what the file says. The second thing that a unit test cannot have, hence a trait.

pub mod chmpx_status;
pub mod control_port;

use std::collections::BTreeSet;
use std::future::Future;

use crate::plan::Class;
use crate::ring::NodeKey;

/// Sees and moves the local chmpx and k2hdkc.
pub trait Target {
    /// Its name in `status`.
    fn name(&self) -> &'static str;

    /// What the processes are and say now. No answer is not a failure: what is unknown is `None`.
    fn observe(&mut self) -> impl Future<Output = Observed>;

    /// Makes the processes run an installed file: whatever `class` needs beyond the replacement itself.
    fn act(&mut self, class: Class) -> impl Future<Output = Acted>;
}

/// What is known of the processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// FILEVERSION that the running chmpx reports.
    pub loaded: Option<u32>,
    /// MAXCHMPX with which the running chmpx sized its table.
    pub running_maxchmpx: Option<usize>,
    /// Servers that chmpx reports as up.
    pub up: Option<BTreeSet<NodeKey>>,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// The processes have done it.
    Done,
    /// Nobody here may touch the processes; what they need stands in the text.
    NotOurs(Option<String>),
}

/// Target kind `none`: only the file is ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileOnly;

impl Target for FileOnly {
    fn name(&self) -> &'static str {
        "none"
    }

    async fn observe(&mut self) -> Observed {
        Observed::default()
    }

    async fn act(&mut self, class: Class) -> Acted {
        let needs = match class {
            Class::RestartK2hdkc | Class::RestartChmpx | Class::Impossible => {
                Some(class.meaning().to_owned())
            }
            Class::Nothing | Class::FileOnly | Class::Reload => None,
        };
        Acted::NotOurs(needs)
    }
}
