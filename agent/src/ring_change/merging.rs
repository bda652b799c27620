//! Rows of a server's own part in a merge: Pending, the stop of k2hdkc, its continuation, and the merge that sticks.

use super::action::{Action, Command, Turn};
use super::condition::{Condition, Same};
use super::history::History;
use super::inputs::{Process, ServerId};
use super::joining;
use super::row::Row;
use super::scene::{Roles, Scene, is_merging, is_pending};
use super::timing::{self, AT_ONCE};
use super::words::{Hold, PairEnd};
use crate::automerge::Automerge;
use crate::chmpx_state::{Action as Change, NodeStatus, Operation};
use crate::settings::MergeBy;
use crate::supervisor::Program;

/// Row `Pend`.
pub(super) fn pend(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let seen = &scene.seen;
    let asked = seen.is_announced_by_living() && !seen.is_merging() && seen.down().is_empty();
    let after = match () {
        () if joining::leaves_along(scene, history) => joining::LEAVES_ALONG,
        () if !seen.joiners.is_empty() && !scene.waiting_joiners().is_empty() => timing::PEND_JOINER_WAITS,
        () if seen.joiners.is_empty() => timing::PEND_LEAVE,
        () => timing::PEND,
    };
    Condition::when(me.is_healthy() && asked, after)
}

/// Makes this server Pending, once those that asked for it are known to leave the merge to the agents.
pub(super) fn make_pending(scene: &Scene<'_>, history: &History) -> Turn {
    let Some(own) = scene.own() else { return Turn::Pass };
    match dialect(scene, history, &announced(&scene.seen)) {
        Dialect::Agents => {
            Turn::send(vec![Command::ServiceOut(own.clone()).at(own), Command::ServiceIn.at(own)])
        }
        Dialect::Unknown(who) => Turn::ask(who, true),
        Dialect::Foreign(id) => Turn::Held(Hold::RunsAutomerge(id)),
    }
}

/// Returns the living servers that join or leave.
pub(super) fn announced(roles: &Roles) -> Vec<ServerId> {
    roles.joiners.iter().chain(&roles.living_leavers()).cloned().collect()
}

/// Returns the servers whose files say which hand runs the merge of the present change: those of the ring; of a return those that have
/// come back, since nobody else copies.
pub(super) fn involved(scene: &Scene<'_>) -> Vec<ServerId> {
    if scene.seen.is_announced() { scene.asked_by_driver() } else { scene.seen.returners() }
}

/// Returns true where nothing but a return goes on, and the files of those that have come back leave it to the agents. It ends so, whoever
/// insists on AUTOMERGE by now: no file is written meanwhile, and no chmpx begins the merge of a server that waits already.
pub(super) fn returns_by_agents(scene: &Scene<'_>, history: &History) -> bool {
    let back = scene.seen.returners();
    !back.is_empty() && matches!(dialect(scene, history, &back), Dialect::Agents)
}

/// The hand that runs the merges of some servers.
pub(super) enum Dialect {
    /// Their agents.
    Agents,
    /// Unknown of these.
    Unknown(Vec<ServerId>),
    /// Their chmpx, of this one at least.
    Foreign(ServerId),
}

/// Returns the hand that runs the merges of these servers.
pub(super) fn dialect(scene: &Scene<'_>, history: &History, ids: &[ServerId]) -> Dialect {
    let mut unknown = Vec::new();
    if let Some(own) = scene.own().filter(|own| scene.inputs.automerge && ids.contains(own)) {
        return Dialect::Foreign(own.clone());
    }
    for id in ids.iter().filter(|id| Some(*id) != scene.own()) {
        match history.dialects().automerge(id, scene.inputs.now) {
            Some(Automerge::On | Automerge::Deferred) => return Dialect::Foreign(id.clone()),
            Some(Automerge::Off) => {}
            None => unknown.push(id.clone()),
        }
    }
    if unknown.is_empty() { Dialect::Agents } else { Dialect::Unknown(unknown) }
}

/// Row `Drain`.
pub(super) fn drain(scene: &Scene<'_>, _: &History) -> Condition {
    let leaves = |me: NodeStatus| me.action() == Change::Delete;
    scene
        .me()
        .map_or_else(|| unseen(scene), |me| Condition::when(!leaves(me) && drains(scene, me), timing::DRAIN))
}

/// Row `DrainLeaver`.
pub(super) fn drain_leaver(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let leaves = joining::is_to_leave(scene, history);
    let seen = &scene.seen;
    let all = seen.ring().iter().all(|id| is_pending(seen.status(id)));
    Condition::when(leaves && me.action() == Change::Delete && all && drains(scene, me), timing::DRAIN)
}

/// Returns true where k2hdkc is to be stopped before MERGE.
fn drains(scene: &Scene<'_>, me: NodeStatus) -> bool {
    waits_for_merge(scene, me) && scene.k2hdkc_is(Process::Running)
}

fn waits_for_merge(scene: &Scene<'_>, me: NodeStatus) -> bool {
    let in_ring = scene.own().is_some_and(|own| scene.seen.ring().contains(own));
    is_pending(me) && in_ring && !scene.seen.is_merging() && !scene.seen.is_interrupted()
}

/// Row `StayStopped`: the others are late. A k2hdkc that its watchdog continues may meet MERGE running, and cost it (C29).
pub(super) fn stays_stopped(scene: &Scene<'_>, _: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let stopped = waits_for_merge(scene, me) && scene.k2hdkc_is(Process::Stopped);
    Condition::when(stopped, timing::RENEW)
}

/// Stops k2hdkc for a further limit.
pub(super) fn stop_longer(_: &Scene<'_>, history: &History) -> Turn {
    if history.times(Row::StayStopped) < timing::RENEWALS { stop() } else { Turn::Pass }
}

/// Stops k2hdkc once the queues are empty, or do not become so.
pub(super) fn stop_drained(scene: &Scene<'_>, history: &History) -> Turn {
    let now = scene.inputs.now;
    let patient = |row| history.has_held(row, timing::DRAIN_PATIENCE, now);
    if !history.are_queues_empty(now) && !patient(Row::Drain) && !patient(Row::DrainLeaver) {
        return Turn::Pass;
    }
    let seen = &scene.seen;
    let askers = if seen.is_announced() { announced(seen) } else { seen.returners() };
    match dialect(scene, history, &askers) {
        Dialect::Foreign(id) => Turn::Held(Hold::RunsAutomerge(id)),
        Dialect::Unknown(who) if scene.inputs.fresh_round().is_none() => Turn::ask(who, true),
        // Stopping while Pending harms nobody; not stopping may cost the merge (C29).
        Dialect::Unknown(_) | Dialect::Agents => stop(),
    }
}

/// Row `Serve`: MERGE waits for a server that is down, and chmpx gives requests to none that stays and is Pending. One that leaves
/// takes them until the merge.
pub(super) fn serve(scene: &Scene<'_>, history: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    let waits = me.bits() == joining::PENDING && scene.seen.is_interrupted();
    Condition::when(waits && history.holds_keys(), timing::SERVE)
}

/// Row `Blind`.
pub(super) fn blind(scene: &Scene<'_>, history: &History) -> Condition {
    let pending = history.latest_own(scene.inputs.now).is_some_and(is_pending) && !history.is_interrupted();
    Condition::when(!scene.is_heard() && pending && scene.k2hdkc_is(Process::Running), timing::BLIND)
}

/// Stops k2hdkc, which nobody sees.
pub(super) fn stop_blind(_: &Scene<'_>, _: &History) -> Turn {
    stop()
}

fn stop() -> Turn {
    Turn::Act(Action::Stop { program: Program::K2hdkc, limit: timing::K2HDKC_LIMIT })
}

/// Row `Go`.
pub(super) fn go(scene: &Scene<'_>, history: &History) -> Condition {
    if scene.is_slave() || !scene.k2hdkc_is(Process::Stopped) {
        return Condition::Fails;
    }
    if scene.limits.by == MergeBy::Chmpx || history.dialects().foreign_here(scene).is_some() {
        return Condition::Holds(Same::Any, AT_ONCE);
    }
    let (Some(own), Some(me)) = (scene.own(), scene.me()) else { return unseen(scene) };
    let same = Same::Statuses(vec![(own.clone(), me)]);
    match me.operation() {
        Operation::Doing => Condition::Holds(same, timing::DOING),
        Operation::Pending if scene.seen.is_merging() => Condition::Holds(same, timing::LEFT_OUT),
        Operation::Pending if scene.seen.is_interrupted() => Condition::Holds(same, AT_ONCE),
        Operation::Pending => Condition::Fails,
        Operation::Nothing | Operation::Done => Condition::Holds(same, AT_ONCE),
    }
}

/// Continues k2hdkc.
pub(super) fn resume(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Act(Action::Continue { program: Program::K2hdkc })
}

/// Row `Stuck`.
pub(super) fn stuck(scene: &Scene<'_>, _: &History) -> Condition {
    let Some(me) = scene.me() else { return unseen(scene) };
    if me.operation() != Operation::Doing || !scene.k2hdkc_is(Process::Running) {
        return Condition::Fails;
    }
    Condition::Holds(Same::Progress(scene.inputs.local.progress), timing::STUCK)
}

/// Ends the merge that sticks: the first time, and where k2hdkc was stopped before it, by ABORTMERGE.
pub(super) fn end_stuck(scene: &Scene<'_>, history: &History) -> Turn {
    let Some(own) = scene.own() else { return Turn::Pass };
    if history.was_stopped() && history.times(Row::Stuck) == 0 {
        return Turn::send(vec![Command::AbortMerge.at(own)]);
    }
    Turn::Act(Action::RestartPair(PairEnd::MergeSticks))
}

fn unseen(scene: &Scene<'_>) -> Condition {
    if scene.is_heard() { Condition::Fails } else { Condition::Unknown }
}

/// Returns true where a server of the ring is in the merge.
pub(super) fn merges(roles: &Roles, ids: &[ServerId]) -> bool {
    ids.iter().any(|id| is_merging(roles.status(id)))
}
