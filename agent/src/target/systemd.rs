//! Target kind `systemd`: chmpx and k2hdkc are units, and systemd starts and stops them. It works with units that run the
//! programs directly, and with upstream's service helpers in between, where the program is a grandchild that its helper
//! starts again by itself.
//!
//! The processes are seen and watched as for `process`: by name, ini and pidfd. What systemd knows besides (masked,
//! failed, a job under way) is read over D-Bus, and every change of a unit wakes a pass.

mod bus;
pub(super) mod findings;
mod helper;
mod reach;
mod unit;

use std::collections::BTreeMap;
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
use reach::Reach;
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

/// A start job that has not ended after this time waits for something that somebody must look at. systemd itself gives a
/// service 90 s to start, but none to wait for other jobs.
const JOB_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks whether the replaced program is active.
const RIVAL_AGAIN: Duration = Duration::from_secs(30);

/// The processes of one node, in units.
#[derive(Debug)]
pub struct Systemd {
    local: Local,
    units: Units,
    reach: Reach,
    chmpx: UnitState,
    k2hdkc: UnitState,
    /// A start that was asked for, and when; its process has not been seen yet.
    awaited: Option<(Program, Instant)>,
    /// The processes of the last look; `None` before the first.
    seen: Option<BTreeMap<Program, Identity>>,
    rival: Option<(Instant, Option<String>)>,
}

impl Systemd {
    /// Nothing is looked at yet.
    pub fn new(settings: Process, units: Units, waker: Waker, looks_on: bool) -> Self {
        Self {
            local: Local::new(settings, waker, looks_on),
            units,
            reach: Reach::default(),
            chmpx: UnitState::default(),
            k2hdkc: UnitState::default(),
            awaited: None,
            seen: None,
            rival: None,
        }
    }

    /// Other settings; what is known of the processes stays.
    pub fn reset(&mut self, settings: Process, units: Units) {
        if units != self.units {
            (self.reach, self.rival) = (Reach::default(), None);
        }
        (self.local.settings, self.units) = (settings, units);
    }

    fn unit(&self, program: Program) -> (&str, &UnitState) {
        match program {
            Program::Chmpx => (&self.units.chmpx, &self.chmpx),
            Program::K2hdkc => (&self.units.k2hdkc, &self.k2hdkc),
        }
    }

    /// Reads both units and the replaced timer.
    async fn look(&mut self) {
        let units = self.units.clone();
        let due = self.rival.as_ref().is_none_or(|(at, _)| at.elapsed() >= RIVAL_AGAIN);
        let waker = self.local.waker.clone();
        let Some(bus) = self.reach.bus(&units, &waker).await else { return };
        let looked = timeout(reach::WITHIN, async {
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
            Ok(Err(error)) => self.reach.lost(full(&error), &waker),
            Err(_) => self.reach.late(&waker),
        }
    }

    /// A connection for a step; why there is none.
    async fn bus(&mut self) -> Result<&mut Bus, TargetError> {
        self.reach.for_step(&self.units, &self.local.waker).await
    }

    /// What the units say of programs that do not run.
    fn add_units(&mut self, ini: &Path, observed: &mut Observed) {
        for end in self.reach.ended() {
            let program = if end.unit == self.units.chmpx { Program::Chmpx } else { Program::K2hdkc };
            if self.awaits(program).is_some() && !["done", "skipped"].contains(&end.result.as_str()) {
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
                if self.awaits(program).is_some() || self.came_by_helper(program, running.id) {
                    self.awaited = self.awaited.filter(|(awaited, _)| *awaited != program);
                    observed.appeared = Some((program, running.id));
                }
                continue;
            }
            if let Some(why) = self.reach.why() {
                observed.blocked.push((program, why.to_owned()));
                continue;
            }
            let (unit, state) = self.unit(program);
            if let Some(text) = self.hands_another(program, ini) {
                observed.blocked.push((program, text));
                continue;
            }
            if state.has_job && self.awaits(program).is_some_and(|since| since.elapsed() >= JOB_WITHIN) {
                let seconds = JOB_WITHIN.as_secs();
                let text = format!(
                    "its start job waits for more than {seconds} s: 'systemctl list-jobs' shows for what ({unit})"
                );
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
        let running = [(Program::Chmpx, observed.chmpx), (Program::K2hdkc, observed.k2hdkc)];
        let seen = running.into_iter().filter_map(|(program, running)| Some((program, running?.id)));
        self.seen = Some(seen.collect());
        observed.rival = self.rival.as_ref().and_then(|(_, rival)| rival.clone()).filter(|_| {
            let replaced = helper::output(&self.units.helpers, &|path| std::fs::read_to_string(path).ok());
            replaced.is_none_or(|replaced| is_same(&replaced, ini))
        });
    }

    /// Since when its start has been awaited, where it is.
    fn awaits(&self, program: Program) -> Option<Instant> {
        self.awaited.filter(|(awaited, _)| *awaited == program).map(|(_, since)| since)
    }

    /// Whether a helper has started it since the last look: it does so on the agent's account.
    fn came_by_helper(&self, program: Program, id: Identity) -> bool {
        let (_, state) = self.unit(program);
        state.is_helped && self.seen.as_ref().is_some_and(|seen| seen.get(&program) != Some(&id))
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
        // systemd would start again what ends by itself; a helper starts its program again in any case. Where the unit has a
        // job already, as at shutdown, another would wait behind it, perhaps for this very agent's command.
        let (_, state) = self.unit(program);
        let is_free = signal == Signal::Hangup && !state.has_job;
        let by_job = is_free && self.is_direct(program, id) && self.is_of_unit(program, id);
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
                self.awaited = Some((*program, Instant::now()));
                if *program == Program::Chmpx {
                    self.local.forget_answers();
                }
            }
            Step::Send(program, id, signal) => self.send(*program, *id, *signal).await?,
            Step::Tell(order) => self.local.say(*order, about)?,
            Step::Retire(program) => {
                let unit = self.unit(*program).0.to_owned();
                let was_enabled = self.bus().await?.disable(&[unit.as_str()]).await?;
                info!("{unit} is stopped and disabled");
                if was_enabled {
                    return Ok(Done::Disabled);
                }
            }
            Step::Enable(program) => {
                let unit = self.unit(*program).0.to_owned();
                self.bus().await?.enable(&unit).await?;
                info!("{unit} is enabled again");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Origin};
    use crate::target::Running;

    /// What a look has `appeared` at this k2hdkc.
    fn appeared(systemd: &mut Systemd, pid: u32) -> Option<(Program, Identity)> {
        let (id, now) = (Identity { pid, ticks: u64::from(pid) }, Instant::now());
        let running = Running { id, since: now, worked: Duration::ZERO, counted: now };
        let mut observed = Observed { k2hdkc: Some(running), ..Observed::default() };
        systemd.add_units(Path::new("/etc/antpickax/k2hdkc.ini"), &mut observed);
        observed.appeared
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_job_without_an_end_is_told_with_who_can_say_what_it_waits_for() {
        let settings =
            settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap().target;
        let mut systemd = Systemd::new(settings.process, settings.units, Waker::default(), false);
        let words = |word: &str| word.to_owned();
        systemd.chmpx = UnitState {
            load: words("loaded"),
            active: words("inactive"),
            has_job: true,
            ..UnitState::default()
        };
        systemd.awaited = Some((Program::Chmpx, Instant::now()));
        let mut look = || {
            let mut observed = Observed::default();
            systemd.add_units(Path::new("/etc/antpickax/k2hdkc.ini"), &mut observed);
            let blocked = observed.blocked.into_iter().find(|(program, _)| *program == Program::Chmpx);
            blocked.map(|(_, text)| text)
        };
        assert_eq!(look(), None, "it may take its time");
        tokio::time::advance(JOB_WITHIN).await;
        assert_eq!(
            look().unwrap(),
            "its start job waits for more than 90 s: 'systemctl list-jobs' shows for what (chmpx.service)"
        );
    }

    #[tokio::test]
    async fn what_a_helper_starts_is_on_the_agent_s_account_and_what_was_there_is_not() {
        let settings =
            settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap().target;
        for is_helped in [true, false] {
            let mut systemd =
                Systemd::new(settings.process.clone(), settings.units.clone(), Waker::default(), false);
            systemd.k2hdkc.is_helped = is_helped;
            assert_eq!(appeared(&mut systemd, 8), None, "it was there before the agent");
            let id = Identity { pid: 9, ticks: 9 };
            assert_eq!(appeared(&mut systemd, 9), is_helped.then_some((Program::K2hdkc, id)));
            assert_eq!(appeared(&mut systemd, 9), None, "once");
        }
    }
}
