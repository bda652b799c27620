//! A file that is installed and not before the processes yet, and processes that cannot be seen.

use super::*;
use crate::supervisor::OutOfSync;

fn misplaced() -> Stage {
    let mut stage = Stage::well();
    stage.observed.file.out_of_sync = Some(OutOfSync::Replaceable("the container has another one".into()));
    stage
}

#[test]
fn the_file_comes_before_the_processes_whatever_else_is_to_be_done() {
    let mut stage = misplaced();
    assert_eq!(step(&stage.next()), &Step::SyncFile);
    let mut stage = misplaced();
    stage.observed.duplicates = vec![(Program::Chmpx, 99)];
    (stage.observed.chmpx, stage.observed.k2hdkc, stage.observed.control.report) = (None, None, None);
    stage.observed.absence.externally_managed = vec![(Program::Chmpx, "its helper waits for a file".into())];
    assert_eq!(step(&stage.next()), &Step::SyncFile);
    stage.observed.file.out_of_sync = None;
    stage.observed.duplicates.clear();
    assert_eq!(waits(&stage.next()), "start-by-itself");
}

#[test]
fn chmpx_is_asked_only_a_quiet_time_after_the_placement() {
    let mut stage = misplaced();
    stage.fileversion = 5;
    // The container gets the file a minute after it was installed.
    stage.later(60.0);
    assert_eq!(step(&stage.next()), &Step::SyncFile);
    stage.observed.file.out_of_sync = None;
    assert_eq!(waits(&stage.next()), "file-just-replaced", "its answer is from before");
    stage.later(0.6);
    assert!(matches!(stage.next(), Action::Rewrite(..)), "and then it has not heard of it");
}

#[test]
fn a_loop_that_rewrites_the_file_is_ended_first_or_left_alone() {
    let mut stage = misplaced();
    stage.observed.file.foreign_writer = Some(ForeignWriter::unit("a loop rewrites it"));
    assert_eq!(holds(&stage.next()), ["file-foreign-writer-stays", "file-contested"]);
    stage.rules.take_over = true;
    assert_eq!(step(&stage.next()), &Step::DisableWriter);
    stage.observed.file.foreign_writer = None;
    assert_eq!(step(&stage.next()), &Step::SyncFile);
}

#[test]
fn what_failed_is_tried_again_after_a_growing_pause_and_told_meanwhile() {
    let mut stage = misplaced();
    let mut tries = 0;
    stage.failure = Some("the disk is full");
    for _ in 0..60 {
        match stage.next() {
            Action::Step(Step::SyncFile, _) => tries += 1,
            next => assert_eq!(holds(&next), ["file-sync-failed"], "{next:?}"),
        }
        stage.later(1.0);
    }
    assert!((3..12).contains(&tries), "{tries}");
    stage.failure = None;
    stage.observed.file.foreign_writer = Some(ForeignWriter::unit("a loop rewrites it"));
    stage.rules.take_over = true;
    assert_eq!(step(&stage.next()), &Step::DisableWriter, "that kept the file from being written");
    stage.observed.file.foreign_writer = None;
    assert_eq!(step(&stage.next()), &Step::SyncFile);
}

#[test]
fn where_the_file_cannot_be_put_in_place_the_processes_are_kept_on_the_one_that_they_have() {
    let hopeless = Some(OutOfSync::Fixed("mount its directory instead".into()));
    let mut stage = Stage::well();
    (stage.observed.file.out_of_sync, stage.fileversion) = (hopeless.clone(), 5);
    assert_eq!(holds(&stage.next()), ["file-cannot-be-synced"], "and nothing is written again");
    stage.later(60.0);
    assert_eq!(holds(&stage.next()), ["file-cannot-be-synced"]);
    let mut stage = Stage::well();
    stage.observed.file.out_of_sync = hopeless;
    stage.end(Program::Chmpx, ExitStatus::Unknown);
    stage.run(Program::Chmpx, ProcessId { pid: 9, start_ticks: 900 });
    assert_eq!(step(&stage.later(1.0).next()), &Step::Signal(Program::K2hdkc, K2HDKC, Signal::Hangup));
}

#[test]
fn what_cannot_be_seen_is_not_moved() {
    let mut stage = misplaced();
    stage.observed.chmpx = None;
    stage.observed.unobservable = Some("the daemon is away".into());
    assert_eq!(holds(&stage.next()), ["control-unobservable"]);
    stage.later(3600.0);
    assert_eq!(holds(&stage.next()), ["control-unobservable"]);
}

#[test]
fn a_placement_that_never_takes_has_a_limit() {
    let mut stage = misplaced();
    let mut places = 0;
    for _ in 0..300 {
        places += i32::from(matches!(stage.next(), Action::Step(Step::SyncFile, _)));
        stage.later(0.2);
    }
    assert!(places < 50, "{places} placements in a minute");
}

#[test]
fn a_file_that_never_reached_the_container_is_not_blamed() {
    let mut stage = misplaced();
    stage.next();
    (stage.fileversion, stage.verified, stage.way_back) = (5, false, true);
    stage.observed.file.foreign_writer = Some(ForeignWriter::unit("a loop rewrites it"));
    stage.replaced(true);
    stage.written = Some(Duration::from_hours(1));
    stage.end(Program::Chmpx, ExitStatus::Unknown);
    stage.end(Program::K2hdkc, ExitStatus::Unknown);
    stage.observed.absence.externally_managed = vec![(Program::Chmpx, "chmpx comes by its helper".into())];
    stage.next();
    let next = stage.later(91.0).next();
    assert!(!matches!(next, Action::RollBack(..)), "{next:?}");
}

#[test]
fn nothing_is_restarted_for_a_file_that_is_not_before_the_processes() {
    for (misplaced, rival) in [
        (
            OutOfSync::Replaceable("the container has another one".into()),
            Some(ForeignWriter::unit("a loop rewrites it")),
        ),
        (OutOfSync::Fixed("mount its directory".into()), None),
    ] {
        let mut stage = Stage::well();
        stage.next();
        stage.persisted.demand_for_change(
            Class::RestartK2hdkc,
            None,
            Some(K2HDKC),
            "[K2HDKC] MAXTHREAD",
            (stage.boot, 5),
        );
        (stage.fileversion, stage.verified) = (5, false);
        (stage.observed.file.out_of_sync, stage.observed.file.foreign_writer) = (Some(misplaced), rival);
        for _ in 0..120 {
            let next = stage.later(1.0).next();
            assert!(!matches!(next, Action::Step(..)), "{next:?}");
        }
    }
}
