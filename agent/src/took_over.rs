//! The units that this agent has disabled because their work is its own: a removal of the package, whose script reads the
//! same file, enables each of them again. What a `leave` disables is no such unit: a node that left is to start nothing.
//!
//! One unit a line. Those of a node that left stand behind a `#` until it is back: no removal enables them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::file::{self, FileError};

/// Marks a unit that is not given back.
const ASIDE: char = '#';

/// Returns the file on the host below that root. Its path is the package's, whatever `state.directory` is.
pub(crate) fn file(root: &Path) -> PathBuf {
    root.join("var/lib/k2hdkc-agent/took-over")
}

/// Adds a unit, once. It is called before the unit is disabled.
///
/// # Errors
///
/// [`FileError`] where the file cannot be read or written.
pub(crate) fn add(file: &Path, unit: &str) -> Result<(), FileError> {
    edit(file, |units| {
        if !units.iter().any(|line| line == unit) {
            units.push(unit.to_owned());
        }
    })
}

/// Keeps a unit from being given back while the node is away.
///
/// # Errors
///
/// [`FileError`] where the file cannot be read or written.
pub(crate) fn set_aside(file: &Path, unit: &str) -> Result<(), FileError> {
    edit(file, |units| mark(units, unit, &format!("{ASIDE}{unit}")))
}

/// Gives a unit back again.
///
/// # Errors
///
/// [`FileError`] where the file cannot be read or written.
pub(crate) fn take_back(file: &Path, unit: &str) -> Result<(), FileError> {
    edit(file, |units| mark(units, &format!("{ASIDE}{unit}"), unit))
}

fn mark(units: &mut [String], from: &str, to: &str) {
    units.iter_mut().filter(|line| *line == from).for_each(|line| to.clone_into(line));
}

fn edit(file: &Path, change: impl FnOnce(&mut Vec<String>)) -> Result<(), FileError> {
    let text = match file::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(FileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let before: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut units = before.clone();
    change(&mut units);
    if units == before {
        return Ok(());
    }
    if let Some(directory) = file.parent() {
        file::ensure_directory(directory, 0o700)?;
    }
    file::store(file, (units.join("\n") + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_there_once_and_one_of_a_node_that_left_is_set_aside_until_it_is_back() {
        let root = tempfile::tempdir().unwrap();
        let file = file(root.path());
        let said = || std::fs::read_to_string(&file).unwrap_or_default();
        set_aside(&file, "chmpx.service").unwrap();
        assert!(!file.exists(), "what was not taken over needs no mark");
        for unit in ["a.timer", "chmpx.service", "a.timer"] {
            add(&file, unit).unwrap();
        }
        assert_eq!(said(), "a.timer\nchmpx.service\n");
        set_aside(&file, "chmpx.service").unwrap();
        assert_eq!(said(), "a.timer\n#chmpx.service\n");
        take_back(&file, "chmpx.service").unwrap();
        take_back(&file, "k2hdkc.service").unwrap();
        assert_eq!(said(), "a.timer\nchmpx.service\n");
    }
}
