//! A node of the sandbox: its directory, its real agent, and what is seen of it and of its chmpx.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use k2hdkc_agent::admin::{self, Command, Request, Response};
use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_agent::process_status::{ProcessStatus, State};
use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::status::Status;
use tokio::time::{sleep, timeout};

use super::census;
use super::ground::Seat;
use super::news::{News, Teller};
use super::ring::Looks;
use super::sightings::{Sighting, Sightings};
use k2hdkc_simulators::node::Node;

/// Longest time for one status.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at a status that is waited for.
const LOOK: Duration = Duration::from_millis(25);
/// Longest time from SIGTERM to the end of an agent: k2hdkc, half a second, chmpx, each with its own deadline.
const STOP_WITHIN: Duration = Duration::from_secs(50);
/// The settings of a node that is to take its processes with it.
const STOPS: &str = "[supervisor]\non-exit = \"stop\"\n";
/// The lines of a log that a failure shows.
const LOG_LINES: usize = 8;

/// A node, with its agent or without.
#[derive(Debug)]
pub(super) struct Member {
    /// `server-1`: the name of its directory, and its CUK.
    pub name: String,
    /// Server or slave.
    pub mode: Mode,
    /// The directory and agent.
    pub node: Node,
    /// The address.
    pub address: Ipv4Addr,
    /// The ways into it.
    pub seat: Seat,
    /// The observed states of its ini.
    pub sightings: Sightings,
    /// The observed states of its chmpx.
    pub looks: Looks,
    news: Teller,
}

impl Member {
    /// A node that was laid out; its agent does not run yet.
    pub(super) fn new(
        name: String,
        mode: Mode,
        address: Ipv4Addr,
        node: Node,
        seat: Seat,
        news: Teller,
    ) -> io::Result<Self> {
        let (told, of) = (news.clone(), name.clone());
        let tell = move |sighting: &Sighting| {
            let shown = sighting.shown.clone();
            told.tell(News::File { of: of.clone(), shown });
        };
        let sightings = Sightings::start(node.ini(), tell)?;
        let looks = Looks::start(seat.eye.clone());
        let came =
            News::Came { name: name.clone(), mode, runtime: runtime(&node), glimpses: looks.subscribe() };
        news.tell(came);
        Ok(Self { name, mode, node, address, seat, sightings, looks, news })
    }

    /// FILEVERSION of its file, if it has one that loads.
    pub(super) fn fileversion(&self) -> Option<u32> {
        match self.sightings.last().map(|sighting| sighting.shown) {
            Some(Ok(shown)) => Some(shown.fileversion),
            Some(Err(_)) | None => None,
        }
    }

    /// CUSTOM_ID_SEED.
    pub(super) fn seed(&self) -> String {
        format!("{}.sandbox", self.name)
    }

    /// The directory of its agent's socket.
    pub(super) fn agent(&self) -> Agent {
        Agent { runtime: runtime(&self.node) }
    }

    /// Ends the agent with SIGTERM; an error where it did not end, or not with success.
    pub(super) async fn stop(&mut self) -> io::Result<()> {
        self.node.signal("TERM")?;
        let end = Instant::now() + STOP_WITHIN;
        while self.node.is_running() {
            if Instant::now() >= end {
                self.node.kill()?;
                return Err(io::Error::other(format!("not ended {STOP_WITHIN:?} after SIGTERM")));
            }
            sleep(LOOK).await;
        }
        self.node.kill()
    }

    /// Tells the running agent that its processes are to end with it, or not any more, as an operator does: by a
    /// fragment of its configuration, which it takes while it runs.
    pub(super) async fn set_on_exit(&mut self, stops: bool, within: Duration) -> io::Result<()> {
        const TAKEN: &str = "the configuration was read again";
        let count = |node: &Node| node.log().matches(TAKEN).count();
        let before = count(&self.node);
        self.node.swap("etc/k2hdkc-agent/conf.d/90-leave.toml", if stops { STOPS } else { "" })?;
        let end = Instant::now() + within;
        while count(&self.node) == before {
            if Instant::now() >= end {
                return Err(io::Error::other("its agent does not take supervisor.on-exit"));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until the agent says that its processes run what its file says; else what it said last.
    pub(super) async fn converged(&self, within: Duration) -> Result<(), String> {
        let end = Instant::now() + within;
        loop {
            let version = self.fileversion();
            let status = self.agent().status().await;
            let processes = status.as_ref().ok().and_then(|status| status.processes.as_ref());
            if processes.is_some_and(|processes| is_converged(processes, version)) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(match (&status, processes) {
                    (Err(error), _) => error.clone(),
                    (Ok(_), Some(processes)) => processes.text.clone(),
                    (Ok(status), None) => status.line().to_owned(),
                });
            }
            sleep(LOOK).await;
        }
    }

    /// The newest line of its log with this text.
    pub(super) fn logged(&self, text: &str) -> Option<String> {
        self.node.log().lines().rfind(|line| line.contains(text)).map(str::to_owned)
    }

    /// Returns the lines that an operator would look at first.
    pub(super) fn last_log_lines(&self) -> Vec<String> {
        let log = self.node.log();
        let lines: Vec<_> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LOG_LINES)).map(|line| (*line).to_owned()).collect()
    }
}

fn is_converged(processes: &ProcessStatus, version: Option<u32>) -> bool {
    let loaded = processes.said.as_ref().and_then(|said| said.fileversion);
    processes.state == State::Converged && version.is_some() && loaded == version
}

impl Drop for Member {
    fn drop(&mut self) {
        // The agent first, which would start them again. Nothing can be told from here.
        let _ = self.node.kill();
        census::kill_of(self.node.root());
        self.news.tell(News::Went { name: self.name.clone() });
    }
}

fn runtime(node: &Node) -> PathBuf {
    node.root().join("run/k2hdkc-agent")
}

/// A running agent, to be asked.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// `/run/k2hdkc-agent` below its root.
    pub runtime: PathBuf,
}

impl Agent {
    /// Asks for what `k2hdkc-agent status --json` prints.
    pub(super) async fn status(&self) -> Result<Status, String> {
        match timeout(PATIENCE, admin::ask(&self.runtime, &Request::Status)).await {
            Ok(Ok(Response::Status(status))) => Ok(*status),
            Ok(Ok(other)) => Err(format!("not a status: {other:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no status in time".to_owned()),
        }
    }

    /// Tells the agent to leave the cluster, and waits until it has; else what keeps it.
    pub(super) async fn leave(&self, within: Duration) -> Result<(), String> {
        let end = Instant::now() + within;
        // The ring may still be merging after the event before.
        while let Err(what) = self.begins_to_leave().await {
            if Instant::now() >= end {
                return Err(what);
            }
            sleep(LOOK).await;
        }
        loop {
            let leaving = self.status().await.ok().and_then(|status| status.leaving);
            match leaving.map(|leaving| leaving.stage) {
                Some(Stage::Left) => return Ok(()),
                stage if Instant::now() >= end => {
                    return Err(stage.map_or("it stays", Stage::text).to_owned());
                }
                _ => sleep(LOOK).await,
            }
        }
    }

    async fn begins_to_leave(&self) -> Result<(), String> {
        let order = Request::Command(Command::Leave { force: false, confirmed: false });
        match timeout(PATIENCE, admin::ask(&self.runtime, &order)).await {
            Ok(Ok(Response::Done(_))) => Ok(()),
            Ok(Ok(Response::Refused(line))) => Err(line),
            Ok(Ok(other)) => Err(format!("not an answer to that: {other:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Waits until that many passes after `since` came to statuses that fit. The last of them, or the one that does not fit.
    pub(super) async fn status_that(
        &self,
        fits: impl Fn(&Status) -> bool,
        since: Timestamp,
        passes: usize,
        within: Duration,
    ) -> Result<Status, String> {
        let end = Instant::now() + within;
        let mut seen = std::collections::BTreeSet::new();
        loop {
            let status = self.status().await;
            let fitting = status.as_ref().ok().filter(|status| status.at >= since && fits(status));
            seen.extend(fitting.map(|status| status.at));
            if fitting.is_some() && seen.len() >= passes {
                return status;
            }
            if Instant::now() >= end {
                return Err(status.map_or_else(|error| error, |status| status.line().to_owned()));
            }
            sleep(LOOK).await;
        }
    }
}

/// Checks whether a status says that an answer is not used, and why.
pub(super) fn explains(status: &Status) -> bool {
    match status.code() {
        Some(OutcomeKind::Doubtful | OutcomeKind::Refused | OutcomeKind::Rejected | OutcomeKind::Held) => {
            !status.line().is_empty()
        }
        Some(OutcomeKind::Unchanged) => !status.waiting.is_empty(),
        Some(
            OutcomeKind::Settling
            | OutcomeKind::Installed
            | OutcomeKind::Restored
            | OutcomeKind::Rewritten
            | OutcomeKind::RolledBack
            | OutcomeKind::Failed,
        )
        | None => false,
    }
}
