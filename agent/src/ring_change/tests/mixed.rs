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
fn a_return_in_a_ring_with_automerge_is_left_to_the_chmpx_that_begins_it() {
    let over = |bench: &mut Bench| (bench.inputs.automerge, ..) = (true, bench.runs_automerge("a"));
    assert_eq!(Bench::server("b", "a=21 b=1021 c=21").with(over).first(20_000), None);
    let foreign = |bench: &mut Bench| bench.runs_automerge("b");
    assert_eq!(Bench::server("a", "a=21 b=1021 c=21").with(foreign).first(20_000), None);
}

#[test]
fn a_return_with_automerge_off_is_carried_to_its_end_beside_a_server_that_insists() {
    let foreign = |bench: &mut Bench| bench.runs_automerge("a");
    let rows = |bench: Bench| -> Vec<Row> {
        bench.with(foreign).run(3000).into_iter().map(|(_, row, _)| row).collect()
    };
    let returns = rows(Bench::server("b", "a=21 b=1021 c=21"));
    assert!(returns[0] == Row::Drain && returns.contains(&Row::Merge), "{returns:?}");
    assert_eq!(rows(Bench::server("b", "a=21 b=3021 c=21"))[0], Row::Complete);
    assert_eq!(rows(Bench::slave("a=21 b=1021 c=21"))[0], Row::Freeze);
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

#[test]
fn the_word_of_a_dead_server_fades_and_an_agent_that_has_not_heard_it_comes_to_the_same_way() {
    let dead = "a=21 b=20 c=21";
    let mut heard = Bench::server("a", "a=21 b=21 c=21").with(|bench| bench.runs_automerge("b"));
    heard.run(1000);
    let mut heard = heard.now(dead).seeing("b=-");
    assert_eq!(heard.step().progress.merges, Merges::ByChmpx(id("b")), "it may be back in a moment");
    heard.run(61_000);
    let mut started_since = Bench::server("a", dead).seeing("b=-");
    started_since.run(1000);
    let both = [heard.step().progress, started_since.step().progress];
    assert_eq!(
        both.map(|progress| (progress.merges, progress.hold)),
        [(Merges::ByAgents, None), (Merges::ByAgents, None)]
    );
}

#[test]
fn a_newcomer_with_automerge_leaves_no_change_half_way_and_is_named_behind_it() {
    let mut bench = Bench::server("a", "a=21 b=21 c=21 d=11").with(|bench| bench.runs_automerge("d"));
    bench.run(1000);
    assert_eq!(bench.step().progress.hold, Some(Hold::RunsAutomerge(id("d"))));
    let mut bench = bench.now("a=1021 b=1021 c=1121 d=11").drained();
    assert!(bench.run(2000).iter().any(|(_, row, _)| *row == Row::Merge));
    bench.show("a=3021 b=3021 c=3121 d=11");
    assert!(bench.run(2000).iter().any(|(_, row, _)| *row == Row::Complete));
    bench.show("a=21 b=21 c=21 d=11");
    bench.inputs.local.k2hdkc = Process::Running;
    assert_eq!(bench.run(2000), []);
    assert_eq!(bench.step().progress.hold, Some(Hold::RunsAutomerge(id("d"))));
}

#[test]
fn a_newcomer_with_automerge_that_joins_in_a_change_has_what_stands_still_go_on_and_a_stalled_one_taken_back()
{
    let mut bench = Bench::server("a", "a=21 b=21 c=21 d=11").with(|bench| bench.runs_automerge("d"));
    bench.run(1000);
    let mut bench = bench.now("a=1021 b=1021 c=1121 d=1121").drained();
    let acts = bench.run(100);
    assert_eq!(
        acts.first().map(|(_, row, action)| (*row, action.clone())),
        Some((Row::Go, go_on(Program::K2hdkc)))
    );
    bench.inputs.local.k2hdkc = Process::Running;
    assert_eq!(bench.run(11_500), [], "chmpx has the time to finish it");
    bench.show("a=1021 b=1021 c=1121 d=1121");
    let mut late = bench.now("a=1021 b=21 c=1121 d=1121");
    let acts = late.run(14_000);
    let undo = acts.iter().find(|(_, row, _)| *row == Row::Undo);
    assert_eq!(undo.map(|(.., action)| action.clone()), Some(send(&[out("c"), out("d")])), "{acts:?}");
}
