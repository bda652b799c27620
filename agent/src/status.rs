//! The status of the agent: one value, and its projections to JSON (docs/status.md) and to text for people. Pure.

#[cfg(test)]
mod codes;
mod summary;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::generation::Generation;
use crate::guard::{Absence, Held};
use crate::ledger::Ledger;
use crate::lifecycle::Departure;
use crate::problem::Note;
use crate::process_status::{ProcessStatus, State};
use crate::report::{LastPass, OutcomeKind, Report};
use crate::ring_status::RingStatus;
use crate::supervisor::{Choice, Kind};

/// Version of the JSON form. It rises with every change that a reader of the older form cannot read.
pub const SCHEMA_VERSION: u32 = 1;

/// Largest age at which an answer of chmpx is shown without its age.
const PRESENT: Duration = Duration::from_secs(2);

/// The state of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The time of the last change.
    pub at: Timestamp,
    /// The agent itself.
    pub agent: AgentInfo,
    /// The outcome of the last pass; absent before the first one.
    pub outcome: Option<LastOutcome>,
    /// The answers of the source.
    pub answer: AnswerTimes,
    /// The last pass that the ledger has; the passes of this agent are newer.
    pub last: Option<LastPass>,
    /// The four generations.
    pub generations: Generations,
    /// The loss that is held.
    pub held: Option<Held>,
    /// Removals that are not believed yet.
    pub waiting: Vec<Absence>,
    /// Differences and notes.
    pub findings: Findings,
    /// Hosts behind chmpx's connections that acknowledge nothing, and obstacles of their watch.
    pub peers: Vec<Note>,
    /// The state of the processes; absent where no supervisor observes them.
    pub processes: Option<ProcessStatus>,
    /// The ring; absent where no supervisor observes the processes.
    pub ring: Option<RingStatus>,
    /// The last step of the processes that was taken, or failed.
    pub last_step: Option<LastStep>,
    /// The last attempt to enter or leave the role; absent before it, or where the agent does not register its node.
    pub registration: Option<Registration>,
    /// The leave of this node, as far as it has come.
    pub leaving: Option<Departure>,
    /// The stop for maintenance, as far as it has come.
    pub stopped: Option<Departure>,
}

/// The agent and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AgentInfo {
    /// Version of the agent.
    pub version: String,
    /// Its process; absent where the status is that of its ledger.
    pub pid: Option<u32>,
    /// The start of that process.
    pub started: Option<Timestamp>,
    /// The supervisor; "auto" where none is picked yet.
    pub supervisor: String,
    /// The choice and its reason, where the agent picked the supervisor.
    pub picked: Option<Choice>,
    /// The path of the ini.
    pub ini: String,
    /// The faults of the newest configuration, where the older one stays in force.
    pub settings_error: Option<String>,
}

/// The outcome of the last pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastOutcome {
    /// Kind of the outcome.
    pub code: OutcomeKind,
    /// Its sentence.
    pub text: String,
    /// The doubt, or the faults of the answer, one by one.
    pub details: Vec<Note>,
    /// The reasons of the wake that made the pass.
    pub reasons: String,
    /// The first pass in a row with this kind.
    pub since: Timestamp,
}

/// Times of the source's answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnswerTimes {
    /// The last answer that could be installed, or was already.
    pub last_good: Option<Timestamp>,
    /// The next question.
    pub next_question: Option<Timestamp>,
    /// Milliseconds that the last answer took.
    pub took_ms: Option<u64>,
}

/// Differences and notes of the last pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Findings {
    /// Differences between the installed ring and the wanted one, each with the class of the change.
    pub changes: Vec<Note>,
    /// Notes for the operator that change nothing.
    pub notes: Vec<String>,
    /// Unusable records of K2HR3 that the ring lacks, each with its member and the remedy.
    pub left_out: Vec<Note>,
}

/// A step of the processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStep {
    /// The time of the pass.
    pub at: Timestamp,
    /// The step, or the reason of its failure, in one line.
    pub text: String,
}

/// The outcome of the last attempt to enter or leave the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `true` where the membership is as it should be.
    pub good: bool,
    /// The sentence.
    #[serde(rename = "text")]
    pub line: String,
    /// The time of the attempt.
    pub at: Timestamp,
}

/// The newest generation of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// Decided on.
    pub desired: Option<Generation>,
    /// Installed.
    pub written: Option<Generation>,
    /// Carried out by the supervisor.
    pub applied: Option<Generation>,
    /// Reported by chmpx.
    pub verified: Option<Generation>,
}

impl Status {
    /// The state before the first pass, or of an agent that does not run.
    pub fn idle(ledger: &Ledger, supervisor: &str, ini: String) -> Self {
        let agent = AgentInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: None,
            started: None,
            supervisor: supervisor.to_owned(),
            picked: None,
            ini,
            settings_error: None,
        };
        Self {
            schema_version: SCHEMA_VERSION,
            at: Timestamp::now(),
            agent,
            outcome: None,
            answer: AnswerTimes::default(),
            last: ledger.last.clone(),
            generations: Generations::of(ledger),
            held: ledger.guard.held.clone(),
            waiting: ledger.guard.absent.clone(),
            findings: Findings::default(),
            peers: Vec::new(),
            processes: None,
            ring: None,
            last_step: None,
            registration: None,
            leaving: ledger.processes.leaving.clone(),
            stopped: ledger.processes.stopped.clone(),
        }
    }

    /// Takes in a pass.
    pub fn take(&mut self, report: &Report, ledger: &Ledger) {
        self.at = report.at;
        self.outcome = Some(LastOutcome::of(report, self.outcome.as_ref()));
        self.answer.take(report);
        self.generations = Generations::of(ledger);
        self.held.clone_from(&ledger.guard.held);
        self.waiting.clone_from(&report.waiting);
        self.findings = Findings::of(report);
        if report.processes.is_some() {
            self.processes.clone_from(&report.processes);
        }
        if report.ring.is_some() {
            self.ring = report.ring.as_deref().cloned();
        }
        if let Some(Ok(text) | Err(text)) = &report.step {
            self.last_step = Some(LastStep { at: report.at, text: text.clone() });
        }
        self.leaving.clone_from(&ledger.processes.leaving);
        self.stopped.clone_from(&ledger.processes.stopped);
    }

    /// The kind of the last pass; `None` before the first one.
    pub fn code(&self) -> Option<OutcomeKind> {
        self.outcome.as_ref().map(|outcome| outcome.code)
    }

    /// The last pass in one line.
    pub fn line(&self) -> &str {
        self.outcome.as_ref().map_or("no pass yet", |outcome| &outcome.text)
    }

    /// Tells whether the state of chmpx is of this moment, or no supervisor asks it.
    pub fn is_present(&self, now: Timestamp) -> bool {
        let said = self.processes.as_ref().and_then(|processes| processes.said.as_ref());
        said.is_none_or(|said| now.since(said.at) <= PRESENT)
    }

    /// Tells whether the operator need not look.
    pub fn is_good(&self) -> bool {
        use OutcomeKind::{Installed, Rewritten, Settling, Unchanged};
        let fine = matches!(self.code(), Some(Unchanged | Installed | Settling | Rewritten));
        let held = self.processes.as_ref().is_some_and(|processes| processes.state == State::Held);
        let outside = self.registration.as_ref().is_some_and(|registration| !registration.good);
        // The settings ask for a supervisor, and none was found.
        let idle = self.agent.picked.as_ref().is_some_and(|picked| picked.kind == Kind::None);
        let runs = self.stopped.is_none() && self.agent.pid.is_some();
        let calm = fine && runs && !held && !outside && !idle;
        calm && self.findings.left_out.is_empty() && self.agent.settings_error.is_none()
    }
}

impl LastOutcome {
    fn of(report: &Report, before: Option<&Self>) -> Self {
        let code = report.outcome.kind();
        let same = before.filter(|before| before.code == code);
        Self {
            code,
            text: report.outcome.to_string(),
            details: report.outcome.details(),
            reasons: report.reasons.clone(),
            since: same.map_or(report.at, |before| before.since),
        }
    }
}

impl AnswerTimes {
    fn take(&mut self, report: &Report) {
        let Some(asked) = report.asked else { return };
        self.took_ms = Some(u64::try_from(asked.as_millis()).unwrap_or(u64::MAX));
        if report.outcome.is_good() {
            self.last_good = Some(report.at);
        }
    }
}

impl Findings {
    fn of(report: &Report) -> Self {
        let plan = report.plan.as_ref().filter(|_| !report.outcome.is_installed());
        Self {
            changes: plan
                .map_or_else(Vec::new, |plan| plan.changes.iter().map(|change| plan.note(change)).collect()),
            notes: report.notes.clone(),
            left_out: report.left_out.clone(),
        }
    }
}

impl Generations {
    fn of(ledger: &Ledger) -> Self {
        Self {
            desired: ledger.desired.clone(),
            written: ledger.written.clone(),
            applied: ledger.applied.clone(),
            verified: ledger.verified.clone(),
        }
    }
}
