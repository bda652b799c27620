//! User of the units of chmpx and k2hdkc, where the role names another one than the drop-ins of the package: one more drop-in
//! for each unit. A removal of the package deletes them; packaging/package writes the same files where a node had another
//! user already.
//!
//! Both programs live on files of their user, so files of another user keep the user as it is.

use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use super::UserName;
use crate::file::{self, FileError, Ownership};

const DROP_INS: [&str; 2] = [
    "etc/systemd/system/chmpx.service.d/60-k2hdkc-agent-user.conf",
    "etc/systemd/system/k2hdkc.service.d/60-k2hdkc-agent-user.conf",
];
/// Directories of both programs, from the top; the package makes them for its own user (systemd/tmpfiles.d).
const DIRECTORIES: [&str; 3] =
    ["var/lib/antpickax", "var/lib/antpickax/k2hdkc", "var/lib/antpickax/k2hdkc/data"];

/// Numbers of a user and of its group.
pub(super) type Numbers = (u32, u32);

/// Numbers in a line of passwd(5).
pub(super) fn numbers(entry: &str) -> Option<Numbers> {
    let mut fields = entry.lines().next()?.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// True if both units have this user.
pub(super) fn is(root: &Path, user: &UserName) -> bool {
    let wanted = format!("User={user}");
    let has = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        text.lines().any(|line| line == wanted)
    };
    DROP_INS.into_iter().all(has)
}

/// File of chmpx or k2hdkc that belongs to another user, with the number of its owner. Root may open every file.
pub(super) fn of_another(root: &Path, (wanted, _): Numbers) -> Option<(PathBuf, u32)> {
    let below = |directory: &str| std::fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
    let mut files = DIRECTORIES.into_iter().flat_map(below).filter_map(|entry| {
        let found = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((entry.path(), found.uid()))
    });
    files.find(|(_, owner)| wanted != 0 && *owner != wanted)
}

/// Gives the directories and the units to this user, from the next start of the units on.
///
/// # Errors
///
/// A directory cannot change its owner, or a drop-in cannot be written.
pub(super) fn set(root: &Path, user: &UserName, (uid, gid): Numbers) -> Result<(), FileError> {
    for directory in DIRECTORIES.map(|path| root.join(path)) {
        let failed = |source: io::Error| FileError::Io {
            what: "change the owner of",
            path: directory.clone(),
            source,
        };
        match directory.symlink_metadata() {
            // A directory that every user may write in needs no other owner.
            Ok(found) if found.is_dir() && found.mode() & 0o002 == 0 && ![0, found.uid()].contains(&uid) => {
                // The directory of chmpx's memory keeps the group of the application programs.
                let group = (directory != root.join(DIRECTORIES[0])).then_some(gid);
                chown(&directory, Some(uid), group).map_err(failed)?;
            }
            _ => {}
        }
    }
    let text = format!(
        "# By k2hdkc-agent: K2HR3 names this user (k2hdkc-dbaas-proc-user).\n[Service]\nUser={user}\nGroup=\n"
    );
    for path in DROP_INS.map(|path| root.join(path)) {
        if let Some(directory) = path.parent() {
            file::ensure_directory(directory, 0o755)?;
        }
        // A replaced file leaves its predecessor beside it.
        file::remove(&path)?;
        file::replace(&path, text.as_bytes(), Ownership { mode: Some(0o644), ..Ownership::default() })?;
    }
    Ok(())
}
