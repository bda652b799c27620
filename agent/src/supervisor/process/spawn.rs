//! Starts one of the two programs, with a fixed environment, user, umask and output; arguments stay apart from the program.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use nix::sys::stat::{Mode, umask};
use nix::unistd::User;
use tokio::process::{Child, Command};

use crate::settings::Process;
use crate::supervisor::{NodeSpec, Program, SupervisorError};

/// Directories of programs, and the PATH of the children.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Umask of the programs: chmpx makes its memory 0666, less this, and others than its group must not read it (P2).
const UMASK: Mode = Mode::S_IRWXO;

/// Held while the umask is another one: two starts at a time could leave it so.
static STARTS: Mutex<()> = Mutex::new(());

/// Runs `start` under [`UMASK`]. The umask is the whole process's, and a child inherits it. Files of the agent's own get their
/// mode by its number.
fn under_umask<T>(start: impl FnOnce() -> T) -> T {
    let _held = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = umask(UMASK);
    let started = start();
    umask(before);
    started
}

/// Returns the umask of this process.
#[cfg(test)]
pub(super) fn own_umask() -> Mode {
    let _held = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let own = umask(UMASK);
    umask(own);
    own
}

/// Starts a program.
///
/// # Errors
///
/// The program or its user is missing, or the program does not start.
pub(in crate::supervisor) fn spawn(
    program: Program,
    spec: &NodeSpec,
    settings: &Process,
    output: Option<File>,
) -> Result<Child, SupervisorError> {
    let (name, options) = match program {
        Program::Chmpx => (&settings.chmpx, &settings.chmpx_options),
        Program::K2hdkc => (&settings.k2hdkc, &settings.k2hdkc_options),
    };
    let failed = |source: std::io::Error| SupervisorError::Spawn { program: name.clone(), source };
    let path = find(name).ok_or_else(|| unfound(name))?;
    let mut command = Command::new(path);
    command.arg("-conf").arg(&spec.ini).args(options).current_dir("/").stdin(Stdio::null());
    // Its own group, so that an interrupt typed at the agent's terminal does not reach it.
    command.env_clear().env("PATH", PATH).envs(&settings.environment).process_group(0);
    match output {
        Some(output) => {
            command.stdout(output.try_clone().map_err(failed)?).stderr(output);
        }
        None => drop(command.stdout(Stdio::null()).stderr(Stdio::null())),
    }
    if let Some(user) = user(settings)? {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    under_umask(|| command.spawn()).map_err(failed)
}

/// Tells a file that is no program from a missing one.
fn unfound(name: &str) -> SupervisorError {
    if name.contains('/') && Path::new(name).exists() {
        let source = std::io::ErrorKind::PermissionDenied.into();
        return SupervisorError::Spawn { program: name.to_owned(), source };
    }
    SupervisorError::NotInstalled(name.to_owned())
}

/// User of the programs, if the settings name one.
///
/// # Errors
///
/// The host has no such user.
pub(in crate::supervisor) fn user(settings: &Process) -> Result<Option<User>, SupervisorError> {
    let Some(name) = &settings.user else { return Ok(None) };
    let found = User::from_name(name).ok().flatten();
    found.map(Some).ok_or_else(|| SupervisorError::NoUser(name.clone()))
}

/// Path of a program: a path stays as it is, and a name is looked up in [`PATH`] and the agent's own PATH.
pub(in crate::supervisor) fn find(name: &str) -> Option<PathBuf> {
    let is_program = |path: &Path| path.metadata().is_ok_and(|m| m.is_file() && m.mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    let own = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&own).chain(std::env::split_paths(PATH)).collect();
    directories
        .into_iter()
        .filter(|directory| directory.is_absolute())
        .map(|d| d.join(name))
        .find(|p| is_program(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_a_path_or_a_name_that_is_looked_up() {
        assert_eq!(find("/bin/sh"), Some(PathBuf::from("/bin/sh")));
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!((find("/etc/passwd"), find("no-such-program")), (None, None));
    }
}
