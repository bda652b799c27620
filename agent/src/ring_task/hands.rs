//! Moves the programs of this node: stops and continues them, kills them, and keeps the mark of a slave's freeze.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::{debug, info, warn};

use super::assignment::Programs;
use super::facts::{mark_of, word_of};
use crate::file;
use crate::problem::chain;
use crate::ring_change::{Action, Mark, PairEnd};
use crate::supervisor::freeze::{self, FreezeError, Freezer, Holder};
use crate::supervisor::{ProcessId, Program};

/// Longest time for a chmpx that goes on to read what has waited: 0.35 s were seen at load 10.
const READS_UP: Duration = Duration::from_secs(1);

/// Longest time in which requests wait for the list of a chmpx that goes on. A list was compared after 1.7 s at load 17, and with a limit of
/// 1.5 s 33 reads found nothing. A program gives up after 9 s, those of the stop included.
const HOLDS: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Debug)]
pub(super) struct Hands {
    freezer: Freezer,
    mark: PathBuf,
    /// The holder of the requests to a chmpx that goes on, until its list was compared.
    holder: Option<Holder>,
}

impl Hands {
    pub(super) fn new(runtime_directory: &Path, state_directory: &Path) -> Self {
        Self { freezer: Freezer::new(runtime_directory), mark: mark_of(state_directory), holder: None }
    }

    /// Carries out an action that concerns this node's programs.
    pub(super) async fn act(&mut self, action: &Action, programs: &Programs) {
        match action {
            Action::Stop { program, limit } => {
                if let Some(id) = programs.of(*program) {
                    self.stop(*program, id, *limit).await;
                }
            }
            Action::Continue { program } => {
                self.mark(*program, Mark::Thawed);
                match (programs.of(*program), program) {
                    (Some(id), Program::Chmpx) => self.resume_chmpx(id).await,
                    (Some(id), Program::K2hdkc) => self.resume(Program::K2hdkc, id),
                    (None, _) => {}
                }
            }
            Action::Unmark => {
                self.holder = None;
                self.mark(Program::Chmpx, Mark::Absent);
            }
            Action::RestartPair(why) => {
                self.holder = None;
                self.kill(programs, *why);
            }
            Action::Nothing | Action::Ask { .. } | Action::Send(_) => {}
        }
    }

    async fn stop(&mut self, program: Program, id: ProcessId, limit: Duration) {
        if program == Program::Chmpx {
            self.holder = None;
            widen(id);
        }
        match self.freezer.freeze(program, id, limit).await {
            Ok(()) => info!("ring change: {} is stopped", program.name()),
            Err(error) => return warn!("ring change: {}", chain(&error)),
        }
        self.mark(program, Mark::Frozen);
    }

    fn resume(&self, program: Program, id: ProcessId) {
        match self.freezer.thaw(program, id) {
            Ok(()) => info!("ring change: {} goes on", program.name()),
            Err(error) => warn!("ring change: {}", chain(&error)),
        }
    }

    /// Continues chmpx of a slave. Requests wait until it has read the statuses, and its list was compared.
    async fn resume_chmpx(&mut self, id: ProcessId) {
        self.holder = match self.freezer.hold(id, HOLDS).await {
            Ok(holder) => Some(holder),
            Err(error) => {
                warn!("ring change: {}", chain(&error));
                None
            }
        };
        self.resume(Program::Chmpx, id);
        match freeze::read_up(id, READS_UP).await {
            Ok(true) => {}
            Ok(false) => debug!("chmpx has not read all statuses that had waited, after {READS_UP:?}"),
            Err(error) => debug!("ring change: {}", chain(&error)),
        }
    }

    fn kill(&self, programs: &Programs, why: PairEnd) {
        self.mark(Program::Chmpx, Mark::Absent);
        for program in [Program::K2hdkc, Program::Chmpx] {
            let Some(id) = programs.of(program) else { continue };
            match freeze::kill(id) {
                Ok(()) => warn!("ring change: {} (pid {}) is killed: {why}", program.name(), id.pid),
                Err(FreezeError::Gone(_)) => {}
                Err(error) => warn!("ring change: {}", chain(&error)),
            }
        }
    }

    /// Keeps the mark of a slave's freeze; k2hdkc has none.
    pub(super) fn mark(&self, program: Program, mark: Mark) {
        if program == Program::K2hdkc {
            return;
        }
        let kept = match word_of(mark) {
            Some(word) => file::store(&self.mark, word.as_bytes()),
            None => file::remove(&self.mark),
        };
        if let Err(error) = kept {
            warn!("ring change: {}", chain(&error));
        }
    }
}

/// Makes room for what the ring sends to a chmpx that stands still.
fn widen(id: ProcessId) {
    match freeze::widen(id) {
        Ok(widened) => debug!(widened, "the receive buffers of chmpx are wide"),
        Err(error) => warn!("ring change: {}", chain(&error)),
    }
}
