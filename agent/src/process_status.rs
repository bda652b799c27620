//! Status of the two programs, for `status` and the log: the running processes, chmpx's answer, and the verdict. Pure; a
//! projection of one observation and the decision on it.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::chmpx_state::NodeStatus;
use crate::clock::Timestamp;
use crate::lifecycle::{Action, Decision};
use crate::supervisor::{Observed, Running};

/// Status of the two programs, for `status` and the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessStatus {
    /// The verdict.
    pub state: State,
    /// The stable codes of the reasons; none where the processes run what the file says.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The reasons in words.
    pub text: String,
    /// The running chmpx.
    pub chmpx: Option<Process>,
    /// The running k2hdkc.
    pub k2hdkc: Option<Process>,
    /// The latest answer of chmpx.
    pub said: Option<Said>,
    /// The substitute of the latest answer, in words, while chmpx is silent.
    pub silent: Option<String>,
}

/// Verdict on the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Converged: chmpx reports the generation, lists the servers of the file, and this node is in its place.
    Converged,
    /// Under way: nothing to do for the operator.
    Waiting,
    /// Held: the operator must look.
    Held,
}

/// A running program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    /// Its start.
    pub since: Timestamp,
}

/// Answer of chmpx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The time of the question.
    pub at: Timestamp,
    /// The FILEVERSION that it reports.
    pub fileversion: Option<u32>,
    /// Its own status.
    pub status: NodeStatus,
    /// The servers that it lists.
    pub servers: Vec<(String, NodeStatus)>,
}

impl ProcessStatus {
    /// Makes the status of an observation and the decision on it.
    pub fn of(observed: &Observed, decision: &Decision, now: Instant) -> Self {
        let (state, codes, text) = judged(observed, decision);
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

    /// Makes the status of a node of which nothing is known yet.
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

    /// Returns the number of healthy servers, and of all.
    pub fn healthy(&self) -> (usize, usize) {
        let servers = self.said.as_ref().map_or(&[][..], |said| &said.servers);
        (servers.iter().filter(|(_, status)| status.is_healthy()).count(), servers.len())
    }
}

/// Returns the state, the codes of its reasons and their words.
fn judged(observed: &Observed, decision: &Decision) -> (State, Vec<&'static str>, String) {
    let converged = match observed.k2hdkc {
        Some(_) => "converged: chmpx and k2hdkc run what the file says",
        None => "converged: chmpx runs what the file says",
    };
    let conditions = &decision.conditions;
    match &decision.action {
        // An act meanwhile does not take a condition from the operator's sight.
        Action::Hold(reasons, _) => (State::Held, reasons.codes(), reasons.to_string()),
        _ if !conditions.is_empty() => (State::Held, conditions.codes(), conditions.to_string()),
        Action::Converged => (State::Converged, Vec::new(), converged.to_owned()),
        Action::Wait(reason, _) | Action::Rewrite(_, reason) | Action::RollBack(_, reason) => {
            (State::Waiting, vec![reason.code()], reason.to_string())
        }
        Action::Demand(demand) => (State::Waiting, vec![demand.reason.code()], demand.reason.to_string()),
        Action::Step(step, reason) => (State::Waiting, vec![reason.code()], format!("{step}: {reason}")),
    }
}
