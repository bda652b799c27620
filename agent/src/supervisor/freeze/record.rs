//! The record of a watchdog: the process that watches, and the one that it continues.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FreezeError;
use crate::file;
use crate::supervisor::{ProcessId, Program};

/// Place of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record(PathBuf);

/// Content of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The watchdog.
    pub(super) watchdog: ProcessId,
    /// The process that it continues.
    pub(super) target: ProcessId,
}

impl Record {
    /// Returns the place for a program.
    pub(super) fn of(directory: &Path, program: Program) -> Self {
        Self(directory.join(format!("thaw-{}.json", program.name())))
    }

    /// Returns a record by its path.
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the entry; `None` where there is none, or half of one, which no watchdog of ours writes.
    pub(super) fn entry(&self) -> Option<Entry> {
        serde_json::from_slice(&file::read(&self.0).ok()?).ok()
    }

    /// Replaces the entry.
    pub(super) fn write(&self, entry: Entry) -> Result<(), FreezeError> {
        let text = serde_json::to_vec(&entry).unwrap_or_default();
        Ok(file::store(&self.0, &text)?)
    }

    /// Removes the entry, where it is still that one.
    pub(super) fn remove(&self, entry: Entry) -> Result<(), FreezeError> {
        if self.entry() == Some(entry) {
            file::remove(&self.0)?;
        }
        Ok(())
    }
}
