//! What the programs say, in the agent's log.
//!
//! Through a named pipe that the program itself holds open in both directions and without waiting: it can neither break
//! when the agent ends nor fill up and stop chmpx, and the next agent finds in it what was said meanwhile (up to 64 kB).

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};
use tracing::{debug, info, warn};

use crate::target::Program;

/// Lines of one program that are logged within [`WINDOW`]; what is above is counted.
const MOST_LINES: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);
/// Bytes of one line that are logged.
const LONGEST: usize = 2000;

/// Output that is being read, until this is dropped.
#[derive(Debug)]
pub(super) struct Output {
    _reader: JoinSet<()>,
}

fn path(directory: &Path, program: Program) -> PathBuf {
    directory.join(format!("{}.output", program.name()))
}

/// The end that a program writes to; `None`, and a warning, where no pipe can be had.
pub(super) fn writer(directory: &Path, program: Program) -> Option<File> {
    let path = path(directory, program);
    let nonblocking = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let opened = make(&path)
        .and_then(|()| File::options().read(true).write(true).custom_flags(nonblocking.bits()).open(&path));
    opened.map_err(|error| warn!(%error, path = %path.display(), "its output is not logged")).ok()
}

/// Starts to log what the program says.
pub(super) fn read(directory: &Path, program: Program) -> Option<Output> {
    let path = path(directory, program);
    let opened = make(&path).and_then(|()| pipe::OpenOptions::new().read_write(true).open_receiver(&path));
    let receiver =
        opened.map_err(|error| warn!(%error, path = %path.display(), "no output is logged")).ok()?;
    let mut reader = JoinSet::new();
    reader.spawn(log_lines(receiver, program));
    Some(Output { _reader: reader })
}

fn make(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.file_type().is_fifo() => Ok(()),
        Ok(_) => Err(io::Error::other("it is no pipe")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600))?)
        }
        Err(error) => Err(error),
    }
}

async fn log_lines(receiver: pipe::Receiver, program: Program) {
    let mut reader = BufReader::new(receiver);
    let (mut line, mut begun, mut lines) = (Vec::new(), Instant::now(), 0_u32);
    loop {
        line.clear();
        // The pipe has always a writer, the agent itself, so there is no end of it.
        if (&mut reader).take(LONGEST as u64).read_until(b'\n', &mut line).await.is_err() {
            return;
        }
        if begun.elapsed() > WINDOW {
            if lines > MOST_LINES {
                info!(program = program.name(), more = lines - MOST_LINES, "further lines are not logged");
            }
            (begun, lines) = (Instant::now(), 0);
        }
        lines += 1;
        if lines <= MOST_LINES {
            log(program.name(), &line);
        }
    }
}

/// At the level that the program itself gave the line.
fn log(program: &str, line: &[u8]) {
    let text = String::from_utf8_lossy(&line[..line.len().min(LONGEST)]);
    let text = text.trim_end();
    match text {
        "" => {}
        _ if text.contains("-ERR]") || text.starts_with("ERROR") => warn!(program, "{text}"),
        _ if text.contains("-WAN]") => info!(program, "{text}"),
        _ => debug!(program, "{text}"),
    }
}
