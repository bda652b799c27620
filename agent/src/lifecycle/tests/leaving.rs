//! The way out: what comes after what, and what is never done before the keys have moved.

use proptest::prelude::*;

use super::*;
use crate::lifecycle::Stage as Way;
use crate::ring_change::Stage as Change;
use crate::supervisor::Signal::Hangup;

fn leaving(force: bool) -> Departure {
    Departure::begin(WALL, Mode::Server, force, true)
}

/// Server 1 of three, which was seen in service and is to leave. chmpx runs the merges.
fn by_chmpx(force: bool) -> Stage {
    let mut server = Stage::well();
    assert_eq!(server.next(), Action::Converged);
    server.persisted.leaving = Some(leaving(force));
    server
}

/// The same where the agents run them.
fn server(force: bool) -> Stage {
    let mut server = by_chmpx(force);
    server.ring_change = Some(progress(Change::Calm));
    server
}

fn progress(stage: Change) -> Progress {
    Progress { stage, ..Progress::default() }
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
fn a_server_stops_only_when_the_others_have_copied_and_nothing_of_it_starts_again() {
    let mut stage = server(false);
    stage.ring_change = Some(progress(Change::Merging));
    stage.set_own(0x2221);
    assert_eq!(waits(&stage.later(60.0).next()), progress(Change::Merging).code());
    stage.ring_change = Some(progress(Change::Calm));
    stage.set_own(0x11);
    assert_eq!(waits(&stage.next()), "leave-answers-late");
    assert_eq!(waits(&stage.later(15.0).next()), "leave-at");
    assert_stops(&mut stage);
    assert_eq!(at(&stage), Way::Removing);
    stage.persisted.leaving.as_mut().unwrap().removed();
    assert_eq!(waits(&stage.later(60.0).next()), "leave-at", "and nothing starts again");
}

#[test]
fn where_chmpx_runs_the_merges_a_server_in_service_leaves_by_force_only_and_one_outside_freely() {
    let mut stage = by_chmpx(false);
    let held = stage.next();
    assert_eq!(holds(&held), ["leave-obstructed"]);
    assert!(words(&held).contains("set merge.by to \"agents\" on every node first"), "{held:?}");
    stage.persisted.leaving = Some(leaving(true));
    assert_eq!(step(&stage.next()), &Step::Control(ControlCommand::ServiceOut));
    assert_stops(&mut stage);
    let mut stage = by_chmpx(false);
    stage.set_own(0x11);
    assert_eq!(waits(&stage.later(1.0).next()), "leave-at");
    assert_stops(&mut stage);
}

#[test]
fn the_last_server_in_service_is_held_with_both_ways_out_and_not_where_somebody_insists() {
    let mut stage = server(false);
    (1..3).for_each(|place| stage.set_peer(place, 0x10));
    let held = stage.next();
    assert_eq!(holds(&held), ["leave-obstructed"]);
    assert!(words(&held).contains("the last server in service"), "{held:?}");
    stage.persisted.leaving = Some(leaving(true));
    assert_eq!(waits(&stage.next()), "leave-at");
    assert_stops(&mut stage);
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
fn a_held_leave_keeps_nobody_from_caring_for_the_file() {
    let held = |turn: fn(&mut Stage)| {
        let mut stage = server(false);
        (1..3).for_each(|place| stage.set_peer(place, 0x20));
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
    /// Whatever runs and whatever chmpx says: unless somebody insists, no server leaves its first stage in service; and beyond it
    /// nothing is started.
    #[test]
    fn no_situation_stops_a_server_that_serves_or_starts_one_that_has_gone(
        bits in proptest::collection::vec(prop_oneof![
            Just(0x10), Just(0x11), Just(0x10011), Just(0x21), Just(0x10021), Just(0x1221), Just(0x2221), Just(0x3221), Just(0x20),
        ], 3),
        runs in proptest::collection::vec(any::<bool>(), 2), gone in any::<bool>(), agents in any::<bool>(),
        seconds in proptest::collection::vec(0.0f64..40.0, 1..8),
    ) {
        let mut stage = if agents { server(false) } else { by_chmpx(false) };
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
                let serves = bits[0] & 0x30 == 0x20;
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
    stage.ring_change = Some(progress(Change::Merging));
    for _ in 0..30 {
        assert_eq!(waits(&stage.later(60.0).next()), progress(Change::Merging).code());
    }
}
