//! Servers that die, hosts that are cut off, and servers that see two rings.

use super::*;

fn acts_of(bench: Bench, time: u64, row: Row) -> Option<(u64, Action)> {
    bench.drained().run(time).into_iter().find(|(_, by, _)| *by == row).map(|(at, _, action)| (at, action))
}

#[test]
fn a_lost_server_is_named_after_two_seconds() {
    let hold = Hold::Lost { unknown: ids("b"), down: Vec::new() };
    assert_eq!(Bench::server("a", "a=1021 b=1021 c=1121").seeing("b=-").hold_after(2000), Some(hold));
    let hold = Hold::Lost { unknown: Vec::new(), down: ids("b") };
    assert_eq!(Bench::server("a", "a=1021 b=20 c=1121").seeing("b=20").hold_after(2000), Some(hold));
}

#[test]
fn a_server_that_is_down_is_named_at_every_look_also_while_the_others_are_asked_again() {
    let mut bench = Bench::server("a", "a=1021 b=20 c=1121").seeing("b=20");
    bench.run(2500);
    let hold = Hold::Lost { unknown: Vec::new(), down: ids("b") };
    for _ in 0..100 {
        bench.inputs.now += ms(50);
        assert_eq!(bench.look().progress.hold.as_ref(), Some(&hold));
        bench.step();
    }
}

#[test]
fn a_death_before_anybody_is_pending_takes_the_joiner_back() {
    let bench = Bench::server("a", "a=21 b=20 c=1121").seeing("b=-");
    assert_eq!(acts_of(bench, 5000, Row::Withdraw), Some((2000, send(&[out("c")]))));
    let leaver = Bench::server("c", "a=21 b=20 c=1221").seeing("b=-").leaving();
    assert_eq!(
        acts_of(leaver, 5000, Row::Withdraw),
        None,
        "a leaver that comes back would wait out of service"
    );
}

/// K2HR3 does not list `b` any more.
fn without_b(bench: &mut Bench) {
    bench.inputs.members.remove(&id("b"));
}

#[test]
fn a_living_leaver_takes_the_dead_server_with_it() {
    let bench = || Bench::server("c", "a=1021 b=20 c=1221").seeing("b=-").leaving();
    let dismissal = send(&[(Command::ServiceOut(id("b")), "c")]);
    let serves = Bench::server("c", "a=1221 b=20 c=1221").seeing("b=-").leaving();
    assert_eq!(acts_of(serves, 30_000, Row::Dismiss), None, "K2HR3 lists it: it is to come back");
    let dismissed = acts_of(bench(), 12_000, Row::Dismiss);
    assert_eq!(dismissed, Some((8000, dismissal.clone())), "the keys of a are waited for");
    let unique = |bench: &mut Bench| bench.inputs.replicas = 0;
    assert_eq!(acts_of(bench().with(unique), 12_000, Row::Dismiss), None, "the only copy is there");
    assert_eq!(acts_of(bench().with(without_b), 12_000, Row::Dismiss), Some((8000, dismissal)));
    let mut merged = bench().with(without_b).now("a=1021 b=1220 c=1221");
    merged.inputs.local.k2hdkc = Process::Stopped;
    assert_eq!(merged.run(2000).first(), Some(&(800, Row::Merge, send(&[(Command::Merge, "c")]))));
}

#[test]
fn a_dead_server_that_answers_is_not_dead() {
    let bench = Bench::server("c", "a=1021 b=20 c=1221").seeing("b=1021").leaving();
    assert_eq!(acts_of(bench, 12_000, Row::Dismiss), None);
}

#[test]
fn a_copy_that_a_death_made_worthless_is_aborted_before_the_dismissal() {
    let bench = Bench::server("c", "a=3021 b=20 c=3221").seeing("b=-").leaving();
    assert_eq!(acts_of(bench, 12_000, Row::Dismiss), Some((8000, send(&[(Command::AbortMerge, "c")]))));
}

#[test]
fn without_a_leaver_the_driver_leaves_with_the_dead_and_joins_again() {
    let listed = Bench::server("a", "a=1221 b=20 c=1221 d=1121").seeing("b=-");
    assert_eq!(acts_of(listed, 30_000, Row::Bury), None);
    let bench = Bench::server("a", "a=1021 b=20 c=1021 d=1121").seeing("b=-").with(without_b);
    let both = send(&[(Command::ServiceOut(id("b")), "a"), out("a")]);
    assert_eq!(acts_of(bench, 12_000, Row::Bury), Some((8000, both)));
    let mut bench = Bench::server("a", "a=1021 b=20 c=1021 d=1121").seeing("b=-").with(without_b);
    bench.inputs.local.k2hdkc = Process::Stopped;
    bench.run(8100);
    bench.show("a=1221 b=1220 c=1021 d=1121");
    let acts = bench.run(2000);
    assert!(acts.iter().all(|(_, row, _)| *row != Row::HalfOut), "it is no half pair of commands: {acts:?}");
    assert!(acts.iter().any(|(.., action)| *action == send(&[(Command::Merge, "a")])));
    bench.show("a=11 b=10 c=21 d=21");
    bench.inputs.members = ids("a c d").into_iter().collect();
    bench.inputs.local.k2hdkc = Process::Running;
    assert!(bench.run(3000).iter().any(|(_, row, _)| *row == Row::Join));
}

#[test]
fn the_last_living_server_needs_no_merge() {
    let dropped = |bench: &mut Bench| bench.inputs.members = ids("a d").into_iter().collect();
    let bench = Bench::server("a", "a=1021 b=20 d=11").seeing("b=-").with(dropped);
    let both = send(&[(Command::ServiceOut(id("b")), "a"), (Command::CompMerge, "a")]);
    assert_eq!(acts_of(bench, 12_000, Row::Bury), Some((8000, both)));
}

#[test]
fn in_a_calm_ring_a_dead_server_stays_until_the_ini_lacks_it() {
    let bench = || Bench::server("a", "a=21 b=20 c=21").seeing("b=-");
    assert_eq!(acts_of(bench(), 30_000, Row::Bury), None);
    let dropped = bench().with(|bench| bench.inputs.members = ids("a c").into_iter().collect());
    assert!(acts_of(dropped, 30_000, Row::Bury).is_some_and(|(at, _)| at <= 20_000));
}

#[test]
fn of_two_servers_that_list_each_other_as_down_the_later_one_starts_again() {
    let down = NodeStatus::from_bits(0x20);
    let first = Bench::server("a", "a=21 b=21").with(|bench| _ = bench.doubted.insert(id("b"), down));
    assert_eq!(first.first(9000), None);
    let second = Bench::server("b", "a=21 b=21").with(|bench| _ = bench.doubted.insert(id("a"), down));
    assert!(matches!(second.first(9000), Some((2000, Row::TwoViews, Action::RestartPair(_)))));
}

#[test]
fn a_server_that_all_list_as_down_starts_again_after_two_answers() {
    let down = NodeStatus::from_bits(0x20);
    let all = |bench: &mut Bench| bench.doubted = [(id("b"), down), (id("c"), down)].into();
    let restart = Action::RestartPair(PairEnd::ListedAsDown);
    let bench = Bench::server("a", "a=21 b=21 c=21").with(all);
    assert_eq!(bench.first(9000), Some((2000, Row::TwoViews, restart.clone())));
    let silent = Bench::server("a", "a=21 b=21 c=21").with(all).seeing("c=-");
    assert_eq!(silent.first(9000), Some((2000, Row::TwoViews, restart)), "all who answer");
}

#[test]
fn a_server_that_waits_to_join_does_not_speak_for_those_that_serve() {
    // The ring was in two parts, and a joiner that both knew kept each from starting again.
    let down = NodeStatus::from_bits(0x20);
    let bench = Bench::server("a", "a=1021 b=1021 c=1021 d=11").drained();
    let mut bench = bench.with(|bench| bench.doubted = [(id("b"), down), (id("c"), down)].into());
    let restarts = bench.run(20_000).into_iter().find(|(_, row, _)| *row == Row::TwoViews);
    assert!(restarts.is_some());
}

#[test]
fn of_two_servers_that_list_each_other_as_down_beside_a_third_the_later_one_starts_again() {
    // The ring was in parts that a third server held together, and no list of it agreed with another.
    let down = NodeStatus::from_bits(0x20);
    let bench = |own, other, text| {
        let bench = Bench::server(own, text).seeing("a=1021 b=1021 c=1021").drained();
        bench.with(|bench| _ = bench.doubted.insert(id(other), down))
    };
    let restarts = |mut bench: Bench| bench.run(15_000).into_iter().find(|(_, row, _)| *row == Row::TwoViews);
    assert!(restarts(bench("a", "c", "a=1021 b=1021 c=20")).is_none());
    assert!(restarts(bench("c", "a", "a=20 b=1021 c=1021")).is_some_and(|(at, ..)| at >= 10_000));
    let serves = Bench::server("c", "a=20 b=21 c=21").seeing("a=21 b=21 c=21");
    let serves = serves.with(|bench| _ = bench.doubted.insert(id("a"), down));
    assert!(restarts(serves).is_none(), "a server that serves goes on");
}

#[test]
fn a_server_that_some_list_as_down_publishes_its_status() {
    let one = |bench: &mut Bench| _ = bench.doubted.insert(id("b"), NodeStatus::from_bits(0x20));
    let bench = Bench::server("a", "a=21 b=21 c=21").with(one);
    assert_eq!(bench.first(9000), Some((0, Row::Disowned, send(&[update("a")]))));
    let mut bench = Bench::server("a", "a=21 b=21 c=21").with(one);
    assert!(bench.run(30_000).iter().all(|(_, row, _)| *row == Row::Disowned));
}
