//! The process half of the pass: observe, decide, take one step, record.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::leaving::Obstacle;
use super::{ProgramsDecision, Reconciler, Scene, Seen, stopping};
use crate::clock::BootTime;
use crate::generation::Generation;
use crate::installed::Installed;
use crate::lifecycle::{self, Action, At, History, InstalledFile, Replacement, SOON, Situation};
use crate::names::Port;
use crate::problem::chain;
use crate::ring::{Mode, Node, NodeKey, Ring};
use crate::settings::Restarts;
use crate::standing::Standing;
use crate::supervisor::{Ask, Done, NodeSpec, Observed, ProcessId, Program, Step, Supervisor};

/// The chmpx and the k2hdkc that run.
pub(super) type Ids = (Option<ProcessId>, Option<ProcessId>);

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
    /// When the processes are looked at again.
    pub(super) next_look: Option<Instant>,
    running: Option<Ids>,
    /// The generation that cannot be rolled back, and why: the node goes on with it.
    pub(super) no_way_back: Option<(u32, String)>,
    /// The generation that replaced a file which chmpx does not survive.
    mended: Option<u32>,
    /// Obstacle of a leave at the latest look.
    pub(super) obstacle: Option<Obstacle>,
}

/// A K2HR3 that does not answer at once keeps nobody from looking at the processes.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// A newcomer that has waited so long asks the others whether they know it by now, however seldom they ask K2HR3.
const KNOWN_WITHIN: Duration = Duration::from_mins(1);

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

impl Scene {
    /// Servers of the installed file that chmpx reports as up, by their names in the file: chmpx shows resolved ones.
    pub(super) fn up(&self) -> Option<BTreeSet<NodeKey>> {
        let said = self.observed.as_ref()?.control.report.as_ref()?;
        let ring = self.installed.ring()?;
        let is_up = |row: &&crate::view::Row| row.status.is_up();
        let rows: Vec<_> = said.view.servers.iter().filter(is_up).collect();
        let up = ring.servers.iter().filter(|node| rows.iter().any(|row| row.is_of(node)));
        Some(up.map(Node::key).collect())
    }

    /// Returns the number of nodes that the running chmpx has room for.
    pub(super) fn capacity(&self) -> Option<usize> {
        self.observed.as_ref()?.control.report.as_ref()?.view.capacity
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Describes this node for the supervisor. A chmpx that runs listens where it was started to. The others may not know a
    /// newcomer before they ask K2HR3 again, and they ask it as often as this node does.
    pub(super) fn about(&self, installed: &Installed) -> Option<NodeSpec> {
        let mut about = NodeSpec::of(installed.ring()?, &self.settings.ini.path)?;
        if self.store.ledger().loaded.is_none() {
            let interval = self.membership.interval(&self.settings.poll);
            about.known_after = interval.min(KNOWN_WITHIN);
        }
        let running = self.processes.running.map(|(chmpx, _)| chmpx);
        if let Some(ran) = self.store.ledger().known.chmpx
            && running.is_none_or(|chmpx| chmpx == Some(ran.id))
        {
            about.control.set_port(ran.ctlport);
            // So it is called in its own table as well.
            about.own.1 = Port::try_from(ran.ctlport).unwrap_or(about.own.1);
        }
        if self.leaving().is_some() || self.stopped().is_some_and(|stopped| !stopped.follows()) {
            // Nobody lets it in again; and to those that do not list it any more, each question costs a row of look-ups.
            about.others.clear();
        }
        Some(about)
    }

    pub(super) async fn observe(
        &mut self,
        about: Option<&NodeSpec>,
        installed: &Installed,
    ) -> Option<Observed> {
        let ask = if self.daemon { self.may_ask(Instant::now()) } else { self.may_ask_once(installed).await };
        let seen = match about {
            Some(about) => self.supervisor.observe(about, ask).await,
            None => None,
        };
        if seen.is_none() {
            let unmoved = about.is_some() && self.supervisor.look_again().is_none();
            self.processes.obstacle = unmoved.then_some(Obstacle::Unmoved);
            self.processes.running = None;
            self.processes.next_look = about.and_then(|_| self.supervisor.look_again());
        }
        let observed = seen?;
        let is_server = about.is_some_and(|about| about.mode == Mode::Server);
        self.processes.comes = is_server && observed.control.report.is_none() && observed.control.refuses;
        if ask != Ask::No && observed.chmpx.is_some() {
            self.processes.asked = Some(Instant::now());
        }
        self.processes.running =
            Some((observed.chmpx.map(|process| process.id), observed.k2hdkc.map(|process| process.id)));
        Some(observed)
    }

    /// Decides on the next step of the processes. A file that is to be installed anyway comes first.
    pub(super) fn decide_lifecycle(
        &mut self,
        scene: &Scene,
        installs: bool,
        notes: &mut Vec<String>,
    ) -> ProgramsDecision {
        let (Some(observed), Some(ring), Some(about)) =
            (&scene.observed, scene.installed.ring(), &scene.about)
        else {
            // A file that comes back may show them.
            let known = if installs { None } else { self.leave_unseen() };
            return ProgramsDecision { known, ..ProgramsDecision::default() };
        };
        let file = self.installed_file(scene, about);
        notes.extend(self.processes.no_way_back(file.fileversion).map(str::to_owned));
        notes.extend(observed.control.declined.clone().into_iter().chain(observed.peers.unprompted.clone()));
        let (now, boot, random) = (Instant::now(), self.clock.now().boot, fastrand::f64());
        let limits = &self.settings.supervisor;
        let situation = Situation { now, boot, random, ring, file, observed, limits };
        let mut persisted = self.store.ledger().known.clone();
        self.processes.history.observe(&situation);
        persisted.observe(&situation);
        // A file that is installed comes before any step, and no step is asked for that is not taken.
        let decide = if installs { lifecycle::decide_before_file } else { lifecycle::decide };
        let mut decided = decide(&situation, &self.processes.history, &persisted);
        let known = &decided.persisted;
        let (against, price) = (lifecycle::obstacle(&situation, known), lifecycle::price(&situation));
        self.processes.obstacle = Some(Obstacle::Seen { against, price });
        let age = observed.k2hdkc.map(|k2hdkc| now.saturating_duration_since(k2hdkc.since));
        let watching = known.copies.is_watching(age) || self.processes.history.is_stirred(now);
        let seen = self.seen(&situation, about);
        let request = self.asked_for(scene, &decided.action).unwrap_or_else(|(reason, time)| {
            decided.obstruct(reason, time);
            None
        });
        let request = request.map(Box::new);
        let decision = self.decided(observed, decided, now, watching);
        ProgramsDecision { seen, request, spec: scene.about.clone(), ..decision }
    }

    /// Takes over a decision of the lifecycle.
    pub(super) fn decided(
        &mut self,
        observed: &Observed,
        decided: lifecycle::Decision,
        now: Instant,
        watching: bool,
    ) -> ProgramsDecision {
        self.processes.settled = matches!(decided.action, Action::Converged | Action::Hold(..));
        self.processes.next_look = Some(now + self.until_look(&decided.action, watching));
        ProgramsDecision {
            standing: Some(Standing::of(observed, &decided, now)),
            known: Some(decided.persisted.clone()),
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
    fn installed_file(&self, scene: &Scene, about: &NodeSpec) -> InstalledFile {
        let ledger = self.store.ledger();
        let fileversion = scene.installed.fileversion().unwrap_or_default();
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

    /// Takes the step that was decided, and records its outcome. Returns that outcome in one line.
    pub(super) async fn step(
        &mut self,
        decided: Option<&lifecycle::Decision>,
        about: Option<&NodeSpec>,
    ) -> Option<Result<String, String>> {
        let decided = decided?;
        let (Action::Step(step, reason), Some(about)) = (&decided.action, about) else {
            self.record(decided, None);
            return None;
        };
        let text = format!("{}: {reason}", step.text());
        if *step == Step::Start(Program::K2hdkc) {
            self.awaits(Some(self.clock.now().boot));
        }
        let outcome = self.supervisor.act(step, about).await;
        let failure = outcome.as_ref().err().map(|error| chain(error));
        self.record(decided, failure.as_deref());
        let Ok(done) = outcome else {
            if *step == Step::Start(Program::K2hdkc) {
                self.awaits(None);
            }
            return Some(Err(format!("{text}: {}", failure.unwrap_or_default())));
        };
        Some(self.keep_done(step, &done).map(|()| match done {
            Done::Started(id) => format!("{text} (pid {})", id.pid),
            Done::Plainly | Done::Disabled => text,
        }))
    }

    /// Records a decision once it was tried.
    fn record(&mut self, decided: &lifecycle::Decision, failure: Option<&str>) {
        let backoff = self.settings.supervisor.timing.backoff();
        let at = At { now: Instant::now(), backoff, random: fastrand::f64() };
        self.processes.history.record(decided, failure, &at);
        if failure.is_none() && matches!(decided.action, Action::Step(Step::SyncFile, _)) {
            // The processes hear of the file only now.
            self.processes.settled = false;
        }
    }

    /// Keeps what the next agent must know of a step that was taken.
    fn keep_done(&mut self, step: &Step, done: &Done) -> Result<(), String> {
        match (step, done) {
            (Step::Enable(_), Done::Plainly) => self.boots(step, false),
            (_, Done::Disabled) => self.boots(step, true),
            (_, Done::Started(id)) => self.started(step, *id),
            (_, Done::Plainly) => Ok(()),
        }
    }

    /// Keeps which programs a leave has disabled, until they are enabled again.
    fn boots(&mut self, step: &Step, was_enabled: bool) -> Result<(), String> {
        let kept = self.store.learn(|ledger| {
            let disabled = &mut ledger.known.disabled;
            match step {
                Step::Disable(program) if was_enabled => drop(disabled.insert(*program)),
                Step::Enable(program) => drop(disabled.remove(program)),
                _ => {}
            }
        });
        kept.map_err(|error| format!("what starts at the next boot is not kept: {}", chain(&error)))
    }

    /// Keeps that a start of k2hdkc is asked for, before it is. A full disk, of which every pass tells, keeps it from nothing.
    fn awaits(&mut self, at: Option<BootTime>) {
        let _ = self.store.learn(|ledger| ledger.known.awaited = at);
    }

    fn started(&mut self, step: &Step, id: ProcessId) -> Result<(), String> {
        if *step != Step::Start(Program::K2hdkc) {
            return Ok(());
        }
        let kept = self.store.learn(|ledger| {
            (ledger.known.started, ledger.known.awaited) = (Some(id), None);
        });
        kept.map_err(|error| format!("k2hdkc (pid {}) runs, but that is not kept: {}", id.pid, chain(&error)))
    }

    /// From now on no restart begins; the agent ends.
    pub fn begin_nothing(&mut self) {
        self.settings.supervisor.restarts = Restarts::Never;
    }

    /// Returns true while something that was stopped, or taken out of service, must come back.
    pub fn is_midway(&self) -> bool {
        // Who leaves has nothing to bring back; the next agent goes on with it.
        self.leaving().is_none()
            && self.stopped().is_none()
            && (self.processes.history.is_midway() || self.store.ledger().known.drained.is_some())
    }

    /// When the processes are looked at again.
    pub fn look_at(&self) -> Option<Instant> {
        self.processes.next_look
    }

    /// Runs one pass towards the end of both programs. Returns true once nothing runs, and the step. A file that is missing
    /// or cannot be read does not keep them running: they are found by its path.
    pub async fn end(&mut self) -> (bool, Option<Result<String, String>>) {
        let now = self.clock.now();
        let installed = self.files.look.at(&self.settings.ini.path, now.wall);
        let installed = installed.unwrap_or_else(|_| Installed::Missing.into());
        let about = self.about(&installed).unwrap_or_else(|| NodeSpec::unread(&self.settings.ini.path));
        let Some(observed) = self.supervisor.observe(&about, Ask::No).await else { return (true, None) };
        let unread = Ring::unread(about.mode);
        let ring =
            installed.ring().filter(|ring| ring.mode() == Some(about.mode)).map_or(&unread, |ring| ring);
        let file = InstalledFile {
            fileversion: installed.fileversion().unwrap_or_default(),
            ctlport: about.control.port(),
            ..InstalledFile::default()
        };
        let limits = &self.settings.supervisor;
        let situation = Situation { file, ..stopping::bare(ring, &observed, limits, now.boot) };
        self.processes.history.observe(&situation);
        let persisted = &self.store.ledger().known;
        let decided = lifecycle::shutdown(&situation, &self.processes.history, persisted);
        if decided.action == Action::Converged {
            return (true, None);
        }
        (false, self.step(Some(&decided), Some(&about)).await)
    }
}
