//! The hidden command `thaw`: the watchdog of a freeze.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{complain, failed, say};
use crate::problem::chain;
use crate::settings;
use crate::supervisor::ProcessId;
use crate::supervisor::freeze::{self, AtLimit, WATCHES, Watched};

/// Order to a watchdog.
#[derive(Debug, clap::Args)]
pub(super) struct Thaw {
    /// The frozen process
    #[arg(long)]
    pid: u32,
    /// Start of the process (field 22 of its stat in /proc): a number may be used again
    #[arg(long)]
    start_ticks: u64,
    /// The limit of the freeze
    #[arg(long, value_name = "TIME", value_parser = settings::length)]
    after: Duration,
    /// Kills the process at the limit instead of continuing it
    #[arg(long)]
    kill: bool,
    /// The file that names this watchdog
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
}

/// Watches in a runtime of its own.
pub(super) fn thaw(order: &Thaw) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(watch(order)),
        Err(error) => failed(format_args!("cannot watch process {}: {error}", order.pid)),
    }
}

pub(super) async fn watch(order: &Thaw) -> ExitCode {
    let Thaw { pid, start_ticks, after, kill, record } = order;
    let target = ProcessId { pid: *pid, start_ticks: *start_ticks };
    let at_limit = if *kill { AtLimit::Kill } else { AtLimit::Continue };
    match freeze::watch(target, (*after, at_limit), record, || say(WATCHES)).await {
        Ok(Watched::Limit(AtLimit::Continue)) => {
            complain(format_args!("process {pid} was frozen for too long, and was continued"));
        }
        Ok(Watched::Limit(AtLimit::Kill)) => {
            complain(format_args!(
                "process {pid} was frozen for too long, and was killed: its list of servers is old"
            ));
        }
        Ok(Watched::Told) => {
            complain(format_args!("process {pid} was continued, since its watchdog was told to end"));
        }
        Ok(Watched::Gone) => {}
        Err(error) => return failed(chain(&error)),
    }
    ExitCode::SUCCESS
}
