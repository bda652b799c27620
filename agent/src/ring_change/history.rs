//! The memory of one process: since when each condition holds, and which tries were made. Nothing of it decides alone: an agent
//! without it sees the ring's statuses and goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::condition::{Condition, Same};
use super::dialects::Dialects;
use super::inputs::{Inputs, Mark, Process, ServerId};
use super::row::Row;
use super::scene::{Roles, Scene, is_merging, is_pending};
use super::words::Hold;
use super::{Action, Decision, table, timing};
use crate::chmpx_state::{Action as Change, NodeStatus, Operation};
use crate::retry::{Backoff, Retry};
use crate::settings::Merge;

const BACKOFF: Backoff = Backoff::new(timing::BACKOFF, timing::MOST_BACKOFF);

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    conditions: BTreeMap<Row, Held>,
    tries: BTreeMap<Row, Tries>,
    asked: BTreeMap<Row, Instant>,
    dialects: Dialects,
    own: OwnCourse,
    change: ChangeCourse,
    /// Begin of the present emptiness of the queues.
    empty_since: Option<Instant>,
    /// Latest answers that forbade an announcement.
    refused: Option<Instant>,
    freeze: FreezeCourse,
    /// The latest report of lost servers.
    lost: Option<Hold>,
}

/// Course of the own status.
#[derive(Debug, Clone, Default, PartialEq)]
struct OwnCourse {
    latest: Option<(Instant, NodeStatus)>,
    /// Announcements that were undone.
    announcement: Retry,
    leave: OwnLeave,
    /// True where k2hdkc was stopped for the present merge.
    stopped: bool,
    /// True where it has taken requests since its chmpx and its k2hdkc started: it lacks no write.
    holds_keys: bool,
}

/// Course of the own leave.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct OwnLeave {
    /// True where ABORTMERGE has ended it.
    aborted: bool,
    /// True where this server leaves only to issue the merge that buries a dead one.
    buries: bool,
}

/// Course of the present change, by the own list.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct ChangeCourse {
    since: Option<Instant>,
    /// Begin of the time in which it has not waited for a server that is down.
    goes_on_since: Option<Instant>,
    /// Begin of the present wait for such a server.
    interrupted: Option<Instant>,
    /// True where it has waited for such a server.
    resumed: bool,
}

/// Course of a slave's freeze.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct FreezeCourse {
    /// True where chmpx was started after its list had last been calm.
    is_new: bool,
    /// True where a server's list has shown the change.
    seen: bool,
    /// Servers in a row that did not answer.
    unanswered: u64,
}

/// A condition that holds.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    since: Instant,
    /// The latest look at which it was seen to hold.
    seen: Instant,
    after: Duration,
    same: Same,
}

/// Tries of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tries {
    at: Instant,
    /// Number of tries.
    pub(super) times: u32,
}

impl ChangeCourse {
    fn at(self, seen: &Roles, now: Instant) -> Self {
        if seen.is_calm() {
            return Self::default();
        }
        let interrupted = seen.is_interrupted().then(|| self.interrupted.unwrap_or(now));
        let goes_on = if interrupted.is_some() { now } else { self.goes_on_since.unwrap_or(now) };
        Self {
            since: Some(self.since.unwrap_or(now)),
            goes_on_since: Some(goes_on),
            interrupted,
            resumed: self.resumed || interrupted.is_some(),
        }
    }
}

impl History {
    /// Takes one look in, before it is decided on.
    pub fn observe(&mut self, inputs: &Inputs, limits: &Merge) {
        let scene = Scene::new(inputs, limits);
        if let Some(round) = inputs.fresh_round() {
            self.dialects.hear(round, inputs);
        }
        self.follow_own(&scene);
        self.follow_change(&scene);
        for row in Row::all() {
            let condition = (table::of(row).condition)(&scene, self);
            self.keep(row, condition, inputs.now);
        }
        self.forget_tries(&scene);
    }

    /// Notes the action that was taken by a decision; its answer does not matter.
    pub fn record(&mut self, decision: &Decision, now: Instant) {
        if let Some(lost @ Hold::Lost { .. }) = &decision.progress.hold {
            self.lost = Some(lost.clone());
        }
        if decision.refused {
            self.refused = Some(now);
        }
        let Some(row) = decision.row else { return };
        match &decision.action {
            Action::Nothing => return,
            Action::Ask { .. } => {
                self.asked.insert(row, now);
                return;
            }
            Action::Send(_) if row == Row::Bury => self.own.leave.buries = true,
            _ => {}
        }
        if row == Row::Merge {
            self.tries.remove(&Row::Complete);
        }
        let times = self.tries.get(&row).map_or(0, |tries| tries.times);
        self.tries.insert(row, Tries { at: now, times: times.saturating_add(1) });
    }

    fn follow_own(&mut self, scene: &Scene<'_>) {
        let now = scene.inputs.now;
        let empty = scene.inputs.local.queues_empty;
        self.empty_since = empty.then(|| self.empty_since.unwrap_or(now));
        let local = &scene.inputs.local;
        self.own.holds_keys &= local.k2hdkc != Process::Absent && local.chmpx != Process::Absent;
        let Some(me) = scene.me() else { return };
        let takes = me.is_healthy() || me.serves() && me.action() == Change::Delete;
        self.own.holds_keys = me.serves() && (self.own.holds_keys || takes);
        let before = self.own.latest.map(|(_, status)| status);
        self.own.latest = Some((now, me));
        self.own.stopped =
            (self.own.stopped || scene.k2hdkc_is(Process::Stopped)) && (is_pending(me) || is_merging(me));
        if me.action() == Change::Delete || me.is_healthy() {
            self.own.leave.aborted = false;
        }
        self.own.leave.buries &=
            me.action() == Change::Delete || self.due_try(Row::Bury, now, timing::AGAIN).is_some();
        if let Some(before) = before {
            self.follow_announcement(before, me, scene);
        }
        if me.is_healthy() && !scene.inputs.wish.leave {
            self.own.announcement.succeeded();
        }
    }

    /// Notes the end of an announcement of this server: carried out, undone, or aborted.
    fn follow_announcement(&mut self, before: NodeStatus, me: NodeStatus, scene: &Scene<'_>) {
        let (now, random) = (scene.inputs.now, scene.inputs.random);
        match (before.action(), me.action()) {
            (Change::Add, Change::Nothing) if me.is_in_service() => {}
            (Change::Delete, Change::Nothing) if !me.is_in_service() => self.own.announcement.succeeded(),
            (Change::Delete, Change::Nothing) if before.operation() != Operation::Pending => {
                self.own.leave.aborted = true;
            }
            (Change::Add | Change::Delete, Change::Nothing) => {
                self.own.announcement.failed(now, "undone", &BACKOFF, random);
            }
            _ => {}
        }
    }

    fn follow_change(&mut self, scene: &Scene<'_>) {
        let now = scene.inputs.now;
        if scene.is_heard() {
            self.change = self.change.at(&scene.seen, now);
        }
        let local = &scene.inputs.local;
        let is_over = scene.is_heard() && scene.seen.is_calm();
        let is_new = local.chmpx == Process::Absent || self.freeze.is_new && !is_over;
        let asks = local.chmpx == Process::Stopped || local.mark == Mark::Thawed;
        if !(scene.is_slave() && asks) {
            self.freeze = FreezeCourse { is_new, ..FreezeCourse::default() };
        } else if let Some(round) = scene.inputs.fresh_round() {
            let calm = |list: &super::List| list.values().all(|entry| entry.status.is_calm());
            match round.answers.values().flatten().next() {
                Some(answer) => {
                    self.freeze.unanswered = 0;
                    self.freeze.seen |= !calm(&answer.list);
                }
                None => self.freeze.unanswered = self.freeze.unanswered.saturating_add(1),
            }
        }
    }

    fn keep(&mut self, row: Row, condition: Condition, now: Instant) {
        match condition {
            Condition::Unknown => {}
            Condition::Fails => drop(self.conditions.remove(&row)),
            Condition::Holds(same, after) => {
                let since = match self.conditions.get(&row) {
                    Some(held) if held.same == same => held.since,
                    _ => {
                        self.tries.retain(|tried, _| {
                            *tried != row || table::of(row).memory == table::Memory::Change
                        });
                        now
                    }
                };
                self.conditions.insert(row, Held { since, seen: now, after, same });
            }
        }
    }

    /// Forgets the tries of rows that do not hold any more, and those of a change that is over.
    fn forget_tries(&mut self, scene: &Scene<'_>) {
        let over = scene.is_heard() && self.change.since.is_none();
        let conditions = &self.conditions;
        self.tries.retain(|row, _| match table::of(*row).memory {
            table::Memory::Condition => conditions.contains_key(row),
            table::Memory::Change => !over,
        });
    }

    /// Returns true where the row's condition holds at this look, and has held as long as it must.
    pub(super) fn is_due(&self, row: Row, now: Instant) -> bool {
        let due = |held: &Held| held.seen == now && now.saturating_duration_since(held.since) >= held.after;
        self.conditions.get(&row).is_some_and(due)
    }

    /// Returns the begin of the row's condition.
    pub(super) fn since(&self, row: Row) -> Option<Instant> {
        self.conditions.get(&row).map(|held| held.since)
    }

    /// Returns the latest report of lost servers.
    pub(super) fn lost(&self) -> Option<&Hold> {
        self.lost.as_ref()
    }

    /// Returns true where the row's condition has held for this time.
    pub(super) fn has_held(&self, row: Row, time: Duration, now: Instant) -> bool {
        self.since(row).is_some_and(|since| now.saturating_duration_since(since) >= time)
    }

    /// Returns the number of tries of a row.
    pub(super) fn times(&self, row: Row) -> u32 {
        self.tries.get(&row).map_or(0, |tries| tries.times)
    }

    /// Returns the tries of a row where the latest one is not older than `within`.
    pub(super) fn due_try(&self, row: Row, now: Instant, within: Duration) -> Option<Tries> {
        let tries = *self.tries.get(&row)?;
        (now.saturating_duration_since(tries.at) < within).then_some(tries)
    }

    /// Returns true where the row may ask again.
    pub(super) fn may_ask(&self, row: Row, now: Instant, pause: Duration) -> bool {
        self.asked.get(&row).is_none_or(|at| now.saturating_duration_since(*at) >= pause)
    }

    /// Returns AUTOMERGE of the others.
    pub(super) fn dialects(&self) -> &Dialects {
        &self.dialects
    }

    /// Returns true where the announcement may be made: the pauses behind an undo and behind a refusal are over.
    pub(super) fn may_announce(&self, now: Instant) -> bool {
        let refused = self.refused.is_some_and(|at| now.saturating_duration_since(at) < timing::REFUSED);
        self.own.announcement.is_due(now) && !refused
    }

    /// Returns the rest of the pause behind an undone announcement.
    pub(super) fn back_off(&self, now: Instant) -> Option<Duration> {
        self.own.announcement.wait(now)
    }

    /// Returns the number of announcements that were undone.
    pub(super) fn undone(&self) -> u32 {
        self.own.announcement.attempts()
    }

    /// Returns true where the own leave was ended by ABORTMERGE.
    pub(super) fn was_aborted(&self) -> bool {
        self.own.leave.aborted
    }

    /// Returns true where k2hdkc was stopped for the present merge.
    pub(super) fn was_stopped(&self) -> bool {
        self.own.stopped
    }

    /// Returns true where this server leaves only to bury a dead one.
    pub(super) fn buries(&self) -> bool {
        self.own.leave.buries
    }

    /// Returns the own status at the latest answer, unless that is too old.
    pub(super) fn latest_own(&self, now: Instant) -> Option<NodeStatus> {
        let (at, status) = self.own.latest?;
        (now.saturating_duration_since(at) < timing::BLIND_TRUSTS).then_some(status)
    }

    /// Returns true where the queues of k2hdkc decide on a stop: this server was Pending at its latest answer.
    pub fn waits_for_queues(&self, now: Instant) -> bool {
        self.latest_own(now).is_some_and(is_pending)
    }

    /// Returns true where the queues have been empty at more than one look.
    pub(super) fn are_queues_empty(&self, now: Instant) -> bool {
        self.empty_since.is_some_and(|since| now.saturating_duration_since(since) >= timing::EMPTY)
    }

    /// Returns the begin of the present change.
    pub(super) fn change_since(&self) -> Option<Instant> {
        self.change.since
    }

    /// Returns the begin of the time in which the present change has not waited for a server that is down.
    pub(super) fn goes_on_since(&self) -> Option<Instant> {
        self.change.goes_on_since
    }

    /// Returns true where the present change waits for a server that is down.
    pub(super) fn is_interrupted(&self) -> bool {
        self.change.interrupted.is_some()
    }

    /// Returns true where the present change waits for a server that seems not to come back soon.
    pub(super) fn waits_long(&self, now: Instant) -> bool {
        self.change
            .interrupted
            .is_some_and(|since| now.saturating_duration_since(since) >= timing::WAITS_LONG)
    }

    /// Returns true where the present change has waited for a server that was down.
    pub(super) fn was_interrupted(&self) -> bool {
        self.change.resumed
    }

    /// Returns true where this server has taken requests since its chmpx and its k2hdkc started.
    pub(super) fn holds_keys(&self) -> bool {
        self.own.holds_keys
    }

    /// Returns true where chmpx was started in the middle of the present change.
    pub(super) fn is_chmpx_new(&self) -> bool {
        self.freeze.is_new
    }

    /// Returns true where a server's list has shown the change to a frozen slave.
    pub(super) fn has_seen_change(&self) -> bool {
        self.freeze.seen
    }

    /// Returns the server that a slave asks while its chmpx stands still, and behind that: its own by its number, the next one where that
    /// does not answer.
    pub(super) fn asked_by_slave(&self, spread: u64, servers: &[ServerId]) -> Option<ServerId> {
        let number = u64::try_from(servers.len()).ok().filter(|number| *number > 0)?;
        let place = spread.wrapping_add(self.freeze.unanswered) % number;
        servers.get(usize::try_from(place).ok()?).cloned()
    }

    /// Returns true where this server drives: it is the first in the order, or those before it do nothing.
    pub(super) fn drives(&self, scene: &Scene<'_>) -> bool {
        match scene.place() {
            Some(0) => true,
            Some(_) => self.is_due(Row::Takeover, scene.inputs.now),
            None => false,
        }
    }
}
