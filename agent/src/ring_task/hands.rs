//! Moves the programs of this node: stops and continues them, kills them, and keeps the mark of a slave's freeze.

use std::path::{Path, PathBuf};

use tracing::{debug, info, warn};

use super::assignment::Programs;
use super::facts::{mark_of, word_of};
use crate::file;
use crate::problem::chain;
use crate::ring_change::{Action, Mark, PairEnd};
use crate::supervisor::freeze::{self, FreezeError, Freezer};
use crate::supervisor::{ProcessId, Program};

/// See the module.
#[derive(Debug)]
pub(super) struct Hands {
    freezer: Freezer,
    mark: PathBuf,
}

impl Hands {
    pub(super) fn new(runtime_directory: &Path, state_directory: &Path) -> Self {
        Self { freezer: Freezer::new(runtime_directory), mark: mark_of(state_directory) }
    }

    /// Carries out an action that concerns this node's programs.
    pub(super) async fn act(&self, action: &Action, programs: &Programs) {
        match action {
            Action::Stop { program, limit } => {
                let Some(id) = programs.of(*program) else { return };
                if *program == Program::Chmpx {
                    widen(id);
                }
                match self.freezer.freeze(*program, id, *limit).await {
                    Ok(()) => info!("ring change: {} is stopped", program.name()),
                    Err(error) => return warn!("ring change: {}", chain(&error)),
                }
                self.mark(*program, Mark::Frozen);
            }
            Action::Continue { program } => {
                self.mark(*program, Mark::Thawed);
                let Some(id) = programs.of(*program) else { return };
                match self.freezer.thaw(*program, id) {
                    Ok(()) => info!("ring change: {} goes on", program.name()),
                    Err(error) => warn!("ring change: {}", chain(&error)),
                }
            }
            Action::Unmark => self.mark(Program::Chmpx, Mark::Absent),
            Action::RestartPair(why) => self.kill(programs, *why),
            Action::Nothing | Action::Ask { .. } | Action::Send(_) => {}
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
