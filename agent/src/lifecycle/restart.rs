//! Rows of a restart: one server after the other, and each out of service first, so that no request waits for it. Its keys are
//! read from their other copies meanwhile, as far as the ring finds those (D6, D10).

use super::history::Waiting;
use super::persisted::{PendingRestart, Urgency};
use super::rules::{NUDGE_AGAIN, OUT_FOR, STUCK_WITHIN};
use super::scene::{Draft, Scene};
use super::words::{self, Join, Stop};
use super::{Action, Demand, RestartBegun, data_safety, stopping};
use crate::chmpx_state::{Action as Change, ChmpxState, NodeStatus, Operation};
use crate::plan::Class;
use crate::supervisor::{ControlCommand, Running};

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
        // A restart for a changed key may wait long; reloads and merges are cared for meanwhile.
        Readiness::NotYet(action @ Action::Wait(..)) if for_a_change && serves(scene) => {
            draft.defer(action);
            None
        }
        Readiness::NotYet(action) => Some(action),
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

/// Checks that the operator allows this restart. One that has begun is brought to its end: the server is out of service.
fn allowed(scene: &Scene<'_>, restart: &PendingRestart) -> Result<(), words::Restart> {
    let forbidden = restart.urgency == Urgency::Change && scene.limits.restarts.forbids(scene.mode());
    if !forbidden || scene.persisted.has_drained(scene) {
        return Ok(());
    }
    let pid = scene.observed.chmpx.map(|chmpx| chmpx.id.pid);
    Err(words::Restart::Forbidden { cause: restart.why.clone(), pid })
}

fn serves(scene: &Scene<'_>) -> bool {
    scene.view().is_some_and(|view| view.own.status.is_healthy())
}

/// Decides on the next thing before a restart. The ring is the lock: chmpx lets one server at a time leave, and answers
/// "operating now" to the others.
fn readiness(scene: &Scene<'_>, draft: &mut Draft, restart: &PendingRestart) -> Readiness {
    if let Err(reason) = allowed(scene, restart) {
        return Readiness::NotAllowed(reason);
    }
    let Some(view) = scene.view().filter(|_| scene.observed.chmpx.is_some() && !restart.hurries()) else {
        return Readiness::Ready;
    };
    let (status, cause) = (view.own.status, restart.why.clone());
    if !status.is_in_service() {
        let settles = scene.persisted.has_drained(scene) && scene.history.in_status_for(scene.now) < OUT_FOR;
        return if settles {
            not_yet(scene, words::Restart::OutOfService { cause })
        } else {
            Readiness::Ready
        };
    }
    // A suspended one serves nobody; and without peers nobody could take the keys over.
    if status.is_suspended() || scene.peers().next().is_none() {
        return Readiness::Ready;
    }
    if scene.ring_change.is_some() {
        return beside_ring_change(scene, draft, view, restart);
    }
    if !view.merges_by_itself() {
        return Readiness::NotAllowed(words::Restart::AutomergeIsOff { cause });
    }
    if !status.is_healthy() {
        return merging(scene, restart, status);
    }
    unwell_peer(scene, view, restart).unwrap_or_else(|| leave_the_service(scene, draft, restart))
}

/// Restarts a server whose ring the agents change. It keeps its slot while it is down, the next holders answer for its keys,
/// and its return merges: it need not leave the service.
fn beside_ring_change(
    scene: &Scene<'_>,
    draft: &mut Draft,
    view: &ChmpxState,
    restart: &PendingRestart,
) -> Readiness {
    if let Some(progress) = scene.change() {
        return Readiness::NotYet(scene.wait(progress.clone()));
    }
    let waits = unwell_peer(scene, view, restart).or_else(|| turn(scene, draft, restart));
    waits.unwrap_or(Readiness::Ready)
}

fn not_yet(scene: &Scene<'_>, reason: words::Restart) -> Readiness {
    Readiness::NotYet(scene.wait(reason))
}

/// A stuck merge ends with its pair, which was to stop anyway: its keys have their other copies, and come back with it.
fn merging(scene: &Scene<'_>, restart: &PendingRestart, status: NodeStatus) -> Readiness {
    let merging = matches!(status.operation(), Operation::Doing | Operation::Done)
        || (status.action() == Change::Delete && scene.persisted.has_drained(scene));
    let sticks = scene.history.merge_sticks(scene).filter(|_| merging);
    sticks.map_or_else(
        || not_yet(scene, words::Restart::Unhealthy { cause: restart.why.clone(), status }),
        |why| {
            let (class, urgency) = (Class::RestartChmpx, Urgency::Stuck);
            let reason = Join::MergeSticks { status, why }.into();
            Readiness::NotYet(Action::Demand(Demand { class, urgency, reason, repair: false }))
        },
    )
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

/// Takes this server out of service, in its turn.
fn leave_the_service(scene: &Scene<'_>, draft: &mut Draft, restart: &PendingRestart) -> Readiness {
    if let Some(waits) = turn(scene, draft, restart) {
        return waits;
    }
    let cause = restart.why.clone();
    draft.persisted.drained = scene.observed.chmpx.map(|chmpx| chmpx.id);
    let reason = words::Restart::LeavesTheService { cause: cause.clone() };
    let nudge = scene.history.nudges.next(ControlCommand::ServiceOut, scene.now, reason);
    nudge.map_or_else(|| not_yet(scene, words::Restart::StaysInService { cause }), Readiness::NotYet)
}

/// Brings a server back that was taken out of service for a restart.
pub(super) fn bring_back(scene: &Scene<'_>) -> Option<Action> {
    if scene.persisted.restart.is_some() || !scene.persisted.has_drained(scene) {
        return None;
    }
    let nudge = scene.history.nudges.next(ControlCommand::ServiceIn, scene.now, words::Restart::ComesBack);
    Some(nudge.unwrap_or_else(|| Action::hold(words::Restart::StaysOut, NUDGE_AGAIN)))
}
