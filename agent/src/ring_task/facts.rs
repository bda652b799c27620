//! Reads the facts of this host that a change of the ring waits for.

use std::io;
use std::path::{Path, PathBuf};

use super::assignment::Programs;
use crate::ring_change::{Local, Mark, Process};
use crate::supervisor::freeze::{self, Progress};
use crate::supervisor::{ProcessId, Program};

/// Name of the file in the state directory that has the mark of a slave's freeze.
const MARK: &str = "frozen";

/// See the module.
#[derive(Debug)]
pub(super) struct Facts {
    mark: PathBuf,
    /// Traces of the k2hdkc that was looked at last.
    traces: Option<(ProcessId, Progress)>,
    /// Number of looks at which it had moved.
    moves: u64,
}

impl Facts {
    pub(super) fn new(state_directory: &Path) -> Self {
        Self { mark: mark_of(state_directory), traces: None, moves: 0 }
    }

    /// Reads the facts of these programs. The queues take a look at every descriptor of k2hdkc: they count as full where `queues` is
    /// false.
    pub(super) fn read(&mut self, programs: &Programs, queues: bool) -> Local {
        self.follow(programs);
        let are_empty = |id| freeze::are_queues_empty(id).unwrap_or(false);
        Local {
            k2hdkc: state(programs, Program::K2hdkc),
            chmpx: state(programs, Program::Chmpx),
            queues_empty: queues && programs.of(Program::K2hdkc).is_some_and(are_empty),
            progress: self.moves,
            mark: self.mark(),
        }
    }

    fn follow(&mut self, programs: &Programs) {
        let now =
            programs.k2hdkc.and_then(|id| Some((id, Progress::read(id, programs.database.as_deref()).ok()?)));
        let moved = match (&self.traces, &now) {
            (Some((before, earlier)), Some((id, later))) => before != id || later.moved_since(earlier),
            (before, after) => before.is_some() != after.is_some(),
        };
        if moved {
            self.moves += 1;
            self.traces = now;
        }
    }

    /// Returns the mark; one that cannot be read stands for a freeze, so that none follows it.
    fn mark(&self) -> Mark {
        match std::fs::read_to_string(&self.mark) {
            Ok(word) if Some(&*word) == word_of(Mark::Frozen) => Mark::Frozen,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Mark::Absent,
            Ok(_) | Err(_) => Mark::Thawed,
        }
    }
}

/// Returns the place of the mark.
pub(super) fn mark_of(state_directory: &Path) -> PathBuf {
    state_directory.join(MARK)
}

/// Returns the content of the mark; none for an absent one.
pub(super) fn word_of(mark: Mark) -> Option<&'static str> {
    match mark {
        Mark::Absent => None,
        Mark::Frozen => Some("frozen\n"),
        Mark::Thawed => Some("thawed\n"),
    }
}

fn state(programs: &Programs, program: Program) -> Process {
    match programs.of(program) {
        Some(id) if !freeze::is_alive(id) => Process::Absent,
        Some(id) if freeze::is_stopped(id) => Process::Stopped,
        Some(_) => Process::Running,
        None if programs.hidden.contains(&program) => Process::Running,
        None => Process::Absent,
    }
}
