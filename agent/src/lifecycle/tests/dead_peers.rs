//! Hosts that acknowledge nothing, and a server that no other host answers.

use std::net::IpAddr;

use super::*;
use crate::peers::Lost;

impl Stage {
    /// The host of that server acknowledges nothing.
    fn dies(&mut self, place: usize, cut: bool) {
        let host = self.ring.servers[place].control_address().unwrap().ip();
        self.observed.peers.dead.lost.insert(host, Lost { since: self.now, cut });
    }

    fn isolated(&mut self) {
        self.observed.peers.dead.isolated = Some(self.now);
    }
}

#[test]
fn a_server_that_is_listed_as_up_and_whose_host_acknowledges_nothing_is_never_converged() {
    for cut in [true, false] {
        let mut stage = Stage::well();
        assert_eq!(stage.next(), Action::Converged);
        stage.dies(1, cut);
        assert_eq!(holds(&stage.later(1.0).next()), ["peer-dead"]);
        // chmpx lists it as down: it knows by now.
        stage.set_peer(1, 0x20);
        assert_eq!(stage.later(1.0).next(), Action::Converged);
    }
    let mut stage = Stage::well();
    stage
        .observed
        .peers
        .dead
        .lost
        .insert(IpAddr::from([192, 0, 2, 99]), Lost { since: stage.now, cut: true });
    assert_eq!(stage.next(), Action::Converged, "it is nobody of this ring");
}

#[test]
fn a_server_that_no_host_answers_kills_its_pair_at_once_and_starts_it_when_one_does() {
    let mut stage = Stage::well();
    stage.isolated();
    let kill = |program, id| Step::Signal(program, id, Signal::Kill);
    assert_eq!(step(&stage.later(0.1).next()), &kill(Program::K2hdkc, K2HDKC));
    stage.end(Program::K2hdkc, ExitStatus::Signal(9));
    assert_eq!(step(&stage.later(0.1).next()), &kill(Program::Chmpx, CHMPX));
    stage.end(Program::Chmpx, ExitStatus::Signal(9));
    for seconds in [0.1, 60.0] {
        assert_eq!(holds(&stage.later(seconds).next()), ["peer-isolated"]);
    }
    stage.observed.peers.dead.isolated = None;
    assert_eq!(step(&stage.later(1.0).next()), &Step::Start(Program::Chmpx));
}

#[test]
fn an_isolated_server_keeps_keys_that_only_its_memory_has() {
    let mut stage = Stage::well();
    stage.in_memory();
    (1..3).for_each(|place| stage.set_peer(place, 0x20));
    stage.isolated();
    assert_eq!(holds(&stage.later(0.1).next()), ["restart-data-at-risk", "join-serves-alone"]);
}

#[test]
fn a_signal_that_is_refused_to_an_isolated_server_is_not_repeated_at_once() {
    let mut stage = Stage::well();
    stage.isolated();
    stage.failure = Some("not permitted");
    assert!(matches!(step(&stage.later(0.1).next()), Step::Signal(..)));
    assert_eq!(holds(&stage.later(0.1).next()), ["stop-cannot-be-signalled"]);
}

#[test]
fn an_isolated_slave_keeps_its_chmpx_and_says_so() {
    let mut stage = Stage::well();
    stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
    stage.observed.k2hdkc = None;
    stage.isolated();
    assert_eq!(holds(&stage.later(0.1).next()), ["peer-isolated"]);
}
