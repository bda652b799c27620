//! Findings of the simulation of whole clusters.

use super::*;

fn rows(bench: Bench, time: u64) -> Vec<Row> {
    bench.drained().run(time).into_iter().map(|(_, row, _)| row).collect()
}

#[test]
fn all_joiners_that_wait_count_against_the_extra_copies() {
    // A first start of three servers with REPLICA 2: the first one served alone, and held the others for ever.
    let bench = Bench::server("b", "a=21 b=11 c=11").with(|bench| bench.inputs.replicas = 2);
    assert!(rows(bench, 3000).contains(&Row::Join));
}

#[test]
fn a_server_that_comes_back_does_not_bury_and_one_that_serves_does() {
    // A leaver answers for its keys to the end, and this one had missed writes: old values were read from it.
    let bench = |own| Bench::server(own, "a=1021 b=20 c=21 d=21").seeing("b=-");
    assert!(!rows(bench("a"), 12_000).contains(&Row::Bury));
    assert!(rows(bench("c"), 12_000).contains(&Row::Bury));
    assert!(!rows(bench("d"), 8200).contains(&Row::Bury));
}

#[test]
fn few_that_live_bury_nobody_whom_k2hr3_lists() {
    // A server that was cut off in a change took both others out of its ring, and served alone.
    let bench = || Bench::server("a", "a=1021 b=20 c=20").seeing("b=- c=-");
    assert!(!rows(bench(), 12_000).contains(&Row::Bury));
    let dropped = bench().with(|bench| bench.inputs.members = ids("a").into_iter().collect());
    assert!(rows(dropped, 12_000).contains(&Row::Bury));
}

#[test]
fn the_leaver_that_buries_may_be_skipped_and_nothing_is_aborted() {
    // ABORTMERGE made the dead server [SERVICE OUT], so the second try hid keys.
    let acts = rows(Bench::server("a", "a=1221 b=3220 c=3021 d=3021"), 3000);
    assert!(acts.contains(&Row::Complete) && !acts.contains(&Row::Skipped), "{acts:?}");
    let acts = rows(Bench::server("a", "a=1221 b=1220 c=1021 d=1021"), 30_000);
    assert!(!acts.contains(&Row::Overdue), "{acts:?}");
}

#[test]
fn a_server_that_merges_or_waits_to_join_minds_what_the_others_list() {
    // Each of four had another one for dead, and none was asked, since none served.
    let disowned = |own: &str, text: &str, time| {
        let others: Vec<_> = ids("a b c").into_iter().filter(|other| *other != id(own)).collect();
        let mut bench = Bench::server(own, text);
        bench.doubted = others.into_iter().map(|other| (other, NodeStatus::from_bits(0x20))).collect();
        rows(bench, time).contains(&Row::TwoViews)
    };
    assert!(disowned("a", "a=1021 b=1021 c=1121", 15_000));
    assert!(disowned("c", "a=21 b=1021 c=11", 25_000));
}

#[test]
fn an_entry_that_is_down_is_cured_where_its_server_is_up() {
    // A slave that lost a connection routed past the server for good (C30).
    let up = Bench::server("a", "a=21 b=20 c=21").seeing("b=21");
    assert!(rows(up, 5000).contains(&Row::Cure));
    let dead = Bench::server("a", "a=21 b=20 c=21").seeing("b=-");
    assert!(!rows(dead, 5000).contains(&Row::Cure));
}

#[test]
fn a_leaver_that_took_a_dead_server_out_is_not_taken_back() {
    // It stayed with the copies of the larger ring, and answered with old values.
    let mut bench = Bench::server("c", "a=1021 b=20 c=1221 d=1021").seeing("b=-").leaving().drained();
    assert!(bench.run(9000).iter().any(|(_, row, _)| *row == Row::Dismiss));
    bench.inputs.members.remove(&id("b"));
    bench.show("a=21 c=1221 d=21");
    assert!(bench.run(15_000).iter().all(|(_, row, _)| *row != Row::Overdue));
}
