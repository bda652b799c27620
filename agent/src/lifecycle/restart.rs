//! Rows of a restart: one server after the other. Its keys are read from their other copies meanwhile, where chmpx runs the merges as
//! far as the ring finds those (D6, D10).

use super::history::Waiting;
use super::persisted::{PendingRestart, Urgency};
use super::rules::STUCK_WITHIN;
use super::scene::{Draft, Scene};
use super::words::{self, Stop};
use super::{Action, RestartBegun, data_safety, stopping};
use crate::chmpx_state::{ChmpxState, NodeStatus};
use crate::supervisor::Running;

/// Permission to stop the programs now.
#[derive(Debug)]
enum Readiness {
    /// Granted.
    Ready,
    /// Another action comes first.
    NotYet(Action),
    /// The operator has to look.
    NotAllowed(words::Restart),
}

/// Stops k2hdkc for a restart, once that is safe.
pub(super) fn of_k2hdkc(scene: &Scene<'_>, draft: &mut Draft, k2hdkc: Running) -> Option<Action> {
    let restart = scene.persisted.must_go(scene, k2hdkc.id)?;
    let for_a_change = restart.urgency == Urgency::Change;
    if for_a_change && data_safety::moves(scene, scene.persisted, k2hdkc) {
        draft.report(words::Restart::OtherDatabase(k2hdkc.id.pid));
        return None;
    }
    if stopping::at_risk(scene, draft, k2hdkc, restart.why.clone()) {
        return None;
    }
    match readiness(scene, draft, restart) {
        Readiness::Ready => {
            draft.restarts = Some(RestartBegun { chmpx: restart.chmpx });
            Some(stopping::k2hdkc(scene, k2hdkc, Stop::ForRestart(restart.why.clone())))
        }
        // A restart for a changed key may wait long, and so may one in a merge; both are cared for meanwhile.
        Readiness::NotYet(wait) if for_a_change || !serves(scene) => {
            draft.defer(wait);
            None
        }
        Readiness::NotYet(wait) => Some(wait),
        Readiness::NotAllowed(reason) => {
            draft.report(reason);
            None
        }
    }
}

/// Stops chmpx for a restart, once its k2hdkc has been gone for a moment.
pub(super) fn of_chmpx(
    scene: &Scene<'_>,
    draft: &mut Draft,
    chmpx: Running,
    restart: &PendingRestart,
) -> Option<Action> {
    if restart.chmpx != Some(chmpx.id) {
        return None;
    }
    if let Err(reason) = allowed(scene, restart) {
        draft.report(reason);
        return None;
    }
    // Where the whole ring ends at once, those that are left merge meanwhile, and hear no HUP.
    let hurries = scene.is_server() && restart.hurries();
    let patience = if hurries { STUCK_WITHIN } else { scene.limits.timing.stop_within };
    Some(stopping::chmpx(scene, chmpx, patience, Stop::ForRestart(restart.why.clone())))
}

/// Checks that the operator allows this restart.
fn allowed(scene: &Scene<'_>, restart: &PendingRestart) -> Result<(), words::Restart> {
    if restart.urgency > Urgency::Change || !scene.limits.restarts.forbids(scene.mode()) {
        return Ok(());
    }
    let pid = scene.observed.chmpx.map(|chmpx| chmpx.id.pid);
    Err(words::Restart::Forbidden { cause: restart.why.clone(), pid })
}

fn serves(scene: &Scene<'_>) -> bool {
    scene.view().is_some_and(|view| view.own.status.is_healthy())
}

/// Decides on the next thing before a restart. A server of a ring that the agents change keeps its slot while it is down: the next
/// holders answer for its keys, and its return merges.
fn readiness(scene: &Scene<'_>, draft: &mut Draft, restart: &PendingRestart) -> Readiness {
    if let Err(reason) = allowed(scene, restart) {
        return Readiness::NotAllowed(reason);
    }
    let Some(view) = scene.view().filter(|_| scene.observed.chmpx.is_some() && !restart.hurries()) else {
        return Readiness::Ready;
    };
    let status = view.own.status;
    // One that serves nobody is missed by nobody; and without peers nobody could take the keys over.
    if !status.is_in_service() || status.is_suspended() || scene.peers().next().is_none() {
        return Readiness::Ready;
    }
    if let Some(progress) = scene.change() {
        return Readiness::NotYet(scene.wait(progress.clone()));
    }
    if !status.is_healthy() {
        return not_yet(scene, words::Restart::Unhealthy { cause: restart.why.clone(), status });
    }
    let waits = unwell_peer(scene, view, restart).or_else(|| turn(scene, draft, restart));
    waits.unwrap_or(Readiness::Ready)
}

fn not_yet(scene: &Scene<'_>, reason: words::Restart) -> Readiness {
    Readiness::NotYet(scene.wait(reason))
}

/// Waits for every other server of the file, also for one that failed to come back from the same restart.
fn unwell_peer(scene: &Scene<'_>, view: &ChmpxState, restart: &PendingRestart) -> Option<Readiness> {
    let statuses = scene.peers().map(|node| (node, view.status_of(node)));
    let (node, status) = { statuses }.find(|(_, status)| !status.is_some_and(NodeStatus::is_healthy))?;
    let is = status.map_or_else(|| "not listed".to_owned(), |status| status.to_string());
    let reason = words::Restart::PeerIsUnwell { cause: restart.why.clone(), peer: node.label(), status: is };
    let up = status.is_some_and(NodeStatus::is_up);
    Some(if up { not_yet(scene, reason) } else { Readiness::NotAllowed(reason) })
}

/// Waits for the turn of this server, and for a time in which all were well.
fn turn(scene: &Scene<'_>, draft: &mut Draft, restart: &PendingRestart) -> Option<Readiness> {
    let cause = restart.why.clone();
    let turn = scene.limits.timing.restart_stagger.saturating_mul(scene.rank());
    if scene.boot.since(restart.at).is_none_or(|waited| waited < turn) {
        return Some(not_yet(scene, words::Restart::Turn { cause }));
    }
    let settles = draft.waited(scene, Waiting::Calm) < scene.limits.timing.settle_before_drain;
    settles.then(|| not_yet(scene, words::Restart::Settling { cause }))
}
