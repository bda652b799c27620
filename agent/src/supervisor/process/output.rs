//! Copies the output of the programs to the agent's log.
//!
//! Through a named pipe that the program itself holds open in both directions and without waiting: it can neither break
//! when the agent ends nor fill up and stop chmpx, and the next agent finds in it what was said meanwhile (up to 64 kB).

mod lines;

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};
use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use crate::log::Loudness;
use crate::problem::printable;
use crate::repeats::{self, Repeats};
use crate::supervisor::Program;
use lines::{Flow, LONGEST, Lines, MOST_LINES};

/// Pauses before a pipe that failed is opened again.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// Bytes of one read: a whole pipe.
const AT_ONCE: usize = 64 * 1024;
/// Pause between two reads in a flood; output in between may be lost.
const IN_A_FLOOD: Duration = Duration::from_millis(100);

/// Output that is being read, until this is dropped.
#[derive(Debug)]
pub(super) struct Output {
    program: Program,
    _reader: JoinSet<()>,
    started: Arc<Notify>,
}

impl Output {
    /// Logs what the program says from now on, or from when its pipe can be had.
    pub(super) fn read(directory: &Path, program: Program) -> Self {
        let (mut reader, started) = (JoinSet::new(), Arc::new(Notify::new()));
        reader.spawn(read_on(path(directory, program), program, Arc::clone(&started)));
        Self { program, _reader: reader, started }
    }

    /// The program was started: somebody may have removed the pipe before, and it has a new one.
    pub(super) fn started(&self, program: Program) {
        if self.program == program {
            self.started.notify_one();
        }
    }
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
    opened
        .map_err(|error| warn!(%error, path = %path.display(), "the output of a program is not logged"))
        .ok()
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

/// Opens the pipe again and again. A fault is told once, and so is its end.
async fn read_on(path: PathBuf, program: Program, started: Arc<Notify>) {
    let (mut pause, mut told) = (LEAST_PAUSE, None);
    loop {
        let mut reader = Reader::new(program);
        let opened =
            make(&path).and_then(|()| pipe::OpenOptions::new().read_write(true).open_receiver(&path));
        let error = match opened {
            Ok(receiver) => {
                if told.take().is_some() {
                    info!(program = program.name(), "the output is logged again");
                }
                let begun = Instant::now();
                let Err(error) = reader.log(&receiver, &path, &started).await else { continue };
                if begun.elapsed() > MOST_PAUSE {
                    pause = LEAST_PAUSE;
                }
                error
            }
            Err(error) => error,
        };
        let text = error.to_string();
        if told.as_ref() != Some(&text) {
            warn!(error = text, path = %path.display(), "the output of {} is not logged", program.name());
            told = Some(text);
        }
        sleep(pause).await;
        pause = (2 * pause).min(MOST_PAUSE);
    }
}

struct Reader {
    program: Program,
    lines: Lines,
    repeats: Repeats<Loudness>,
    flow: Flow,
    /// True if one read brought more lines than a window logs.
    crowded: bool,
}

/// Logs the pending counts, however the reading ends.
impl Drop for Reader {
    fn drop(&mut self) {
        self.tell_all();
    }
}

impl Reader {
    fn new(program: Program) -> Self {
        let flow = Flow::new(Instant::now());
        Self { program, lines: Lines::default(), repeats: Repeats::default(), flow, crowded: false }
    }

    /// Logs until the path has another pipe. Its own end makes sure that there is always a writer, and no end.
    async fn log(&mut self, receiver: &pipe::Receiver, path: &Path, started: &Notify) -> io::Result<()> {
        let mut bytes = vec![0; AT_ONCE];
        loop {
            let told_at = self.flow.told_at().into_iter().chain(self.repeats.due()).min();
            tokio::select! {
                ready = receiver.readable() => {
                    ready?;
                    self.take(receiver, &mut bytes)?;
                }
                () = started.notified() => {
                    if is_another(receiver, path) {
                        // The one that wrote to it has ended, so there is no more than this. The runtime may not have
                        // noticed it yet, and then reads nothing.
                        let length = nix::unistd::read(receiver, &mut bytes).unwrap_or_default();
                        self.hear(&bytes[..length]);
                        self.hear(b"\n");
                        return Ok(());
                    }
                    // What another process says is news again.
                    self.tell_all();
                }
                () = sleep_until(told_at.unwrap_or_else(Instant::now)), if told_at.is_some() => self.tell_more(),
            }
            if self.flow.is_over() || self.crowded {
                sleep(IN_A_FLOOD).await;
            }
        }
    }

    fn take(&mut self, receiver: &pipe::Receiver, bytes: &mut [u8]) -> io::Result<()> {
        let length = match receiver.try_read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.hear(&bytes[..length]);
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        self.tell_more();
        let mut heard = 0;
        let Self { program, lines, repeats, flow, .. } = self;
        lines.take(bytes, |line, cut| {
            heard += 1;
            let Some((text, loudness)) = read(line, cut) else { return };
            if repeats.hear(&repeats::kind(&text), &text, loudness, now) && flow.lets_pass(now) {
                say(*program, &text, loudness);
            }
        });
        self.crowded = heard > MOST_LINES;
    }

    /// Tells what is due of what was not copied.
    fn tell_more(&mut self) {
        let now = Instant::now();
        for count in self.repeats.counted(now) {
            say(self.program, &count.text, count.tag);
        }
        if self.flow.told_at().is_some_and(|at| at <= now) {
            self.tell_flood(now);
        }
    }

    fn tell_all(&mut self) {
        let now = Instant::now();
        for count in self.repeats.end(now) {
            say(self.program, &count.text, count.tag);
        }
        self.tell_flood(now);
    }

    fn tell_flood(&mut self, now: Instant) {
        let more = self.flow.begin(now);
        if more > 0 {
            info!(program = self.program.name(), more, "further lines were not logged");
        }
    }
}

/// True if another pipe has taken the place of this one.
fn is_another(receiver: &pipe::Receiver, path: &Path) -> bool {
    let Ok(present) = path.symlink_metadata() else { return false };
    fstat(receiver).is_ok_and(|own| (own.st_dev, own.st_ino) != (present.dev(), present.ino()))
}

/// A line as it is logged, and the level that the program itself gave it. What is no text, or would move a terminal's cursor,
/// is escaped.
fn read(line: &[u8], cut: bool) -> Option<(String, Loudness)> {
    let text = String::from_utf8_lossy(line);
    let mut text = printable(text.trim_end(), LONGEST);
    let loudness = match &*text {
        "" => return None,
        _ if text.contains("-ERR]") || text.starts_with("ERROR") => Loudness::Warn,
        _ if text.contains("-WAN]") => Loudness::Info,
        _ => Loudness::Debug,
    };
    if cut {
        text.push('…');
    }
    Some((text, loudness))
}

fn say(program: Program, text: &str, loudness: Loudness) {
    let program = program.name();
    match loudness {
        Loudness::Warn => warn!(program, "{text}"),
        Loudness::Info => info!(program, "{text}"),
        Loudness::Debug => debug!(program, "{text}"),
    }
}

#[cfg(test)]
mod tests;
