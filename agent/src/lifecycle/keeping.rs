//! Where this server's keys live, and when a restart of k2hdkc would take the only copy of them away.

use serde::{Deserialize, Serialize};

use super::{Case, Known, Memory, is_own};
use crate::ring::Ring;
use crate::supervisor::{Identity, Running};
use crate::view::{Action, NodeStatus, View};

/// Where a k2hdkc keeps its keys (K2HTYPE and K2HFILE of its section; K2HINIT is read and never used, k2hdkc 1.0.19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Database {
    /// They end with the process: in memory, or in a temporary file.
    Passing,
    /// In this file.
    File(String),
}

/// A k2hdkc, and where it has its keys: a later file may say another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeps {
    /// The process.
    pub id: Identity,
    /// What it was started with.
    pub database: Database,
}

impl Database {
    /// As the file says it.
    pub fn of(ring: &Ring) -> Self {
        let keys = ring.profile.k2hdkc.as_deref().unwrap_or_default();
        let last =
            |name: &str| keys.iter().rfind(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
        let (kind, file) = (last("K2HTYPE").to_ascii_lowercase(), last("K2HFILE"));
        match kind.as_str() {
            "f" | "file" | "" if !file.is_empty() => Self::File(file.to_owned()),
            _ => Self::Passing,
        }
    }
}

/// What is seen of the other servers over a restart of chmpx: whether they kept their keys meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Others {
    /// The chmpx whose answers these are.
    of: Option<Identity>,
    /// Whether the last answer of the one before it found all of them in service.
    before: bool,
    /// Whether one of them was seen to start, to go or to be without k2hdkc since.
    broken: bool,
    /// How many were up, and whether all were in service, in the last answer.
    up: usize,
    well: bool,
}

impl Others {
    /// Takes what chmpx says now.
    pub(super) fn notice(&mut self, chmpx: Identity, view: &View) {
        if self.of != Some(chmpx) {
            *self = Self { of: Some(chmpx), before: self.well, ..Self::default() };
        }
        let others = || others(view);
        let up = others().filter(|status| status.is_up()).count();
        // One that is down has perhaps not been reached yet; one that comes up in the middle of a join was gone.
        self.broken |= up < self.up || others().any(|status| status.is_up() && !serves_on(status));
        (self.up, self.well) = (up, up > 0 && others().all(serves_on));
    }

    /// A new file may have ended chmpx, and then everywhere.
    pub(super) fn doubt(&mut self) {
        self.well = false;
    }

    /// Whether all others were in service before this chmpx came, and have been since.
    fn kept_theirs(self, chmpx: Option<Identity>) -> bool {
        self.of.is_some() && self.of == chmpx && self.before && self.well && !self.broken
    }
}

/// How the other servers are.
fn others(view: &View) -> impl Iterator<Item = NodeStatus> {
    view.servers.iter().filter(|row| !is_own(row, view)).map(|row| row.status)
}

/// In service, and no newcomer: perhaps in the merge of another server.
fn serves_on(status: NodeStatus) -> bool {
    status.is_up() && status.is_in_service() && !status.is_suspended() && status.action() == Action::Nothing
}

/// Why a restart of this k2hdkc would take the only copy of its keys away, where it would.
pub(super) fn would_lose(case: &Case<'_>, memory: &Memory, known: &Known, k2hdkc: Running) -> Option<String> {
    let next = Database::of(case.ring);
    let has = known.database_of(k2hdkc.id).unwrap_or(&next);
    let place = match has {
        Database::File(_) if *has == next => return None,
        Database::File(path) => format!("its database is {path}, and the file names another one"),
        Database::Passing => "its database is in memory".to_owned(),
    };
    let at_once = known.restart.as_ref().is_some_and(|restart| restart.at_once);
    if at_once && case.peers().next().is_some() {
        return Some(format!("{place} and the other servers restart at the same time"));
    }
    if case.ring.replicas() == 0 {
        return Some(format!("{place} and REPLICA is 0"));
    }
    let Some(view) = case.view() else {
        return Some(format!("{place}, and chmpx has not said who else serves"));
    };
    if !others(view).any(NodeStatus::is_healthy) {
        return Some(format!("{place} and no other server is in service"));
    }
    // Where chmpx ended on several servers at once, none of them hands a newcomer its keys.
    let outlived = case.observed.chmpx.is_some_and(|chmpx| k2hdkc.id.ticks <= chmpx.id.ticks);
    let kept = memory.others.kept_theirs(case.observed.chmpx.map(|chmpx| chmpx.id));
    (outlived && !kept).then(|| {
        format!("{place}, and the other servers were not seen in service all the time, as is needed")
    })
}

/// Whether the file names another database than this k2hdkc has: its keys do not move with a restart.
pub(super) fn moves(case: &Case<'_>, known: &Known, k2hdkc: Running) -> bool {
    known.database_of(k2hdkc.id).is_some_and(|database| *database != Database::of(case.ring))
}
