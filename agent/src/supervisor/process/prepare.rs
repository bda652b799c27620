//! Prepares the host for the programs, and removes what they leave on it.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::chown;
use tracing::{debug, info, warn};

use super::spawn;
use crate::settings::Process;
use crate::supervisor::{NodeSpec, Program, SupervisorError};

/// Number of queues that all processes of a user may open together (`fs.mqueue.msg_max`), by upstream's unit.
const QUEUES: u32 = 1025;
const QUEUES_PATH: &str = "/proc/sys/fs/mqueue/msg_max";

/// Directories and limits, as upstream's helpers make them, but no directory that everybody may write to.
pub(in crate::supervisor) fn host(
    program: Program,
    spec: &NodeSpec,
    settings: &Process,
) -> Result<(), SupervisorError> {
    match program {
        Program::Chmpx => {
            directory(&settings.base_directory, settings)?;
            queues(spec.queues);
        }
        Program::K2hdkc => {
            if let Some(parent) = spec.database.as_deref().and_then(Path::parent) {
                directory(parent, settings)?;
            }
        }
    }
    Ok(())
}

/// Removes what killed chmpx processes left behind.
pub(in crate::supervisor) fn tidy(settings: &Process, spec: &NodeSpec) -> Result<(), SupervisorError> {
    leftovers(&settings.base_directory, spec).iter().try_for_each(|path| crate::file::remove(path))?;
    Ok(())
}

fn directory(path: &Path, settings: &Process) -> Result<(), SupervisorError> {
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

/// The files `<GROUP>-<SELFCTLPORT>.chmpx.bup`, `.bup.0`, `.bup.1` and so on: chmpx moves the shared memory of a killed
/// predecessor there, one file of that size each time, and never removes them. Nothing else is one: they are unlinked.
pub(in crate::supervisor) fn leftovers(base: &Path, spec: &NodeSpec) -> Vec<PathBuf> {
    let port = spec.selfctlport.map_or_else(String::new, |port| format!("-{port}"));
    let start = format!("{}{port}.chmpx.bup", spec.group);
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    let is_one = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(&start));
        rest.is_some_and(is_count) && entry.file_type().is_ok_and(|kind| kind.is_file())
    };
    entries.flatten().filter(is_one).map(|entry| entry.path()).collect()
}

/// True for an empty rest, and for a dot with a number.
fn is_count(rest: &str) -> bool {
    let number = rest.strip_prefix('.').unwrap_or("x");
    rest.is_empty() || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;
    use crate::fixtures;
    use crate::names::Port;

    fn left(base: &Path, port: Option<u16>) -> Vec<String> {
        let mut spec = NodeSpec::of(&fixtures::ring(&[1], &[]), Path::new("/x.ini")).unwrap();
        spec.selfctlport = port.map(|port| Port::try_from(port).unwrap());
        let paths = leftovers(base, &spec);
        let mut names: Vec<_> =
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_this_nodes_own_chmpx_left_is_a_leftover_and_never_what_lives() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "mycluster-8021.chmpx",
            "mycluster-8021.k2h",
            "mycluster-8021.chmpx.bup",
            "mycluster-8021.chmpx.bup.0",
            "mycluster-8021.chmpx.bup.12",
            "mycluster-8021.chmpx.bup.mine",
            "mycluster-8021.chmpx.bup.1.gz",
            "mycluster-8021.chmpx.bup.",
            "mycluster-8021.chmpx.bupper",
            "mycluster-80211.chmpx.bup",
            "mycluster-8022.chmpx.bup",
            "mycluster.chmpx.bup",
            "another-8021.chmpx.bup",
        ] {
            file::store(&dir.path().join(name), b"").unwrap();
        }
        std::fs::create_dir(dir.path().join("mycluster-8021.chmpx.bup.7")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("mycluster-8021.chmpx.bup.8")).unwrap();
        let ours = ["mycluster-8021.chmpx.bup", "mycluster-8021.chmpx.bup.0", "mycluster-8021.chmpx.bup.12"];
        assert_eq!(left(dir.path(), Some(8021)), ours);
        assert_eq!(left(dir.path(), None), ["mycluster.chmpx.bup"]);
        assert_eq!(left(&dir.path().join("gone"), None), [""; 0]);
    }
}
