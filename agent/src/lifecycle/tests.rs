//! The lifecycle, situation by situation: what comes next, and what never does.

mod cadence;
mod dead_peers;
mod keeping;
mod leaving;
mod maintenance;
mod place;
mod placing;
mod ring_change;
mod safety;
mod starting;
mod states;
mod stopping;
mod trial;
mod unlisted;

use super::*;
use tokio::time::Instant;

use crate::chmpx_state::{ChmpxState, NodeStatus};
use crate::clock::{BootTime, Timestamp};
use crate::fixtures::{self, ring};
use crate::names::Port;
use crate::plan::Class;
use crate::ring::{Mode, Ring};
use crate::settings::{Restarts, Supervisor};
use crate::supervisor::{
    ChmpxReport, ControlCommand, ControlPort, Exit, ExitStatus, ForeignWriter, MergeThread, Observed,
    ProcessId, Program, Running, Signal, Step,
};

/// A node at one moment, in which a test turns what it is about.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a test turns")]
struct Stage {
    ring: Ring,
    fileversion: u32,
    observed: Observed,
    rules: Supervisor,
    history: History,
    persisted: Persisted,
    written: Option<Duration>,
    way_back: bool,
    loaded: bool,
    verified: bool,
    mended: bool,
    now: Instant,
    boot: BootTime,
    /// The latest decision to write the same ring again.
    rewrite: Option<Rewrite>,
    /// The error of each step from now on.
    failure: Option<&'static str>,
    /// Time that each step takes from now on.
    takes: Duration,
    /// The change of the ring, where the agents run it.
    ring_change: Option<Progress>,
}

const WALL: Timestamp = Timestamp(1_795_000_000_000);

/// The host has been up for a day.
fn boot() -> BootTime {
    fixtures::boot_time(86_400_000)
}

const CHMPX: ProcessId = ProcessId { pid: 7, start_ticks: 100 };
const K2HDKC: ProcessId = ProcessId { pid: 8, start_ticks: 300 };

fn running(id: ProcessId, since: Instant) -> Running {
    Running { id, since, worked: Duration::ZERO, counted: since }
}

fn rules() -> Supervisor {
    Supervisor::default()
}

impl Stage {
    /// Server 1 of three, long converged on generation 4.
    fn well() -> Self {
        Self::of(&[1, 2, 3])
    }

    fn of(servers: &[usize]) -> Self {
        let (ring, now) = (ring(servers, &[1]), Instant::now() + Duration::from_hours(1));
        let since = now - Duration::from_secs(600);
        let said = ChmpxReport { view: fixtures::view(&ring, 4), at: now };
        let observed = Observed {
            chmpx: Some(running(CHMPX, since)),
            k2hdkc: Some(running(K2HDKC, since + Duration::from_secs(2))),
            control: ControlPort { report: Some(said), ..ControlPort::default() },
            ..Observed::default()
        };
        let mut stage = Self {
            ring,
            fileversion: 4,
            observed,
            rules: rules(),
            history: History::default(),
            rewrite: None,
            failure: None,
            takes: Duration::ZERO,
            ring_change: None,
            persisted: Persisted::default(),
            written: Some(Duration::from_secs(600)),
            way_back: false,
            loaded: false,
            verified: true,
            mended: false,
            now: since,
            boot: boot(),
        };
        stage.replaced(true);
        stage.now = now;
        stage
    }

    /// The same, seen from server 2.
    fn second() -> Self {
        let mut second = Self::well();
        second.ring.profile.global.insert("SELFCUK".into(), "cuk-2".into());
        second.observed.control.report.as_mut().unwrap().view = fixtures::view(&second.ring, 4);
        second
    }

    fn situation(&self) -> Situation<'_> {
        let file = InstalledFile {
            fileversion: self.fileversion,
            ctlport: 8021,
            age: self.written,
            loaded: self.loaded,
            verified: self.verified,
            replaces_unloadable: self.mended,
            has_previous: self.way_back,
            has_verified: self.way_back,
        };
        let (observed, limits) = (&self.observed, &self.rules);
        Situation {
            now: self.now,
            boot: self.boot,
            random: 1.0,
            ring: &self.ring,
            file,
            observed,
            limits,
            ring_change: self.ring_change.as_ref(),
        }
    }

    /// One pass: observes, decides, and records that the step was taken, or has failed.
    fn next(&mut self) -> Action {
        let (mut history, mut persisted) = (std::mem::take(&mut self.history), self.persisted.clone());
        history.observe(&self.situation());
        persisted.observe(&self.situation());
        let (decision, persisted) = decide(&self.situation(), &history, &persisted);
        history.record(&decision, self.failure, &self.at());
        self.history = history;
        self.persisted = persisted;
        self.observed.events.exits.clear();
        self.rewrite = match &decision.action {
            Action::Rewrite(rewrite, _) => Some(*rewrite),
            _ => None,
        };
        decision.action
    }

    /// A changed key asks for a restart of the pair, with the file of that generation.
    fn demand(&mut self, class: Class, why: &str, file: u32) {
        self.persisted.demand_for_change(class, Some(CHMPX), Some(K2HDKC), why, (boot(), file));
    }

    fn at(&self) -> At {
        At { now: self.now + self.takes, backoff: self.rules.timing.backoff(), random: 1.0 }
    }

    /// The file is replaced: by another ring, or by the same one as the last decision asked for.
    fn replaced(&mut self, anew: bool) {
        let replacement = match self.rewrite {
            _ if anew => Replacement::NewRing,
            rewrite => Replacement::SameRing(rewrite.unwrap_or(Rewrite::NotLoaded)),
        };
        self.history.replaced(self.now, replacement);
    }

    fn later(&mut self, seconds: f64) -> &mut Self {
        let time = Duration::from_secs_f64(seconds);
        self.now += time;
        self.boot = self.boot.after(time);
        self.written = self.written.map(|age| age + time);
        if let Some(said) = &mut self.observed.control.report {
            said.at = self.now;
        }
        let running = [&mut self.observed.chmpx, &mut self.observed.k2hdkc];
        running.into_iter().flatten().for_each(|running| running.counted = self.now);
        self
    }

    fn view(&mut self) -> &mut ChmpxState {
        &mut self.observed.control.report.as_mut().unwrap().view
    }

    fn set_own(&mut self, bits: u32) {
        let status = NodeStatus::from_bits(bits);
        let id = self.view().own.chmpxid;
        self.view().own.status = status;
        for row in self.view().servers.iter_mut().filter(|row| row.chmpxid == id) {
            row.status = status;
        }
    }

    fn set_peer(&mut self, place: usize, bits: u32) {
        self.view().servers[place].status = NodeStatus::from_bits(bits);
    }

    fn end(&mut self, program: Program, how: ExitStatus) {
        let place = match program {
            Program::Chmpx => &mut self.observed.chmpx,
            Program::K2hdkc => &mut self.observed.k2hdkc,
        };
        let was = place.take().unwrap();
        self.observed.events.exits.push(Exit { program, was, how });
        if program == Program::Chmpx {
            self.observed.control.report = None;
        }
    }

    fn run(&mut self, program: Program, id: ProcessId) {
        let running = Some(running(id, self.now));
        match program {
            Program::Chmpx => self.observed.chmpx = running,
            Program::K2hdkc => self.observed.k2hdkc = running,
        }
    }

    fn answer(&mut self, bits: u32) {
        let view = fixtures::view(&self.ring, self.fileversion);
        self.observed.control.report = Some(ChmpxReport { view, at: self.now });
        self.set_own(bits);
    }

    /// Its k2hdkc has been gone for a while, and chmpx has seen it.
    fn without_k2hdkc(&mut self) {
        self.observed.k2hdkc = None;
        assert_eq!(waits(&self.next()), "start-after-k2hdkc");
        self.later(1.0).set_own(0x10011);
    }

    fn in_memory(&mut self) -> &mut Self {
        self.ring.profile.k2hdkc = Some(vec![("K2HTYPE".into(), "mem".into())]);
        self
    }
}

fn step(action: &Action) -> &Step {
    match action {
        Action::Step(step, _) => step,
        other => panic!("{other:?}"),
    }
}

/// Code of the reason of a wait.
fn waits(action: &Action) -> &'static str {
    match action {
        Action::Wait(reason, _) => reason.code(),
        Action::Demand(demand) => demand.reason.code(),
        other => panic!("{other:?}"),
    }
}

/// Codes of the reasons of a hold.
fn holds(action: &Action) -> Vec<&'static str> {
    match action {
        Action::Hold(reasons, _) => reasons.codes(),
        other => panic!("{other:?}"),
    }
}

/// Sentence of a hold.
fn words(action: &Action) -> String {
    match action {
        Action::Hold(reasons, _) => reasons.to_string(),
        other => panic!("{other:?}"),
    }
}
