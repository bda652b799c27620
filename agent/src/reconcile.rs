//! The pass: read, judge, render, validate, plan, apply, report. Read this file first.
//!
//! The only owner and writer of the agent's state, and the only caller of the stages, in this order:
//!
//! ```text
//! wake, answer -> membership -> guard -> render -> validate -> plan -> apply -> report
//!     \-> supervisor -> view -> lifecycle -> apply -> report
//! ```
//!
//! [`Reconciler::decide`] looks and changes nothing, so that `render` and `diff` show exactly what `once` and `run`
//! would do. A pass cannot fail: whatever happens in it is in the [`Report`].

mod answers;
mod asking;
mod carrying;
mod decide;
mod files;
mod leaving;
mod naming;
mod placing;
mod processes;
mod releasing;
mod stopping;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::answer::Doubt;
use crate::clock::{Clock, Timestamp};
use crate::guard;
use crate::hosts::Names;
use crate::identity::{self, Identity};
use crate::installed::{Installed, Look};
use crate::ledger::{Joined, LedgerError, Missing, Store};
use crate::lifecycle::{self, Persisted, Rewrite};
use crate::membership::Wanted;
use crate::plan::Plan;
use crate::problem::{Problem, chain};
use crate::report::{Outcome, Report};
use crate::ring::Ring;
use crate::settings::Settings;
use crate::source::Answered;
use crate::standing::Standing;
use crate::supervisor::{NodeSpec, Observed, Supervisor};
use crate::validate::Validated;
use crate::wake::Reasons;
pub use releasing::confirm;

/// The owner of the state.
#[derive(Debug)]
pub struct Reconciler<T> {
    settings: Settings,
    supervisor: T,
    store: Store,
    clock: Clock,
    look: Look,
    /// What the last readable answer says, or why it says nothing.
    answer: Option<Result<Rc<Wanted>, Vec<Problem>>>,
    /// Doubtful answers in a row, and the last of them.
    doubts: u32,
    doubt: Option<Doubt>,
    /// What the source said beside its last answer.
    remark: Option<String>,
    /// Passes in a row in which this host did not let the agent do its work.
    failures: u32,
    /// When the host is tried again, and why it failed.
    failed: Option<(Instant, String)>,
    /// Why a kept generation is in place, until an answer is good again.
    restored: Option<String>,
    /// When an answer was last good, also before the agent started.
    last_good: Option<Timestamp>,
    /// Smoothed answer time.
    cost: Option<Duration>,
    /// How many nodes the cluster had when that was last known: so many agents ask K2HR3.
    nodes: usize,
    settling: Option<Settling>,
    /// The process half of the pass.
    processes: processes::Processes,
    /// Whether changes rest before they are installed, and processes are moved: not in `once`.
    patient: bool,
}

/// A change that rests.
#[derive(Debug, Clone, PartialEq)]
struct Settling {
    ring: Ring,
    first: Instant,
    last: Instant,
}

impl Settling {
    /// When it has rested long enough, or waited as long as it may.
    fn due(&self, (rest, most): (Duration, Duration)) -> Instant {
        (self.last + rest).min(self.first + most)
    }
}

/// What a pass found, before anything is changed.
#[derive(Debug)]
pub struct Decision {
    /// What to do.
    pub verdict: Decided,
    /// What differs.
    pub plan: Option<Plan>,
    /// Removals that are not believed yet.
    pub waiting: Vec<guard::Absence>,
    /// What an operator should know.
    pub notes: Vec<String>,
    asked: Option<Duration>,
    guard: Option<guard::Memory>,
    /// What the hosts block must say although nothing is installed.
    names: Option<Box<Names>>,
    /// What the ledger learns of the processes.
    known: Option<Persisted>,
    /// How the processes were seen with the installed file.
    seen: Seen,
    /// The decision on the processes.
    pub lifecycle: Option<Box<lifecycle::Decision>>,
    /// The file that it asks for.
    request: Option<Box<Installation>>,
    standing: Option<Standing>,
    about: Option<NodeSpec>,
    /// Whether the live file is none that chmpx survives.
    mends: bool,
    /// Whether the failure is one that was counted before.
    again: bool,
    /// Why the processes do not get the installed file from a command.
    pub unplaced: Option<String>,
}

/// How the processes were seen with the installed file.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Whether they run on it.
    carried: bool,
    /// Whether chmpx reports it.
    loaded: bool,
}

/// What to do with a pass.
#[derive(Debug)]
pub enum Decided {
    /// Nothing; the outcome says why.
    Leave(Outcome),
    /// Install this.
    Install(Box<Installation>),
}

/// A file to install.
#[derive(Debug)]
pub struct Installation {
    /// The file.
    pub validated: Validated,
    plan: Plan,
    /// What the hosts block must say before it is installed.
    names: Option<Box<Names>>,
    /// Why it is installed.
    cause: Cause,
}

/// Why a file is installed.
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

/// Everything that one decision starts from.
struct Scene {
    identity: Result<Identity, Vec<Problem>>,
    installed: Rc<Installed>,
    observed: Option<Observed>,
    about: Option<NodeSpec>,
    doubt: Option<Doubt>,
    asked: Option<Duration>,
}

impl<T: Supervisor> Reconciler<T> {
    /// A reconciler that has seen nothing yet.
    pub fn new(settings: Settings, supervisor: T, store: Store, patient: bool, clock: Clock) -> Self {
        let last_good = store.ledger().last.as_ref().and_then(|last| last.last_good);
        Self {
            settings,
            supervisor,
            store,
            clock,
            look: Look::default(),
            answer: None,
            doubts: 0,
            doubt: None,
            remark: None,
            failures: 0,
            failed: None,
            restored: None,
            last_good,
            cost: None,
            nodes: 1,
            settling: None,
            processes: processes::Processes::new(patient),
            patient,
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes new settings; what was learnt of the processes stays.
    pub fn replace_settings(&mut self, settings: Settings) {
        self.settings = settings;
        (self.answer, self.settling) = (None, None);
    }

    /// What there is to know of the settings' files.
    pub fn note(&mut self, notes: Vec<String>) {
        self.settings.notes = notes;
    }

    /// The supervisor of the present settings.
    pub fn supervisor(&self) -> &T {
        &self.supervisor
    }

    /// The same, to give it other settings.
    pub fn supervisor_mut(&mut self) -> &mut T {
        &mut self.supervisor
    }

    /// What the agent remembers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Marks the held loss as meant. The next pass installs it, if it is still the same.
    pub fn confirm(&mut self, id: Option<&str>) -> Result<String, String> {
        confirm(&mut self.store, id)
    }

    /// This node was seen as a member of its role, or is none any more.
    pub fn joined(&mut self, as_whom: Option<Joined>) -> Result<(), LedgerError> {
        self.store.update(|ledger| ledger.joined = as_whom)
    }

    /// Answers do not show this node as that any more, or do again.
    pub fn missing(&mut self, missing: Option<Missing>) -> Result<(), LedgerError> {
        self.store.learn(|ledger| ledger.missing = missing)
    }

    /// One pass. It does not wait for the source: an answer is an argument, where one has come.
    pub async fn pass(&mut self, reasons: Reasons, answered: Option<Answered>) -> Report {
        let decision = self.decide(answered).await;
        let is_first = decision.mends && !self.patient;
        let mut report = self.carry_out(decision, reasons).await;
        if is_first && matches!(report.outcome, Outcome::Installed(_) | Outcome::Restored(..)) {
            // Only now a command knows whose processes the file is for. It is large, and so would be every pass.
            let Decision { lifecycle, about, notes, unplaced, .. } = Box::pin(self.decide(None)).await;
            report.notes.extend(notes);
            report.step = self.step(lifecycle.as_deref(), about.as_ref()).await.or(unplaced.map(Err));
        }
        report
    }

    /// Takes the answer, looks at everything and decides. Changes nothing on the host.
    pub async fn decide(&mut self, answered: Option<Answered>) -> Decision {
        let was_answered = answered.is_some();
        let (identity, doubt, asked) = match answered {
            Some(answered) => self.take(answered),
            None => (identity::read(&self.settings.k2hr3), None, None),
        };
        let installed = match self.look.at(&self.settings.ini.path, self.clock.now().wall) {
            Ok(installed) => installed,
            Err(error) => return Decision::leave(Outcome::Failed(chain(&error)), asked),
        };
        let about = self.about(&installed);
        self.processes.unseen();
        let observed = self.observe(about.as_ref(), &installed).await;
        let scene = Scene { identity, installed, observed, about, doubt, asked };
        let known =
            [scene.installed.ring(), self.answer.as_ref().and_then(|a| a.as_ref().ok()).map(|w| &w.ring)];
        self.nodes = known.into_iter().flatten().map(|ring| ring.len()).max().unwrap_or(self.nodes);
        let fresh = was_answered && scene.doubt.is_none();
        let mut decision = self.judged(&scene, fresh);
        decision.mends = scene.installed.ring().is_none();
        if !was_answered
            && matches!(decision.verdict, Decided::Install(_))
            && let Some(text) = self.rests()
        {
            // The host is not asked for the same thing at every look.
            decision.verdict = Decided::Leave(Outcome::Failed(text));
            decision.again = true;
        }
        decision.notes.extend(self.notes(&scene));
        decision.notes.extend(self.differs(&scene, &decision.verdict));
        if self.patient {
            self.decide_lifecycle(&scene, &mut decision);
            if scene.observed.is_none() && !matches!(decision.verdict, Decided::Install(_)) {
                // It is seldom, and large, and so would be every pass.
                Box::pin(self.stop_unseen(scene.about.is_some(), &mut decision)).await;
            }
        } else {
            placing::once(&scene, self.supervisor.in_doubt(), &mut decision);
        }
        decision
    }

    /// When a resting change is due.
    pub fn settled_at(&self) -> Option<Instant> {
        let due =
            self.settling.as_ref().filter(|_| self.answer.is_some())?.due(self.settings.poll.settling());
        // Where the host failed, not before it is tried again.
        let again = self.failed.as_ref().filter(|_| self.failures > 0).map(|(at, _)| *at);
        Some(again.map_or(due, |at| due.max(at)))
    }
}

impl Decision {
    fn leave(outcome: Outcome, asked: Option<Duration>) -> Self {
        let verdict = Decided::Leave(outcome);
        Self {
            verdict,
            plan: None,
            waiting: Vec::new(),
            notes: Vec::new(),
            asked,
            guard: None,
            names: None,
            known: None,
            seen: Seen::default(),
            lifecycle: None,
            request: None,
            standing: None,
            about: None,
            mends: false,
            again: false,
            unplaced: None,
        }
    }
}
