//! Signals to the programs: the latest one, and one that could not be sent.

use std::time::Duration;

use tokio::time::Instant;

use super::At;
use crate::lifecycle::Action;
use crate::lifecycle::words::{Reason, Stop};
use crate::retry::Retry;
use crate::supervisor::{ProcessId, Program, Signal, Step};

/// Signals to the programs.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Signals {
    /// The latest that reached its process.
    sent: Option<(ProcessId, Instant)>,
    /// The process that could not be signalled.
    refused: Option<(ProcessId, Retry)>,
    /// The latest chmpx that a restart was to end.
    replaced: Option<ProcessId>,
    /// True while something that was stopped must run again.
    pub(super) midway: bool,
}

impl Signals {
    /// Ends a process: by SIGHUP, and by SIGKILL where it is still there after `patience`.
    pub(in crate::lifecycle) fn stop(
        &self,
        (program, id): (Program, ProcessId),
        patience: Duration,
        now: Instant,
        reason: impl Into<Reason>,
    ) -> Action {
        let (reason, pid) = (reason.into(), id.pid);
        if let Some(hold) = self.refused((program, id), now, &reason) {
            return hold;
        }
        match self.sent.filter(|(of, _)| *of == id).map(|(_, at)| now.duration_since(at)) {
            Some(since) if since < patience => {
                let reason = Stop::Stopping { program, pid, reason: reason.to_string() };
                Action::Wait(reason.into(), patience.saturating_sub(since))
            }
            Some(_) => Action::Step(Step::Signal(program, id, Signal::Kill), reason),
            None => Action::Step(Step::Signal(program, id, Signal::Hangup), reason),
        }
    }

    /// Ends a process by SIGKILL, whatever it holds.
    pub(in crate::lifecycle) fn kill(
        &self,
        (program, id): (Program, ProcessId),
        now: Instant,
        reason: impl Into<Reason>,
    ) -> Action {
        let reason = reason.into();
        let refused = self.refused((program, id), now, &reason);
        refused.unwrap_or(Action::Step(Step::Signal(program, id, Signal::Kill), reason))
    }

    /// Rests after a signal that could not be sent.
    fn refused(&self, (program, id): (Program, ProcessId), now: Instant, reason: &Reason) -> Option<Action> {
        let retry = self.refusal(id)?;
        let rest = retry.wait(now)?;
        let error = retry.last_error().unwrap_or_default().to_owned();
        let (pid, reason) = (id.pid, reason.to_string());
        Some(Action::hold(Stop::CannotBeSignalled { program, pid, reason, error }, rest))
    }

    fn refusal(&self, id: ProcessId) -> Option<&Retry> {
        self.refused.as_ref().filter(|(of, _)| *of == id).map(|(_, retry)| retry)
    }

    pub(super) fn record(&mut self, id: ProcessId, failure: Option<&str>, at: &At) {
        self.midway = true;
        let Some(error) = failure else {
            self.sent = Some((id, at.now));
            return;
        };
        // It was not asked to end, and is not asked again at once.
        self.sent = self.sent.filter(|(of, _)| *of != id);
        let mut retry =
            self.refused.take().filter(|(of, _)| *of == id).map_or_else(Retry::default, |(_, retry)| retry);
        retry.failed(at.now, error, &at.backoff, at.random);
        self.refused = Some((id, retry));
    }

    /// Returns true for a process that the agent itself asked to end.
    pub(in crate::lifecycle) fn asked(&self, id: ProcessId) -> bool {
        self.sent.is_some_and(|(of, _)| of == id)
    }

    /// Takes in that a restart begins: the end of its chmpx says nothing of the file.
    pub(super) fn restarts(&mut self, chmpx: Option<ProcessId>) {
        self.replaced = chmpx;
    }

    /// Returns true for a chmpx that a restart was to end.
    pub(in crate::lifecycle) fn was_to_go(&self, id: ProcessId) -> bool {
        self.replaced == Some(id)
    }

    pub(super) fn stood_still(&mut self, time: Duration) {
        self.sent.iter_mut().for_each(|(_, at)| *at += time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Backoff;

    const ID: ProcessId = ProcessId { pid: 7, start_ticks: 100 };
    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

    fn stop(signals: &Signals, now: Instant) -> Action {
        let reason = Stop::ForRestart("it is deaf".into());
        signals.stop((Program::Chmpx, ID), Duration::from_secs(20), now, reason)
    }

    #[test]
    fn a_process_that_may_not_be_signalled_is_held_and_tried_again_ever_more_seldom() {
        let (mut signals, mut now) = (Signals::default(), Instant::now());
        let reason = Stop::ForRestart("it is deaf".into());
        let hangup = Action::Step(Step::Signal(Program::Chmpx, ID, Signal::Hangup), reason.into());
        let at = |now| At { now, backoff: BACKOFF, random: 1.0 };
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            // Never SIGKILL: it was not asked to end yet.
            assert_eq!(stop(&signals, now), hangup);
            signals.record(ID, Some("run the agent as root"), &at(now));
            let Action::Hold(reasons, pause) = stop(&signals, now) else { panic!("no hold") };
            assert_eq!(reasons.to_string(), "chmpx (pid 7) must stop (it is deaf): run the agent as root");
            assert_eq!(pause, Duration::from_secs(seconds));
            assert!(!signals.asked(ID), "its end will be no doing of the agent");
            now += pause;
        }
        assert_eq!(stop(&signals, now), hangup);
        signals.record(ID, None, &at(now));
        assert!(matches!(stop(&signals, now), Action::Wait(..)), "this time it was heard");
    }
}
