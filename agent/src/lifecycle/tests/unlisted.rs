//! A server that the others do not list yet, and a slave that one of them has turned away.

use std::net::SocketAddr;

use super::*;
use crate::supervisor::neighbours::PeerKnowledge;

fn server(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 8021))
}

/// A server whose chmpx does not run.
fn newcomer() -> Stage {
    let mut stage = Stage::well();
    (stage.observed.chmpx, stage.observed.k2hdkc, stage.observed.control.report) = (None, None, None);
    stage
}

#[test]
fn a_chmpx_starts_once_the_server_that_lets_it_in_lists_this_one() {
    let mut stage = newcomer();
    stage.observed.peers.knowledge = PeerKnowledge::Asking;
    assert_eq!(waits(&stage.next()), "start-next-server-learns");
    stage.observed.peers.knowledge = PeerKnowledge::Unknown(server(2));
    assert_eq!(waits(&stage.later(0.1).next()), "start-unlisted");
    stage.observed.peers.knowledge = PeerKnowledge::Listed;
    assert_eq!(step(&stage.later(0.5).next()), &Step::Start(Program::Chmpx));
}

#[test]
fn servers_that_do_not_answer_keep_a_chmpx_from_its_start_for_a_second_alone() {
    let mut stage = newcomer();
    stage.observed.peers.knowledge = PeerKnowledge::Nobody;
    assert_eq!(waits(&stage.next()), "start-nobody-answers");
    waits(&stage.later(0.9).next());
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx));
    // Where a ring boots, the first one has its own file first.
    let mut stage = newcomer();
    stage.observed.peers.knowledge = PeerKnowledge::Nobody;
    waits(&stage.next());
    stage.observed.peers.knowledge = PeerKnowledge::Unknown(server(2));
    assert_eq!(waits(&stage.later(0.5).next()), "start-unlisted");
    stage.observed.peers.knowledge = PeerKnowledge::Listed;
    assert_eq!(step(&stage.later(0.1).next()), &Step::Start(Program::Chmpx));
}

#[test]
fn a_server_whose_next_one_does_not_follow_its_file_is_held_with_a_remedy_and_goes_on_by_itself() {
    let mut stage = newcomer();
    stage.observed.peers.knowledge = PeerKnowledge::Unknown(server(2));
    waits(&stage.next());
    waits(&stage.later(29.9).next());
    assert_eq!(holds(&stage.later(0.1).next()), ["start-never-listed"]);
    stage.observed.peers.knowledge = PeerKnowledge::Listed;
    assert_eq!(step(&stage.later(60.0).next()), &Step::Start(Program::Chmpx));
}

fn slave() -> Stage {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
    stage.observed.k2hdkc = None;
    stage.view().own.status = NodeStatus::from_bits(0x1);
    stage
}

#[test]
fn a_slave_tells_the_server_that_has_turned_it_away_to_speak_and_in_the_end_the_operator() {
    let mut stage = slave();
    stage.set_peer(1, 0x20);
    assert_eq!(waits(&stage.next()), "slave-turned-away");
    assert_eq!(step(&stage.later(2.0).next()), &Step::Prompt(server(2)));
    assert_eq!(waits(&stage.later(1.0).next()), "slave-turned-away");
    for _ in 0..4 {
        assert_eq!(step(&stage.later(10.0).next()), &Step::Prompt(server(2)));
    }
    stage.observed.peers.unprompted = Some("nobody listens".into());
    assert_eq!(holds(&stage.later(10.0).next()), ["slave-prompted-in-vain"]);
    assert_eq!(step(&stage.later(50.0).next()), &Step::Prompt(server(2)), "what forbade it may be gone");
    holds(&stage.later(1.0).next());
    stage.set_peer(1, 0x21);
    assert_eq!(stage.later(1.0).next(), Action::Converged);
    stage.set_peer(1, 0x20);
    waits(&stage.later(1.0).next());
}

#[test]
fn without_automerge_a_server_that_has_ended_makes_nobody_look_at_the_slaves() {
    let mut stage = slave();
    stage.set_peer(1, 0x20);
    stage.view().automerge = false;
    waits(&stage.next());
    assert_eq!(step(&stage.later(2.0).next()), &Step::Prompt(server(2)));
    for _ in 0..4 {
        assert_eq!(step(&stage.later(10.0).next()), &Step::Prompt(server(2)));
    }
    assert_eq!(stage.later(10.0).next(), Action::Converged);
}

#[test]
fn a_server_with_a_host_name_is_told_at_an_address_of_its_section() {
    let mut stage = slave();
    stage.ring.servers[1].name = "server2.example".into();
    stage.ring.servers[1].rest.insert("REVERSE_PEERS", "192.0.2.2");
    stage.set_peer(1, 0x20);
    waits(&stage.next());
    assert_eq!(step(&stage.later(2.0).next()), &Step::Prompt(server(2)));
}

#[test]
fn two_servers_that_turned_a_slave_away_are_told_one_after_the_other() {
    let mut stage = slave();
    stage.set_peer(0, 0x20);
    stage.set_peer(2, 0x20);
    waits(&stage.next());
    assert_eq!(step(&stage.later(2.0).next()), &Step::Prompt(server(1)));
    assert_eq!(step(&stage.later(0.1).next()), &Step::Prompt(server(3)));
}

#[test]
fn a_slave_that_is_connected_to_no_server_is_never_converged() {
    for bits in [0x10, 0x11, 0x20] {
        let mut stage = slave();
        (0..3).for_each(|place| stage.set_peer(place, bits));
        let next = stage.next();
        assert_eq!(waits(&next), "slave-alone", "{next:?}");
        assert_eq!(holds(&stage.later(31.0).next()), ["slave-stays-alone"], "{bits:#x}");
    }
}

#[test]
fn a_chmpx_that_came_too_early_and_does_not_listen_is_restarted_as_soon_as_it_would_be_let_in() {
    let mut stage = newcomer();
    stage.run(Program::Chmpx, CHMPX);
    (stage.observed.control.refuses, stage.observed.peers.knowledge) =
        (true, PeerKnowledge::Unknown(server(2)));
    assert_eq!(waits(&stage.later(9.0).next()), "control-first-answer");
    stage.observed.peers.knowledge = PeerKnowledge::Listed;
    assert_eq!(waits(&stage.later(0.9).next()), "control-first-answer");
    assert_eq!(waits(&stage.later(0.1).next()), "control-came-too-early");
    assert_eq!(step(&stage.next()), &Step::Signal(Program::Chmpx, CHMPX, Signal::Hangup));
    let mut stage = newcomer();
    stage.run(Program::Chmpx, CHMPX);
    (stage.observed.control.refuses, stage.observed.peers.knowledge) = (true, PeerKnowledge::Listed);
    waits(&stage.next());
    assert_eq!(waits(&stage.later(59.0).next()), "control-first-answer", "this one may look up names");
}

#[test]
fn a_server_that_is_known_by_name_alone_is_told_by_the_operator() {
    let mut stage = slave();
    stage.ring.servers[1].name = "server2.example".into();
    stage.set_peer(1, 0x20);
    assert_eq!(holds(&stage.next()), ["slave-unreachable"]);
}
