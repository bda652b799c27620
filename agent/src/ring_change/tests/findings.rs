//! The findings F1 to F14 of the runs on the real programs, one test each.

use super::*;

#[test]
fn f1_a_slave_stands_still_for_thirty_seconds_and_the_change_ends_before() {
    let stop = Action::Stop { program: Program::Chmpx, limit: ms(30_000) };
    assert_eq!(Bench::slave("a=21 b=1121").first(1000), Some((300, Row::Freeze, stop)));
    let mut bench = Bench::server("a", "a=3021 b=2021 c=3121");
    let overdue = bench.run(25_000).into_iter().find(|(_, row, _)| *row == Row::Overdue);
    assert!(overdue.is_some_and(|(at, ..)| at <= 20_000));
}

#[test]
fn f2_a_silent_control_port_costs_neither_the_stop_nor_the_quiet() {
    let mut bench = Bench::server("b", "a=1021 b=1021 c=1121").seeing("a=- c=-");
    assert_eq!(bench.run(500).first(), Some(&(250, Row::Drain, stop_k2hdkc())), "unknown is not dead");
    let mut bench = Bench::server("a", "a=1021 b=1021 c=1121");
    bench.inputs.local.k2hdkc = Process::Stopped;
    bench.run(600);
    bench = bench.seeing("b=-");
    assert_eq!(bench.run(500), []);
    bench = bench.seeing("b=1021");
    assert_eq!(bench.run(100).first(), Some(&(1100, Row::Merge, send(&[(Command::Merge, "a")]))));
}

#[test]
fn f3_a_slave_with_an_old_list_does_not_stop_again() {
    let mut bench = Bench::slave("a=3021 b=3021 c=3121").seeing("a=21 b=21 c=21");
    bench.inputs.local.mark = Mark::Thawed;
    let acts = bench.run(41_000);
    assert!(acts.iter().all(|(_, row, _)| *row != Row::Freeze), "{acts:?}");
}

#[test]
fn f4_few_commands_go_out_while_slaves_stand_still() {
    let mut bench = Bench::server("a", "a=3021 b=3021 c=3121");
    let acts = bench.run(18_000);
    let completions = acts.iter().filter(|(_, row, _)| *row == Row::Complete).count();
    assert!(completions <= 15, "{completions} in 18 s");
    assert!(acts.iter().all(|(_, row, _)| *row != Row::Cure));
}

#[test]
fn f5_merge_comes_well_behind_the_stop() {
    let stop = Bench::server("b", "a=1021 b=1021 c=1121").first(1000).unwrap().0;
    let mut driver = Bench::server("a", "a=1021 b=1021 c=1121");
    driver.inputs.local.k2hdkc = Process::Stopped;
    assert_eq!((stop, driver.run(1000)[0].0), (250, 800));
}

#[test]
fn f6_joiners_and_leavers_ask_all() {
    let mut joins = Bench::server("c", "a=21 b=21 c=11");
    let mut leaves = Bench::server("c", "a=21 b=21 c=21").leaving();
    for bench in [&mut joins, &mut leaves] {
        bench.look();
        bench.inputs.now += ms(2000);
        assert_eq!(bench.look().action, Action::Ask { who: ids("a b c"), dump: true });
    }
}

#[test]
fn f7_the_second_of_two_does_not_begin_a_new_quiet() {
    assert!(matches!(Bench::server("d", "a=21 b=21 c=1121 d=11").first(1000), Some((0, Row::JoinAlong, _))));
    assert!(matches!(
        Bench::server("d", "a=21 b=21 c=1221 d=21").leaving().first(1000),
        Some((0, Row::Leave, _))
    ));
    let mut late = Bench::server("d", "a=1021 b=21 c=1221 d=21").leaving();
    assert!(matches!(late.run(1000)[..], [(900, Row::Pend, _), ..]), "late, it copies like any other");
}

#[test]
fn f8_each_server_judges_its_own_merge() {
    let mut other = Bench::server("a", "a=3021 b=2021 c=3121");
    assert_eq!(other.run(15_000), [], "nobody sees the file of another server");
    let own = Bench::server("b", "a=3021 b=2021 c=3121").first(6000);
    assert!(matches!(own, Some((5000, Row::Stuck, _))));
}

#[test]
fn f9_a_server_that_serves_beside_done_is_no_skip() {
    let acts = Bench::server("a", "a=3021 b=21 c=3121").run(5000);
    assert!(acts.iter().all(|(_, row, _)| *row == Row::Complete), "{acts:?}");
}

#[test]
fn f10_a_second_driver_gives_the_same_command() {
    let mut first = Bench::server("a", "a=1021 b=1021 c=1121");
    let mut second = Bench::server("b", "a=1021 b=1021 c=1121");
    for bench in [&mut first, &mut second] {
        bench.inputs.local.k2hdkc = Process::Stopped;
        bench.run(3000);
        bench.show("a=2021 b=2021 c=2121");
        bench.inputs.local.k2hdkc = Process::Running;
        assert_eq!(bench.run(4000), [], "neither disturbs the merge");
    }
}

#[test]
fn f11_the_own_list_counts_as_well() {
    let mut bench = Bench::server("a", "a=1021 b=1021 c=20").seeing("c=1021");
    bench.inputs.local.k2hdkc = Process::Stopped;
    assert!(bench.run(5000).iter().all(|(_, row, _)| *row != Row::Merge));
}

#[test]
fn f12_state_and_mark_are_read_and_not_remembered() {
    let mut stopped = Bench::server("a", "a=2021 b=2021 c=2121");
    stopped.inputs.local.k2hdkc = Process::Stopped;
    assert_eq!(stopped.first(500), Some((300, Row::Go, go_on(Program::K2hdkc))));
    let mut marked = Bench::slave("a=21 b=21 c=1121");
    marked.inputs.local.mark = Mark::Thawed;
    assert_ne!(marked.first(500).map(|(_, row, _)| row), Some(Row::Freeze));
}

#[test]
fn f13_a_pair_of_commands_that_a_crash_cut_in_two_is_completed() {
    let bench = Bench::server("a", "a=1221 b=21 c=1121");
    assert_eq!(bench.first(1000), Some((600, Row::HalfOut, send(&[come_in("a")]))));
}

#[test]
fn f14_dump_decides_and_two_joiners_make_one_change() {
    let mut bench = Bench::server("b", "a=21 b=11 c=11");
    bench.look();
    bench.inputs.now += ms(2000);
    assert!(matches!(bench.look().action, Action::Ask { dump: true, .. }));
    assert!(matches!(Bench::server("c", "a=21 b=1121 c=11").first(100), Some((0, Row::JoinAlong, _))));
    assert!(matches!(Bench::server("a", "a=21 b=1121 c=11").first(3000), Some((2000, Row::Pend, _))));
}
