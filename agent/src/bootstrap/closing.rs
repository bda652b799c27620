//! Closes the files of the node's identity to other users. Upstream's user-data leaves the directory 0777 and the token 0644.
//!
//! A writer there decides with which settings chmpx runs, and a reader of the token can register hosts.

use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Paths of the identity, each with its widest mode.
const CLOSED: [(&str, u32); 2] = [("etc/antpickax", 0o755), ("etc/antpickax/k2hr3-role-token", 0o600)];

/// Directory of chmpx's memory; upstream's libfullock opens it to every user whenever it is installed.
const MEMORY: &str = "var/lib/antpickax";
/// Script of the package, which closes it: it knows chmpx's user and group.
const SCRIPT: &str = "usr/lib/k2hdkc-agent/package";

/// Script that closes the directory of chmpx's memory, if every user may write there.
pub(super) fn of_memory(root: &Path) -> Option<PathBuf> {
    let found = root.join(MEMORY).symlink_metadata().ok()?;
    Some(root.join(SCRIPT)).filter(|script| found.is_dir() && mode(&found) & 0o002 != 0 && script.is_file())
}

/// Paths below the root whose mode is wider, each with its widest mode.
pub(super) fn open(root: &Path) -> Vec<(PathBuf, u32)> {
    let paths = CLOSED.iter().map(|(path, most)| (root.join(path), *most));
    // The target of a symbolic link is not the agent's to close.
    let is_open = |path: &Path, most: u32| {
        path.symlink_metadata().is_ok_and(|found| !found.is_symlink() && mode(&found) & !most != 0)
    };
    paths.filter(|(path, most)| is_open(path, *most)).collect()
}

/// Narrows the mode of a path to the widest one.
///
/// # Errors
///
/// The path has gone, or belongs to another user.
pub(super) fn close(path: &Path, most: u32) -> io::Result<()> {
    let mode = mode(&path.metadata()?) & most;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

fn mode(found: &Metadata) -> u32 {
    found.permissions().mode() & 0o777
}
