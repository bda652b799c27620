//! A stop for maintenance: the way out as far as the end of both programs, and back by somebody's word only.

use super::*;
use crate::lifecycle::Stage as Way;
use crate::supervisor::Signal::Hangup;

/// Server 1 of three, which was seen in service and was told to stop.
fn told_to_stop(force: bool) -> Stage {
    let mut stage = Stage::well();
    assert_eq!(stage.next(), Action::Converged);
    stage.persisted.stopped = Some(Departure::begin_stop(WALL, Mode::Server, force, None));
    stage.ring_change = Some(calm());
    stage
}

fn calm() -> Progress {
    let merges = crate::ring_change::Merges::ByAgents;
    Progress { stage: crate::ring_change::Stage::Calm, merges, ..Progress::default() }
}

fn at(stage: &Stage) -> Way {
    stage.persisted.stopped.as_ref().unwrap().stage
}

fn assert_stops(stage: &mut Stage) {
    assert_eq!(step(&stage.next()), &Step::Disable(Program::K2hdkc));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Hangup));
    stage.end(Program::K2hdkc, ExitStatus::Exit(0));
    waits(&stage.next());
    assert_eq!(step(&stage.later(0.5).next()), &Step::Disable(Program::Chmpx));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Hangup));
    stage.end(Program::Chmpx, ExitStatus::Exit(0));
    waits(&stage.next());
    assert_eq!(at(stage), Way::Stopped);
}

#[test]
fn a_stopped_server_runs_nothing_until_it_is_started() {
    let mut stage = told_to_stop(false);
    assert_eq!(waits(&stage.later(1.0).next()), "leave-at");
    assert_stops(&mut stage);
    for _ in 0..100 {
        let next = stage.later(600.0).next();
        assert_eq!(holds(&next), ["leave-stopped"], "{next:?}");
    }
    // Of the leave nothing was begun: K2HR3 is told nothing.
    assert_eq!(stage.persisted.leaving, None);
    stage.persisted.stopped = None;
    assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx));
}

#[test]
fn what_somebody_starts_by_hand_meanwhile_is_left_alone_and_told() {
    let mut stage = told_to_stop(true);
    assert_eq!(waits(&stage.next()), "leave-at");
    assert_stops(&mut stage);
    stage.run(Program::Chmpx, ProcessId { pid: 31, start_ticks: 900 });
    let next = stage.later(60.0).next();
    assert_eq!(holds(&next), ["leave-started-by-hand"], "{next:?}");
}

#[test]
fn the_only_server_and_one_whose_keys_are_nowhere_else_stop_only_where_somebody_insists() {
    let mut stage = told_to_stop(false);
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    let next = stage.next();
    assert_eq!(holds(&next), ["leave-obstructed"], "{next:?}");
    let mut stage = told_to_stop(false);
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    assert_eq!(holds(&stage.next()), ["leave-obstructed"]);
}

#[test]
fn a_server_that_nobody_asks_for_keys_stops_whatever_the_others_are() {
    for bits in [0x11, 0x10011, 0x10021] {
        let mut stage = told_to_stop(false);
        (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
        stage.set_own(bits);
        assert_eq!(waits(&stage.next()), "leave-at", "{bits:#x}");
        assert_stops(&mut stage);
    }
    let mut stage = told_to_stop(false);
    (stage.observed.k2hdkc, stage.observed.chmpx, stage.observed.control.report) = (None, None, None);
    stage.next();
    assert_eq!(at(&stage), Way::Stopping, "nothing is started to be stopped");
}

#[test]
fn where_chmpx_runs_the_merges_a_server_in_service_stops_by_force_only() {
    let mut stage = told_to_stop(false);
    stage.ring_change = None;
    assert_eq!(holds(&stage.next()), ["leave-obstructed"]);
    stage.persisted.stopped.as_mut().unwrap().force = true;
    assert_eq!(step(&stage.next()), &Step::Control(ControlCommand::ServiceOut));
    assert_stops(&mut stage);
}

#[test]
fn a_server_does_not_stop_before_it_is_known_who_runs_the_merges() {
    let mut stage = told_to_stop(false);
    stage.ring_change = Some(Progress { merges: crate::ring_change::Merges::Unknown, ..calm() });
    let next = stage.next();
    assert_eq!(holds(&next), ["leave-obstructed"], "{next:?}");
    stage.ring_change = Some(calm());
    assert_eq!(waits(&stage.next()), "leave-at");
}

#[test]
fn a_slave_stops_at_once() {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
    stage.observed.k2hdkc = None;
    stage.persisted.stopped = Some(Departure::begin_stop(WALL, Mode::Slave, false, None));
    assert_eq!(step(&stage.next()), &Step::Disable(Program::Chmpx));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Hangup));
    stage.end(Program::Chmpx, ExitStatus::Exit(0));
    waits(&stage.next());
    assert_eq!(at(&stage), Way::Stopped);
}
