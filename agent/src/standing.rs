//! How the processes of this node are, for `status` and the log: what runs, what chmpx says of itself and of its ring,
//! and whether that is what is wanted. Pure; a projection of what was observed.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::lifecycle::{Course, Next};
use crate::supervisor::{Observed, Running};
use crate::view::NodeStatus;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    /// Whether the processes run what the file says.
    pub state: State,
    /// The same in words.
    pub text: String,
    /// The running chmpx.
    pub chmpx: Option<Process>,
    /// The running k2hdkc.
    pub k2hdkc: Option<Process>,
    /// What chmpx said last.
    pub said: Option<Said>,
    /// What came instead of the last answer.
    pub silent: Option<String>,
}

/// Whether the processes run what the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// They do: chmpx reports the generation, lists the wanted servers, and this node is in its place.
    Converged,
    /// They will: something is on its way.
    Waiting,
    /// They will not by themselves: somebody must look.
    Held,
}

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started.
    pub since: Timestamp,
}

/// What chmpx said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When it was asked.
    pub at: Timestamp,
    /// The FILEVERSION that it reports.
    pub fileversion: Option<u32>,
    /// Its own status.
    pub status: NodeStatus,
    /// The servers it lists.
    pub servers: Vec<(String, NodeStatus)>,
}

impl Standing {
    /// Made of what was observed and what comes next, at the present in both clocks.
    pub fn of(observed: &Observed, course: &Course, now: Instant) -> Self {
        let (state, text) = match &course.next {
            // What is done meanwhile does not take it from the operator's sight.
            _ if course.held.is_some() => (State::Held, course.held.clone().unwrap_or_default()),
            Next::Converged => {
                (State::Converged, "converged: chmpx and k2hdkc run what the file says".to_owned())
            }
            Next::Wait(text, _) => (State::Waiting, text.clone()),
            Next::Step(step, why) => (State::Waiting, format!("{}: {why}", step.text())),
            Next::Rewrite(why) | Next::RollBack(_, why) => (State::Waiting, why.clone()),
            Next::Hold(text, _) => (State::Held, text.clone()),
        };
        let stamp = |at: Instant| Timestamp::now().before(now.saturating_duration_since(at));
        let process = |running: Running| Process { pid: running.id.pid, since: stamp(running.since) };
        let said = observed.said.as_ref().map(|said| Said {
            at: stamp(said.at),
            fileversion: said.view.fileversion,
            status: said.view.own.status,
            servers: said.view.servers.iter().map(|row| (row.name.clone(), row.status)).collect(),
        });
        let silent = observed.silent.as_ref().map(|(_, text)| text.clone());
        Self {
            state,
            text,
            chmpx: observed.chmpx.map(process),
            k2hdkc: observed.k2hdkc.map(process),
            said,
            silent,
        }
    }

    /// For a node of which nothing is known yet.
    pub fn unknown(text: &str) -> Self {
        Self {
            state: State::Waiting,
            text: text.to_owned(),
            chmpx: None,
            k2hdkc: None,
            said: None,
            silent: None,
        }
    }

    /// How many of the servers are healthy, and how many there are.
    pub fn healthy(&self) -> (usize, usize) {
        let servers = self.said.as_ref().map_or(&[][..], |said| &said.servers);
        (servers.iter().filter(|(_, status)| status.is_healthy()).count(), servers.len())
    }
}
