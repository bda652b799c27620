//! Supervisor kind `systemd`: chmpx and k2hdkc are units, and systemd starts and stops them. It works with units that run the
//! programs directly, and with upstream's service helpers in between, where the program is a grandchild that its helper
//! starts again by itself.
//!
//! The processes are seen and watched as for `process`: by name, ini and pidfd. What systemd knows besides (masked,
//! failed, a job under way) is read over D-Bus, and every change of a unit wakes a pass.

mod bus;
pub(super) mod findings;
mod helper;
mod connection;
mod readiness;
mod unit;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

pub(crate) use bus::{BusError, host_goes_down};

use super::local::Local;
use super::local::found;
use super::process::prepare;
use super::{
    Ask, Done, Exit, ExitStatus, NodeSpec, Observed, ProcessId, Program, Signal, Step, Supervisor,
    SupervisorError,
};
use crate::file::FileError;
use crate::problem::chain;
use crate::settings::{Process, Units};
use crate::took_over;
use crate::wake::Waker;
use bus::Bus;
use connection::BusConnection;
use unit::{Main, UnitState};

/// Pause between two looks at the replaced program.
const RIVAL_AGAIN: Duration = Duration::from_secs(30);

/// A stop takes so long at most until it is told as one that does not end.
const RIVAL_ENDS_WITHIN: Duration = Duration::from_secs(2);

/// systemd hears of the end of a process when the agent does, and tells how it was a moment later.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Pause between two looks for an exit.
const TOLD_SOON: Duration = Duration::from_millis(20);

/// A start that was asked for; its process has not been seen yet.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    program: Program,
    since: Instant,
    /// The unit's last main process before.
    before: Main,
}

/// The processes of one node, in units.
#[derive(Debug)]
pub(crate) struct Systemd {
    local: Local,
    units: Units,
    connection: BusConnection,
    chmpx: UnitState,
    k2hdkc: UnitState,
    awaited: Option<Awaited>,
    /// Programs whose unit was enabled when it was to be disabled, until that is told: an answer may come too late.
    enabled: BTreeSet<Program>,
    /// Main processes that the agent itself had stopped.
    stopped: BTreeMap<Program, u32>,
    /// The processes of the last look; `None` before the first.
    seen: Option<BTreeMap<Program, ProcessId>>,
    rival: Option<(Instant, Option<String>)>,
}

impl Systemd {
    /// Makes the supervisor; nothing is observed yet.
    pub(crate) fn new(settings: Process, units: Units, waker: Waker, looks_on: bool) -> Self {
        Self {
            local: Local::new(settings, waker, looks_on),
            units,
            connection: BusConnection::default(),
            chmpx: UnitState::default(),
            k2hdkc: UnitState::default(),
            awaited: None,
            enabled: BTreeSet::new(),
            stopped: BTreeMap::new(),
            seen: None,
            rival: None,
        }
    }

    /// Takes other settings and keeps the knowledge of the processes.
    pub(crate) fn reset(&mut self, settings: Process, units: Units) {
        if units != self.units {
            (self.connection, self.rival) = (BusConnection::default(), None);
        }
        (self.local.settings, self.units) = (settings, units);
    }

    /// The unit, by its own name: the settings may have another of it.
    fn unit(&self, program: Program) -> (&str, &UnitState) {
        let (named, state) = match program {
            Program::Chmpx => (&self.units.chmpx, &self.chmpx),
            Program::K2hdkc => (&self.units.k2hdkc, &self.k2hdkc),
        };
        (if state.id.is_empty() { named } else { &state.id }, state)
    }

    /// Reads both units and, now and then and when it has changed, what replaces the same file.
    async fn look(&mut self) {
        let units = self.units.clone();
        let waker = self.local.waker.clone();
        let stirred = self.connection.rival_stirred();
        let due = stirred || self.rival.as_ref().is_none_or(|(at, _)| at.elapsed() >= RIVAL_AGAIN);
        let Some(bus) = self.connection.bus(&units, &waker).await else { return };
        let looked = timeout(connection::WITHIN, async {
            let (chmpx, k2hdkc) = (bus.look(&units.chmpx).await?, bus.look(&units.k2hdkc).await?);
            let [timer, service] = &units.rival;
            let rival = if due { Some((bus.look(timer).await?, bus.look(service).await?)) } else { None };
            Ok::<_, BusError>((chmpx, k2hdkc, rival))
        });
        match looked.await {
            Ok(Ok((chmpx, k2hdkc, rival))) => {
                (self.chmpx, self.k2hdkc) = (chmpx, k2hdkc);
                if let Some((timer, service)) = rival {
                    let told =
                        writes_too(&units.rival[0], &timer).or_else(|| writes_too(&units.rival[1], &service));
                    self.rival = Some((Instant::now(), told));
                }
            }
            Ok(Err(error)) => self.connection.lost(chain(&error), &waker),
            Err(_) => self.connection.late(&waker),
        }
    }

    /// Adds how processes of units ended: they are no children of the agent, but systemd's.
    async fn tell_endings(&mut self, observed: &mut Observed) {
        let late = Instant::now() + TOLD_WITHIN;
        let is_unknown = |ended: &&Exit| ended.how == ExitStatus::Unknown;
        let unknown: Vec<_> = observed.events.exits.iter().filter(is_unknown).copied().collect();
        if unknown.is_empty() {
            return;
        }
        // What was read before is older than their end.
        self.look().await;
        while unknown.iter().any(|ended| self.is_untold(ended)) && Instant::now() < late {
            sleep(TOLD_SOON).await;
            self.look().await;
        }
        for ended in observed.events.exits.iter_mut().filter(|ended| ended.how == ExitStatus::Unknown) {
            let (unit, state) = self.unit(ended.program);
            let how = state.ending().filter(|_| state.main.pid == ended.was.id.pid);
            let Some(how) = how else { continue };
            info!(pid = state.main.pid, "{unit}: {} {how}", ended.program.name());
            ended.how = how;
        }
    }

    /// True while systemd still lists the ended process as running.
    fn is_untold(&self, ended: &Exit) -> bool {
        let (_, state) = self.unit(ended.program);
        self.connection.why().is_none() && state.main.pid == ended.was.id.pid && state.main.ended == 0
    }

    /// A connection for a step; why there is none.
    async fn bus(&mut self) -> Result<&mut Bus, SupervisorError> {
        self.connection.for_step(&self.units, &self.local.waker).await
    }

    /// True if the unit runs the program itself; upstream's unit runs a helper.
    fn is_direct(&self, program: Program, id: ProcessId) -> bool {
        let (_, state) = self.unit(program);
        state.main_pid == id.pid || state.main_pid == 0
    }

    async fn send(&mut self, program: Program, id: ProcessId, signal: Signal) -> Result<(), SupervisorError> {
        // systemd would start again what ends by itself; a helper starts its program again in any case. Where the unit has a
        // job already, as at shutdown, another would wait behind it, perhaps for this very agent's command.
        let (_, state) = self.unit(program);
        let is_free = signal == Signal::Hangup && !state.has_job;
        let by_job = is_free && self.is_direct(program, id) && self.is_of_unit(program, id);
        if by_job {
            self.stopped.insert(program, id.pid);
            let unit = self.unit(program).0.to_owned();
            return Ok(self.bus().await?.stop(&unit).await?);
        }
        self.local.watched(program).signal(id, signal)
    }

    async fn take_over(&mut self) -> Result<(), SupervisorError> {
        let (rival, file) = (self.units.rival.clone(), self.units.took_over.clone());
        let bus = self.bus().await?;
        for unit in &rival {
            if bus.look(unit).await?.is_enabled() {
                took_over::add(&file, unit)
                    .map_err(|source| SupervisorError::Note { unit: unit.clone(), source })?;
            }
        }
        let units = rival.each_ref().map(String::as_str);
        bus.disable(&units).await?;
        // A poll that is under way may still write.
        bus.at_rest(&units, RIVAL_ENDS_WITHIN).await?;
        info!("{} is stopped and disabled; its file is this agent's now", rival[0]);
        self.rival = None;
        Ok(())
    }

    /// A node that leaves, or is back, goes on where this fails: it decides only what a removal of the package enables.
    fn mark(&self, unit: &str, how: fn(&Path, &str) -> Result<(), FileError>) {
        if let Err(error) = how(&self.units.took_over, unit) {
            warn!("what a removal of the package enables again is not right: {}", chain(&error));
        }
    }

    /// True if the process belongs to its unit; the operator may have started it by hand.
    fn is_of_unit(&self, program: Program, id: ProcessId) -> bool {
        let (unit, _) = self.unit(program);
        found::control_group(id.pid).is_none_or(|group| group.split('/').any(|part| part == unit))
    }
}

/// True if both paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// Warning about the unit that replaces the same file in place.
fn writes_too(unit: &str, state: &UnitState) -> Option<String> {
    let enabled = state.load == "loaded" && state.is_enabled();
    (state.is_active() || enabled).then(|| {
        let is = if state.is_active() { "active" } else { "enabled" };
        format!("{unit} is {is}: it writes the same file in place, which ends chmpx")
    })
}

impl Supervisor for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    async fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> Option<Observed> {
        self.look().await;
        let mut observed = self.local.observe(spec, ask).await;
        self.tell_endings(&mut observed).await;
        self.add_units(&spec.ini, &mut observed);
        Some(observed)
    }

    async fn act(&mut self, step: &Step, spec: &NodeSpec) -> Result<Done, SupervisorError> {
        match step {
            Step::Start(program) => {
                if let Some(running) = self.local.in_place(*program, spec)? {
                    return Ok(Done::Started(running));
                }
                let (unit, state) = self.unit(*program);
                let (unit, before) = (unit.to_owned(), state.main);
                self.bus().await?.start(&unit).await?;
                self.local.expect(*program);
                self.mark(&unit, took_over::take_back);
                self.awaited = Some(Awaited { program: *program, since: Instant::now(), before });
                if *program == Program::Chmpx {
                    self.local.forget_answers();
                }
            }
            Step::Signal(program, id, signal) => self.send(*program, *id, *signal).await?,
            Step::Control(order) => self.local.say(order.clone(), spec)?,
            Step::Disable(program) => {
                let (unit, state) = self.unit(*program);
                let (unit, is_enabled, main) = (unit.to_owned(), state.is_enabled(), state.main.pid);
                self.stopped.insert(*program, main);
                self.enabled.extend(is_enabled.then_some(*program));
                self.mark(&unit, took_over::set_aside);
                let was_enabled = self.bus().await?.disable(&[unit.as_str()]).await?;
                info!("{unit} is stopped and disabled");
                if self.enabled.remove(program) || was_enabled {
                    return Ok(Done::Disabled);
                }
            }
            Step::Enable(program) => {
                let unit = self.unit(*program).0.to_owned();
                self.bus().await?.enable(&unit).await?;
                info!("{unit} is enabled again");
            }
            Step::RemoveLeftovers => prepare::tidy(&self.local.settings, spec)?,
            Step::DisableWriter => self.take_over().await?,
            // Its processes read the installed file itself.
            Step::SyncFile | Step::Prompt(_) => return Err(SupervisorError::NotOurs(self.name())),
        }
        Ok(Done::Plainly)
    }

    fn on_host(&self, program: Program) -> Option<ProcessId> {
        self.local.running(program)
    }
}

#[cfg(test)]
mod tests;
