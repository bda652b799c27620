//! The pass: read, judge, render, validate, plan, apply, report. Read this file first.
//!
//! The only owner and writer of the agent's state, and the only caller of the stages, in this order:
//!
//! ```text
//! wake, answer -> membership -> guard -> render -> validate -> plan -> apply -> report
//!     \-> supervisor -> chmpx_state -> lifecycle -> apply -> report
//! ```
//!
//! [`Reconciler::decide`] looks and changes nothing, so that `render` and `diff` show exactly what `once` and `run`
//! would do. A pass cannot fail: whatever happens in it is in the [`Report`].

mod membership;
mod asking;
mod carrying;
mod connections;
mod decide;
mod files;
mod leaving;
mod naming;
mod observing;
mod placing;
mod processes;
mod releasing;
mod ring_change;
mod stepping;
mod stopping;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::answer::Doubt;
use crate::clock::Clock;
use crate::guard;
use crate::hosts::Names;
use crate::identity::{self, Identity};
use crate::installed::Installed;
use crate::ledger::{Joined, LedgerError, Missing, Store};
use crate::lifecycle::{self, Persisted, Rewrite};
use crate::plan::Plan;
use crate::problem::{Problem, chain};
use crate::process_status::ProcessStatus;
use crate::report::{Outcome, Report};
use crate::ring_change::Hold;
use crate::ring_status::RingStatus;
use crate::settings::Settings;
use crate::source::Answered;
use crate::supervisor::{NodeSpec, Observed, Supervisor};
use crate::validate::Validated;
use crate::wake::Reasons;

use connections::Connections;
use files::Files;
use membership::Membership;
use processes::Processes;
pub use releasing::confirm;

/// The owner of the state.
#[derive(Debug)]
pub struct Reconciler<T> {
    settings: Settings,
    supervisor: T,
    store: Store,
    clock: Clock,
    /// The members.
    membership: Membership,
    /// The file half of the pass.
    files: Files,
    /// The process half of the pass.
    processes: Processes,
    /// The hosts behind chmpx's connections.
    connections: Connections,
    /// True in the daemon, where changes rest before they are installed, and processes are moved; false in a command.
    daemon: bool,
}

/// Decision of a pass, before anything is changed. Each half decides for itself.
#[derive(Debug)]
pub struct PassDecision {
    /// The decision on the file.
    pub file: FileDecision,
    /// The decision on the programs.
    pub programs: ProgramsDecision,
    /// Notes for the operator.
    pub notes: Vec<String>,
    /// Status of the ring.
    pub ring: Option<Box<RingStatus>>,
    asked: Option<Duration>,
}

/// The decision on the file.
#[derive(Debug)]
pub struct FileDecision {
    /// The verdict.
    pub verdict: Decided,
    /// The difference to the live file.
    pub plan: Option<Plan>,
    /// Removals that are not believed yet.
    pub waiting: Vec<guard::Absence>,
    guard: Option<guard::Memory>,
    /// The hosts block, although nothing is installed.
    names: Option<Box<Names>>,
    /// True if chmpx does not survive the live file.
    replaces_unloadable: bool,
    /// True for a failure that was counted before.
    counted: bool,
}

/// The decision on the programs.
#[derive(Debug, Default)]
pub struct ProgramsDecision {
    /// The decision of the lifecycle; none where the programs are not seen.
    pub lifecycle: Option<Box<lifecycle::Decision>>,
    /// The reason for which a command does not put the installed file before the programs.
    pub unsynced: Option<String>,
    /// The ledger's part.
    persisted: Option<Persisted>,
    /// Sight of the programs with the installed file.
    seen: Seen,
    /// The file that the lifecycle asks for.
    request: Option<Box<Installation>>,
    processes: Option<ProcessStatus>,
    spec: Option<NodeSpec>,
}

/// Sight of the programs with the installed file.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// True where they run on it.
    carried: bool,
    /// True where chmpx reports it.
    loaded: bool,
}

/// Verdict on the file.
#[derive(Debug)]
pub enum Decided {
    /// Leaves the file as it is, for this outcome.
    Leave(Outcome),
    /// Installs another file.
    Install(Box<Installation>),
}

/// A file to install.
#[derive(Debug)]
pub struct Installation {
    /// The file.
    pub validated: Validated,
    plan: Plan,
    /// The hosts block that comes before it.
    names: Option<Box<Names>>,
    /// The cause.
    cause: Cause,
}

/// Cause of an installation.
#[derive(Debug)]
enum Cause {
    /// The source says another ring than the installed one.
    Answer,
    /// The live file was missing or unloadable, and no answer can be used.
    Lost(String),
    /// The lifecycle asks for the same ring again.
    Rewrite(Rewrite, String),
    /// chmpx ended of the newer ring, or got deaf.
    Rejected(String),
}

/// Inputs of one decision.
struct Inputs {
    identity: Result<Identity, Vec<Problem>>,
    installed: Rc<Installed>,
    observed: Option<Observed>,
    about: Option<NodeSpec>,
    doubt: Option<Doubt>,
}

impl<T: Supervisor> Reconciler<T> {
    /// Makes a reconciler that has seen nothing yet.
    pub fn new(settings: Settings, supervisor: T, store: Store, daemon: bool, clock: Clock) -> Self {
        let last_good = store.ledger().last.as_ref().and_then(|last| last.last_good);
        Self {
            settings,
            supervisor,
            store,
            clock,
            membership: Membership::new(last_good),
            files: Files::default(),
            processes: Processes::new(daemon),
            connections: Connections::default(),
            daemon,
        }
    }

    /// Returns the settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes new settings; what was learnt of the processes stays.
    pub fn replace_settings(&mut self, settings: Settings) {
        self.settings = settings;
        (self.membership.answer, self.files.settling) = (None, None);
    }

    /// Takes the notes on the settings' files.
    pub fn note(&mut self, notes: Vec<String>) {
        self.settings.notes = notes;
    }

    /// Returns the supervisor of the present settings.
    pub fn supervisor(&self) -> &T {
        &self.supervisor
    }

    /// Returns the supervisor, to give it other settings.
    pub fn supervisor_mut(&mut self) -> &mut T {
        &mut self.supervisor
    }

    /// Returns the ledger.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Marks the held loss as meant. The next pass installs it, if it is still the same.
    ///
    /// # Errors
    ///
    /// Nothing is held under that name, it cannot be released, or the ledger cannot be written.
    pub fn confirm(&mut self, id: Option<&str>) -> Result<String, String> {
        let waits = match self.processes.ring_change.hold {
            Some(Hold::TooLong { of, .. }) => Some(of),
            _ => None,
        };
        confirm(&mut self.store, id, waits)
    }

    /// Keeps that this node was seen as a member of its role, or is none any more.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn joined(&mut self, as_whom: Option<Joined>) -> Result<(), LedgerError> {
        self.store.update(|ledger| ledger.joined = as_whom)
    }

    /// Keeps that answers do not show this node as a member any more, or do again.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn missing(&mut self, missing: Option<Missing>) -> Result<(), LedgerError> {
        self.store.learn(|ledger| ledger.missing = missing)
    }

    /// Runs one pass. It waits for no source: an answer that has come is an argument.
    pub async fn pass(&mut self, reasons: Reasons, answered: Option<Answered>) -> Report {
        let decision = self.decide(answered).await;
        let is_first = decision.file.replaces_unloadable && !self.daemon;
        let mut report = self.carry_out(decision, reasons).await;
        if is_first && matches!(report.outcome, Outcome::Installed(_) | Outcome::Restored(..)) {
            // Only now a command knows whose processes the file is for. It is large, and so would be every pass.
            let PassDecision { programs, notes, .. } = Box::pin(self.decide(None)).await;
            report.notes.extend(notes);
            let step = self.step(programs.lifecycle.as_deref(), programs.spec.as_ref()).await;
            report.step = step.or(programs.unsynced.map(Err));
        }
        report
    }

    /// Takes the answer, looks at everything and decides. Changes nothing on the host.
    pub async fn decide(&mut self, answered: Option<Answered>) -> PassDecision {
        let was_answered = answered.is_some();
        let (identity, doubt, asked) = match answered {
            Some(answered) => self.take(answered),
            None => (identity::read(&self.settings.k2hr3), None, None),
        };
        let mut notes = Vec::new();
        let installed = match self.files.look.at(&self.settings.ini.path, self.clock.now().wall) {
            Ok(installed) => installed,
            Err(error) => {
                let file = FileDecision::leave(Outcome::Failed(chain(&error)));
                return PassDecision {
                    file,
                    programs: ProgramsDecision::default(),
                    notes,
                    ring: None,
                    asked,
                };
            }
        };
        self.observe_mode(&installed);
        self.fit(&installed);
        let about = self.about(&installed);
        self.processes.unseen();
        let observed = self.observe(about.as_ref(), &installed).await;
        let observed = self.aim(about.as_ref(), &installed, observed);
        let inputs = Inputs { identity, installed, observed, about, doubt };
        self.assign(&inputs);
        self.membership.count_nodes(inputs.installed.ring().map(|ring| &**ring));
        let file = self.decide_file(&inputs, was_answered);
        notes.extend(self.notes(&inputs));
        notes.extend(self.merges_elsewhere().map(|reason| reason.to_string()));
        notes.extend(self.differs(&inputs, &file.verdict));
        let installs = matches!(file.verdict, Decided::Install(_));
        let programs = self.decide_programs(&inputs, installs, &mut notes).await;
        let ring = self.ring_status(&inputs).map(Box::new);
        PassDecision { file, programs, notes, ring, asked }
    }

    /// Decides on the file.
    fn decide_file(&mut self, inputs: &Inputs, was_answered: bool) -> FileDecision {
        let fresh = was_answered && inputs.doubt.is_none();
        let mut file = self.judged(inputs, fresh);
        file.replaces_unloadable = inputs.installed.ring().is_none();
        if !was_answered
            && matches!(file.verdict, Decided::Install(_))
            && let Some(error) = self.files.rests()
        {
            // The host is not asked for the same thing at every look.
            file.verdict = Decided::Leave(Outcome::Failed(error));
            file.counted = true;
        }
        file
    }

    /// Decides on the programs. `installs` is true where a file is about to be installed.
    async fn decide_programs(
        &mut self,
        inputs: &Inputs,
        installs: bool,
        notes: &mut Vec<String>,
    ) -> ProgramsDecision {
        if !self.daemon {
            return placing::once(inputs, self.supervisor.in_doubt(), installs, notes);
        }
        let mut programs = self.decide_lifecycle(inputs, installs, notes);
        if inputs.observed.is_none() && !installs {
            // It is seldom, and large, and so would be every pass.
            Box::pin(self.stop_unseen(inputs.about.is_some(), &mut programs)).await;
        }
        programs
    }

    /// Returns when a resting change is due.
    pub fn settled_at(&self) -> Option<Instant> {
        // The end of the ring's change wakes a pass.
        let settling = self.files.settling.as_ref().filter(|settling| !settling.is_held)?;
        self.membership.answer.as_ref()?;
        let due = settling.due(self.settings.poll.settling());
        // Where the host failed, not before it is tried again.
        Some(self.files.host.not_before().map_or(due, |at| due.max(at)))
    }
}

impl FileDecision {
    fn leave(outcome: Outcome) -> Self {
        Self {
            verdict: Decided::Leave(outcome),
            plan: None,
            waiting: Vec::new(),
            guard: None,
            names: None,
            replaces_unloadable: false,
            counted: false,
        }
    }
}
