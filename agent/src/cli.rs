//! The command line: arguments, dispatch, and the exit codes that scripts rely on.

mod bootstrap;
mod hand_over;
mod hold;
mod look;
mod maintenance;
mod membership;
mod talk;
mod thaw;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::admin;
use crate::clock::Clock;
use crate::daemon;
use crate::ledger::Store;
use crate::lifecycle::Insistence;
use crate::log::Logging;
use crate::problem::chain;
use crate::reconcile::Reconciler;
use crate::report::Report;
use crate::settings::{self, Origin, Settings};
use crate::source::{self, AnySource};
use crate::supervisor::AnySupervisor;
use crate::wake::Reason;

/// Follows the roles of a K2HDKC cluster in K2HR3 and keeps the ini of the local chmpx and k2hdkc right.
#[derive(Debug, Parser)]
#[command(name = "k2hdkc-agent", version, about, disable_help_subcommand = true)]
#[command(
    after_help = "Exit status: 0 done; 1 it failed, was refused or is held; 64 usage or configuration."
)]
pub struct Cli {
    /// Configuration file; fragments in conf.d beside it are read after it
    /// [default: /etc/k2hdkc-agent/agent.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prefix of every path of the agent, so that several run side by side
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Log more; twice for every step
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow K2HR3 until SIGTERM. SIGHUP reads the configuration again, SIGUSR1 asks K2HR3 at once
    Run,
    /// Make one pass, print its outcome in one line, and end
    Once,
    /// Print the ini that would be installed now; change nothing
    Render,
    /// Print what would change, and what each change takes; status 1 if anything would
    Diff,
    /// Examine an ini by chmpx's rules; print every problem with its line
    Check {
        /// The file, or - for standard input [default: the installed one]
        file: Option<PathBuf>,
    },
    /// Print the state of the agent and of its node; status 1 if the operator should look
    Status {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Register this node in its role, and wait until K2HR3 shows it. `run` does so by itself
    Join {
        /// Time for all attempts: seconds, or a number with ms, s, m or h
        #[arg(long, value_name = "TIME", default_value = "5m", value_parser = settings::length)]
        timeout: Duration,
    },
    /// Take this node out of the cluster for good, for a VM that will be destroyed; never for a reboot. The others copy
    /// its keys, k2hdkc and chmpx stop, and K2HR3 removes it from its role. The agent goes on with it after this
    /// command ends
    Leave {
        /// Longest wait: seconds, or a number with ms, s, m or h
        #[arg(long, value_name = "TIME", default_value = "30m", value_parser = settings::length)]
        timeout: Duration,
        /// Leave without waiting for the keys to be copied, and past every obstacle: keys without another copy are lost
        #[arg(long)]
        force: bool,
        /// Leave also where the change stops the ring for longer than merge.longest-stop
        #[arg(long)]
        confirmed: bool,
    },
    /// Stop chmpx and k2hdkc of this node for maintenance, until `start`, also over reboots. The node stays a member of
    /// its role, and others answer for the keys of a server
    Stop {
        /// Longest wait: seconds, or a number with ms, s, m or h
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = settings::length)]
        timeout: Duration,
        /// Stop at once and past every obstacle: keys without another copy cannot be read meanwhile
        #[arg(long)]
        force: bool,
    },
    /// Start both programs after `stop`, or cancel a stop
    Start {
        /// Longest wait: seconds, or a number with ms, s, m or h
        #[arg(long, value_name = "TIME", default_value = "5m", value_parser = settings::length)]
        timeout: Duration,
    },
    /// Set this host up as K2HR3 wants it: its user, packages and units by the keys of the role's resource, and then
    /// the agent. Finished steps are not repeated, so it may be run again at any time
    Bootstrap {
        /// Time for K2HR3 to answer, and for failed steps to be retried: seconds, or a number with ms, s, m or h
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = settings::length)]
        timeout: Duration,
    },
    /// Continue a frozen process at its limit: the watchdog of a freeze, which the agent starts
    #[command(hide = true)]
    Thaw(thaw::Thaw),
    /// Hold the requests to a process that is continued, until the end of the input: the agent starts it
    #[command(hide = true)]
    Hold(hold::Hold),
    /// Give the merges of this server back to its chmpx: the package does so before its removal
    #[command(hide = true)]
    HandOver,
    /// Release what is held: a loss of servers, a newcomer or a leave that stops the ring for too long, a ring that was rolled back
    Confirm {
        /// Name of what is held, as status shows it, to release nothing else; "leave" for the leave of this server
        id: Option<String>,
    },
}

impl Command {
    /// Returns true where the command asks the running agent, which may have a better configuration than the files.
    fn asks_the_agent(&self) -> bool {
        use Command::{Confirm, Join, Leave, Start, Status, Stop};
        matches!(
            self,
            Status { .. } | Confirm { .. } | Join { .. } | Leave { .. } | Stop { .. } | Start { .. }
        )
    }
}

/// Exit status for wrong usage and wrong configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let wrong = error.use_stderr();
            // No report is possible where even that fails.
            let _ = error.print();
            return if wrong { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    // Both must work whatever becomes of the configuration.
    match &cli.command {
        Command::Thaw(order) => return thaw::thaw(order),
        Command::Hold(order) => return hold::hold(order),
        _ => {}
    }
    let origin = Origin { config: cli.config, root: cli.root };
    let (settings, faults) = settings::load_what_is_good(&origin);
    for fault in &faults.list {
        complain(format_args!("configuration: {fault}"));
    }
    let is_good = faults.list.is_empty();
    // systemd starts the agent again where that may be over by then.
    let wrong = if faults.may_pass { ExitCode::FAILURE } else { ExitCode::from(USAGE) };
    if !is_good && !cli.command.asks_the_agent() {
        return wrong;
    }
    let logging = Logging::start(settings.log, cli.verbose);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(format_args!("cannot start: {error}")),
    };
    let code = if is_good || runtime.block_on(admin::answers(&settings.state.runtime_directory)) {
        runtime.block_on(dispatch(cli.command, origin, settings, logging))
    } else {
        wrong
    };
    // A name look-up that hangs in its thread must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

async fn dispatch(command: Command, origin: Origin, settings: Settings, logging: Logging) -> ExitCode {
    match command {
        Command::Run => match Box::pin(daemon::run(origin, settings, logging)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(chain(&error)),
        },
        Command::Once => Box::pin(once(settings)).await,
        Command::Render => Box::pin(look::render(settings)).await,
        Command::Diff => Box::pin(look::diff(settings)).await,
        Command::Check { file } => look::check(file.as_deref(), &settings),
        Command::Status { json } => talk::status(&settings, json).await,
        Command::Join { timeout } => membership::join(&settings, timeout).await,
        Command::Leave { timeout, force, confirmed } => {
            membership::leave(&settings, timeout, Insistence { force, confirmed }).await
        }
        Command::Stop { timeout, force } => maintenance::stop(&settings, timeout, force).await,
        Command::Start { timeout } => maintenance::start(&settings, timeout).await,
        Command::Bootstrap { timeout } => {
            let root = origin.root.unwrap_or_else(|| PathBuf::from("/"));
            Box::pin(bootstrap::bootstrap(&settings, &root, timeout)).await
        }
        Command::Confirm { id } => talk::confirm(&settings, id).await,
        Command::HandOver => Box::pin(hand_over::hand_over(settings)).await,
        Command::Thaw(order) => thaw::watch(&order).await,
        Command::Hold(order) => hold::hold(&order),
    }
}

async fn once(settings: Settings) -> ExitCode {
    let store = match Store::open(&settings.state.directory, settings.ini.keep) {
        Ok(store) => store,
        Err(error) => return failed(chain(&error)),
    };
    if let Some(complaint) = &store.complaint {
        complain(complaint);
    }
    let answered = source::put(&mut AnySource::new(&settings), &settings.k2hr3).await;
    let supervisor = AnySupervisor::onlooker(&settings, store.ledger().picked);
    let mut reconciler = Reconciler::new(settings, supervisor, store, false, Clock::of_host());
    reported(&reconciler.pass(Reason::Command.into(), Some(answered)).await)
}

/// Prints a success on standard output, a failure on standard error.
fn reported(report: &Report) -> ExitCode {
    report.left_out.iter().for_each(|member| complain(format_args!("left out: {member}")));
    report.notes.iter().for_each(complain);
    if !report.outcome.is_good() {
        return failed(report.line());
    }
    say(report.line());
    match &report.step {
        Some(Ok(text)) => {
            say(text);
            ExitCode::SUCCESS
        }
        Some(Err(text)) => failed(text),
        None => ExitCode::SUCCESS,
    }
}

/// Prints a line. A reader that closed standard output does not want it.
fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{}", text.to_string().trim_end_matches('\n'));
}

fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "k2hdkc-agent: {text}");
}

fn failed(text: impl Display) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}
