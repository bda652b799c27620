//! Rows of this server's place in its ring. AUTOMERGE does the joining; it sticks now and then, and then it is nudged.

use super::data_safety::Database;
use super::persisted::{Pair, Urgency};
use super::phase::Own;
use super::rules::{DONE_STICKS_AFTER, PENDING_WITHIN, STICKS_AFTER};
use super::scene::{Draft, Scene};
use super::trial::{repair, restart_chmpx};
use super::words::Join;
use super::{Action, Demand};
use crate::chmpx_state::{ChmpxState, NodeStatus, Operation, Row};
use crate::plan::Class;
use crate::ring::Mode;
use crate::supervisor::{ControlCommand, Running, Step};

/// Helps a server that is not in service on.
pub(super) fn own(scene: &Scene<'_>, draft: &mut Draft, own: Own, view: &ChmpxState) -> Option<Action> {
    let status = view.own.status;
    Some(match own {
        Own::Unjoined => unjoined(scene, status, scene.observed.k2hdkc?),
        Own::ByHand => scene.wait(Join::AutomergeIsOff(status)),
        Own::Merging => merging(scene, status),
        Own::Queued => queued(scene, status, view),
        Own::Done => done(scene, status, view),
        Own::Out => return out(scene, draft, status),
    })
}

/// Waits for k2hdkc to join its chmpx, or restarts it.
fn unjoined(scene: &Scene<'_>, status: NodeStatus, k2hdkc: Running) -> Action {
    if scene.now.duration_since(k2hdkc.since) < scene.limits.timing.join_within {
        return scene.wait(Join::Joining(status));
    }
    repair(scene, (Class::RestartK2hdkc, Urgency::Stuck), Join::NotJoined(status))
}

/// Waits for a merge, which takes as long as the copy; one without end is the stuck one that only a kill ends.
fn merging(scene: &Scene<'_>, status: NodeStatus) -> Action {
    if let Some(why) = scene.history.merge_sticks(scene) {
        return restart_chmpx(scene, Join::MergeSticks { status, why });
    }
    let limit = scene.limits.timing.merge_within;
    if scene.history.in_status_for(scene.now) >= limit {
        return scene.hold(Join::MergesLong { limit, status });
    }
    scene.wait(Join::Merging(status))
}

/// Nudges a server whose copy has ended, and which the ring does not use.
fn done(scene: &Scene<'_>, status: NodeStatus, view: &ChmpxState) -> Action {
    let copies = view.servers.iter().any(|row| row.status.operation() == Operation::Doing);
    let patience = if copies { STICKS_AFTER } else { DONE_STICKS_AFTER };
    if scene.history.in_status_for(scene.now) < patience {
        return scene.wait(Join::Is(status));
    }
    let nudge = scene.history.nudges.next(ControlCommand::UpdateStatus, scene.now, Join::Sticks(status));
    nudge.unwrap_or_else(|| merging(scene, status))
}

/// Waits in the queue while another server merges. A server that waits although nobody does is not let in: chmpx compares the
/// servers' lists of names, and they differ (C26).
fn queued(scene: &Scene<'_>, status: NodeStatus, view: &ChmpxState) -> Action {
    let merges = |row: &Row| matches!(row.status.operation(), Operation::Doing | Operation::Done);
    let another = view.servers.iter().any(merges);
    if another || scene.history.in_status_for(scene.now) < PENDING_WITHIN {
        return scene.wait(Join::Is(status));
    }
    match scene.history.nudges.next(ControlCommand::Merge, scene.now, Join::NobodyMerges(status)) {
        Some(nudge @ Action::Step(..)) => nudge,
        _ => scene.hold(Join::StaysPending(status)),
    }
}

/// Brings a server into service that stuck after a start; one that another hand took out stays out.
fn out(scene: &Scene<'_>, draft: &mut Draft, status: NodeStatus) -> Option<Action> {
    let pair = pair(scene)?;
    let ours = scene.persisted.started == Some(pair.k2hdkc);
    // Another k2hdkc on the same chmpx changes nothing in the operator's wish.
    let by_hand = scene.persisted.out_by_hand == Some(pair.chmpx);
    if scene.persisted.served == Some(pair) || !ours || by_hand {
        draft.persisted.out_by_hand = Some(pair.chmpx);
        return Some(scene.hold(Join::OutByHand(status)));
    }
    if scene.history.in_status_for(scene.now) < STICKS_AFTER {
        return Some(scene.wait(Join::Is(status)));
    }
    let nudge = scene.history.nudges.next(ControlCommand::ServiceIn, scene.now, Join::Sticks(status));
    Some(nudge.unwrap_or_else(|| scene.hold(Join::Sticks(status))))
}

fn pair(scene: &Scene<'_>) -> Option<Pair> {
    Some(Pair { chmpx: scene.observed.chmpx?.id, k2hdkc: scene.observed.k2hdkc?.id })
}

/// Takes in that this server serves, and tells slaves of a new file.
pub(super) fn serving(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState) -> Option<Action> {
    if scene.mode() == Mode::Slave {
        draft.serves = true;
        return None;
    }
    let (pair, k2hdkc) = (pair(scene)?, scene.observed.k2hdkc?);
    // An answer from before this k2hdkc says nothing of it.
    if scene.observed.control.report.as_ref().is_none_or(|said| said.at <= k2hdkc.since) {
        return Some(scene.wait(Join::AskedAgain));
    }
    draft.serves = true;
    draft.persisted.out_by_hand = None;
    if isolated(scene, pair) {
        if let Some(action) = isolated_start(scene, draft, pair, view) {
            return Some(action);
        }
    } else {
        draft.persisted.served = Some(pair);
    }
    announce(scene, view)
}

/// Returns true for a k2hdkc of which the agent does not know that it came in sight of the others. Upstream's helpers and
/// Docker's restart policies wait for nobody. Such a k2hdkc serves a ring of its own, and where the others have one too, both
/// meet later without any merge, under healthy statuses.
fn isolated(scene: &Scene<'_>, pair: Pair) -> bool {
    let served = scene.persisted.served.is_some_and(|served| served.k2hdkc == pair.k2hdkc);
    let waits = scene.limits.wait_for_peers && scene.peers().next().is_some();
    waits && !served && !scene.history.joining.has_begun(pair.k2hdkc)
}

/// Reports a k2hdkc that serves alone. Once others are up it comes back by a merge: its k2hdkc is restarted out of service. Keys
/// in memory would end with it, so that one is left to the operator.
fn isolated_start(scene: &Scene<'_>, draft: &mut Draft, pair: Pair, view: &ChmpxState) -> Option<Action> {
    let pid = pair.k2hdkc.pid;
    if !scene.peers().any(|node| view.status_of(node).is_some_and(NodeStatus::is_up)) {
        draft.persisted.alone = Some(pair.k2hdkc);
        draft.report(Join::ServesAlone(pid));
        return None;
    }
    let was_alone = scene.persisted.alone == Some(pair.k2hdkc);
    if was_alone && scene.persisted.database_of(pair.k2hdkc) == Some(&Database::Volatile) {
        draft.report(Join::MetInMemory(pid));
        return None;
    }
    draft.persisted.alone = None;
    draft.persisted.served = Some(pair);
    let (class, urgency, reason) = (Class::RestartK2hdkc, Urgency::Deaf, Join::MetWithoutMerge(pid).into());
    was_alone.then_some(Action::Demand(Demand { class, urgency, reason, repair: false }))
}

/// Speaks to slaves that came before this server had loaded the file which lists them: they were turned away, and try again only
/// when they hear its status (C30). A ring that merges speaks by itself.
fn announce(scene: &Scene<'_>, view: &ChmpxState) -> Option<Action> {
    let calm = view.servers.iter().all(|row| row.status.operation() == Operation::Nothing);
    let others = view.servers.iter().filter(|row| row.status.is_up()).count() > 1;
    let announces =
        calm && others && !scene.ring.slaves.is_empty() && scene.history.file.announces(scene.now);
    announces.then(|| Action::Step(Step::Control(ControlCommand::UpdateStatus), Join::Announces.into()))
}
