//! Rows of the way out of the cluster, for a VM that will be destroyed. The others copy a server's keys first, in a change of the
//! ring; then k2hdkc and chmpx stop for good, and only then K2HR3 is told. A slave has no keys: K2HR3 is told first, and programs
//! on it are served till then.
//!
//! Servers that stay copy nothing where chmpx runs the merges (D6, D10): there a server in service leaves by force only.
//!
//! A stop for maintenance goes the same way as far as the end of its programs, without a change of the ring. K2HR3 is not told: the
//! node stays a member, and the operator starts it again.
//!
//! The ledger has each stage before anything is done for it, so that an agent that was killed goes on where it was.

use super::rules::{ANSWERS_LATE_FOR, UNSEEN_WITHIN};
use super::scene::{Draft, Scene, soon};
use super::words::{Leave, Stop};
use super::{Action, Departure, Situation, Stage, stopping};
use crate::chmpx_state::{Action as Change, ChmpxState, NodeStatus};
use crate::ring::{Mode, Node};
use crate::ring_change::{Merges, Progress};
use crate::supervisor::{ControlCommand, Program, Step};

/// Takes a server out of the ring before it stops; `None` where it goes on as every other, because it must serve before it can
/// leave.
pub(super) fn drain(scene: &Scene<'_>, draft: &mut Draft, leaving: &Departure) -> Option<Action> {
    if leaving.force {
        return Some(hasten(scene, draft, leaving));
    }
    if scene.observed.unobservable.is_some() {
        return None;
    }
    let changes = scene.ring_change.is_some_and(Progress::is_under_way);
    // Nobody asks it for keys, so that nobody misses it.
    if leaving.returns && !serves(scene) && !changes {
        return Some(go_on(draft, leaving.at(Stage::Stopping)));
    }
    let view = scene.view().filter(|_| runs(scene))?;
    if view.own.status.is_suspended() {
        return None;
    }
    let returns = leaving.returns;
    if let Some(obstacle) = obstacle(scene, returns) {
        return Some(scene.hold(Leave::Obstructed { obstacle, returns }));
    }
    Some(match scene.ring_change {
        Some(progress) => beside_ring_change(scene, draft, (view, progress), leaving),
        None => go_on(draft, leaving.at(Stage::Stopping)),
    })
}

/// Returns true while both programs run.
fn runs(situation: &Situation<'_>) -> bool {
    situation.observed.chmpx.is_some() && situation.observed.k2hdkc.is_some()
}

/// Returns true for a server that is asked for keys, by the latest answer of a chmpx that runs.
fn serves(situation: &Situation<'_>) -> bool {
    let serves = |status: NodeStatus| status.is_in_service() && !status.is_suspended();
    runs(situation) && situation.view().is_some_and(|view| serves(view.own.status))
}

/// Waits for the change in which the others copy from this server; then a while, in which late requests are answered. A stop
/// for maintenance changes no ring: the server keeps its slot, and the next holders answer for its keys.
fn beside_ring_change(
    scene: &Scene<'_>,
    draft: &mut Draft,
    (view, progress): (&ChmpxState, &Progress),
    leaving: &Departure,
) -> Action {
    if progress.is_under_way() {
        return scene.wait(progress.clone());
    }
    if leaving.returns {
        return go_on(draft, leaving.at(Stage::Stopping));
    }
    if view.own.status.is_in_service() {
        return super::change(scene, progress);
    }
    if scene.history.in_status_for(scene.now) < ANSWERS_LATE_FOR {
        return scene.wait(Leave::AnswersLate);
    }
    go_on(draft, leaving.at(Stage::Stopping))
}

/// Moves on to the next stage.
fn go_on(draft: &mut Draft, leaving: Departure) -> Action {
    let action = soon(Leave::At(leaving.stage));
    draft.persisted.set_way_out(leaving);
    action
}

/// Tells the others, and waits for nothing.
fn hasten(scene: &Scene<'_>, draft: &mut Draft, leaving: &Departure) -> Action {
    let next = go_on(draft, leaving.at(Stage::Stopping));
    if scene.ring_change.is_some() {
        return next;
    }
    let serves =
        |view: &ChmpxState| view.own.status.is_in_service() && view.own.status.action() == Change::Nothing;
    if scene.observed.chmpx.is_some() && scene.view().is_some_and(serves) {
        let reason = Leave::AtOnce { returns: leaving.returns };
        return Action::Step(Step::Control(ControlCommand::ServiceOut), reason.into());
    }
    next
}

/// Holds where the programs cannot be seen: they are not taken for stopped, unless the operator insists and it lasts.
pub(super) fn unobservable(scene: &Scene<'_>, draft: &mut Draft, leaving: &Departure, why: &str) -> Action {
    if leaving.force && scene.history.unseen_for(scene.now) >= UNSEEN_WITHIN {
        return ended(draft, leaving);
    }
    Action::hold(Leave::Unobservable(why.to_owned()), scene.limits.timing.min_query_interval)
}

/// Stops both for good, and moves on once nothing runs.
pub(super) fn stop(scene: &Scene<'_>, draft: &mut Draft, leaving: &Departure) -> Action {
    let reason = if leaving.returns { Stop::Stops } else { Stop::Leaves };
    stopping::for_good(scene, reason).unwrap_or_else(|| ended(draft, leaving))
}

fn ended(draft: &mut Draft, leaving: &Departure) -> Action {
    let mut leaving = leaving.clone();
    leaving.programs_ended();
    go_on(draft, leaving)
}

/// Leaves alone whatever another hand starts after a stop. It is for the operator to look at: the others have a copy less.
pub(super) fn gone(scene: &Scene<'_>, leaving: &Departure) -> Action {
    if leaving.stage != Stage::Stopped {
        return Action::Wait(Leave::At(leaving.stage).into(), scene.limits.timing.resync_interval);
    }
    let runs = [(Program::Chmpx, scene.observed.chmpx), (Program::K2hdkc, scene.observed.k2hdkc)];
    let runs = runs.into_iter().find_map(|(program, running)| Some((program, running?.id.pid)));
    scene.hold(runs.map_or(Leave::Stopped, |(program, pid)| Leave::StartedByHand { program, pid }))
}

/// Returns why a server may not leave now without force, or where it `returns` why it may not stop.
pub fn obstacle(situation: &Situation<'_>, returns: bool) -> Option<String> {
    if situation.mode() == Mode::Slave || (returns && !serves(situation)) {
        return None;
    }
    let view = situation.view().filter(|_| situation.observed.chmpx.is_some());
    let Some(status) = view.map(|view| view.own.status) else {
        return Some("chmpx does not run or has not answered yet, so that nobody copies from it".to_owned());
    };
    if situation.observed.k2hdkc.is_none() || status.is_suspended() {
        return Some(format!("k2hdkc does not serve ({status}), so that nobody copies from it"));
    }
    if status.is_in_service() { obstacle_of_service(situation, view?, returns) } else { None }
}

fn obstacle_of_service(situation: &Situation<'_>, view: &ChmpxState, returns: bool) -> Option<String> {
    if !situation.peers().any(|node| view.status_of(node).is_some_and(NodeStatus::serves)) {
        return Some("this is the last server in service, so its keys would have nowhere to go".to_owned());
    }
    let Some(progress) = situation.ring_change else {
        return Some(
            "chmpx runs the merges of this ring, and without this server it looks for keys where they are not: set merge.by to \
             \"agents\" on every node first"
                .to_owned(),
        );
    };
    if returns { obstacle_of_stop(situation, view, progress) } else { None }
}

/// Returns why a server may not stop for maintenance: nobody would answer for its keys. A leave has no such obstacle: the others
/// copy first.
fn obstacle_of_stop(situation: &Situation<'_>, view: &ChmpxState, progress: &Progress) -> Option<String> {
    // With AUTOMERGE it would be taken out of the ring. A leave asks all servers itself, and a change that goes on is the agents'.
    if progress.merges == Merges::Unknown && !progress.is_under_way() {
        return Some(
            "not every server has answered yet who runs the merges: repeat the command in some seconds"
                .to_owned(),
        );
    }
    if situation.ring.replicas() == 0 {
        return Some("REPLICA is 0: nobody answers for its keys while it is stopped".to_owned());
    }
    let is_well = |node: &&Node| view.status_of(node).is_some_and(NodeStatus::is_healthy);
    let unwell = situation.peers().find(|node| !is_well(node))?;
    Some(format!("{} must be well first: it may have the only other copy of keys", unwell.label()))
}
