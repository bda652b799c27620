//! Holds the requests of the programs on a slave while its chmpx, continued after a change, reads the statuses that have waited.
//!
//! chmpx reads them one after the other, and takes requests in between: by an old list they go to old holders, and such a write is lost
//! (C41). The holder takes what waits in the queues of chmpx before it is continued. It takes each further message, since the kernel
//! gives a message to the one that waits for it. At its release it gives all of them to chmpx in their order.
//!
//! The holder is a process of its own, as the watchdog of a freeze is: this program with the hidden command `hold`. Its input ends with the
//! agent, so a killed agent releases it as well.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mqueue::{MQ_OFlag, MqdT, mq_getattr, mq_open, mq_send, mq_timedreceive};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use rustix::fs::OFlags;
use rustix::process::setsid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use thiserror::Error;

use super::is_alive;
use crate::supervisor::ProcessId;
use crate::supervisor::local::watched;

/// Line by which a holder confirms that it holds.
pub const HOLDS: &str = "holds";

/// Longest wait for a message, before the holder looks whether it is released.
const LOOK: Duration = Duration::from_millis(20);

/// Time behind the release for those who wait for a message. The kernel counts their wait by the wall clock: one that is set back in the middle
/// of it must not keep what is held.
const GRACE: Duration = Duration::from_millis(200);

/// Failure to hold requests.
#[derive(Debug, Error)]
pub enum HoldError {
    /// The process has ended.
    #[error("process {0} has ended: it has no requests to hold")]
    Gone(u32),
    /// The queues cannot be reached.
    #[error(
        "cannot hold the requests to process {pid}: some may go to servers of its old list; give the agent CAP_SYS_PTRACE, and \
         CAP_SYS_ADMIN where chmpx runs in another IPC namespace"
    )]
    Refused {
        /// The process.
        pid: u32,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A message that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    bytes: Vec<u8>,
    priority: u32,
}

/// A queue that the process reads.
#[derive(Debug)]
struct Queue {
    descriptor: MqdT,
    size: usize,
    held: Mutex<Vec<Message>>,
}

/// Holds the requests to a process until the input of this one ends, or for that time. `confirm` is called once those that wait are
/// taken. Returns the number of requests that were held.
///
/// # Errors
///
/// The process has ended before, or its queues cannot be reached. Then nothing is held.
pub fn hold(target: ProcessId, limit: Duration, confirm: impl FnOnce()) -> Result<usize, HoldError> {
    let failed = |source: io::Error| HoldError::Refused { pid: target.pid, source };
    // It fails for the leader of a session, which has one of its own.
    let _ = setsid();
    let released = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&released)).map_err(failed)?;
    }
    let queues = queues(target).map_err(failed)?;
    if !is_alive(target) {
        return Err(HoldError::Gone(target.pid));
    }
    for queue in &queues {
        queue.take_waiting().map_err(|errno| failed(errno.into()))?;
    }
    confirm();
    release_with_input(&released);
    Ok(hold_on(queues, Instant::now() + limit, &released))
}

/// Takes what comes until the release, each queue in a thread of its own, and gives it back.
fn hold_on(queues: Vec<Queue>, end: Instant, released: &Arc<AtomicBool>) -> usize {
    let queues: Vec<_> = queues.into_iter().map(Arc::new).collect();
    let (finished, finishes) = mpsc::channel();
    for queue in &queues {
        let (queue, released, finished) = (Arc::clone(queue), Arc::clone(released), finished.clone());
        thread::spawn(move || {
            while !released.load(Ordering::Relaxed) && queue.take(LOOK).is_ok() {}
            // Nobody waits any more behind the grace.
            let _ = finished.send(());
        });
    }
    drop(finished);
    let mut last = end + GRACE;
    while finishes.recv_timeout(LOOK) != Err(RecvTimeoutError::Disconnected) && Instant::now() < last {
        if Instant::now() >= end {
            released.store(true, Ordering::Relaxed);
        }
        if released.load(Ordering::Relaxed) {
            last = last.min(Instant::now() + GRACE);
        }
    }
    queues.iter().map(|queue| queue.give_back()).sum()
}

/// Sets the flag at the end of the input.
fn release_with_input(released: &Arc<AtomicBool>) {
    let released = Arc::clone(released);
    thread::spawn(move || {
        // An input that cannot be read has ended as well.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        released.store(true, Ordering::Relaxed);
    });
}

impl Queue {
    fn open(name: &str) -> Result<Self, Errno> {
        let descriptor = mq_open(name, MQ_OFlag::O_RDWR | MQ_OFlag::O_CLOEXEC, Mode::empty(), None)?;
        let size = usize::try_from(mq_getattr(&descriptor)?.msgsize()).unwrap_or_default();
        Ok(Self { descriptor, size, held: Mutex::default() })
    }

    /// Takes all messages that wait.
    fn take_waiting(&self) -> Result<(), Errno> {
        while mq_getattr(&self.descriptor)?.curmsgs() > 0 && self.take(Duration::ZERO)? {}
        Ok(())
    }

    /// Takes a message that comes within that time, by the wall clock. Returns false where none does.
    fn take(&self, within: Duration) -> Result<bool, Errno> {
        let (mut bytes, mut priority) = (vec![0; self.size], 0);
        let until = clock_gettime(ClockId::CLOCK_REALTIME)? + TimeSpec::from(within);
        match mq_timedreceive(&self.descriptor, &mut bytes, &mut priority, &until) {
            Ok(length) => {
                bytes.truncate(length);
                self.held().push(Message { bytes, priority });
                Ok(true)
            }
            Err(Errno::ETIMEDOUT | Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Gives the messages to the process. One for which there is no room any more belongs to a process that has ended.
    fn give_back(&self) -> usize {
        let held = std::mem::take(&mut *self.held());
        held.iter().filter(|held| mq_send(&self.descriptor, &held.bytes, held.priority).is_ok()).count()
    }

    fn held(&self) -> MutexGuard<'_, Vec<Message>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the queues that a process reads, in its IPC namespace.
fn queues(target: ProcessId) -> io::Result<Vec<Queue>> {
    let names = names(target)?;
    let process = PathBuf::from(format!("/proc/{}", target.pid));
    if fs::read_link("/proc/self/ns/ipc")? != fs::read_link(process.join("ns/ipc"))? {
        setns(watched::open(target.pid)?, CloneFlags::CLONE_NEWIPC)?;
    }
    let open = |name: &String| match Queue::open(name) {
        // Nobody finds a queue any more whose name is gone.
        Err(Errno::ENOENT) => None,
        queue => Some(queue.map_err(io::Error::from)),
    };
    names.iter().filter_map(open).collect()
}

/// Returns the names of the queues that a process has open to read.
fn names(target: ProcessId) -> io::Result<Vec<String>> {
    let process = PathBuf::from(format!("/proc/{}", target.pid));
    let mut names = Vec::new();
    for entry in fs::read_dir(process.join("fd"))?.flatten() {
        let reads = || {
            let about = fs::read_to_string(process.join("fdinfo").join(entry.file_name())).ok()?;
            Some(super::facts::is_queue(&entry.path()) && is_read(&about))
        };
        if let (Some(true), Ok(name)) = (reads(), fs::read_link(entry.path())) {
            names.extend(name.to_str().map(str::to_owned));
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Returns true where a descriptor, by its text in `/proc`, is open to read alone.
fn is_read(about: &str) -> bool {
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags =
        flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).map(OFlags::from_bits_retain);
    flags.is_some_and(|flags| flags.intersection(OFlags::RWMODE) == OFlags::RDONLY)
}

#[cfg(test)]
mod tests {
    use nix::mqueue::{MqAttr, mq_receive, mq_unlink};

    use super::*;
    use crate::supervisor::local::found;

    /// A queue of this process, read as chmpx reads its own.
    struct Own {
        name: String,
        reader: MqdT,
        writer: MqdT,
    }

    impl Own {
        fn new(name: &str) -> Self {
            let name = format!("/k2hdkc-agent-{name}-{}", std::process::id());
            let shape = MqAttr::new(0, 10, 8, 0);
            let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDONLY | MQ_OFlag::O_NONBLOCK;
            let reader = mq_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR, Some(&shape)).unwrap();
            let writer = mq_open(name.as_str(), MQ_OFlag::O_WRONLY, Mode::empty(), None).unwrap();
            Self { name, reader, writer }
        }

        fn write(&self, text: &[u8], priority: u32) {
            mq_send(&self.writer, text, priority).unwrap();
        }

        fn read(&self) -> Option<(Vec<u8>, u32)> {
            let (mut bytes, mut priority) = (vec![0; 8], 0);
            let length = mq_receive(&self.reader, &mut bytes, &mut priority).ok()?;
            bytes.truncate(length);
            Some((bytes, priority))
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            mq_unlink(self.name.as_str()).unwrap();
        }
    }

    #[test]
    fn what_waits_and_what_comes_is_held_and_given_back_in_its_order() {
        let own = Own::new("order");
        own.write(b"first", 1);
        own.write(b"second", 1);
        let queue = Queue::open(&own.name).unwrap();
        queue.take_waiting().unwrap();
        assert_eq!(own.read(), None);
        let (released, end) = (Arc::default(), Instant::now() + Duration::from_mins(1));
        let held = thread::scope(|scope| {
            let holder = scope.spawn(|| hold_on(vec![queue], end, &released));
            own.write(b"third", 1);
            // It waits for its turn, and not for a time.
            while mq_getattr(&own.writer).unwrap().curmsgs() > 0 {
                thread::yield_now();
            }
            assert_eq!(own.read(), None);
            released.store(true, Ordering::Relaxed);
            holder.join().unwrap()
        });
        assert_eq!(held, 3);
        let texts: Vec<_> = std::iter::from_fn(|| own.read()).collect();
        let expected = [&b"first"[..], b"second", b"third"].map(|text| (text.to_vec(), 1));
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_holder_gives_everything_back_at_its_limit() {
        let own = Own::new("limit");
        own.write(b"one", 3);
        let queue = Queue::open(&own.name).unwrap();
        queue.take_waiting().unwrap();
        assert_eq!(hold_on(vec![queue], Instant::now(), &Arc::default()), 1);
        assert_eq!(own.read(), Some((b"one".to_vec(), 3)));
    }

    #[test]
    fn the_queues_that_a_process_reads_are_found_and_those_that_it_writes_are_not() {
        let own = Own::new("names");
        let process = found::identity(std::process::id()).unwrap();
        let mine: Vec<_> = names(process).unwrap().into_iter().filter(|name| *name == own.name).collect();
        assert_eq!(mine, [own.name.as_str()], "once, though it is open twice");
        assert!(
            is_read("pos:\t0\nflags:\t0104000\n") && !is_read("flags:\t0104001\n") && !is_read("pos:\t0\n")
        );
    }
}
