//! A change that waits for a server that is down: the others take requests, and the change goes on when it is back or taken out.

use super::*;

const PENDING: &str = "a=1021 b=1021 c=1021 d=1121";
const DEAD: &str = "a=1021 b=1021 c=20 d=1121";

/// Server `a` as it has gone Pending with the others, k2hdkc stopped, and `c` dies.
fn beside_the_dead(own: &str) -> Bench {
    let mut bench = Bench::server(own, "a=21 b=21 c=21 d=1121");
    bench.look();
    bench.show(PENDING);
    bench.inputs.local.k2hdkc = Process::Stopped;
    bench.look();
    bench.now(DEAD).seeing("c=-")
}

/// The first acts that move something, once each.
fn moves(bench: &mut Bench, time: u64) -> Vec<(u64, Row, Action)> {
    let mut acts = bench.run(time);
    acts.retain(|(.., action)| !matches!(action, Action::Ask { .. }));
    acts.dedup_by_key(|(_, row, _)| *row);
    acts
}

#[test]
fn a_server_takes_requests_while_the_change_waits() {
    let mut bench = beside_the_dead("b");
    assert_eq!(bench.step().action, go_on(Program::K2hdkc));
    bench.inputs.local.k2hdkc = Process::Running;
    assert_eq!(moves(&mut bench, 400), [(100, Row::Serve, send(&[out("b")]))]);
    bench.show("a=1221 b=1221 c=20 d=1121");
    assert_eq!(moves(&mut bench, 3000), [], "it goes on until the dead one is back");
    bench.show("a=1221 b=1221 c=1021 d=1121");
    assert_eq!(moves(&mut bench, 1000).first(), Some(&(4000, Row::HalfOut, send(&[come_in("b")]))));
}

#[test]
fn a_server_that_has_come_back_takes_none_since_it_lacks_writes() {
    let mut bench = Bench::server("b", "a=21 b=1021 c=20 d=21");
    assert!(moves(&mut bench, 3000).iter().all(|(_, row, _)| *row != Row::Serve));
    let mut bench = beside_the_dead("b");
    bench.inputs.local.k2hdkc = Process::Absent;
    bench.look();
    bench.inputs.local.k2hdkc = Process::Running;
    assert!(
        moves(&mut bench, 3000).iter().all(|(_, row, _)| *row != Row::Serve),
        "k2hdkc has ended meanwhile"
    );
}

#[test]
fn nobody_takes_requests_while_some_copy() {
    let mut bench = beside_the_dead("b");
    bench.show("a=2021 b=1021 c=20 d=2121");
    assert!(moves(&mut bench, 800).iter().all(|(_, row, _)| *row != Row::Serve));
}

#[test]
fn a_slave_goes_on_while_the_change_waits_and_stops_again_with_it() {
    let mut bench = Bench::slave(PENDING);
    bench.inputs.local.chmpx = Process::Stopped;
    bench.inputs.local.mark = Mark::Frozen;
    bench.views = statuses("a=1021 b=1021 c=1021 d=1121");
    assert_eq!(moves(&mut bench, 1000), []);
    bench.show("a=1221 b=1221 c=20 d=1121");
    assert_eq!(moves(&mut bench, 200).first().map(|(_, row, _)| *row), Some(Row::Thaw));
    bench.inputs.local.chmpx = Process::Running;
    bench.inputs.local.mark = Mark::Thawed;
    let acts = moves(&mut bench, 3000);
    assert_eq!(
        acts.iter().map(|(_, row, _)| *row).collect::<Vec<_>>(),
        [Row::CureThawed],
        "it may stop again"
    );
    bench.inputs.local.mark = Mark::Absent;
    assert_eq!(moves(&mut bench, 3000), []);
    bench.show("a=1221 b=1221 c=1021 d=1121");
    assert_eq!(moves(&mut bench, 1000).first().map(|(_, row, _)| *row), Some(Row::Freeze));
}

#[test]
fn a_slave_whose_own_server_is_the_dead_one_asks_another() {
    let mut bench = Bench::slave("a=20 b=1221 c=1221").seeing("a=-");
    bench.inputs.local.mark = Mark::Thawed;
    let acts = moves(&mut bench, 3000);
    assert!(matches!(acts.first(), Some((400..1200, Row::CureThawed, Action::Unmark))), "{acts:?}");
}

#[test]
fn a_slave_waits_no_longer_for_servers_that_take_no_requests() {
    let mut bench = Bench::slave("a=1021 b=1221 c=20 d=1121");
    bench.inputs.local.chmpx = Process::Stopped;
    bench.inputs.local.mark = Mark::Frozen;
    assert!(matches!(moves(&mut bench, 3000).first(), Some((1500..1700, Row::Thaw, _))));
}

#[test]
fn the_one_that_is_to_leave_dismisses_the_dead_before_another_buries_it() {
    let ring = "a=1221 b=1221 c=20 d=1221";
    let dropped = |bench: &mut Bench| _ = bench.inputs.members.remove(&id("c"));
    let first = |bench: Bench| moves(&mut bench.seeing("c=-").with(dropped), 20_000).first().cloned();
    let is = |bench: Bench, from: u64, by: Row, orders: &[(Command, &str)]| {
        let (at, row, action) = first(bench).unwrap();
        assert_eq!((row, action), (by, send(orders)));
        assert!((from..=from + 100).contains(&at), "{at}");
    };
    let dismissal = |at| (Command::ServiceOut(id("c")), at);
    is(Bench::server("d", ring).leaving(), 8000, Row::Dismiss, &[dismissal("d")]);
    is(Bench::server("a", ring), 9000, Row::Bury, &[dismissal("a"), out("a")]);
    is(Bench::server("b", ring), 12_000, Row::Bury, &[dismissal("b"), out("b")]);
}

#[test]
fn merge_waits_for_those_that_look_like_leavers() {
    let mut bench = Bench::server("a", "a=1221 b=1221 c=20 d=1121").seeing("c=-");
    bench.run(1000);
    bench.show("a=1021 b=1221 c=1021 d=1121");
    bench.inputs.local.k2hdkc = Process::Stopped;
    assert!(bench.run(2400).iter().all(|(_, row, _)| *row != Row::Merge));
    bench.show("a=1021 b=1021 c=1021 d=1121");
    assert!(bench.run(1000).iter().any(|(_, row, _)| *row == Row::Merge));
}

#[test]
fn servers_publish_their_status_where_an_old_list_forbids_the_next_step() {
    // Behind the burial `b` still listed `d` as Done, and took no SERVICEOUT: the change stood still for ever.
    let mut bench = Bench::server("a", "a=1221 b=21 c=11 d=21");
    bench.inputs.members = ids("a b c d").into_iter().collect();
    bench.dispute("d", 0x3121);
    let acts = bench.run(4000);
    let first = acts.iter().find(|(_, row, _)| *row == Row::Align);
    assert!(matches!(first, Some((1500..1600, _, _))), "{acts:?}");
    assert_eq!(first.unwrap().2, send(&[update("d")]));
}

#[test]
fn a_wait_from_before_the_death_does_not_go_on_behind_it() {
    // The undo counted from the moment at which the ring was partly Pending, and came 0.15 s behind the burial.
    let mut bench = Bench::server("a", "a=1021 b=21 c=21 d=1121");
    bench.run(500);
    bench = bench.now("a=1221 b=1221 c=20 d=1121").seeing("c=-");
    bench.run(13_000);
    bench.show("a=1221 b=21 c=1220 d=1121");
    let undone = bench.run(1000).into_iter().find(|(_, row, _)| *row == Row::Undo);
    assert_eq!(undone, None);
}

#[test]
fn files_wait_until_the_dead_seems_not_to_come_back() {
    let mut bench = Bench::server("a", "a=1221 b=1221 c=20 d=1121").seeing("c=-");
    let forbids = |bench: &mut Bench| bench.step().progress.forbids_files();
    assert!(forbids(&mut bench));
    bench.run(14_900);
    assert!(forbids(&mut bench));
    bench.run(200);
    assert!(!forbids(&mut bench), "it may bring the removal of the dead");
    bench.show("a=1021 b=1021 c=1021 d=1121");
    assert!(forbids(&mut bench));
}
