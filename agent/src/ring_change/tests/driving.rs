//! The driver of a change.

use super::*;

const MERGE: Command = Command::Merge;
const COMPMERGE: Command = Command::CompMerge;
const ABORTMERGE: Command = Command::AbortMerge;

/// Acts of the rows that drive.
fn drives(bench: Bench, time: u64) -> Vec<(u64, Row, Action)> {
    let own_part = [Row::Go, Row::Stuck, Row::Pend];
    bench.drained().run(time).into_iter().filter(|(_, row, _)| !own_part.contains(row)).collect()
}

fn first(bench: Bench, time: u64) -> Option<(u64, Row, Action)> {
    drives(bench, time).into_iter().next()
}

#[test]
fn merge_is_given_when_the_whole_ring_is_pending() {
    let join = Bench::server("a", "a=1021 b=1021 c=1121");
    assert_eq!(first(join, 2000), Some((800, Row::Merge, send(&[(MERGE, "a")]))));
    let leave = Bench::server("c", "a=1021 b=1021 c=1221").leaving();
    assert_eq!(first(leave, 2000), Some((800, Row::Merge, send(&[(MERGE, "c")]))));
    let back = Bench::server("b", "a=21 b=1021 c=21");
    assert_eq!(first(back, 2000), Some((1000, Row::Merge, send(&[(MERGE, "b")]))));
}

#[test]
fn merge_is_repeated_after_two_seconds() {
    let acts = drives(Bench::server("a", "a=1021 b=1021 c=1121"), 3000);
    assert_eq!(acts.iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [800, 2800]);
}

#[test]
fn the_views_decide_and_not_the_list() {
    let list = Bench::server("a", "a=1021 b=1021 c=1121").seeing("b=21");
    assert!(first(list, 1400).is_none());
}

#[test]
fn a_server_that_waits_to_join_publishes_its_status_where_lists_differ_about_it() {
    // One list had it without its k2hdkc, for ever, and no merge began.
    let mut bench = Bench::server("a", "a=1021 b=21 c=11").drained();
    let mut acts = Vec::new();
    for _ in 0..20 {
        let mut answer = bench.answer(&id("b"), true).unwrap();
        let waits = Entry { status: NodeStatus::from_bits(0x10011), slot: None };
        answer.list.insert(id("c"), waits);
        bench.inputs.round = Some(Round { at: bench.inputs.now, answers: [(id("b"), Some(answer))].into() });
        let decision = bench.look();
        bench.history.record(&decision, bench.inputs.now);
        acts.extend(decision.row.map(|row| (row, decision.action)));
        bench.inputs.now += ms(50);
    }
    assert!(acts.contains(&(Row::Align, send(&[update("c")]))), "{acts:?}");
}

#[test]
fn the_lists_of_servers_that_wait_to_join_count_as_well() {
    // Two newcomers had a third one without its k2hdkc, and chmpx compares their lists, too.
    let bench = Bench::server("a", "a=1021 b=11 c=11").with(|bench| bench.dispute("c", 0x10011));
    let acts = bench.drained().run(1000);
    assert!(acts.contains(&(300, Row::Align, send(&[update("c")]))), "{acts:?}");
    let silent = Bench::server("a", "a=1021 b=11 c=11").seeing("b=- c=-").drained().run(1500);
    assert!(silent.iter().any(|(_, row, _)| *row == Row::Merge), "one that is silent holds nothing up");
}

#[test]
fn lists_that_differ_are_aligned_before_the_merge() {
    let bench = Bench::server("a", "a=1021 b=21 c=1121").seeing("b=1021");
    let acts = drives(bench, 1400);
    assert_eq!(acts, [(300, Row::Align, send(&[update("b")])), (900, Row::Align, send(&[update("b")]))]);
    let undone = drives(Bench::server("a", "a=1021 b=21 c=1121").seeing("b=1021"), 13_000);
    assert!(undone.contains(&(12_000, Row::Undo, send(&[out("c")]))), "{undone:?}");
}

#[test]
fn a_server_that_is_gone_may_be_missing_in_a_list_and_another_one_not() {
    let lists = |texts: &[&str]| {
        let lists: Vec<_> = texts.iter().map(|text| list(text)).collect();
        super::super::scene::disputed(&lists.iter().collect::<Vec<_>>())
    };
    assert_eq!(lists(&["a=1021 b=1021", "a=1021 b=1021"]), []);
    assert_eq!(lists(&["a=1021 b=1021 d=10", "a=1021 b=1021"]), []);
    assert_eq!(lists(&["a=1021 b=1021", "a=1021 b=1021 d=10010"]), []);
    assert_eq!(lists(&["a=1021 b=1021 d=11", "a=1021 b=1021"]), ids("d"));
    assert_eq!(lists(&["a=1021 b=1021 d=1210", "a=1021 b=1021 d=10"]), ids("d"));
    assert_eq!(lists(&["a=1021 b=21", "a=1021 b=1021", "a=21 b=1021"]), ids("a b"));
}

#[test]
fn lists_that_differ_about_a_dead_server_hold_the_change() {
    let bench = Bench::server("a", "a=1021 b=1021 c=1121 d=10").with(|bench| bench.dispute("d", 0x1210));
    let progress = bench.progress_after(1400);
    assert_eq!(progress.hold, Some(Hold::ListsDiffer(ids("d"))));
}

#[test]
fn merge_waits_for_a_server_that_is_unknown_or_down() {
    for (list, views) in [
        ("a=1021 b=1021 c=1121", "b=-"),
        ("a=1021 b=1021 c=1121", "b=20"),
        ("a=1021 b=20 c=1121", "b=1021"),
        ("a=1021 b=10021 c=1121", "b=1021"),
    ] {
        let acts = drives(Bench::server("a", list).seeing(views), 3000);
        assert!(acts.iter().all(|(_, row, _)| *row != Row::Merge), "{list} {views}: {acts:?}");
    }
}

#[test]
fn others_drive_when_the_list_stands_still_for_their_places() {
    let ring = "a=1021 b=1021 c=1121";
    assert_eq!(first(Bench::server("b", ring), 6000), Some((3800, Row::Merge, send(&[(MERGE, "b")]))));
    assert_eq!(first(Bench::server("c", ring), 9000), Some((6800, Row::Merge, send(&[(MERGE, "c")]))));
    let mut moving = Bench::server("b", ring);
    moving.inputs.local.k2hdkc = Process::Stopped;
    for turn in 0..5 {
        moving.show(if turn % 2 == 0 { ring } else { "a=1021 b=1021 c=1121 d=10" });
        assert_eq!(moving.run(2000), []);
    }
}

#[test]
fn a_leaver_is_the_first_driver_and_a_dead_server_none() {
    assert!(first(Bench::server("a", "a=1021 b=1021 c=1221"), 3000).is_none());
    assert!(matches!(first(Bench::server("a", "a=1021 b=1021 c=1221"), 5000), Some((3800, Row::Merge, _))));
    let mut bench = Bench::server("b", "a=20 b=1021 c=1021 d=1121");
    assert_eq!(
        bench.look().action,
        Action::Ask { who: ids("a c d"), dump: true },
        "it asks as the first driver"
    );
}

#[test]
fn nothing_is_sent_while_a_server_merges() {
    assert_eq!(drives(Bench::server("a", "a=3021 b=2021 c=3121"), 10_000), []);
}

#[test]
fn a_server_that_was_skipped_has_the_merge_aborted() {
    let bench = Bench::server("a", "a=3021 b=1021 c=3121");
    assert_eq!(first(bench, 2000), Some((1000, Row::Skipped, send(&[(ABORTMERGE, "a")]))));
}

#[test]
fn a_server_that_serves_beside_others_that_are_done_was_not_skipped() {
    for ring in ["a=3021 b=3021 c=3121", "a=3021 b=21 c=3121", "a=21 b=21 c=3121"] {
        let bench = Bench::server("a", ring);
        assert_eq!(first(bench, 2000), Some((0, Row::Complete, send(&[(COMPMERGE, "a")]))), "{ring}");
    }
}

#[test]
fn compmerge_is_repeated_five_times_behind_updatestatus_then_pauses() {
    let acts = drives(Bench::server("a", "a=3021 b=3021 c=3121"), 8000);
    let times: Vec<_> = acts.iter().map(|(at, ..)| *at).collect();
    assert_eq!(times, [0, 600, 1200, 1800, 2400, 7400]);
    assert_eq!(acts[1].2, send(&[update("b"), update("c"), (COMPMERGE, "a")]));
}

#[test]
fn a_late_server_is_reminded_helped_and_the_change_undone() {
    let acts = drives(Bench::server("a", "a=1021 b=21 c=1121"), 13_000);
    let of = |row| acts.iter().filter(|(_, by, _)| *by == row).map(|(at, ..)| *at).collect::<Vec<_>>();
    assert_eq!(acts[0], (3000, Row::Remind, send(&[update("c")])));
    assert_eq!(acts[1], (4000, Row::Help, send(&[out("b"), come_in("b")])));
    assert_eq!((of(Row::Remind), of(Row::Help).len()), (vec![3000], 9));
    assert!(acts.contains(&(12_000, Row::Undo, send(&[out("c")]))));
    let acts = drives(Bench::server("c", "a=1021 b=21 c=1221").leaving(), 13_000);
    assert!(acts.contains(&(12_000, Row::Undo, send(&[come_in("c")]))));
}

#[test]
fn after_an_undo_the_servers_come_back_as_a_return() {
    let bench = Bench::server("a", "a=1021 b=1021 c=11");
    assert_eq!(first(bench, 3000), Some((1000, Row::Merge, send(&[(MERGE, "a")]))));
}

#[test]
fn a_change_with_stopped_slaves_is_undone_before_their_watchdogs_fire() {
    let late = drives(Bench::server("a", "a=3021 b=2021 c=3121"), 20_600);
    assert!(late.contains(&(20_000, Row::Overdue, send(&[(ABORTMERGE, "a")]))));
    let pending = drives(
        Bench::server("a", "a=3021 b=2021 c=3121")
            .with(|bench| _ = bench.run(19_900))
            .now("a=1021 b=1021 c=1121"),
        600,
    );
    assert!(pending.contains(&(20_000, Row::Overdue, send(&[out("c")]))));
    let unfrozen = |bench: &mut Bench| bench.limits.freeze = Duration::ZERO;
    assert_eq!(drives(Bench::server("a", "a=3021 b=2021 c=3121").with(unfrozen), 25_000), []);
}

#[test]
fn a_substitute_driver_asks_every_quarter_of_a_second() {
    let mut bench = Bench::server("b", "a=3021 b=2021 c=3121");
    bench.run(3000);
    let asks = (0..20).filter(|_| {
        let asks = matches!(bench.look(), Decision { row: Some(Row::Survey), .. });
        bench.step();
        bench.inputs.now += ms(50);
        asks
    });
    assert_eq!(asks.count(), 4);
}

#[test]
fn nobody_writes_the_ini_in_a_change() {
    for (ring, holds) in
        [("a=21 b=21", false), ("a=21 b=11", false), ("a=21 b=1121", true), ("a=1021 b=21", true)]
    {
        assert_eq!(Bench::server("a", ring).step().progress.holds_file, holds, "{ring}");
    }
    let mut silent = Bench::server("a", "a=1021 b=1121");
    silent.step();
    silent.inputs.list = None;
    let progress = silent.step().progress;
    assert_eq!((progress.stage, progress.is_under_way()), (Stage::Unseen, true));
    silent.inputs.local.chmpx = Process::Absent;
    assert!(!silent.step().progress.is_under_way(), "perhaps it waits for the file");
    let by_chmpx = |bench: &mut Bench| bench.limits.by = MergeBy::Chmpx;
    assert!(!Bench::server("a", "a=21 b=1121").with(by_chmpx).step().progress.holds_file);
}
