//! Target kind `systemd`: chmpx and k2hdkc are units, and systemd starts and stops them. It works with units that run the
//! programs directly, and with upstream's service helpers in between, where the program is a grandchild that its helper
//! starts again by itself.
//!
//! The processes are seen and watched as for `process`: by name, ini and pidfd. What systemd knows besides (masked,
//! failed, a job under way) is read over D-Bus, and every change of a unit wakes a pass.

mod bus;
pub(super) mod findings;
mod helper;
mod unit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::info;

pub use bus::BusError;

use super::local::Local;
use super::local::found;
use super::process::{Process, prepare};
use super::{About, Ask, Done, Identity, Observed, Program, Signal, Step, Target, TargetError};
use crate::apply::full;
use crate::wake::Waker;
use bus::Bus;
use unit::{Readiness, UnitState};

/// Names of the units. See `[target.systemd]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The unit of chmpx.
    pub chmpx: String,
    /// The unit of k2hdkc.
    pub k2hdkc: String,
    /// The timer of the program that this agent replaces, and its service.
    pub rival: [String; 2],
    /// Where upstream's helpers have their configuration.
    pub helpers: PathBuf,
}

/// Between two attempts to reach systemd, and the longest wait for it in a pass.
const REACH_AGAIN: Duration = Duration::from_secs(5);
const REACH_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks whether the replaced program is active.
const RIVAL_AGAIN: Duration = Duration::from_secs(30);

/// The processes of one node, in units.
#[derive(Debug)]
pub struct Systemd {
    local: Local,
    units: Units,
    bus: Option<Bus>,
    /// When systemd was last tried in vain, and why.
    away: Option<(Instant, String)>,
    chmpx: UnitState,
    k2hdkc: UnitState,
    /// A start that was asked for, and whose process has not been seen yet.
    awaited: Option<Program>,
    rival: Option<(Instant, Option<String>)>,
}

impl Systemd {
    /// Nothing is looked at yet.
    pub fn new(settings: Process, units: Units, waker: Waker, looks_on: bool) -> Self {
        Self {
            local: Local::new(settings, waker, looks_on),
            units,
            bus: None,
            away: None,
            chmpx: UnitState::default(),
            k2hdkc: UnitState::default(),
            awaited: None,
            rival: None,
        }
    }

    /// Other settings; what is known of the processes stays.
    pub fn reset(&mut self, settings: Process, units: Units) {
        if units != self.units {
            (self.bus, self.rival) = (None, None);
        }
        (self.local.settings, self.units) = (settings, units);
    }

    fn unit(&self, program: Program) -> (&str, &UnitState) {
        match program {
            Program::Chmpx => (&self.units.chmpx, &self.chmpx),
            Program::K2hdkc => (&self.units.k2hdkc, &self.k2hdkc),
        }
    }

    /// A connection that hears; a new one where the old one broke, but not at every pass.
    async fn reached(&mut self) -> Option<&mut Bus> {
        if self.bus.as_mut().is_some_and(|bus| !bus.is_whole()) {
            (self.bus, self.away) = (None, Some((Instant::now(), "the connection broke".to_owned())));
        }
        let recent = self.away.as_ref().is_some_and(|(at, _)| at.elapsed() < REACH_AGAIN);
        if self.bus.is_none() && !recent {
            let names = [self.units.chmpx.as_str(), self.units.k2hdkc.as_str()];
            let waker = self.local.waker.clone();
            let why = match timeout(REACH_WITHIN, Bus::connect(&names, &waker)).await {
                Ok(Ok(bus)) => {
                    (self.bus, self.away) = (Some(bus), None);
                    return self.bus.as_mut();
                }
                Ok(Err(error)) => full(&error),
                Err(_) => "systemd did not answer in time".to_owned(),
            };
            self.away = Some((Instant::now(), why));
        }
        self.bus.as_mut()
    }

    /// The same for a step, which says why there is none.
    async fn bus(&mut self) -> Result<&mut Bus, TargetError> {
        let why = self.away.as_ref().map_or_else(|| "systemd is away".to_owned(), |(_, why)| why.clone());
        self.reached().await.ok_or(TargetError::Away(why))
    }

    /// Reads both units and the replaced timer.
    async fn look(&mut self) {
        let units = self.units.clone();
        let due = self.rival.as_ref().is_none_or(|(at, _)| at.elapsed() >= RIVAL_AGAIN);
        let Some(bus) = self.reached().await else { return };
        let looked = timeout(REACH_WITHIN, async {
            let (chmpx, k2hdkc) = (bus.look(&units.chmpx).await?, bus.look(&units.k2hdkc).await?);
            let rival = if due { Some(bus.look(&units.rival[0]).await?) } else { None };
            Ok::<_, BusError>((chmpx, k2hdkc, rival))
        });
        match looked.await {
            Ok(Ok((chmpx, k2hdkc, rival))) => {
                (self.chmpx, self.k2hdkc) = (chmpx, k2hdkc);
                if let Some(rival) = rival {
                    self.rival = Some((Instant::now(), writes_too(&units.rival[0], &rival)));
                }
            }
            Ok(Err(error)) => self.lost(full(&error)),
            Err(_) => self.lost("systemd did not answer in time".to_owned()),
        }
    }

    fn lost(&mut self, why: String) {
        (self.bus, self.away) = (None, Some((Instant::now(), why)));
    }

    /// What the units say of programs that do not run.
    fn add_units(&mut self, ini: &Path, observed: &mut Observed) {
        for end in self.bus.as_mut().map(Bus::ended).unwrap_or_default() {
            let program = if end.unit == self.units.chmpx { Program::Chmpx } else { Program::K2hdkc };
            if self.awaited == Some(program) && !["done", "skipped"].contains(&end.result.as_str()) {
                self.awaited = None;
                let text = format!("the job of {} ended with \"{}\"", end.unit, end.result);
                observed.refused.push((program, text));
            }
        }
        for program in [Program::Chmpx, Program::K2hdkc] {
            let running = match program {
                Program::Chmpx => observed.chmpx,
                Program::K2hdkc => observed.k2hdkc,
            };
            if let Some(running) = running {
                if self.awaited == Some(program) {
                    self.awaited = None;
                    observed.appeared = Some((program, running.id));
                }
                continue;
            }
            if let Some((_, why)) = &self.away {
                observed.blocked.push((program, why.clone()));
                continue;
            }
            let (unit, state) = self.unit(program);
            if let Some(text) = self.hands_another(program, ini) {
                observed.blocked.push((program, text));
                continue;
            }
            match state.readiness(unit, program) {
                Readiness::Idle => {
                    observed.last_words.extend(state.failure().map(|text| (program, text)));
                }
                Readiness::Moving(text) => observed.moving.push((program, text)),
                Readiness::Blocked(text) => observed.blocked.push((program, text)),
            }
        }
        observed.rival = self.rival.as_ref().and_then(|(_, rival)| rival.clone()).filter(|_| {
            let replaced = helper::output(&self.units.helpers, &|path| std::fs::read_to_string(path).ok());
            replaced.is_none_or(|replaced| is_same(&replaced, ini))
        });
    }

    /// Why a helper would start the program with another ini than the agent's, where it would.
    fn hands_another(&self, program: Program, ini: &Path) -> Option<String> {
        let (unit, state) = self.unit(program);
        if !state.is_helped {
            return None;
        }
        let directory = &self.units.helpers;
        let handed = helper::ini(program, directory, &|path| std::fs::read_to_string(path).ok());
        (!is_same(&handed, ini)).then(|| {
            let remedy = helper::remedy(program, ini);
            format!(
                "the helper of {unit} hands it {}, and not {}: set '{remedy}' in {}",
                handed.display(),
                ini.display(),
                directory.join("override.conf").display()
            )
        })
    }

    /// Whether the unit runs the program itself; upstream's runs a helper that does.
    fn is_direct(&self, program: Program, id: Identity) -> bool {
        let (_, state) = self.unit(program);
        state.main_pid == id.pid || state.main_pid == 0
    }

    async fn send(&mut self, program: Program, id: Identity, signal: Signal) -> Result<(), TargetError> {
        // systemd would start again what ends by itself; a helper starts its program again in any case.
        let by_job = signal == Signal::Hangup && self.is_direct(program, id) && self.is_of_unit(program, id);
        if by_job {
            let unit = self.unit(program).0.to_owned();
            return Ok(self.bus().await?.stop(&unit).await?);
        }
        self.local.watched(program).signal(id, signal)
    }

    /// Whether systemd has it in its care at all: somebody may have started it by hand.
    fn is_of_unit(&self, program: Program, id: Identity) -> bool {
        let (unit, _) = self.unit(program);
        found::control_group(id.pid).is_none_or(|group| group.split('/').any(|part| part == unit))
    }
}

/// Whether both paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// What is to be told of the timer that replaces the same file in place.
fn writes_too(unit: &str, state: &UnitState) -> Option<String> {
    let enabled = state.load == "loaded" && state.is_enabled();
    (state.is_active() || enabled).then(|| {
        let is = if state.is_active() { "active" } else { "enabled" };
        format!("{unit} is {is}: it writes the same file in place, which ends chmpx")
    })
}

impl Target for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    async fn observe(&mut self, about: &About, ask: Ask) -> Option<Observed> {
        self.look().await;
        let mut observed = self.local.observe(about, ask).await;
        self.add_units(&about.ini, &mut observed);
        Some(observed)
    }

    async fn act(&mut self, step: &Step, about: &About) -> Result<Done, TargetError> {
        match step {
            Step::Start(program) => {
                self.local.look_again(about);
                if let Some(running) = self.local.watched(*program).running() {
                    return Ok(Done::Started(running.id));
                }
                let unit = self.unit(*program).0.to_owned();
                self.bus().await?.start(&unit).await?;
                self.awaited = Some(*program);
                if *program == Program::Chmpx {
                    self.local.forget_answers();
                }
            }
            Step::Send(program, id, signal) => self.send(*program, *id, *signal).await?,
            Step::Tell(order) => self.local.say(*order, about)?,
            Step::Retire(program) => {
                let unit = self.unit(*program).0.to_owned();
                self.bus().await?.disable(&[unit.as_str()]).await?;
                info!("{unit} is stopped and disabled");
            }
            Step::Tidy => prepare::tidy(&self.local.settings, about)?,
            Step::TakeOver => {
                let rival = self.units.rival.clone();
                self.bus().await?.disable(&[rival[0].as_str(), rival[1].as_str()]).await?;
                info!("{} is stopped and disabled; its file is this agent's now", rival[0]);
                self.rival = None;
            }
            // Its processes read the installed file itself.
            Step::Place => return Err(TargetError::NotOurs(self.name())),
        }
        Ok(Done::Plainly)
    }
}
