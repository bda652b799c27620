//! A pass may come at any rate: the steps, their order and their pauses do not depend on it.

use super::*;

/// Rates of the passes.
const PACES: [Duration; 3] = [Duration::from_millis(50), Duration::from_secs(1), Duration::from_secs(5)];

/// Time of a run.
const LONG: Duration = Duration::from_secs(400);

/// The first process number of those that the agent starts.
const FIRST: u32 = 100;

/// A change that comes at that time.
type Due = (Instant, fn(&mut Stage));

/// A node whose programs obey, each in its own time.
struct World {
    stage: Stage,
    begun: Instant,
    /// Changes that are under way.
    due: Vec<Due>,
    /// Steps that were taken, each with its time since the begin.
    steps: Vec<(Duration, Step)>,
    obeys: bool,
}

impl World {
    fn of(stage: Stage, obeys: bool) -> Self {
        Self { begun: stage.now, stage, due: Vec::new(), steps: Vec::new(), obeys }
    }

    /// Runs the node for that time.
    fn run(mut self, pace: Duration, time: Duration) -> Vec<(Duration, Step)> {
        while self.stage.now < self.begun + time {
            self.stage.later(pace.as_secs_f64());
            let (now, failed) = (self.stage.now, self.stage.failure.is_some());
            let (come, due) = self.due.into_iter().partition(|(at, _)| *at <= now);
            self.due = due;
            let mut come: Vec<Due> = come;
            come.sort_by_key(|(at, _)| *at);
            for (_, change) in come {
                change(&mut self.stage);
            }
            let Action::Step(step, _) = self.stage.next() else { continue };
            if self.obeys && !failed {
                self.obey(&step);
            }
            self.steps.push((now - self.begun, step));
        }
        self.steps
    }

    fn obey(&mut self, step: &Step) {
        let pid = FIRST + u32::try_from(self.steps.len()).unwrap();
        let id = ProcessId { pid, start_ticks: u64::from(pid) };
        match step {
            Step::Start(Program::Chmpx) => {
                self.stage.run(Program::Chmpx, id);
                self.in_a(0.3, |stage| stage.answer(0x10011));
            }
            Step::Start(Program::K2hdkc) => {
                self.stage.run(Program::K2hdkc, id);
                self.in_a(0.5, |stage| stage.set_own(0x21));
            }
            Step::Signal(Program::Chmpx, ..) => {
                self.in_a(0.2, |stage| stage.end(Program::Chmpx, ExitStatus::Exit(0)));
            }
            Step::Signal(Program::K2hdkc, ..) => {
                self.in_a(0.2, |stage| stage.end(Program::K2hdkc, ExitStatus::Exit(0)));
                self.in_a(0.3, |stage| stage.set_own(0x10011));
            }
            Step::Control(ControlCommand::ServiceIn) => self.in_a(1.0, |stage| stage.set_own(0x21)),
            _ => {}
        }
    }

    fn in_a(&mut self, seconds: f64, change: fn(&mut Stage)) {
        self.due.push((self.stage.now + Duration::from_secs_f64(seconds), change));
    }
}

fn stopped() -> Stage {
    let mut stage = Stage::well();
    (stage.observed.chmpx, stage.observed.k2hdkc, stage.observed.control.report) = (None, None, None);
    stage
}

fn well() -> Stage {
    let mut stage = Stage::well();
    assert_eq!(stage.next(), Action::Converged);
    stage
}

fn restart(class: Class) -> Stage {
    let mut stage = well();
    stage.demand(class, "MAXCHMPX", 4);
    stage
}

fn departs(departure: Departure) -> Stage {
    let mut stage = well();
    let (stage_of_ring, merges) = (crate::ring_change::Stage::Calm, crate::ring_change::Merges::ByAgents);
    stage.ring_change = Some(Progress { stage: stage_of_ring, merges, ..Progress::default() });
    stage.set_own(if departure.returns { 0x21 } else { 0x11 });
    stage.persisted.set_way_out(departure);
    stage
}

fn at(bits: u32) -> Stage {
    let mut stage = well();
    stage.set_own(bits);
    stage
}

fn failing(mut stage: Stage) -> Stage {
    stage.failure = Some("the disk is full");
    stage
}

/// A node's situation, and whether its programs obey.
type Case = (&'static str, fn() -> Stage, bool);

const CASES: [Case; 9] = [
    ("start", stopped, true),
    ("restart of k2hdkc", || restart(Class::RestartK2hdkc), true),
    ("restart of both", || restart(Class::RestartChmpx), true),
    ("restart without an end", || restart(Class::RestartChmpx), false),
    ("stuck join", || at(0x3121), false),
    ("stuck merge", || at(0x2021), true),
    ("leave", || departs(Departure::begin(WALL, Mode::Server, false, true)), true),
    ("stop", || departs(Departure::begin_stop(WALL, Mode::Server, false, None)), true),
    ("start that fails", || failing(stopped()), true),
];

/// Least pause before the same step comes again, the last of so many in a row.
fn least(step: &Step, times: u32) -> Duration {
    let timing = rules().timing;
    match step {
        Step::Start(_) => timing.backoff().pause(times, 1.0),
        Step::Signal(..) => timing.stop_within,
        Step::Control(_) if times < rules::MOST_NUDGES => rules::NUDGE_AGAIN,
        Step::Control(_) => rules::NUDGE_SELDOM,
        other => panic!("{other:?} comes once"),
    }
}

#[test]
fn the_steps_and_their_order_do_not_depend_on_the_rate_of_the_passes() {
    for (name, stage, obeys) in CASES {
        let steps = |pace| {
            let steps = World::of(stage(), obeys).run(pace, LONG);
            steps.into_iter().map(|(_, step)| step).collect::<Vec<_>>()
        };
        let often = steps(PACES[0]);
        assert!(often.len() >= 2, "{name}: {often:?}");
        PACES[1..].iter().for_each(|pace| assert_eq!(steps(*pace), often, "{name} {pace:?}"));
    }
}

#[test]
fn no_step_comes_again_before_its_pause_however_often_the_pass_comes() {
    let mut again = 0;
    for (name, stage, obeys) in CASES {
        for pace in PACES {
            let (steps, mut times) = (World::of(stage(), obeys).run(pace, LONG), 0);
            for pair in steps.windows(2) {
                let [(before, one), (at, other)] = pair else { unreachable!() };
                times = if one == other { times + 1 } else { 0 };
                let least = if times > 0 { least(one, times) } else { Duration::ZERO };
                assert!(*at >= *before + least, "{name} {pace:?}: {other} at {before:?} and {at:?}");
                again += u32::from(times > 0);
            }
        }
    }
    assert!(again > 100, "only {again}");
}
