//! Rings in which chmpx runs the merges, or some of them.

use super::*;

#[test]
fn with_merges_by_chmpx_nothing_but_a_continuation_is_asked_for() {
    for (own, ring) in [("c", "a=21 b=21 c=11"), ("a", "a=21 b=21 c=1121"), ("a", "a=1021 b=1021 c=1121")] {
        let mut bench = Bench::server(own, ring).with(|bench| bench.limits.by = MergeBy::Chmpx);
        assert_eq!(bench.run(15_000), []);
        let decision = bench.step();
        assert_eq!((decision.action, decision.progress.stage), (Action::Nothing, Stage::ByChmpx));
        bench.inputs.local.k2hdkc = Process::Stopped;
        assert_eq!(bench.step().action, go_on(Program::K2hdkc));
    }
    let mut slave = Bench::slave("a=21 b=21 c=1121").with(|bench| bench.limits.by = MergeBy::Chmpx);
    assert_eq!(slave.run(5000), []);
    (slave.inputs.local.chmpx, slave.inputs.local.mark) = (Process::Stopped, Mark::Frozen);
    assert_eq!(slave.step().action, go_on(Program::Chmpx));
}

#[test]
fn a_server_that_runs_automerge_keeps_every_change_from_starting_and_is_named() {
    let named = Some(Hold::RunsAutomerge(id("b")));
    let foreign = |bench: &mut Bench| bench.runs_automerge("b");
    assert_eq!(Bench::server("c", "a=21 b=21 c=11").with(foreign).hold_after(5000), named);
    assert_eq!(Bench::server("c", "a=21 b=21 c=21").leaving().with(foreign).hold_after(5000), named);
    assert_eq!(Bench::server("a", "a=11 b=11").with(foreign).hold_after(5000), named);
}

#[test]
fn a_server_that_runs_automerge_is_named_while_nothing_changes() {
    let bench = Bench::server("a", "a=21 b=21 c=21").with(|bench| bench.runs_automerge("b"));
    assert_eq!(bench.hold_after(1000), Some(Hold::RunsAutomerge(id("b"))));
}

#[test]
fn who_insists_on_automerge_is_told_from_who_goes_over_with_the_others() {
    let merges = |bench: Bench| bench.with(|bench| drop(bench.run(1000))).step().progress.merges;
    let ring = || Bench::server("a", "a=21 b=21 c=21");
    assert_eq!(merges(ring()), Merges::ByAgents);
    assert_eq!(merges(ring().with(|bench| bench.runs_automerge("b"))), Merges::ByChmpx(id("b")));
    let defers = |bench: &mut Bench| (bench.defers, ..) = (true, bench.runs_automerge("b"));
    assert_eq!(merges(ring().with(defers)), Merges::ByAgents);
    assert_eq!(
        ring().with(defers).hold_after(1000),
        Some(Hold::RunsAutomerge(id("b"))),
        "no change begins yet"
    );
    assert_eq!(merges(ring().seeing("b=-")), Merges::Unknown, "it has not answered");
}

#[test]
fn a_server_that_goes_back_to_automerge_is_noticed_within_a_minute_or_so() {
    let mut bench = Bench::server("a", "a=21 b=21 c=21");
    bench.run(1000);
    assert_eq!(bench.step().progress.merges, Merges::ByAgents);
    bench.runs_automerge("b");
    bench.run(75_000);
    assert_eq!(bench.step().progress.merges, Merges::ByChmpx(id("b")));
}

#[test]
fn a_server_that_ran_automerge_and_is_dead_does_not_keep_itself_in_the_ring() {
    let mut bench = Bench::server("a", "a=21 b=21 c=21").with(|bench| bench.runs_automerge("b"));
    bench.run(1000);
    let mut bench = bench.now("a=21 b=20 c=21").seeing("b=-");
    bench.inputs.members.remove(&id("b"));
    assert_eq!(bench.run(15_000).first().map(|(_, row, _)| *row), Some(Row::Bury));
}

#[test]
fn a_return_in_a_ring_with_automerge_is_left_to_chmpx() {
    let foreign = |bench: &mut Bench| bench.runs_automerge("a");
    assert_eq!(Bench::server("b", "a=21 b=1021 c=21").with(foreign).first(20_000), None);
}

#[test]
fn a_slave_does_not_stop_for_an_automerge() {
    let mut bench = Bench::slave("a=21 b=21 c=1121").with(|bench| bench.runs_automerge("c"));
    assert_eq!(bench.run(5000), []);
    assert_eq!(bench.step().progress.hold, Some(Hold::RunsAutomerge(id("c"))));
}

#[test]
fn the_change_starts_once_the_server_has_gone_over() {
    let mut bench = Bench::server("c", "a=21 b=21 c=11").with(|bench| bench.runs_automerge("b"));
    assert_eq!(bench.run(20_000), []);
    bench.foreign.clear();
    assert_eq!(bench.run(5000).first().map(|(_, row, _)| *row), Some(Row::Join));
}

#[test]
fn a_server_that_stays_learns_that_the_joiner_has_gone_over() {
    let mut bench = Bench::server("a", "a=21 b=21 c=1121").with(|bench| bench.runs_automerge("c"));
    assert_eq!(bench.run(3000), []);
    bench.foreign.clear();
    assert_eq!(bench.run(12_000).first().map(|(_, row, _)| *row), Some(Row::Pend));
}
