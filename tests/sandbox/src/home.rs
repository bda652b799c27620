//! The directory of a run: the nodes live in it, and the report stays in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::End;
use super::report;

/// The directory.
pub(super) enum Home {
    /// A directory that the user has named.
    Named(PathBuf),
    /// A directory of its own, below the directory for temporary files.
    Temporary(TempDir),
}

impl Home {
    /// Makes a new directory. One that the user names must be empty: agents would believe an old ledger.
    pub(super) fn new(named: Option<&Path>) -> io::Result<Self> {
        let Some(path) = named else {
            return tempfile::Builder::new().prefix("k2hdkc-sandbox.").tempdir().map(Self::Temporary);
        };
        fs::create_dir_all(path)?;
        let path = path.canonicalize()?;
        if fs::read_dir(&path)?.next().is_some() {
            return Err(io::Error::other(format!("{} is not empty", path.display())));
        }
        Ok(Self::Named(path))
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    /// Keeps what the user may want to read: all of a named directory and of a run that failed, the report of a good
    /// run, and nothing of an interrupted one.
    pub(super) fn leave(self, end: End) -> io::Result<()> {
        let Self::Temporary(directory) = self else { return Ok(()) };
        match end {
            End::Interrupted => directory.close(),
            End::Failed => {
                let _kept = directory.keep();
                Ok(())
            }
            End::Good => only_report(&directory.keep()),
        }
    }
}

fn only_report(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name() == report::NAME {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used() -> (Home, PathBuf) {
        let home = Home::new(None).unwrap();
        let path = home.path().to_owned();
        fs::create_dir_all(path.join("server-1/etc")).unwrap();
        fs::File::create_new(path.join("notes")).unwrap();
        fs::File::create_new(path.join(report::NAME)).unwrap();
        (home, path)
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_good_run_leaves_its_report_a_failed_one_everything_an_interrupted_one_nothing() {
        let kept = [
            (End::Good, vec!["report.txt"]),
            (End::Failed, vec!["notes", "report.txt", "server-1"]),
            (End::Interrupted, vec![]),
        ];
        for (end, expected) in kept {
            let (home, path) = used();
            home.leave(end).unwrap();
            assert_eq!(names(&path), expected, "{end:?}");
            let _ = fs::remove_dir_all(path);
        }
    }

    #[test]
    fn a_directory_that_is_not_empty_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Home::new(Some(directory.path())).is_ok());
        fs::File::create_new(directory.path().join("x")).unwrap();
        assert!(Home::new(Some(directory.path())).is_err());
    }
}
