//! That a bootstrap was begun and is not through, kept over a power cut: `k2hdkc-agent-bootstrap.service` takes it up at the next
//! boot, where this file is there. cloud-init does not: it runs user-data once for an instance.

use std::path::{Path, PathBuf};

use crate::file::{self, FileError};

/// As the unit names it, whatever the settings say of the agent's state.
const MARK: &str = "var/lib/k2hdkc-agent/unfinished-bootstrap";

/// The file.
#[derive(Debug)]
pub struct Unfinished {
    mark: PathBuf,
}

impl Unfinished {
    /// The one below that root.
    pub fn below(root: &Path) -> Self {
        Self { mark: root.join(MARK) }
    }

    /// From now on the next boot takes it up.
    pub fn begin(&self) -> Result<(), FileError> {
        if let Some(directory) = self.mark.parent() {
            file::ensure_directory(directory, 0o700)?;
        }
        file::store(&self.mark, b"")
    }

    /// Everything is done.
    pub fn end(&self) -> Result<(), FileError> {
        file::remove(&self.mark)
    }
}
