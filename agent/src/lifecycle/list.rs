//! The row of chmpx's list of servers: it lists the servers of the file. A server that has left the file stays listed while it is
//! up; one that was taken out of service before it went stays until the next generation.

use super::history::Waiting;
use super::rules::{MOST_RELISTS, STICKS_AFTER};
use super::scene::{Draft, Scene};
use super::situation::label;
use super::words::File;
use super::{Action, Rewrite, Situation, resolving};
use crate::chmpx_state::{ChmpxState, Row};
use crate::ring::Node;

/// The first difference between chmpx's list of servers and the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum ListDifference<'a> {
    /// chmpx does not list this server of the file.
    Missing(&'a Node),
    /// chmpx lists a server that is not in the file.
    Surplus(&'a Row),
}

impl<'a> Situation<'a> {
    /// Returns the first difference between chmpx's list of servers and the file.
    pub(super) fn list_differs(&self, view: &'a ChmpxState) -> Option<ListDifference<'a>> {
        let (nodes, rows) = (&self.ring.servers, &view.servers);
        let missing = nodes.iter().find(|node| !rows.iter().any(|row| row.is_of(node)));
        let surplus = || rows.iter().find(|row| !nodes.iter().any(|node| row.is_of(node)));
        missing.map(ListDifference::Missing).or_else(|| surplus().map(ListDifference::Surplus))
    }
}

/// Writes the same ring again to correct the list, once in a while and not for ever.
pub(super) fn correct(scene: &Scene<'_>, draft: &mut Draft, difference: ListDifference<'_>) -> Action {
    let reason = match difference {
        ListDifference::Missing(node) => File::NotListed(node.label()),
        ListDifference::Surplus(row) if row.status.is_up() || row.status.is_in_service() => {
            let reason = File::ListedUntilItEnds { server: label(row), status: row.status };
            return Action::Wait(reason.into(), scene.limits.timing.resync_interval);
        }
        ListDifference::Surplus(row) => File::StillListed(label(row)),
    };
    if let Some(wait) = resolving::wait(scene, &reason) {
        return wait;
    }
    if draft.waited(scene, Waiting::List) < STICKS_AFTER {
        return scene.wait(reason);
    }
    if scene.history.file.relists >= MOST_RELISTS {
        return scene.hold(reason);
    }
    Action::Rewrite(Rewrite::List, reason.into())
}
