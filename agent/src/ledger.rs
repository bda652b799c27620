//! The agent's memory over a restart: the wanted, written, applied and verified generation, the guard's findings, and
//! the last installed files. One small JSON file, one owner, one lock.
//!
//! The four generations are kept apart on purpose: a right file says nothing about the process, and a failed reload
//! must be planned again although the file is already right.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::BootTime;
use crate::file::{self, FileError};
use crate::generation::Generation;
use crate::guard;
use crate::lifecycle::Persisted;
use crate::report::LastPass;
use crate::supervisor::Kind;

/// Everything that is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// The highest FILEVERSION that was ever chosen, also for a file that was never seen to arrive.
    pub fileversion: u32,
    /// The newest generation that was decided on.
    pub desired: Option<Generation>,
    /// The newest generation whose file was installed.
    pub written: Option<Generation>,
    /// Time of that write, for faults that are blamed on it.
    pub written_at: Option<BootTime>,
    /// The newest generation for which the supervisor did what the plan demanded.
    pub applied: Option<Generation>,
    /// The newest generation that chmpx itself reported while nothing waited for a restart.
    pub verified: Option<Generation>,
    /// The newest generation that chmpx itself reported.
    pub loaded: Option<Generation>,
    /// The generations that were installed, the newest last: the files' own times are the wall clock's.
    pub installed: Vec<u32>,
    /// The one that it had loaded when another ring was installed last: the way back from that.
    pub before: Option<Generation>,
    /// Findings of the guard.
    pub guard: guard::Memory,
    /// Knowledge of the processes.
    #[serde(alias = "known")]
    pub processes: Persisted,
    /// The supervisor that was in force last, picked or named.
    pub picked: Option<Kind>,
    /// As whom this node was last seen as a member, or was removed when it left.
    pub joined: Option<Joined>,
    /// Since when answers have not shown it as that.
    pub missing: Option<Missing>,
    /// Outcome of the last pass.
    pub last: Option<LastPass>,
}

impl Ledger {
    /// Returns the age of the newest file; without end after another boot, since every running process is younger.
    pub fn written_for(&self, now: BootTime) -> Duration {
        self.written_at.and_then(|at| now.since(at)).unwrap_or(Duration::MAX)
    }

    /// Notes that this generation is the newest file.
    pub fn wrote(&mut self, generation: Generation, now: BootTime) {
        self.installed.retain(|version| *version != generation.fileversion);
        self.installed.push(generation.fileversion);
        let many = self.installed.len().saturating_sub(INSTALLED_KNOWN);
        self.installed.drain(..many);
        (self.written, self.written_at) = (Some(generation), Some(now));
    }

    /// The node stays in the cluster, or comes back: a leave that was begun is called off. Whether there was one.
    pub fn stay(&mut self) -> bool {
        let Some(leaving) = self.processes.leaving.take() else { return false };
        if !leaving.follows() {
            // K2HR3 may have removed it already.
            self.joined = None;
        }
        true
    }
}

/// Number of installed generations whose order is known; nobody keeps more files.
const INSTALLED_KNOWN: usize = 100;

/// A node in its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The YRN of the role.
    pub role: String,
    /// The node's CUK.
    pub cuk: String,
}

/// A member that answers do not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Since when.
    pub since: BootTime,
    /// In how many in a row.
    pub polls: u32,
}

impl Joined {
    /// Returns true for the same node in the same role.
    pub fn is(&self, other: Option<&Self>) -> bool {
        other == Some(self)
    }
}

/// The reason for which the ledger cannot be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another agent has it.
    #[error(
        "another k2hdkc-agent (pid {pid}) works with {directory}: stop it first, or ask it with 'k2hdkc-agent status'"
    )]
    Locked {
        /// Process of the other agent, or "unknown".
        pid: String,
        /// The state directory.
        directory: PathBuf,
    },
    /// An operation on its files failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The lock file cannot be opened or locked.
    #[error("cannot lock {path}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
}

/// The ledger's files.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    keep: usize,
    /// Content as it was read at the start, and written since.
    ledger: Ledger,
    /// Fault of the file that was found, for the log.
    pub complaint: Option<String>,
    /// True where the memory has more than the file.
    unwritten: bool,
    /// Held as long as the store is.
    lock: Option<Flock<File>>,
}

impl Store {
    /// Opens the ledger for the one agent that may change it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Locked`] where another agent has it, and [`LedgerError::File`] where the directory cannot be
    /// used.
    pub fn open(directory: &Path, keep: usize) -> Result<Self, LedgerError> {
        file::ensure_directory(directory, 0o700)?;
        file::ensure_directory(&directory.join("good"), 0o700)?;
        let lock = lock(directory)?;
        sweep(directory)?;
        sweep(&directory.join("good"))?;
        let mut store = Self::peek(directory, keep);
        store.lock = Some(lock);
        if store.complaint.is_some() {
            let aside = directory.join("ledger.json.unreadable");
            let moved = std::fs::rename(directory.join("ledger.json"), &aside);
            store.complaint = store.complaint.map(|text| match moved {
                Ok(()) => format!("{text}; it is kept as {}", aside.display()),
                Err(error) => format!("{text}; it cannot be kept: {error}"),
            });
        }
        Ok(store)
    }

    /// Reads the ledger without taking it over, for commands that only look.
    pub fn peek(directory: &Path, keep: usize) -> Self {
        let path = directory.join("ledger.json");
        let (ledger, complaint) = match std::fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(ledger) => (ledger, None),
                Err(error) => (Ledger::default(), Some(format!("{} is unreadable: {error}", path.display()))),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Ledger::default(), None),
            Err(error) => (Ledger::default(), Some(format!("{} cannot be read: {error}", path.display()))),
        };
        Self { directory: directory.to_owned(), keep, ledger, complaint, unwritten: false, lock: None }
    }

    /// Returns the content.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Changes the ledger, durably; nothing is written where nothing changed.
    ///
    /// # Errors
    ///
    /// [`LedgerError::File`] where the file cannot be written. The ledger then stays as it was.
    pub fn update(&mut self, change: impl FnOnce(&mut Ledger)) -> Result<(), LedgerError> {
        let next = self.changed(change);
        self.write(&next)?;
        self.ledger = next;
        Ok(())
    }

    /// Changes what need not outlive the agent: the change holds from now on, also where it cannot be written.
    ///
    /// # Errors
    ///
    /// [`LedgerError::File`] where the file cannot be written.
    pub fn learn(&mut self, change: impl FnOnce(&mut Ledger)) -> Result<(), LedgerError> {
        let next = self.changed(change);
        let written = self.write(&next);
        self.unwritten = written.is_err();
        self.ledger = next;
        written
    }

    fn changed(&self, change: impl FnOnce(&mut Ledger)) -> Ledger {
        let mut next = self.ledger.clone();
        change(&mut next);
        next
    }

    fn write(&mut self, next: &Ledger) -> Result<(), LedgerError> {
        if *next != self.ledger || self.unwritten {
            let bytes = serde_json::to_vec_pretty(next).unwrap_or_default();
            file::store(&self.directory.join("ledger.json"), &bytes)?;
            self.unwritten = false;
        }
        Ok(())
    }

    /// Keeps an installed file, and removes the oldest beyond the limit.
    ///
    /// # Errors
    ///
    /// [`LedgerError::File`] where the file cannot be written.
    pub fn keep_good(&self, fileversion: u32, bytes: &[u8]) -> Result<(), LedgerError> {
        file::store(&self.directory.join("good").join(format!("{fileversion}.ini")), bytes)?;
        // The way back stays open, however often the same ring is written again.
        let ledger = &self.ledger;
        let ways = [&ledger.verified, &ledger.before, &ledger.loaded]
            .map(|way| way.as_ref().map(|way| way.fileversion));
        let kept = |version: u32| version == fileversion || ways.contains(&Some(version));
        let others = self.good_files().into_iter().filter(|(version, _)| !kept(*version));
        for (_, path) in others.skip(self.keep.saturating_sub(1)) {
            file::remove(&path)?;
        }
        Ok(())
    }

    /// Keeps a file that ended chmpx aside, for people, and returns its path. The same limit applies as to the good
    /// ones.
    ///
    /// # Errors
    ///
    /// [`LedgerError::File`] where the file cannot be written.
    pub fn keep_rejected(&self, fileversion: u32, bytes: &[u8]) -> Result<PathBuf, LedgerError> {
        let directory = self.directory.join("rejected");
        file::ensure_directory(&directory, 0o700)?;
        let path = directory.join(format!("{fileversion}.ini"));
        file::store(&path, bytes)?;
        let mut others = numbered(&directory);
        others.retain(|(version, _)| *version != fileversion);
        others.into_iter().skip(self.keep.saturating_sub(1)).try_for_each(|(_, path)| file::remove(&path))?;
        Ok(path)
    }

    /// Returns the kept files, the newest first: in the order of their installation, since numbers may start anew and
    /// the wall clock is set. Files that a lost ledger does not know are ordered by their times.
    pub fn good_files(&self) -> Vec<(u32, PathBuf)> {
        let mut files = numbered(&self.directory.join("good"));
        let place = |version: u32| self.ledger.installed.iter().position(|installed| *installed == version);
        files.sort_by_key(|(version, _)| std::cmp::Reverse(place(*version)));
        files
    }
}

/// The files `<number>.ini` of a directory, the newest first.
fn numbered(directory: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let numbered = entries.flatten().filter_map(|entry| {
        let path = entry.path();
        let number = path.file_name()?.to_str()?.strip_suffix(".ini")?.parse::<u32>().ok()?;
        Some((entry.metadata().ok()?.modified().ok()?, number, path))
    });
    let mut files: Vec<_> = numbered.collect();
    files.sort_by(|a, b| b.cmp(a));
    files.into_iter().map(|(_, number, path)| (number, path)).collect()
}

/// Removes what a killed predecessor left half written.
fn sweep(directory: &Path) -> Result<(), FileError> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| file::is_leftover(path)).try_for_each(|path| file::remove(&path))
}

fn lock(directory: &Path) -> Result<Flock<File>, LedgerError> {
    use std::io::{Read as _, Seek as _, Write as _};
    let path = directory.join("lock");
    let failed = |source: std::io::Error| LedgerError::Lock { path: path.clone(), source };
    let file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut locked) => {
            let written = locked.set_len(0).and_then(|()| locked.rewind());
            written.and_then(|()| writeln!(locked, "{}", std::process::id())).map_err(failed)?;
            Ok(locked)
        }
        Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            let read = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let pid = if read { pid.trim().to_owned() } else { "unknown".to_owned() };
            Err(LedgerError::Locked { pid, directory: directory.to_owned() })
        }
        Err((_, errno)) => Err(failed(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let generation = Generation { fileversion: 7, ring: "abc".into(), at: Timestamp(1) };
        let mut store = Store::open(dir.path(), 5).unwrap();
        store.update(|ledger| ledger.written = Some(generation.clone())).unwrap();
        drop(store);
        assert_eq!(Store::open(dir.path(), 5).unwrap().ledger().written, Some(generation));
    }

    #[test]
    fn only_one_agent_has_the_ledger_and_the_other_learns_who() {
        let dir = tempfile::tempdir().unwrap();
        let _store = Store::open(dir.path(), 5).unwrap();
        let error = Store::open(dir.path(), 5).unwrap_err().to_string();
        assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
        assert_eq!(Store::peek(dir.path(), 5).complaint, None, "looking needs no lock");
    }

    #[test]
    fn an_unreadable_ledger_is_kept_aside_and_told() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), 5).unwrap());
        file::store(&dir.path().join("ledger.json"), b"{ torn").unwrap();
        let store = Store::open(dir.path(), 5).unwrap();
        assert_eq!(store.ledger(), &Ledger::default());
        assert!(store.complaint.as_ref().unwrap().contains("is kept as"), "{:?}", store.complaint);
        assert_eq!(std::fs::read(dir.path().join("ledger.json.unreadable")).unwrap(), b"{ torn");
    }

    #[test]
    fn what_a_killed_agent_left_half_written_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), 5).unwrap());
        let half = file::beside(&dir.path().join("good/3.ini"));
        file::store(&half, b"half").unwrap();
        drop(Store::open(dir.path(), 5).unwrap());
        assert!(!half.exists());
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_kept_file_the_oldest() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), 2).unwrap();
        let now = crate::fixtures::boot_time(0);
        for version in [7, 8, 1] {
            store.keep_good(version, b"x").unwrap();
            let generation = Generation { fileversion: version, ring: String::new(), at: Timestamp(0) };
            store.update(|ledger| ledger.wrote(generation, now)).unwrap();
            let file =
                File::options().write(true).open(dir.path().join(format!("good/{version}.ini"))).unwrap();
            let hours = std::time::Duration::from_hours(u64::from(version));
            file.set_modified(std::time::UNIX_EPOCH + hours).unwrap();
        }
        let kept: Vec<u32> = store.good_files().into_iter().map(|(version, _)| version).collect();
        assert_eq!(kept, [1, 8]);
    }

    #[test]
    fn only_the_newest_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 3).unwrap();
        for version in [8, 9, 10, 11] {
            store.keep_good(version, b"x").unwrap();
        }
        let kept: Vec<u32> = store.good_files().into_iter().map(|(version, _)| version).collect();
        assert_eq!(kept, [11, 10, 9]);
    }
}
