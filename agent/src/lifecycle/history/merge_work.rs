//! The work of the merge that this server is in, by what the merge itself moves: the thread of chmpx that merges (fact C31),
//! where the kernel shows it, and the processor time of k2hdkc.

use std::time::Duration;

use tokio::time::Instant;

use crate::chmpx_state::{NodeStatus, Operation};
use crate::lifecycle::rules::{ASKS_WITHIN, GIVES_UP_FOR, LEAST_LOOK, WORKING};
use crate::lifecycle::situation::Situation;
use crate::supervisor::{MergeThread, Running};

/// The work that was seen in the present status.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct MergeWork {
    /// The latest sight of k2hdkc at work.
    busy: Option<Instant>,
    /// The processor time of k2hdkc at a look before, and its time.
    looked: Option<(Instant, Duration)>,
    /// The state of chmpx's thread, and since when.
    thread: Option<(MergeThread, Instant)>,
}

impl MergeWork {
    /// Begins anew in another status.
    pub(super) fn begin(&mut self) {
        (self.busy, self.thread) = (None, None);
    }

    /// Leaves out a time in which nothing could be seen.
    pub(super) fn stood_still(&mut self, time: Duration) {
        self.busy.iter_mut().for_each(|at| *at += time);
        (self.looked, self.thread) = (None, None);
    }

    pub(super) fn observe(&mut self, situation: &Situation<'_>) {
        self.observe_k2hdkc(situation);
        let thread = situation.observed.control.merge_thread;
        if self.thread.map(|(thread, _)| thread) != thread {
            self.thread = thread.map(|thread| (thread, situation.now));
        }
    }

    /// A merge that goes on makes k2hdkc work; the stuck one does not, where it serves nobody.
    fn observe_k2hdkc(&mut self, situation: &Situation<'_>) {
        let counted = |process: Running| (process.counted, process.worked);
        // One that does not run does nothing, now.
        let (counted, worked) = situation.observed.k2hdkc.map_or((situation.now, Duration::ZERO), counted);
        let (busy, before) = (*self.busy.get_or_insert(situation.now), self.looked);
        let Some((at, past)) = before else {
            self.looked = Some((counted, worked));
            return;
        };
        let time = counted.duration_since(at);
        if time < LEAST_LOOK {
            return;
        }
        let share = worked.saturating_sub(past).as_secs_f64() / time.as_secs_f64();
        self.busy = Some(if share >= WORKING { situation.now } else { busy });
        self.looked = Some((counted, worked));
    }

    /// Returns the symptom of a stuck merge.
    pub(super) fn sticks(&self, situation: &Situation<'_>, status: NodeStatus) -> Option<String> {
        if status.operation() == Operation::Doing
            && let (Some((thread, since)), Some(said)) = (self.thread, &situation.observed.control.report)
        {
            // A chmpx that is silent may have merged long since: its answer must be younger.
            let time = said.at.saturating_duration_since(since);
            match thread {
                MergeThread::Asks if time >= ASKS_WITHIN => {
                    return Some(format!("chmpx has asked k2hdkc in vain for {} s", time.as_secs()));
                }
                MergeThread::Rests if time >= GIVES_UP_FOR => {
                    return Some("chmpx has given it up".to_owned());
                }
                MergeThread::Asks | MergeThread::Rests => return None,
                MergeThread::Copies => {}
            }
        }
        let idle = self.busy.map_or(Duration::ZERO, |at| situation.now.duration_since(at));
        (idle >= situation.limits.timing.idle_merge).then(|| format!("idle for {} s", idle.as_secs()))
    }
}
