//! The safety of keys: where a k2hdkc keeps them, and when its restart would take the only copy away.

use serde::{Deserialize, Serialize};

use super::persisted::Persisted;
use super::scene::Scene;
use super::situation::Situation;
use crate::chmpx_state::{Action, ChmpxState, NodeStatus};
use crate::ring::Ring;
use crate::supervisor::{ProcessId, Running};

/// The place of a k2hdkc's keys (K2HTYPE and K2HFILE of its section; K2HINIT is read and never used, k2hdkc 1.0.19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Database {
    /// Memory, or a temporary file: they end with the process.
    #[serde(rename = "passing")]
    Volatile,
    /// A file, by its path.
    File(String),
}

/// A k2hdkc, and the place of its keys: a later file may say another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedK2hdkc {
    /// The process.
    pub id: ProcessId,
    /// The place that it was started with.
    pub database: Database,
}

impl Database {
    /// Returns the place that the file says.
    pub fn of(ring: &Ring) -> Self {
        let keys = ring.profile.k2hdkc.as_deref().unwrap_or_default();
        let last =
            |name: &str| keys.iter().rfind(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
        let (kind, file) = (last("K2HTYPE").to_ascii_lowercase(), last("K2HFILE"));
        match kind.as_str() {
            "f" | "file" | "" if !file.is_empty() => Self::File(file.to_owned()),
            _ => Self::Volatile,
        }
    }
}

/// Returns the statuses of the other servers.
pub(super) fn others(view: &ChmpxState) -> impl Iterator<Item = NodeStatus> + use<'_> {
    view.others().map(|row| row.status)
}

/// Returns true for a server in service that is no newcomer, be it in the merge of another server.
pub(super) fn serves_on(status: NodeStatus) -> bool {
    status.serves() && status.action() == Action::Nothing
}

/// Returns the loss that a restart of this k2hdkc would mean: the only copy of its keys.
pub(super) fn loss(scene: &Scene<'_>, k2hdkc: Running) -> Option<String> {
    let next = Database::of(scene.ring);
    let has = scene.persisted.database_of(k2hdkc.id).unwrap_or(&next);
    let place = match has {
        Database::File(_) if *has == next => return None,
        Database::File(path) => format!("its database is {path}, and the file names another one"),
        Database::Volatile => "its database is in memory".to_owned(),
    };
    loss_of_others(scene, k2hdkc).map(|cause| format!("{place}{cause}"))
}

/// Returns the reason for which the other servers do not have those keys.
fn loss_of_others(scene: &Scene<'_>, k2hdkc: Running) -> Option<&'static str> {
    let at_once = scene.persisted.restart.as_ref().is_some_and(|restart| restart.at_once);
    if at_once && scene.peers().next().is_some() {
        return Some(" and the other servers restart at the same time");
    }
    if scene.ring.replicas() == 0 {
        return Some(" and REPLICA is 0");
    }
    let Some(view) = scene.view() else { return Some(", and chmpx has not said who else serves") };
    if !others(view).any(NodeStatus::is_healthy) {
        return Some(" and no other server is in service");
    }
    // Where chmpx ended on several servers at once, none of them hands a newcomer its keys.
    let chmpx = scene.observed.chmpx.map(|chmpx| chmpx.id);
    let unbroken = scene.history.ring.continuity.unbroken(chmpx);
    (scene.outlived(k2hdkc) && chmpx.is_some() && !unbroken)
        .then_some(", and the other servers were not seen in service all the time, as is needed")
}

/// Returns true where the file names another database than this k2hdkc has: its keys do not move with a restart.
pub(super) fn moves(situation: &Situation<'_>, persisted: &Persisted, k2hdkc: Running) -> bool {
    persisted.database_of(k2hdkc.id).is_some_and(|database| *database != Database::of(situation.ring))
}

impl Situation<'_> {
    /// Returns true for a k2hdkc that is older than its chmpx: it has lost its merge callbacks, and would answer the next merge
    /// with nothing while every status looks healthy (30 of 60 keys unreadable).
    pub(super) fn outlived(&self, k2hdkc: Running) -> bool {
        self.observed.chmpx.is_none_or(|chmpx| k2hdkc.id.start_ticks <= chmpx.id.start_ticks)
    }
}
