//! Freezes and thaws a program of this node, each freeze under a watchdog that ends it at its limit: k2hdkc is continued, and chmpx of
//! a slave is killed. That one would write to the servers of its old list, and such writes are lost.
//!
//! A watchdog is a process of its own: this very program with the hidden command `thaw`, in a session of its own. It outlives
//! a killed agent. The unit of the agent has `KillMode=process`, so a stop of the unit leaves it alone. It holds a pidfd of
//! the frozen process, and so never signals another one that has its number. Its record in the runtime directory names it
//! with its start: the next agent, and the next freeze of the same program, find and end it.
//!
//! The order has no gap: the watchdog confirms that it watches, and only then the program is stopped. A program that is
//! continued is continued first, and then its watchdog ends. Whether a program is frozen is read from `/proc` and never
//! remembered: see [`is_stopped`].

mod facts;
mod holder;
mod record;
mod requests;
mod watchdog;
mod windows;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

pub use facts::{Progress, are_queues_empty, is_stopped};
pub use holder::Holder;
pub use requests::{HOLDS, HoldError, hold};
pub use watchdog::{WATCHES, Watched, watch};
pub use windows::{WIDE, WidenError, read_up, widen};

use super::{ProcessId, Program};
use crate::file::FileError;
use record::Record;

/// Longest freeze, whatever is asked for: a slave frozen for longer serves nobody, and each limit is a hard one.
pub const LONGEST: Duration = Duration::from_mins(2);

/// Time for a watchdog to confirm that it watches. It takes some milliseconds on an idle host.
const WATCHES_WITHIN: Duration = Duration::from_secs(2);

/// Failure of a freeze or a thaw.
#[derive(Debug, Error)]
pub enum FreezeError {
    /// The process has ended; nothing was signalled.
    #[error("process {0} has ended: nothing is to be frozen or continued")]
    Gone(u32),
    /// The watchdog did not start.
    #[error("cannot start the watchdog of process {pid}; the process is not frozen")]
    Start {
        /// The process.
        pid: u32,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The watchdog did not confirm that it watches.
    #[error("the watchdog of process {0} has not confirmed that it watches; the process is not frozen")]
    Unconfirmed(u32),
    /// The process cannot be signalled.
    #[error("cannot signal process {pid}: the agent needs CAP_KILL, or the user of that process")]
    Signal {
        /// The process.
        pid: u32,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The record of the watchdog cannot be read or written.
    #[error(transparent)]
    Record(#[from] FileError),
}

/// End of a freeze at its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLimit {
    /// The program is continued.
    Continue,
    /// The program is killed.
    Kill,
}

impl AtLimit {
    /// Returns the end of a freeze of that program.
    fn of(program: Program) -> Self {
        match program {
            Program::Chmpx => Self::Kill,
            Program::K2hdkc => Self::Continue,
        }
    }
}

/// Freezes and thaws the programs of one node.
#[derive(Debug, Clone)]
pub struct Freezer {
    program: PathBuf,
    directory: PathBuf,
}

impl Freezer {
    /// Makes a freezer with this runtime directory. Its watchdogs run this very program, also after an upgrade of its file.
    pub fn new(directory: &Path) -> Self {
        Self::with_program(Path::new("/proc/self/exe"), directory)
    }

    /// Makes a freezer whose watchdogs run another agent's program.
    pub fn with_program(program: &Path, directory: &Path) -> Self {
        Self { program: program.to_owned(), directory: directory.to_owned() }
    }

    /// Stops a program by SIGSTOP, after its watchdog has confirmed that it ends the freeze at the limit. A watchdog of an earlier
    /// freeze of the same program is replaced.
    ///
    /// # Errors
    ///
    /// The process has ended, the watchdog does not watch, or the signal is refused. Then nothing is frozen.
    pub async fn freeze(&self, program: Program, id: ProcessId, limit: Duration) -> Result<(), FreezeError> {
        self.start_watchdog(program, id, limit.min(LONGEST)).await?;
        watchdog::signal(id, rustix::process::Signal::STOP)
    }

    /// Continues a program by SIGCONT, and ends its watchdog. It may be repeated, also for a program that is not frozen.
    ///
    /// # Errors
    ///
    /// The signal is refused, or the watchdog cannot be ended: then that one ends the freeze at the limit.
    pub fn thaw(&self, program: Program, id: ProcessId) -> Result<(), FreezeError> {
        match watchdog::signal(id, rustix::process::Signal::CONT) {
            Ok(()) | Err(FreezeError::Gone(_)) => self.end_watchdog(program),
            Err(error) => Err(error),
        }
    }

    /// Continues whatever the watchdogs of this runtime directory watch, and ends them. For the end of an agent, and for one
    /// that does not go on with what another one has begun.
    ///
    /// # Errors
    ///
    /// The first watchdog that cannot be ended. The other one was tried all the same.
    pub fn release(&self) -> Result<(), FreezeError> {
        [Program::Chmpx, Program::K2hdkc].map(|program| self.end_watchdog(program)).into_iter().collect()
    }

    fn end_watchdog(&self, program: Program) -> Result<(), FreezeError> {
        let record = self.record(program);
        let Some(entry) = record.entry() else { return Ok(()) };
        watchdog::end(entry)?;
        record.remove(entry)
    }

    /// Returns the record of the watchdog of a program.
    fn record(&self, program: Program) -> Record {
        Record::of(&self.directory, program)
    }

    async fn start_watchdog(
        &self,
        program: Program,
        id: ProcessId,
        limit: Duration,
    ) -> Result<(), FreezeError> {
        let started = |source| FreezeError::Start { pid: id.pid, source };
        let mut child = self.command(program, id, limit).spawn().map_err(started)?;
        let Some(output) = child.stdout.take() else { return Err(FreezeError::Unconfirmed(id.pid)) };
        let mut line = String::new();
        let confirmed = timeout(WATCHES_WITHIN, BufReader::new(output).read_line(&mut line)).await;
        if matches!(confirmed, Ok(Ok(_))) && line.trim_end() == WATCHES {
            return Ok(());
        }
        // It is not ended: it may have replaced the watchdog of a freeze that lasts.
        Err(if is_alive(id) { FreezeError::Unconfirmed(id.pid) } else { FreezeError::Gone(id.pid) })
    }

    fn command(&self, program: Program, id: ProcessId, limit: Duration) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("thaw").arg("--pid").arg(id.pid.to_string());
        command.arg("--start-ticks").arg(id.start_ticks.to_string());
        command.arg("--after").arg(format!("{}ms", limit.as_millis()));
        command.arg("--record").arg(self.record(program).path());
        if AtLimit::of(program) == AtLimit::Kill {
            command.arg("--kill");
        }
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}

/// Ends a process by SIGKILL.
///
/// # Errors
///
/// The process has ended before, or the signal is refused.
pub fn kill(id: ProcessId) -> Result<(), FreezeError> {
    watchdog::signal(id, rustix::process::Signal::KILL)
}

/// Returns true while that very process is there.
pub fn is_alive(id: ProcessId) -> bool {
    super::local::found::identity(id.pid) == Some(id)
}
