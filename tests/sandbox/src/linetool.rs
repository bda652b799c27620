//! A running `k2hdkclinetool -perm`: a line in, the lines of its answer out. It echoes every command behind `> `, says
//! nothing where a `set` went well, and `[ERR]` on stderr where something did not; so an `echo` after each command tells
//! where its answer ends.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::handle::Fault;

/// The ring gives up after RWTIMEOUT x RETRYCNT, some nine seconds.
const PATIENCE: Duration = Duration::from_secs(25);
/// The command that is echoed after each other one.
const END: &str = ".end";

/// The tool. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct LineTool {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl LineTool {
    /// Starts it by these words.
    pub(super) fn start(words: &[OsString]) -> io::Result<Self> {
        let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn()?;
        // The writing ends that the command keeps would hide the end of the tool.
        drop(command);
        let stdin = child.stdin.take().ok_or_else(|| io::Error::other("no standard input"))?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, stdin, lines })
    }

    /// Sets a key.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        let said = self.ask(&format!("set {key} {value}"))?;
        match trouble(&said) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// The value of a key, if it has one.
    pub(super) fn get(&mut self, key: &str) -> Result<Option<String>, Fault> {
        let said = self.ask(&format!("print {key}"))?;
        match (printed(&said, key), trouble(&said)) {
            (Some(value), _) => {
                Ok(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).map(str::to_owned))
            }
            (None, Some(fault)) => Err(fault),
            (None, None) => Err(Fault::Passing(format!("no answer but {said:?}"))),
        }
    }

    fn ask(&mut self, line: &str) -> Result<Vec<String>, Fault> {
        let sent = self
            .stdin
            .write_all(format!("{line}\necho {END}\n").as_bytes())
            .and_then(|()| self.stdin.flush());
        sent.map_err(|error| Fault::Broken(format!("k2hdkclinetool has ended: {error}")))?;
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.trim() == END => return Ok(said),
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Fault::Broken(format!("k2hdkclinetool said nothing within {PATIENCE:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Fault::Broken("k2hdkclinetool has ended".to_owned()));
                }
            }
        }
    }
}

impl Drop for LineTool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds what was printed for a key: its value in quotes, or words without where it has none.
fn printed<'a>(said: &'a [String], key: &str) -> Option<&'a str> {
    let start = format!("\"{key}\" => ");
    said.iter().find_map(|line| Some(line.split_once(&start)?.1))
}

/// Finds what went wrong. A handle whose chmpx has ended says NORESTYPE to everything from then on, and so does one whose
/// request found no server in time; only the next try tells.
fn trouble(said: &[String]) -> Option<Fault> {
    let errors: Vec<_> =
        said.iter().filter(|line| line.contains("[ERR]")).map(|line| line.trim().to_owned()).collect();
    (!errors.is_empty()).then(|| Fault::Passing(errors.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn answers_of_the_tool_are_read_as_it_words_them() {
        let said = lines("> print a/1\n\"a/1\" => \"a/1#2\"");
        assert_eq!(printed(&said, "a/1"), Some("\"a/1#2\""));
        assert_eq!(printed(&lines("\"a\" => value is not found"), "a"), Some("value is not found"));
        assert_eq!(printed(&lines("\"b\" => \"1\""), "a"), None);
        let failed = lines(
            "[ERR] RESULT CODE(DKC_RES_NORESTYPE - DKC_RES_SUBCODE_NORESTYPE)\n[ERR] Something error occurred.",
        );
        assert!(trouble(&failed).is_some_and(|fault| fault.text().contains("NORESTYPE")));
        assert_eq!(trouble(&said), None);
    }
}
