//! The ends of processes in containers, heard at once. Docker has no event for them; but where its daemon is on this very
//! host, as on Trove's VMs, the processes are this host's too, and can be watched as any other. Elsewhere the pulse feels them.

use std::time::Duration;

use tokio::sync::mpsc;

use super::top::TopEntry;
use crate::supervisor::local::found;
use crate::supervisor::local::watched::Watched;
use crate::supervisor::{Exit, Program};
use crate::wake::Waker;

/// See the module.
#[derive(Debug)]
pub(super) struct ExitWatch {
    watched: Vec<(TopEntry, Watched)>,
    told: (mpsc::UnboundedSender<Exit>, mpsc::UnboundedReceiver<Exit>),
}

impl Default for ExitWatch {
    fn default() -> Self {
        Self { watched: Vec::new(), told: mpsc::unbounded_channel() }
    }
}

impl ExitWatch {
    /// Watches these processes, and no others; each is named with the container that it is in.
    pub(super) fn watch(&mut self, alive: &[(&str, TopEntry)], waker: &Waker) {
        self.watched.retain(|(known, _)| alive.iter().any(|(_, alive)| alive.pid == known.pid));
        for (container, alive) in alive {
            if self.watched.iter().any(|(known, _)| known.pid == alive.pid) || !is_in(alive.pid, container) {
                continue;
            }
            let mut watched = Watched::new(alive.program);
            let adopted = found::identity(alive.pid)
                .is_some_and(|id| watched.adopt(id, self.told.0.clone(), waker.clone()));
            if adopted {
                self.watched.push((*alive, watched));
            }
        }
    }

    /// Processor time of a process of this host, as exactly as the kernel counts. Docker's whole seconds are too coarse:
    /// one of them between two observations would look like a merge at work.
    pub(super) fn worked(&self, pid: u32) -> Option<Duration> {
        let (_, watched) = self.watched.iter().find(|(known, _)| known.pid == pid)?;
        watched.at_work().map(|running| running.worked)
    }

    /// The number of the only process of a program, where it is this host's.
    pub(super) fn here(&self, program: Program) -> Option<u32> {
        let mut of_it = self.watched.iter().filter(|(known, _)| known.program == program);
        let (known, _) = of_it.next().filter(|(_, watched)| watched.running().is_some())?;
        of_it.next().is_none().then_some(known.pid)
    }

    /// True if a watched process has ended since the last call.
    pub(super) fn heard(&mut self) -> bool {
        let mut heard = false;
        while let Ok(ended) = self.told.1.try_recv() {
            self.watched.retain(|(_, watched)| watched.running().is_none_or(|now| now.id != ended.was.id));
            heard = true;
        }
        heard
    }
}

/// True if the process of that number is this host's and in that container. A number inside a nested container is another
/// process's here.
fn is_in(pid: u32, container: &str) -> bool {
    // Each hierarchy has a line; Docker names its groups by the container, whichever driver makes them.
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    !container.is_empty() && groups.contains(container)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_of_this_host_wakes_a_pass_and_another_s_is_not_watched() {
        let mut child = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let alive = TopEntry { program: Program::Chmpx, pid: child.id() };
        let own = std::fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
        let group = own.lines().next().unwrap().to_owned();
        let (mut exit_watch, waker) = (ExitWatch::default(), Waker::default());
        exit_watch.watch(&[("0123456789abcdef", alive)], &waker);
        assert!(exit_watch.watched.is_empty(), "it is in another container, if in any");
        assert_eq!(exit_watch.here(Program::Chmpx), None);
        exit_watch.watch(&[(&group, alive)], &waker);
        exit_watch.watch(&[(&group, alive)], &waker);
        assert_eq!((exit_watch.watched.len(), exit_watch.heard()), (1, false));
        assert_eq!(
            (exit_watch.here(Program::Chmpx), exit_watch.here(Program::K2hdkc)),
            (Some(child.id()), None)
        );
        child.kill().unwrap();
        assert_eq!(waker.woken().await.to_string(), "process-ended");
        assert!(exit_watch.heard() && exit_watch.watched.is_empty());
        child.wait().unwrap();
        exit_watch.watch(&[(&group, alive)], &waker);
        assert!(exit_watch.watched.is_empty());
    }
}
