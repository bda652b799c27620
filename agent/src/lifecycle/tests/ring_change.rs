//! The process half where the agents run the merges of the ring: it keeps out of the way of a change, and does what the change
//! leaves to it.

use super::*;
use crate::lifecycle::Stage as Way;
use crate::ring_change::{Hold, Merges, ServerId, Stage as Change};
use crate::supervisor::Signal::Hangup;

fn progress(stage: Change) -> Progress {
    Progress { stage, merges: Merges::ByAgents, ..Progress::default() }
}

/// Server 1 of three, seen in service, in a ring that nothing changes.
fn server() -> Stage {
    let mut stage = Stage::well();
    stage.ring_change = Some(progress(Change::Calm));
    assert_eq!(stage.next(), Action::Converged);
    stage
}

const UNDER_WAY: [Change; 5] =
    [Change::Announced, Change::GoingPending, Change::Ready, Change::Merging, Change::Completing];

#[test]
fn a_server_in_a_change_is_nudged_by_nobody_however_long_it_lasts() {
    for (change, bits) in UNDER_WAY.into_iter().zip([0x1121, 0x1021, 0x1021, 0x2021, 0x3021]) {
        let mut stage = server();
        stage.ring_change = Some(progress(change));
        stage.set_own(bits);
        for _ in 0..100 {
            assert_eq!(waits(&stage.later(2.0).next()), progress(change).code(), "{bits:#x}");
        }
    }
}

#[test]
fn a_server_that_waits_to_join_waits_for_the_agents_and_one_that_may_not_is_held() {
    let mut stage = server();
    stage.set_own(0x11);
    stage.ring_change = Some(progress(Change::Preparing));
    assert_eq!(waits(&stage.later(60.0).next()), progress(Change::Preparing).code());
    let hold = Hold::ReplicasWrap { after: 4, replicas: 4 };
    stage.ring_change = Some(Progress { hold: Some(hold), ..progress(Change::Preparing) });
    assert_eq!(holds(&stage.later(1.0).next()), ["ring-replicas-wrap"]);
}

#[test]
fn another_server_s_change_is_no_hold_and_no_converged() {
    let mut stage = server();
    stage.set_peer(1, 0x1121);
    stage.ring_change = Some(progress(Change::Announced));
    assert_eq!(waits(&stage.later(1.0).next()), progress(Change::Announced).code());
}

#[test]
fn a_chmpx_that_stands_still_for_a_change_is_not_taken_for_a_deaf_one() {
    let mut stage = server();
    stage.ring_change = Some(progress(Change::Frozen));
    stage.observed.control.silent = Some((stage.now, "no answer".into()));
    for _ in 0..10 {
        assert_eq!(waits(&stage.later(10.0).next()), progress(Change::Frozen).code());
    }
}

#[test]
fn a_restart_keeps_the_slot_and_waits_for_its_turn_for_the_others_and_for_the_change() {
    let mut stage = server();
    stage.demand(Class::RestartChmpx, "MAXCHMPX", 4);
    stage.set_peer(1, 0x20);
    assert!(matches!(stage.later(1.0).next(), Action::Hold(..)));
    stage.set_peer(1, 0x21);
    stage.ring_change = Some(progress(Change::Merging));
    assert_eq!(waits(&stage.later(60.0).next()), progress(Change::Merging).code());
    stage.ring_change = Some(progress(Change::Calm));
    stage.next();
    let next = stage.later(60.0).next();
    assert_eq!(step(&next), &Step::Signal(Program::K2hdkc, K2HDKC, Hangup), "no SERVICEOUT before");
}

/// Server 1 of three, which is to leave.
fn leaver() -> Stage {
    let mut stage = server();
    stage.persisted.leaving = Some(Departure::begin(WALL, Mode::Server, false, true));
    stage
}

fn at(stage: &Stage) -> Way {
    stage.persisted.leaving.as_ref().unwrap().stage
}

#[test]
fn a_leave_waits_until_the_others_have_copied_and_answers_late_requests_for_a_moment() {
    let mut stage = leaver();
    stage.ring_change = Some(progress(Change::Preparing));
    assert_eq!(waits(&stage.later(1.0).next()), progress(Change::Preparing).code());
    stage.ring_change = Some(progress(Change::Merging));
    stage.set_own(0x2221);
    assert_eq!(waits(&stage.later(30.0).next()), progress(Change::Merging).code());
    stage.ring_change = Some(progress(Change::Calm));
    stage.set_own(0x11);
    assert_eq!(waits(&stage.next()), "leave-answers-late");
    assert_eq!(waits(&stage.later(14.0).next()), "leave-answers-late");
    assert_eq!(at(&stage), Way::Draining);
    stage.later(1.0).next();
    assert_eq!(at(&stage), Way::Stopping);
}

#[test]
fn a_leave_needs_no_other_copies_and_only_the_last_server_has_none_to_leave_to() {
    let mut stage = leaver();
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    assert!(matches!(stage.later(1.0).next(), Action::Wait(..)));
    stage.set_peer(1, 0x20);
    stage.set_peer(2, 0x20);
    assert_eq!(holds(&stage.later(1.0).next()), ["leave-obstructed"]);
}

#[test]
fn a_chmpx_that_is_silent_for_a_moment_ends_no_change() {
    let mut stage = server();
    stage.persisted.stopped = Some(Departure::begin_stop(WALL, Mode::Server, false, None));
    let silent = Progress { holds_file: true, ..progress(Change::Unseen) };
    stage.ring_change = Some(silent.clone());
    assert_eq!(waits(&stage.later(1.0).next()), silent.code());
    assert_eq!(stage.persisted.stopped.as_ref().unwrap().stage, Way::Draining);
}

#[test]
fn a_stop_for_maintenance_changes_no_ring_and_needs_another_copy_of_each_key() {
    let stop = || {
        let mut stage = server();
        stage.persisted.stopped = Some(Departure::begin_stop(WALL, Mode::Server, false, None));
        stage
    };
    let mut stage = stop();
    stage.later(1.0).next();
    assert_eq!(stage.persisted.stopped.as_ref().unwrap().stage, Way::Stopping);
    let mut stage = stop();
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    assert_eq!(holds(&stage.later(1.0).next()), ["leave-obstructed"]);
    let mut stage = stop();
    stage.set_peer(1, 0x20);
    assert_eq!(holds(&stage.later(1.0).next()), ["leave-obstructed"]);
}

#[test]
fn where_one_server_leaves_its_merges_to_chmpx_the_ring_goes_on_as_chmpx_has_it() {
    let hold = Hold::RunsAutomerge(ServerId::new("server2.example"));
    let mixed = Progress { hold: Some(hold), ..progress(Change::Calm) };
    assert!(!mixed.is_by_agents() && progress(Change::Calm).is_by_agents());
    assert!(!progress(Change::ByChmpx).is_by_agents());
}
