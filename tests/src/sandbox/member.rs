//! One node of the sandbox: its directory, its real agent, and what is seen of it.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use k2hdkc_agent::admin::{self, Request, Response};
use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::report::Kind;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::status::Status;
use tokio::time::{sleep, timeout};

use super::news::{News, Teller};
use super::sightings::{Sighting, Sightings};
use crate::node::{Node, wait_for};

/// Longest time for one status.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at a status that is waited for.
const LOOK: Duration = Duration::from_millis(25);
/// Longest time from SIGTERM to the end of an agent.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// How much of a log a failure shows.
const LOG_LINES: usize = 8;

/// A node, with its agent or without.
#[derive(Debug)]
pub(super) struct Member {
    /// `server-1`: the name of its directory, and its CUK.
    pub name: String,
    /// Server or slave.
    pub mode: Mode,
    /// Its directory and agent.
    pub node: Node,
    /// What was seen of its ini.
    pub sightings: Sightings,
    news: Teller,
}

impl Member {
    /// Starts the agent of a node that was laid out.
    pub(super) fn boot(name: String, mode: Mode, mut node: Node, news: Teller) -> io::Result<Self> {
        let (told, of) = (news.clone(), name.clone());
        let tell = move |sighting: &Sighting| {
            let shown = sighting.shown.clone();
            told.tell(News::File { of: of.clone(), shown });
        };
        let sightings = Sightings::start(node.ini(), tell)?;
        news.tell(News::Came { name: name.clone(), mode, runtime: runtime(&node) });
        node.start()?;
        Ok(Self { name, mode, node, sightings, news })
    }

    /// Where its agent is asked.
    pub(super) fn agent(&self) -> Agent {
        Agent { runtime: runtime(&self.node) }
    }

    /// Ends the agent with SIGTERM; an error where it did not end, or not with success.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.node.signal("TERM")?;
        let node = &mut self.node;
        let ended = wait_for(STOP_WITHIN, || !node.is_running());
        node.kill()?;
        if ended { Ok(()) } else { Err(io::Error::other(format!("not ended {STOP_WITHIN:?} after SIGTERM"))) }
    }

    /// The newest line of its log with this text.
    pub(super) fn logged(&self, text: &str) -> Option<String> {
        self.node.log().lines().rfind(|line| line.contains(text)).map(str::to_owned)
    }

    /// What an operator would look at first.
    pub(super) fn last_log_lines(&self) -> Vec<String> {
        let log = self.node.log();
        let lines: Vec<_> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LOG_LINES)).map(|line| (*line).to_owned()).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
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
    /// What `k2hdkc-agent status --json` prints.
    pub(super) async fn status(&self) -> Result<Status, String> {
        match timeout(PATIENCE, admin::ask(&self.runtime, &Request::Status)).await {
            Ok(Ok(Response::Status(status))) => Ok(*status),
            Ok(Ok(other)) => Err(format!("not a status: {other:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no status in time".to_owned()),
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
                return Err(status.map_or_else(|error| error, |status| status.line));
            }
            sleep(LOOK).await;
        }
    }
}

/// Whether a status says that an answer is not used, and why.
pub(super) fn explains(status: &Status) -> bool {
    match status.state {
        Some(Kind::Doubtful | Kind::Refused | Kind::Rejected | Kind::Held) => !status.line.is_empty(),
        Some(Kind::Unchanged) => !status.waiting.is_empty(),
        Some(
            Kind::Settling
            | Kind::Installed
            | Kind::Restored
            | Kind::Rewritten
            | Kind::RolledBack
            | Kind::Failed,
        )
        | None => false,
    }
}
