//! Whom systemd runs chmpx and k2hdkc as, where that is not the user whom the package's own drop-ins name: one more drop-in
//! for each, which the package's removal takes away (packaging/package writes the same files where a node had another user
//! already).
//!
//! Both programs live on files of their user. So the user is not changed where files of another are there.

use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use super::UserName;
use crate::file::{self, FileError, Ownership};

const DROP_INS: [&str; 2] = [
    "etc/systemd/system/chmpx.service.d/60-k2hdkc-agent-user.conf",
    "etc/systemd/system/k2hdkc.service.d/60-k2hdkc-agent-user.conf",
];
/// What both write in, from the top; the package makes it for its own user (systemd/tmpfiles.d).
const DIRECTORIES: [&str; 3] =
    ["var/lib/antpickax", "var/lib/antpickax/k2hdkc", "var/lib/antpickax/k2hdkc/data"];

/// A user's number, and that of its group.
pub(super) type Numbers = (u32, u32);

/// Those of a line of passwd(5).
pub(super) fn numbers(entry: &str) -> Option<Numbers> {
    let mut fields = entry.lines().next()?.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Whether both units have this user.
pub(super) fn is(root: &Path, user: &UserName) -> bool {
    let wanted = format!("User={user}");
    let has = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        text.lines().any(|line| line == wanted)
    };
    DROP_INS.into_iter().all(has)
}

/// A file of chmpx or k2hdkc that belongs to another user, and the number of that one. Root may open every file.
pub(super) fn of_another(root: &Path, (wanted, _): Numbers) -> Option<(PathBuf, u32)> {
    let below = |directory: &str| std::fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
    let mut files = DIRECTORIES.into_iter().flat_map(below).filter_map(|entry| {
        let found = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((entry.path(), found.uid()))
    });
    files.find(|(_, owner)| wanted != 0 && *owner != wanted)
}

/// Gives this user the directories and the units, from their next start on.
pub(super) fn set(root: &Path, user: &UserName, (uid, gid): Numbers) -> Result<(), FileError> {
    for directory in DIRECTORIES.map(|path| root.join(path)) {
        let failed = |source: io::Error| FileError::Io {
            what: "change the owner of",
            path: directory.clone(),
            source,
        };
        match directory.symlink_metadata() {
            // Upstream's packages let everybody write in there.
            Ok(found) if found.is_dir() && found.mode() & 0o002 == 0 && ![0, found.uid()].contains(&uid) => {
                // The directory of chmpx's memory stays the group's that programs are in.
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
        // What was there would stay beside it.
        file::remove(&path)?;
        file::replace(&path, text.as_bytes(), Ownership { mode: Some(0o644), ..Ownership::default() })?;
    }
    Ok(())
}
