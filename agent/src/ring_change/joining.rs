//! Rows of a server that joins or leaves: the gate before the announcement, and the announcement.

use std::time::Duration;

use super::action::{Command, Turn};
use super::condition::{Condition, Same};
use super::history::History;
use super::inputs::{Answer, ServerId};
use super::scene::{Roles, Scene, is_pending};
use super::timing::{self, AT_ONCE, MISSING, QUIET};
use super::words::{Announcement, Hold};
use crate::automerge::Automerge;
use crate::chmpx_state::{NodeStatus, Operation};
use crate::settings::OverLimit;

/// A server whose k2hdkc waits to join.
const OUT: u32 = 0x11;
const IN: u32 = 0x21;
const JOINS: u32 = 0x1121;
const LEAVES: u32 = 0x1221;
/// A server that stays, or has come back, and is Pending.
pub(super) const PENDING: u32 = 0x1021;

/// Returns true for a server that is not there: unlisted, or out of service and down or without k2hdkc.
fn is_missing(status: NodeStatus) -> bool {
    matches!(status.bits(), 0 | 0x10 | 0x10010 | 0x10011)
}

/// Returns true where this server waits to join, and may announce it.
fn wants_in(scene: &Scene<'_>, history: &History) -> bool {
    let member = scene.own().is_some_and(|own| scene.inputs.members.contains(own));
    let waits = scene.me().is_some_and(|me| me.bits() == OUT);
    waits && member && !scene.inputs.wish.leave && history.may_announce(scene.inputs.now)
}

/// Returns the others of the ini that are not there; `None` where this server must not join now.
fn missing(scene: &Scene<'_>, history: &History) -> Option<Vec<ServerId>> {
    let seen = &scene.seen;
    let there = |id: &ServerId| [IN, OUT, JOINS].contains(&seen.status(id).bits());
    let absent: Vec<_> = scene.others().into_iter().filter(|id| !there(id)).collect();
    let apart = absent.iter().all(|id| is_missing(seen.status(id)));
    (apart && wants_in(scene, history)).then_some(absent)
}

/// Returns true where a ring takes a joiner: its servers are well, none leaves, none is in a merge.
fn takes_joiners(seen: &Roles) -> bool {
    let calm = |id: &ServerId| seen.status(id).operation() == Operation::Nothing && seen.status(id).is_well();
    !seen.stayers.is_empty() && seen.leavers.is_empty() && !seen.is_merging() && seen.stayers.iter().all(calm)
}

/// Row `Join`.
pub(super) fn join(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(missing) = missing(scene, history).filter(|_| takes_joiners(&scene.seen)) else {
        return unseen(scene);
    };
    let after = if missing.is_empty() { QUIET } else { MISSING };
    let same = scene.inputs.members.iter().filter(|id| !missing.contains(id)).cloned().collect();
    Condition::Holds(Same::Servers(same), after)
}

/// Row `JoinAlong`.
pub(super) fn join_along(scene: &Scene<'_>, history: &History) -> Condition {
    let others = missing(scene, history).is_some_and(|missing| missing.is_empty());
    let announced = !scene.seen.joiners.is_empty() && takes_joiners(&scene.seen);
    if others && announced { Condition::Holds(Same::Any, AT_ONCE) } else { unseen(scene) }
}

/// Row `FirstStart`. A server whose k2hdkc waits for the ring to begin counts as there.
pub(super) fn first_start(scene: &Scene<'_>, history: &History) -> Condition {
    let (seen, members) = (&scene.seen, &scene.inputs.members);
    let nobody = seen.stayers.is_empty() && !seen.is_announced();
    let (up, down): (Vec<_>, Vec<_>) = members.iter().cloned().partition(|id| is_out(seen.status(id)));
    let apart = down.iter().all(|id| is_missing(seen.status(id)));
    let place = up.iter().position(|id| Some(id) == scene.own()).and_then(|place| u32::try_from(place).ok());
    let Some(place) = place.filter(|_| nobody && apart && wants_in(scene, history)) else {
        return unseen(scene);
    };
    let without = match down.len() {
        0 => AT_ONCE,
        down if down < up.len() => timing::BEGINS_WITHOUT,
        _ => return Condition::Fails,
    };
    let after = QUIET.saturating_add(without).saturating_add(timing::PER_SEED.saturating_mul(place));
    Condition::Holds(Same::Servers(up), after)
}

/// Returns true for a server that is up and out of service, with or without its k2hdkc.
fn is_out(status: NodeStatus) -> bool {
    matches!(status.bits(), OUT | 0x10011)
}

/// Row `Leave`.
pub(super) fn leave(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let wanted = scene.inputs.wish.leave && me.bits() == IN && history.may_announce(scene.inputs.now);
    let (ready, along) = (leave_is_ready(scene), !scene.seen.leavers.is_empty());
    match (wanted && ready, along) {
        (true, true) => Condition::Holds(Same::Any, AT_ONCE),
        (true, false) => Condition::Holds(Same::Servers(scene.seen.stayers.clone()), QUIET),
        (false, _) => Condition::Fails,
    }
}

/// Returns true where the ring lets a server leave: all others are well, and nobody joins or is Pending.
pub(super) fn leave_is_ready(scene: &Scene<'_>) -> bool {
    let seen = &scene.seen;
    let serve = |id: &ServerId| seen.status(id).bits() == IN;
    let leave = |id: &ServerId| matches!(seen.status(id).bits(), LEAVES | 0x1220);
    let nobody_joins = seen.joiners.is_empty() && scene.waiting_joiners().is_empty();
    nobody_joins && seen.stayers.iter().all(serve) && seen.leavers.iter().all(leave)
}

fn unseen(scene: &Scene<'_>) -> Condition {
    if scene.is_heard() { Condition::Fails } else { Condition::Unknown }
}

/// Announces the own join.
pub(super) fn announce_join(scene: &Scene<'_>, history: &History) -> Turn {
    let first = scene.seen.stayers.is_empty();
    let after = scene.seen.stayers.len() + scene.seen.joiners.len() + scene.waiting_joiners().len();
    // The first server of a ring copies nothing.
    let limits = || limit(scene, Announcement::Join).or_else(|| room(scene, after));
    let limits = (!first).then(limits).flatten();
    let good = |id: &ServerId, status: NodeStatus| match status.bits() {
        OUT => true,
        IN | JOINS => !first,
        _ if first => is_out(status),
        _ => is_missing(status) && is_missing(scene.seen.status(id)),
    };
    match gate(scene, limits, good) {
        Gate::Open => service_in(scene, history),
        Gate::Shut(turn) => turn,
    }
}

/// Announces the own leave.
pub(super) fn announce_leave(scene: &Scene<'_>, history: &History) -> Turn {
    let after = scene.seen.stayers.len().saturating_sub(1);
    let alone = (after == 0).then_some(Hold::LastServer);
    let wraps = leaves_too_many(scene, after)
        .then_some(Hold::LeavesInTurn { after, replicas: scene.inputs.replicas });
    let good = |_: &ServerId, status: NodeStatus| matches!(status.bits(), IN | LEAVES);
    match gate(scene, alone.or(wraps).or_else(|| limit(scene, Announcement::Leave)), good) {
        Gate::Open => service_out(scene, history),
        Gate::Shut(turn) => turn,
    }
}

/// Returns true where another leaver is announced, and both at once leave replicas behind: with REPLICA as large as the number
/// after the change the range that a server asks for wraps to its own slot (D15).
fn leaves_too_many(scene: &Scene<'_>, after: usize) -> bool {
    let along = !scene.seen.leavers.is_empty();
    along && usize::try_from(scene.inputs.replicas).is_ok_and(|replicas| replicas >= after)
}

/// Returns the reason for which REPLICA forbids a ring of that many servers.
fn room(scene: &Scene<'_>, after: usize) -> Option<Hold> {
    let replicas = scene.inputs.replicas;
    let fits = usize::try_from(replicas).is_ok_and(|replicas| replicas < after);
    (!fits).then_some(Hold::ReplicasWrap { after, replicas })
}

/// Returns the reason for which the change takes too long.
fn limit(scene: &Scene<'_>, of: Announcement) -> Option<Hold> {
    let (wish, limits) = (scene.inputs.wish, scene.limits);
    let held = limits.over_limit == OverLimit::Hold && !wish.confirmed;
    let predicted = wish.predicted_stop.filter(|stop| *stop > limits.longest_stop && held)?;
    Some(Hold::TooLong { of, predicted, limit: limits.longest_stop })
}

enum Gate {
    Open,
    Shut(Turn),
}

/// Asks all members, and judges their answers: automerge off, the list whole, the own view `good`.
fn gate(scene: &Scene<'_>, obstacle: Option<Hold>, good: impl Fn(&ServerId, NodeStatus) -> bool) -> Gate {
    if let Some(hold) = obstacle {
        return Gate::Shut(Turn::Held(hold));
    }
    let members: Vec<_> = scene.inputs.members.iter().filter(|id| !is_absent(scene, id)).cloned().collect();
    let question = || Gate::Shut(Turn::ask(members.clone(), true));
    let Some(round) = scene.inputs.fresh_round() else { return question() };
    for id in &members {
        let Some(Some(answer)) = round.answers.get(id) else { return question() };
        if answer.automerge.is_none() {
            return question();
        }
        if let Some(hold) = refusal(scene, id, answer, &good) {
            return Gate::Shut(Turn::Held(hold));
        }
    }
    Gate::Open
}

/// Returns true for a member that nobody can ask.
fn is_absent(scene: &Scene<'_>, id: &ServerId) -> bool {
    Some(id) != scene.own() && matches!(scene.seen.status(id).bits(), 0 | 0x10 | 0x10010)
}

fn refusal(
    scene: &Scene<'_>,
    id: &ServerId,
    answer: &Answer,
    good: impl Fn(&ServerId, NodeStatus) -> bool,
) -> Option<Hold> {
    if answer.automerge.is_some_and(Automerge::is_on) {
        return Some(Hold::RunsAutomerge(id.clone()));
    }
    if let Some(unlisted) = scene.inputs.members.iter().find(|member| !answer.list.contains_key(*member)) {
        return Some(Hold::ListIsNotWhole { server: id.clone(), lacks: unlisted.clone() });
    }
    let status = answer.list.get(id).map_or(NodeStatus::from_bits(0), |entry| entry.status);
    (!good(id, status)).then(|| Hold::NotReady { server: id.clone(), status })
}

/// Row `LeaveAgain`.
pub(super) fn leave_again(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let seen = &scene.seen;
    let others = seen.stayers.iter().any(|id| Some(id) != scene.own() && is_pending(seen.status(id)));
    let aborted = is_to_leave(scene, history) && me.bits() == PENDING && history.was_aborted();
    Condition::when(aborted && others && !seen.is_merging(), AT_ONCE)
}

/// Leaves once more.
pub(super) fn leave_once_more(scene: &Scene<'_>, history: &History) -> Turn {
    let undone = history.due_try(super::Row::Undo, scene.inputs.now, timing::UNDO_AGAIN).is_some();
    let in_vain = history.times(super::Row::LeaveAgain) >= timing::LEAVES;
    if undone || in_vain { Turn::Pass } else { service_out(scene, history) }
}

/// Returns true for a server that is to leave: by the wish of the operator or of K2HR3, or to bury a dead one.
pub(super) fn is_to_leave(scene: &Scene<'_>, history: &History) -> bool {
    scene.inputs.wish.leave || history.buries()
}

/// Row `HalfOut`.
pub(super) fn half_out(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let unwanted = !is_to_leave(scene, history) && !scene.seen.is_interrupted();
    Condition::when(unwanted && me.bits() == LEAVES, timing::PEND)
}

/// Row `Yield`.
pub(super) fn yields(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let seen = &scene.seen;
    let living = seen.living_leavers();
    let later = living.len() > 1 && scene.place().is_some_and(|place| place > 0);
    let wraps = later && leaves_too_many(scene, seen.stayers.len() + seen.joiners.len());
    let free = !seen.is_merging() && !seen.is_interrupted() && !history.buries();
    let after = if history.was_interrupted() { timing::YIELD_RESUMED } else { timing::YIELD };
    Condition::when(free && me.bits() == LEAVES && wraps, after)
}

/// Goes out of service: a server that leaves takes requests until the merge.
pub(super) fn service_out(scene: &Scene<'_>, _: &History) -> Turn {
    scene.own().map_or(Turn::Pass, |own| Turn::send(vec![Command::ServiceOut(own.clone()).at(own)]))
}

/// Comes back into service.
pub(super) fn service_in(scene: &Scene<'_>, _: &History) -> Turn {
    scene.own().map_or(Turn::Pass, |own| Turn::send(vec![Command::ServiceIn.at(own)]))
}

/// Returns true where a leave that is wanted can be announced beside the one that is.
pub(super) fn leaves_along(scene: &Scene<'_>, history: &History) -> bool {
    let after = scene.seen.stayers.len().saturating_sub(1);
    let possible = scene.inputs.wish.leave && !scene.seen.leavers.is_empty() && after > 0;
    possible
        && leave_is_ready(scene)
        && !leaves_too_many(scene, after)
        && history.may_announce(scene.inputs.now)
}

/// Pause of a server that may leave along, before it goes Pending like any other.
pub(super) const LEAVES_ALONG: Duration = timing::PEND_JOINER_WAITS;
