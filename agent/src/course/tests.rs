//! The course, situation by situation: what comes next, and what never does.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{self, ring};
use crate::names::Port;
use crate::plan::Class;
use crate::target::{Ended, Ending, Identity, Order, Program, Running, Said, Signal};
use crate::view::NodeStatus;

/// A node at one moment, in which a test turns what it is about.
struct Stage {
    ring: Ring,
    fileversion: u32,
    observed: Observed,
    rules: Rules,
    memory: Memory,
    known: Known,
    written: Option<Duration>,
    way_back: bool,
    verified: bool,
    now: Instant,
    wall: Timestamp,
}

const WALL: Timestamp = Timestamp(1_795_000_000_000);

const CHMPX: Identity = Identity { pid: 7, ticks: 100 };
const K2HDKC: Identity = Identity { pid: 8, ticks: 300 };

fn running(id: Identity, since: Instant) -> Running {
    Running { id, since, worked: Duration::ZERO }
}

fn rules() -> Rules {
    crate::settings::load(&crate::settings::Origin { config: None, root: Some("/nowhere".into()) })
        .unwrap()
        .target
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
            verified: true,
            now: since,
            wall: WALL,
        };
        stage.memory.replaced(since, true);
        stage.now = now;
        stage
    }

    fn next(&mut self) -> Next {
        let case = Case {
            now: self.now,
            wall: self.wall,
            ring: &self.ring,
            fileversion: self.fileversion,
            ctlport: 8021,
            observed: &self.observed,
            written: self.written,
            way_back: self.way_back,
            verified: self.verified,
            rules: &self.rules,
        };
        let course = chart(&case, &mut self.memory, &mut self.known);
        self.observed.ended.clear();
        course.next
    }

    fn later(&mut self, seconds: f64) -> &mut Self {
        let time = Duration::from_secs_f64(seconds);
        self.now += time;
        self.wall = self.wall.after(time);
        self.written = self.written.map(|age| age + time);
        if let Some(said) = &mut self.observed.said {
            said.at = self.now;
        }
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

#[test]
fn a_node_that_runs_what_the_file_says_has_converged() {
    let mut stage = Stage::well();
    assert_eq!(stage.next(), Next::Converged);
    assert_eq!(stage.known.served, Some(Pair { chmpx: CHMPX, k2hdkc: K2HDKC }));
    assert_eq!(stage.known.chmpx, Some(Ran { id: CHMPX, ctlport: 8021 }));
}

#[test]
fn from_nothing_chmpx_starts_then_k2hdkc_a_second_later_and_in_sight_of_its_peers() {
    let mut stage = Stage::well();
    (stage.observed.chmpx, stage.observed.k2hdkc, stage.observed.said) = (None, None, None);
    assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx));
    stage.run(Program::Chmpx, CHMPX);
    assert!(waits(&stage.next()).starts_with("waiting for chmpx's first answer"));
    stage.later(0.6).answer(0x10011);
    assert!(waits(&stage.next()).contains("a moment after its chmpx"));
    stage.later(0.6);
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, K2HDKC);
    stage.later(0.5).answer(0x2121);
    assert_eq!(waits(&stage.next()), "the ring is merging (0x2121 [SERVICE IN][UP][ADD][Doing][NoSuspend])");
    stage.later(1.0).answer(0x21);
    assert_eq!(stage.next(), Next::Converged);
}

#[test]
fn k2hdkc_never_starts_alone_on_a_ring_that_has_other_members() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    (1..3).for_each(|place| stage.set_peer(place, 0x10));
    assert!(waits(&stage.next()).contains("not started alone"));
    stage.later(3600.0);
    assert!(holds(&stage.next()).contains("take them out of their role"));
    // One that serves is enough after a while: this node will join its ring.
    stage.set_peer(1, 0x21);
    assert!(
        waits(&stage.next()).contains("waits a while for 192.0.2.3:8021"),
        "the long wait alone does not count"
    );
    assert_eq!(step(&stage.later(31.0).next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn the_only_server_of_a_ring_begins_it() {
    let mut stage = Stage::of(&[1]);
    stage.without_k2hdkc();
    let Next::Step(Step::Start(Program::K2hdkc), why) = stage.next() else { panic!() };
    assert_eq!(why, "this is the ring's only server");
}

#[test]
fn where_no_ring_is_yet_the_first_begins_and_the_others_join() {
    let mut first = Stage::well();
    first.without_k2hdkc();
    (1..3).for_each(|place| first.set_peer(place, 0x10011));
    assert_eq!(step(&first.next()), &Step::Start(Program::K2hdkc));
    let mut second = Stage::well();
    second.ring.profile.global.insert("SELFCUK".into(), "cuk-2".into());
    second.observed.said.as_mut().unwrap().view = fixtures::view(&second.ring, 4);
    second.without_k2hdkc();
    (0..3).for_each(|place| second.set_peer(place, 0x10011));
    assert!(waits(&second.next()).contains("waits for 192.0.2.1:8021 (server1.example) to begin"));
    second.set_peer(0, 0x21);
    assert_eq!(step(&second.next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn servers_that_came_together_look_anew_for_those_that_did_not_let_them_in() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    stage.set_peer(1, 0x10011);
    stage.set_peer(2, 0x10);
    assert!(waits(&stage.next()).contains("waits a while for 192.0.2.3:8021"));
    assert!(waits(&stage.later(10.0).next()).contains("looks for 192.0.2.3:8021 (server3.example) anew"));
    assert_eq!(step(&stage.next()), &Step::Send(Program::Chmpx, CHMPX, Signal::Hangup));
    stage.end(Program::Chmpx, Ending::Exit(0));
    assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx));
    stage.run(Program::Chmpx, Identity { pid: 9, ticks: 900 });
    stage.later(1.0).answer(0x10011);
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc), "now it sees that they serve");
}

#[test]
fn a_minority_begins_no_ring_beside_the_one_that_it_does_not_see() {
    for (servers, ready, begins) in [(5, 1, false), (5, 2, true), (4, 1, false), (3, 1, true)] {
        let mut stage = Stage::of(&(1..=servers).collect::<Vec<_>>());
        stage.without_k2hdkc();
        (1..servers).for_each(|place| stage.set_peer(place, if place <= ready { 0x10011 } else { 0x10 }));
        waits(&stage.next());
        stage.memory.looked_anew = 9;
        let next = stage.later(31.0).next();
        if begins {
            assert_eq!(step(&next), &Step::Start(Program::K2hdkc), "{servers} {ready}");
        } else {
            assert!(holds(&next).contains("does not begin a ring: only 2 of"), "{servers} {ready}");
        }
    }
}

#[test]
fn a_first_server_that_does_not_come_is_not_waited_for_for_ever() {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("SELFCUK".into(), "cuk-2".into());
    stage.observed.said.as_mut().unwrap().view = fixtures::view(&stage.ring, 4);
    stage.without_k2hdkc();
    (0..3).for_each(|place| stage.set_peer(place, 0x10011));
    assert!(waits(&stage.next()).contains("to begin"));
    stage.later(61.0);
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn when_chmpx_dies_its_k2hdkc_goes_before_the_next_chmpx_comes() {
    let mut stage = Stage::well();
    stage.next();
    stage.end(Program::Chmpx, Ending::Signal(9));
    assert_eq!(step(&stage.next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
    assert!(waits(&stage.later(0.5).next()).contains("is stopping"));
    assert_eq!(step(&stage.later(0.6).next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Kill));
    stage.end(Program::K2hdkc, Ending::Signal(9));
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx));
}

#[test]
fn a_k2hdkc_that_is_older_than_its_chmpx_is_restarted_and_with_the_rule_off_it_is_not() {
    let mut stage = Stage::well();
    stage.observed.chmpx = Some(running(Identity { pid: 9, ticks: 500 }, stage.now));
    assert_eq!(step(&stage.next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
    let mut stage = Stage::well();
    stage.rules.pair = false;
    stage.observed.chmpx = Some(running(Identity { pid: 9, ticks: 500 }, stage.now));
    assert_eq!(stage.next(), Next::Converged);
}

#[test]
fn the_only_copy_is_never_thrown_away() {
    for (replicas, others, lost) in [("0", 2, true), ("1", 0, true), ("1", 2, false)] {
        let mut stage = Stage::well();
        stage.in_memory().ring.profile.global.insert("REPLICA".into(), replicas.into());
        stage.next();
        stage.observed.chmpx = Some(running(Identity { pid: 9, ticks: 500 }, stage.now));
        (1..3).skip(others).for_each(|place| stage.set_peer(place, 0x10));
        let next = stage.next();
        if lost {
            assert!(holds(&next).contains("its keys would be lost"), "{next:?}");
            // Nor is a merge nudged meanwhile.
            stage.set_own(0x3121);
            assert!(holds(&stage.later(60.0).next()).contains("do not scale"));
        } else {
            assert_eq!(step(&next), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
        }
    }
}

/// The same server in memory, its chmpx started anew under its k2hdkc.
fn outlived_in_memory() -> Stage {
    let mut stage = Stage::well();
    stage.in_memory().ring.profile.global.insert("REPLICA".into(), "1".into());
    stage.next();
    stage.observed.chmpx = Some(running(Identity { pid: 9, ticks: 500 }, stage.now));
    stage
}

#[test]
fn keys_in_memory_are_given_up_only_where_the_others_kept_theirs_all_the_time() {
    let restarted = |next: &Next| matches!(next, Next::Step(Step::Send(Program::K2hdkc, ..), _));
    // Another server's chmpx ended as well: it comes back in the middle of a join, or without its k2hdkc.
    for bits in [0x2121, 0x10021, 0x11, 0x1121] {
        let mut stage = outlived_in_memory();
        stage.set_peer(2, bits);
        stage.next();
        stage.set_peer(2, 0x21);
        assert!(holds(&stage.later(5.0).next()).contains("not seen in service all the time"), "{bits:#x}");
    }
    // One that is not reached yet, and one that merges for this server's sake, have lost nothing.
    for bits in [0x20, 0x2021] {
        let mut stage = outlived_in_memory();
        stage.set_peer(2, bits);
        let next = stage.next();
        stage.set_peer(2, 0x21);
        assert!(restarted(&next) || restarted(&stage.later(5.0).next()), "{bits:#x}");
    }
    // It was up, and went.
    let mut stage = outlived_in_memory();
    stage.set_own(0x2121);
    stage.set_peer(1, 0x2021);
    stage.set_peer(2, 0x2021);
    stage.next();
    stage.set_peer(2, 0x10);
    stage.later(1.0).next();
    (1..3).for_each(|place| stage.set_peer(place, 0x21));
    assert!(holds(&stage.later(1.0).next()).contains("not seen in service all the time"));
}

#[test]
fn a_file_that_ended_chmpx_may_have_ended_it_everywhere() {
    let mut stage = Stage::well();
    stage.in_memory().ring.profile.global.insert("REPLICA".into(), "1".into());
    stage.next();
    (stage.fileversion, stage.verified, stage.written) = (5, false, Some(Duration::ZERO));
    stage.memory.replaced(stage.now, true);
    stage.end(Program::Chmpx, Ending::Exit(0));
    stage.later(0.1).next();
    stage.run(Program::Chmpx, Identity { pid: 9, ticks: 900 });
    stage.later(1.0).answer(0x21);
    assert!(holds(&stage.next()).contains("not seen in service all the time"));
}

#[test]
fn k2hdkc_is_not_restarted_onto_another_database() {
    let place = |stage: &mut Stage, kind: &str, file: &str| {
        let keys = [("K2HTYPE", kind), ("K2HFILE", file)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        stage.ring.profile.k2hdkc = Some(keys.to_vec());
    };
    for (kind, file) in [("file", "/data/b.k2h"), ("mem", "")] {
        let mut stage = Stage::well();
        place(&mut stage, "file", "/data/a.k2h");
        assert_eq!(stage.next(), Next::Converged);
        place(&mut stage, kind, file);
        stage.known.demand_for_change(Class::RestartK2hdkc, None, Some(K2HDKC), "[K2HDKC] K2HFILE", WALL);
        assert!(holds(&stage.later(60.0).next()).contains("names another database"), "{kind} {file}");
        // Nor does it go with its chmpx.
        stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "MAXCHMPX", WALL);
        assert!(holds(&stage.later(60.0).next()).contains("names another database"), "{kind} {file}");
        // Where the old place is back, so are the keys.
        place(&mut stage, "file", "/data/a.k2h");
        waits(&stage.later(1.0).next());
        assert_eq!(step(&stage.later(5.0).next()), &Step::Tell(Order::ServiceOut));
    }
    let mut stage = Stage::well();
    place(&mut stage, "file", "/data/a.k2h");
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    stage.next();
    place(&mut stage, "file", "/data/b.k2h");
    stage.observed.chmpx = Some(running(Identity { pid: 9, ticks: 500 }, stage.now));
    assert!(holds(&stage.next()).contains("its database is /data/a.k2h, and the file names another one"));
}

#[test]
fn a_wait_in_which_nothing_moves_is_told_after_ten_minutes_and_a_merge_is_none() {
    let mut stage = Stage::well();
    stage.view().automerge = false;
    stage.set_own(0x3121);
    assert!(waits(&stage.next()).contains("AUTOMERGE is off"));
    stage.set_peer(1, 0x2121);
    waits(&stage.later(700.0).next());
    stage.set_peer(1, 0x21);
    assert!(holds(&stage.later(1.0).next()).ends_with("nothing has changed for 10 min"));
    stage.set_own(0x1121);
    assert!(waits(&stage.later(1.0).next()).contains("AUTOMERGE is off"), "another status is a movement");
}

#[test]
fn two_things_that_wait_do_not_keep_each_other_from_being_done() {
    let mut stage = Stage::well();
    stage.next();
    stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "MAXCHMPX", WALL);
    stage.ring.servers.pop();
    stage.set_peer(2, 0x10);
    stage.rules.calm = Duration::from_secs(20);
    let next = (0..10).map(|_| stage.later(1.0).next()).find(|next| matches!(next, Next::Rewrite(_)));
    assert!(next.is_some());
}

#[test]
fn only_a_file_that_was_written_counts_as_written_again() {
    let mut stage = Stage::well();
    stage.next();
    (stage.fileversion, stage.verified) = (5, false);
    stage.memory.replaced(stage.now, true);
    for _ in 0..3 * rules::MOST_REWRITES {
        assert!(matches!(stage.later(1.0).next(), Next::Rewrite(_)), "no attempt succeeded");
    }
    assert_eq!(stage.known.restart, None);
}

#[test]
fn with_its_keys_in_memory_an_orphan_keeps_them_until_chmpx_is_back() {
    let mut stage = Stage::well();
    stage.in_memory();
    stage.next();
    stage.end(Program::Chmpx, Ending::Signal(9));
    let Next::Hold(_, soon) = stage.next() else { panic!() };
    assert!(soon <= Duration::from_millis(100), "{soon:?}");
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx), "k2hdkc is not touched");
}

#[test]
fn a_reload_that_was_swallowed_is_written_again_and_then_chmpx_is_restarted() {
    let mut stage = Stage::well();
    stage.next();
    (stage.fileversion, stage.verified) = (5, false);
    stage.memory.replaced(stage.now, true);
    assert!(waits(&stage.next()).contains("asked after it"), "nobody asks in the quiet time");
    for _ in 0..rules::MOST_REWRITES {
        stage.later(1.0);
        assert_eq!(
            stage.next(),
            Next::Rewrite(format!("chmpx reports generation 4, not {}", stage.fileversion))
        );
        stage.fileversion += 1;
        stage.memory.replaced(stage.now, false);
    }
    stage.later(1.0);
    assert!(waits(&stage.next()).contains("although it was written 8 times again"));
    assert_eq!(stage.known.restart.as_ref().unwrap().urgency, Urgency::Deaf);
    assert!(waits(&stage.later(0.1).next()).ends_with("all servers are well"));
    assert_eq!(step(&stage.later(5.0).next()), &Step::Tell(Order::ServiceOut), "out of service first");
    stage.set_own(0x11);
    assert!(waits(&stage.later(0.5).next()).ends_with("it is out of service, and stops in a moment"));
    assert_eq!(step(&stage.later(1.0).next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.end(Program::K2hdkc, Ending::Exit(0));
    assert!(waits(&stage.later(0.1).next()).contains("a moment after its k2hdkc"));
    assert_eq!(step(&stage.later(0.5).next()), &Step::Send(Program::Chmpx, CHMPX, Signal::Hangup));
    assert!(waits(&stage.later(10.0).next()).contains("is stopping"));
    assert_eq!(step(&stage.later(10.0).next()), &Step::Send(Program::Chmpx, CHMPX, Signal::Kill));
    stage.end(Program::Chmpx, Ending::Signal(9));
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx));
    assert_eq!(stage.known.restart, None);
}

#[test]
fn a_changed_key_restarts_servers_in_turn_and_slaves_only_where_it_is_allowed() {
    let mut stage = Stage::well();
    stage.next();
    stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "MAXCHMPX", WALL);
    stage.set_peer(1, 0x2121);
    assert!(waits(&stage.next()).contains("192.0.2.2:8021 (server2.example) must be well again"));
    stage.set_peer(1, 0x21);
    waits(&stage.next());
    assert_eq!(step(&stage.later(5.0).next()), &Step::Tell(Order::ServiceOut));
    stage.rules.restarts = Restarts::Never;
    assert!(holds(&stage.later(1.0).next()).contains("target.restarts forbids it"));
    // The second server's turn comes later.
    let mut second = Stage::well();
    second.ring.profile.global.insert("SELFCUK".into(), "cuk-2".into());
    second.observed.said.as_mut().unwrap().view = fixtures::view(&second.ring, 4);
    second.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "MAXCHMPX", WALL);
    assert!(waits(&second.next()).contains("the servers before it restart first"));
}

#[test]
fn a_leave_that_sticks_in_its_merge_ends_in_a_plain_restart() {
    let mut stage = Stage::well();
    stage.next();
    stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "MAXCHMPX", WALL);
    waits(&stage.next());
    assert_eq!(step(&stage.later(5.0).next()), &Step::Tell(Order::ServiceOut));
    stage.set_own(0x2221);
    assert!(waits(&stage.later(1.0).next()).contains("this server is 0x2221"));
    assert!(waits(&stage.later(99.0).next()).contains("this server is 0x2221"));
    assert_eq!(step(&stage.later(1.0).next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn after_a_restart_of_k2hdkc_alone_the_node_comes_back_into_service() {
    let mut stage = Stage::well();
    stage.next();
    stage.known.demand_for_change(
        Class::RestartK2hdkc,
        Some(CHMPX),
        Some(K2HDKC),
        "[K2HDKC] MAXTHREAD",
        WALL,
    );
    waits(&stage.next());
    assert_eq!(step(&stage.later(5.0).next()), &Step::Tell(Order::ServiceOut));
    stage.set_own(0x11);
    waits(&stage.later(0.5).next());
    assert_eq!(step(&stage.later(1.0).next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.end(Program::K2hdkc, Ending::Exit(0));
    assert!(waits(&stage.next()).contains("the end of the one before it"));
    assert!(waits(&stage.later(1.0).next()).contains("when chmpx has seen the end"));
    stage.set_own(0x10011);
    assert_eq!(step(&stage.later(0.2).next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, Identity { pid: 9, ticks: 900 });
    stage.later(1.0).set_own(0x11);
    assert_eq!(step(&stage.next()), &Step::Tell(Order::ServiceIn));
    stage.later(1.0).set_own(0x21);
    assert_eq!(stage.next(), Next::Converged);
    assert_eq!(stage.known.drained, None);
}

#[test]
fn who_was_taken_out_of_service_by_hand_stays_out_and_is_told() {
    let mut stage = Stage::well();
    stage.known.started = Some(K2HDKC);
    stage.next();
    stage.set_own(0x11);
    assert!(holds(&stage.later(60.0).next()).contains("somebody took it out of service"));
}

#[test]
fn a_join_that_sticks_is_nudged_a_few_times() {
    for (bits, order) in [(0x3121, Order::UpdateStatus), (0x11, Order::ServiceIn)] {
        let mut stage = Stage::well();
        stage.known.started = Some(K2HDKC);
        stage.set_own(bits);
        assert!(waits(&stage.next()).contains("this server is"));
        for _ in 0..5 {
            assert_eq!(step(&stage.later(11.0).next()), &Step::Tell(order));
            waits(&stage.later(1.0).next());
        }
        assert!(!matches!(stage.later(11.0).next(), Next::Step(..)), "{bits:#x}");
    }
}

#[test]
fn a_merge_that_works_is_waited_for_and_one_in_which_nothing_works_is_ended() {
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(0x2021);
    stage.next();
    for _ in 0..100 {
        stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(300);
        assert!(waits(&stage.later(10.0).next()).contains("merging"));
    }
    assert!(waits(&stage.later(99.0).next()).contains("merging"));
    assert!(waits(&stage.later(1.0).next()).contains("a merge sticks at 0x2021"));
    assert_eq!(step(&stage.later(0.1).next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.end(Program::K2hdkc, Ending::Exit(0));
    waits(&stage.later(0.1).next());
    assert_eq!(step(&stage.later(0.6).next()), &Step::Send(Program::Chmpx, CHMPX, Signal::Hangup));
    assert_eq!(
        step(&stage.later(3.0).next()),
        &Step::Send(Program::Chmpx, CHMPX, Signal::Kill),
        "it seldom hears HUP"
    );
}

#[test]
fn a_tick_of_the_clock_now_and_then_is_no_work() {
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(0x2121);
    let sticks = |next: &Next| matches!(next, Next::Wait(text, _) if text.contains("a merge sticks"));
    let stuck = (1..240).find(|pass| {
        if pass % 8 == 0 {
            stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(10);
        }
        sticks(&stage.later(0.5).next())
    });
    assert!(stuck.is_some_and(|pass| pass >= 200), "{stuck:?}");
}

#[test]
fn even_a_merge_that_works_does_not_last_for_ever() {
    let mut stage = Stage::well();
    stage.set_own(0x2121);
    stage.next();
    for _ in 0..179 {
        stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(300);
        assert!(waits(&stage.later(10.0).next()).contains("merging"));
    }
    stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(300);
    assert!(waits(&stage.later(10.0).next()).contains("a merge sticks"));
}

#[test]
fn the_end_of_chmpx_after_an_installation_is_blamed_on_the_file() {
    let ended = |how| {
        let mut stage = Stage::well();
        stage.next();
        (stage.fileversion, stage.verified, stage.way_back) = (5, false, true);
        stage.written = Some(Duration::from_millis(30));
        stage.memory.replaced(stage.now, true);
        stage.end(Program::Chmpx, how);
        stage
    };
    let Next::RollBack(why) = ended(Ending::Exit(0)).next() else { panic!() };
    assert_eq!(why, "chmpx ended with status 0 30 ms after generation 5 was installed");
    assert!(matches!(ended(Ending::Signal(11)).next(), Next::RollBack(_)));
    for how in [Ending::Signal(9), Ending::Unknown] {
        let mut stage = ended(how);
        assert_eq!(step(&stage.next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup), "{how:?}");
        stage.end(Program::K2hdkc, Ending::Exit(0));
        // Two starts that fail with the file on trial are the file's fault as well.
        for start in 0..2 {
            stage.later(2.0);
            assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx), "{how:?} {start}");
            stage.run(Program::Chmpx, Identity { pid: 20 + start, ticks: 1000 });
            stage.later(0.1).end(Program::Chmpx, Ending::Exit(1));
            if start == 0 {
                assert!(waits(&stage.next()).contains("started again in a moment; it ended with status 1"));
            }
        }
        let Next::RollBack(why) = stage.next() else { panic!("{how:?}") };
        assert!(why.contains("does not start with generation 5: it ended with status 1, 2 times"), "{why}");
    }
    let mut old = ended(Ending::Exit(0));
    old.written = Some(Duration::from_secs(31));
    assert!(!matches!(old.next(), Next::RollBack(_)));
    let mut first = ended(Ending::Exit(0));
    first.way_back = false;
    assert!(!matches!(first.next(), Next::RollBack(_)));
}

#[test]
fn a_silent_chmpx_is_waited_for_and_a_deaf_one_is_restarted() {
    let mut stage = Stage::well();
    stage.next();
    stage.observed.silent = Some((stage.now, "no answer".into()));
    assert_eq!(stage.later(60.0).next(), Next::Converged);
    assert!(waits(&stage.later(60.0).next()).contains("silent too long: no answer"));
    assert_eq!(step(&stage.later(0.1).next()), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn a_chmpx_that_falls_silent_of_a_new_file_gets_the_old_one_back() {
    for (after, rolled_back) in [(10.0, true), (40.0, false)] {
        let mut stage = Stage::well();
        stage.next();
        (stage.fileversion, stage.verified, stage.way_back) = (5, false, true);
        stage.written = Some(Duration::ZERO);
        stage.memory.replaced(stage.now, true);
        stage.later(after);
        stage.observed.silent = Some((stage.now, "no answer".into()));
        let next = stage.later(120.0).next();
        assert_eq!(matches!(next, Next::RollBack(_)), rolled_back, "{after} {next:?}");
    }
}

#[test]
fn a_chmpx_that_has_many_dead_servers_to_try_may_be_silent_longer() {
    let mut stage = Stage::well();
    stage.ring.servers.extend(ring(&[4, 5, 6, 7, 8, 9], &[]).servers);
    (stage.fileversion, stage.verified, stage.way_back) = (5, false, true);
    stage.written = Some(Duration::ZERO);
    stage.memory.replaced(stage.now, true);
    stage.observed.silent = Some((stage.now, "no answer".into()));
    assert!(!matches!(stage.later(179.0).next(), Next::RollBack(_)));
    assert!(matches!(stage.later(1.0).next(), Next::RollBack(_)));
}

#[test]
fn a_server_that_left_stays_listed_while_it_is_up_and_its_dead_row_is_written_away() {
    let mut stage = Stage::well();
    let gone = stage.ring.servers.pop().unwrap();
    assert!(waits(&stage.next()).contains("lists 192.0.2.3:8021 until that server ends"));
    stage.set_peer(2, 0x10);
    assert!(waits(&stage.next()).contains("still lists 192.0.2.3:8021, which is gone"));
    assert!(matches!(stage.later(6.0).next(), Next::Rewrite(_)));
    stage.view().servers.pop();
    assert_eq!(stage.next(), Next::Converged);
    stage.ring.servers.push(gone);
    assert!(waits(&stage.next()).contains("chmpx does not list"));
}

#[test]
fn two_of_one_kind_are_for_somebody_to_look_at() {
    let mut stage = Stage::well();
    stage.observed.surplus = vec![(Program::Chmpx, 99)];
    assert!(holds(&stage.next()).starts_with("several chmpx run with this ini (pids 7, 99)"));
}

#[test]
fn what_killed_processes_left_is_removed_once_chmpx_answers() {
    let mut stage = Stage::well();
    stage.observed.leftovers = 2;
    assert_eq!(step(&stage.next()), &Step::Tidy);
    stage.observed.said = None;
    assert!(waits(&stage.next()).contains("first answer"));
}

#[test]
fn a_program_that_ends_again_and_again_is_started_less_and_less_often() {
    let mut stage = Stage::well();
    let mut pauses = Vec::new();
    for start in 0..6 {
        stage.end(Program::K2hdkc, Ending::Exit(1));
        stage.set_own(0x10021);
        let mut paused = 0.0;
        while !matches!(stage.next(), Next::Step(Step::Start(Program::K2hdkc), _)) {
            paused += 0.5;
            stage.later(0.5);
        }
        pauses.push(paused);
        stage.run(Program::K2hdkc, Identity { pid: 30 + start, ticks: 2000 });
        stage.later(0.1);
    }
    assert!(pauses[0] <= 1.0 && pauses[1..].is_sorted() && pauses[5] >= 8.0, "{pauses:?}");
}

#[test]
fn a_slave_is_well_when_it_is_up_and_has_no_k2hdkc_to_care_for() {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
    stage.view().own.status = NodeStatus::from_bits(0x1);
    stage.observed.k2hdkc = None;
    assert_eq!(stage.next(), Next::Converged);
    stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), None, "MAXCHMPX", WALL);
    assert!(holds(&stage.next()).contains("target.restarts forbids it"));
    stage.rules.restarts = Restarts::Always;
    assert_eq!(step(&stage.next()), &Step::Send(Program::Chmpx, CHMPX, Signal::Hangup));
}

#[test]
fn at_the_agent_s_own_end_both_stop_in_order() {
    let mut stage = Stage::well();
    let ending = |stage: &mut Stage| {
        let (rules, observed, ring) = (stage.rules, stage.observed.clone(), stage.ring.clone());
        let case = Case {
            now: stage.now,
            wall: stage.wall,
            ring: &ring,
            fileversion: 4,
            ctlport: 8021,
            observed: &observed,
            written: None,
            way_back: false,
            verified: true,
            rules: &rules,
        };
        super::ending(&case, &mut stage.memory)
    };
    assert_eq!(step(&ending(&mut stage)), &Step::Send(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.observed.k2hdkc = None;
    waits(&ending(stage.later(0.2)));
    waits(&ending(stage.later(0.1)));
    assert_eq!(step(&ending(stage.later(0.5))), &Step::Send(Program::Chmpx, CHMPX, Signal::Hangup));
    stage.observed.chmpx = None;
    assert_eq!(ending(&mut stage), Next::Converged);
    assert_eq!(Port::LEAST.get(), 1);
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
        if restart { stage.known.demand_for_change(Class::RestartChmpx, Some(CHMPX), Some(K2HDKC), "x", WALL); }
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
