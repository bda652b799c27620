//! The files that say who the node is, closed to other users: upstream's user-data leaves the directory 0777 and the token 0644.
//! Whoever writes there decides what chmpx runs with, and whoever reads the token can register hosts.

use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The most that their modes may be.
const CLOSED: [(&str, u32); 2] = [("etc/antpickax", 0o755), ("etc/antpickax/k2hr3-role-token", 0o600)];

/// Where chmpx keeps its memory, which upstream's libfullock opens to everybody whenever it is installed …
const MEMORY: &str = "var/lib/antpickax";
/// … and what closes it for chmpx's user and a group, since it knows both: the script of the package.
const SCRIPT: &str = "usr/lib/k2hdkc-agent/package";

/// The script that closes the directory of chmpx's memory, where every user may write there.
pub(super) fn of_memory(root: &Path) -> Option<PathBuf> {
    let found = root.join(MEMORY).symlink_metadata().ok()?;
    Some(root.join(SCRIPT)).filter(|script| found.is_dir() && mode(&found) & 0o002 != 0 && script.is_file())
}

/// Those below the root that are more open, each with the most that its mode may be.
pub(super) fn open(root: &Path) -> Vec<(PathBuf, u32)> {
    let paths = CLOSED.iter().map(|(path, most)| (root.join(path), *most));
    // Where a link leads is somebody else's.
    let is_open = |path: &Path, most: u32| {
        path.symlink_metadata().is_ok_and(|found| !found.is_symlink() && mode(&found) & !most != 0)
    };
    paths.filter(|(path, most)| is_open(path, *most)).collect()
}

/// Takes from a path what is more than that.
pub(super) fn close(path: &Path, most: u32) -> io::Result<()> {
    let mode = mode(&path.metadata()?) & most;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

fn mode(found: &Metadata) -> u32 {
    found.permissions().mode() & 0o777
}
