//! The hidden command `hold`: holds the requests to a chmpx that is continued.

use std::process::ExitCode;
use std::time::Duration;

use super::{failed, say};
use crate::problem::chain;
use crate::settings;
use crate::supervisor::ProcessId;
use crate::supervisor::freeze::{self, HOLDS};

/// Order to a holder.
#[derive(Debug, clap::Args)]
pub(super) struct Hold {
    /// The process that reads the requests
    #[arg(long)]
    pid: u32,
    /// Start of the process (field 22 of its stat in /proc): a number may be used again
    #[arg(long)]
    start_ticks: u64,
    /// The limit, before the end of the input
    #[arg(long = "for", value_name = "TIME", value_parser = settings::length)]
    limit: Duration,
}

pub(super) fn hold(order: &Hold) -> ExitCode {
    let target = ProcessId { pid: order.pid, start_ticks: order.start_ticks };
    match freeze::hold(target, order.limit, || say(HOLDS)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => failed(chain(&error)),
    }
}
