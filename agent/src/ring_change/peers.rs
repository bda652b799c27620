//! Rows about what servers see of each other: old entries, two views, dead peers, and the server that nobody answers.

use super::action::{Action, Command, Turn};
use super::condition::{Condition, Same};
use super::driving::ask_all;
use super::history::History;
use super::inputs::{Answer, Mark, Process, ServerId};
use super::row::Row;
use super::scene::{Scene, is_calm};
use super::slave;
use super::timing::{self, AT_ONCE};
use super::words::PairEnd;
use crate::chmpx_state::NodeStatus;

/// Row `Cure`.
pub(super) fn cure(scene: &Scene<'_>, _: &History) -> Condition {
    if !scene.is_heard() {
        return Condition::Unknown;
    }
    let open = |status: &NodeStatus| !is_calm(*status) || status.is_suspended();
    let odd: Vec<_> = scene.seen.signature().into_iter().filter(|(_, status)| open(status)).collect();
    if odd.is_empty() {
        return Condition::Fails;
    }
    Condition::Holds(Same::Statuses(odd), timing::CURE)
}

/// Has the servers whose entries are old publish their status; not while a slave can be stopped, which it would fill up.
pub(super) fn cure_entries(scene: &Scene<'_>, history: &History) -> Turn {
    if scene.is_slave() {
        let first = scene.inputs.local.mark == Mark::Absent;
        return if first { slave::cure(scene, history) } else { Turn::Pass };
    }
    let Some(views) = &scene.views else { return ask_all(scene, history) };
    let calm = views.unknown.is_empty() && views.roles.is_calm();
    let old = |id: &&ServerId| Some(*id) != scene.own() && views.roles.status(id) != scene.seen.status(id);
    let old: Vec<_> = views.roles.statuses.keys().filter(old).filter(|_| calm).collect();
    Turn::send(old.into_iter().map(|id| Command::UpdateStatus.at(id)).collect())
}

/// The answers of the other servers to one question.
struct Heard<'a> {
    answers: Vec<&'a Answer>,
}

impl<'a> Heard<'a> {
    /// Returns the answers of those servers; `None` where one of them was not asked.
    fn of(scene: &'a Scene<'_>, asked: &[ServerId]) -> Option<Self> {
        let round = scene.inputs.fresh_round()?;
        let answers: Option<Vec<_>> = asked.iter().map(|id| round.answers.get(id)).collect();
        Some(Self { answers: answers?.into_iter().flatten().collect() })
    }
}

/// Returns the other servers that can say which host vanished: those that acknowledge, or all where none does; none in a ring
/// of two.
fn witnesses(scene: &Scene<'_>) -> Vec<ServerId> {
    let (others, silent) = (scene.others(), &scene.inputs.local.unacknowledged);
    let acknowledging: Vec<_> = others.iter().filter(|id| !silent.contains(id)).cloned().collect();
    match () {
        () if !acknowledging.is_empty() => acknowledging,
        () if others.len() > 1 => others,
        () => Vec::new(),
    }
}

/// Row `Cut`.
pub(super) fn cut(scene: &Scene<'_>, _: &History) -> Condition {
    Condition::while_same(scene.inputs.local.unacknowledged.iter().cloned().collect(), AT_ONCE)
}

/// Destroys the connections to silent peers, where another server answers: it is not this host that vanished.
pub(super) fn cut_silent(scene: &Scene<'_>, history: &History) -> Turn {
    let others = witnesses(scene);
    if history.times(Row::Cut) > 0 {
        return Turn::Pass;
    }
    let cut = || Turn::Act(Action::Cut(scene.inputs.local.unacknowledged.iter().cloned().collect()));
    if others.is_empty() {
        // Nobody can say which of two hosts vanished, and a ring that waits serves nobody.
        return cut();
    }
    let Some(heard) = Heard::of(scene, &others) else { return Turn::ask(others, false) };
    if heard.answers.is_empty() { Turn::Pass } else { cut() }
}

/// Row `Isolated`.
pub(super) fn isolated(scene: &Scene<'_>, history: &History) -> Condition {
    let others = witnesses(scene);
    let evidence = !others.is_empty()
        && !scene.inputs.local.unacknowledged.is_empty()
        && !scene.is_slave()
        && !history.isolated;
    if !evidence {
        return Condition::Fails;
    }
    match Heard::of(scene, &others) {
        None => Condition::Unknown,
        Some(heard) => Condition::when(heard.answers.is_empty(), timing::ISOLATED),
    }
}

/// Ends the pair: its sockets and queues hold late writes.
pub(super) fn end_pair(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Act(Action::EndPair(PairEnd::NobodyAnswers))
}

/// Row `Rejoin`.
pub(super) fn rejoin(_: &Scene<'_>, history: &History) -> Condition {
    Condition::when(history.isolated, AT_ONCE)
}

/// Starts the pair when another server answers.
pub(super) fn start_pair(scene: &Scene<'_>, _: &History) -> Turn {
    let others = scene.others();
    match Heard::of(scene, &others) {
        None => Turn::ask(others, false),
        Some(heard) if heard.answers.is_empty() => Turn::Pass,
        Some(_) => Turn::Act(Action::StartPair),
    }
}

/// Returns the number of answers that list this server as down, and of all; `None` where that was not asked.
fn verdicts(scene: &Scene<'_>) -> Option<(usize, usize)> {
    let own = scene.own()?;
    let heard = Heard::of(scene, &scene.others())?;
    let down = |answer: &&&Answer| answer.list.get(own).is_some_and(|entry| !entry.status.is_up());
    Some((heard.answers.iter().filter(down).count(), heard.answers.len()))
}

fn audited(scene: &Scene<'_>, is: impl Fn(usize, usize) -> bool, after: std::time::Duration) -> Condition {
    if !scene.me().is_some_and(|me| me.is_up() && me.is_in_service()) {
        return if scene.is_heard() { Condition::Fails } else { Condition::Unknown };
    }
    verdicts(scene).map_or(Condition::Unknown, |(down, all)| Condition::when(is(down, all), after))
}

/// Row `TwoViews`.
pub(super) fn two_views(scene: &Scene<'_>, _: &History) -> Condition {
    // Two servers that see each other as down must not both end: then no server would remember the ring.
    let first = scene.inputs.members.first() == scene.own() && scene.others().len() == 1;
    audited(scene, |down, all| all > 0 && down == all && !first, timing::DISOWNED)
}

/// Starts the pair again: to the others this server is down anyway.
pub(super) fn restart_pair(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Act(Action::RestartPair(PairEnd::ListedAsDown))
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
    let serves = scene.me().is_some_and(NodeStatus::is_healthy);
    Condition::when(serves && scene.inputs.local.chmpx == Process::Running, AT_ONCE)
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
    let dump = history.foreign(who.iter()).is_some() || !scene.seen.down().is_empty();
    Turn::ask(who, dump)
}
