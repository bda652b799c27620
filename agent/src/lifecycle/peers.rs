//! Rows of the other servers' changes.
//!
//! A server that went down in the middle of a change stays in everybody's list as `[DELETE][Pending]` or `[DELETE][Done]`, and
//! keeps everybody else from joining and leaving, as long as nobody completes the change: the one that would have is gone (C32).
//! COMPMERGE at any of the others ends it. The first of those in service does it, by the order of the file, which is the same
//! everywhere; the next ones do it where the first does not. Given twice it does nothing more. A server that still copies is
//! waited for.

use super::history::Waiting;
use super::rules::{DEPARTED_FOR, NUDGE_AGAIN, SILENT_CHANGE, STALLED};
use super::scene::{Draft, Scene};
use super::situation::label;
use super::words::Peer;
use super::{Action, Situation, stopping};
use crate::chmpx_state::{Action as Change, ChmpxState, NodeStatus, Operation, Row};
use crate::supervisor::{ControlCommand, Named, Program};

/// A server that went down in the middle of a change.
#[derive(Debug)]
pub(super) struct LeftBehind<'a> {
    view: &'a ChmpxState,
    row: &'a Row,
    /// The command that ends the change: it is completed without the server, or the server is taken out of service first, where
    /// it had begun nothing and is no member any more.
    command: ControlCommand,
}

/// Returns the first server that is left behind.
pub(super) fn left_behind<'a>(scene: &Scene<'a>) -> Option<LeftBehind<'a>> {
    let view = scene.server_view().filter(|view| view.own.status.is_up())?;
    let up_in = |operation| move |row: &Row| row.status.is_up() && row.status.operation() == operation;
    if view.servers.iter().any(up_in(Operation::Doing)) {
        return None;
    }
    // With one that waits to copy it is a merge that nobody has started: completed, it would pass that one over.
    let unstarted = view.servers.iter().any(up_in(Operation::Pending))
        && view.servers.iter().all(|row| row.status.operation() != Operation::Done);
    let mut gone = view.others().filter(|row| !row.status.is_up() && row.status.is_in_service());
    gone.find_map(|row| {
        let command = match row.status.action() {
            Change::Delete if unstarted => ControlCommand::Merge,
            Change::Delete => ControlCommand::CompMerge,
            Change::Add => return None,
            Change::Nothing => {
                let listed = scene.ring.servers.iter().any(|node| row.is_of(node));
                ControlCommand::Dismiss(named(scene, row).filter(|_| !listed)?)
            }
        };
        Some(LeftBehind { view, row, command })
    })
}

/// Ends the change that a server left behind, in turn.
pub(super) fn end_change(scene: &Scene<'_>, draft: &mut Draft, left: LeftBehind<'_>) -> Option<Action> {
    let LeftBehind { view, row, command } = left;
    let (server, status) = (label(row), row.status);
    if !view.merges_by_itself() {
        draft.report(Peer::LeftBehindByHand { server, status });
        return None;
    }
    let waited = draft.waited(scene, Waiting::LeftBehind);
    let due = DEPARTED_FOR + NUDGE_AGAIN.saturating_mul(turn(scene, view));
    if waited < due {
        return Some(scene.wait(Peer::LeftBehind { server, status }));
    }
    let reason = Peer::StillLeftBehind { server: server.clone(), status };
    match scene.history.nudges.next(command, scene.now, reason) {
        Some(nudge @ Action::Step(..)) => Some(nudge),
        // The command takes a moment to come round.
        Some(wait) if waited < due + SILENT_CHANGE => Some(wait),
        _ => Some(scene.hold(Peer::LeftBehindForGood { server, status, tried: waited.saturating_sub(due) })),
    }
}

/// Returns the server as SERVICEOUT names it.
fn named(situation: &Situation<'_>, row: &Row) -> Option<Named> {
    let id = match situation.ring.global("CHMPXIDTYPE").to_ascii_uppercase().as_str() {
        "CUSTOM" => &row.seed,
        // They have colons in them, and SERVICEOUT cannot say those.
        "CTLENDPOINTS" | "CTLEPS" => return None,
        _ => &row.cuk,
    };
    Some(Named { host: row.name.clone(), ctlport: row.ctlport?, id: id.clone() })
}

/// Returns how many others come first: those in service, in the order of the file; then the rest.
fn turn(scene: &Scene<'_>, view: &ChmpxState) -> u32 {
    let own = scene.own();
    let in_service =
        scene.ring.servers.iter().filter(|node| view.status_of(node).is_some_and(NodeStatus::serves));
    let mine = view.own.status.serves();
    let before =
        in_service.take_while(|node| !mine || own.is_none_or(|own| !std::ptr::eq(*node, own))).count();
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    if mine { before } else { before.saturating_add(scene.rank()) }
}

/// Ends the pair of a server that no other host answers: its queues hold writes that must not be carried out late. It starts
/// again once a host answers. A slave's chmpx stays, since its end would break the handles of the programs there.
pub(super) fn isolated(scene: &Scene<'_>, draft: &mut Draft) -> Option<Action> {
    if !scene.is_server() {
        draft.report(Peer::Isolated);
        return None;
    }
    let k2hdkc = scene.observed.k2hdkc;
    if k2hdkc.is_some_and(|k2hdkc| stopping::at_risk(scene, draft, k2hdkc, Peer::Isolated.to_string())) {
        return None;
    }
    let k2hdkc = k2hdkc.map(|k2hdkc| (Program::K2hdkc, k2hdkc.id));
    let chmpx = scene.observed.chmpx.map(|chmpx| (Program::Chmpx, chmpx.id));
    let kill = |id| scene.history.signals.kill(id, scene.now, Peer::Isolated);
    Some(k2hdkc.or(chmpx).map_or_else(|| scene.hold(Peer::Isolated), kill))
}

/// Reports the servers that chmpx lists as up although their hosts acknowledge nothing.
pub(super) fn report_dead(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState) -> Option<Action> {
    let dead = &scene.observed.peers.dead.lost;
    let is_dead = |row: &Row| {
        scene.control_address(row).is_some_and(|address| dead.contains_key(&address.ip().to_canonical()))
    };
    for row in view.others().filter(|row| row.status.is_up() && is_dead(row)) {
        draft.report(Peer::Dead { server: label(row), status: row.status });
    }
    None
}

/// Reports a change of another server that does not go on although that server is up: its own agent should end it.
pub(super) fn report_stuck(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState) -> Option<Action> {
    let changing = |row: &&Row| row.status.is_up() && row.status.operation() != Operation::Nothing;
    for row in view.others().filter(changing) {
        let time = scene.history.ring.changes.time_of(row, scene.now);
        let copies = row.status.operation() == Operation::Doing;
        if time >= if copies { scene.limits.timing.merge_within } else { STALLED } {
            draft.report(Peer::Sticks { server: label(row), status: row.status, time });
        }
    }
    None
}
