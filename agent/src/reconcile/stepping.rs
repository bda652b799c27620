//! Takes one step, and records its outcome.

use tokio::time::Instant;

use super::{Reconciler, stopping};
use crate::clock::BootTime;
use crate::installed::Installed;
use crate::lifecycle::{self, Action, At, InstalledFile, Situation};
use crate::problem::chain;
use crate::ring::Ring;
use crate::settings::Restarts;
use crate::supervisor::{Ask, Done, NodeSpec, ProcessId, Program, Step, Supervisor};

impl<T: Supervisor> Reconciler<T> {
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
        let text = format!("{step}: {reason}");
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
            let disabled = &mut ledger.processes.disabled;
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
        let _ = self.store.learn(|ledger| ledger.processes.awaited = at);
    }

    fn started(&mut self, step: &Step, id: ProcessId) -> Result<(), String> {
        if *step != Step::Start(Program::K2hdkc) {
            return Ok(());
        }
        let kept = self.store.learn(|ledger| {
            (ledger.processes.started, ledger.processes.awaited) = (Some(id), None);
        });
        kept.map_err(|error| format!("k2hdkc (pid {}) runs, but that is not kept: {}", id.pid, chain(&error)))
    }

    /// From now on no restart begins; the agent ends.
    pub fn begin_nothing(&mut self) {
        self.settings.supervisor.restarts = Restarts::Never;
    }

    /// Returns true while something that was stopped must come back.
    pub fn is_midway(&self) -> bool {
        // Who leaves has nothing to bring back; the next agent goes on with it.
        self.leaving().is_none() && self.stopped().is_none() && self.processes.history.is_midway()
    }

    /// Returns the time of the next look at the processes.
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
        let persisted = &self.store.ledger().processes;
        let decided = lifecycle::shutdown(&situation, &self.processes.history, persisted);
        if decided.action == Action::Converged {
            return (true, None);
        }
        (false, self.step(Some(&decided), Some(&about)).await)
    }
}
