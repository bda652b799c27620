//! The watchdog of a frozen program: a process of its own, which continues or kills the program at the limit, and continues it when it
//! is told to end.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use futures_core::Stream as _;
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal, setsid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::time::sleep;

use super::record::{Entry, Record};
use super::{AtLimit, FreezeError, LONGEST, is_alive};
use crate::clock::{BootId, BootTime};
use crate::supervisor::ProcessId;
use crate::supervisor::local::{found, watched};

/// Line by which a watchdog confirms that it watches.
pub const WATCHES: &str = "watches";

/// Pause between two looks at the clock. A sleep counts no time in which the host is suspended, and boot time does.
const LOOK: Duration = Duration::from_millis(250);

/// End of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The limit was over, and the freeze was ended so.
    Limit(AtLimit),
    /// The watchdog was told to end, and continued the process before.
    Told,
    /// The process has ended.
    Gone,
}

/// Watches a process, and ends its freeze after that time. `confirm` is called when it watches. An earlier watchdog of the same
/// record is ended before.
///
/// # Errors
///
/// The process has ended before, the record cannot be written, or the signal is refused.
pub async fn watch(
    target: ProcessId,
    (after, at_limit): (Duration, AtLimit),
    record: &Path,
    confirm: impl FnOnce(),
) -> Result<Watched, FreezeError> {
    let boot = BootId::read(Path::new("/proc"));
    let due = BootTime::now(boot).after(after.min(LONGEST));
    // It fails for the leader of a session, which has one of its own.
    let _ = setsid();
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]);
    let mut signals = signals.map_err(|source| FreezeError::Start { pid: target.pid, source })?;
    let handle = handle(target)?;
    let end = handle.try_clone().and_then(watched::readable);
    let end = end.map_err(|source| FreezeError::Start { pid: target.pid, source })?;
    let (record, own) = (Record::at(record), found::child(std::process::id()));
    let (before, entry) = (record.entry(), Entry { watchdog: own, target });
    record.write(entry)?;
    // Only now: where this one fails, the earlier one still watches.
    before.map_or(Ok(()), |before| end_predecessor(before, target))?;
    confirm();
    let how = tokio::select! {
        _ = end.readable() => Watched::Gone,
        () = until(due, boot) => Watched::Limit(at_limit),
        _ = poll_fn(|context| Pin::new(&mut signals).poll_next(context)) => Watched::Told,
    };
    match how {
        Watched::Limit(AtLimit::Kill) => send(&handle, target, Signal::KILL)?,
        Watched::Limit(AtLimit::Continue) | Watched::Told => send(&handle, target, Signal::CONT)?,
        Watched::Gone => {}
    }
    record.remove(entry)?;
    Ok(how)
}

/// Waits until that moment of boot time.
async fn until(due: BootTime, boot: BootId) {
    while let Some(left) = due.since(BootTime::now(boot)).filter(|left| !left.is_zero()) {
        sleep(left.min(LOOK)).await;
    }
}

/// Ends the watchdog of an earlier freeze. What that one watches is continued before, unless it is the same process.
fn end_predecessor(before: Entry, target: ProcessId) -> Result<(), FreezeError> {
    if before.target == target { kill(before.watchdog) } else { end(before) }
}

/// Continues what a watchdog watches, and ends the watchdog.
pub(super) fn end(entry: Entry) -> Result<(), FreezeError> {
    match signal(entry.target, Signal::CONT) {
        Ok(()) | Err(FreezeError::Gone(_)) => kill(entry.watchdog),
        Err(error) => Err(error),
    }
}

/// Ends a watchdog; one that has ended is no error.
fn kill(watchdog: ProcessId) -> Result<(), FreezeError> {
    match signal(watchdog, Signal::KILL) {
        Ok(()) | Err(FreezeError::Gone(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Signals this very process.
pub(super) fn signal(id: ProcessId, signal: Signal) -> Result<(), FreezeError> {
    send(&handle(id)?, id, signal)
}

/// Returns a handle of this very process: its number may have been used again between the look and the handle.
fn handle(id: ProcessId) -> Result<OwnedFd, FreezeError> {
    let handle = watched::open(id.pid).map_err(|source| failed(id, source))?;
    if is_alive(id) { Ok(handle) } else { Err(FreezeError::Gone(id.pid)) }
}

fn send(handle: &OwnedFd, id: ProcessId, signal: Signal) -> Result<(), FreezeError> {
    pidfd_send_signal(handle, signal).map_err(|errno| failed(id, errno.into()))
}

fn failed(id: ProcessId, source: io::Error) -> FreezeError {
    match Errno::from_io_error(&source) {
        Some(Errno::SRCH) => FreezeError::Gone(id.pid),
        _ => FreezeError::Signal { pid: id.pid, source },
    }
}
