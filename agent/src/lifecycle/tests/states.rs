//! Every status that chmpx has (lib/chmstructure.h:178-205), on one server and on two at once: what can stay either is a
//! resting place, or has somebody who ends it in time, and somebody who is told where that does not help.

use super::*;

/// Statuses of a server, with and without k2hdkc where it is up.
const STATUSES: [u32; 26] = [
    0x10, 0x11, 0x10011, 0x20, 0x21, 0x10021, 0x1021, 0x11021, 0x2021, 0x12021, 0x3021, 0x13021, 0x1121,
    0x11121, 0x2121, 0x12121, 0x3121, 0x13121, 0x1221, 0x11221, 0x2221, 0x12221, 0x3221, 0x13221, 0x1220,
    0x3220,
];

/// The first act is to come within this time in a state that changes nothing; the slowest is that of `idle-merge`, behind a
/// daemon that tells no threads.
const ACTS_WITHIN: u32 = 130;

/// Somebody is told within this time: `merge-within`, and a wait that stalls.
const TOLD_WITHIN: u32 = 45 * 60;

/// What one server's agent does while nothing changes, by the second.
#[derive(Debug, Default)]
struct Doing {
    /// Its first act, and when.
    act: Option<(u32, &'static str)>,
    /// When somebody is first told.
    told: Option<u32>,
}

/// Server `own` (0 to 2) of three in those statuses, which it and all others have come to after all was well.
fn watch(own: usize, statuses: [u32; 3]) -> Doing {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("SELFCUK".into(), format!("cuk-{}", own + 1));
    stage.observed.control.report.as_mut().unwrap().view = fixtures::view(&stage.ring, 4);
    stage.persisted.started = Some(K2HDKC);
    stage.replaced(false);
    stage.next();
    (0..3).for_each(|place| stage.set_peer(place, statuses[place]));
    stage.set_own(statuses[own]);
    if NodeStatus::from_bits(statuses[own]).is_suspended() {
        stage.observed.k2hdkc = None;
    }
    let (mut doing, mut second) = (Doing::default(), 0);
    while second < TOLD_WITHIN && (doing.act.is_none() || doing.told.is_none()) {
        // Nothing is waited for by the second any more.
        let pace = if second < ACTS_WITHIN { 1 } else { 15 };
        let next = stage.later(f64::from(pace)).next();
        second += pace;
        match next {
            Action::Step(Step::Signal(..) | Step::Start(_), why) => {
                // From here on it is another state; that of a program that does not come is held elsewhere.
                doing.act.get_or_insert((second, why.code()));
                doing.told.get_or_insert(second);
            }
            Action::Step(_, why) | Action::Rewrite(_, why) | Action::RollBack(_, why) => {
                doing.act.get_or_insert((second, why.code()));
            }
            Action::Hold(..) => drop(doing.told.get_or_insert(second)),
            Action::Wait(..) | Action::Demand(_) | Action::Converged => {}
        }
    }
    doing
}

/// A server that is well, one that is down and out of the ring, or one that is down and has its slot still: its own agent
/// brings it back, where its host is there.
fn rests(bits: u32) -> bool {
    [0x10, 0x20, 0x21].contains(&bits)
}

fn assert_ends(statuses: [u32; 3]) {
    let seen: Vec<Doing> = (0..3)
        .filter(|own| NodeStatus::from_bits(statuses[*own]).is_up())
        .map(|own| watch(own, statuses))
        .collect();
    if statuses.iter().all(|bits| rests(*bits)) {
        return;
    }
    let first = seen.iter().filter_map(|doing| doing.act.as_ref().map(|(at, _)| *at)).min();
    let told = seen.iter().filter_map(|doing| doing.told).min();
    let acts = first.or(told).is_some_and(|at| at <= ACTS_WITHIN);
    assert!(acts, "nobody ends {statuses:#x?}: {seen:?}");
    assert!(told.is_some(), "nobody is told of {statuses:#x?}: {seen:?}");
}

#[test]
fn every_status_that_can_stay_has_somebody_who_ends_it() {
    for bits in STATUSES {
        for place in 0..3 {
            let mut statuses = [0x21; 3];
            statuses[place] = bits;
            assert_ends(statuses);
        }
    }
}

#[test]
fn so_has_every_pair_of_them() {
    for (place, one) in STATUSES.into_iter().enumerate() {
        for other in &STATUSES[place..] {
            assert_ends([one, *other, 0x21]);
        }
    }
}

#[test]
fn what_a_server_that_went_down_left_behind_is_ended_by_the_first_of_those_that_serve_and_else_by_the_next() {
    for (place, bits) in [(2, 0x3220), (2, 0x1220)] {
        let mut statuses = [0x21; 3];
        statuses[place] = bits;
        let acts = [0, 1].map(|own| watch(own, statuses).act.unwrap());
        assert_eq!(acts.each_ref().map(|(at, _)| *at), [6, 16]);
        assert_eq!(acts[0].1, "peer-still-left-behind");
    }
    let mut stage = Stage::second();
    for (place, bits) in [(0, 0x3220), (2, 0x11)] {
        stage.set_peer(place, bits);
    }
    stage.next();
    assert_eq!(
        step(&stage.later(6.0).next()),
        &Step::Control(ControlCommand::CompMerge),
        "now it is the first"
    );
}

#[test]
fn what_a_server_that_went_down_left_behind_waits_for_those_that_still_copy() {
    let mut stage = Stage::well();
    for (place, bits) in [(2, 0x3220), (1, 0x2021)] {
        stage.set_peer(place, bits);
    }
    for _ in 0..100 {
        assert_eq!(stage.later(1.0).next(), Action::Converged);
    }
}

#[test]
fn a_change_that_nobody_has_started_is_started_where_another_server_waits_to_copy() {
    for (left_behind, order) in [(0x1220, ControlCommand::Merge), (0x3220, ControlCommand::CompMerge)] {
        let mut stage = Stage::well();
        stage.set_peer(2, left_behind);
        stage.set_peer(1, 0x1121);
        stage.next();
        assert_eq!(step(&stage.later(6.0).next()), &Step::Control(order));
    }
}

#[test]
fn a_change_that_chmpx_does_not_complete_is_told_and_tried_now_and_then() {
    let mut stage = Stage::well();
    stage.set_peer(2, 0x3220);
    let orders = |stage: &mut Stage, seconds| {
        (0..seconds)
            .filter(|_| {
                matches!(stage.later(1.0).next(), Action::Step(Step::Control(ControlCommand::CompMerge), _))
            })
            .count()
    };
    assert_eq!(orders(&mut stage, 70), 5);
    let next = stage.later(1.0).next();
    assert_eq!(holds(&next), ["peer-left-behind-for-good"], "{next:?}");
    assert_eq!(orders(&mut stage, 120), 2);
}

#[test]
fn without_automerge_a_change_is_somebody_s_own_to_complete() {
    let mut stage = Stage::well();
    stage.set_peer(2, 0x3220);
    stage.view().automerge = false;
    stage.next();
    assert_eq!(holds(&stage.later(60.0).next()), ["peer-left-behind-by-hand"]);
}

#[test]
fn a_server_that_is_down_and_no_member_any_more_is_taken_out_of_service() {
    let mut stage = Stage::of(&[1, 2, 3]);
    stage.set_peer(2, 0x20);
    assert_eq!(stage.next(), Action::Converged, "as a member it may come back");
    stage.ring.servers.pop();
    stage.next();
    let named = crate::supervisor::Named {
        host: "192.0.2.3".into(),
        ctlport: Port::try_from(8021).unwrap(),
        id: "server3.example".into(),
    };
    assert_eq!(step(&stage.later(6.0).next()), &Step::Control(ControlCommand::Dismiss(named)));
}

#[test]
fn a_change_of_another_server_that_does_not_go_on_is_told_with_that_server_s_name() {
    for (bits, after) in [(0x3121, 601.0), (0x1121, 601.0), (0x2121, 1801.0)] {
        let mut stage = Stage::well();
        stage.set_peer(1, bits);
        assert_eq!(stage.next(), Action::Converged);
        assert_eq!(stage.later(after - 30.0).next(), Action::Converged);
        let next = stage.later(30.0).next();
        assert_eq!(holds(&next), ["peer-sticks"], "{next:?}");
    }
}
