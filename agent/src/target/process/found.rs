//! Which processes run one of the two programs with a certain ini: read from `/proc`, so that a restarted agent needs no
//! memory to find them, and a second instance is never started.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::target::{Identity, Program};

/// The processes of that name in this mount namespace which read that ini, the oldest first.
pub(super) fn processes(program: Program, configured: &str, ini: &Path) -> Vec<Identity> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ours = fs::read_link("/proc/self/ns/mnt").ok();
    let wanted = resolved(ini);
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let reads_it = |pid: &u32| {
        let theirs = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        // What may not be read (another user's process, without CAP_SYS_PTRACE) counts as ours: a second chmpx beside it
        // would be worse than one too few.
        (theirs.is_none() || theirs == ours)
            && configuration(*pid, program).is_some_and(|path| resolved(&path) == wanted)
    };
    let named = pids.filter(|pid| comm(*pid).is_some_and(|comm| is_named(&comm, program, configured)));
    let mut found: Vec<_> = named.filter(reads_it).filter_map(identity).collect();
    found.sort_by_key(|id| (id.ticks, id.pid));
    found
}

/// The kernel keeps 15 bytes of the file's name.
fn is_named(comm: &str, program: Program, configured: &str) -> bool {
    let file = configured.rsplit('/').next().unwrap_or_default().as_bytes();
    comm == program.name() || comm.as_bytes() == &file[..file.len().min(15)]
}

fn comm(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(text.trim_end_matches('\n').to_owned())
}

/// Who a process is; `None` for one that is gone or only waits to be reaped.
pub(super) fn identity(pid: u32) -> Option<Identity> {
    let Stat { state, ticks, .. } = stat(pid)?;
    (state != b'Z').then_some(Identity { pid, ticks })
}

/// Whose process it is.
pub(super) fn owner(pid: u32) -> Option<Uid> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(format!("/proc/{pid}")).ok().map(|metadata| Uid::from_raw(metadata.uid()))
}

/// Processor time of a process, in clock ticks.
pub(super) fn worked(pid: u32) -> Option<u64> {
    stat(pid).map(|stat| stat.worked)
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// What is read of a stat line: fields 3, 14 with 15, and 22.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    worked: u64,
    ticks: u64,
}

/// The name before the fields is in brackets, and may have any in it.
fn parse(stat: &[u8]) -> Option<Stat> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(20).collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let state = *fields.first()?.as_bytes().first()?;
    Some(Stat { state, worked: number(14)? + number(15)?, ticks: number(22)? })
}

/// The ini that a process was told to read, by its arguments or, without those, by its environment.
fn configuration(pid: u32, program: Program) -> Option<PathBuf> {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = arguments.split(|byte| *byte == 0);
    let is_flag = |argument: &&[u8]| argument.eq_ignore_ascii_case(b"-conf");
    let named = arguments.by_ref().find(is_flag).and_then(|_| arguments.next()).map(<[u8]>::to_vec);
    let path = named.or_else(|| from_environment(pid, program))?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(path));
    if path.is_absolute() {
        return Some(path);
    }
    // Relative to where it was started.
    fs::read_link(format!("/proc/{pid}/cwd")).ok().map(|cwd| cwd.join(path))
}

fn from_environment(pid: u32, program: Program) -> Option<Vec<u8>> {
    let key: &[u8] = match program {
        Program::Chmpx => b"CHMCONFFILE=",
        Program::K2hdkc => b"K2HDKCCONFFILE=",
    };
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(key).map(<[u8]>::to_vec))
}

/// With links resolved in the directory; the file itself may be missing at the moment.
fn resolved(path: &Path) -> PathBuf {
    let directory = path.parent().map(|parent| parent.canonicalize().unwrap_or_else(|_| parent.to_owned()));
    let name = path.file_name().unwrap_or(OsStr::from_bytes(b""));
    directory.map_or_else(|| path.to_owned(), |directory| directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = b"7 (a) R (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse(stat), Some(Stat { state: b'S', worked: 11 + 12, ticks: 4711 }));
        assert_eq!(parse(b"7 (a"), None);
    }

    #[test]
    fn this_process_has_an_identity_and_a_gone_one_has_none() {
        let own = identity(std::process::id()).unwrap();
        assert_eq!(Some(own), identity(std::process::id()));
        assert_eq!(identity(u32::MAX), None);
    }

    #[test]
    fn a_program_is_known_by_its_own_name_and_by_that_of_its_file() {
        let named = |comm, configured| is_named(comm, Program::Chmpx, configured);
        assert!(
            named("chmpx", "/opt/chmpx-1.0.113-patched")
                && named("chmpx-1.0.113-p", "/opt/chmpx-1.0.113-patched")
        );
        assert!(!named("k2hdkc", "chmpx"));
    }

    #[test]
    fn nothing_runs_with_an_ini_that_nobody_has() {
        assert_eq!(processes(Program::Chmpx, "chmpx", Path::new("/nowhere/k2hdkc.ini")), []);
    }
}
