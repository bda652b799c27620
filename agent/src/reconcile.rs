//! The pass: read, judge, render, validate, plan, apply, report. Read this file first.
//!
//! The only owner and writer of the agent's state, and the only caller of the stages, in this order:
//!
//! ```text
//! wake, answer -> membership -> guard -> render -> validate -> plan -> apply -> report
//!     \-> target -> view -> course -> apply -> report
//! ```
//!
//! [`Reconciler::decide`] looks and changes nothing, so that `render` and `diff` show exactly what `once` and `run`
//! would do. A pass cannot fail: whatever happens in it is in the [`Report`].

mod answers;
mod decide;
mod processes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::apply::{self, full};
use crate::clock::Timestamp;
use crate::course::{self, Next};
use crate::guard;
use crate::identity::{self, Identity};
use crate::installed::{Installed, Look};
use crate::ledger::{Ledger, Store};
use crate::membership::Wanted;
use crate::plan::{Class, Plan};
use crate::problem::Problem;
use crate::render;
use crate::report::{Outcome, Report};
use crate::ring::Ring;
use crate::settings::Settings;
use crate::source::{Answered, Doubt};
use crate::standing::Standing;
use crate::target::{About, Observed, Target};
use crate::validate::Validated;
use crate::wake::Reasons;

/// The owner of the state.
#[derive(Debug)]
pub struct Reconciler<T> {
    settings: Settings,
    target: T,
    store: Store,
    look: Look,
    /// What the last readable answer says, or why it says nothing.
    answer: Option<Result<Rc<Wanted>, Vec<Problem>>>,
    /// Doubtful answers in a row, and the last of them.
    doubts: u32,
    doubt: Option<Doubt>,
    /// Passes in a row in which this host did not let the agent do its work.
    failures: u32,
    /// When the host is tried again, and why it failed.
    failed: Option<(Instant, String)>,
    /// Why a kept generation is in place, until an answer is good again.
    restored: Option<String>,
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
    names: Option<BTreeMap<IpAddr, String>>,
    /// What the ledger learns of the processes.
    known: Option<course::Known>,
    /// Whether chmpx reports the installed generation.
    loaded: bool,
    /// What is done to the processes.
    next: Option<Next>,
    standing: Option<Standing>,
    about: Option<About>,
    /// Whether the live file is none that chmpx survives.
    mends: bool,
    /// Whether the failure is one that was counted before.
    again: bool,
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
    class: Class,
    /// What the hosts block must say; a kept file does not know all of it, and leaves the block alone.
    names: Option<BTreeMap<IpAddr, String>>,
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
    /// chmpx has not loaded the same ring.
    NotLoaded(String),
    /// chmpx ended of the newer ring, or got deaf.
    Rejected(String),
}

/// Everything that one decision starts from.
struct Scene {
    identity: Result<Identity, Vec<Problem>>,
    installed: Rc<Installed>,
    observed: Option<Observed>,
    about: Option<About>,
    doubt: Option<Doubt>,
    asked: Option<Duration>,
}

impl<T: Target> Reconciler<T> {
    /// A reconciler that has seen nothing yet.
    pub fn new(settings: Settings, target: T, store: Store, patient: bool) -> Self {
        Self {
            settings,
            target,
            store,
            look: Look::default(),
            answer: None,
            doubts: 0,
            doubt: None,
            failures: 0,
            failed: None,
            restored: None,
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

    /// The target of the present settings.
    pub fn target_mut(&mut self) -> &mut T {
        &mut self.target
    }

    /// What the agent remembers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Marks the held loss as meant. The next pass installs it, if it is still the same.
    pub fn confirm(&mut self, id: Option<&str>) -> Result<String, String> {
        confirm(&mut self.store, id)
    }

    /// One pass. It does not wait for the source: an answer is an argument, where one has come.
    pub async fn pass(&mut self, reasons: Reasons, answered: Option<Answered>) -> Report {
        let decision = self.decide(answered).await;
        self.carry_out(decision, reasons).await
    }

    /// Takes the answer, looks at everything and decides. Changes nothing on the host.
    pub async fn decide(&mut self, answered: Option<Answered>) -> Decision {
        let was_answered = answered.is_some();
        let (identity, doubt, asked) = match answered {
            Some(answered) => self.take(answered),
            None => (identity::read(&self.settings.k2hr3), None, None),
        };
        let installed = match self.look.at(&self.settings.ini.path) {
            Ok(installed) => installed,
            Err(error) => return Decision::leave(Outcome::Failed(full(&error)), asked),
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
        if self.patient {
            self.chart(&scene, &mut decision);
        }
        decision
    }

    async fn carry_out(&mut self, decision: Decision, reasons: Reasons) -> Report {
        let Decision { verdict, plan, waiting, mut notes, asked, guard, names, .. } = decision;
        let (known, loaded) = (decision.known, decision.loaded);
        // Another good answer has come since the one that was rolled back; one of them may be a cut one.
        let another = asked.is_some() && matches!(verdict, Decided::Leave(Outcome::Unchanged));
        let again = matches!(verdict, Decided::Leave(Outcome::Rejected(_)));
        let forget_after = self.settings.guard.confirm_for;
        let learnt = |ledger: &mut Ledger| {
            remember(ledger, guard, known, loaded);
            forget_rejected(ledger, another, again, forget_after);
        };
        if let Err(error) = self.store.learn(learnt) {
            notes.push(format!("what was learnt is not kept over a restart: {}", full(&error)));
        }
        let mends = decision.mends;
        let outcome = match verdict {
            Decided::Leave(Outcome::Unchanged) => self.adopt(names.as_ref(), &mut notes),
            Decided::Leave(outcome) => outcome,
            Decided::Install(installation) => self.install(*installation, &mut notes),
        };
        if let (Outcome::Installed(generation) | Outcome::Restored(generation, _), true) = (&outcome, mends) {
            self.processes.mended(generation.fileversion);
        }
        match outcome {
            Outcome::Failed(_) if decision.again => {}
            Outcome::Failed(ref text) => {
                self.failures += 1;
                let wait = self.settings.pace.after_doubt(self.failures, 1.0);
                self.failed = Some((Instant::now() + wait, text.clone()));
            }
            // The file is right; that it could not be written again is not over.
            Outcome::Unchanged if self.rests().is_some() => {}
            Outcome::Installed(_)
            | Outcome::Restored(..)
            | Outcome::Rewritten(..)
            | Outcome::RolledBack(..)
            | Outcome::Unchanged => self.failures = 0,
            Outcome::Settling
            | Outcome::Doubtful(_)
            | Outcome::Refused(_)
            | Outcome::Rejected(_)
            | Outcome::Held(_) => {}
        }
        let step = self.step(decision.next, decision.about.as_ref()).await;
        let (at, reasons, standing) = (Timestamp::now(), reasons.to_string(), decision.standing);
        Report { at, reasons, asked, outcome, plan, waiting, notes, standing, step }
    }

    /// Why the host is not tried again yet.
    fn rests(&self) -> Option<String> {
        let (at, text) = self.failed.as_ref()?;
        (self.failures > 0 && Instant::now() < *at).then(|| text.clone())
    }

    fn install(&mut self, installation: Installation, notes: &mut Vec<String>) -> Outcome {
        let Installation { validated, class, names, cause } = installation;
        let (running, same) = (self.processes.running(), matches!(cause, Cause::NotLoaded(_)));
        let rejected = match &cause {
            Cause::Rejected(why) => match self.keep_aside(why) {
                Ok(rejected) => Some(rejected),
                Err(error) => return Outcome::Failed(error),
            },
            Cause::Answer => None,
            Cause::Lost(_) | Cause::NotLoaded(_) => self.store.ledger().known.rejected.clone(),
        };
        let ring = render::name(&validated.rendered().ring);
        let at = (Timestamp::now(), validated.rendered().stamp.fileversion);
        let also = |ledger: &mut Ledger| {
            if matches!(cause, Cause::Answer) {
                let other = ledger.loaded.as_ref().is_some_and(|loaded| loaded.ring != ring);
                ledger.before = if other { ledger.loaded.clone() } else { ledger.before.take() };
            }
            if let Some((chmpx, k2hdkc)) = running {
                ledger.known.demand_for_change(class, chmpx, k2hdkc, class.meaning(), at);
                // Back to what they were last seen to run wholly.
                let back = ledger.verified.as_ref().is_some_and(|verified| verified.ring == ring);
                if back && matches!(cause, Cause::Answer) {
                    ledger.known.withdraw_change();
                }
                if let Cause::Rejected(why) = &cause {
                    ledger.known.demand_now(chmpx, k2hdkc, why, at);
                }
            }
            ledger.known.rejected = rejected;
        };
        let (settings, store) = (&self.settings, &mut self.store);
        let applied = match apply::install(&validated, names.as_ref(), settings, store, also) {
            Ok(applied) => applied,
            Err(error) => return Outcome::Failed(full(&error)),
        };
        self.settling = None;
        self.processes.replaced(!same);
        let fileversion = applied.generation.fileversion;
        notes.extend(applied.notes);
        if running.is_none() && class > Class::Reload {
            notes.push(format!("generation {fileversion}: {}", class.meaning()));
        }
        match cause {
            Cause::Answer => Outcome::Installed(applied.generation),
            Cause::NotLoaded(why) => Outcome::Rewritten(applied.generation, why),
            Cause::Rejected(why) => Outcome::RolledBack(applied.generation, why),
            Cause::Lost(why) => {
                self.restored = Some(format!("generation {fileversion}: {why}"));
                Outcome::Restored(applied.generation, why)
            }
        }
    }

    /// The file is right: the ledger and the hosts block must say so too, also after a kill in between, and for
    /// a right file that somebody else wrote.
    fn adopt(&mut self, names: Option<&BTreeMap<IpAddr, String>>, notes: &mut Vec<String>) -> Outcome {
        let path = self.settings.ini.path.clone();
        notes.extend(names.and_then(|names| apply::update_hosts(self.settings.hosts.as_deref(), names)));
        let adopted = self.look.at(&path).map_err(|error| full(&error)).and_then(|installed| {
            apply::adopt(&installed, &path, &mut self.store).map_err(|error| full(&error))
        });
        notes.extend(adopted.err().map(|error| format!("the ledger is not up to date: {error}")));
        Outcome::Unchanged
    }

    /// When a resting change is due.
    pub fn settled_at(&self) -> Option<Instant> {
        let due = self.settling.as_ref().filter(|_| self.answer.is_some())?.due(self.settings.settle);
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
            loaded: false,
            next: None,
            standing: None,
            about: None,
            mends: false,
            again: false,
        }
    }
}

/// What the ledger learns in a pass besides what is installed.
fn remember(ledger: &mut Ledger, guard: Option<guard::Memory>, known: Option<course::Known>, loaded: bool) {
    if let Some(guard) = guard {
        ledger.guard = guard;
    }
    let Some(known) = known else { return };
    ledger.known = known;
    if ledger.known.restart.is_none() {
        ledger.applied.clone_from(&ledger.written);
    }
    if loaded {
        ledger.loaded.clone_from(&ledger.written);
    }
    // A chmpx that runs on with old keys proves nothing of the new ones.
    if loaded && ledger.known.restart.is_none() {
        ledger.verified.clone_from(&ledger.written);
    }
}

/// A ring that was rolled back may come again once K2HR3 has said another one for a while.
fn forget_rejected(ledger: &mut Ledger, another: bool, again: bool, after: Duration) {
    let Some(rejected) = &mut ledger.known.rejected else { return };
    if again {
        rejected.gone = None;
    }
    if another {
        let gone = *rejected.gone.get_or_insert_with(Timestamp::now);
        if Timestamp::now().since(gone) >= after {
            ledger.known.rejected = None;
        }
    }
}

/// Marks the held loss as meant: all of it, or only if it is the one that `id` names.
pub fn confirm(store: &mut Store, id: Option<&str>) -> Result<String, String> {
    let Some(held) = store.ledger().guard.held.clone() else {
        return try_again(store, id);
    };
    if id.is_some_and(|id| id != held.id) {
        return Err(format!("what is held now is {}: {}", held.id, held.reasons.join("; ")));
    }
    if !held.releasable {
        let text = "chmpx would end on such a file, so no confirmation can release it";
        return Err(format!("{}: {text}", held.reasons.join("; ")));
    }
    store.update(|ledger| ledger.guard.confirmed = Some(held.id.clone())).map_err(|error| full(&error))?;
    Ok(format!("confirmed {}: {}", held.id, held.reasons.join("; ")))
}

/// Lets a ring be tried again that was rolled back.
fn try_again(store: &mut Store, id: Option<&str>) -> Result<String, String> {
    let rejected = store.ledger().known.rejected.clone();
    let Some(rejected) = rejected.filter(|rejected| id.is_none_or(|id| rejected.id() == id)) else {
        return Err("nothing is held or rejected, so there is nothing to confirm".to_owned());
    };
    store.update(|ledger| ledger.known.rejected = None).map_err(|error| full(&error))?;
    Ok(format!("confirmed {}: generation {} is tried again", rejected.id(), rejected.fileversion))
}
