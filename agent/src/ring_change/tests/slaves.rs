//! A slave: its chmpx stands still during a change.

use super::*;

fn freeze() -> Action {
    Action::Stop { program: Program::Chmpx, limit: ms(30_000) }
}

/// A slave whose chmpx stands still.
fn frozen(text: &str) -> Bench {
    Bench::slave(text).with(|bench| {
        bench.inputs.list = None;
        bench.inputs.local.chmpx = Process::Stopped;
        bench.inputs.local.mark = Mark::Frozen;
    })
}

fn shows(bench: &mut Bench, text: &str) {
    bench.views = statuses(text);
    bench.inputs.members = list(text).into_keys().collect();
}

#[test]
fn chmpx_stops_for_a_join_a_leave_and_a_return() {
    for ring in ["a=21 b=21 c=1121", "a=21 b=21 c=1221", "a=21 b=1021 c=21"] {
        assert_eq!(Bench::slave(ring).first(2000), Some((300, Row::Freeze, freeze())), "{ring}");
    }
    assert_eq!(Bench::slave("a=21 b=21 c=11").first(2000), None);
    assert_eq!(Bench::slave("a=1121").first(2000), None, "a first start has nobody to serve");
}

#[test]
fn chmpx_does_not_stop_twice_in_a_change() {
    for mark in [Mark::Frozen, Mark::Thawed] {
        let mut bench = Bench::slave("a=21 b=21 c=1121").with(|bench| bench.inputs.local.mark = mark);
        assert!(bench.run(5000).iter().all(|(_, row, _)| *row != Row::Freeze), "{mark:?}");
    }
}

#[test]
fn chmpx_does_not_stop_for_longer_than_the_settings_allow() {
    let bench = || Bench::slave("a=21 b=21 c=1121");
    assert_eq!(bench().with(|bench| bench.limits.freeze = Duration::ZERO).first(2000), None);
    assert_eq!(bench().with(|bench| bench.inputs.wish.predicted_stop = Some(ms(8001))).first(2000), None);
    assert!(bench().with(|bench| bench.inputs.wish.predicted_stop = Some(ms(8000))).first(2000).is_some());
}

/// A bench whose every server answers a stopped slave with this list.
fn hears(bench: &mut Bench, text: &str) -> Option<(Row, Action)> {
    bench.inputs.round = None;
    let decision = bench.look();
    bench.history.record(&decision, bench.inputs.now);
    let Action::Ask { who, .. } = decision.action else {
        return decision.row.map(|row| (row, decision.action));
    };
    let answer = Answer { list: list(text), automerge: None };
    let answers = who.into_iter().map(|id| (id, Some(answer.clone()))).collect();
    bench.inputs.round = Some(Round { at: bench.inputs.now, answers });
    let decision = bench.look();
    bench.history.record(&decision, bench.inputs.now);
    bench.inputs.round = None;
    bench.inputs.now += ms(50);
    decision.row.map(|row| (row, decision.action))
}

const CALM: &str = "a=21 b=21 c=21";
const CHANGE: &str = "a=1021 b=21 c=1121";
const ANNOUNCED: &str = "a=21 b=21 c=1121";

#[test]
fn chmpx_goes_on_when_a_server_is_calm_after_it_was_not() {
    let mut bench = frozen(CALM);
    let waits = |result: Option<(Row, Action)>| result.is_none_or(|(_, action)| is_question(&action));
    assert!(waits(hears(&mut bench, CHANGE)));
    assert_eq!(hears(&mut bench, CALM), Some((Row::Thaw, go_on(Program::Chmpx))));
}

#[test]
fn chmpx_goes_on_after_a_second_in_which_no_change_was_seen() {
    let mut bench = frozen(CALM);
    let acts: Vec<_> = (0..25).map(|n| (n * 50, hears(&mut bench, CALM))).collect();
    let first = acts.into_iter().find(|(_, act)| matches!(act, Some((Row::Thaw, _))));
    assert_eq!(first, Some((1000, Some((Row::Thaw, go_on(Program::Chmpx))))));
}

#[test]
fn a_stopped_slave_asks_one_server_by_its_number_and_another_where_that_is_silent() {
    let asks = |bench: &mut Bench| bench.look().action;
    let ask = |name| Action::Ask { who: ids(name), dump: false };
    let mut bench = frozen(CALM);
    assert_eq!(asks(&mut bench), ask("a"));
    bench.inputs.node = Node::Slave(5);
    assert_eq!(asks(&mut bench), ask("c"));
    bench.views = statuses("a=- b=- c=-");
    bench.step();
    bench.inputs.now += ms(50);
    assert_eq!(asks(&mut bench), ask("a"));
}

#[test]
fn many_stopped_slaves_spare_the_servers() {
    let mut bench = frozen(CALM).with(|bench| bench.inputs.slaves = 300);
    assert_eq!(bench.step().look_again, ms(1000), "a hundred questions a second for each of three servers");
    bench.inputs.now += ms(500);
    assert_eq!(bench.look().action, Action::Nothing);
}

#[test]
fn a_leaver_that_is_dead_stops_no_slave() {
    assert_eq!(Bench::slave("a=21 b=21 c=1220").first(5000), None);
    let mut bench = frozen(CALM);
    hears(&mut bench, CHANGE);
    assert_eq!(hears(&mut bench, "a=21 b=21 c=1220"), Some((Row::Thaw, go_on(Program::Chmpx))));
}

#[test]
fn the_mark_goes_when_the_own_list_is_calm() {
    let mut frozen = Bench::slave(CALM).with(|bench| bench.inputs.local.mark = Mark::Frozen);
    assert_eq!(frozen.step().action, Action::Unmark);
    let thawed = || Bench::slave(CALM).with(|bench| bench.inputs.local.mark = Mark::Thawed);
    assert_eq!(
        thawed().first(5000),
        Some((50, Row::CureThawed, Action::Unmark)),
        "it is as the servers have it"
    );
    let silent = thawed().seeing("a=- b=- c=-");
    assert!(matches!(silent.first(20_000), Some((10_000, Row::Unmark, Action::Unmark))));
    let mut bench = Bench::slave(CHANGE).with(|bench| bench.inputs.local.mark = Mark::Thawed);
    assert!(bench.run(5000).iter().all(|(_, row, _)| *row != Row::Unmark));
}

#[test]
fn the_mark_goes_with_the_chmpx_that_stood_still_and_the_next_one_stops_at_once() {
    let mut bench = frozen(CALM);
    bench.inputs.local.chmpx = Process::Absent;
    assert_eq!(bench.step().action, Action::Unmark);
    bench.inputs.local.mark = Mark::Absent;
    assert!(is_question(&bench.step().action));
    bench.inputs.local.chmpx = Process::Running;
    bench.show(CHANGE);
    assert_eq!(bench.step().action, freeze());
    let mut calm = frozen(CALM);
    (calm.inputs.local.chmpx, calm.inputs.local.mark) = (Process::Absent, Mark::Absent);
    calm.step();
    calm.inputs.local.chmpx = Process::Running;
    calm.show(CALM);
    calm.step();
    calm.show(ANNOUNCED);
    assert!(is_question(&calm.step().action), "its list was calm before");
}

#[test]
fn chmpx_stops_at_once_where_its_agent_hears_of_the_change_late() {
    let stops = |list: &str| Bench::slave(list).first(5000).map(|(at, row, _)| (at, row));
    let (announced, late) = (stops(ANNOUNCED).unwrap(), stops(CHANGE).unwrap());
    assert_eq!((announced.1, late.1), (Row::Freeze, Row::Freeze));
    assert_eq!(announced.0 - late.0, 300);
}

#[test]
fn a_chmpx_that_another_hand_continued_in_a_change_starts_again() {
    let mut bench = Bench::slave(CHANGE).with(|bench| bench.inputs.local.mark = Mark::Frozen);
    assert_eq!(bench.step().action, Action::RestartPair(PairEnd::ThawedTooEarly));
}

#[test]
fn old_entries_of_a_continued_slave_are_cured_at_their_servers() {
    let mut bench = Bench::slave("a=3021 b=3021 c=3121").with(|bench| {
        bench.inputs.local.mark = Mark::Thawed;
        shows(bench, CALM);
    });
    let all = send(&[update("a"), update("b"), update("c")]);
    let mut cured = Vec::new();
    for _ in 0..100 {
        let before = bench.inputs.now;
        let at = bench.inputs.now - bench.begin;
        if let Some((Row::CureThawed, action)) = hears(&mut bench, CALM) {
            cured.push((at, action));
        }
        bench.inputs.now = before + ms(50);
    }
    assert_eq!(cured[..2], [(ms(50), all.clone()), (ms(650), all)]);
}

#[test]
fn the_mark_stays_while_the_own_list_shows_a_change_whose_server_is_down() {
    let mut bench = Bench::slave("a=21 b=21 c=1121").with(|bench| bench.inputs.local.mark = Mark::Thawed);
    for _ in 0..60 {
        let before = bench.inputs.now;
        let act = hears(&mut bench, "a=21 b=21 c=1220");
        assert!(!matches!(act, Some((_, Action::Unmark))), "{act:?}");
        bench.inputs.now = before + ms(50);
    }
}

#[test]
fn an_old_list_that_looks_calm_is_cured_as_well() {
    // Two servers had joined, and one of them waited to join in the slave's list for 4 s: 393 of 8000 reads found nothing.
    let mut bench = Bench::slave("a=21 b=21 c=21 d=11").with(|bench| bench.inputs.local.mark = Mark::Thawed);
    let mut acts = Vec::new();
    for _ in 0..20 {
        let before = bench.inputs.now;
        acts.extend(hears(&mut bench, "a=21 b=21 c=21 d=21"));
        bench.inputs.now = before + ms(50);
    }
    assert!(acts.contains(&(Row::CureThawed, send(&[update("d")]))), "{acts:?}");
}

#[test]
fn a_chmpx_that_counts_a_server_that_was_taken_out_starts_again() {
    let restarts = |list: &str, servers: &'static str| {
        let mut bench = Bench::slave(list);
        (0..200).any(|_| {
            let before = bench.inputs.now;
            let row = hears(&mut bench, servers);
            bench.inputs.now = before + ms(50);
            matches!(row, Some((Row::Recount, Action::RestartPair(PairEnd::CountsTheDead))))
        })
    };
    assert!(restarts("a=21 b=21 c=3220", "a=21 b=21 c=10"));
    assert!(restarts("a=21 b=21 c=1220", "a=21 b=21"));
    assert!(!restarts("a=21 b=21 c=1220", "a=1221 b=1021 c=1220"), "the merge is still to come");
    assert!(!restarts("a=21 b=21 c=20", "a=21 b=21 c=20"), "it keeps its slot");
}

#[test]
fn a_stopped_slave_sees_its_stage() {
    let mut bench = frozen(CALM);
    let decision = bench.step();
    assert_eq!((decision.progress.stage, decision.look_again), (Stage::Frozen, ms(50)));
}
