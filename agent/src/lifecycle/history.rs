//! Keeps the past of the two programs that the agent may forget: since when they are as they are, and what was tried how often.
//!
//! Two writers: [`History::observe`] takes in one observation before the decision, [`History::record`] the outcome after the
//! act.

mod activity;
mod changes;
mod continuity;
mod exits;
mod file;
mod joining;
mod merge_work;
mod nudges;
mod prompts;
mod resolver;
mod signals;
mod waits;
mod writer;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

pub use file::Replacement;
pub(super) use file::SyncPause;
pub(super) use prompts::Due;
pub(super) use waits::Waiting;

use self::activity::Activity;
use self::changes::Changes;
use self::continuity::Continuity;
use self::exits::Exits;
use self::file::FileHistory;
use self::joining::Joining;
use self::merge_work::MergeWork;
use self::nudges::Nudges;
use self::prompts::Prompts;
use self::resolver::Resolver;
use self::signals::Signals;
use self::waits::Waits;
use self::writer::Writer;
use super::rules::{NUDGE_AGAIN, STALLED, TIDY_AGAIN};
use super::scene::Scene;
use super::situation::Situation;
use super::words::{Join, Reason, Start};
use super::{Action, Decision};
use crate::chmpx_state::{NodeStatus, Operation, Row};
use crate::retry::{Backoff, Retry};
use crate::supervisor::{ChmpxReport, Program, Step};

/// The past of the two programs.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The first look; whatever was before counts from then.
    born: Option<Instant>,
    visibility: Visibility,
    pub(super) file: FileHistory,
    pub(super) programs: PerProgram<Exits>,
    pub(super) signals: Signals,
    pub(super) disabling: PerProgram<Disabling>,
    pub(super) enabling: Retry,
    pub(super) writer: Writer,
    pub(super) nudges: Nudges,
    waits: Waits,
    /// The status of this node, and since when.
    status: Option<(NodeStatus, Instant)>,
    pub(super) ring: RingHistory,
    pub(super) joining: Joining,
    /// The latest removal of leftovers.
    tidied: Option<Instant>,
}

/// Values by program.
#[derive(Debug, Clone, Default)]
pub(super) struct PerProgram<T> {
    chmpx: T,
    k2hdkc: T,
}

impl<T> PerProgram<T> {
    pub(super) fn of(&self, program: Program) -> &T {
        match program {
            Program::Chmpx => &self.chmpx,
            Program::K2hdkc => &self.k2hdkc,
        }
    }

    fn of_mut(&mut self, program: Program) -> &mut T {
        match program {
            Program::Chmpx => &mut self.chmpx,
            Program::K2hdkc => &mut self.k2hdkc,
        }
    }
}

/// The past of the ring, as this node's chmpx tells it.
#[derive(Debug, Clone, Default)]
pub(super) struct RingHistory {
    pub(super) merge: MergeWork,
    pub(super) resolver: Resolver,
    pub(super) changes: Changes,
    pub(super) continuity: Continuity,
    pub(super) prompts: Prompts,
    activity: Activity,
}

/// Attempts to keep a program from further starts.
#[derive(Debug, Clone, Default)]
pub(super) struct Disabling {
    pub(super) done: bool,
    pub(super) failures: Retry,
}

/// Sight of the programs, and the loss of it.
#[derive(Debug, Clone, Default)]
struct Visibility {
    lost: Option<Instant>,
    seen: Option<Instant>,
}

impl History {
    /// Takes in one observation, before it is decided on.
    pub fn observe(&mut self, situation: &Situation<'_>) {
        let (now, observed) = (situation.now, situation.observed);
        self.born.get_or_insert(now);
        self.observe_visibility(situation);
        self.observe_exits(situation);
        self.file.observe(situation);
        if let Some(rival) = &observed.file.foreign_writer {
            self.writer.meet(&rival.of);
        }
        self.joining.observe(situation);
        self.ring.activity.observe(situation.view(), now);
        self.ring.resolver.observe(situation);
        self.ring.changes.observe(situation);
        self.observe_status(situation);
        if let (Some(chmpx), Some(view)) = (observed.chmpx, situation.view()) {
            self.ring.continuity.observe(chmpx.id, view);
            self.ring.prompts.observe(situation, view);
        }
        if observed.unobservable.is_none() {
            self.ring.merge.observe(situation);
        }
    }

    /// Stops the clocks while the programs are out of sight: as far as the agent knows they stand still.
    fn observe_visibility(&mut self, situation: &Situation<'_>) {
        if situation.observed.unobservable.is_some() {
            self.visibility.lost = self.visibility.lost.or(self.visibility.seen).or(Some(situation.now));
            return;
        }
        self.visibility.seen = Some(situation.now);
        let Some(since) = self.visibility.lost.take() else { return };
        let time = situation.now.duration_since(since);
        self.waits.still.iter_mut().for_each(|at| *at += time);
        self.nudges.stood_still(time);
        self.ring.merge.stood_still(time);
        self.signals.stood_still(time);
    }

    fn observe_exits(&mut self, situation: &Situation<'_>) {
        let (now, observed, backoff) = (situation.now, situation.observed, situation.limits.timing.backoff());
        for exit in &observed.events.exits {
            let asked = self.signals.asked(exit.was.id);
            let of_a_new_file =
                self.file.age(now).is_some_and(|age| age < situation.limits.timing.roll_back_within);
            if exit.program == Program::Chmpx && !asked && of_a_new_file && exit.how.is_own() {
                self.ring.continuity.doubt();
            }
            self.programs.of_mut(exit.program).ended(*exit, asked, now, (&backoff, situation.random));
        }
        for (program, why) in &observed.events.failed_starts {
            self.start_failed(*program, why, now, (&backoff, situation.random));
        }
        for (program, running) in [(Program::Chmpx, observed.chmpx), (Program::K2hdkc, observed.k2hdkc)] {
            self.programs.of_mut(program).observe(running, now);
        }
    }

    fn observe_status(&mut self, situation: &Situation<'_>) {
        let status = situation.view().map(|view| view.own.status);
        if self.status.map(|(status, _)| status) != status {
            self.status = status.map(|status| (status, situation.now));
            self.nudges = Nudges::default();
            self.waits.still = None;
            self.ring.merge.begin();
        }
    }

    /// Takes in what was decided, once it was tried. `failure` is the error of the step.
    pub fn record(&mut self, decision: &Decision, failure: Option<&str>, at: &At) {
        self.waits.record(decision);
        if decision.serves {
            self.joining.repairs = 0;
        }
        if let Some(restart) = decision.restarts {
            self.signals.restarts(restart.chmpx);
        }
        // A hold is the operator's to end: nobody waits for more.
        if matches!(decision.action, Action::Converged | Action::Hold(..)) {
            self.signals.midway = false;
        }
        match &decision.action {
            Action::Step(step, reason) => self.record_step(step, reason, failure, (decision.at, at)),
            Action::Demand(demand) => {
                self.joining.repairs += u32::from(demand.repair);
                self.joining.reconnects +=
                    u32::from(matches!(demand.reason, Reason::Start(Start::LooksAnew(_))));
            }
            _ => {}
        }
    }

    /// `decided` is the time of the decision: a step may take a moment, and its effects begin within it.
    fn record_step(
        &mut self,
        step: &Step,
        reason: &Reason,
        failure: Option<&str>,
        (decided, at): (Instant, &At),
    ) {
        match step {
            Step::Start(program) => self.record_start(*program, failure, (decided, at)),
            Step::Signal(_, id, _) => self.signals.record(*id, failure, at),
            Step::Disable(program) => {
                let disabling = self.disabling.of_mut(*program);
                disabling.done = failure.is_none();
                record_boot(&mut disabling.failures, failure, at.now);
            }
            Step::Enable(_) => record_boot(&mut self.enabling, failure, at.now),
            Step::Control(_) if *reason == Reason::Join(Join::Announces) => self.file.announced(decided),
            Step::Control(_) => self.nudges.record(decided),
            Step::Prompt(server) => self.ring.prompts.told(*server, decided),
            Step::RemoveLeftovers => self.tidied = Some(decided),
            Step::DisableWriter => self.writer.record(failure, at),
            Step::SyncFile => self.file.synced(failure, at),
        }
        if failure.is_none() && matches!(step, Step::DisableWriter) {
            self.file.may_sync();
        }
    }

    fn record_start(&mut self, program: Program, failure: Option<&str>, (decided, at): (Instant, &At)) {
        if program == Program::K2hdkc {
            self.waits.since.remove(&Waiting::Peers);
            self.joining.reconnects = 0;
            self.joining.begun = Some((decided, None));
        }
        if let Some(error) = failure {
            self.start_failed(program, error, at.now, (&at.backoff, at.random));
        }
    }

    fn start_failed(&mut self, program: Program, why: &str, now: Instant, backoff: (&Backoff, f64)) {
        if program == Program::K2hdkc {
            self.joining.begun = None;
        }
        self.programs.of_mut(program).refused(why, now, backoff);
    }

    /// Takes in that the file was replaced.
    pub fn replaced(&mut self, now: Instant, replacement: Replacement) {
        self.file.replaced(now, replacement);
        if replacement == Replacement::NewRing {
            self.programs.chmpx.forget_failures();
        }
    }

    /// Takes in that the node is to run its programs again.
    pub fn stays(&mut self) {
        self.disabling = PerProgram::default();
    }

    /// Returns when chmpx may be asked again after the latest replacement of the file.
    pub fn quiet_until(&self, quiet: Duration) -> Option<Instant> {
        self.file.quiet_until(quiet)
    }

    /// Returns the latest answer of chmpx, if it is younger than the quiet time after the latest replacement.
    pub fn current_report<'a>(&self, situation: &Situation<'a>) -> Option<&'a ChmpxReport> {
        self.file.current_report(situation)
    }

    /// Returns true while the ring moves; chmpx is asked often then.
    pub fn is_stirred(&self, now: Instant) -> bool {
        self.ring.activity.moves(now)
    }

    /// Returns true while something that the agent stopped does not run again yet.
    pub fn is_midway(&self) -> bool {
        self.signals.midway
    }

    /// Returns how long the programs have been out of sight.
    pub(super) fn unseen_for(&self, now: Instant) -> Duration {
        self.visibility.lost.map_or(Duration::ZERO, |since| now.duration_since(since))
    }

    /// Returns how long that has been waited for in every pass, without a break.
    pub(super) fn waited_for(&self, what: Waiting, now: Instant) -> Duration {
        self.waits.since.get(&what).map_or(Duration::ZERO, |since| now.duration_since(*since))
    }

    /// Returns true where nothing has moved for so long that the operator should look.
    pub(super) fn stalls(&self, scene: &Scene<'_>, waits: &BTreeSet<Waiting>) -> bool {
        let doing = |row: &Row| row.status.operation() == Operation::Doing;
        let merges = scene.view().is_some_and(|view| view.servers.iter().any(doing));
        !merges && !self.waits.begins(waits) && self.waits.still.is_some_and(|at| scene.now - at >= STALLED)
    }

    /// Returns how long k2hdkc has been gone, as far as that is known.
    pub(super) fn k2hdkc_gone_for(&self, now: Instant) -> Duration {
        self.programs.k2hdkc.gone().or(self.born).map_or(Duration::ZERO, |at| now.duration_since(at))
    }

    /// Returns how long this node has had its status.
    pub(super) fn in_status_for(&self, now: Instant) -> Duration {
        self.status.map_or(Duration::ZERO, |(_, since)| now.duration_since(since))
    }

    /// Returns the symptom of a stuck merge, where this node is in one.
    pub(super) fn merge_sticks(&self, scene: &Scene<'_>) -> Option<String> {
        let (status, _) = self.status?;
        self.ring.merge.sticks(scene, status)
    }

    /// Returns true where leftovers were removed a short time ago.
    pub(super) fn tidied_lately(&self, now: Instant) -> bool {
        self.tidied.is_some_and(|at| now.duration_since(at) < TIDY_AGAIN)
    }
}

/// Records an attempt to change what starts at the next boot.
fn record_boot(attempts: &mut Retry, failure: Option<&str>, now: Instant) {
    match failure {
        Some(error) => attempts.failed(now, error, &Backoff::new(NUDGE_AGAIN, NUDGE_AGAIN), 1.0),
        None => attempts.succeeded(),
    }
}

/// Time and chance of a record.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The present.
    pub now: Instant,
    /// The pauses after failures.
    pub backoff: Backoff,
    /// A random number from 0 to 1, for their jitter.
    pub random: f64,
}
