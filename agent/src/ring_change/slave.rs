//! Rows of a slave: its chmpx stands still during a change, so that requests wait instead of failing, and writes do not reach old
//! holders.

use std::time::Duration;

use super::action::{Action, Command, Turn};
use super::condition::Condition;
use super::history::History;
use super::inputs::{Answer, List, Mark, Node, Process, ServerId};
use super::joining::PENDING;
use super::merging::{Dialect, dialect};
use super::row::Row;
use super::scene::{Roles, Scene, is_dismissed, is_pending, is_settled};
use super::timing::{self, AT_ONCE};
use super::words::{Hold, PairEnd};
use crate::chmpx_state::Action as Change;
use crate::settings::MergeBy;
use crate::supervisor::Program;

fn chmpx_is(scene: &Scene<'_>, process: Process) -> bool {
    scene.is_slave() && scene.inputs.local.chmpx == process
}

/// Returns the living servers that the list shows as joining, leaving, or back and Pending.
fn changing(scene: &Scene<'_>) -> Vec<ServerId> {
    let seen = &scene.seen;
    let announced =
        |id: &&ServerId| seen.status(id).action() != Change::Nothing || seen.status(id).bits() == PENDING;
    let living = |id: &&ServerId| seen.status(id).is_up();
    seen.all().filter(announced).filter(living).cloned().collect()
}

/// Row `Freeze`. A chmpx that was started in the middle of the change stops at once: servers may lack keys that it asks them for. So does one
/// that hears of the change late: a server that is Pending gets no request, and the program that asked waits for an answer until its own
/// limit.
pub(super) fn freeze(scene: &Scene<'_>, history: &History) -> Condition {
    if !chmpx_is(scene, Process::Running) || scene.inputs.local.mark != Mark::Absent {
        return Condition::Fails;
    }
    if !scene.is_heard() {
        return Condition::Unknown;
    }
    let ring = !scene.seen.stayers.is_empty() && !changing(scene).is_empty();
    let is_late = scene.seen.is_announced() && !scene.seen.among(&scene.seen.stayers, is_pending).is_empty();
    let after = if history.is_chmpx_new() || is_late { AT_ONCE } else { timing::FREEZE };
    Condition::when(ring && scene.may_freeze() && !scene.seen.is_interrupted(), after)
}

/// Stops chmpx, once those who change are known to leave the merge to the agents.
pub(super) fn stop_chmpx(scene: &Scene<'_>, history: &History) -> Turn {
    match dialect(scene, history, &changing(scene)) {
        Dialect::Agents => Turn::Act(Action::Stop { program: Program::Chmpx, limit: timing::FREEZE_LIMIT }),
        Dialect::Unknown(who) => Turn::ask(who, true),
        Dialect::Foreign(id) => Turn::Held(Hold::RunsAutomerge(id)),
    }
}

/// Row `Watch`: a stopped chmpx answers nothing, so a server is asked.
pub(super) fn watch(scene: &Scene<'_>, _: &History) -> Condition {
    Condition::when(chmpx_is(scene, Process::Stopped), AT_ONCE)
}

/// Asks one server, as often as all slaves together may.
pub(super) fn ask_one_seldom(scene: &Scene<'_>, history: &History) -> Turn {
    let due = history.may_ask(Row::Watch, scene.inputs.now, pause(scene));
    if due { ask_one(scene, history) } else { Turn::Pass }
}

/// Returns the pause between two questions of a stopped slave: no server gets more than a hundred a second from all of them.
pub(super) fn pause(scene: &Scene<'_>) -> Duration {
    let servers = u32::try_from(scene.inputs.members.len()).unwrap_or(u32::MAX).max(1);
    let shared = timing::QUESTION.saturating_mul(scene.inputs.slaves) / servers;
    shared.max(timing::BUSY)
}

/// Asks one server.
pub(super) fn ask_one(scene: &Scene<'_>, history: &History) -> Turn {
    let Node::Slave(spread) = scene.inputs.node else { return Turn::Pass };
    let servers: Vec<_> = scene.inputs.members.iter().cloned().collect();
    Turn::ask(history.asked_by_slave(spread, &servers).into_iter().collect(), false)
}

/// Returns the answer of one server.
fn answer<'a>(scene: &'a Scene<'_>) -> Option<&'a Answer> {
    scene.inputs.fresh_round()?.answers.values().flatten().next()
}

fn is_over(list: &List) -> bool {
    !list.is_empty() && list.values().all(|entry| is_settled(entry.status))
}

/// Row `Thaw`.
pub(super) fn thaw(scene: &Scene<'_>, history: &History) -> Condition {
    if !chmpx_is(scene, Process::Stopped) {
        return Condition::Fails;
    }
    if scene.limits.by == MergeBy::Chmpx {
        return Condition::when(scene.inputs.local.mark != Mark::Absent, AT_ONCE);
    }
    let Some(answer) = answer(scene) else { return Condition::Unknown };
    let long = history.has_held(Row::Watch, timing::UNSEEN, scene.inputs.now);
    let over = is_over(&answer.list) && (long || history.has_seen_change());
    let roles = Roles::of_list(&answer.list);
    let after = if over || roles.all_take_requests() { AT_ONCE } else { timing::ALL_SERVE };
    Condition::when(over || roles.is_interrupted(), after)
}

/// Continues chmpx.
pub(super) fn resume(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Act(Action::Continue { program: Program::Chmpx })
}

/// Row `ForcedThaw`: another hand has continued chmpx in the middle of a change.
pub(super) fn forced_thaw(scene: &Scene<'_>, _: &History) -> Condition {
    let forced = chmpx_is(scene, Process::Running) && scene.inputs.local.mark == Mark::Frozen;
    Condition::when(forced && scene.is_heard() && !scene.seen.is_settled(), AT_ONCE)
}

/// Starts chmpx again, with a list that is not old.
pub(super) fn restart(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Act(Action::RestartPair(PairEnd::ThawedTooEarly))
}

/// Row `Unmark`: the change is over, or the chmpx that stood still has ended, as by its watchdog. Behind the continuation by an agent the
/// list is compared before.
pub(super) fn unmark(scene: &Scene<'_>, _: &History) -> Condition {
    let mark = scene.inputs.local.mark;
    let marked = |process| chmpx_is(scene, process) && mark != Mark::Absent;
    if marked(Process::Absent) {
        return Condition::when(true, AT_ONCE);
    }
    let over = marked(Process::Running) && scene.is_heard() && scene.seen.is_settled();
    Condition::when(over, if mark == Mark::Thawed { timing::COMPARED } else { AT_ONCE })
}

/// Removes the mark: only now may chmpx be stopped again.
pub(super) fn remove_mark(_: &Scene<'_>, _: &History) -> Turn {
    Turn::Act(Action::Unmark)
}

/// Row `CureThawed`: an old list may look calm.
pub(super) fn cure_thawed(scene: &Scene<'_>, _: &History) -> Condition {
    let thawed = chmpx_is(scene, Process::Running) && scene.inputs.local.mark == Mark::Thawed;
    if !scene.is_heard() && thawed {
        return Condition::Unknown;
    }
    Condition::when(thawed, timing::THAWED)
}

/// Compares the list with that of a server, and has the servers publish their status whose entries are old. Removes the mark where none
/// is, and where the change goes on: chmpx was continued while it waited, or the next one has begun.
pub(super) fn cure_old_list(scene: &Scene<'_>, history: &History) -> Turn {
    let Some(answer) = answer(scene) else { return ask_one(scene, history) };
    let old = old_entries(scene, answer);
    let in_vain = history.times(Row::CureThawed) >= timing::CURES;
    match () {
        () if !is_over(&answer.list) => remove_mark(scene, history),
        () if !old.is_empty() && !in_vain => publish(&old),
        () if scene.seen.is_settled() => remove_mark(scene, history),
        // It shows a server in the change that is down by now, and no command has that one publish its status.
        () => Turn::Pass,
    }
}

/// Returns the servers that are up, and whose entries differ from those of another list.
fn old_entries(scene: &Scene<'_>, answer: &Answer) -> Vec<ServerId> {
    let differs = |id: &ServerId, status| status != scene.seen.status(id);
    let old = answer.list.iter().filter(|(id, entry)| entry.status.is_up() && differs(id, entry.status));
    old.map(|(id, _)| id.clone()).collect()
}

fn publish(servers: &[ServerId]) -> Turn {
    Turn::send(servers.iter().map(|id| Command::UpdateStatus.at(id)).collect())
}

/// Has the servers whose entries are old publish their status, where another server's list is calm.
pub(super) fn cure(scene: &Scene<'_>, history: &History) -> Turn {
    let Some(answer) = answer(scene) else { return ask_one(scene, history) };
    if is_over(&answer.list) { publish(&old_entries(scene, answer)) } else { Turn::Pass }
}

/// Row `Recount`: chmpx still counts a server that was taken out of the ring, and looks for keys at the wrong servers (C38).
pub(super) fn recount(scene: &Scene<'_>, _: &History) -> Condition {
    let runs = chmpx_is(scene, Process::Running) && scene.inputs.local.mark == Mark::Absent;
    if runs && !scene.is_heard() {
        return Condition::Unknown;
    }
    let counted = if runs && scene.seen.is_settled() { dismissed(scene) } else { Vec::new() };
    Condition::while_same(counted, timing::RECOUNT)
}

fn dismissed(scene: &Scene<'_>) -> Vec<ServerId> {
    let statuses = scene.seen.statuses.iter();
    statuses.filter(|(_, status)| is_dismissed(**status)).map(|(id, _)| id.clone()).collect()
}

/// Starts chmpx again where a server has that one out of service: no command has it publish the status of another one that is gone.
pub(super) fn restart_to_recount(scene: &Scene<'_>, _: &History) -> Turn {
    let Some(answer) = answer(scene) else {
        return Turn::ask(scene.living().into_iter().take(1).collect(), false);
    };
    let out = |id: &ServerId| answer.list.get(id).is_none_or(|entry| !entry.status.is_in_service());
    let all_out = is_over(&answer.list) && dismissed(scene).iter().all(out);
    if all_out { Turn::Act(Action::RestartPair(PairEnd::CountsTheDead)) } else { Turn::Pass }
}
