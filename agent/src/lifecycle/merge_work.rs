//! Whether the merge that this server is in goes on, by what the merge itself moves: the thread of chmpx that merges, where the
//! kernel tells of it, and the work of k2hdkc. A server that is to leave serves on meanwhile, so that the work of its k2hdkc
//! says nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::Case;
use super::rules::{ASKS_WITHIN, COPIES_IN_VAIN, GIVES_UP_FOR, LEAST_LOOK, WORKING};
use crate::supervisor::{MergeThread, Running};
use crate::view::{Action, NodeStatus, Operation};

/// What has been seen of the present status.
#[derive(Debug, Clone, Default)]
pub(super) struct MergeWork {
    /// When k2hdkc was last seen at work.
    busy: Option<Instant>,
    /// How much it had worked, and when that was counted: at a look before.
    looked: Option<(Instant, Duration)>,
    /// What chmpx's thread is doing, and since when.
    thread: Option<(MergeThread, Instant)>,
}

impl MergeWork {
    /// Another status: what was seen before says nothing of it.
    pub(super) fn begin(&mut self) {
        (self.busy, self.thread) = (None, None);
    }

    /// What is not seen stands still: the time does not count.
    pub(super) fn stood_still(&mut self, time: Duration) {
        self.busy.iter_mut().for_each(|at| *at += time);
        (self.looked, self.thread) = (None, None);
    }

    pub(super) fn notice(&mut self, case: &Case<'_>) {
        self.notice_k2hdkc(case);
        let thread = case.observed.merge_thread;
        if self.thread.map(|(thread, _)| thread) != thread {
            self.thread = thread.map(|thread| (thread, case.now));
        }
    }

    /// A merge that goes on makes k2hdkc work; the stuck one does not, where it serves nobody.
    fn notice_k2hdkc(&mut self, case: &Case<'_>) {
        let counted = |process: Running| (process.counted, process.worked);
        // One that does not run does nothing, now.
        let (counted, worked) = case.observed.k2hdkc.map_or((case.now, Duration::ZERO), counted);
        let (busy, before) = (*self.busy.get_or_insert(case.now), self.looked);
        let Some((at, past)) = before else {
            self.looked = Some((counted, worked));
            return;
        };
        let time = counted.duration_since(at);
        if time < LEAST_LOOK {
            return;
        }
        let share = worked.saturating_sub(past).as_secs_f64() / time.as_secs_f64();
        self.busy = Some(if share >= WORKING { case.now } else { busy });
        self.looked = Some((counted, worked));
    }

    /// Why the merge of the present status sticks, where it does. `status_for`: how long this status has lasted.
    pub(super) fn sticks(&self, case: &Case<'_>, status: NodeStatus, status_for: Duration) -> Option<String> {
        if status.operation() == Operation::Doing
            && let (Some((thread, since)), Some(said)) = (self.thread, &case.observed.said)
        {
            // A chmpx that is silent may have merged long since: what it said must be younger.
            let time = said.at.saturating_duration_since(since);
            match thread {
                MergeThread::Asks if time >= ASKS_WITHIN => {
                    let text = format!("chmpx has asked k2hdkc in vain for {} s", time.as_secs());
                    return Some(text);
                }
                MergeThread::Rests if time >= GIVES_UP_FOR => {
                    return Some("chmpx has given it up".to_owned());
                }
                MergeThread::Asks | MergeThread::Rests => return None,
                MergeThread::Copies => {}
            }
        }
        // Nobody asks a server for what it copies while it leaves (docs/facts.md D10).
        let in_vain = status.action() == Action::Delete && status.operation() == Operation::Doing;
        if in_vain && status_for >= COPIES_IN_VAIN {
            return Some(format!(
                "it has copied for {} s, which nobody needs of a server that leaves",
                status_for.as_secs()
            ));
        }
        let idle = self.busy.map_or(Duration::ZERO, |at| case.now.duration_since(at));
        (idle >= case.rules.idle_merge).then(|| format!("idle for {} s", idle.as_secs()))
    }
}
