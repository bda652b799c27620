//! Rows of the server that drives a change: it asks every server for its own view, and gives the ring's commands.

use super::action::{Command, Order, Turn};
use super::condition::{Condition, Same};
use super::history::History;
use super::inputs::ServerId;
use super::joining;
use super::merging::{self, Dialect, announced, dialect};
use super::row::Row;
use super::scene::{Roles, Scene, Views, is_dismissed, is_pending};
use super::timing::{self, AT_ONCE};
use super::words::Hold;
use crate::chmpx_state::{NodeStatus, Operation};

/// Row `Takeover`: the wait of each place behind the first.
pub(super) fn takeover(scene: &Scene<'_>, _: &History) -> Condition {
    let place = scene.place().and_then(|place| u32::try_from(place).ok());
    match place.filter(|_| !scene.seen.is_calm()) {
        Some(place) => {
            Condition::Holds(Same::Statuses(scene.seen.signature()), timing::TAKEOVER.saturating_mul(place))
        }
        None => unseen(scene),
    }
}

fn unseen(scene: &Scene<'_>) -> Condition {
    if scene.is_heard() { Condition::Fails } else { Condition::Unknown }
}

/// The own views of all servers, before the eyes of the driver.
pub(super) enum Sight<'a> {
    /// Another server drives, or nothing changes.
    None,
    /// Some server was not asked, or did not answer.
    Dim,
    /// Every server has answered.
    Clear(&'a Views),
}

/// Returns the driver's sight.
pub(super) fn sight<'a>(scene: &'a Scene<'_>, history: &History) -> Sight<'a> {
    if !scene.is_heard() {
        return Sight::Dim;
    }
    if scene.seen.is_calm() || !history.drives(scene) {
        return Sight::None;
    }
    match &scene.views {
        Some(views) if views.unknown.is_empty() => Sight::Clear(views),
        _ => Sight::Dim,
    }
}

/// Makes the condition of what a driver with clear sight sees.
fn seen(scene: &Scene<'_>, history: &History, condition: impl Fn(&Roles) -> Condition) -> Condition {
    match sight(scene, history) {
        Sight::None => Condition::Fails,
        Sight::Dim => Condition::Unknown,
        Sight::Clear(views) => condition(&views.roles),
    }
}

/// The same where nobody is down, neither in the own view of a server nor in the own list.
fn seen_well(scene: &Scene<'_>, history: &History, condition: impl Fn(&Roles) -> Condition) -> Condition {
    // Known without the answers: the dead one gives none, and a wait from before its death must not go on.
    if !scene.seen.down().is_empty() {
        return Condition::Fails;
    }
    seen(scene, history, |roles| if roles.down().is_empty() { condition(roles) } else { Condition::Fails })
}

/// Row `Lost`.
pub(super) fn lost(scene: &Scene<'_>, history: &History) -> Condition {
    if scene.seen.is_calm() || !history.drives(scene) {
        return unseen(scene);
    }
    let Some(views) = &scene.views else { return Condition::Unknown };
    let mut lost = views.unknown.clone();
    lost.extend(views.roles.down().into_iter().chain(scene.seen.down()));
    lost.sort();
    lost.dedup();
    Condition::while_same(lost, timing::LOST)
}

/// Reports the servers that are lost.
pub(super) fn report_lost(scene: &Scene<'_>, _: &History) -> Turn {
    let Some(views) = &scene.views else { return Turn::Pass };
    let mut down = scene.seen.down();
    down.extend(views.roles.down());
    down.sort();
    down.dedup();
    Turn::Held(Hold::Lost { unknown: views.unknown.clone(), down })
}

/// Returns the latest report of lost servers while all are asked again, and nothing speaks against it.
pub(super) fn still_lost<'a>(scene: &Scene<'_>, history: &'a History) -> Option<&'a Hold> {
    let stands = scene.views.is_none() && history.has_held(Row::Lost, timing::LOST, scene.inputs.now);
    history.lost().filter(|_| stands)
}

/// Row `Merge`.
pub(super) fn merge(scene: &Scene<'_>, history: &History) -> Condition {
    let alone = !scene.seen.is_announced();
    seen_well(scene, history, |roles| {
        let resumed = history.was_interrupted() && leavers_are_unsure(scene, history, roles);
        let after = match (alone, resumed) {
            (true, _) => timing::HOLD_RETURN,
            (false, true) => timing::HOLD_RESUMED,
            (false, false) => timing::HOLD,
        };
        let same = Same::Statuses(roles.signature());
        if ready_to_merge(roles) { Condition::Holds(same, after) } else { Condition::Fails }
    })
}

/// Returns true where a living leaver may be one that stays: it has taken requests while the change waited.
fn leavers_are_unsure(scene: &Scene<'_>, history: &History, roles: &Roles) -> bool {
    let sure = joining::is_to_leave(scene, history);
    roles.living_leavers().iter().any(|id| Some(id) != scene.own() || !sure)
}

/// Gives MERGE. Beside a dismissed server the one that issues it does not copy: that is then a leaver, whose copy nobody needs.
pub(super) fn give_merge(scene: &Scene<'_>, history: &History) -> Turn {
    let (Sight::Clear(views), Some(own)) = (sight(scene, history), scene.own()) else { return Turn::Pass };
    let roles = &views.roles;
    if !ready_to_merge(roles) || !scene.seen.down().is_empty() || !views.disputed.is_empty() {
        return Turn::Pass;
    }
    match dialect(scene, history, &merging::involved(scene)) {
        Dialect::Foreign(id) => Turn::Held(Hold::RunsAutomerge(id)),
        Dialect::Unknown(_) => Turn::ask(scene.asked_for_lists(), true),
        Dialect::Agents => {
            let buried = roles.leavers.iter().any(|id| is_dismissed(roles.status(id)));
            let leavers = roles.living_leavers();
            let at = leavers.first().filter(|_| buried && !leavers.contains(own)).unwrap_or(own);
            if buried && leavers.is_empty() { Turn::Pass } else { Turn::send(vec![Command::Merge.at(at)]) }
        }
    }
}

/// Returns true where every server of the ring is Pending and nobody is down.
pub(super) fn ready_to_merge(roles: &Roles) -> bool {
    let ring = roles.ring();
    !ring.is_empty() && roles.down().is_empty() && ring.iter().all(|id| is_pending(roles.status(id)))
}

/// Row `Align`: chmpx compares all lists before a merge. Where they differ it has the question go round until they do not, and
/// publishes its status each time: that fills the windows of the slaves that stand still (C36).
pub(super) fn disputed(scene: &Scene<'_>, history: &History) -> Condition {
    let Sight::Clear(views) = sight(scene, history) else {
        return seen(scene, history, |_| Condition::Fails);
    };
    let roles = &views.roles;
    let (waits, after) = match () {
        () if ready_to_merge(roles) => (true, timing::ALIGN),
        // A server that lists another one as Doing or Done takes no SERVICEOUT.
        () => (roles.down().is_empty() && !late(roles).is_empty(), timing::ALIGN_LATE),
    };
    Condition::while_same(if waits { views.disputed.clone() } else { Vec::new() }, after)
}

/// Has the servers publish their status about which the lists differ.
pub(super) fn align(scene: &Scene<'_>, history: &History) -> Turn {
    let Sight::Clear(views) = sight(scene, history) else { return Turn::Pass };
    // A server that waits to join has no view here, and the lists may differ about it as well.
    let living = |id: &&ServerId| views.roles.status(id).is_up() || scene.seen.status(id).is_up();
    let orders: Vec<_> =
        views.disputed.iter().filter(living).map(|id| Command::UpdateStatus.at(id)).collect();
    let in_vain = orders.is_empty() || history.times(Row::Align) >= timing::ALIGNMENTS;
    if in_vain { Turn::Held(Hold::ListsDiffer(views.disputed.clone())) } else { Turn::send(orders) }
}

fn any(roles: &Roles, ids: &[ServerId], operation: Operation) -> bool {
    ids.iter().any(|id| roles.status(id).operation() == operation)
}

/// Row `Doing`.
pub(super) fn doing(scene: &Scene<'_>, history: &History) -> Condition {
    seen(scene, history, |roles| Condition::when(any(roles, &roles.ring(), Operation::Doing), AT_ONCE))
}

/// Waits for the merge.
pub(super) fn wait(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Pass
}

/// Row `Skipped`.
pub(super) fn skipped(scene: &Scene<'_>, history: &History) -> Condition {
    seen(scene, history, |roles| {
        let ring = roles.ring();
        let mixed = any(roles, &ring, Operation::Done) && !any(roles, &ring, Operation::Doing);
        let skipped = if mixed { left_out(roles) } else { Vec::new() };
        Condition::while_same(skipped, timing::SKIPPED)
    })
}

/// Returns the servers that are Pending and must not be. Beside a dismissed one the leaver that gave MERGE does not copy, and must
/// not: ABORTMERGE would change the number of servers, and hide keys from the second try. It leaves in a merge of its own.
fn left_out(roles: &Roles) -> Vec<ServerId> {
    let marked = |status: NodeStatus| is_dismissed(status) && status.operation() == Operation::Done;
    let buried = roles.leavers.iter().any(|id| marked(roles.status(id)));
    let pending = roles.among(&roles.ring(), is_pending);
    let leaves = roles.living_leavers();
    pending.into_iter().filter(|id| !buried || !leaves.contains(id)).collect()
}

/// Goes back to before MERGE.
pub(super) fn abort(scene: &Scene<'_>, _: &History) -> Turn {
    scene.own().map_or(Turn::Pass, |own| Turn::send(vec![Command::AbortMerge.at(own)]))
}

/// Row `Complete`.
pub(super) fn complete(scene: &Scene<'_>, history: &History) -> Condition {
    seen_well(scene, history, |roles| Condition::when(is_complete(roles), AT_ONCE))
}

/// Returns true where every server that was to copy has done so: none is Doing, none Pending.
fn is_complete(roles: &Roles) -> bool {
    let ring = roles.ring();
    let done = any(roles, &ring, Operation::Done) && !any(roles, &ring, Operation::Doing);
    done && left_out(roles).is_empty()
}

/// Gives COMPMERGE; where it has not reached all, UPDATESTATUS goes before it.
pub(super) fn give_completion(scene: &Scene<'_>, history: &History) -> Turn {
    let (Sight::Clear(views), Some(own)) = (sight(scene, history), scene.own()) else { return Turn::Pass };
    let mut orders = Vec::new();
    if history.times(Row::Complete) > 0 {
        orders.extend(scene.asked_by_driver().iter().map(|id| Command::UpdateStatus.at(id)));
    }
    orders.push(Command::CompMerge.at(own));
    if is_complete(&views.roles) { Turn::send(orders) } else { Turn::Pass }
}

/// Returns the servers of a ring that is only partly Pending which are not; empty where it is in a merge.
fn late(roles: &Roles) -> Vec<ServerId> {
    if !roles.is_announced() || merging::merges(roles, &roles.ring()) {
        return Vec::new();
    }
    roles.among(&roles.ring(), |status| !is_pending(status))
}

/// Row `Remind`.
pub(super) fn remind(scene: &Scene<'_>, history: &History) -> Condition {
    seen_well(scene, history, |roles| Condition::when(!late(roles).is_empty(), timing::REMIND))
}

/// Has the joiners and leavers publish their status once more.
pub(super) fn have_announced_again(scene: &Scene<'_>, history: &History) -> Turn {
    let Sight::Clear(views) = sight(scene, history) else { return Turn::Pass };
    Turn::send(announced(&views.roles).iter().map(|id| Command::UpdateStatus.at(id)).collect())
}

/// Row `Help`.
pub(super) fn help(scene: &Scene<'_>, history: &History) -> Condition {
    seen_well(scene, history, |roles| {
        let idle = late(roles).iter().any(|id| roles.status(id).is_healthy());
        Condition::when(idle, timing::HELP)
    })
}

/// Makes the late servers Pending in their agents' place.
pub(super) fn help_late(scene: &Scene<'_>, history: &History) -> Turn {
    let Sight::Clear(views) = sight(scene, history) else { return Turn::Pass };
    let late = views.roles.among(&late(&views.roles), NodeStatus::is_healthy);
    let pair = |id: &ServerId| [Command::ServiceOut(id.clone()).at(id), Command::ServiceIn.at(id)];
    Turn::send(late.iter().flat_map(pair).collect())
}

/// Row `Undo`.
pub(super) fn undo(scene: &Scene<'_>, history: &History) -> Condition {
    let disputed = scene.views.as_ref().is_some_and(|views| !views.disputed.is_empty());
    seen_well(scene, history, |roles| {
        let waits = disputed && roles.is_announced() && ready_to_merge(roles);
        Condition::when(waits || !late(roles).is_empty(), timing::UNDO)
    })
}

/// Takes the announcements back.
pub(super) fn take_back(scene: &Scene<'_>, history: &History) -> Turn {
    let Sight::Clear(views) = sight(scene, history) else { return Turn::Pass };
    Turn::send(withdrawal(&views.roles))
}

/// Returns the commands that take all announcements of living servers back.
pub(super) fn withdrawal(roles: &Roles) -> Vec<Order> {
    let joiners = roles.joiners.iter().map(|id| Command::ServiceOut(id.clone()).at(id));
    let leavers = roles.living_leavers();
    let leavers = leavers.iter().map(|id| Command::ServiceIn.at(id));
    joiners.chain(leavers).collect()
}

/// Row `Overdue`: slaves stand still, and their watchdogs would let them write to old holders.
pub(super) fn overdue(scene: &Scene<'_>, history: &History) -> Condition {
    let now = scene.inputs.now;
    let long =
        history.goes_on_since().is_some_and(|since| now.saturating_duration_since(since) >= timing::OVERDUE);
    // Once a dead server has gone, its leaver lacks what the smaller ring gives to it, and must leave.
    let dismissed = history.times(Row::Dismiss) + history.times(Row::Bury) > 0;
    let freezes = scene.may_freeze() && !dismissed;
    seen_well(scene, history, |roles| {
        let buried = roles.leavers.iter().any(|id| is_dismissed(roles.status(id)));
        let open = roles.is_announced() && !is_complete(roles) && !buried;
        Condition::when(long && freezes && open, AT_ONCE)
    })
}

/// Goes back to before the announcement, by way of ABORTMERGE where servers are in a merge.
pub(super) fn give_up(scene: &Scene<'_>, history: &History) -> Turn {
    let Sight::Clear(views) = sight(scene, history) else { return Turn::Pass };
    let merging = merging::merges(&views.roles, &views.roles.ring());
    if merging { abort(scene, history) } else { Turn::send(withdrawal(&views.roles)) }
}

/// Row `Survey`: the driver's question to all, while the ring changes or one of its servers is down.
pub(super) fn survey(scene: &Scene<'_>, history: &History) -> Condition {
    let calm = scene.seen.is_calm();
    let drives = if calm { scene.place() == Some(0) } else { history.drives(scene) };
    let asks = !calm || !scene.seen.down().is_empty();
    Condition::when(scene.is_heard() && drives && asks && scene.views.is_none(), AT_ONCE)
}

/// Asks every server of the ring. One that drives only since others do nothing asks more seldom, and so does one that waits for
/// a server to come back.
pub(super) fn survey_all(scene: &Scene<'_>, history: &History) -> Turn {
    let pause = match (scene.seen.is_calm(), scene.place()) {
        (true, _) => timing::VIGIL,
        (false, Some(0)) => AT_ONCE,
        (false, _) => timing::SUBSTITUTE,
    };
    if history.may_ask(Row::Survey, scene.inputs.now, pause) { ask_all(scene, history) } else { Turn::Pass }
}

/// Asks every server for its own view.
pub(super) fn ask_all(scene: &Scene<'_>, history: &History) -> Turn {
    let dump = !matches!(dialect(scene, history, &scene.asked_by_driver()), Dialect::Agents);
    Turn::ask(scene.asked_for_lists(), dump)
}
