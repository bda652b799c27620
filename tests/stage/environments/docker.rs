//! The `docker` program, asked by words and with a deadline.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest time for one command, in seconds: an import on a busy disk.
const DEADLINE: &str = "120";

/// A daemon.
#[derive(Debug, Clone)]
pub struct Docker {
    socket: Option<PathBuf>,
}

impl Docker {
    /// The one that the environment names.
    pub fn of_machine() -> Self {
        Self { socket: None }
    }

    /// The one behind that socket.
    pub fn at(socket: &Path) -> Self {
        Self { socket: Some(socket.to_owned()) }
    }

    /// The socket, for `DOCKER_HOST`; `None` is the machine's usual one.
    pub fn host(&self) -> Option<String> {
        self.socket.as_ref().map(|socket| format!("unix://{}", socket.display()))
    }

    /// The command, not yet run.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", DEADLINE, "docker"]).stdin(Stdio::null());
        if let Some(host) = self.host() {
            command.args(["--host", &host]);
        }
        command.args(words);
        command
    }

    /// Runs it to its end, whatever that is; 124 where the deadline ended it.
    pub fn output<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> io::Result<Output> {
        self.command(words).output()
    }

    /// Runs it and gives what it printed, without the last line's end. Another end than success is an error.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> io::Result<String> {
        told(self.command(words).output()?)
    }

    /// Counts the events of that kind that the daemon had from that moment on, for so long: waits for the end of that time.
    pub fn events(&self, event: &str, since: SystemTime, within: Duration) -> io::Result<usize> {
        let seconds = |at: SystemTime| {
            at.duration_since(UNIX_EPOCH)
                .map(|time| format!("{:.3}", time.as_secs_f64()))
                .map_err(io::Error::other)
        };
        let (filter, until) = (format!("event={event}"), seconds(since + within)?);
        let words = ["events", "--since", &seconds(since)?, "--until", &until, "--filter", &filter];
        let told = self.run(words.into_iter().chain(["--format", "{{.Actor.ID}}"]))?;
        Ok(told.lines().count())
    }

    /// The same with something to read on its standard input.
    pub fn feed<S: AsRef<OsStr>>(
        &self,
        words: impl IntoIterator<Item = S>,
        input: &str,
    ) -> io::Result<String> {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        told(child.wait_with_output()?)
    }
}

/// Returns the output of a program, or why it failed.
pub(crate) fn told(output: Output) -> io::Result<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let Output { status, stdout, stderr } = output;
    Err(io::Error::other(format!("{status}: {} {}", text(&stdout), text(&stderr))))
}
