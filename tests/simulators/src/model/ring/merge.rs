//! A merge at one server: from `[Pending]` to `[Doing]`, `[Done]` and back into service (chmpx lib/chmeventsock.cc:5649-6800).

use super::chmpx::{Chmpx, Copying, Effect, Turn};
use super::list::{Micros, Node, Nodes};
use super::message::{Message, Question, Work};
use super::range::Range;
use crate::model::status::Status;

/// The thread of a merge waits so long for an answer that was lost: a million sleeps (docs/facts.md C29).
const VAIN: Micros = 70_000_000;

impl Chmpx {
    /// Checks whether a merge may start, by its own list.
    pub(super) fn allows_merge(&self) -> bool {
        !self.list.is_operating() && self.list.iter().all(|(_, status)| status.allows_merge())
    }

    /// Starts its own copy where it is `[Pending]`, and nobody in its list merges yet: who is late is skipped.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) {
        let own = self.status();
        let starts = own.is_in() && own.is_pending() && !own.is_suspended() && own.is_up();
        let (base, pending) = (self.list.base(), self.list.pending());
        let moves = base.slot(self.own) != pending.slot(self.own) || base.count() != pending.count();
        let has_action = own.is_add() || own.is_delete();
        if self.list.is_operating() || !starts || has_action && !moves {
            return;
        }
        self.set_own(Status::merge_started, turn);
        self.mark_down(|status| !status.is_done(), Status::merge_started, turn);
        let wanted = if moves { self.givers() } else { self.neighbours() };
        self.copy_from(wanted.without(self.own), turn);
    }

    /// The servers that have a slot, and are up with a k2hdkc.
    fn givers(&self) -> Nodes {
        let has_data =
            |(_, status): &(Node, Status)| status.has_base() && status.is_up() && !status.is_suspended();
        self.list.iter().filter(has_data).map(|(node, _)| node).collect()
    }

    /// The holders of its slot, and of the slot as many before it as there are extra copies (lib/chmimdata.cc:1869-1912).
    fn neighbours(&self) -> Nodes {
        let (base, replicas) = (self.list.base(), self.ini.replicas);
        let Some(slot) = base.slot(self.own) else { return self.givers() };
        let before = (slot + base.count() as u64).wrapping_sub(replicas as u64);
        let before = if replicas as u64 <= slot { slot - replicas as u64 } else { before };
        let both = [slot, before].into_iter().flat_map(|slot| base.holders(slot, replicas));
        both.collect::<Nodes>().iter().filter(|node| self.givers().has(*node)).collect()
    }

    fn copy_from(&mut self, wanted: Nodes, turn: &mut Turn<'_>) {
        if wanted.is_empty() || !self.ini.domerge {
            return self.copied(turn);
        }
        let number = self.copying.number + 1;
        let waits_until = self.copying.waits_until;
        self.copying = Copying { number, runs: true, wanted, got: Nodes::default(), waits_until };
        if waits_until <= turn.now {
            turn.out.push(Effect::Work(Work::Last(number, turn.now)));
        }
    }

    /// Takes the answer of its k2hdkc: the time of the last direct write. The question to the others follows.
    pub fn last_known(&mut self, number: u32, last: Micros, turn: &mut Turn<'_>) {
        let Copying { runs, wanted, .. } = self.copying;
        if !runs || self.copying.number != number {
            return;
        }
        let Some(range) = Range::of(&self.list, self.own, self.ini.replicas, last) else {
            return self.copied(turn);
        };
        let question = Box::new(Question { range, wanted, idle: Nodes::default() });
        self.start(|token| Message::Ask(token, question), turn);
        turn.out.push(Effect::Tick(number));
    }

    /// Notes that the answer of its k2hdkc came before it was waited for.
    pub fn last_lost(&mut self, number: u32, now: Micros) {
        if self.copying.number == number {
            self.copying.waits_until = now + VAIN;
        }
    }

    /// Notes that a server has sent everything.
    pub(super) fn given(&mut self, by: Node) {
        self.copying.got = self.copying.got.with(by);
    }

    /// Looks whether everything is copied.
    pub fn tick(&mut self, number: u32, turn: &mut Turn<'_>) {
        let Copying { runs, wanted, got, .. } = self.copying;
        if !runs || self.copying.number != number {
            return;
        }
        if got.covers(wanted) {
            self.copied(turn);
        } else {
            turn.out.push(Effect::Tick(number));
        }
    }

    fn copied(&mut self, turn: &mut Turn<'_>) {
        self.copying.runs = false;
        if self.status().is_suspended() {
            return;
        }
        self.auto.completes = self.is_automatic();
        if self.set_own(Status::merge_done, turn) && self.next().is_none() && self.auto.completes {
            self.complete(turn);
        }
    }

    /// Completes its own part; a server that is `[Pending]` or `[Doing]` stays as it is.
    pub(super) fn complete(&mut self, turn: &mut Turn<'_>) {
        self.auto.completes = false;
        self.mark_down(|_| true, |_| Status::OUT_DOWN, turn);
        let own = self.status();
        let waits = own.is_in() && (own.is_pending() || own.is_doing());
        let suspended = own.is_in() && own.is_suspended() && !(own.is_delete() && own.is_done());
        if own.is_up() && (waits || suspended) {
            return;
        }
        self.list.set(self.own, own.merge_completed(), turn.now);
        self.drop_unlisted();
        self.repeat_own(turn);
    }

    /// Gives its own merge up: `[Pending]` again, and a server that was leaving stays.
    pub(super) fn abort(&mut self, turn: &mut Turn<'_>) {
        self.copying.runs = false;
        self.auto.completes = false;
        let own = self.status();
        self.list.set(self.own, if own.is_up() { own.merge_aborted() } else { own }, turn.now);
        self.repeat_own(turn);
        self.mark_down(|_| true, |_| Status::OUT_DOWN, turn);
    }

    /// Does what AUTOMERGE does by itself. The one SERVICEIN waits for k2hdkc (lib/chmeventsock.cc:5931-5985).
    pub(super) fn go_on(&mut self, turn: &mut Turn<'_>) {
        if !self.is_server || !self.ini.automerge && !self.auto.comes || self.list.is_operating() {
            return;
        }
        if self.auto.comes && self.status() == Status::STARTED {
            return;
        }
        if std::mem::take(&mut self.auto.comes) && self.status() == Status::OUT_UP {
            self.service_in(turn);
        }
        if self.is_automatic() {
            self.request_merge(turn);
        }
    }
}
