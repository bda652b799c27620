//! The agent's side of a holder of requests, see [`super::requests`].

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use super::Freezer;
use super::requests::{HOLDS, HoldError};
use crate::supervisor::ProcessId;

/// Time for a holder to confirm that it holds: programs wait meanwhile. It takes some milliseconds on an idle host.
const HOLDS_WITHIN: Duration = Duration::from_millis(500);

/// A process that holds the requests to another one, until this is dropped or its limit is over.
#[derive(Debug)]
pub struct Holder {
    /// The holder releases what it holds at the end of its input.
    _input: ChildStdin,
}

impl Freezer {
    /// Starts a holder of the requests to a process that stands still.
    ///
    /// # Errors
    ///
    /// The holder did not start, or has not confirmed in time that it holds. Then nothing is held.
    pub async fn hold(&self, id: ProcessId, limit: Duration) -> Result<Holder, HoldError> {
        let failed = |source| HoldError::Refused { pid: id.pid, source };
        let mut child = self.holder(id, limit).spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let mut line = String::new();
        match timeout(HOLDS_WITHIN, BufReader::new(output).read_line(&mut line)).await {
            Ok(Ok(_)) if line.trim_end() == HOLDS => Ok(Holder { _input: input }),
            Ok(Err(source)) => Err(failed(source)),
            Ok(Ok(_)) => Err(failed(io::Error::other("it has ended"))),
            Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
        }
    }

    fn holder(&self, id: ProcessId, limit: Duration) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("hold").arg("--pid").arg(id.pid.to_string());
        command.arg("--start-ticks").arg(id.start_ticks.to_string());
        command.arg("--for").arg(format!("{}ms", limit.as_millis()));
        command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }
}
