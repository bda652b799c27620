//! A server's own part: Pending, the stop of k2hdkc, its continuation, and the merge that sticks.

use super::*;

fn stopped(bench: &mut Bench) {
    bench.inputs.local.k2hdkc = Process::Stopped;
}

#[test]
fn a_server_that_stays_goes_pending_for_an_announcement() {
    for (ring, after) in [("a=21 b=21 c=1121", 600), ("a=21 b=21 c=1221", 900)] {
        let pair = send(&[out("a"), come_in("a")]);
        assert_eq!(Bench::server("a", ring).first(2000), Some((after, Row::Pend, pair)), "{ring}");
    }
}

#[test]
fn a_look_follows_an_act_at_once_and_a_calm_ring_is_looked_at_seldom() {
    let again = |own, ring| Bench::server(own, ring).with(|bench| _ = bench.run(600)).step().look_again;
    assert_eq!(again("a", "a=21 b=21 c=1121"), ms(10));
    assert_eq!(again("a", "a=21 b=21 c=11"), ms(50));
    assert_eq!(again("a", "a=21 b=21 c=21"), ms(250));
}

#[test]
fn it_waits_for_a_further_joiner() {
    let bench = Bench::server("a", "a=21 b=21 c=1121 d=11");
    assert!(matches!(bench.first(3000), Some((2000, Row::Pend, _))));
}

#[test]
fn it_does_not_go_pending_beside_a_merge_or_a_dead_server() {
    for ring in ["a=21 b=2021 c=2121", "a=21 b=3021 c=3121", "a=21 b=20 c=1221"] {
        let mut bench = Bench::server("a", ring);
        assert!(bench.run(1900).iter().all(|(_, row, _)| *row != Row::Pend), "{ring}");
    }
}

#[test]
fn it_asks_those_that_join_or_leave_for_automerge() {
    let mut bench = Bench::server("a", "a=21 b=21 c=1121").with(|bench| bench.runs_automerge("c"));
    assert_eq!(bench.run(3000), []);
    assert_eq!(bench.step().progress.hold, Some(Hold::RunsAutomerge(id("c"))));
    assert!(
        Bench::server("a", "a=21 b=21 c=1121").seeing("c=-").first(3000).is_none(),
        "no answer is no consent"
    );
}

#[test]
fn a_pending_server_stops_its_k2hdkc_and_waits_for_nobody() {
    let bench = Bench::server("b", "a=21 b=1021 c=1121");
    assert_eq!(bench.first(2000), Some((250, Row::Drain, stop_k2hdkc())));
    let joiner = Bench::server("c", "a=21 b=1021 c=1121");
    assert_eq!(joiner.first(2000), Some((250, Row::Drain, stop_k2hdkc())));
    let returns = Bench::server("b", "a=21 b=1021 c=21");
    assert_eq!(returns.first(2000), Some((250, Row::Drain, stop_k2hdkc())));
}

#[test]
fn a_stop_that_waits_for_others_is_renewed_before_its_limit_and_not_for_ever() {
    let mut bench = Bench::server("b", "a=21 b=1021 c=1121").with(stopped);
    let acts = bench.run_all(60_000).into_iter();
    let acts = acts.filter(|(_, row, act)| (*row, act) == (Row::StayStopped, &stop_k2hdkc()));
    let times: Vec<_> = acts.map(|(at, ..)| at).collect();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!((times[0], times.len()), (2000, 8));
    assert!(pauses.iter().all(|pause| (2000..2200).contains(pause)), "questions go first: {pauses:?}");
    for merges in ["a=2021 b=1021 c=2121", "a=21 b=21 c=21"] {
        let mut bench = Bench::server("b", merges).with(stopped);
        assert!(bench.run_all(6000).iter().all(|(_, row, _)| *row != Row::StayStopped), "{merges}");
    }
}

#[test]
fn a_leaver_stops_its_k2hdkc_only_when_the_whole_ring_is_pending() {
    let first = |ring| Bench::server("c", ring).leaving().first(2000);
    assert_eq!(first("a=21 b=1021 c=1221"), None);
    assert_eq!(first("a=1021 b=1021 c=1221"), Some((250, Row::DrainLeaver, stop_k2hdkc())));
}

#[test]
fn the_queues_must_be_empty_twice_and_not_for_ever() {
    let full = |bench: &mut Bench| bench.inputs.local.queues_empty = false;
    let mut bench = Bench::server("b", "a=21 b=1021 c=1121").with(full);
    assert_eq!(bench.run(500), []);
    bench.inputs.local.queues_empty = true;
    assert_eq!(bench.run(500).first(), Some(&(550, Row::Drain, stop_k2hdkc())));
    let bench = Bench::server("b", "a=21 b=1021 c=1121").with(full);
    assert_eq!(bench.first(3000), Some((1000, Row::Drain, stop_k2hdkc())));
}

#[test]
fn a_server_whose_chmpx_falls_silent_while_pending_stops_blindly() {
    let mut bench = Bench::server("b", "a=21 b=1021 c=1121");
    bench.run(50);
    bench.inputs.list = None;
    assert_eq!(bench.run(2000).first(), Some(&(650, Row::Blind, stop_k2hdkc())));
    let mut calm = Bench::server("b", "a=21 b=21 c=1121");
    calm.run(50);
    calm.inputs.list = None;
    assert_eq!(calm.run(5000), []);
}

#[test]
fn k2hdkc_goes_on_when_its_own_chmpx_merges() {
    let go = |after| Some((after, Row::Go, go_on(Program::K2hdkc)));
    let first = |ring| Bench::server("b", ring).with(stopped).first(1500);
    assert_eq!(first("a=1021 b=2021 c=2121"), go(300));
    assert_eq!(first("a=21 b=21 c=21"), go(0));
    assert_eq!(first("a=3021 b=3021 c=3121"), go(0));
    assert_eq!(first("a=2021 b=1021 c=2121"), go(1000));
    assert!(first("a=1021 b=1021 c=1121").is_none_or(|(_, row, _)| row != Row::Go));
}

#[test]
fn a_new_agent_finds_a_stopped_k2hdkc_by_its_state() {
    let mut bench = Bench::server("b", "a=21 b=21 c=21").with(stopped);
    assert_eq!(bench.step().action, go_on(Program::K2hdkc));
}

#[test]
fn a_merge_that_sticks_is_aborted_once_where_k2hdkc_was_stopped() {
    let mut bench = Bench::server("b", "a=3021 b=2021 c=3121").with(stopped);
    bench.run(200);
    bench.inputs.local.k2hdkc = Process::Running;
    let acts = bench.run(6000);
    assert_eq!(acts[0], (5200, Row::Stuck, send(&[(Command::AbortMerge, "b")])));
    assert_eq!(acts[1].2, Action::RestartPair(PairEnd::MergeSticks));
    let bench = Bench::server("b", "a=3021 b=2021 c=3121");
    assert_eq!(bench.first(6000), Some((5000, Row::Stuck, Action::RestartPair(PairEnd::MergeSticks))));
}

#[test]
fn a_merge_that_moves_is_not_stuck() {
    let mut bench = Bench::server("b", "a=3021 b=2021 c=3121");
    for _ in 0..10 {
        assert_eq!(bench.run(1000), []);
        bench.inputs.local.progress += 1;
    }
}
