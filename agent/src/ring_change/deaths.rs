//! Rows for a server that dies in a change, or for good. MERGE is refused while one is down, so the change is undone, waits for
//! its pair to come back, or takes it out of the ring.

use super::action::{Command, Turn};
use super::condition::Condition;
use super::driving::withdrawal;
use super::history::History;
use super::inputs::ServerId;
use super::merging::{Dialect, dialect, merges};
use super::scene::{Roles, Scene, is_calm, is_dismissed, is_well};
use super::timing;
use super::words::Hold;
use crate::chmpx_state::NodeStatus;

/// Returns the views where every living server has answered; a dead one does not.
fn roles_of_living<'a>(
    scene: &'a Scene<'_>,
    history: &History,
    calm: bool,
) -> Option<(&'a Roles, Vec<ServerId>)> {
    let driver = if calm { scene.place() == Some(0) } else { history.drives(scene) };
    let views = scene.views.as_ref().filter(|_| driver && scene.is_heard())?;
    let dead = scene.seen.among(&scene.seen.stayers, |status| !status.is_up());
    let silent = |id: &ServerId| views.unknown.contains(id) || !views.roles.status(id).is_up();
    let known = views.unknown.iter().all(|id| dead.contains(id));
    (known && dead.iter().all(silent)).then_some((&views.roles, dead))
}

/// Returns the condition of a row about dead servers, where that is true of the roles and the dead.
fn dead(
    scene: &Scene<'_>,
    history: &History,
    after: std::time::Duration,
    is: impl Fn(&Roles, &[ServerId]) -> bool,
) -> Condition {
    let calm = scene.seen.is_calm();
    let Some((roles, dead)) = roles_of_living(scene, history, calm) else {
        let can_be =
            scene.is_heard() && scene.seen.among(&scene.seen.stayers, |status| !status.is_up()).is_empty();
        return if can_be { Condition::Fails } else { Condition::Unknown };
    };
    if is(roles, &dead) { Condition::while_same(dead, after) } else { Condition::Fails }
}

/// Row `Withdraw`: nobody of the ring is Pending, so that joiners can be taken back and nothing has happened.
pub(super) fn withdraw(scene: &Scene<'_>, history: &History) -> Condition {
    dead(scene, history, timing::LOST, |roles, _| {
        let calm = roles.stayers.iter().all(|id| is_calm(roles.status(id)));
        !roles.joiners.is_empty() && roles.leavers.is_empty() && calm
    })
}

/// Takes the joiners back.
pub(super) fn take_joiners_back(scene: &Scene<'_>, _: &History) -> Turn {
    scene.views.as_ref().map_or(Turn::Pass, |views| Turn::send(withdrawal(&views.roles)))
}

/// Returns true where the ring can do without the dead: others have copies, or K2HR3 does not list them any more.
fn may_go(scene: &Scene<'_>, dead: &[ServerId]) -> bool {
    scene.inputs.replicas > 0 || dead.iter().all(|id| !scene.inputs.members.contains(id))
}

/// Row `Dismiss`: a living leaver issues MERGE, and its copy is not needed.
pub(super) fn dismiss(scene: &Scene<'_>, history: &History) -> Condition {
    dead(scene, history, timing::DEAD, |roles, dead| {
        !roles.living_leavers().is_empty() && may_go(scene, dead)
    })
}

/// Takes the dead out of the ring, before MERGE: a copy for a ring of another size is worth nothing.
pub(super) fn take_out(scene: &Scene<'_>, history: &History) -> Turn {
    let (Some((roles, dead)), Some(own)) = (roles_of_living(scene, history, false), scene.own()) else {
        return Turn::Pass;
    };
    if let Some(turn) = obstacle(scene, history, roles, &dead) {
        return turn;
    }
    Turn::send(dead.iter().map(|id| Command::ServiceOut(id.clone()).at(own)).collect())
}

/// Returns the turn that comes before the removal of the dead.
fn obstacle(scene: &Scene<'_>, history: &History, roles: &Roles, dead: &[ServerId]) -> Option<Turn> {
    let living: Vec<_> = scene.asked_by_driver().into_iter().filter(|id| !dead.contains(id)).collect();
    match dialect(scene, history, &living) {
        Dialect::Foreign(id) => Some(Turn::Held(Hold::RunsAutomerge(id))),
        Dialect::Unknown(_) => Some(Turn::ask(scene.asked_by_driver(), true)),
        Dialect::Agents if merges(roles, &roles.ring()) => {
            Some(Turn::send(scene.own().map(|own| Command::AbortMerge.at(own)).into_iter().collect()))
        }
        Dialect::Agents => None,
    }
}

/// Row `Bury`: no leaver lives, and the server that issues MERGE beside a dismissed one would be skipped.
pub(super) fn bury(scene: &Scene<'_>, history: &History) -> Condition {
    let seen = &scene.seen;
    let mut dead = seen.among(&seen.stayers, |status| !status.is_up());
    dead.extend(seen.among(&seen.leavers, is_dismissed));
    if dead.is_empty() && scene.is_heard() {
        return Condition::Fails;
    }
    let Some((roles, _)) = roles_of_living(scene, history, seen.is_calm()) else { return Condition::Unknown };
    let dropped = dead.iter().all(|id| !scene.inputs.members.contains(id));
    let asked = if seen.is_calm() { dropped } else { may_go(scene, &dead) };
    let joined = roles.stayers.iter().all(|id| !roles.status(id).is_up() || is_well(roles.status(id)));
    let nobody_else = roles.joiners.is_empty() || roles.stayers.iter().any(|id| !is_calm(roles.status(id)));
    if roles.living_leavers().is_empty() && asked && joined && nobody_else {
        return Condition::while_same(dead, timing::DEAD);
    }
    Condition::Fails
}

/// Takes the dead out of the ring, and leaves it with them to issue the merge; this server joins again after that. The last
/// living server has every key that lives, and needs no merge.
pub(super) fn leave_with_dead(scene: &Scene<'_>, history: &History) -> Turn {
    let calm = scene.seen.is_calm();
    let (Some((roles, dead)), Some(own)) = (roles_of_living(scene, history, calm), scene.own()) else {
        return Turn::Pass;
    };
    if let Some(turn) = obstacle(scene, history, roles, &dead) {
        return turn;
    }
    let mut orders: Vec<_> = dead.iter().map(|id| Command::ServiceOut(id.clone()).at(own)).collect();
    let others = roles.among(&roles.stayers, NodeStatus::is_up).into_iter().any(|id| id != *own);
    orders.push(if others { Command::ServiceOut(own.clone()).at(own) } else { Command::CompMerge.at(own) });
    Turn::send(orders)
}
