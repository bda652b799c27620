//! What the programs need on the host before they start, and what they leave on it.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::chown;
use tracing::{debug, info, warn};

use super::{Process, spawn};
use crate::target::{About, Program, TargetError};

/// How many queues a process may open together (`fs.mqueue.msg_max`), as upstream's unit sets it.
const QUEUES: u32 = 1025;
const QUEUES_PATH: &str = "/proc/sys/fs/mqueue/msg_max";

/// Directories and limits, as upstream's helpers make them, but no directory that everybody may write to.
pub(super) fn host(program: Program, about: &About, settings: &Process) -> Result<(), TargetError> {
    match program {
        Program::Chmpx => {
            directory(&settings.base_directory, settings)?;
            queues(about.queues);
        }
        Program::K2hdkc => {
            if let Some(parent) = about.database.as_deref().and_then(Path::parent) {
                directory(parent, settings)?;
            }
        }
    }
    Ok(())
}

fn directory(path: &Path, settings: &Process) -> Result<(), TargetError> {
    if path.is_dir() {
        return Ok(());
    }
    let failed =
        |source| crate::file::FileError::Io { what: "create the directory", path: path.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(failed)?;
    if let Some(user) = spawn::user(settings)? {
        let given = chown(path, Some(user.uid), Some(user.gid)).map_err(std::io::Error::from);
        given.map_err(|source| crate::file::FileError::Io {
            what: "give away",
            path: path.to_owned(),
            source,
        })?;
    }
    info!(path = %path.display(), "made the directory");
    Ok(())
}

/// chmpx that does not run as root must not open more queues than this limit, and with the usual 10 does not start.
fn queues(needed: u32) {
    let present = std::fs::read_to_string(QUEUES_PATH).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let wanted = needed.max(QUEUES);
    if present.is_some_and(|present| present < needed.max(256)) {
        let written = std::fs::OpenOptions::new().write(true).open(QUEUES_PATH).and_then(|mut file| {
            use std::io::Write as _;
            file.write_all(wanted.to_string().as_bytes())
        });
        match written {
            Ok(()) => info!(limit = wanted, "raised fs.mqueue.msg_max"),
            Err(error) => {
                warn!(%error, needed, "fs.mqueue.msg_max is too small for this ini, and cannot be raised");
            }
        }
    }
    // Children inherit it. Without the privilege the present limit stays, and chmpx says so if it is too small.
    let unlimited = nix::sys::resource::RLIM_INFINITY;
    if let Err(error) = setrlimit(Resource::RLIMIT_MSGQUEUE, unlimited, unlimited) {
        debug!(%error, "the limit of message queues stays as it is");
    }
}

/// The files `<GROUP>-<SELFCTLPORT>.chmpx.bup*`: chmpx moves the shared memory of a killed predecessor there, one file of
/// that size each time, and never removes them.
pub(super) fn leftovers(base: &Path, about: &About) -> Vec<PathBuf> {
    let port = about.selfctlport.map_or_else(String::new, |port| format!("-{port}"));
    let start = format!("{}{port}.chmpx.bup", about.group);
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    let named =
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(start.as_bytes()));
    named.map(|entry| entry.path()).collect()
}
