//! What the agent remembers of the processes from pass to pass, and may forget: since when they are as they are, what
//! it has tried, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::departed::Changes;
use super::keeping::Others;
use super::merge_work::MergeWork;
use super::past::{Past, pause};
use super::placement::Placement;
use super::prompts::Prompts;
use super::resolving::Resolving;
use super::rules::{
    HEARD_WITHIN, MOST_NUDGES, NUDGE_AGAIN, NUDGE_SELDOM, SETTLED, SOON, SPEAKS_AGAIN, STALLED, WORDS,
};
use super::stir::Stir;
use super::takeover::TakeOver;
use super::trial::is_own_end;
use super::{Case, Next};
use crate::supervisor::{Ended, Identity, Order, Program, Running, Signal, Step};
use crate::view::{NodeStatus, Operation, Row};

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// When the agent first looked; what happened before counts from then.
    born: Option<Instant>,
    /// When the file was last replaced.
    replaced: Option<Instant>,
    /// By another ring: how often the others are still to hear that this server has loaded it.
    untold: u32,
    /// When they last did.
    spoke: Option<Instant>,
    /// Whether something was stopped that must run again.
    midway: bool,
    /// What was last asked of a process that shall end.
    signalled: Option<Signalled>,
    /// The last chmpx that a restart was to end.
    to_go: Option<Identity>,
    /// The process that could not be asked.
    unheard: Option<Unheard>,
    /// The file before the processes, where they have one of their own.
    pub(super) placement: Placement,
    chmpx: Past,
    k2hdkc: Past,
    /// This node's own status, and since when it is that.
    status: Option<(NodeStatus, Instant)>,
    /// What is seen of the merge that this node is in.
    work: MergeWork,
    /// How often the agent has looked.
    passes: u64,
    /// Since when each thing has been waited for, and in which pass last.
    waiting: BTreeMap<Waiting, (Instant, u64)>,
    /// What is seen of chmpx's name look-ups.
    pub(super) resolving: Resolving,
    /// What is seen of the changes of other servers.
    pub(super) changes: Changes,
    /// Since when nothing has moved.
    still: Option<Instant>,
    /// What is seen of the other servers' keys.
    pub(super) others: Others,
    /// Which limit the file counts against that is to be written next.
    pub(super) rewriting: Option<Rewriting>,
    /// What moves in the ring.
    stir: Stir,
    /// The chmpx that came before the other servers listed this one.
    pub(super) too_early: Option<Identity>,
    /// Words to servers that have turned this slave away.
    pub(super) prompts: Prompts,
    nudges: u32,
    nudged: Option<Instant>,
    /// How often this ring was written again to correct the list of servers.
    pub(super) relisted: u32,
    /// How often this ring was written again.
    pub(super) rewrites: u32,
    /// When k2hdkc was started by the agent itself, in sight of its peers, and which one came of it.
    begun: Option<(Instant, Option<Identity>)>,
    /// How often chmpx was started anew to look for the other servers.
    pub(super) looked_anew: u32,
    /// Restarts that were no change's.
    pub(super) cures: u32,
    /// Why the only copy of keys would be lost: held although the later stages go on, but for merges.
    pub(super) at_stake: Option<String>,
    /// What somebody must look at besides; it keeps nothing from being done.
    pub(super) loud: Vec<String>,
    /// What was tried with another program that writes the same file.
    pub(super) take_over: TakeOver,
    /// When a program could not be let start at the next boot again, and why.
    pub(super) not_enabled: Option<(Instant, String)>,
    /// What waits although the later stages go on.
    pub(super) pending: Option<Next>,
    /// Programs that nobody is to start again: when that was done, or why it could not be.
    retired: BTreeMap<Program, (Instant, Option<String>)>,
    /// Since when nothing has been seen, and when it last was.
    unseen: Option<Instant>,
    seen: Option<Instant>,
    /// When leftovers were last removed, or could not be.
    pub(super) tidied: Option<Instant>,
}

/// What a step of convergence waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    /// Any other server at all.
    Anybody,
    /// A helper that starts chmpx again.
    Helper,
    /// Every other server.
    Peers,
    /// All servers well without a break.
    Calm,
    /// chmpx's list of servers.
    Rows,
    /// The other servers, until they list this one …
    Listed,
    /// … and until they answer at all.
    Answers,
    /// The end of a change that a server left behind when it went down.
    Departed,
}

/// Why the same ring is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewriting {
    /// chmpx has not loaded it.
    Unheard,
    /// chmpx lists other servers.
    Relist,
}

#[derive(Debug, Clone, Copy)]
struct Signalled {
    id: Identity,
    at: Instant,
}

/// A process that the agent may not signal.
#[derive(Debug, Clone)]
struct Unheard {
    id: Identity,
    /// What the operating system said, and what helps.
    why: String,
    /// Attempts in a row.
    times: u32,
    /// Not tried again before.
    not_before: Instant,
}

impl Memory {
    /// The file was replaced. `anew`: by another ring, to which nothing tried so far applies.
    pub fn replaced(&mut self, now: Instant, anew: bool) {
        self.replaced = Some(now);
        // Only a file that was really written counts.
        match self.rewriting.take() {
            Some(Rewriting::Unheard) => self.rewrites += 1,
            Some(Rewriting::Relist) => self.relisted += 1,
            None => {}
        }
        if anew {
            (self.untold, self.spoke) = (WORDS, None);
            (self.rewrites, self.relisted, self.chmpx.failures) = (0, 0, 0);
            self.chmpx.not_before = None;
        }
    }

    /// Whether the others shall hear of this server now, which has loaded the ring of the last replacement.
    pub(super) fn speaks_up(&mut self, now: Instant) -> bool {
        let fresh = self.replaced.is_some_and(|at| now.duration_since(at) < HEARD_WITHIN);
        let again = self.spoke.is_none_or(|at| now.duration_since(at) >= SPEAKS_AGAIN);
        if self.untold == 0 || !fresh || !again {
            return false;
        }
        self.untold -= 1;
        self.spoke = Some(now);
        true
    }

    /// When chmpx may be asked again after the last replacement.
    pub fn quiet_until(&self, quiet: Duration) -> Option<Instant> {
        self.replaced.map(|at| at + quiet)
    }

    /// A step could not be taken: the program is not tried again at once.
    pub fn failed(&mut self, program: Program, why: &str, now: Instant, backoff: (Duration, Duration)) {
        if program == Program::K2hdkc {
            self.begun = None;
        }
        // No failure of the program itself: it has not run.
        let past = self.past(program);
        past.blocked += 1;
        past.refusal = Some(why.to_owned());
        past.not_before = Some(now + pause(past.blocked, backoff));
    }

    /// A signal did not reach its process: it was not asked to end, and is not asked again at once.
    pub fn unheard(&mut self, id: Identity, why: &str, now: Instant, backoff: (Duration, Duration)) {
        self.signalled = self.signalled.filter(|signalled| signalled.id != id);
        let past = self.unheard.take().filter(|past| past.id == id);
        let times = past.map_or(0, |past| past.times) + 1;
        self.unheard =
            Some(Unheard { id, why: why.to_owned(), times, not_before: now + pause(times, backoff) });
    }

    /// The file could not be put before the processes: that is not tried again at once.
    pub fn not_placed(&mut self, why: &str, now: Instant, backoff: (Duration, Duration)) {
        self.placement.failed(why, now, backoff);
    }

    /// It was, or nothing keeps it from that any more.
    pub fn placed(&mut self) {
        self.placement.worked();
    }

    /// What is not seen stands still, as far as it is known: the time does not count.
    fn notice_unseen(&mut self, case: &Case<'_>) {
        if case.observed.unseen.is_some() {
            self.unseen = self.unseen.or(self.seen).or(Some(case.now));
            return;
        }
        self.seen = Some(case.now);
        let Some(since) = self.unseen.take() else { return };
        let time = case.now.duration_since(since);
        let times = [&mut self.still, &mut self.nudged];
        times.into_iter().flatten().for_each(|at| *at += time);
        self.work.stood_still(time);
        self.signalled.iter_mut().for_each(|signalled| signalled.at += time);
    }

    /// For how long nothing has been seen.
    pub(super) fn unseen_for(&self, now: Instant) -> Duration {
        self.unseen.map_or(Duration::ZERO, |since| now.duration_since(since))
    }

    pub(super) fn notice(&mut self, case: &Case<'_>) {
        let now = case.now;
        self.passes += 1;
        self.born.get_or_insert(now);
        self.notice_unseen(case);
        self.stir.notice(case.view(), now);
        self.resolving.notice(case);
        // A file that somebody else wrote just before is as fresh as one of our own.
        self.replaced.get_or_insert(now);
        for ended in &case.observed.ended {
            let asked = self.asked_to_end(ended.was.id);
            let of_a_new_file = self.replaced.is_some_and(|at| now - at < case.rules.roll_back_within);
            if ended.program == Program::Chmpx && !asked && of_a_new_file && is_own_end(ended.how) {
                self.others.doubt();
            }
            self.past(ended.program).ended(*ended, asked, case);
        }
        for (program, why) in &case.observed.refused {
            self.failed(*program, why, now, case.rules.backoff);
        }
        for (program, running) in
            [(Program::Chmpx, case.observed.chmpx), (Program::K2hdkc, case.observed.k2hdkc)]
        {
            let past = self.past(program);
            match running {
                None => drop(past.gone.get_or_insert(now)),
                Some(running) => {
                    (past.gone, past.blocked, past.refusal) = (None, 0, None);
                    if now.duration_since(running.since) > SETTLED {
                        past.failures = 0;
                    }
                }
            }
        }
        self.begun = self.begun.and_then(|begun| still_begun(begun, case.observed.k2hdkc));
        self.changes.notice(case);
        let status = case.view().map(|view| view.own.status);
        if self.status.map(|(status, _)| status) != status {
            self.status = status.map(|status| (status, now));
            (self.nudges, self.nudged) = (0, None);
            self.still = None;
            self.work.begin();
        }
        if let (Some(chmpx), Some(view)) = (case.observed.chmpx, case.view()) {
            self.others.notice(chmpx.id, view);
        }
        if case.observed.unseen.is_none() {
            self.work.notice(case);
        }
    }

    /// Whether anything moves in the ring: then chmpx is asked often.
    pub fn is_stirred(&self, now: Instant) -> bool {
        self.stir.moves(now)
    }

    /// k2hdkc is started by the agent, in sight of its peers.
    pub(super) fn begins(&mut self, now: Instant) {
        self.begun = Some((now, None));
    }

    /// Whether this k2hdkc is the one that the agent started so.
    pub(super) fn has_begun(&self, k2hdkc: Identity) -> bool {
        self.begun.is_some_and(|(_, of)| of == Some(k2hdkc))
    }

    /// The restart of this chmpx has begun, so that its end says nothing of the file; the next one does, by its start.
    pub(super) fn is_to_go(&mut self, chmpx: Option<Identity>) {
        self.to_go = chmpx;
    }

    /// Whether it was.
    pub(super) fn was_to_go(&self, id: Identity) -> bool {
        self.to_go == Some(id)
    }

    /// Whether the agent itself ended it.
    pub(super) fn asked_to_end(&self, id: Identity) -> bool {
        self.signalled.is_some_and(|signalled| signalled.id == id)
    }

    fn past(&mut self, program: Program) -> &mut Past {
        match program {
            Program::Chmpx => &mut self.chmpx,
            Program::K2hdkc => &mut self.k2hdkc,
        }
    }

    fn past_of(&self, program: Program) -> &Past {
        match program {
            Program::Chmpx => &self.chmpx,
            Program::K2hdkc => &self.k2hdkc,
        }
    }

    /// How often in a row the program ended too soon, and how it did last.
    pub(super) fn failures(&self, program: Program) -> (u32, Option<Ended>) {
        let past = self.past_of(program);
        (past.failures, past.last)
    }

    /// How often in a row a start of the program came to nothing.
    pub(super) fn refusals(&self, program: Program) -> u32 {
        self.past_of(program).blocked
    }

    /// Why the last start came to nothing.
    pub(super) fn refusal(&self, program: Program) -> Option<String> {
        let past = self.past_of(program);
        past.refusal.clone()
    }

    /// How long the program must still wait before it is started again.
    pub(super) fn rests(&self, program: Program, now: Instant) -> Option<Duration> {
        let past = self.past_of(program);
        past.not_before.filter(|at| *at > now).map(|at| at - now)
    }

    /// How long k2hdkc has been gone, as far as that is known.
    pub(super) fn k2hdkc_gone_for(&self, now: Instant) -> Duration {
        self.k2hdkc.gone.or(self.born).map_or(Duration::ZERO, |at| now.duration_since(at))
    }

    /// How long this node's status has been what it is.
    pub(super) fn in_status_for(&self, now: Instant) -> Duration {
        self.status.map_or(Duration::ZERO, |(_, since)| now.duration_since(since))
    }

    /// Why the merge that this node is in sticks, where it does.
    pub(super) fn merge_sticks(&self, case: &Case<'_>) -> Option<String> {
        let (status, since) = self.status?;
        self.work.sticks(case, status, case.now.duration_since(since))
    }

    /// How long it has been waited for this in every pass, without a break.
    pub(super) fn waited_for(&mut self, what: Waiting, now: Instant) -> Duration {
        let before =
            self.waiting.get(&what).filter(|(_, pass)| self.passes - pass <= 1).map(|(since, _)| *since);
        if before.is_none() {
            self.still = None;
        }
        let since = before.unwrap_or(now);
        self.waiting.insert(what, (since, self.passes));
        now.duration_since(since)
    }

    /// What was waited for has come.
    pub(super) fn waited_enough(&mut self, what: Waiting) {
        self.waiting.remove(&what);
    }

    /// Whether it has been waited so long without any movement that somebody must look.
    pub(super) fn stalls(&self, case: &Case<'_>) -> bool {
        let doing = |row: &Row| row.status.operation() == Operation::Doing;
        let merges = case.view().is_some_and(|view| view.servers.iter().any(doing));
        !merges && self.still.is_some_and(|since| case.now.duration_since(since) >= STALLED)
    }

    /// Takes what was decided: what moves a process or the file is movement, a word to chmpx is not.
    pub(super) fn went_on(&mut self, case: &Case<'_>, next: &Next) {
        // Where somebody must look, nobody waits for more.
        self.midway &= !matches!(next, Next::Converged | Next::Hold(..));
        match next {
            Next::Step(Step::Tell(_) | Step::Prompt(_) | Step::Tidy | Step::TakeOver, _)
            | Next::Wait(..)
            | Next::Hold(..) => {
                self.still.get_or_insert(case.now);
            }
            Next::Converged | Next::Step(..) | Next::Rewrite(_) | Next::RollBack(..) => self.still = None,
        }
    }

    /// Ends a process: by SIGHUP, and by SIGKILL where it is still there after `patience`.
    pub(super) fn stop(
        &mut self,
        program: Program,
        id: Identity,
        patience: Duration,
        now: Instant,
        why: &str,
    ) -> Next {
        let unheard = self.unheard.as_ref().filter(|unheard| unheard.id == id && now < unheard.not_before);
        if let Some(unheard) = unheard {
            let text = format!("{} (pid {}) must stop ({why}): {}", program.name(), id.pid, unheard.why);
            return Next::Hold(text, unheard.not_before - now);
        }
        match self.signalled.filter(|signalled| signalled.id == id) {
            Some(Signalled { at, .. }) if now.duration_since(at) < patience => {
                let left = patience.saturating_sub(now.duration_since(at));
                Next::Wait(format!("{} (pid {}) is stopping: {why}", program.name(), id.pid), left)
            }
            past => {
                self.signalled = Some(Signalled { id, at: now });
                self.midway = true;
                let signal = if past.is_some() { Signal::Kill } else { Signal::Hangup };
                Next::Step(Step::Send(program, id, signal), why.to_owned())
            }
        }
    }

    /// Sees to it that nobody starts this program again, once; `None` where that is done.
    pub(super) fn retire(&mut self, program: Program, now: Instant, why: &str) -> Option<Next> {
        match self.retired.get(&program) {
            Some((_, None)) => None,
            Some((at, Some(error))) if now.duration_since(*at) < NUDGE_AGAIN => {
                let left = NUDGE_AGAIN.saturating_sub(now.duration_since(*at));
                Some(Next::Hold(format!("{} cannot be stopped for good: {error}", program.name()), left))
            }
            Some((_, Some(_))) | None => {
                self.retired.insert(program, (now, None));
                Some(Next::Step(Step::Retire(program), why.to_owned()))
            }
        }
    }

    /// That could not be done.
    pub fn not_retired(&mut self, program: Program, why: &str, now: Instant) {
        self.retired.insert(program, (now, Some(why.to_owned())));
    }

    /// The node is to run what its file says again.
    pub fn stays(&mut self) {
        self.retired.clear();
    }

    /// It could not be let start at the next boot again.
    pub fn not_enabled(&mut self, why: &str, now: Instant) {
        self.not_enabled = Some((now, why.to_owned()));
    }

    /// Another program that writes the same file could not be ended.
    pub fn not_taken_over(&mut self, why: &str, now: Instant, backoff: (Duration, Duration)) {
        self.take_over.failed(why, now, backoff);
    }

    /// Whether the agent has begun to stop something that does not run again yet.
    pub fn is_midway(&self) -> bool {
        self.midway
    }

    /// Tells chmpx something once more, unless it was told just now or too often.
    pub(super) fn nudge(&mut self, order: Order, now: Instant, why: &str) -> Option<Next> {
        if let Some(at) = self.nudged.filter(|at| now.duration_since(*at) < NUDGE_AGAIN) {
            return Some(Next::Wait(why.to_owned(), NUDGE_AGAIN.saturating_sub(now.duration_since(at))));
        }
        // Afterwards only now and then, and somebody is told.
        if self.nudges >= MOST_NUDGES && self.nudged.is_some_and(|at| now.duration_since(at) < NUDGE_SELDOM) {
            return None;
        }
        self.nudges += 1;
        self.nudged = Some(now);
        Some(Next::Step(Step::Tell(order), why.to_owned()))
    }
}

/// What is left of a start: the first k2hdkc since is its own, and it ends with that one.
fn still_begun(
    (at, of): (Instant, Option<Identity>),
    k2hdkc: Option<Running>,
) -> Option<(Instant, Option<Identity>)> {
    match (of, k2hdkc) {
        (None, Some(running)) if running.since + SOON >= at => Some((at, Some(running.id))),
        (Some(of), running) if running.is_none_or(|running| running.id != of) => None,
        _ => Some((at, of)),
    }
}

#[cfg(test)]
mod tests;
