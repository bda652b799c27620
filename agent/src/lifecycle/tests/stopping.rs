//! What stops, in which order, and in whose turn.

use super::*;

#[test]
fn when_chmpx_dies_its_k2hdkc_goes_before_the_next_chmpx_comes() {
    let mut stage = Stage::well();
    stage.next();
    stage.end(Program::Chmpx, ExitStatus::Signal(9));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    assert_eq!(waits(&stage.later(0.5).next()), "stop-stopping");
    assert_eq!(step(&stage.later(0.6).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Kill));
    stage.end(Program::K2hdkc, ExitStatus::Signal(9));
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx));
}

#[test]
fn a_k2hdkc_that_is_older_than_its_chmpx_is_restarted_and_with_the_rule_off_it_is_not() {
    let mut stage = Stage::well();
    stage.observed.chmpx = Some(running(ProcessId { pid: 9, start_ticks: 500 }, stage.now));
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    let mut stage = Stage::well();
    stage.rules.restart_k2hdkc_with_chmpx = false;
    stage.observed.chmpx = Some(running(ProcessId { pid: 9, start_ticks: 500 }, stage.now));
    assert_eq!(stage.next(), Action::Converged);
}

#[test]
fn two_things_that_wait_do_not_keep_each_other_from_being_done() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartChmpx, "MAXCHMPX", 4);
    stage.ring.servers.pop();
    stage.set_peer(2, 0x10);
    stage.rules.timing.settle_before_drain = Duration::from_secs(20);
    let next = (0..10).map(|_| stage.later(1.0).next()).find(|next| matches!(next, Action::Rewrite(..)));
    assert!(next.is_some());
}

#[test]
fn a_changed_key_restarts_servers_in_turn_and_slaves_only_where_it_is_allowed() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartChmpx, "MAXCHMPX", 4);
    stage.set_peer(1, 0x2121);
    assert_eq!(waits(&stage.next()), "restart-peer-is-unwell");
    stage.set_peer(1, 0x21);
    waits(&stage.next());
    assert_eq!(step(&stage.later(5.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    // The second server's turn comes later.
    let mut second = Stage::second();
    second.demand(Class::RestartChmpx, "MAXCHMPX", 4);
    assert_eq!(waits(&second.next()), "restart-turn");
}

#[test]
fn under_other_ports_no_server_waits_for_its_turn_and_keys_in_memory_are_kept() {
    let mut second = Stage::second();
    second.next();
    second.demand(Class::RestartChmpx, "CTLPORT", 4);
    second.persisted.make_haste();
    second.set_peer(0, 0x10);
    assert_eq!(step(&second.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    second.end(Program::K2hdkc, ExitStatus::Exit(0));
    waits(&second.next());
    assert_eq!(step(&second.later(1.0).next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
    // All of them would lose theirs.
    let mut second = Stage::second();
    second.in_memory().next();
    second.demand(Class::RestartChmpx, "CTLPORT", 4);
    second.persisted.make_haste();
    assert_eq!(holds(&second.later(60.0).next()), ["restart-data-at-risk"]);
    // Where it is forbidden, nothing is done.
    let mut second = Stage::second();
    second.rules.restarts = Restarts::Never;
    second.next();
    second.demand(Class::RestartChmpx, "CTLPORT", 4);
    second.persisted.make_haste();
    assert_eq!(holds(&second.later(60.0).next()), ["restart-forbidden"]);
}

/// Measured: while all k2hdkc end at once, the chmpx of those that are left merge and send to each other, and hear no HUP
/// for 17 s and more (2 of 3 times).
#[test]
fn under_other_ports_a_chmpx_that_does_not_end_keeps_nobody_waiting() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartChmpx, "CTLPORT", 4);
    stage.persisted.make_haste();
    assert_eq!(step(&stage.next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.end(Program::K2hdkc, ExitStatus::Exit(0));
    waits(&stage.next());
    assert_eq!(step(&stage.later(0.5).next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
    assert_eq!(waits(&stage.later(2.0).next()), "stop-stopping");
    assert_eq!(step(&stage.later(1.0).next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Kill));
}

#[test]
fn a_merge_that_sticks_is_cared_for_while_a_restart_waits_for_it() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartChmpx, "MAXCHMPX", 4);
    stage.set_own(0x2121);
    assert_eq!(waits(&stage.later(1.0).next()), "join-merging");
    assert_eq!(waits(&stage.later(99.0).next()), "join-merging");
    assert_eq!(waits(&stage.later(1.0).next()), "join-merge-sticks");
    assert_eq!(step(&stage.later(0.1).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn after_a_restart_of_k2hdkc_alone_the_node_comes_back_into_service() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartK2hdkc, "[K2HDKC] MAXTHREAD", 4);
    waits(&stage.next());
    assert_eq!(step(&stage.later(5.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.end(Program::K2hdkc, ExitStatus::Exit(0));
    assert_eq!(waits(&stage.next()), "start-after-k2hdkc");
    assert_eq!(waits(&stage.later(1.0).next()), "start-end-not-seen");
    stage.set_own(0x10021);
    assert_eq!(step(&stage.later(0.2).next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, ProcessId { pid: 9, start_ticks: 900 });
    stage.later(1.0).set_own(0x1021);
    assert_eq!(waits(&stage.next()), "join-is");
    stage.later(1.0).set_own(0x21);
    assert_eq!(stage.next(), Action::Converged);
    assert_eq!(stage.persisted.restart, None);
}

#[test]
fn a_slave_is_well_when_it_is_up_and_has_no_k2hdkc_to_care_for() {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
    stage.view().own.status = NodeStatus::from_bits(0x1);
    stage.observed.k2hdkc = None;
    assert_eq!(stage.next(), Action::Converged);
    stage.persisted.demand_for_change(Class::RestartChmpx, Some(CHMPX), None, "MAXCHMPX", (boot(), 4));
    assert_eq!(holds(&stage.next()), ["restart-forbidden"]);
    stage.rules.restarts = Restarts::Always;
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
}

#[test]
fn at_the_agent_s_own_end_both_stop_in_order() {
    let mut stage = Stage::well();
    let ending = |stage: &mut Stage| {
        let mut history = std::mem::take(&mut stage.history);
        history.observe(&stage.situation());
        let decision = shutdown(&stage.situation(), &history, &stage.persisted);
        history.record(&decision, None, &stage.at());
        stage.history = history;
        decision.action
    };
    assert_eq!(step(&ending(&mut stage)), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    stage.observed.k2hdkc = None;
    waits(&ending(stage.later(0.2)));
    waits(&ending(stage.later(0.1)));
    assert_eq!(step(&ending(stage.later(0.5))), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
    stage.observed.chmpx = None;
    assert_eq!(ending(&mut stage), Action::Converged);
    assert_eq!(Port::LEAST.get(), 1);
}

#[test]
fn nothing_is_restarted_for_a_file_that_has_not_come() {
    let mut stage = Stage::well();
    stage.next();
    stage.demand(Class::RestartChmpx, "MAXCHMPX", 5);
    for _ in 0..3 {
        assert_eq!(stage.later(60.0).next(), Action::Converged);
    }
    stage.fileversion = 5;
    stage.view().fileversion = Some(5);
    waits(&stage.later(1.0).next());
    assert_eq!(step(&stage.later(5.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn a_turn_of_another_boot_or_of_the_wall_clock_is_waited_for_anew() {
    let wall = serde_json::from_str("1795000000000").unwrap();
    for at in [boot(), boot().after(Duration::from_hours(9)), fixtures::other_boot_time(9), wall] {
        let mut second = Stage::second();
        let (chmpx, k2hdkc) = (Some(CHMPX), Some(K2HDKC));
        second.persisted.demand_for_change(Class::RestartChmpx, chmpx, k2hdkc, "MAXCHMPX", (at, 4));
        waits(&second.next());
        let turn = second.rules.timing.restart_stagger.as_secs_f64();
        assert_eq!(waits(&second.later(turn - 1.0).next()), "restart-turn", "{at:?}");
        waits(&second.later(1.0).next());
        assert_eq!(
            step(&second.later(5.0).next()),
            &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup),
            "{at:?}"
        );
    }
}

#[test]
fn a_start_that_was_asked_for_in_another_boot_brings_nobody() {
    let mut stage = Stage::well();
    stage.persisted.awaited = Some(fixtures::other_boot_time(9));
    stage.next();
    assert_eq!((stage.persisted.started, stage.persisted.awaited), (None, None));
}
