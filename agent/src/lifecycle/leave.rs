//! Rows of the way out of the cluster, for a VM that will be destroyed. A server goes out of service first, so that the others
//! answer for its keys; then k2hdkc and chmpx stop for good, and only then K2HR3 is told. A slave has no keys: K2HR3 is told
//! first, and programs on it are served till then.
//!
//! The merge in between moves no key to a server that stays (D6, D10): a key lives on by its other copies, and where there are
//! none a server leaves by force only.
//!
//! A stop for maintenance goes the same way as far as the end of its programs. K2HR3 is not told: the node stays a member, and
//! the operator starts it again.
//!
//! The ledger has each stage before anything is done for it, so that an agent that was killed goes on where it was.

use super::rules::{ANSWERS_LATE_FOR, NUDGE_AGAIN, OUT_FOR, PENDING_WITHIN, STICKS_AFTER, UNSEEN_WITHIN};
use super::scene::{Draft, Scene, soon};
use super::situation::label;
use super::words::{Leave, Stop};
use super::{Action, Departure, Pair, Persisted, Situation, Stage, Urgency, stopping};
use crate::chmpx_state::{Action as Change, ChmpxState, NodeStatus, Operation, Row};
use crate::ring::{Mode, Node};
use crate::ring_change::Progress;
use crate::supervisor::{ControlCommand, Program, Step};

/// Takes a server out of service before it stops; `None` where it goes on as every other, because it must serve before it can
/// leave.
pub(super) fn drain(scene: &Scene<'_>, draft: &mut Draft, leaving: &Departure) -> Option<Action> {
    if leaving.force {
        return Some(hasten(scene, draft, leaving));
    }
    // Without a k2hdkc that serves, no merge moves any key; and one that cannot be seen is not moved.
    let observed = scene.observed;
    if observed.unobservable.is_some() || observed.chmpx.is_none() || observed.k2hdkc.is_none() {
        return None;
    }
    let view = scene.view().filter(|view| !view.own.status.is_suspended())?;
    let status = view.own.status;
    if let Some(progress) = scene.ring_change {
        return Some(beside_ring_change(scene, draft, (view, progress), leaving));
    }
    if status.action() == Change::Delete {
        return Some(moving(scene, draft, view, leaving));
    }
    if is_out(scene, status) {
        return Some(settle(scene, draft, view, leaving));
    }
    // A restart that is no change's has its reason, which keeps the keys as well.
    let repairs = scene.persisted.restart.as_ref().is_some_and(|restart| restart.urgency > Urgency::Change);
    (status.is_healthy() && !repairs).then(|| leave_the_service(scene, draft, view, leaving))
}

/// Waits for the change in which the others copy from this server; then a while, in which late requests are answered. A stop
/// for maintenance changes no ring: the server keeps its slot, and the next holders answer for its keys.
fn beside_ring_change(
    scene: &Scene<'_>,
    draft: &mut Draft,
    (view, progress): (&ChmpxState, &Progress),
    leaving: &Departure,
) -> Action {
    let (status, returns) = (view.own.status, leaving.returns);
    if let Some(obstacle) = obstacle(scene, scene.persisted) {
        return scene.hold(Leave::Obstructed { obstacle, returns });
    }
    if progress.is_under_way() {
        return scene.wait(progress.clone());
    }
    if returns {
        return go_on(draft, leaving.at(Stage::Stopping));
    }
    if status.is_in_service() {
        return super::change(scene, progress);
    }
    if scene.history.in_status_for(scene.now) < ANSWERS_LATE_FOR {
        return scene.wait(Leave::AnswersLate);
    }
    go_on(draft, leaving.at(Stage::Stopping))
}

fn leave_the_service(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState, leaving: &Departure) -> Action {
    let returns = leaving.returns;
    if let Some(obstacle) = obstacle(scene, scene.persisted) {
        return scene.hold(Leave::Obstructed { obstacle, returns });
    }
    if view.servers.iter().any(|row| row.status.operation() != Operation::Nothing) {
        return scene.wait(Leave::OthersMerge);
    }
    draft.persisted.drained = scene.observed.chmpx.map(|chmpx| chmpx.id);
    let nudge =
        scene.history.nudges.next(ControlCommand::ServiceOut, scene.now, Leave::LeavesTheService { returns });
    nudge.unwrap_or_else(|| Action::hold(Leave::StaysInService { returns }, NUDGE_AGAIN))
}

/// Returns true for a server that is out by the agent's order, or by hand after it had served. A server that has not come into
/// service yet looks the same, and has all its keys still.
fn is_out(scene: &Scene<'_>, status: NodeStatus) -> bool {
    let pair = scene.observed.chmpx.zip(scene.observed.k2hdkc);
    let pair = pair.map(|(chmpx, k2hdkc)| Pair { chmpx: chmpx.id, k2hdkc: k2hdkc.id });
    let served = pair.is_some() && scene.persisted.served == pair;
    !status.is_in_service()
        && status.operation() == Operation::Nothing
        && (scene.persisted.has_drained(scene) || served)
}

/// Waits a moment out of service, in which what was under way is answered.
fn settle(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState, leaving: &Departure) -> Action {
    let mut others = view.others();
    if let Some(row) = others.find(|row| row.status.operation() != Operation::Nothing) {
        return scene.wait(Leave::OtherMerges { server: label(row), status: row.status });
    }
    if scene.history.in_status_for(scene.now) < OUT_FOR {
        return scene.wait(Leave::OutOfService);
    }
    go_on(draft, leaving.at(Stage::Stopping))
}

/// Moves on to the next stage.
fn go_on(draft: &mut Draft, leaving: Departure) -> Action {
    let action = soon(Leave::At(leaving.stage));
    draft.persisted.set_way_out(leaving);
    action
}

/// Waits for the merge in which the others take over. Where it sticks, the pair ends in the middle of it: those that stay copy
/// nothing (D10), so that its keys are as safe as after a whole one, and those that stay end what the ring has half done (see
/// [`super::peers`]).
fn moving(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState, leaving: &Departure) -> Action {
    let (status, returns) = (view.own.status, leaving.returns);
    let others_copy = view.others().any(|row| row.status.operation() == Operation::Doing);
    if let Some(why) = scene.history.merge_sticks(scene).filter(|_| !others_copy) {
        // It serves until then, and perhaps it alone by now.
        if let Some(obstacle) = obstacle(scene, scene.persisted) {
            return scene.hold(Leave::SticksAndObstructed { status, why, obstacle, returns });
        }
        draft.persisted.set_way_out(leaving.at(Stage::Stopping));
        return soon(Leave::StopsInTheMiddle { status, why });
    }
    let for_now = scene.history.in_status_for(scene.now);
    let order = match status.operation() {
        Operation::Done if for_now >= STICKS_AFTER => Some(ControlCommand::UpdateStatus),
        Operation::Pending if for_now >= PENDING_WITHIN && !others_copy => Some(ControlCommand::Merge),
        _ => None,
    };
    let nudge = order.and_then(|order| scene.history.nudges.next(order, scene.now, Leave::Sticks(status)));
    nudge.unwrap_or_else(|| scene.wait(Leave::RingMerges(status)))
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

/// Returns why a server may not leave now without force: its keys would have nowhere to go, or could not go.
pub fn obstacle(situation: &Situation<'_>, persisted: &Persisted) -> Option<String> {
    if situation.mode() == Mode::Slave {
        return None;
    }
    let Some(view) = situation.view().filter(|_| situation.observed.chmpx.is_some()) else {
        return Some(
            "chmpx does not run or has not answered yet, so the others cannot take over from it".to_owned(),
        );
    };
    let status = view.own.status;
    if situation.observed.k2hdkc.is_none() || status.is_suspended() {
        return Some(format!("k2hdkc does not serve ({status}), so the others cannot take over from it"));
    }
    if status.is_in_service() { obstacle_of_others(situation, view, persisted) } else { None }
}

fn obstacle_of_others(situation: &Situation<'_>, view: &ChmpxState, persisted: &Persisted) -> Option<String> {
    let statuses: Vec<_> = situation.peers().map(|node| (node, view.status_of(node))).collect();
    let serves = |status: NodeStatus| status.is_up() && status.is_in_service() && !status.is_suspended();
    if !statuses.iter().any(|(_, status)| status.is_some_and(serves)) {
        return Some("this is the last server in service, so its keys would have nowhere to go".to_owned());
    }
    if situation.ring_change.is_some() {
        return obstacle_of_stop(situation, persisted, &statuses);
    }
    if situation.ring.replicas() == 0 {
        return Some(
            "REPLICA is 0, and the servers that stay copy nothing when one leaves: its keys would go with it. Copy them first, \
             or raise REPLICA"
                .to_owned(),
        );
    }
    if let Some(gone) = persisted.copies.missing(situation.ring) {
        return Some(format!(
            "{gone} has gone, those that stayed copied nothing then, and this server may have the only other copy of its keys: \
             each of the others must leave the service and come back first (a changed key that takes a restart does it, or \
             SERVICEOUT and SERVICEIN on its control port)"
        ));
    }
    if !view.merges_by_itself() {
        let remedy = "take it out of service by hand first (SERVICEOUT, MERGE, COMPMERGE)";
        return Some(format!("AUTOMERGE is off: {remedy}"));
    }
    let (node, status) = statuses.into_iter().find(|(_, status)| !status.is_some_and(NodeStatus::is_up))?;
    let is = status.map_or_else(|| "not listed".to_owned(), |status| status.to_string());
    Some(format!(
        "{} must be well again first, or be removed from its role in K2HR3 ({is}): it may have the only other copy of keys",
        node.label()
    ))
}

/// Returns why a server of a ring that the agents change may not stop for maintenance: nobody would answer for its keys. A leave
/// has no such obstacle: the others copy first.
fn obstacle_of_stop(
    situation: &Situation<'_>,
    persisted: &Persisted,
    statuses: &[(&Node, Option<NodeStatus>)],
) -> Option<String> {
    persisted.stopped.as_ref()?;
    if situation.ring.replicas() == 0 {
        return Some("REPLICA is 0: nobody answers for its keys while it is stopped".to_owned());
    }
    let (node, _) = statuses.iter().find(|(_, status)| !status.is_some_and(NodeStatus::is_healthy))?;
    Some(format!("{} must be well first: it may have the only other copy of keys", node.label()))
}

/// Returns what a leave takes out of sight, where each key is not on every server: those that stay copy nothing, and so chmpx
/// asks some of them for keys that only others have (D10).
pub fn price(situation: &Situation<'_>) -> Option<String> {
    if situation.ring_change.is_some() {
        return None;
    }
    let view = situation.server_view().filter(|view| view.own.status.is_in_service())?;
    let serves = |row: &&Row| row.status.is_up() && row.status.is_in_service();
    let serve = view.servers.iter().filter(serves).count();
    let copies = usize::try_from(situation.ring.replicas()).unwrap_or(usize::MAX).saturating_add(1);
    (copies < serve).then(|| {
        format!(
            "each key is on {copies} of {serve} servers, and those that stay copy nothing in the merge: of the keys that were \
             written to all {serve}, about {copies} in {serve} will be found afterwards, the others once each server has \
             left the service and come back"
        )
    })
}
