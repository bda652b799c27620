//! The lifecycle, situation by situation: what comes next, and what never does.

mod keeping;
mod leaving;
mod maintenance;
mod place;
mod placing;
mod starting;
mod states;
mod stopping;
mod trial;
mod unlisted;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::fixtures::{self, ring};
use crate::names::Port;
use crate::plan::Class;
use crate::supervisor::{Ended, Ending, Identity, MergeThread, Order, Program, Rival, Running, Said, Signal};
use crate::view::NodeStatus;

/// A node at one moment, in which a test turns what it is about.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a test turns")]
struct Stage {
    ring: Ring,
    fileversion: u32,
    observed: Observed,
    rules: Rules,
    memory: Memory,
    known: Known,
    written: Option<Duration>,
    way_back: bool,
    loaded: bool,
    verified: bool,
    mended: bool,
    now: Instant,
    boot: BootTime,
}

const WALL: Timestamp = Timestamp(1_795_000_000_000);

/// The host has been up for a day.
fn boot() -> BootTime {
    fixtures::boot_time(86_400_000)
}

const CHMPX: Identity = Identity { pid: 7, ticks: 100 };
const K2HDKC: Identity = Identity { pid: 8, ticks: 300 };

fn running(id: Identity, since: Instant) -> Running {
    Running { id, since, worked: Duration::ZERO, counted: since }
}

fn rules() -> Rules {
    crate::settings::load(&crate::settings::Origin { config: None, root: Some("/nowhere".into()) })
        .unwrap()
        .supervisor
        .rules
}

impl Stage {
    /// Server 1 of three, long converged on generation 4.
    fn well() -> Self {
        Self::of(&[1, 2, 3])
    }

    fn of(servers: &[usize]) -> Self {
        let (ring, now) = (ring(servers, &[1]), Instant::now() + Duration::from_hours(1));
        let since = now - Duration::from_secs(600);
        let said = Said { view: fixtures::view(&ring, 4), at: now };
        let observed = Observed {
            chmpx: Some(running(CHMPX, since)),
            k2hdkc: Some(running(K2HDKC, since + Duration::from_secs(2))),
            said: Some(said),
            ..Observed::default()
        };
        let mut stage = Self {
            ring,
            fileversion: 4,
            observed,
            rules: rules(),
            memory: Memory::default(),
            known: Known::default(),
            written: Some(Duration::from_secs(600)),
            way_back: false,
            loaded: false,
            verified: true,
            mended: false,
            now: since,
            boot: boot(),
        };
        stage.memory.replaced(since, true);
        stage.now = now;
        stage
    }

    /// The same, seen from server 2.
    fn second() -> Self {
        let mut second = Self::well();
        second.ring.profile.global.insert("SELFCUK".into(), "cuk-2".into());
        second.observed.said.as_mut().unwrap().view = fixtures::view(&second.ring, 4);
        second
    }

    fn case(&self) -> Case<'_> {
        Case {
            now: self.now,
            boot: self.boot,
            ring: &self.ring,
            fileversion: self.fileversion,
            ctlport: 8021,
            observed: &self.observed,
            written: self.written,
            ways: Ways { before: self.way_back, proven: self.way_back },
            loaded: self.loaded,
            verified: self.verified,
            mended: self.mended,
            rules: &self.rules,
        }
    }

    fn next(&mut self) -> Next {
        let (mut memory, mut known) = (std::mem::take(&mut self.memory), std::mem::take(&mut self.known));
        let course = chart(&self.case(), &mut memory, &mut known);
        (self.memory, self.known) = (memory, known);
        self.observed.ended.clear();
        course.next
    }

    fn later(&mut self, seconds: f64) -> &mut Self {
        let time = Duration::from_secs_f64(seconds);
        self.now += time;
        self.boot = self.boot.after(time);
        self.written = self.written.map(|age| age + time);
        if let Some(said) = &mut self.observed.said {
            said.at = self.now;
        }
        let running = [&mut self.observed.chmpx, &mut self.observed.k2hdkc];
        running.into_iter().flatten().for_each(|running| running.counted = self.now);
        self
    }

    fn view(&mut self) -> &mut View {
        &mut self.observed.said.as_mut().unwrap().view
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

    fn end(&mut self, program: Program, how: Ending) {
        let place = match program {
            Program::Chmpx => &mut self.observed.chmpx,
            Program::K2hdkc => &mut self.observed.k2hdkc,
        };
        let was = place.take().unwrap();
        self.observed.ended.push(Ended { program, was, how });
        if program == Program::Chmpx {
            self.observed.said = None;
        }
    }

    fn run(&mut self, program: Program, id: Identity) {
        let running = Some(running(id, self.now));
        match program {
            Program::Chmpx => self.observed.chmpx = running,
            Program::K2hdkc => self.observed.k2hdkc = running,
        }
    }

    fn answer(&mut self, bits: u32) {
        let view = fixtures::view(&self.ring, self.fileversion);
        self.observed.said = Some(Said { view, at: self.now });
        self.set_own(bits);
    }

    /// Its k2hdkc has been gone for a while, and chmpx has seen it.
    fn without_k2hdkc(&mut self) {
        self.observed.k2hdkc = None;
        assert!(waits(&self.next()).contains("the end of the one before it"));
        self.later(1.0).set_own(0x10011);
    }

    fn in_memory(&mut self) -> &mut Self {
        self.ring.profile.k2hdkc = Some(vec![("K2HTYPE".into(), "mem".into())]);
        self
    }
}

fn step(next: &Next) -> &Step {
    match next {
        Next::Step(step, _) => step,
        other => panic!("{other:?}"),
    }
}

fn waits(next: &Next) -> &str {
    match next {
        Next::Wait(text, _) => text,
        other => panic!("{other:?}"),
    }
}

fn holds(next: &Next) -> &str {
    match next {
        Next::Hold(text, _) => text,
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Whatever runs and whatever chmpx says: chmpx never starts or stops beside a k2hdkc on a server, and k2hdkc never
    /// starts without a chmpx, nor alone beside other servers.
    #[test]
    fn no_situation_leads_to_a_step_that_loses_keys(
        runs in proptest::collection::vec(any::<bool>(), 3),
        bits in proptest::collection::vec(prop_oneof![
            Just(0x10), Just(0x11), Just(0x10011), Just(0x21), Just(0x10021), Just(0x2121), Just(0x3121), Just(0x2021), Just(0x1),
        ], 3),
        older in any::<bool>(), fileversion in 3u32..6, seconds in proptest::collection::vec(0.0f64..40.0, 1..8),
        memory in any::<bool>(), restart in any::<bool>(), way_back in any::<bool>(),
    ) {
        let mut stage = Stage::well();
        (stage.fileversion, stage.way_back) = (fileversion, way_back);
        if memory { stage.in_memory(); }
        if restart { stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "x", (boot(), 4)); }
        (0..3).for_each(|place| stage.set_peer(place, bits[place]));
        stage.set_own(bits[0]);
        if !runs[0] { (stage.observed.chmpx, stage.observed.said) = (None, None); }
        if !runs[1] { stage.observed.k2hdkc = None; }
        if !runs[2] { stage.observed.said = None; }
        if older && let Some(k2hdkc) = &mut stage.observed.k2hdkc { k2hdkc.id.ticks = 50; }
        for seconds in seconds {
            let next = stage.later(seconds).next();
            let (chmpx, k2hdkc) = (stage.observed.chmpx.is_some(), stage.observed.k2hdkc.is_some());
            match next {
                Next::Step(Step::Start(Program::Chmpx), _) => prop_assert!(!chmpx && (!k2hdkc || memory)),
                Next::Step(Step::Start(Program::K2hdkc), _) => {
                    prop_assert!(chmpx && !k2hdkc);
                    prop_assert!(bits[1] & 1 == 1 || bits[2] & 1 == 1);
                }
                Next::Step(Step::Send(Program::Chmpx, ..), _) => prop_assert!(!k2hdkc),
                Next::Step(Step::Send(Program::K2hdkc, ..), _) => {
                    let others = bits[1..].contains(&0x21) && stage.observed.said.is_some();
                    prop_assert!(k2hdkc && (!memory || others));
                }
                _ => {}
            }
        }
    }
}
