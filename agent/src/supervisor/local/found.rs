//! The processes of one of the two programs with a certain ini: read from `/proc`, so that a restarted agent needs no
//! memory to find them, and a second instance is never started.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::supervisor::{ProcessId, Program};

const PROC: &str = "/proc";

/// The processes of that name which read that ini, the oldest first.
pub(in crate::supervisor) fn processes(program: Program, configured: &str, ini: &Path) -> Vec<ProcessId> {
    processes_in(Path::new(PROC), program, configured, ini)
}

fn processes_in(proc: &Path, program: Program, configured: &str, ini: &Path) -> Vec<ProcessId> {
    let Ok(entries) = fs::read_dir(proc) else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let named = pids.map(|pid| ProcEntry { place: proc.join(pid.to_string()), pid });
    let named = named.filter(|process| process.is_named(program, configured));
    let ini = Ini::at(ini, fs::read_link(proc.join("self/ns/mnt")).ok());
    let ours = named.filter_map(|process| {
        let id = process.identity()?;
        // The number may have been used again between the looks.
        (process.reads(program, &ini) && process.identity() == Some(id)).then_some(id)
    });
    let mut found: Vec<_> = ours.collect();
    found.sort_by_key(|id| (id.start_ticks, id.pid));
    found
}

/// The ini that is looked for, and what stands there now.
struct Ini {
    name: OsString,
    directory: Option<Inode>,
    file: Option<Inode>,
    /// The agent's mount namespace.
    namespace: Option<PathBuf>,
}

/// Device and number: the same through every path and in every mount namespace.
type Inode = (u64, u64);

impl Ini {
    fn at(path: &Path, namespace: Option<PathBuf>) -> Self {
        let name = path.file_name().unwrap_or_default().to_owned();
        Self { name, directory: inode(path.parent()), file: inode(Some(path)), namespace }
    }

    /// True if that path is this ini: the same file, or the same name in the same directory, since the file may be missing
    /// for a moment.
    fn is(&self, path: &Path) -> bool {
        let in_directory = || self.directory.is_some() && inode(path.parent()) == self.directory;
        (self.file.is_some() && inode(Some(path)) == self.file)
            || (path.file_name() == Some(&self.name) && in_directory())
    }
}

fn inode(path: Option<&Path>) -> Option<Inode> {
    fs::metadata(path?).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// An entry of `/proc`.
struct ProcEntry {
    place: PathBuf,
    pid: u32,
}

/// The ini that a process was told to read.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// No ini, or none by a file.
    Nothing,
    /// Path in the view of the process.
    Path(PathBuf),
    /// The agent may not see it.
    Hidden,
}

impl ProcEntry {
    fn is_named(&self, program: Program, configured: &str) -> bool {
        let comm = fs::read_to_string(self.place.join("comm")).ok();
        comm.is_some_and(|comm| is_named(comm.trim_end_matches('\n'), program, configured))
    }

    /// True if the process reads that ini. An unreadable process (of another user, without the right to trace it) counts as
    /// the node's own: a second chmpx beside it would be worse than none.
    fn reads(&self, program: Program, ini: &Ini) -> bool {
        let path = match self.told(program) {
            Told::Nothing => return false,
            Told::Hidden => return true,
            Told::Path(path) => path,
        };
        let theirs = fs::read_link(self.place.join("ns/mnt")).ok();
        if theirs.is_none() || theirs == ini.namespace {
            return ini.is(&path);
        }
        // A mount namespace of its own makes no other host: an agent of a unit with a private /tmp gets a new one at each
        // start, and what the one before it has started keeps the old one. In a container the same path is another file.
        ini.is(&self.place.join("root").join(path.strip_prefix("/").unwrap_or(&path)))
    }

    /// Ini by the arguments or, without those, by the environment.
    fn told(&self, program: Program) -> Told {
        let arguments = fs::read(self.place.join("cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0);
        let is_flag = |argument: &&[u8]| argument.eq_ignore_ascii_case(b"-conf");
        let named = arguments.by_ref().find(is_flag).and_then(|_| arguments.next()).map(<[u8]>::to_vec);
        let path = match named.map_or_else(|| self.by_environment(program), Ok) {
            Ok(path) if path.is_empty() => return Told::Nothing,
            Ok(path) => PathBuf::from(OsString::from_vec(path)),
            Err(told) => return told,
        };
        if path.is_absolute() {
            return Told::Path(path);
        }
        // Relative to where it was started.
        match fs::read_link(self.place.join("cwd")) {
            Ok(directory) => Told::Path(directory.join(path)),
            Err(error) => Told::unreadable(&error),
        }
    }

    fn by_environment(&self, program: Program) -> Result<Vec<u8>, Told> {
        let key: &[u8] = match program {
            Program::Chmpx => b"CHMCONFFILE=",
            Program::K2hdkc => b"K2HDKCCONFFILE=",
        };
        let environment = fs::read(self.place.join("environ")).map_err(|error| Told::unreadable(&error))?;
        let mut entries = environment.split(|byte| *byte == 0);
        Ok(entries.find_map(|entry| entry.strip_prefix(key)).unwrap_or_default().to_vec())
    }

    /// Identity of the process; `None` for one that has gone or only waits to be reaped.
    fn identity(&self) -> Option<ProcessId> {
        let Stat { state, ticks, .. } = self.stat()?;
        (!matches!(state, b'Z' | b'X')).then_some(ProcessId { pid: self.pid, start_ticks: ticks })
    }

    fn stat(&self) -> Option<Stat> {
        parse(&fs::read(self.place.join("stat")).ok()?)
    }
}

impl Told {
    fn unreadable(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::PermissionDenied { Self::Hidden } else { Self::Nothing }
    }
}

/// The kernel keeps 15 bytes of the file's name.
fn is_named(comm: &str, program: Program, configured: &str) -> bool {
    let file = configured.rsplit('/').next().unwrap_or_default().as_bytes();
    comm == program.name() || comm.as_bytes() == &file[..file.len().min(15)]
}

/// Identity of a process; `None` for one that has gone or only waits to be reaped.
pub(in crate::supervisor) fn identity(pid: u32) -> Option<ProcessId> {
    process(pid).identity()
}

/// Identity of an own child, also of one that has ended and was not reaped yet.
pub(in crate::supervisor) fn child(pid: u32) -> ProcessId {
    ProcessId { pid, start_ticks: process(pid).stat().map_or(0, |stat| stat.ticks) }
}

/// Owner of a process.
pub(in crate::supervisor) fn owner(pid: u32) -> Option<Uid> {
    fs::metadata(process(pid).place).ok().map(|metadata| Uid::from_raw(metadata.uid()))
}

/// Control group of a process, which names its unit.
pub(in crate::supervisor) fn control_group(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    // Of several hierarchies the last one is systemd's.
    text.lines().last().and_then(|line| line.rsplit(':').next()).map(str::to_owned)
}

/// Returns true where a process is stopped by a signal (state T), as the kernel has it now.
pub(in crate::supervisor) fn is_stopped(id: ProcessId) -> bool {
    process(id.pid).stat().is_some_and(|stat| stat.ticks == id.start_ticks && stat.state == b'T')
}

/// Processor time of a process, in clock ticks.
pub(in crate::supervisor) fn worked(pid: u32) -> Option<u64> {
    process(pid).stat().map(|stat| stat.worked)
}

fn process(pid: u32) -> ProcEntry {
    ProcEntry { place: Path::new(PROC).join(pid.to_string()), pid }
}

/// Fields 3, 14 with 15, and 22 of a stat line.
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

#[cfg(test)]
mod tests;
