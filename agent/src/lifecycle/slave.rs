//! Rows of a slave's connections. A slave that sees no server serves no program.

use super::Action;
use super::history::{Due, Waiting};
use super::scene::{Draft, Scene};
use super::situation::label;
use super::words::Slave;
use crate::chmpx_state::{ChmpxState, Row};
use crate::supervisor::Step;

/// Waits for a server that serves, and then holds.
pub(super) fn alone(scene: &Scene<'_>, draft: &mut Draft, listed: usize) -> Action {
    draft.serves = true;
    let waits = draft.waited(scene, Waiting::Anybody) < scene.limits.timing.peers_within;
    if waits { scene.wait(Slave::Alone(listed)) } else { scene.hold(Slave::StaysAlone(listed)) }
}

/// Prompts a server that has turned this slave away: chmpx tries again only where it sees no server at all, or when that server
/// speaks (C30). A server that has ended is out of service to everybody with AUTOMERGE; without, it looks like one that has
/// turned the slave away until the operator takes it out, and there is nothing to report.
pub(super) fn turned_away(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState) -> Option<Action> {
    draft.serves = true;
    let servers = || view.turned_away().map(label).collect::<Vec<_>>().join(", ");
    let lost: Vec<_> = view.turned_away().filter_map(|row| scene.control_address(row)).collect();
    let due = |server| scene.history.ring.prompts.due(server, scene.now);
    if let Some(server) = lost.iter().find(|server| due(**server) == Due::Now) {
        return Some(Action::Step(Step::Prompt(*server), Slave::Prompted(servers()).into()));
    }
    let in_vain = lost.iter().any(|server| due(*server) == Due::InVain);
    if !in_vain && !lost.is_empty() {
        return Some(scene.wait(Slave::TurnedAway(servers())));
    }
    if !view.merges_by_itself() {
        return None;
    }
    let error = scene.observed.peers.unprompted.clone();
    Some(scene.hold(if in_vain {
        Slave::PromptedInVain { servers: servers(), error }
    } else {
        Slave::Unreachable(servers())
    }))
}

impl ChmpxState {
    /// Returns the servers that serve, and to which this slave has no connection.
    pub(super) fn turned_away(&self) -> impl Iterator<Item = &Row> {
        self.servers.iter().filter(|row| row.status.is_in_service() && !row.status.is_up())
    }
}
