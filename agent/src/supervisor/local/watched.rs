//! A process under watch: an own child, or one that an earlier agent left.

use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::unistd::{Uid, User};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::found;
use crate::supervisor::{Exit, ExitStatus, ProcessId, Program, Running, Signal, SupervisorError};
use crate::wake::{Reason, Waker};

/// The place of one program. Dropped, it watches no longer; the process goes on.
#[derive(Debug)]
pub(in crate::supervisor) struct Watched {
    program: Program,
    running: Option<Running>,
    /// Signals go through it: a number that was used again is never hit.
    handle: Option<OwnedFd>,
    watch: JoinSet<()>,
}

type Ends = mpsc::UnboundedSender<Exit>;

impl Watched {
    pub(in crate::supervisor) fn new(program: Program) -> Self {
        Self { program, running: None, handle: None, watch: JoinSet::new() }
    }

    pub(in crate::supervisor) fn running(&self) -> Option<Running> {
        self.running
    }

    /// The running process with its processor time until now.
    pub(in crate::supervisor) fn at_work(&self) -> Option<Running> {
        self.running.map(|running| {
            let ticks = found::worked(running.id.pid).unwrap_or_default();
            let worked = Duration::from_millis(ticks * 1000 / hertz());
            Running { worked, counted: Instant::now(), ..running }
        })
    }

    /// Takes over the agent's own new child.
    pub(in crate::supervisor) fn take(
        &mut self,
        mut child: Child,
        ends: Ends,
        waker: Waker,
    ) -> Result<ProcessId, SupervisorError> {
        let pid = child.id().unwrap_or_default();
        let failed = |source: std::io::Error| SupervisorError::Spawn {
            program: self.program.name().to_owned(),
            source,
        };
        // A child that has ended already is still there until it is waited for.
        let handle = match open(pid) {
            Ok(handle) => handle,
            Err(error) => {
                // Nobody would watch it, and the next one would be started beside it.
                let _ = child.start_kill();
                return Err(failed(error));
            }
        };
        let was = fresh(found::child(pid), Instant::now());
        let program = self.program;
        (self.running, self.handle) = (Some(was), Some(handle));
        self.watch.spawn(async move {
            let how = child.wait().await.map_or(ExitStatus::Unknown, how);
            tell(Exit { program, was, how }, &ends, &waker);
        });
        Ok(was.id)
    }

    /// Takes over a process that runs already. One that ends in this moment is not there, and found so the next time.
    /// Whether it is watched now, or gone.
    pub(in crate::supervisor) fn adopt(&mut self, id: ProcessId, ends: Ends, waker: Waker) -> bool {
        let gone = || found::identity(id.pid) != Some(id);
        let Ok(handle) = open(id.pid) else { return gone() };
        // The number may have been used again between the look and the handle.
        let still = found::identity(id.pid) == Some(id);
        let Some(handle_to_watch) = handle.try_clone().ok().filter(|_| still) else { return gone() };
        let Ok(end) = readable(handle_to_watch) else { return gone() };
        let was = fresh(id, started(id));
        let program = self.program;
        (self.running, self.handle) = (Some(was), Some(handle));
        self.watch.spawn(async move {
            // A pidfd becomes readable when its process ends.
            let how = end.readable().await.map_or(ExitStatus::Unknown, |_| ExitStatus::Unknown);
            tell(Exit { program, was, how }, &ends, &waker);
        });
        true
    }

    /// The process ended.
    pub(in crate::supervisor) fn forget(&mut self, id: ProcessId) {
        if self.running.is_some_and(|running| running.id == id) {
            (self.running, self.handle) = (None, None);
        }
        while self.watch.try_join_next().is_some() {}
    }

    /// Signals this very process; that it is gone already is no error.
    pub(in crate::supervisor) fn signal(&self, id: ProcessId, signal: Signal) -> Result<(), SupervisorError> {
        let handle = self.handle.as_ref().filter(|_| self.running.is_some_and(|running| running.id == id));
        let Some(handle) = handle else { return Ok(()) };
        let signal = match signal {
            Signal::Hangup => rustix::process::Signal::HUP,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match pidfd_send_signal(handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(refused(id.pid, errno)),
        }
    }
}

fn refused(pid: u32, errno: rustix::io::Errno) -> SupervisorError {
    if errno != rustix::io::Errno::PERM {
        return SupervisorError::Signal { pid, source: errno.into() };
    }
    let owner = found::owner(pid).map_or_else(|| "that is unknown".to_owned(), user_name);
    SupervisorError::NotPermitted { pid, owner, own: user_name(nix::unistd::geteuid()) }
}

/// A user's name, or the number where the host has none for it.
fn user_name(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[expect(
    deprecated,
    reason = "unsound only for types that do not own one descriptor all their life; OwnedFd does"
)]
pub(in crate::supervisor) fn readable(handle: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(handle, Interest::READABLE)
}

pub(in crate::supervisor) fn open(pid: u32) -> std::io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("it has no number"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn how(status: std::process::ExitStatus) -> ExitStatus {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Exit(code),
        (None, Some(signal)) => ExitStatus::Signal(signal),
        (None, None) => ExitStatus::Unknown,
    }
}

fn tell(ended: Exit, ends: &Ends, waker: &Waker) {
    // Nobody listens only while the agent ends.
    let _ = ends.send(ended);
    waker.wake(Reason::ProcessEnded);
}

/// A process whose work is not counted yet.
fn fresh(id: ProcessId, since: Instant) -> Running {
    Running { id, since, worked: Duration::ZERO, counted: Instant::now() }
}

/// Clock ticks a second.
fn hertz() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

/// Start of a process on this agent's clock.
fn started(id: ProcessId) -> Instant {
    let now = Instant::now();
    let up = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let up: f64 = up.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "ticks since the host started are far below 2^52")]
    let age = up - id.start_ticks as f64 / hertz() as f64;
    Duration::try_from_secs_f64(age).ok().and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_signal_names_whose_process_it_is_and_what_helps() {
        let text = refused(1, rustix::io::Errno::PERM).to_string();
        let own = user_name(nix::unistd::geteuid());
        assert!(text.starts_with("process 1 belongs to the user root, and the agent, which is "), "{text}");
        assert!(text.contains(&own) && text.contains("run the agent as root or as root"), "{text}");
        assert!(text.ends_with("supervisor.process.user says as whom the next one runs"), "{text}");
        let other = refused(1, rustix::io::Errno::INVAL);
        assert!(matches!(other, SupervisorError::Signal { pid: 1, .. }), "{other}");
    }
}
