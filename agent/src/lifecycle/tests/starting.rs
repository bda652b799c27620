//! What starts, when, and in which order.

use super::*;

#[test]
fn from_nothing_chmpx_starts_then_k2hdkc_a_second_later_and_in_sight_of_its_peers() {
    let mut stage = Stage::well();
    (stage.observed.chmpx, stage.observed.k2hdkc, stage.observed.control.report) = (None, None, None);
    assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx));
    stage.run(Program::Chmpx, CHMPX);
    assert_eq!(waits(&stage.next()), "control-first-answer");
    stage.later(0.6).answer(0x10011);
    assert_eq!(waits(&stage.next()), "start-after-chmpx");
    stage.later(0.6);
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
    stage.run(Program::K2hdkc, K2HDKC);
    stage.later(0.5).answer(0x2121);
    assert_eq!(waits(&stage.next()), "join-merging");
    stage.later(1.0).answer(0x21);
    assert_eq!(stage.next(), Action::Converged);
}

#[test]
fn k2hdkc_never_starts_alone_on_a_ring_that_has_other_members() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    (1..3).for_each(|place| stage.set_peer(place, 0x10));
    assert_eq!(waits(&stage.next()), "start-isolated");
    stage.later(3600.0);
    assert_eq!(holds(&stage.next()), ["start-isolated"]);
    // One that serves is enough after a while: this node will join its ring.
    stage.set_peer(1, 0x21);
    assert_eq!(waits(&stage.next()), "start-waits-for-peers", "the long wait alone does not count");
    assert_eq!(step(&stage.later(31.0).next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn the_only_server_of_a_ring_begins_it() {
    let mut stage = Stage::of(&[1]);
    stage.without_k2hdkc();
    let Action::Step(Step::Start(Program::K2hdkc), why) = stage.next() else { panic!() };
    assert_eq!(why, words::Start::OnlyServer { last: None }.into());
}

#[test]
fn where_no_ring_is_yet_the_first_begins_and_the_others_join() {
    let mut first = Stage::well();
    first.without_k2hdkc();
    (1..3).for_each(|place| first.set_peer(place, 0x10011));
    assert_eq!(step(&first.next()), &Step::Start(Program::K2hdkc));
    let mut second = Stage::second();
    second.without_k2hdkc();
    (0..3).for_each(|place| second.set_peer(place, 0x10011));
    assert_eq!(waits(&second.next()), "start-waits-for-the-first");
    second.set_peer(0, 0x21);
    assert_eq!(step(&second.next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn servers_that_came_together_look_anew_for_those_that_did_not_let_them_in() {
    let mut stage = Stage::well();
    stage.without_k2hdkc();
    stage.set_peer(1, 0x10011);
    stage.set_peer(2, 0x10);
    assert_eq!(waits(&stage.next()), "start-waits-for-peers");
    assert_eq!(waits(&stage.later(10.0).next()), "start-looks-anew");
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
    stage.end(Program::Chmpx, ExitStatus::Exit(0));
    assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx));
    stage.run(Program::Chmpx, ProcessId { pid: 9, start_ticks: 900 });
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
        stage.history.joining.reconnects = 9;
        let next = stage.later(31.0).next();
        if begins {
            assert_eq!(step(&next), &Step::Start(Program::K2hdkc), "{servers} {ready}");
        } else {
            assert_eq!(holds(&next), ["start-minority"], "{servers} {ready}");
        }
    }
}

#[test]
fn two_halves_of_a_ring_look_for_each_other_however_long_they_have_waited() {
    let mut stage = Stage::of(&[1, 2, 3, 4]);
    stage.without_k2hdkc();
    stage.set_peer(1, 0x10011);
    (2..4).for_each(|place| stage.set_peer(place, 0x10));
    stage.rules.timing.peers_within = Duration::from_secs(3);
    waits(&stage.next());
    assert_eq!(holds(&stage.later(4.0).next()), ["start-minority"]);
    assert_eq!(waits(&stage.later(2.0).next()), "start-looks-anew");
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
}

#[test]
fn a_first_server_that_does_not_come_is_not_waited_for_for_ever() {
    let mut stage = Stage::second();
    stage.without_k2hdkc();
    (0..3).for_each(|place| stage.set_peer(place, 0x10011));
    assert_eq!(waits(&stage.next()), "start-waits-for-the-first");
    stage.later(61.0);
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn a_server_with_a_slot_comes_back_to_the_ring_that_it_sees_whoever_else_is_down() {
    // Its file had a server that had left, and the file waited for the change that waited for this server: 16 s.
    let mut stage = Stage::of(&[1, 2, 3, 4]);
    stage.without_k2hdkc();
    stage.set_peer(1, 0x21);
    (2..4).for_each(|place| stage.set_peer(place, 0x10));
    stage.set_own(0x10011);
    assert_eq!(waits(&stage.next()), "start-waits-for-peers", "a newcomer may see half of a ring");
    stage.set_own(0x10021);
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn two_of_one_kind_are_for_somebody_to_look_at() {
    let mut stage = Stage::well();
    stage.observed.duplicates = vec![(Program::Chmpx, 99)];
    assert_eq!(holds(&stage.next()), ["start-duplicate"]);
}

#[test]
fn what_killed_processes_left_is_removed_once_chmpx_answers() {
    let mut stage = Stage::well();
    stage.observed.leftovers = 2;
    assert_eq!(step(&stage.next()), &Step::RemoveLeftovers);
    stage.observed.control.report = None;
    assert_eq!(waits(&stage.next()), "control-first-answer");
}

#[test]
fn a_program_that_ends_again_and_again_is_started_less_and_less_often() {
    let mut stage = Stage::well();
    let mut pauses = Vec::new();
    for start in 0..6 {
        stage.end(Program::K2hdkc, ExitStatus::Exit(1));
        stage.set_own(0x10021);
        let mut paused = 0.0;
        while !matches!(stage.next(), Action::Step(Step::Start(Program::K2hdkc), _)) {
            paused += 0.5;
            stage.later(0.5);
        }
        pauses.push(paused);
        stage.run(Program::K2hdkc, ProcessId { pid: 30 + start, start_ticks: 2000 });
        stage.later(0.1);
    }
    assert!(pauses[0] <= 1.0 && pauses[1..].is_sorted() && pauses[5] >= 8.0, "{pauses:?}");
}

#[test]
fn what_cannot_be_started_is_told_and_what_comes_by_itself_is_waited_for() {
    let mut stage = Stage::well();
    stage.next();
    stage.end(Program::Chmpx, ExitStatus::Signal(9));
    stage.end(Program::K2hdkc, ExitStatus::Signal(9));
    stage.observed.absence.cannot_start = vec![(Program::Chmpx, "chmpx.service is masked".into())];
    assert_eq!(holds(&stage.next()), ["start-blocked"]);
    stage.observed.absence.cannot_start.clear();
    stage.observed.absence.externally_managed =
        vec![(Program::Chmpx, "chmpx.service is activating (start)".into())];
    assert_eq!(waits(&stage.later(1.0).next()), "start-by-itself");
    assert_eq!(holds(&stage.later(700.0).next()), ["start-by-itself"], "but not for ever");
    stage.observed.absence.externally_managed.clear();
    assert_eq!(step(&stage.next()), &Step::Start(Program::Chmpx));
}

#[test]
fn a_start_that_comes_to_nothing_is_tried_less_and_less_often_and_says_why() {
    let mut stage = Stage::well();
    stage.next();
    stage.end(Program::K2hdkc, ExitStatus::Signal(9));
    stage.end(Program::Chmpx, ExitStatus::Signal(9));
    stage.later(1.0);
    let mut pauses = Vec::new();
    for start in 0..4 {
        let mut paused = 0;
        while !matches!(stage.next(), Action::Step(Step::Start(Program::Chmpx), _)) {
            paused += 1;
            stage.later(0.5);
        }
        pauses.push(paused);
        stage.observed.events.failed_starts =
            vec![(Program::Chmpx, "the job ended with \"dependency\"".into())];
        let text = match stage.next() {
            Action::Wait(why, _) if start < 2 => why.to_string(),
            // One refusal is an accident; the operator must look at a row of them.
            Action::Hold(why, _) if start >= 2 => why.to_string(),
            other => panic!("{start}: {other:?}"),
        };
        let times =
            if start < 2 { "in a moment" } else { &format!("could not be started {} times", start + 1) };
        assert!(text.contains(times) && text.contains("the job ended with \"dependency\""), "{text}");
        stage.observed.events.failed_starts.clear();
    }
    assert!(pauses.is_sorted() && pauses[3] > pauses[1], "{pauses:?}");
}

#[test]
fn another_program_that_writes_the_same_file_is_ended_where_that_is_allowed_and_told_elsewhere() {
    let mut stage = Stage::well();
    stage.observed.file.foreign_writer = Some(ForeignWriter::unit("k2hr3-get-resource.timer is active"));
    assert_eq!(holds(&stage.next()), ["file-foreign-writer-stays"]);
    stage.end(Program::K2hdkc, ExitStatus::Signal(9));
    stage.set_own(0x10011);
    stage.next();
    assert_eq!(step(&stage.later(2.0).next()), &Step::Start(Program::K2hdkc), "all else goes on");
    stage.rules.take_over = true;
    // A refusal is reported, and keeps nothing waiting.
    stage.failure = Some("permission denied");
    assert_eq!(step(&stage.next()), &Step::DisableWriter);
    stage.failure = None;
    assert_eq!(step(&stage.next()), &Step::Start(Program::K2hdkc));
}

#[test]
fn a_take_over_that_failed_says_why_and_is_tried_less_and_less_often_and_of_another_one_at_once() {
    let mut stage = Stage::well();
    stage.rules.take_over = true;
    stage.observed.file.foreign_writer = Some(ForeignWriter::unit("one is active"));
    let mut pauses = Vec::new();
    stage.failure = Some("permission denied");
    for _ in 0..4 {
        assert_eq!(step(&stage.next()), &Step::DisableWriter);
        let mut pause = 0;
        while !stage.history.writer.is_due(stage.now) {
            assert_eq!(holds(&stage.next()), ["file-foreign-writer-resists"]);
            stage.later(0.5);
            pause += 1;
        }
        pauses.push(pause);
    }
    assert_eq!(pauses, [2, 4, 8, 16]);
    assert_eq!(step(&stage.next()), &Step::DisableWriter);
    holds(&stage.next());
    stage.observed.file.foreign_writer = Some(ForeignWriter::unit("another is active"));
    assert_eq!(step(&stage.next()), &Step::DisableWriter);
}

/// Between the start that is asked for and the process lies a second of the shipped unit, and an agent may end in it.
#[test]
fn a_k2hdkc_that_comes_of_an_earlier_agent_s_start_is_the_agent_s_own() {
    let asked = |before_its_start: f64| {
        let mut stage = Stage::well();
        stage.persisted.awaited = Some(stage.boot);
        stage.later(before_its_start).run(Program::K2hdkc, K2HDKC);
        stage.later(0.1).next();
        (stage.persisted.started, stage.persisted.awaited)
    };
    assert_eq!(asked(1.0), (Some(K2HDKC), None));
    assert_eq!(asked(0.0), (Some(K2HDKC), None), "at once");

    let mut stage = Stage::well();
    stage.persisted.awaited = Some(stage.boot);
    stage.next();
    assert_eq!(stage.persisted.started, None, "that one ran before");
    stage.observed.events.failed_starts = vec![(Program::K2hdkc, "the job ended with \"failed\"".into())];
    stage.next();
    assert_eq!(stage.persisted.awaited, None, "the next one is somebody else's");
}
