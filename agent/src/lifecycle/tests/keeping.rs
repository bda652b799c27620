//! What would take the only copy of keys away, and is held.

use super::*;

#[test]
fn the_only_copy_is_never_thrown_away() {
    for (replicas, others, lost) in [("0", 2, true), ("1", 0, true), ("1", 2, false)] {
        let mut stage = Stage::well();
        stage.in_memory().ring.profile.global.insert("REPLICA".into(), replicas.into());
        stage.next();
        stage.observed.chmpx = Some(running(ProcessId { pid: 9, start_ticks: 500 }, stage.now));
        (1..3).skip(others).for_each(|place| stage.set_peer(place, 0x10));
        let next = stage.next();
        if lost {
            assert_eq!(holds(&next), ["restart-data-at-risk"], "{next:?}");
            // Nor is a merge nudged meanwhile.
            stage.set_own(0x3121);
            assert_eq!(holds(&stage.later(60.0).next()), ["restart-data-at-risk"]);
        } else {
            assert_eq!(step(&next), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
        }
    }
}

/// The same server in memory, its chmpx started anew under its k2hdkc.
fn outlived_in_memory() -> Stage {
    let mut stage = Stage::well();
    stage.in_memory().ring.profile.global.insert("REPLICA".into(), "1".into());
    stage.next();
    stage.observed.chmpx = Some(running(ProcessId { pid: 9, start_ticks: 500 }, stage.now));
    stage
}

#[test]
fn how_the_ring_came_together_is_no_doubt_of_it() {
    let mut stage = Stage::well();
    stage.in_memory().ring.profile.global.insert("REPLICA".into(), "1".into());
    stage.set_peer(2, 0x2121);
    stage.next();
    stage.set_peer(2, 0x21);
    stage.later(1.0).next();
    stage.observed.chmpx = Some(running(ProcessId { pid: 9, start_ticks: 500 }, stage.now));
    assert_eq!(step(&stage.later(1.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn keys_in_memory_are_given_up_only_where_the_others_kept_theirs_all_the_time() {
    let restarted = |next: &Action| matches!(next, Action::Step(Step::Signal(Program::K2hdkc, ..), _));
    // Another server's chmpx ended as well: it comes back in the middle of a join, or without its k2hdkc.
    for bits in [0x2121, 0x10021, 0x11, 0x1121] {
        let mut stage = outlived_in_memory();
        stage.set_peer(2, bits);
        stage.next();
        stage.set_peer(2, 0x21);
        assert_eq!(holds(&stage.later(5.0).next()), ["restart-data-at-risk"], "{bits:#x}");
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
    assert_eq!(holds(&stage.later(1.0).next()), ["restart-data-at-risk"]);
}

#[test]
fn a_file_that_ended_chmpx_may_have_ended_it_everywhere() {
    let mut stage = Stage::well();
    stage.in_memory().ring.profile.global.insert("REPLICA".into(), "1".into());
    stage.next();
    (stage.fileversion, stage.verified, stage.written) = (5, false, Some(Duration::ZERO));
    stage.replaced(true);
    stage.end(Program::Chmpx, ExitStatus::Exit(0));
    stage.later(0.1).next();
    stage.run(Program::Chmpx, ProcessId { pid: 9, start_ticks: 900 });
    stage.later(1.0).answer(0x21);
    assert_eq!(
        step(&stage.next()),
        &Step::Control(ControlCommand::UpdateStatus),
        "of the file that was installed"
    );
    assert_eq!(holds(&stage.next()), ["restart-data-at-risk"]);
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
        assert_eq!(stage.next(), Action::Converged);
        place(&mut stage, kind, file);
        stage.persisted.demand_for_change(
            Class::RestartK2hdkc,
            None,
            Some(K2HDKC),
            "[K2HDKC] K2HFILE",
            (boot(), 4),
        );
        assert_eq!(holds(&stage.later(60.0).next()), ["restart-other-database"], "{kind} {file}");
        // Nor does it go with its chmpx.
        stage.demand(Class::RestartChmpx, "MAXCHMPX", 4);
        assert_eq!(holds(&stage.later(60.0).next()), ["restart-other-database"], "{kind} {file}");
        // Where the old place is back, so are the keys.
        place(&mut stage, "file", "/data/a.k2h");
        waits(&stage.later(1.0).next());
        assert_eq!(step(&stage.later(5.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
    }
    let mut stage = Stage::well();
    place(&mut stage, "file", "/data/a.k2h");
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    stage.next();
    place(&mut stage, "file", "/data/b.k2h");
    stage.observed.chmpx = Some(running(ProcessId { pid: 9, start_ticks: 500 }, stage.now));
    assert_eq!(holds(&stage.next()), ["restart-data-at-risk"]);
}

#[test]
fn with_its_keys_in_memory_an_orphan_keeps_them_until_chmpx_is_back() {
    let mut stage = Stage::well();
    stage.in_memory();
    stage.next();
    stage.end(Program::Chmpx, ExitStatus::Signal(9));
    let Action::Hold(_, soon) = stage.next() else { panic!() };
    assert!(soon <= Duration::from_millis(100), "{soon:?}");
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx), "k2hdkc is not touched");
}

#[test]
fn a_hold_of_another_row_does_not_hide_that_keys_are_at_risk() {
    let mut stage = outlived_in_memory();
    stage.ring.profile.global.insert("REPLICA".into(), "0".into());
    stage.history.file.relists = rules::MOST_RELISTS;
    stage.ring.servers.pop();
    stage.set_peer(2, 0x10);
    stage.next();
    assert_eq!(holds(&stage.later(10.0).next()), ["restart-data-at-risk", "file-still-listed"]);
}
