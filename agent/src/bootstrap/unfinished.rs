//! Mark of an unfinished bootstrap, which survives a power cut. Where it exists, `k2hdkc-agent-bootstrap.service` continues the
//! bootstrap at the next boot; cloud-init runs user-data once for an instance.

use std::path::{Path, PathBuf};

use crate::file::{self, FileError};

/// Path in the condition of the unit, whatever directory of state the settings name.
const MARK: &str = "var/lib/k2hdkc-agent/unfinished-bootstrap";

/// The mark.
#[derive(Debug)]
pub struct Unfinished {
    mark: PathBuf,
}

impl Unfinished {
    /// The mark below that root.
    pub fn below(root: &Path) -> Self {
        Self { mark: root.join(MARK) }
    }

    /// Has the next boot continue the bootstrap.
    ///
    /// # Errors
    ///
    /// The file or its directory cannot be written.
    pub fn begin(&self) -> Result<(), FileError> {
        if let Some(directory) = self.mark.parent() {
            file::ensure_directory(directory, 0o700)?;
        }
        file::store(&self.mark, b"")
    }

    /// Marks the bootstrap as finished.
    ///
    /// # Errors
    ///
    /// The file cannot be removed.
    pub fn end(&self) -> Result<(), FileError> {
        file::remove(&self.mark)
    }
}
