//! What the agent remembers of the processes from pass to pass, and may forget: since when they are as they are, what
//! it has tried, and how often.

use std::time::Duration;

use tokio::time::Instant;

use super::rules::{
    IDLE_MERGE, LEAST_LOOK, MOST_NUDGES, NUDGE_AGAIN, NUDGE_SELDOM, SETTLED, SOON, STILLBORN, WORKING,
};
use super::{Case, Next};
use crate::target::{Ended, Identity, Order, Program, Signal, Step};
use crate::view::NodeStatus;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// When the agent first looked; what happened before counts from then.
    born: Option<Instant>,
    /// When the file was last replaced.
    replaced: Option<Instant>,
    /// What was last asked of a process that shall end.
    signalled: Option<Signalled>,
    /// The process that could not be asked.
    unheard: Option<Unheard>,
    chmpx: Past,
    k2hdkc: Past,
    /// This node's own status, and since when it is that.
    status: Option<(NodeStatus, Instant)>,
    /// When k2hdkc was last seen at work.
    busy: Option<Instant>,
    /// When it was looked at before, and how much it had worked.
    looked: Option<(Instant, Duration)>,
    /// Since when the same step of convergence is waited for: peers, rows.
    waiting: Option<(&'static str, Instant)>,
    nudges: u32,
    nudged: Option<Instant>,
    /// How often this ring was written again to correct the list of servers.
    pub(super) relisted: u32,
    /// How often this ring was written again.
    pub(super) rewrites: u32,
    /// How often chmpx was started anew to look for the other servers.
    pub(super) looked_anew: u32,
    /// Restarts that were no change's.
    pub(super) cures: u32,
    /// What is held although the later stages go on.
    pub(super) held: Option<String>,
    /// What waits although the later stages go on.
    pub(super) pending: Option<Next>,
    /// When leftovers were last removed, or could not be.
    pub(super) tidied: Option<Instant>,
}

/// One program's past.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    /// When it was first seen gone.
    gone: Option<Instant>,
    /// Ends in a row that came too soon.
    failures: u32,
    /// Starts in a row that this host refused.
    blocked: u32,
    /// The last end.
    last: Option<Ended>,
    /// Not started before.
    not_before: Option<Instant>,
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
        if anew {
            (self.rewrites, self.relisted, self.chmpx.failures) = (0, 0, 0);
            self.chmpx.not_before = None;
        }
    }

    /// When chmpx may be asked again after the last replacement.
    pub fn quiet_until(&self, quiet: Duration) -> Option<Instant> {
        self.replaced.map(|at| at + quiet)
    }

    /// A step could not be taken: the program is not tried again at once.
    pub fn failed(&mut self, program: Program, now: Instant, backoff: (Duration, Duration)) {
        // No failure of the program itself: it has not run.
        let past = self.past(program);
        past.blocked += 1;
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

    pub(super) fn notice(&mut self, case: &Case<'_>) {
        let now = case.now;
        self.born.get_or_insert(now);
        // A file that somebody else wrote just before is as fresh as one of our own.
        self.replaced.get_or_insert(now);
        for ended in &case.observed.ended {
            let asked = self.asked_to_end(ended.was.id);
            self.past(ended.program).ended(*ended, asked, case);
        }
        for (program, running) in
            [(Program::Chmpx, case.observed.chmpx), (Program::K2hdkc, case.observed.k2hdkc)]
        {
            let past = self.past(program);
            match running {
                None => drop(past.gone.get_or_insert(now)),
                Some(running) => {
                    (past.gone, past.blocked) = (None, 0);
                    if now.duration_since(running.since) > SETTLED {
                        past.failures = 0;
                    }
                }
            }
        }
        let status = case.view().map(|view| view.own.status);
        if self.status.map(|(status, _)| status) != status {
            self.status = status.map(|status| (status, now));
            (self.nudges, self.nudged) = (0, None);
            self.busy = None;
        }
        self.notice_work(case);
    }

    /// A merge that goes on makes k2hdkc work; the stuck one does not. chmpx tells nothing: stuck, it spins.
    fn notice_work(&mut self, case: &Case<'_>) {
        let worked = case.observed.k2hdkc.map_or(Duration::ZERO, |process| process.worked);
        let (busy, before) = (*self.busy.get_or_insert(case.now), self.looked);
        let Some((at, past)) = before else {
            self.looked = Some((case.now, worked));
            return;
        };
        let time = case.now.duration_since(at);
        if time < LEAST_LOOK {
            return;
        }
        let share = worked.saturating_sub(past).as_secs_f64() / time.as_secs_f64();
        self.busy = Some(if share >= WORKING { case.now } else { busy });
        self.looked = Some((case.now, worked));
    }

    /// How long k2hdkc has done nothing, in the present status.
    pub(super) fn idle_for(&self, now: Instant) -> Duration {
        self.busy.map_or(Duration::ZERO, |at| now.duration_since(at))
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

    /// How often in a row the program ended too soon, and how it did last.
    pub(super) fn failures(&self, program: Program) -> (u32, Option<Ended>) {
        let past = if program == Program::Chmpx { self.chmpx } else { self.k2hdkc };
        (past.failures, past.last)
    }

    /// How long the program must still wait before it is started again.
    pub(super) fn rests(&self, program: Program, now: Instant) -> Option<Duration> {
        let past = if program == Program::Chmpx { self.chmpx } else { self.k2hdkc };
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

    /// Whether a merge sticks: in which nothing works, or that takes longer than the operator allows.
    pub(super) fn merge_sticks(&self, case: &Case<'_>) -> bool {
        self.in_status_for(case.now) >= case.rules.merge_within || self.idle_for(case.now) >= IDLE_MERGE
    }

    /// How long it has been waited for this, without anything else between.
    pub(super) fn waited_for(&mut self, what: &'static str, now: Instant) -> Duration {
        match self.waiting {
            Some((waiting, since)) if waiting == what => now.duration_since(since),
            _ => {
                self.waiting = Some((what, now));
                Duration::ZERO
            }
        }
    }

    /// What was waited for has come.
    pub(super) fn waited_enough(&mut self, what: &'static str) {
        self.waiting = self.waiting.filter(|(waiting, _)| *waiting != what);
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
                let signal = if past.is_some() { Signal::Kill } else { Signal::Hangup };
                Next::Step(Step::Send(program, id, signal), why.to_owned())
            }
        }
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

impl Past {
    fn ended(&mut self, ended: Ended, asked: bool, case: &Case<'_>) {
        self.last = Some(ended);
        if asked {
            self.not_before = None;
            return;
        }
        let ran = case.now.duration_since(ended.was.since);
        self.failures = if ran < STILLBORN { self.failures + 1 } else { u32::from(ran < SETTLED) };
        // The first time at once: a node without chmpx is out of its ring.
        let rest = if self.failures > 1 { pause(self.failures - 1, case.rules.backoff) } else { SOON };
        self.not_before = Some(case.now + rest);
    }
}

fn pause(failures: u32, (least, most): (Duration, Duration)) -> Duration {
    least.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Identity = Identity { pid: 7, ticks: 100 };
    const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

    fn stop(memory: &mut Memory, now: Instant) -> Next {
        memory.stop(Program::Chmpx, ID, Duration::from_secs(20), now, "it is deaf")
    }

    #[test]
    fn a_process_that_may_not_be_signalled_is_held_and_tried_again_ever_more_seldom() {
        let (mut memory, mut now) = (Memory::default(), Instant::now());
        let hangup = Next::Step(Step::Send(Program::Chmpx, ID, Signal::Hangup), "it is deaf".into());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            // Never SIGKILL: it was not asked to end yet.
            assert_eq!(stop(&mut memory, now), hangup);
            memory.unheard(ID, "run the agent as root", now, BACKOFF);
            let text = "chmpx (pid 7) must stop (it is deaf): run the agent as root".to_owned();
            let pause = Duration::from_secs(seconds);
            assert_eq!(stop(&mut memory, now), Next::Hold(text, pause));
            assert!(!memory.asked_to_end(ID), "its end will be no doing of the agent");
            now += pause;
        }
        assert_eq!(stop(&mut memory, now), hangup);
        assert!(matches!(stop(&mut memory, now), Next::Wait(..)), "this time it was heard");
    }
}
