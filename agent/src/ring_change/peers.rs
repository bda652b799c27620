//! Rows about what servers see of each other: old entries, two views, dead peers, and the server that nobody answers.

use std::collections::BTreeSet;

use super::action::{Action, Command, Turn};
use super::condition::{Condition, Same};
use super::driving::ask_all;
use super::history::History;
use super::inputs::{Answer, Mark, Process, Round, ServerId};
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
    let open = |status: &NodeStatus| !is_calm(*status) || status.is_suspended() || is_dead(*status);
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

/// The answers of all other servers, and of those that do not acknowledge.
struct Roll<'a> {
    round: &'a Round,
    silent: &'a BTreeSet<ServerId>,
    /// The number of other servers.
    others: usize,
}

impl<'a> Roll<'a> {
    /// Returns the servers to ask.
    fn call(scene: &Scene<'_>) -> Vec<ServerId> {
        let all: BTreeSet<_> =
            scene.others().into_iter().chain(scene.inputs.local.unacknowledged.clone()).collect();
        all.into_iter().collect()
    }

    /// Returns the answers; `None` where a server was not asked.
    fn of(scene: &'a Scene<'_>) -> Option<Self> {
        let (round, called) = (scene.inputs.fresh_round()?, Self::call(scene));
        let asked = called.iter().all(|id| round.answers.contains_key(id));
        asked.then_some(Self { round, silent: &scene.inputs.local.unacknowledged, others: called.len() })
    }

    fn answers(&self, id: &ServerId) -> bool {
        self.round.answers.get(id).is_some_and(Option::is_some)
    }

    /// Returns true where no server answers, and there are enough of them to say that it is this host that vanished. Of two
    /// servers neither knows.
    fn is_alone(&self) -> bool {
        self.others > 1 && !self.round.answers.values().any(Option::is_some)
    }

    /// Returns the silent peers that do not answer either.
    fn gone(&self) -> Vec<ServerId> {
        self.silent.iter().filter(|id| !self.answers(id)).cloned().collect()
    }
}

/// Row `Cut`.
pub(super) fn cut(scene: &Scene<'_>, _: &History) -> Condition {
    Condition::while_same(scene.inputs.local.unacknowledged.iter().cloned().collect(), AT_ONCE)
}

/// Destroys the connections to silent peers that do not answer either, unless it is this host that vanished.
pub(super) fn cut_silent(scene: &Scene<'_>, history: &History) -> Turn {
    if history.times(Row::Cut) > 0 {
        return Turn::Pass;
    }
    match Roll::of(scene) {
        None => Turn::ask(Roll::call(scene), false),
        Some(roll) if roll.is_alone() || roll.gone().is_empty() => Turn::Pass,
        Some(_) if !history.has_held(Row::Cut, timing::CUT, scene.inputs.now) => Turn::Pass,
        Some(roll) => Turn::Act(Action::Cut(roll.gone())),
    }
}

/// Row `Isolated`.
pub(super) fn isolated(scene: &Scene<'_>, history: &History) -> Condition {
    if scene.inputs.local.unacknowledged.is_empty() || scene.is_slave() || history.isolated {
        return Condition::Fails;
    }
    Roll::of(scene).map_or(Condition::Unknown, |roll| Condition::when(roll.is_alone(), timing::ISOLATED))
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
        _ if others.is_empty() => Turn::Act(Action::StartPair),
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
    audited(scene, |down, all| all > 0 && down == all && !first, after)
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
    let foreign = history.foreign(who.iter()).is_some() || who.iter().any(|id| history.is_unheard(id, now));
    let dump = foreign || !scene.seen.down().is_empty();
    Turn::ask(who, dump)
}
