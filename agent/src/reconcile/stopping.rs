//! The stop for maintenance: whether it may begin, and its end. How it goes is decided in [`crate::lifecycle`].

use tokio::time::Instant;

use super::leaving::Obstacle;
use super::{ProgramsDecision, Reconciler};
use crate::clock::BootTime;
use crate::lifecycle::{self, Departure, InstalledFile, Situation, Stage};
use crate::problem::chain;
use crate::process_status::{ProcessStatus, State};
use crate::ring::{Mode, Ring};
use crate::settings;
use crate::supervisor::{Ask, ControlPort, NodeSpec, Observed, Supervisor};

const NOT_OURS: &str =
    "chmpx and k2hdkc are not the agent's here (supervisor none): stop them where they run";

impl<T: Supervisor> Reconciler<T> {
    /// Returns the stop for maintenance that has begun.
    pub fn stopped(&self) -> Option<&Departure> {
        self.store.ledger().processes.stopped.as_ref()
    }

    /// Begins to stop the processes until [`Self::start`], also over restarts of the agent and of the host. One line for
    /// people.
    ///
    /// # Errors
    ///
    /// Why it does not: what speaks against a leave, or nobody to stop anything.
    pub fn stop(&mut self, force: bool) -> Result<String, String> {
        if let Some(leaving) = self.leaving() {
            return Err(format!("this node leaves the cluster already: {}", leaving.stage.text()));
        }
        if matches!(self.processes.obstacle, Some(Obstacle::Unmoved)) {
            return Err(NOT_OURS.to_owned());
        }
        if let Some(mut stopped) = self.stopped().cloned() {
            stopped.force |= force;
            let text = format!("this node was told to stop already: {}", stopped.stage.text());
            return self.keep_stop(Some(stopped)).map(|()| text);
        }
        let mode = self.mode()?;
        if let Some(obstacle) = self.obstacle(mode, true).filter(|_| !force) {
            return Err(format!("this node does not stop: {obstacle}; 'stop --force' stops all the same"));
        }
        let stopped = Departure::begin_stop(self.clock.now().wall, mode, force, self.own_cuk());
        let text = match mode {
            Mode::Server => stopped.stage.text(),
            Mode::Slave => "its chmpx ends, and with it the handles of the programs here",
        };
        self.keep_stop(Some(stopped))?;
        Ok(format!("this node stops until 'k2hdkc-agent start': {text}"))
    }

    /// Lets the processes run again, or calls a stop off. Whether there was one.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn start(&mut self) -> Result<bool, String> {
        let was = self.stopped().is_some();
        self.keep_stop(None)?;
        self.processes.stays();
        Ok(was)
    }

    /// Decides on a stop where the programs were not seen. Without a file that says which node this is, no server
    /// can go out of service first; once that is not waited for, the processes are found by the file's path. What nobody sees
    /// is not taken for stopped.
    pub(super) async fn stop_unseen(&mut self, is_known: bool, programs: &mut ProgramsDecision) {
        let Some(stopped) = self.stopped().filter(|stopped| stopped.stage != Stage::Stopped) else { return };
        let (drains, mode) = (stopped.follows() && !stopped.force, stopped.mode);
        let ini = self.settings.ini.path.clone();
        self.processes.next_look = Some(Instant::now() + self.settings.supervisor.timing.resync_interval);
        let held = |text: String| {
            Some(ProcessStatus {
                state: State::Held,
                ..ProcessStatus::unknown(&format!("{text}; 'k2hdkc-agent start' calls the stop off"))
            })
        };
        if drains && !is_known {
            programs.processes = held(format!(
                "this server does not stop: it cannot leave the service first, as {} is missing or of no use; \
                 'k2hdkc-agent stop --force' stops all the same",
                ini.display()
            ));
            return;
        }
        let about = NodeSpec { mode, ..NodeSpec::unread(&ini) };
        let observed = if is_known { None } else { self.supervisor.observe(&about, Ask::No).await };
        // chmpx is told nothing either: how it is called stands in the file.
        let Some(observed) = observed.map(|observed| Observed {
            control: ControlPort { report: None, ..observed.control },
            ..observed
        }) else {
            programs.processes = held(match (self.supervisor.in_doubt(), self.supervisor.look_again()) {
                (Some(why), _) => format!("this node does not stop: its processes are not seen ({why})"),
                (None, Some(_)) => "this node does not stop: its processes are not seen yet".to_owned(),
                (None, None) => format!("this node does not stop: {NOT_OURS}"),
            });
            return;
        };
        let ring = Ring::unread(mode);
        let boot = self.clock.now().boot;
        let situation = bare(&ring, &observed, &self.settings.supervisor, boot);
        // A file that names nobody says nothing of the members, nor of the port.
        let persisted = self.store.ledger().processes.clone();
        self.processes.history.observe(&situation);
        let decided = lifecycle::decide_unread(&situation, &self.processes.history, &persisted);
        let now = situation.now;
        let decision = self.decided(&observed, decided, now, false);
        *programs = ProgramsDecision { spec: Some(about), ..decision };
    }

    fn keep_stop(&mut self, stopped: Option<Departure>) -> Result<(), String> {
        self.store.update(|ledger| ledger.processes.stopped = stopped).map_err(|error| chain(&error))
    }
}

/// A situation of which no more is known than what runs.
pub(super) fn bare<'a>(
    ring: &'a Ring,
    observed: &'a Observed,
    limits: &'a settings::Supervisor,
    boot: BootTime,
) -> Situation<'a> {
    let (now, random, file) = (Instant::now(), fastrand::f64(), InstalledFile::default());
    Situation { now, boot, random, ring, file, observed, limits, ring_change: None }
}
