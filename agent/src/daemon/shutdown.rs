//! The agent's own end, and that of the processes.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info};

use super::Agent;
use super::logging::log_step;
use crate::problem::chain;
use crate::settings::OnExit;
use crate::supervisor::freeze::Freezer;
use crate::supervisor::systemd;
use crate::wake::Reason;

/// Between two looks at processes that shall end.
const BETWEEN_ENDS: Duration = Duration::from_millis(200);

impl Agent {
    /// Continues what is frozen and shall end: a program that is stopped hears nothing of its end. A program that outlives the agent
    /// stays frozen: a chmpx of a slave that goes on in the middle of a merge writes to the old holders, and such writes are lost.
    fn thaw(&self) {
        let freezer = Freezer::new(&self.reconciler.settings().state.runtime_directory);
        if let Err(error) = freezer.release() {
            error!(error = chain(&error), "a frozen program goes on only at the limit of its freeze");
        }
    }

    /// Ends the processes where the settings ask for it, and where no service manager would before the host goes down; where they stay,
    /// what was begun with them is brought to its end.
    pub(super) async fn end_processes(&mut self) {
        self.goes_down = self.reconciler.supervisor().is_ended_by_nobody() && systemd::host_goes_down().await;
        if self.goes_down {
            info!("the host goes down: its chmpx and k2hdkc end before it");
        }
        if self.leaves() {
            return self.finish().await;
        }
        self.thaw();
        let ended = timeout(self.reconciler.settings().supervisor.timing.drain, async {
            loop {
                let (ended, step) = self.reconciler.end().await;
                log_step(step.as_ref());
                if ended {
                    return;
                }
                // The end of a process wakes; what is waited for otherwise is half a second.
                let _ = timeout(BETWEEN_ENDS, self.waker.woken()).await;
            }
        });
        if ended.await.is_err() {
            error!("chmpx and k2hdkc did not end in time and are left as they are");
        }
    }

    /// Brings back both programs where the agent has just stopped one.
    async fn finish(&mut self) {
        let within = self.reconciler.settings().supervisor.timing.drain;
        self.reconciler.begin_nothing();
        let finished = timeout(within, async {
            while self.reconciler.is_midway() {
                let look = self.reconciler.look_at().unwrap_or_else(Instant::now);
                tokio::select! {
                    _ = self.waker.woken() => {}
                    () = sleep_until(look) => {}
                }
                self.pass(Reason::Look.into(), None).await;
            }
        });
        if finished.await.is_err() {
            error!("what was stopped does not run again yet; the next agent goes on with it");
        }
    }

    pub(super) fn left_behind(&self) -> &'static str {
        if self.leaves() {
            "chmpx and k2hdkc are left as they are"
        } else {
            "chmpx and k2hdkc were ordered to end before"
        }
    }

    /// Returns true where the processes outlive the agent.
    fn leaves(&self) -> bool {
        match self.reconciler.settings().supervisor.on_exit {
            OnExit::Leave => !self.goes_down,
            OnExit::Stop => self.reconciler.supervisor().lives_on(),
        }
    }
}
