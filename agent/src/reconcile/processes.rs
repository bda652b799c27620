//! The process half of the pass: observe, decide, take one step.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::leaving::Obstacle;
use super::{Decided, Decision, Reconciler, Scene, Seen, stopping};
use crate::clock::BootTime;
use crate::generation::Generation;
use crate::installed::Installed;
use crate::lifecycle::{self, Case, Memory, Next, Restarts, SOON, Ways};
use crate::names::Port;
use crate::problem::chain;
use crate::ring::{Mode, Node, NodeKey, Ring};
use crate::standing::Standing;
use crate::supervisor::{Ask, Done, Identity, NodeSpec, Observed, Program, Step, Supervisor};

/// The chmpx and the k2hdkc that run.
pub(super) type Ids = (Option<Identity>, Option<Identity>);

/// What is remembered of the processes from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Processes {
    pub(super) memory: Memory,
    /// Whether a server's chmpx does not listen yet: whoever is refused disturbs nobody.
    pub(super) comes: bool,
    /// When chmpx was last asked.
    pub(super) asked: Option<Instant>,
    /// Whether nothing was on its way after the last pass.
    pub(super) settled: bool,
    /// When the processes are looked at again.
    pub(super) next_look: Option<Instant>,
    running: Option<Ids>,
    /// The generation that cannot be rolled back, and why: the node goes on with it.
    pub(super) no_way_back: Option<(u32, String)>,
    /// The generation that replaced a file which chmpx does not survive.
    mended: Option<u32>,
    /// What keeps the node from leaving, when that was last seen.
    pub(super) obstacle: Option<Obstacle>,
}

/// A K2HR3 that does not answer at once keeps nobody from looking at the processes.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// A newcomer that has waited so long asks the others whether they know it by now, however seldom they ask K2HR3.
const KNOWN_WITHIN: Duration = Duration::from_mins(1);

impl Processes {
    /// Nothing was looked at yet. Who only looks once is not told when.
    pub(super) fn new(patient: bool) -> Self {
        Self { next_look: patient.then(|| Instant::now() + FIRST_LOOK), ..Self::default() }
    }

    /// What runs, where that is the agent's business.
    pub(super) fn running(&self) -> Option<Ids> {
        self.running
    }

    /// The node is to run what its file says again.
    pub(super) fn stays(&mut self) {
        self.memory.stays();
        self.next_look = Some(Instant::now());
    }

    /// Nothing is known of the present yet.
    pub(super) fn unseen(&mut self) {
        self.next_look = None;
    }

    /// This generation replaced a file which chmpx does not survive, or none.
    pub(super) fn mended(&mut self, fileversion: u32) {
        self.mended = Some(fileversion);
    }

    /// The file was replaced.
    pub(super) fn replaced(&mut self, anew: bool) {
        self.memory.replaced(Instant::now(), anew);
        self.settled = false;
    }
}

impl Scene {
    /// Servers of the installed file that chmpx reports as up, by their names in the file: chmpx shows resolved ones.
    pub(super) fn up(&self) -> Option<BTreeSet<NodeKey>> {
        let said = self.observed.as_ref()?.said.as_ref()?;
        let ring = self.installed.ring()?;
        let is_up = |row: &&crate::view::Row| row.status.is_up();
        let rows: Vec<_> = said.view.servers.iter().filter(is_up).collect();
        let up = ring.servers.iter().filter(|node| rows.iter().any(|row| lifecycle::is_row_of(row, node)));
        Some(up.map(Node::key).collect())
    }

    /// How many nodes the running chmpx has room for.
    pub(super) fn capacity(&self) -> Option<usize> {
        self.observed.as_ref()?.said.as_ref()?.view.capacity
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// What the supervisor must know of this node. A chmpx that runs listens where it was started to. The others may not know a
    /// newcomer before they ask K2HR3 again, and they ask it as often as this node does.
    pub(super) fn about(&self, installed: &Installed) -> Option<NodeSpec> {
        let mut about = NodeSpec::of(installed.ring()?, &self.settings.ini.path)?;
        if self.store.ledger().loaded.is_none() {
            let interval = self.settings.pace.interval(self.nodes, self.cost.unwrap_or_default());
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
        let ask =
            if self.patient { self.may_ask(Instant::now()) } else { self.may_ask_once(installed).await };
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
        self.processes.comes = is_server && observed.said.is_none() && observed.shut;
        if ask != Ask::No && observed.chmpx.is_some() {
            self.processes.asked = Some(Instant::now());
        }
        self.processes.running =
            Some((observed.chmpx.map(|process| process.id), observed.k2hdkc.map(|process| process.id)));
        Some(observed)
    }

    /// Decides what comes next for the processes. Where a file is to be installed anyway, that comes first.
    pub(super) fn chart(&mut self, scene: &Scene, decision: &mut Decision) {
        let now = Instant::now();
        let (Some(observed), Some(ring), Some(about)) =
            (&scene.observed, scene.installed.ring(), &scene.about)
        else {
            // A file that comes back may show them.
            if !matches!(decision.verdict, Decided::Install(_)) {
                decision.known = self.leave_unseen();
            }
            return;
        };
        let ledger = self.store.ledger();
        let fileversion = scene.installed.fileversion().unwrap_or_default();
        let written = ledger.written.as_ref().filter(|written| written.fileversion == fileversion);
        let verified = ledger.verified.as_ref();
        let no_way_back = self.processes.no_way_back.as_ref().filter(|(version, _)| *version == fileversion);
        decision.notes.extend(no_way_back.map(|(_, why)| why.clone()));
        let is_way = |way: Option<&Generation>| {
            no_way_back.is_none()
                && way.is_some_and(|way| written.is_some_and(|written| written.ring != way.ring))
        };
        let ways = Ways { before: is_way(ledger.before.as_ref()), proven: is_way(verified) };
        let boot = self.clock.now().boot;
        let case = Case {
            now,
            boot,
            ring,
            fileversion,
            ctlport: NodeSpec::of(ring, &about.ini).map_or(0, |own| own.control.port()),
            observed,
            written: written.map(|_| ledger.written_for(boot)),
            ways,
            loaded: ledger.loaded.as_ref().is_some_and(|loaded| loaded.fileversion == fileversion),
            verified: verified.is_some_and(|verified| verified.fileversion == fileversion),
            mended: self.processes.mended == Some(fileversion),
            rules: &self.settings.supervisor.rules,
        };
        decision.notes.extend(observed.declined.clone().into_iter().chain(observed.unprompted.clone()));
        let mut known = ledger.known.clone();
        // A file that is installed comes before any step, and what is not taken is not asked for.
        let installs = matches!(decision.verdict, Decided::Install(_));
        let mut course = if installs {
            lifecycle::before_file(&case, &mut self.processes.memory, &mut known)
        } else {
            lifecycle::chart(&case, &mut self.processes.memory, &mut known)
        };
        let (against, price) = (lifecycle::obstacle(&case, &known), lifecycle::price(&case));
        self.processes.obstacle = Some(Obstacle::Seen { against, price });
        let age = observed.k2hdkc.map(|k2hdkc| now.saturating_duration_since(k2hdkc.since));
        let watching = known.copies.is_watching(age) || self.processes.memory.is_stirred(now);
        let quiet_until = self.processes.memory.quiet_until(case.rules.quiet);
        let said = observed.said.as_ref().filter(|said| quiet_until.is_none_or(|until| said.at >= until));
        decision.seen = Seen {
            carried: written.is_some() && observed.runs(about.mode),
            loaded: written.is_some() && said.is_some_and(|said| said.view.fileversion == Some(fileversion)),
        };
        decision.known = Some(known);
        decision.about.clone_from(&scene.about);
        if let Some(installation) = self.put_right(scene, &mut course.next) {
            decision.verdict = Decided::Install(Box::new(installation));
        }
        decision.standing = Some(Standing::of(observed, &course, now));
        self.processes.settled = matches!(course.next, Next::Converged | Next::Hold(..));
        self.processes.next_look = Some(now + self.until_look(&course.next, watching));
        decision.next = Some(course.next);
    }

    pub(super) fn until_look(&self, next: &Next, watching: bool) -> Duration {
        match next {
            Next::Converged if watching => self.settings.supervisor.rules.between_questions.max(SOON),
            Next::Converged => self.settings.supervisor.rules.look,
            Next::Hold(_, time) if watching => {
                (*time).min(self.settings.supervisor.rules.between_questions).max(SOON)
            }
            Next::Wait(_, time) | Next::Hold(_, time) => (*time).max(SOON),
            Next::Step(..) | Next::Rewrite(_) | Next::RollBack(..) => SOON,
        }
    }

    /// Takes the step that was decided. What came of it, in one line.
    pub(super) async fn step(
        &mut self,
        next: Option<Next>,
        about: Option<&NodeSpec>,
    ) -> Option<Result<String, String>> {
        let (Some(Next::Step(step, why)), Some(about)) = (next, about) else { return None };
        let text = format!("{}: {why}", step.text());
        if step == Step::Start(Program::K2hdkc) {
            self.awaits(Some(self.clock.now().boot));
        }
        Some(match self.supervisor.act(&step, about).await {
            Ok(Done::Plainly) => {
                if matches!(step, Step::Place | Step::TakeOver) {
                    self.processes.memory.placed();
                }
                if step == Step::Place {
                    // The processes hear of the file only now.
                    self.processes.replaced(false);
                }
                match step {
                    Step::Enable(_) => self.boots(&step, false).map(|()| text),
                    _ => Ok(text),
                }
            }
            Ok(Done::Disabled) => self.boots(&step, true).map(|()| text),
            Ok(Done::Started(id)) => self.started(&step, id).map(|()| format!("{text} (pid {})", id.pid)),
            Err(error) => {
                let (now, backoff) = (Instant::now(), self.settings.supervisor.rules.backoff);
                let why = chain(&error);
                if step == Step::Start(Program::K2hdkc) {
                    self.awaits(None);
                }
                match step {
                    Step::Start(program) => self.processes.memory.failed(program, &why, now, backoff),
                    Step::Send(_, id, _) => self.processes.memory.unheard(id, &why, now, backoff),
                    Step::Place => self.processes.memory.not_placed(&why, now, backoff),
                    Step::TakeOver => self.processes.memory.not_taken_over(&why, now, backoff),
                    Step::Retire(program) => self.processes.memory.not_retired(program, &why, now),
                    Step::Enable(_) => self.processes.memory.not_enabled(&why, now),
                    Step::Tell(_) | Step::Prompt(_) | Step::Tidy => {}
                }
                Err(format!("{text}: {why}"))
            }
        })
    }

    /// Keeps which programs a leave has disabled, until they are enabled again.
    fn boots(&mut self, step: &Step, was_enabled: bool) -> Result<(), String> {
        let kept = self.store.learn(|ledger| {
            let disabled = &mut ledger.known.disabled;
            match step {
                Step::Retire(program) if was_enabled => drop(disabled.insert(*program)),
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

    fn started(&mut self, step: &Step, id: Identity) -> Result<(), String> {
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
        self.settings.supervisor.rules.restarts = Restarts::Never;
    }

    /// Whether something was stopped, or taken out of service, that must come back.
    pub fn is_midway(&self) -> bool {
        // Who leaves has nothing to bring back; the next agent goes on with it.
        self.leaving().is_none()
            && self.stopped().is_none()
            && (self.processes.memory.is_midway() || self.store.ledger().known.drained.is_some())
    }

    /// When the processes are looked at again.
    pub fn look_at(&self) -> Option<Instant> {
        self.processes.next_look
    }

    /// One pass towards the end of both processes; whether nothing runs any more, and what was done. A file that is missing
    /// or cannot be read does not keep them running: they are found by its path.
    pub async fn end(&mut self) -> (bool, Option<Result<String, String>>) {
        let now = self.clock.now();
        let installed = self.look.at(&self.settings.ini.path, now.wall);
        let installed = installed.unwrap_or_else(|_| Installed::Missing.into());
        let about = self.about(&installed).unwrap_or_else(|| NodeSpec::unread(&self.settings.ini.path));
        let Some(observed) = self.supervisor.observe(&about, Ask::No).await else { return (true, None) };
        let unread = Ring::unread(about.mode);
        let ring =
            installed.ring().filter(|ring| ring.mode() == Some(about.mode)).map_or(&unread, |ring| ring);
        let case = Case {
            fileversion: installed.fileversion().unwrap_or_default(),
            ctlport: about.control.port(),
            ..stopping::bare(ring, &observed, &self.settings.supervisor.rules, now.boot)
        };
        match lifecycle::ending(&case, &mut self.processes.memory) {
            Next::Converged => (true, None),
            next => (false, self.step(Some(next), Some(&about)).await),
        }
    }
}
