//! How the processes of this node are, for `status` and the log: what runs, what chmpx says of itself and of its ring,
//! and whether that is what is wanted. Pure; a projection of what was observed.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::lifecycle::{Action, Decision};
use crate::supervisor::{Observed, Running};
use crate::view::NodeStatus;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    /// Whether the processes run what the file says.
    pub state: State,
    /// The stable codes of the reasons; none where the processes run what the file says.
    #[serde(default)]
    pub reasons: Vec<String>,
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
    pub fn of(observed: &Observed, decision: &Decision, now: Instant) -> Self {
        let (state, codes, text) = judged(decision);
        let stamp = |at: Instant| Timestamp::now().before(now.saturating_duration_since(at));
        let process = |running: Running| Process { pid: running.id.pid, since: stamp(running.since) };
        let said = observed.control.report.as_ref().map(|said| Said {
            at: stamp(said.at),
            fileversion: said.view.fileversion,
            status: said.view.own.status,
            servers: said.view.servers.iter().map(|row| (row.name.clone(), row.status)).collect(),
        });
        let silent = observed.control.silent.as_ref().map(|(_, text)| text.clone());
        Self {
            state,
            reasons: codes.into_iter().map(str::to_owned).collect(),
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
            reasons: Vec::new(),
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

/// Returns the state, the codes of its reasons and their words.
fn judged(decision: &Decision) -> (State, Vec<&'static str>, String) {
    let conditions = &decision.conditions;
    match &decision.action {
        // An act meanwhile does not take a condition from the operator's sight.
        Action::Hold(reasons, _) => (State::Held, reasons.codes(), reasons.to_string()),
        _ if !conditions.is_empty() => (State::Held, conditions.codes(), conditions.to_string()),
        Action::Converged => {
            (State::Converged, Vec::new(), "converged: chmpx and k2hdkc run what the file says".to_owned())
        }
        Action::Wait(reason, _) | Action::Rewrite(_, reason) | Action::RollBack(_, reason) => {
            (State::Waiting, vec![reason.code()], reason.to_string())
        }
        Action::Demand(demand) => (State::Waiting, vec![demand.reason.code()], demand.reason.to_string()),
        Action::Step(step, reason) => {
            (State::Waiting, vec![reason.code()], format!("{}: {reason}", step.text()))
        }
    }
}
