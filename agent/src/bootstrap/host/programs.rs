//! Programs of the host: looked up in fixed directories, run with a fixed environment and a deadline.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::HostError;
use crate::bootstrap::Step;
use crate::problem::printable;

/// Directories of programs, below the agent's root, and the PATH that a program gets.
const PATH: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Deadline of a query.
const QUERY_WITHIN: Duration = Duration::from_secs(30);
/// Deadline of a step: a mirror may be slow, and another program may hold the package manager's lock.
pub(super) const STEP_WITHIN: Duration = Duration::from_secs(900);
/// Longest piece of a program's output in an error.
const SHOWN: usize = 300;

/// The programs below one root.
#[derive(Debug)]
pub(super) struct Programs {
    root: PathBuf,
}

impl Programs {
    /// The programs below that root.
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Path of a program, if the host has it.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let below = |directory: &str| self.root.join(directory.trim_start_matches('/')).join(name);
        PATH.into_iter().map(below).find(|path| path.is_file())
    }

    /// Path of a program that a step needs.
    ///
    /// # Errors
    ///
    /// [`HostError::NoProgram`] if the host lacks it.
    pub(super) fn need(&self, step: &Step, name: &'static str) -> Result<PathBuf, HostError> {
        self.find(name).ok_or_else(|| HostError::NoProgram { step: step.to_string(), programs: name })
    }

    /// Output of a query; `None` if the program is missing, fails or exceeds its deadline.
    pub(super) async fn answer(&self, name: &str, words: &[&str]) -> Option<String> {
        let program = self.find(name)?;
        match timeout(QUERY_WITHIN, command(&program, words).output()).await {
            Ok(Ok(output)) if output.status.success() => {
                Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        }
    }

    /// True if a query succeeds.
    pub(super) async fn confirms(&self, name: &str, words: &[&str]) -> bool {
        self.answer(name, words).await.is_some()
    }
}

/// Runs the program of a step to its end.
///
/// # Errors
///
/// The program does not start, exceeds the deadline, or ends with another status than 0.
pub(super) async fn run(step: &Step, program: &Path, words: &[&str]) -> Result<(), HostError> {
    let output = match timeout(STEP_WITHIN, command(program, words).output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => return Err(HostError::Spawn { program: program.to_owned(), source }),
        Err(_) => return Err(HostError::Late { step: step.to_string(), program: program.to_owned() }),
    };
    if output.status.success() {
        return Ok(());
    }
    let (step, program, said) = (step.to_string(), program.to_owned(), last_line(&output));
    Err(HostError::Failed { step, program, status: output.status, said })
}

fn command(program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).env_clear().env("PATH", PATH.join(":")).env("LC_ALL", "C");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("HOME", "/root");
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Last line of the output: programs give the cause there.
fn last_line(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
    printable(last.trim(), SHOWN)
}
