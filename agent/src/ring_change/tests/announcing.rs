//! Joins, leaves and the gate before them.

use super::*;
use crate::settings::OverLimit;

fn announced_at(bench: Bench) -> Option<u64> {
    bench.first(30_000).map(|(at, ..)| at)
}

#[test]
fn a_joiner_announces_itself_to_a_calm_ring_after_two_seconds() {
    let bench = Bench::server("c", "a=21 b=21 c=11");
    assert_eq!(bench.first(4000), Some((2000, Row::Join, send(&[come_in("c")]))));
}

#[test]
fn a_joiner_asks_every_member_first() {
    let mut bench = Bench::server("c", "a=21 b=21 c=11");
    bench.look();
    bench.inputs.now += ms(2000);
    let asks = Action::Ask { who: ids("a b c"), dump: true };
    assert_eq!((bench.look().action, bench.look().row), (asks, Some(Row::Join)));
}

#[test]
fn the_join_is_repeated_until_it_shows() {
    let times: Vec<_> = Bench::server("b", "a=21 b=11").run(3200).iter().map(|(at, ..)| *at).collect();
    assert_eq!(times, [2000, 2500, 3000]);
}

#[test]
fn a_joiner_follows_another_at_once() {
    let bench = Bench::server("d", "a=21 b=21 c=1121 d=11");
    assert_eq!(bench.first(4000), Some((0, Row::JoinAlong, send(&[come_in("d")]))));
    let late = Bench::server("d", "a=1021 b=21 c=1121 d=11");
    assert_eq!(late.first(9000), None, "a server is Pending already");
}

#[test]
fn a_missing_member_is_waited_for_ten_seconds() {
    assert_eq!(announced_at(Bench::server("d", "a=21 b=21 c=10 d=11")), Some(10_000));
    assert_eq!(announced_at(Bench::server("d", "a=21 b=20 c=21 d=11")), None, "a dead server has keys");
    assert_eq!(announced_at(Bench::server("d", "a=21 b=10021 c=21 d=11")), None);
}

#[test]
fn a_joiner_that_is_no_member_or_is_to_leave_stays_out() {
    assert_eq!(
        announced_at(
            Bench::server("b", "a=21 b=11")
                .with(|bench| bench.inputs.members = ids("a").into_iter().collect())
        ),
        None
    );
    assert_eq!(announced_at(Bench::server("b", "a=21 b=11").leaving()), None);
}

#[test]
fn a_first_start_goes_by_seed_and_the_first_serves_alone() {
    let ring = "a=11 b=11 c=11";
    assert_eq!(Bench::server("a", ring).first(30_000), Some((2000, Row::FirstStart, send(&[come_in("a")]))));
    assert_eq!(
        Bench::server("c", ring).first(30_000),
        Some((12_000, Row::FirstStart, send(&[come_in("c")])))
    );
    assert_eq!(
        Bench::server("a", "a=11 b=10 c=11").first(30_000),
        None,
        "a member that may have keys is not there"
    );
}

#[test]
fn a_majority_begins_without_the_others_after_a_minute() {
    let begins = |own, ring| Bench::server(own, ring).first(120_000).map(|(at, ..)| at);
    assert_eq!(begins("a", "a=11 b=10 c=11"), Some(62_000));
    assert_eq!(begins("c", "a=10 b=11 c=11"), Some(67_000), "the second of those that are there");
    assert_eq!(begins("a", "a=11 b=10"), None, "half of a ring is no majority");
    assert_eq!(begins("a", "a=11 b=20 c=11"), None, "a dead server has a slot");
}

#[test]
fn a_first_start_does_not_wait_for_a_k2hdkc_that_waits_for_it() {
    assert_eq!(announced_at(Bench::server("a", "a=11 b=10011 c=10011")), Some(2000));
    assert_eq!(announced_at(Bench::server("b", "a=10011 b=11 c=11")), Some(7000));
}

#[test]
fn a_leaver_announces_itself_after_two_calm_seconds() {
    let bench = Bench::server("b", "a=21 b=21 c=21").leaving();
    assert_eq!(bench.first(4000), Some((2000, Row::Leave, send(&[out("b")]))));
}

#[test]
fn a_leaver_waits_for_joiners_and_for_servers_that_are_not_well() {
    for ring in
        ["a=21 b=21 c=11", "a=21 b=21 c=1121", "a=20 b=21 c=21", "a=10021 b=21 c=21", "a=1021 b=21 c=21"]
    {
        let mut bench = Bench::server("b", ring).leaving();
        assert_eq!(bench.run(9000).iter().find(|(_, row, _)| *row == Row::Leave), None, "{ring}");
    }
}

#[test]
fn a_second_leaver_follows_at_once_where_replicas_allow_it() {
    let along = Bench::server("b", "a=1221 b=21 c=21 d=21").leaving();
    assert_eq!(along.first(4000), Some((0, Row::Leave, send(&[out("b")]))));
    let wraps = |bench: &mut Bench| bench.inputs.replicas = 2;
    let bench = Bench::server("b", "a=1221 b=21 c=21 d=21").leaving().with(wraps);
    assert_eq!(bench.hold_after(100), Some(Hold::LeavesInTurn { after: 2, replicas: 2 }));
    let bench = Bench::server("b", "a=1221 b=21 c=21 d=21").leaving().with(wraps);
    assert!(matches!(bench.first(4000), Some((900, Row::Pend, _))), "it copies like any that stays");
}

#[test]
fn of_two_leavers_that_replicas_forbid_the_second_comes_back() {
    let wraps = |bench: &mut Bench| bench.inputs.replicas = 2;
    let second = Bench::server("b", "a=1221 b=1221 c=21 d=21").leaving().with(wraps);
    assert_eq!(second.first(4000), Some((400, Row::Yield, send(&[come_in("b")]))));
    let mut beside_one_that_goes_pending =
        Bench::server("b", "a=1221 b=1221 c=21 d=21").leaving().with(wraps);
    assert_eq!(beside_one_that_goes_pending.run(300), []);
    beside_one_that_goes_pending.show("a=1021 b=1221 c=21 d=21");
    assert_eq!(beside_one_that_goes_pending.run(1000), []);
    let mut first = Bench::server("a", "a=1221 b=1221 c=21 d=21").leaving().with(wraps);
    assert!(first.run(2000).iter().all(|(_, row, _)| *row != Row::Yield));
}

#[test]
fn a_change_that_is_too_long_is_held_until_it_is_confirmed() {
    let long = |bench: &mut Bench| bench.inputs.wish.predicted_stop = Some(ms(31_000));
    let too_long = |of| Hold::TooLong { of, predicted: ms(31_000), limit: ms(30_000) };
    let bench = || Bench::server("b", "a=21 b=11").with(long);
    assert_eq!(bench().hold_after(3000), Some(too_long(Announcement::Join)));
    assert_eq!(announced_at(bench().with(|bench| bench.inputs.wish.confirmed = true)), Some(2000));
    assert_eq!(announced_at(bench().with(|bench| bench.limits.over_limit = OverLimit::Run)), Some(2000));
    let leaver = Bench::server("b", "a=21 b=21").leaving().with(long);
    assert_eq!(leaver.hold_after(3000), Some(too_long(Announcement::Leave)));
    let first = Bench::server("b", "a=11 b=11").with(long);
    assert!(first.hold_after(3000).is_none(), "it has nobody to copy from");
}

#[test]
fn a_ring_with_too_many_replicas_takes_nobody() {
    let bench =
        |replicas| Bench::server("c", "a=21 b=21 c=11").with(|bench| bench.inputs.replicas = replicas);
    assert_eq!(announced_at(bench(2)), Some(2000));
    assert_eq!(bench(3).hold_after(3000), Some(Hold::ReplicasWrap { after: 3, replicas: 3 }));
}

#[test]
fn the_last_server_does_not_leave() {
    let bench = Bench::server("a", "a=21 b=10").leaving();
    assert_eq!(bench.hold_after(3000), Some(Hold::LastServer));
}

#[test]
fn an_answer_that_forbids_the_change_is_named_and_asked_for_again_after_two_seconds() {
    let view = Bench::server("c", "a=21 b=21 c=11").seeing("b=1021");
    let status = NodeStatus::from_bits(0x1021);
    assert_eq!(view.hold_after(2000), Some(Hold::NotReady { server: id("b"), status }));
    let mut bench = Bench::server("c", "a=21 b=21 c=11").seeing("b=1021");
    assert_eq!(bench.run(3000), []);
    bench.show("a=21 b=21 c=11");
    assert_eq!(bench.run(4000).first(), Some(&(6000, Row::Join, send(&[come_in("c")]))));
}

#[test]
fn a_server_that_does_not_answer_is_asked_again_without_a_new_quiet() {
    let mut bench = Bench::server("c", "a=21 b=21 c=11").seeing("b=-");
    assert_eq!(bench.run(3000), []);
    bench.show("a=21 b=21 c=11");
    assert_eq!(bench.run(2000).first(), Some(&(3000, Row::Join, send(&[come_in("c")]))));
}

#[test]
fn a_list_that_lacks_a_member_forbids_the_change() {
    let mut bench = Bench::server("c", "a=21 b=21 c=11");
    bench.look();
    bench.inputs.now += ms(2000);
    let answer = |text| Some(Answer { list: list(text), automerge: Some(Automerge::Off) });
    let answers = [("a", "a=21 b=21"), ("b", "a=21 b=21 c=11"), ("c", "a=21 b=21 c=11")];
    let answers = answers.map(|(name, text)| (id(name), answer(text))).into();
    bench.inputs.round = Some(Round { at: bench.inputs.now, answers });
    let lacks = Hold::ListIsNotWhole { server: id("a"), lacks: id("c") };
    assert_eq!(bench.look().progress.hold, Some(lacks));
}

#[test]
fn an_undone_announcement_waits_ten_seconds_then_twenty() {
    let mut bench = Bench::server("b", "a=21 b=11");
    let mut times = Vec::new();
    for _ in 0..3 {
        let acts = bench.run(30_000);
        times.push(acts[0].0);
        bench.show("a=21 b=1121");
        bench.run(50);
        bench.show("a=21 b=11");
        bench.begin = bench.inputs.now;
    }
    assert_eq!(times, [2000, 12_000, 22_000]);
    bench.run(50);
    assert_eq!(bench.step().progress.stage, Stage::BackingOff);
    assert_eq!(bench.step().progress.attempts, 3);
}

#[test]
fn undone_announcements_are_forgotten_where_none_is_wanted() {
    let mut bench = Bench::server("b", "a=21 b=1221 c=21").leaving();
    bench.run(50);
    bench.show("a=21 b=1021 c=21");
    assert_eq!(bench.step().progress.attempts, 1);
    bench.show("a=21 b=21 c=21");
    bench.inputs.wish.leave = false;
    assert_eq!((bench.step().progress.attempts, bench.step().progress.stage), (0, Stage::Calm));
}

#[test]
fn half_a_pair_of_commands_is_completed() {
    let bench = Bench::server("b", "a=21 b=1221 c=1121");
    assert_eq!(bench.first(1000), Some((600, Row::HalfOut, send(&[come_in("b")]))));
}

#[test]
fn a_leaver_leaves_again_after_an_abort_three_times_a_change() {
    let mut bench = Bench::server("b", "a=3021 b=3221 c=3021").leaving();
    for n in 0..4 {
        bench.show("a=3021 b=3221 c=3021");
        bench.run(50);
        bench.show("a=1021 b=1021 c=1021");
        let leaves = bench.run(500).into_iter().any(|(_, row, _)| row == Row::LeaveAgain);
        assert_eq!(leaves, n < 3, "{n}");
    }
}

#[test]
fn a_leaver_that_was_taken_back_copies_like_any_other() {
    let mut bench = Bench::server("b", "a=21 b=1221 c=21").leaving();
    bench.run(50);
    bench.show("a=1021 b=1021 c=1021");
    assert!(bench.run(3000).iter().all(|(_, row, _)| *row != Row::LeaveAgain));
}
