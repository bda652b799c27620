//! Runs `chmpxstatus`, which reads the shared memory of the local chmpx. It makes no connection, and so cannot make
//! chmpx swallow a reload: on a slave it is the way to look. What it prints is for [`crate::chmpx_state`] to read.
//!
//! The program parses the ini only to find the shared memory, and takes some 40 ms.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;
use tokio::time::timeout;

use crate::clock::spoken;
use crate::problem::printable;

/// Reason why `chmpxstatus` gave no status.
#[derive(Debug, Error)]
pub(crate) enum ChmpxStatusError {
    /// The program is not there.
    #[error("{program} is not installed")]
    NotInstalled {
        /// Path of the program.
        program: PathBuf,
    },
    /// The program is there and cannot be run.
    #[error("cannot run {program}")]
    NotStarted {
        /// Path of the program.
        program: PathBuf,
        /// Error of the system call.
        #[source]
        source: io::Error,
    },
    /// Exit code 1: no chmpx runs on this file, or the file cannot be read.
    #[error("no chmpx runs on {file}{}", quoted(said))]
    NotRunning {
        /// The ini file.
        file: PathBuf,
        /// Output of the program.
        said: String,
    },
    /// The program ended in another way.
    #[error("{program} failed ({status}){}", quoted(said))]
    Failed {
        /// Path of the program.
        program: PathBuf,
        /// Status that the program ended with.
        status: ExitStatus,
        /// Output of the program.
        said: String,
    },
    /// The program exceeded the deadline and was killed.
    #[error("{program} was not through within {}", spoken(*within))]
    TimedOut {
        /// Path of the program.
        program: PathBuf,
        /// Deadline.
        within: Duration,
    },
}

/// Longest piece of its words in a message.
const SHOWN: usize = 200;

/// Runs `<program> -conf <file>` and returns its output. `environment` is its whole environment: variables of chmpx in the
/// settings (`CHMDBGMODE`, a library path) matter to it as well.
///
/// # Errors
///
/// The program is missing, cannot be run, exceeds the deadline, or finds no running chmpx.
pub(crate) async fn ask(
    program: &Path,
    file: &Path,
    environment: &[(OsString, OsString)],
    deadline: Duration,
) -> Result<String, ChmpxStatusError> {
    let mut command = Command::new(program);
    command.arg("-conf").arg(file).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(deadline, command.output()).await {
        Err(_) => return Err(ChmpxStatusError::TimedOut { program: program.to_owned(), within: deadline }),
        Ok(output) => output.map_err(|source| not_started(program, source))?,
    };
    if output.status.success() {
        return Ok(text(output.stdout));
    }
    let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
    let said = printable(text(said).trim(), SHOWN);
    Err(match output.status.code() {
        Some(1) => ChmpxStatusError::NotRunning { file: file.to_owned(), said },
        _ => ChmpxStatusError::Failed { program: program.to_owned(), status: output.status, said },
    })
}

fn not_started(program: &Path, source: io::Error) -> ChmpxStatusError {
    let program = program.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => ChmpxStatusError::NotInstalled { program },
        _ => ChmpxStatusError::NotStarted { program, source },
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use tempfile::TempDir;

    use super::*;
    use crate::chmpx_state::{self, recorded};
    use crate::{file, fixtures};

    const LONG: Duration = Duration::from_secs(10);

    struct Script {
        dir: TempDir,
    }

    impl Script {
        fn new(body: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let script = Self { dir };
            fixtures::script(&script.program(), &format!("#!/bin/sh\n{body}\n"), 0o700);
            script
        }

        fn program(&self) -> PathBuf {
            self.dir.path().join("chmpxstatus")
        }

        async fn ask(&self) -> Result<String, ChmpxStatusError> {
            let environment = [(OsString::from("CHMDBGMODE"), OsString::from("ERR"))];
            ask(&self.program(), Path::new("/etc/a file.ini"), &environment, LONG).await
        }
    }

    fn run<T, F: Future<Output = T>>(paused: bool, test: impl FnOnce() -> F) -> T {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(paused).build().unwrap();
        runtime.block_on(test())
    }

    fn asked(body: &str) -> Result<String, ChmpxStatusError> {
        run(false, || async { Script::new(body).ask().await })
    }

    #[test]
    fn it_returns_what_the_program_prints() {
        let dir = tempfile::tempdir().unwrap();
        let recording = dir.path().join("answer");
        file::store(&recording, recorded::CHMPXSTATUS_IN_SERVICE.as_bytes()).unwrap();
        let printed = asked(&format!("exec cat {}", recording.display())).unwrap();
        assert_eq!(
            chmpx_state::chmpxstatus(&printed),
            chmpx_state::chmpxstatus(recorded::CHMPXSTATUS_IN_SERVICE)
        );
    }

    #[test]
    fn the_program_gets_its_arguments_whole_and_nothing_else() {
        let printed =
            asked("for word in \"$@\"; do echo \"<$word>\"; done; echo \"$HOME$CHMDBGMODE\"; cat").unwrap();
        assert_eq!(printed, "<-conf>\n</etc/a file.ini>\nERR\n");
    }

    #[test]
    fn exit_code_1_means_that_no_chmpx_runs() {
        let error = asked("echo noise; echo 'Could not open chmpx' >&2; exit 1").unwrap_err();
        assert!(matches!(error, ChmpxStatusError::NotRunning { .. }), "{error}");
        assert_eq!(error.to_string(), "no chmpx runs on /etc/a file.ini: Could not open chmpx");
        assert_eq!(asked("exit 1").unwrap_err().to_string(), "no chmpx runs on /etc/a file.ini");
    }

    #[test]
    fn any_other_end_is_a_failure_with_its_words() {
        let error = asked("echo out; exit 3").unwrap_err();
        assert!(error.to_string().ends_with("chmpxstatus failed (exit status: 3): out"), "{error}");
        let error = asked("kill -9 $$").unwrap_err();
        assert!(error.to_string().contains("failed (signal: 9"), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_or_not_to_be_run_is_told_apart() {
        let missing = Path::new("/nonexistent/chmpxstatus");
        let error = run(false, || ask(missing, Path::new("/x.ini"), &[], LONG)).unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent/chmpxstatus is not installed");
        let error = run(false, || async {
            let script = Script::new("");
            fixtures::script(&script.program(), "", 0o600);
            script.ask().await.unwrap_err()
        });
        assert!(matches!(error, ChmpxStatusError::NotStarted { .. }), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_given_up_at_the_deadline() {
        let error = run(true, || async { Script::new("exec sleep 600").ask().await.unwrap_err() });
        assert!(error.to_string().ends_with("chmpxstatus was not through within 10.0 s"), "{error}");
    }

    #[test]
    fn a_program_that_nobody_waits_for_any_more_is_killed() {
        let gone = run(false, || async {
            let script = Script::new("echo $$ > \"$0.pid\"; exec sleep 600");
            let pid_file = script.dir.path().join("chmpxstatus.pid");
            let pid = tokio::select! {
                answer = script.ask() => panic!("{answer:?}"),
                pid = written(&pid_file) => pid,
            };
            timeout(LONG, ended(&pid)).await
        });
        assert_eq!(gone, Ok(()));
    }

    async fn written(path: &Path) -> String {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    }

    async fn ended(pid: &str) {
        let stat = format!("/proc/{pid}/stat");
        while std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }
}
