//! Rows for a server that dies in a change, or for good. MERGE is refused while one is down, so the change is undone, waits for
//! its pair to come back, or takes it out of the ring.

use super::action::{Command, Turn};
use super::condition::Condition;
use super::driving::withdrawal;
use super::history::History;
use super::inputs::ServerId;
use super::merging::{Dialect, dialect, merges};
use super::scene::{Roles, Scene};
use super::timing;
use super::words::Hold;
use crate::chmpx_state::NodeStatus;

/// Returns the views where every living server has answered; a dead one does not.
fn roles_of_living<'a>(scene: &'a Scene<'_>, acts: bool) -> Option<(&'a Roles, Vec<ServerId>)> {
    let views = scene.views.as_ref().filter(|_| acts && scene.is_heard())?;
    let dead = dead_of(&scene.seen);
    let silent = |id: &ServerId| views.unknown.contains(id) || !views.roles.status(id).is_up();
    let known = views.unknown.iter().all(|id| dead.contains(id));
    (known && dead.iter().all(silent)).then_some((&views.roles, dead))
}

/// Returns the servers that are down: with a slot, or taken out of the ring while no leaver lives who could issue the merge.
fn dead_of(seen: &Roles) -> Vec<ServerId> {
    let mut dead = seen.among(&seen.stayers, |status| !status.is_up());
    if seen.living_leavers().is_empty() {
        dead.extend(seen.leavers.iter().cloned());
    }
    dead
}

/// Returns true for the server that drives; in a calm ring that is the first one.
fn drives(scene: &Scene<'_>, history: &History) -> bool {
    if scene.seen.is_calm() { scene.place() == Some(0) } else { history.drives(scene) }
}

/// Returns true for the server that leaves with the dead. One that serves comes first: a leaver answers for its keys to the end, and a
/// server that has come back lacks what it missed.
fn buries(scene: &Scene<'_>, history: &History) -> bool {
    let healthy = scene.seen.among(&scene.seen.stayers, NodeStatus::is_healthy);
    let first = scene.first_by_slot(&healthy);
    match scene.own() {
        Some(_) if stands_in(scene) => drives(scene, history),
        Some(own) if healthy.contains(own) => first.as_ref() == Some(own) || drives(scene, history),
        Some(_) | None => healthy.is_empty() && drives(scene, history),
    }
}

/// Returns the condition of a row about dead servers, where that is true of the roles and the dead.
fn dead(
    scene: &Scene<'_>,
    acts: bool,
    after: std::time::Duration,
    is: impl Fn(&Roles, &[ServerId]) -> bool,
) -> Condition {
    let Some((roles, dead)) = roles_of_living(scene, acts) else {
        let nobody = scene.is_heard() && (!acts || dead_of(&scene.seen).is_empty());
        return if nobody { Condition::Fails } else { Condition::Unknown };
    };
    if is(roles, &dead) { Condition::while_same(dead, after) } else { Condition::Fails }
}

/// Row `Withdraw`: nobody of the ring is Pending, so that joiners can be taken back and nothing has happened.
pub(super) fn withdraw(scene: &Scene<'_>, history: &History) -> Condition {
    dead(scene, drives(scene, history), timing::LOST, |roles, _| {
        let calm = roles.stayers.iter().all(|id| roles.status(id).is_calm());
        !roles.joiners.is_empty() && roles.leavers.is_empty() && calm
    })
}

/// Takes the joiners back.
pub(super) fn take_joiners_back(scene: &Scene<'_>, _: &History) -> Turn {
    scene.views.as_ref().map_or(Turn::Pass, |views| Turn::send(withdrawal(&views.roles)))
}

/// Returns true where the ring goes on without the dead: K2HR3 does not list them any more; or a server that lives takes no requests
/// until the next merge, others have copies, and are more than the dead, since few that live may be those that are cut off. Otherwise
/// the ring waits for them: slaves may go on to count a server that was taken out (C38).
fn may_go(scene: &Scene<'_>, roles: &Roles, dead: &[ServerId]) -> bool {
    let dropped = dead.iter().all(|id| !scene.inputs.members.contains(id));
    let living = roles.all().filter(|id| roles.status(id).is_up()).count();
    let copies = scene.inputs.replicas > 0 && living > dead.len();
    dropped || copies && !roles.all_take_requests()
}

/// Row `Dismiss`: a living leaver issues MERGE, and its copy is not needed.
pub(super) fn dismiss(scene: &Scene<'_>, _: &History) -> Condition {
    dead(scene, dismisses(scene), timing::DEAD, |roles, dead| {
        let gone = may_go(scene, roles, dead) || merges(roles, &roles.ring());
        !roles.living_leavers().is_empty() && gone
    })
}

/// Returns true for a server that is to leave, and is announced. While a change waits for the dead, servers that stay look like
/// leavers, and each knows only of itself that it leaves.
fn dismisses(scene: &Scene<'_>) -> bool {
    leaves(scene) && scene.inputs.wish.leave
}

/// Returns true where this server is announced to leave.
fn leaves(scene: &Scene<'_>) -> bool {
    scene.own().is_some_and(|own| scene.seen.living_leavers().contains(own))
}

/// Returns true where this server takes requests like a leaver while the change waits for the dead, and does not leave.
fn stands_in(scene: &Scene<'_>) -> bool {
    scene.seen.is_interrupted() && leaves(scene) && !scene.inputs.wish.leave
}

/// Takes the dead out of the ring, before MERGE: a copy for a ring of another size is worth nothing.
pub(super) fn take_out(scene: &Scene<'_>, history: &History) -> Turn {
    let (Some((roles, dead)), Some(own)) = (roles_of_living(scene, dismisses(scene)), scene.own()) else {
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
    let stands_in = stands_in(scene);
    let after = if stands_in { timing::DEAD_OF_OTHERS } else { timing::DEAD };
    dead(scene, buries(scene, history), after, |roles, dead| {
        let begun = dead.iter().any(|id| roles.leavers.contains(id));
        let asked = begun || may_go(scene, roles, dead) || merges(roles, &roles.ring());
        let waits = stands_in
            || roles.joiners.is_empty()
            || roles.stayers.iter().any(|id| !roles.status(id).is_calm());
        let joined = roles.stayers.iter().all(|id| !roles.status(id).is_up() || roles.status(id).is_well());
        (stands_in || roles.living_leavers().is_empty()) && asked && waits && joined
    })
}

/// Takes the dead out of the ring, and leaves it with them to issue the merge; this server joins again after that. The last
/// living server has every key that lives, and needs no merge.
pub(super) fn leave_with_dead(scene: &Scene<'_>, history: &History) -> Turn {
    let (Some((roles, dead)), Some(own)) = (roles_of_living(scene, buries(scene, history)), scene.own())
    else {
        return Turn::Pass;
    };
    if let Some(turn) = obstacle(scene, history, roles, &dead) {
        return turn;
    }
    let mut orders: Vec<_> = dead.iter().map(|id| Command::ServiceOut(id.clone()).at(own)).collect();
    let mut others = roles.stayers.iter().chain(&roles.leavers);
    let others = others.any(|id| id != own && roles.status(id).is_up());
    orders.push(if others { Command::ServiceOut(own.clone()).at(own) } else { Command::CompMerge.at(own) });
    Turn::send(orders)
}
