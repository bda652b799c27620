//! The process half of the pass: observe, decide, take one step, record.

use std::time::Duration;

use tokio::time::Instant;

use super::leaving::Obstacle;
use super::{Inputs, ProgramsDecision, Reconciler, Seen};
use crate::generation::Generation;
use crate::lifecycle::{self, Action, History, InstalledFile, Replacement, SOON, Situation};
use crate::process_status::ProcessStatus;
use crate::ring::Ring;
use crate::ring_change::Progress;
use crate::ring_change::prediction::Prediction;
use crate::ring_task::Assignment;
use crate::supervisor::database::Elements;
use crate::supervisor::{NodeSpec, Observed, ProcessId, Supervisor};

/// The chmpx and the k2hdkc that run.
pub(super) type Ids = (Option<ProcessId>, Option<ProcessId>);

/// Mode in which a ring delivers (DELIVERMODE).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Each key has its servers.
    #[default]
    ByHash,
    /// Any server takes any key: a change copies nothing.
    AtRandom,
}

impl Delivery {
    /// Returns the mode of a ring.
    pub(super) fn of(ring: &Ring) -> Self {
        let random = ring.global("DELIVERMODE").eq_ignore_ascii_case("random");
        if random { Self::AtRandom } else { Self::ByHash }
    }
}

/// Memory of the programs from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Processes {
    pub(super) history: History,
    /// True where a server's chmpx does not listen yet: a question that is refused disturbs nothing.
    pub(super) comes: bool,
    /// When chmpx was last asked.
    pub(super) asked: Option<Instant>,
    /// True where nothing was on its way after the last pass.
    pub(super) settled: bool,
    /// Time of the next look at the processes.
    pub(super) next_look: Option<Instant>,
    pub(super) running: Option<Ids>,
    /// The generation that cannot be rolled back, and why: the node goes on with it.
    pub(super) no_way_back: Option<(u32, String)>,
    /// The generation that replaced a file which chmpx does not survive.
    mended: Option<u32>,
    /// Obstacle of a leave at the latest look.
    pub(super) obstacle: Option<Obstacle>,
    /// The change of the ring as it was seen last.
    pub(super) ring_change: Progress,
    /// True where this server gives its merges back to chmpx: its agent is removed.
    pub(super) hands_over: bool,
    /// The prediction of the next change of the ring, or of the one under way.
    pub(super) prediction: Option<Prediction>,
    /// The mode in which the installed ring delivers.
    pub(super) delivery: Delivery,
    /// The count of elements in the database file.
    pub(super) elements: Elements,
    /// The prediction by which this server holds newcomers.
    pub(super) held: Option<Prediction>,
    /// The part of this node in the changes of its ring.
    pub(super) assignment: Option<Assignment>,
}

/// A K2HR3 that does not answer at once keeps nobody from looking at the processes.
const FIRST_LOOK: Duration = Duration::from_secs(1);

impl Processes {
    /// Makes an empty memory. A command looks once, and has no next look.
    pub(super) fn new(daemon: bool) -> Self {
        Self { next_look: daemon.then(|| Instant::now() + FIRST_LOOK), ..Self::default() }
    }

    /// Returns why that generation cannot be rolled back.
    fn no_way_back(&self, fileversion: u32) -> Option<&str> {
        let of_it = self.no_way_back.as_ref().filter(|(version, _)| *version == fileversion);
        of_it.map(|(_, why)| why.as_str())
    }

    /// Returns the running programs, where the agent has them to look after.
    pub(super) fn running(&self) -> Option<Ids> {
        self.running
    }

    /// The node is to run what its file says again.
    pub(super) fn stays(&mut self) {
        self.history.stays();
        self.next_look = Some(Instant::now());
    }

    /// Forgets when the next look is due.
    pub(super) fn unseen(&mut self) {
        self.next_look = None;
    }

    /// Keeps that this generation replaced no file, or one that chmpx does not survive.
    pub(super) fn mended(&mut self, fileversion: u32) {
        self.mended = Some(fileversion);
    }

    /// The file was replaced.
    pub(super) fn replaced(&mut self, replacement: Replacement) {
        self.history.replaced(Instant::now(), replacement);
        self.settled = false;
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Decides on the next step of the processes. A file that is to be installed anyway comes first.
    pub(super) fn decide_lifecycle(
        &mut self,
        inputs: &Inputs,
        installs: bool,
        notes: &mut Vec<String>,
    ) -> ProgramsDecision {
        let (Some(observed), Some(ring), Some(about)) =
            (&inputs.observed, inputs.installed.ring(), &inputs.about)
        else {
            // A file that comes back may show them.
            let persisted = if installs { None } else { self.leave_unseen() };
            return ProgramsDecision { persisted, ..ProgramsDecision::default() };
        };
        let file = self.installed_file(inputs, about);
        notes.extend(self.processes.no_way_back(file.fileversion).map(str::to_owned));
        notes.extend(observed.control.declined.clone().into_iter().chain(observed.peers.unprompted.clone()));
        let (now, boot, random) = (Instant::now(), self.clock.now().boot, fastrand::f64());
        let limits = &self.settings.supervisor;
        let ring_change = self.ring_change().cloned();
        let ring_change = ring_change.as_ref();
        let situation = Situation { now, boot, random, ring, file, observed, limits, ring_change };
        let mut persisted = self.store.ledger().processes.clone();
        self.processes.history.observe(&situation);
        persisted.observe(&situation);
        // A file that is installed comes before any step, and no step is asked for that is not taken.
        let decide = if installs { lifecycle::decide_before_file } else { lifecycle::decide };
        let (mut decided, persisted) = decide(&situation, &self.processes.history, &persisted);
        let [leave, stop] = [false, true].map(|returns| lifecycle::obstacle(&situation, returns));
        self.processes.obstacle = Some(Obstacle::Seen { leave, stop });
        let watching = self.processes.history.is_stirred(now);
        let seen = self.seen(&situation, about);
        let request = self.asked_for(inputs, &decided.action).unwrap_or_else(|(reason, time)| {
            decided.obstruct(reason, time);
            None
        });
        let request = request.map(Box::new);
        let decision = self.decided(observed, (decided, persisted), now, watching);
        ProgramsDecision { seen, request, spec: inputs.about.clone(), ..decision }
    }

    /// Takes over a decision of the lifecycle.
    pub(super) fn decided(
        &mut self,
        observed: &Observed,
        (decided, persisted): lifecycle::Decided,
        now: Instant,
        watching: bool,
    ) -> ProgramsDecision {
        self.processes.settled = matches!(decided.action, Action::Converged | Action::Hold(..));
        self.processes.next_look = Some(now + self.until_look(&decided.action, watching));
        ProgramsDecision {
            processes: Some(ProcessStatus::of(observed, &decided, now)),
            persisted: Some(persisted),
            lifecycle: Some(Box::new(decided)),
            ..ProgramsDecision::default()
        }
    }

    /// Returns how the processes are seen with the installed file.
    fn seen(&self, situation: &Situation<'_>, about: &NodeSpec) -> Seen {
        let said = self.processes.history.current_report(situation);
        let ours = situation.file.age.is_some();
        let fileversion = Some(situation.file.fileversion);
        Seen {
            carried: ours && situation.observed.runs(about.mode),
            loaded: ours && said.is_some_and(|said| said.view.fileversion == fileversion),
        }
    }

    /// Returns the installed file, and what the ledger knows of it.
    fn installed_file(&self, inputs: &Inputs, about: &NodeSpec) -> InstalledFile {
        let ledger = self.store.ledger();
        let fileversion = inputs.installed.fileversion().unwrap_or_default();
        let written = ledger.written.as_ref().filter(|written| written.fileversion == fileversion);
        let is = |generation: Option<&Generation>| generation.is_some_and(|g| g.fileversion == fileversion);
        let way = self.processes.no_way_back(fileversion).is_none();
        let of_another_ring = |generation: Option<&Generation>| {
            let differs = |generation: &Generation| written.is_some_and(|w| w.ring != generation.ring);
            way && generation.is_some_and(differs)
        };
        InstalledFile {
            fileversion,
            ctlport: about.file_ctlport(),
            age: written.map(|_| ledger.written_for(self.clock.now().boot)),
            loaded: is(ledger.loaded.as_ref()),
            verified: is(ledger.verified.as_ref()),
            replaces_unloadable: self.processes.mended == Some(fileversion),
            has_previous: of_another_ring(ledger.before.as_ref()),
            has_verified: of_another_ring(ledger.verified.as_ref()),
        }
    }

    /// Returns the time until the next look.
    pub(super) fn until_look(&self, action: &Action, watching: bool) -> Duration {
        let rules = &self.settings.supervisor;
        match action {
            Action::Converged if watching => rules.timing.min_query_interval.max(SOON),
            Action::Converged => rules.timing.resync_interval,
            Action::Hold(_, time) if watching => (*time).min(rules.timing.min_query_interval).max(SOON),
            Action::Wait(_, time) | Action::Hold(_, time) => (*time).max(SOON),
            Action::Step(..) | Action::Demand(_) | Action::Rewrite(..) | Action::RollBack(..) => SOON,
        }
    }
}
