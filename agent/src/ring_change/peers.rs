//! Rows about what servers see of each other: old entries, and two views.

use super::action::{Action, Command, Turn};
use super::condition::{Condition, Same};
use super::driving::ask_all;
use super::history::History;
use super::inputs::{Answer, Mark, Process, ServerId};
use super::row::Row;
use super::scene::{Scene, is_pending};
use super::slave;
use super::timing::{self, AT_ONCE};
use super::words::PairEnd;
use crate::chmpx_state::NodeStatus;

/// Row `Cure`.
pub(super) fn cure(scene: &Scene<'_>, _: &History) -> Condition {
    if !scene.is_heard() {
        return Condition::Unknown;
    }
    let open = |status: &NodeStatus| !status.is_calm() || status.is_suspended() || is_dead(*status);
    let odd: Vec<_> = scene.seen.signature().into_iter().filter(|(_, status)| open(status)).collect();
    if odd.is_empty() {
        return Condition::Fails;
    }
    Condition::Holds(Same::Statuses(odd), timing::CURE)
}

fn is_dead(status: NodeStatus) -> bool {
    status.is_in_service() && !status.is_up()
}

/// Has the servers whose entries are old publish their status; not while a slave can be stopped, which it would fill up.
pub(super) fn cure_entries(scene: &Scene<'_>, history: &History) -> Turn {
    if scene.is_slave() {
        let first = scene.inputs.local.mark == Mark::Absent;
        return if first { slave::cure(scene, history) } else { Turn::Pass };
    }
    let Some(views) = &scene.views else { return ask_all(scene, history) };
    let dead = |id: &ServerId| is_dead(scene.seen.status(id));
    let calm = views.unknown.iter().all(dead) && views.roles.is_calm();
    let old = |id: &&ServerId| Some(*id) != scene.own() && views.roles.status(id) != scene.seen.status(id);
    let old: Vec<_> = views.roles.statuses.keys().filter(old).filter(|_| calm).collect();
    Turn::send(old.into_iter().map(|id| Command::UpdateStatus.at(id)).collect())
}

/// The answers of the other servers to one question.
struct Heard<'a> {
    answers: Vec<(&'a ServerId, &'a Answer)>,
}

impl<'a> Heard<'a> {
    /// Returns the answers of those servers; `None` where one of them was not asked.
    fn of(scene: &'a Scene<'_>, asked: &[ServerId]) -> Option<Self> {
        let round = scene.inputs.fresh_round()?;
        let answers: Option<Vec<_>> = asked.iter().map(|id| round.answers.get_key_value(id)).collect();
        let answered = answers?.into_iter().filter_map(|(id, answer)| Some((id, answer.as_ref()?)));
        Some(Self { answers: answered.collect() })
    }
}

/// Returns the number of answers that list this server as down, and of all; `None` where that was not asked. Of a server in service
/// only those count that are in service themselves.
fn verdicts(scene: &Scene<'_>) -> Option<(usize, usize)> {
    let own = scene.own()?;
    let heard = Heard::of(scene, &scene.others())?;
    let serves = scene.me().is_some_and(NodeStatus::is_in_service);
    let is = |answer: &Answer, id: &ServerId, is: fn(NodeStatus) -> bool| {
        answer.list.get(id).is_some_and(|entry| is(entry.status))
    };
    let counts = |(by, answer): &&(&ServerId, &Answer)| !serves || is(answer, by, NodeStatus::is_in_service);
    let down = |(_, answer): &&(&ServerId, &Answer)| is(answer, own, |status| !status.is_up());
    let counted = || heard.answers.iter().filter(counts);
    Some((counted().filter(down).count(), counted().count()))
}

/// Returns true for a server that serves, or waits to join: others must see it.
fn is_audited(me: NodeStatus) -> bool {
    me.is_up() && me.is_in_service() || me.bits() == 0x11
}

fn audited(scene: &Scene<'_>, is: impl Fn(usize, usize) -> bool, after: std::time::Duration) -> Condition {
    if !scene.me().is_some_and(is_audited) {
        return if scene.is_heard() { Condition::Fails } else { Condition::Unknown };
    }
    verdicts(scene).map_or(Condition::Unknown, |(down, all)| Condition::when(is(down, all), after))
}

/// Row `TwoViews`.
pub(super) fn two_views(scene: &Scene<'_>, _: &History) -> Condition {
    // Two servers that see each other as down must not both end: then no server would remember the ring.
    let first = scene.inputs.members.first() == scene.own() && scene.others().len() == 1;
    let serves = scene.me().is_some_and(NodeStatus::is_in_service);
    let after = if serves { timing::DISOWNED } else { timing::MISSING };
    if is_estranged(scene) {
        return Condition::when(true, timing::MISSING);
    }
    audited(scene, |down, all| all > 0 && down == all && !first, after)
}

/// Returns true where this server and another one list each other as down although both run and answer: no status that goes round
/// the ring mends that. One that waits to join starts again, and of two that are Pending the later one. One that serves is not
/// ended: a third one may see both.
fn is_estranged(scene: &Scene<'_>) -> bool {
    let (Some(own), Some(me)) = (scene.own(), scene.me().filter(|me| is_audited(*me))) else { return false };
    let Some(heard) = Heard::of(scene, &scene.others()) else { return false };
    heard.answers.iter().any(|(by, answer)| {
        let is_up = |id: &ServerId| answer.list.get(id).map(|entry| entry.status.is_up());
        let dead = scene.seen.status(by);
        let yields = !me.is_in_service() || is_pending(me) && *by < own;
        yields && is_dead(dead) && is_up(by) == Some(true) && is_up(own) == Some(false)
    })
}

/// Starts the pair again: nobody asks this server for keys.
pub(super) fn restart_pair(scene: &Scene<'_>, _: &History) -> Turn {
    let why = if is_estranged(scene) { PairEnd::Estranged } else { PairEnd::ListedAsDown };
    Turn::Act(Action::RestartPair(why))
}

/// Row `Disowned`.
pub(super) fn disowned(scene: &Scene<'_>, _: &History) -> Condition {
    audited(scene, |down, all| down > 0 && down < all, AT_ONCE)
}

/// Publishes the own status: some lists are old.
pub(super) fn publish(scene: &Scene<'_>, _: &History) -> Turn {
    scene.own().map_or(Turn::Pass, |own| Turn::send(vec![Command::UpdateStatus.at(own)]))
}

/// Row `Audit`.
pub(super) fn audit(scene: &Scene<'_>, _: &History) -> Condition {
    Condition::when(
        scene.me().is_some_and(is_audited) && scene.inputs.local.chmpx == Process::Running,
        AT_ONCE,
    )
}

/// Asks the other servers for their view of this one.
pub(super) fn ask_others(scene: &Scene<'_>, history: &History) -> Turn {
    let now = scene.inputs.now;
    let suspects = history.since(Row::TwoViews).is_some();
    if !suspects && !history.may_ask(Row::Audit, now, timing::AUDIT) {
        return Turn::Pass;
    }
    let mut who = scene.others();
    who.extend(scene.asked_by_driver());
    who.sort();
    who.dedup();
    let foreign = history.dialects().foreign(who.iter()).is_some()
        || who.iter().any(|id| history.dialects().is_unheard(id, now));
    let dump = foreign || !scene.seen.down().is_empty();
    Turn::ask(who, dump)
}
