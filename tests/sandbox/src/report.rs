//! The report: everything that a run found out, in a file that outlives it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The name of the file.
pub(super) const NAME: &str = "report.txt";

/// The lines of a report.
#[derive(Debug, Clone, Default)]
pub(super) struct Report(Vec<String>);

impl Report {
    /// Adds lines.
    pub(super) fn add(&mut self, lines: impl IntoIterator<Item = impl Into<String>>) {
        self.0.extend(lines.into_iter().map(Into::into));
    }

    /// Writes it into that directory.
    pub(super) fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        let path = directory.join(NAME);
        let mut text = self.0.join("\n");
        text.push('\n');
        File::options().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }
}
