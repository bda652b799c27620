//! The way out: what comes after what, and what is never done before the keys have moved.

use proptest::prelude::*;

use super::*;
use crate::lifecycle::Stage as Way;
use crate::supervisor::Signal::Hangup;

fn leaving(force: bool) -> Departure {
    Departure::begin(WALL, Mode::Server, force, true)
}

/// Server 1 of three, which was seen in service and is to leave.
fn server(force: bool) -> Stage {
    let mut server = Stage::well();
    assert_eq!(server.next(), Action::Converged);
    server.persisted.leaving = Some(leaving(force));
    server
}

fn at(stage: &Stage) -> Way {
    stage.persisted.leaving.as_ref().unwrap().stage
}

/// Both programs, from the moment in which nothing keeps them any more.
fn assert_stops(stage: &mut Stage) {
    assert_eq!(step(&stage.next()), &Step::Disable(Program::K2hdkc));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Hangup));
    assert_eq!(waits(&stage.later(0.1).next()), "stop-stopping");
    stage.end(Program::K2hdkc, ExitStatus::Exit(0));
    assert_eq!(waits(&stage.next()), "stop-after-k2hdkc");
    assert_eq!(step(&stage.later(0.5).next()), &Step::Disable(Program::Chmpx));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Hangup));
    stage.end(Program::Chmpx, ExitStatus::Exit(0));
    assert_eq!(waits(&stage.next()), "leave-at");
}

#[test]
fn a_server_stops_only_when_the_ring_says_that_it_is_out_and_nobody_merges() {
    let mut stage = server(false);
    assert_eq!(step(&stage.next()), &Step::Control(ControlCommand::ServiceOut));
    for bits in [0x1221, 0x2221, 0x3221] {
        stage.set_own(bits);
        assert_eq!(waits(&stage.later(0.5).next()), "leave-ring-merges", "{bits:#x}");
    }
    stage.set_own(0x11);
    stage.set_peer(1, 0x3021);
    assert_eq!(waits(&stage.later(5.0).next()), "leave-other-merges");
    stage.set_peer(1, 0x21);
    stage.set_own(0x11);
    assert_eq!(at(&stage), Way::Draining);
    assert_eq!(waits(&stage.later(1.0).next()), "leave-at");
    assert_stops(&mut stage);
    assert_eq!(at(&stage), Way::Removing);
    stage.persisted.leaving.as_mut().unwrap().removed();
    assert_eq!(waits(&stage.later(60.0).next()), "leave-at", "and nothing starts again");
}

#[test]
fn a_server_that_has_not_come_into_service_yet_is_not_out_but_goes_on_as_every_other() {
    let mut stage = Stage::well();
    stage.persisted.leaving = Some(leaving(false));
    stage.set_own(0x11);
    for _ in 0..10 {
        assert_eq!(holds(&stage.later(1.0).next()), ["join-out-by-hand"]);
    }
    stage.persisted.started = Some(K2HDKC);
    stage.persisted.out_by_hand = None;
    assert_eq!(step(&stage.later(1.0).next()), &Step::Control(ControlCommand::ServiceIn));
    assert_eq!(at(&stage), Way::Draining);
    // What ended before its keys had moved runs again first.
    stage.end(Program::K2hdkc, ExitStatus::Exit(0));
    stage.next();
    stage.end(Program::Chmpx, ExitStatus::Exit(0));
    let next = (0..20).map(|_| stage.later(1.0).next()).find(|next| matches!(next, Action::Step(..)));
    assert_eq!(step(&next.unwrap()), &Step::Start(Program::Chmpx));
}

#[test]
fn what_speaks_against_it_is_held_with_both_ways_out_and_not_where_somebody_insists() {
    for (turn, said) in [
        (
            (|stage| (1..3).for_each(|place| stage.set_peer(place, 0x10))) as fn(&mut Stage),
            "the last server in service",
        ),
        (|stage| stage.set_peer(2, 0x20), "server3.example) must be well again first"),
        (|stage| stage.view().automerge = false, "AUTOMERGE is off"),
    ] {
        let mut stage = server(false);
        turn(&mut stage);
        let held = stage.next();
        assert_eq!(holds(&held), ["leave-obstructed"]);
        assert!(words(&held).contains(said), "{held:?}");
        stage.persisted.leaving = Some(leaving(true));
        assert_eq!(step(&stage.next()), &Step::Control(ControlCommand::ServiceOut));
        assert_stops(&mut stage);
    }
}

#[test]
fn a_merge_that_sticks_is_nudged_then_ended_and_a_busy_one_is_waited_for() {
    let mut stage = server(false);
    stage.set_peer(1, 0x2121);
    assert_eq!(waits(&stage.next()), "leave-others-merge");
    stage.set_peer(1, 0x21);
    stage.next();
    stage.set_own(0x3221);
    stage.next();
    assert_eq!(step(&stage.later(5.0).next()), &Step::Control(ControlCommand::UpdateStatus));
    stage.set_own(0x2221);
    stage.next();
    assert_eq!(waits(&stage.later(60.0).next()), "leave-ring-merges");
    stage.set_own(0x1221);
    stage.next();
    assert_eq!(step(&stage.later(61.0).next()), &Step::Control(ControlCommand::Merge));
    stage.set_own(0x2221);
    stage.next();
    assert_eq!(waits(&stage.later(99.0).next()), "leave-ring-merges");
    assert_eq!(waits(&stage.later(1.0).next()), "leave-stops-in-the-middle");
    assert_eq!(at(&stage), Way::Stopping);
}

#[test]
fn a_leave_whose_copy_sticks_under_traffic_stops_in_seconds_and_its_chmpx_is_killed_soon() {
    for (thread, within) in [(MergeThread::Asks, 10), (MergeThread::Rests, 5)] {
        let mut stage = server(false);
        stage.next();
        stage.set_own(0x2221);
        stage.observed.control.merge_thread = Some(thread);
        stage.next();
        let serve = |stage: &mut Stage| {
            stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(22);
            stage.later(1.0).next()
        };
        let stuck = (1..3600).find(|_| waits(&serve(&mut stage)) == "leave-stops-in-the-middle");
        assert_eq!((stuck, at(&stage)), (Some(within), Way::Stopping));
        assert_eq!(step(&stage.next()), &Step::Disable(Program::K2hdkc));
        assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Hangup));
        stage.end(Program::K2hdkc, ExitStatus::Exit(0));
        waits(&stage.next());
        assert_eq!(step(&stage.later(0.5).next()), &Step::Disable(Program::Chmpx));
        assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Hangup));
        assert_eq!(step(&stage.later(3.0).next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Kill));
    }
}

#[test]
fn a_leave_whose_copy_sticks_serves_on_where_the_others_have_gone_meanwhile() {
    let mut stage = server(false);
    stage.next();
    stage.set_own(0x2221);
    stage.observed.control.merge_thread = Some(MergeThread::Rests);
    stage.next();
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    let next = stage.later(10.0).next();
    assert_eq!(holds(&next), ["leave-sticks-and-obstructed"]);
    assert!(words(&next).contains("this is the last server in service"), "{next:?}");
    assert_eq!(at(&stage), Way::Draining);
}

#[test]
fn a_leave_that_sticks_while_another_server_copies_waits_for_that_one() {
    let mut stage = server(false);
    stage.next();
    stage.set_own(0x1221);
    stage.set_peer(1, 0x2121);
    stage.next();
    for _ in 0..30 {
        assert_eq!(waits(&stage.later(10.0).next()), "leave-ring-merges");
    }
}

#[test]
fn what_cannot_be_stopped_for_good_is_told_and_tried_again() {
    let mut stage = server(true);
    stage.next();
    stage.failure = Some("systemd is away");
    assert_eq!(step(&stage.next()), &Step::Disable(Program::K2hdkc));
    stage.failure = None;
    assert_eq!(holds(&stage.later(1.0).next()), ["stop-cannot-be-disabled"]);
    assert_eq!(step(&stage.later(10.0).next()), &Step::Disable(Program::K2hdkc));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Hangup));
}

#[test]
fn a_slave_stops_after_k2hr3_has_removed_it() {
    let mut slave = Departure::begin(WALL, Mode::Slave, false, true);
    assert_eq!(slave.stage, Way::Removing);
    slave.removed();
    assert_eq!(slave.stage, Way::Stopping);
    let mut unmoved = Departure::begin(WALL, Mode::Slave, false, false);
    unmoved.removed();
    assert_eq!(unmoved.stage, Way::Left, "where its processes are not the agent's");
}

#[test]
fn where_nothing_can_be_seen_nothing_is_waited_for_once_somebody_insists() {
    for (force, stage) in [(false, Way::Draining), (true, Way::Removing)] {
        let mut blind = leaving(force);
        blind.unseen();
        assert_eq!(blind.stage, stage);
    }
    let mut stopping = Departure { stage: Way::Stopping, ..leaving(false) };
    stopping.unseen();
    assert_eq!(stopping.stage, Way::Removing);
}

#[test]
fn a_k2hdkc_that_ends_while_its_keys_move_is_started_again_whatever_the_merge_has_come_to() {
    // Waiting its turn, at work, and out of service already: nobody joined, so that nothing has moved.
    for bits in [0x11221, 0x12221, 0x10011] {
        let mut stage = server(false);
        assert_eq!(step(&stage.next()), &Step::Control(ControlCommand::ServiceOut));
        stage.set_own(0x2221);
        stage.next();
        stage.end(Program::K2hdkc, ExitStatus::Signal(9));
        stage.set_own(bits);
        let mut nexts = (0..20).map(|_| stage.later(1.0).next());
        let starts = nexts.find(|next| matches!(next, Action::Step(..)));
        assert_eq!(step(&starts.unwrap()), &Step::Start(Program::K2hdkc), "{bits:#x}");
        assert_eq!(at(&stage), Way::Draining, "{bits:#x}");
        // One that chmpx does not know yet has moved nothing either.
        stage.run(Program::K2hdkc, ProcessId { pid: 9, start_ticks: 900 });
        stage.later(1.0).next();
        assert_eq!(at(&stage), Way::Draining, "{bits:#x}");
    }
}

#[test]
fn what_is_not_seen_is_not_taken_for_stopped_unless_somebody_insists_for_long() {
    for force in [false, true] {
        let mut stage = server(force);
        stage.persisted.leaving.as_mut().unwrap().stage = Way::Stopping;
        // A new agent that has seen nothing yet.
        stage.history = History::default();
        stage.observed = Observed { unobservable: Some("Docker is away".into()), ..Observed::default() };
        for _ in 0..29 {
            let held = stage.later(1.0).next();
            assert_eq!(holds(&held), ["leave-unobservable"]);
        }
        stage.later(60.0).next();
        assert_eq!(at(&stage) == Way::Removing, force);
    }
}

#[test]
fn what_is_not_seen_is_not_told_to_leave_the_service() {
    let mut stage = server(false);
    stage.observed.unobservable = Some("the container database is paused".into());
    assert_eq!(holds(&stage.later(1.0).next()), ["control-unobservable"]);
    stage.observed.unobservable = None;
    assert_eq!(step(&stage.later(1.0).next()), &Step::Control(ControlCommand::ServiceOut));
}

#[test]
fn a_held_leave_keeps_nobody_from_caring_for_the_file() {
    let held = |turn: fn(&mut Stage)| {
        let mut stage = server(false);
        stage.set_peer(2, 0x20);
        assert_eq!(holds(&stage.next()), ["leave-obstructed"]);
        turn(&mut stage);
        stage.later(1.0).next()
    };
    // The file that lets it go on may be the one that chmpx has swallowed.
    assert!(matches!(held(|stage| stage.fileversion = 5), Action::Rewrite(..)));
    let misplaced = |stage: &mut Stage| {
        stage.observed.file.is_own = true;
        stage.observed.file.out_of_sync =
            Some(crate::supervisor::OutOfSync::Replaceable("it has another one".into()));
    };
    assert_eq!(step(&held(misplaced)), &Step::SyncFile);
    let rival = |stage: &mut Stage| {
        stage.observed.file.foreign_writer = Some(ForeignWriter::unit("a timer writes it too"));
    };
    let text = held(rival);
    assert_eq!(holds(&text), ["file-foreign-writer-stays", "leave-obstructed"], "{text:?}");
    let taken = held(|stage| {
        stage.observed.file.foreign_writer = Some(ForeignWriter::unit("a timer writes it too"));
        stage.rules.take_over = true;
    });
    assert_eq!(step(&taken), &Step::DisableWriter);
}

proptest! {
    /// Whatever runs and whatever chmpx says: unless somebody insists, no server leaves its first stage in service, but in a
    /// leave that sticks, while all others are up and one of them serves; and beyond it nothing is started.
    #[test]
    fn no_situation_stops_a_server_that_serves_or_starts_one_that_has_gone(
        bits in proptest::collection::vec(prop_oneof![
            Just(0x10), Just(0x11), Just(0x10011), Just(0x21), Just(0x10021), Just(0x1221), Just(0x2221), Just(0x3221), Just(0x20),
        ], 3),
        runs in proptest::collection::vec(any::<bool>(), 2), gone in any::<bool>(),
        seconds in proptest::collection::vec(0.0f64..40.0, 1..8),
    ) {
        let mut stage = server(false);
        if gone { stage.persisted.leaving.as_mut().unwrap().stage = Way::Stopping; }
        (0..3).for_each(|place| stage.set_peer(place, bits[place]));
        stage.set_own(bits[0]);
        if !runs[0] { (stage.observed.chmpx, stage.observed.control.report) = (None, None); }
        if !runs[1] { stage.observed.k2hdkc = None; }
        for seconds in seconds {
            let next = stage.later(seconds).next();
            let starts = matches!(next, Action::Step(Step::Start(_), _));
            if gone {
                prop_assert!(!starts);
            } else {
                let others_take_over =
                    bits[1..].iter().all(|bits| bits & 1 == 1) && bits[1..].iter().any(|bits| bits & 0x10030 == 0x20);
                let leaves = bits[0] & 0x300 == 0x200 && others_take_over;
                let serves = bits[0] & 0x30 == 0x20 && !leaves;
                prop_assert!(!serves || at(&stage) == Way::Draining);
                prop_assert!(!matches!(next, Action::Step(Step::Disable(_), _)) || !serves);
            }
        }
    }
}

#[test]
fn a_program_that_cannot_be_enabled_again_keeps_nothing_waiting_and_is_told() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    stage.persisted.disabled.insert(Program::Chmpx);
    stage.failure = Some("it is masked");
    assert_eq!(step(&stage.next()), &Step::Enable(Program::Chmpx));
    stage.failure = None;
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, ProcessId { pid: 9, start_ticks: 900 });
    stage.set_own(0x21);
    assert_eq!(holds(&stage.later(1.0).next()), ["start-not-enabled"]);
    assert_eq!(step(&stage.later(10.0).next()), &Step::Enable(Program::Chmpx));
}

/// Looks on, with one of the others in that state.
fn sees(stage: &mut Stage, place: usize, bits: u32) {
    stage.set_peer(place, bits);
    stage.later(1.0).next();
}

#[test]
fn once_a_server_has_gone_the_next_may_only_follow_when_the_others_have_copied_their_shares_anew() {
    let against = |stage: &Stage| obstacle(&stage.situation(), &stage.persisted);
    let mut stage = Stage::of(&[1, 2, 3, 4]);
    stage.next();
    assert_eq!(against(&stage), None);
    let without = |stage: &mut Stage, place: usize| {
        stage.ring.servers.remove(place);
        stage.observed.control.report.as_mut().unwrap().view = fixtures::view(&stage.ring, 4);
        stage.next();
    };
    without(&mut stage, 3);
    let text = against(&stage).unwrap();
    assert!(text.starts_with("server4.example has gone, those that stayed copied nothing then"), "{text}");
    assert!(stage.persisted.copies.is_watching(Some(Duration::from_secs(60))));
    assert!(
        !stage.persisted.copies.is_watching(Some(Duration::from_hours(1))),
        "it has not come back itself"
    );
    // One that is merely down for a while has copied nothing.
    sees(&mut stage, 1, 0x10);
    sees(&mut stage, 1, 0x21);
    sees(&mut stage, 2, 0x11);
    sees(&mut stage, 2, 0x21);
    assert!(against(&stage).is_some());
    sees(&mut stage, 1, 0x3121);
    assert!(against(&stage).is_some(), "it copies just now");
    sees(&mut stage, 1, 0x21);
    assert_eq!(against(&stage), None);
    // The next one starts it anew; who comes back under its name brings its keys.
    let back = stage.ring.clone();
    without(&mut stage, 2);
    assert!(against(&stage).is_some());
    stage.ring = back;
    stage.observed.control.report.as_mut().unwrap().view = fixtures::view(&stage.ring, 4);
    sees(&mut stage, 2, 0x1121);
    assert!(against(&stage).is_some());
    sees(&mut stage, 2, 0x21);
    assert_eq!(against(&stage), None);
    // With more copies one may go without any of this.
    stage.ring.profile.global.insert("REPLICA".into(), "2".into());
    without(&mut stage, 2);
    assert_eq!(against(&stage), None);
}

#[test]
fn where_every_server_has_every_key_one_after_the_other_may_go() {
    let against = |stage: &Stage| obstacle(&stage.situation(), &stage.persisted);
    let mut stage = Stage::of(&[1, 2, 3, 4, 5]);
    let shrinks_to = |stage: &mut Stage, servers: usize, replicas: &str| {
        stage.ring.servers.truncate(servers);
        stage.ring.profile.global.insert("REPLICA".into(), replicas.into());
        stage.observed.control.report.as_mut().unwrap().view = fixtures::view(&stage.ring, 4);
        stage.next();
    };
    // The file says one less than it has servers, whatever was asked for.
    for (servers, replicas) in [(5, "4"), (4, "3"), (3, "2"), (2, "1")] {
        shrinks_to(&mut stage, servers, replicas);
        assert_eq!(against(&stage), None, "{servers} servers");
    }
    // What the operator has lowered counts as that.
    let mut stage = Stage::of(&[1, 2, 3, 4, 5]);
    shrinks_to(&mut stage, 5, "4");
    shrinks_to(&mut stage, 3, "1");
    assert!(against(&stage).unwrap().starts_with("server4.example, server5.example has gone"));
}

#[test]
fn what_a_leave_takes_out_of_sight_is_told_where_not_every_server_has_every_key() {
    let mut stage = server(false);
    assert!(price(&stage.situation()).unwrap().starts_with("each key is on 2 of 3 servers, "));
    // One that does not serve now has no share in it.
    stage.set_peer(2, 0x10);
    assert_eq!(price(&stage.situation()), None);
    stage.set_peer(2, 0x21);
    stage.ring.profile.global.insert("REPLICA".into(), "2".into());
    assert_eq!(price(&stage.situation()), None, "every server has every key");
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    assert!(price(&stage.situation()).unwrap().contains("about 1 in 3 will be found"));
    stage.set_own(0x11);
    assert_eq!(price(&stage.situation()), None, "it is out already");
}

#[test]
fn a_node_that_has_left_or_waits_for_k2hr3_or_for_others_is_no_matter_for_the_operator() {
    for at in [Way::Removing, Way::Left] {
        let mut stage = server(false);
        stage.persisted.leaving.as_mut().unwrap().stage = at;
        for _ in 0..30 {
            let Action::Wait(why, _) = stage.later(60.0).next() else { panic!() };
            assert_eq!(why, words::Leave::At(at).into());
        }
        // Once it comes back, the long wait does not count.
        stage.persisted.leaving = None;
        stage.observed.absence.externally_managed = vec![(Program::Chmpx, "it comes".into())];
        (stage.observed.chmpx, stage.observed.k2hdkc) = (None, None);
        assert_eq!(waits(&stage.later(1.0).next()), "start-by-itself");
    }
    let mut stage = server(false);
    stage.set_peer(1, 0x2121);
    for _ in 0..30 {
        assert_eq!(waits(&stage.later(60.0).next()), "leave-others-merge");
    }
}
