//! `--real`, from outside: the whole sandbox runs once more, in a network, mount, IPC and process namespace of its own, so
//! that the host sees none of its networks, mounts and queues, and nothing of it outlives the end of its first process.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use super::End;
use super::census;
use super::options::Options;
use super::programs::Programs;

/// Runs it inside, and cleans up. The nodes' directories are below `home`.
pub(super) async fn run<F: Future<Output = ()>>(
    options: &Options,
    agent: &Path,
    home: &Path,
    interrupted: impl Fn() -> F,
) -> io::Result<End> {
    let programs = Programs::find()?;
    let mut command = Command::new(&programs.unshare);
    command.args([
        "--net",
        "--mount",
        "--ipc",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--propagation",
        "private",
    ]);
    command.arg("--").arg(std::env::current_exe()?).args(options.as_hub(home));
    command.env("K2HDKC_AGENT", agent).stdin(Stdio::inherit()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = interrupted() => {
            ask_to_end(&child);
            child.wait().await?
        }
    };
    Ok(end(status))
}

/// unshare itself does not pass signals on. A Ctrl-C of the terminal reaches both, and twice does no harm.
fn ask_to_end(unshare: &Child) {
    let Some(pid) = unshare.id() else { return };
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        // It may have ended meanwhile.
        let _ = census::signal(child, Signal::SIGTERM);
    }
}

fn end(status: ExitStatus) -> End {
    match status.code() {
        Some(0) => End::Good,
        Some(130) => End::Interrupted,
        Some(_) | None => End::Failed,
    }
}
