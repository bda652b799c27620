//! Facts of a program that a change of the ring waits for, read from the kernel.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statfs;

use crate::file::FileError;
use crate::supervisor::ProcessId;
use crate::supervisor::local::found;

/// `MQUEUE_MAGIC` of the kernel: the file system of POSIX message queues.
const MESSAGE_QUEUES: i64 = 0x1980_0202;

/// Processor time of an idle k2hdkc between two looks, in clock ticks: its threads wake for their timers.
const IDLE_TICKS: u64 = 2;

/// Returns true where a process is stopped by a signal, as the kernel has it at this moment.
pub fn is_stopped(id: ProcessId) -> bool {
    found::is_stopped(id)
}

/// Returns true where no message waits in any queue that the process has open. The queues are read through its own descriptors, so it
/// may be in another IPC and mount namespace.
///
/// # Errors
///
/// The descriptors cannot be read: the process has ended, or belongs to another user.
pub fn are_queues_empty(id: ProcessId) -> Result<bool, FileError> {
    let directory = PathBuf::from(format!("/proc/{}/fd", id.pid));
    let failed = |source| FileError::Io { what: "read", path: directory.clone(), source };
    for entry in fs::read_dir(&directory).map_err(failed)?.flatten() {
        if waiting(&entry.path()).is_some_and(|bytes| bytes > 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Bytes that wait in the queue behind a descriptor; `None` where it is none, or is closed by now.
fn waiting(descriptor: &Path) -> Option<u64> {
    if is_queue(descriptor) { bytes(&fs::read_to_string(descriptor).ok()?) } else { None }
}

/// Returns true where the descriptor is one of a message queue.
pub(super) fn is_queue(descriptor: &Path) -> bool {
    #[allow(clippy::useless_conversion, reason = "the type differs between platforms")]
    let kind = statfs(descriptor).ok().and_then(|kind| i64::try_from(kind.f_type).ok());
    kind == Some(MESSAGE_QUEUES)
}

/// Reads `QSIZE:0  NOTIFY:0 ...`.
fn bytes(text: &str) -> Option<u64> {
    text.strip_prefix("QSIZE:")?.split_ascii_whitespace().next()?.parse().ok()
}

/// Traces that k2hdkc leaves when it works: its database file, and its processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    file: Option<(u64, u64, Duration)>,
    ticks: u64,
}

impl Progress {
    /// Reads the traces of a process. `database` is the path of its file in its own sight; a database in memory has none.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn read(id: ProcessId, database: Option<&Path>) -> io::Result<Self> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let ticks = found::worked(id.pid).filter(|_| found::identity(id.pid) == Some(id)).ok_or_else(gone)?;
        Ok(Self { file: database.and_then(|path| written(id, path)), ticks })
    }

    /// Returns true where the process has worked since an earlier look: the file differs, or more processor time has gone
    /// than an idle process takes.
    pub fn moved_since(&self, earlier: &Self) -> bool {
        self.file != earlier.file || self.ticks.saturating_sub(earlier.ticks) > IDLE_TICKS
    }
}

/// Size, blocks and time of the last write of a file in the sight of a process.
fn written(id: ProcessId, path: &Path) -> Option<(u64, u64, Duration)> {
    let root = PathBuf::from(format!("/proc/{}/root", id.pid));
    let metadata = fs::metadata(root.join(path.strip_prefix("/").unwrap_or(path))).ok()?;
    let seconds = u64::try_from(metadata.mtime()).unwrap_or_default();
    let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    Some((metadata.size(), metadata.blocks(), Duration::new(seconds, nanos)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn own() -> ProcessId {
        found::identity(std::process::id()).unwrap()
    }

    #[test]
    fn the_line_of_a_queue_has_the_bytes_that_wait() {
        assert_eq!(bytes("QSIZE:129        NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n"), Some(129));
        assert_eq!((bytes("QSIZE:0\n"), bytes("no queue")), (Some(0), None));
    }

    #[test]
    fn a_process_without_queues_has_none_that_waits_and_a_gone_one_is_an_error() {
        assert!(are_queues_empty(own()).unwrap());
        assert!(are_queues_empty(ProcessId { pid: 0, start_ticks: 1 }).is_err());
    }

    #[test]
    fn a_write_to_the_file_or_work_is_progress_and_rest_is_none() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        let before = Progress::read(own(), Some(&path)).unwrap();
        file.write_all(b"more").unwrap();
        let after = Progress { ticks: before.ticks, ..Progress::read(own(), Some(&path)).unwrap() };
        assert!(after.moved_since(&before) && !after.moved_since(&after));
        let worked = Progress { ticks: after.ticks + IDLE_TICKS + 1, ..after };
        assert!(
            worked.moved_since(&after) && !Progress { ticks: after.ticks + 1, ..after }.moved_since(&after)
        );
        assert!(
            Progress::read(ProcessId { start_ticks: 0, ..own() }, None).is_err(),
            "it is another process"
        );
    }
}
