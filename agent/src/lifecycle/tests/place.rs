//! This node's place in its ring, and what is done where it sticks.

use super::*;

#[test]
fn a_node_that_runs_what_the_file_says_has_converged() {
    let mut stage = Stage::well();
    assert_eq!(stage.next(), Action::Converged);
    assert_eq!(stage.persisted.served, Some(Pair { chmpx: CHMPX, k2hdkc: K2HDKC }));
    assert_eq!(stage.persisted.chmpx, Some(StartedChmpx { id: CHMPX, ctlport: 8021 }));
}

#[test]
fn a_wait_in_which_nothing_moves_is_told_after_ten_minutes_and_a_merge_is_none() {
    let mut stage = Stage::well();
    stage.view().automerge = false;
    stage.set_own(0x3121);
    assert_eq!(waits(&stage.next()), "join-automerge-is-off");
    stage.set_peer(1, 0x2121);
    waits(&stage.later(700.0).next());
    stage.set_peer(1, 0x21);
    assert_eq!(holds(&stage.later(1.0).next()), ["join-automerge-is-off"]);
    stage.set_own(0x1121);
    assert_eq!(waits(&stage.later(1.0).next()), "join-automerge-is-off", "another status is a movement");
}

#[test]
fn who_was_taken_out_of_service_by_hand_stays_out_and_is_told() {
    let mut stage = Stage::well();
    stage.persisted.started = Some(K2HDKC);
    stage.next();
    stage.set_own(0x11);
    assert_eq!(holds(&stage.later(60.0).next()), ["join-out-by-hand"]);
}

#[test]
fn a_join_that_sticks_is_nudged_a_few_times() {
    for (bits, order) in [(0x3121, ControlCommand::UpdateStatus), (0x11, ControlCommand::ServiceIn)] {
        let mut stage = Stage::well();
        stage.persisted.started = Some(K2HDKC);
        stage.set_own(bits);
        assert_eq!(waits(&stage.next()), "join-is");
        for _ in 0..5 {
            assert_eq!(step(&stage.later(11.0).next()), &Step::Control(order.clone()));
            waits(&stage.later(1.0).next());
        }
        assert!(!matches!(stage.later(11.0).next(), Action::Step(..)), "{bits:#x}");
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
        assert_eq!(waits(&stage.later(10.0).next()), "join-merging");
    }
    assert_eq!(waits(&stage.later(99.0).next()), "join-merging");
    assert_eq!(waits(&stage.later(1.0).next()), "join-merge-sticks");
    assert_eq!(step(&stage.later(0.1).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.end(Program::K2hdkc, ExitStatus::Exit(0));
    waits(&stage.later(0.1).next());
    assert_eq!(step(&stage.later(0.6).next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
    assert_eq!(
        step(&stage.later(3.0).next()),
        &Step::Signal(Program::Chmpx, CHMPX, Signal::Kill),
        "it seldom hears HUP"
    );
}

#[test]
fn a_tick_of_the_clock_now_and_then_is_no_work() {
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(0x2121);
    let sticks =
        |next: &Action| matches!(next, Action::Demand(demand) if demand.reason.code() == "join-merge-sticks");
    let stuck = (1..240).find(|pass| {
        if pass % 8 == 0 {
            stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(10);
        }
        sticks(&stage.later(0.5).next())
    });
    assert!(stuck.is_some_and(|pass| pass >= 200), "{stuck:?}");
}

#[test]
fn a_merge_that_works_is_left_alone_however_long_it_takes_but_told() {
    let mut stage = Stage::well();
    stage.set_own(0x2121);
    stage.next();
    for _ in 0..179 {
        stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(300);
        assert_eq!(waits(&stage.later(10.0).next()), "join-merging");
    }
    stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(300);
    assert_eq!(holds(&stage.later(10.0).next()), ["join-merges-long"]);
    assert_eq!(stage.persisted.restart, None);
}

#[test]
fn a_hold_that_endangers_no_key_keeps_no_merge_from_being_nudged() {
    let mut stage = Stage::well();
    stage.next();
    stage.rules.restarts = Restarts::Never;
    stage.demand(Class::RestartChmpx, "MAXCHMPX", 4);
    stage.set_own(0x3121);
    assert_eq!(holds(&stage.next()), ["restart-forbidden"]);
    assert_eq!(step(&stage.later(6.0).next()), &Step::Control(ControlCommand::UpdateStatus));
}

#[test]
fn who_was_taken_out_by_hand_stays_out_with_its_next_k2hdkc_too() {
    let mut stage = Stage::well();
    stage.persisted.started = Some(K2HDKC);
    stage.next();
    stage.set_own(0x11);
    assert_eq!(holds(&stage.later(1.0).next()), ["join-out-by-hand"]);
    let next = ProcessId { pid: 9, start_ticks: 900 };
    stage.run(Program::K2hdkc, next);
    stage.persisted.started = Some(next);
    for _ in 0..3 {
        assert_eq!(holds(&stage.later(10.0).next()), ["join-out-by-hand"]);
    }
    stage.set_own(0x21);
    stage.later(1.0).next();
    assert_eq!(stage.persisted.out_by_hand, None);
}

#[test]
fn a_server_that_left_stays_listed_while_it_is_up_and_its_dead_row_is_written_away() {
    let mut stage = Stage::well();
    let gone = stage.ring.servers.pop().unwrap();
    assert_eq!(waits(&stage.next()), "file-listed-until-it-ends");
    stage.set_peer(2, 0x10);
    assert_eq!(waits(&stage.next()), "file-still-listed");
    assert!(matches!(stage.later(6.0).next(), Action::Rewrite(..)));
    stage.view().servers.pop();
    assert_eq!(stage.next(), Action::Converged);
    stage.ring.servers.push(gone);
    assert_eq!(waits(&stage.next()), "file-not-listed");
}

#[test]
fn a_server_that_has_loaded_another_ring_speaks_five_times_so_that_slaves_it_turned_away_try_again() {
    let mut stage = Stage::well();
    stage.replaced(true);
    stage.set_peer(1, 0x2121);
    assert_eq!(stage.later(1.0).next(), Action::Converged, "a ring that merges speaks by itself");
    stage.set_peer(1, 0x21);
    assert_eq!(step(&stage.later(1.0).next()), &Step::Control(ControlCommand::UpdateStatus));
    // A slave that had no connection to anybody just then has not heard it.
    for _ in 0..4 {
        assert_eq!(stage.later(2.0).next(), Action::Converged);
        assert_eq!(step(&stage.later(2.0).next()), &Step::Control(ControlCommand::UpdateStatus));
    }
    assert_eq!(stage.later(60.0).next(), Action::Converged);
    stage.replaced(false);
    assert_eq!(stage.later(1.0).next(), Action::Converged, "the same ring again is no news");
}

#[test]
fn a_slave_that_a_server_in_service_turned_away_is_not_well() {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
    stage.observed.k2hdkc = None;
    stage.view().own.status = NodeStatus::from_bits(0x1);
    stage.set_peer(0, 0x20);
    assert_eq!(waits(&stage.next()), "slave-turned-away");
    stage.set_peer(0, 0x10);
    assert_eq!(stage.next(), Action::Converged, "that server is down");
}

#[test]
fn a_merge_that_worked_is_not_ended_for_a_pause() {
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(0x2121);
    for _ in 0..10 {
        stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(3000);
        assert_eq!(waits(&stage.later(10.0).next()), "join-merging");
    }
    stage.observed.unobservable = Some("the container database is paused".into());
    for _ in 0..120 {
        holds(&stage.later(1.0).next());
    }
    stage.observed.unobservable = None;
    let next = stage.later(0.2).next();
    assert_eq!(waits(&next), "join-merging", "{next:?}");
}

#[test]
fn what_was_asked_to_stop_before_a_pause_has_its_time_after_it() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartChmpx, "x", 4);
    stage.persisted.restart.as_mut().unwrap().urgency = Urgency::Stuck;
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.observed.unobservable = Some("the container database is paused".into());
    for _ in 0..30 {
        holds(&stage.later(1.0).next());
    }
    stage.observed.unobservable = None;
    let next = stage.later(0.2).next();
    assert!(matches!(next, Action::Wait(..)), "{next:?}");
}

/// In that status, with k2hdkc at the work of 25 requests a second, and chmpx's thread at that.
fn under_traffic(bits: u32, thread: Option<MergeThread>) -> Stage {
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(bits);
    stage.observed.control.merge_thread = thread;
    stage.next();
    stage
}

fn serve(stage: &mut Stage) -> Action {
    stage.observed.k2hdkc.as_mut().unwrap().worked += Duration::from_millis(22);
    stage.later(1.0).next()
}

#[test]
fn a_chmpx_that_asks_in_vain_or_has_given_up_is_ended_however_much_k2hdkc_serves() {
    for bits in [0x2021, 0x2121, 0x2221] {
        for (thread, within) in [(MergeThread::Asks, 10), (MergeThread::Rests, 5)] {
            let mut stage = under_traffic(bits, Some(thread));
            let stuck = (1..3600).find(
                |_| matches!(serve(&mut stage), Action::Demand(demand) if demand.reason.code() == "join-merge-sticks"),
            );
            assert_eq!(stuck, Some(within), "{bits:#x} {thread:?}");
            assert_eq!(step(&serve(&mut stage)), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
        }
    }
}

#[test]
fn a_server_that_copies_is_left_alone() {
    let mut stage = under_traffic(0x2121, Some(MergeThread::Copies));
    assert!((1..1200).all(|_| waits(&serve(&mut stage)) == "join-merging"));
}

#[test]
fn a_chmpx_that_is_silent_may_have_merged_long_since() {
    let mut stage = under_traffic(0x2021, Some(MergeThread::Rests));
    let said = stage.observed.control.report.clone();
    for _ in 0..20 {
        stage.observed.control.report.clone_from(&said);
        stage.now += Duration::from_secs(1);
        let next = stage.next();
        assert_eq!(waits(&next), "join-merging", "{next:?}");
    }
}

#[test]
fn a_stuck_merge_is_ended_although_its_work_is_counted_but_once_a_minute() {
    // So it is behind a remote Docker daemon; at rest k2hdkc takes 0.002 of a processor.
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(0x2121);
    let mut counted = stage.now;
    let stuck = (1..3600).find(|second| {
        stage.later(1.0);
        let k2hdkc = stage.observed.k2hdkc.as_mut().unwrap();
        if second % 60 == 0 {
            (k2hdkc.worked, counted) = (k2hdkc.worked + Duration::from_millis(120), stage.now);
        }
        k2hdkc.counted = counted;
        matches!(stage.next(), Action::Demand(demand) if demand.reason.code() == "join-merge-sticks")
    });
    assert_eq!(stuck, Some(101), "idle-merge, which is 100 s, after the first look");
}

#[test]
fn a_merge_at_work_is_left_alone_although_its_work_is_counted_but_once_a_minute() {
    let mut stage = Stage::well();
    stage.next();
    stage.set_own(0x2121);
    let mut counted = stage.now;
    for second in 1..900 {
        stage.later(1.0);
        let k2hdkc = stage.observed.k2hdkc.as_mut().unwrap();
        if second % 60 == 0 {
            (k2hdkc.worked, counted) = (k2hdkc.worked + Duration::from_secs(2), stage.now);
        }
        k2hdkc.counted = counted;
        let next = stage.next();
        assert!(
            !matches!(&next, Action::Demand(demand) if demand.reason.code() == "join-merge-sticks"),
            "{next:?}"
        );
    }
}

/// A node that started while both others were down to it, by a helper: nothing of it is the agent's doing.
fn alone() -> Stage {
    let mut stage = Stage::well();
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    assert_eq!(holds(&stage.next()), ["join-serves-alone"]);
    stage
}

#[test]
fn a_server_that_came_into_service_alone_is_told_and_rejoins_as_soon_as_another_is_up() {
    let mut stage = alone();
    for _ in 0..100 {
        holds(&stage.later(15.0).next());
    }
    (1..3).for_each(|peer| stage.set_peer(peer, 0x21));
    stage.next();
    let restart = stage.persisted.restart.clone().unwrap();
    assert_eq!((restart.chmpx, restart.k2hdkc, restart.urgency), (None, Some(K2HDKC), Urgency::Deaf));
    waits(&stage.later(1.0).next());
    assert_eq!(step(&stage.later(60.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn a_server_that_served_with_others_may_lose_them_all_and_goes_on() {
    let mut stage = Stage::well();
    assert_eq!(stage.next(), Action::Converged);
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    assert_eq!(stage.next(), Action::Converged);
    (1..3).for_each(|peer| stage.set_peer(peer, 0x21));
    stage.next();
    assert_eq!(stage.persisted.restart, None);
}

#[test]
fn who_does_not_wait_for_others_and_the_only_server_are_not_alone() {
    for mut stage in [Stage::well(), Stage::of(&[1])] {
        stage.rules.wait_for_peers = stage.ring.servers.len() == 1;
        (1..stage.ring.servers.len()).for_each(|peer| stage.set_peer(peer, 0x10));
        assert_eq!(stage.next(), Action::Converged);
    }
}

#[test]
fn a_k2hdkc_that_the_agent_started_in_sight_of_others_is_not_alone_when_they_go_before_it_serves() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    assert_eq!(step(&stage.later(5.0).next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, ProcessId { pid: 21, start_ticks: 900 });
    stage.later(1.0).answer(0x21);
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    assert_eq!(stage.later(1.0).next(), Action::Converged);
}

#[test]
fn a_start_that_takes_long_is_the_agent_s_own_all_the_same() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    stage.takes = Duration::from_secs(3);
    assert_eq!(step(&stage.later(5.0).next()), &Step::Start(Program::K2hdkc));
    // Docker answers after three seconds; the process is there after half a second.
    stage.later(0.5).run(Program::K2hdkc, ProcessId { pid: 21, start_ticks: 900 });
    stage.later(3.0).answer(0x21);
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    assert_eq!(stage.later(1.0).next(), Action::Converged, "it came in sight of the others");
}

#[test]
fn an_own_start_of_long_ago_says_nothing_of_a_k2hdkc_that_somebody_else_starts_alone() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    assert_eq!(step(&stage.later(5.0).next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, ProcessId { pid: 21, start_ticks: 900 });
    stage.later(1.0).answer(0x21);
    assert_eq!(stage.later(1.0).next(), Action::Converged);
    // A day later Docker's restart policy, or a helper, starts both anew, while nobody is in sight.
    stage.later(86_400.0).end(Program::K2hdkc, ExitStatus::Unknown);
    stage.end(Program::Chmpx, ExitStatus::Unknown);
    stage.later(1.0).run(Program::Chmpx, ProcessId { pid: 31, start_ticks: 90_000_000 });
    let other = ProcessId { pid: 32, start_ticks: 90_000_100 };
    stage.later(1.0).run(Program::K2hdkc, other);
    stage.observed.events.appeared = Some((Program::K2hdkc, other));
    stage.later(1.0).answer(0x21);
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    let next = stage.later(1.0).next();
    assert_eq!(holds(&next), ["join-serves-alone"], "{next:?}");
}

#[test]
fn a_server_with_keys_in_memory_that_came_into_service_alone_is_left_to_somebody_s_hand() {
    let mut stage = Stage::well();
    stage.in_memory();
    (1..3).for_each(|peer| stage.set_peer(peer, 0x10));
    holds(&stage.next());
    (1..3).for_each(|peer| stage.set_peer(peer, 0x21));
    for _ in 0..120 {
        let next = stage.later(1.0).next();
        assert_eq!(holds(&next), ["join-met-in-memory"], "{next:?}");
    }
    assert_eq!(stage.persisted.restart, None);
}

#[test]
fn a_server_that_is_still_listed_under_its_old_control_port_is_gone_from_there() {
    let mut stage = Stage::well();
    stage.next();
    let mut old = stage.view().servers[1].clone();
    (old.ctlport, old.status) = (Some(Port::try_from("8999").unwrap()), NodeStatus::from_bits(0x10));
    stage.view().servers.push(old);
    assert_eq!(waits(&stage.next()), "file-still-listed");
    assert!(matches!(stage.later(10.0).next(), Action::Rewrite(..)));
}

#[test]
fn a_join_whose_copy_is_done_is_nudged_after_two_seconds_unless_another_server_still_copies() {
    let mut stage = Stage::well();
    stage.persisted.started = Some(K2HDKC);
    stage.set_own(0x3121);
    stage.set_peer(1, 0x2021);
    waits(&stage.next());
    waits(&stage.later(4.9).next());
    stage.set_peer(1, 0x21);
    assert_eq!(step(&stage.later(0.05).next()), &Step::Control(ControlCommand::UpdateStatus));
    let mut stage = Stage::well();
    stage.persisted.started = Some(K2HDKC);
    stage.set_own(0x3121);
    waits(&stage.next());
    waits(&stage.later(1.9).next());
    assert_eq!(step(&stage.later(0.1).next()), &Step::Control(ControlCommand::UpdateStatus));
}
