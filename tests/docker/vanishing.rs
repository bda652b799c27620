//! A host with Trove's container vanishes without a word: the others cut it and serve on, and it takes up its place again.

use std::time::Instant;

use k2hdkc_agent::peers::Finding;
use k2hdkc_agent::problem::Note;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::link::{Link, is_connected};
use k2hdkc_tests::environments::trove::Layout;
use k2hdkc_tests::environments::{ready, say};

use crate::ring::{KEYS, LONG, Ring, TAKES_OVER};

/// The servers that stay.
const OTHERS: [u32; 2] = [1, 2];

/// Waits until the watch of a server's agent finds exactly this.
fn finds(ring: &Ring, number: u32, findings: &[Finding]) {
    let notes: Vec<Note> = findings.iter().map(Note::of).collect();
    let found = || ring.status(number).is_some_and(|status| status.peers == notes);
    assert!(wait_for(LONG, found), "{findings:?}: {}", ring.told(number));
}

#[test]
fn a_host_with_troves_container_that_vanishes_is_cut_by_the_others_and_comes_back_with_its_link() {
    if !ready() {
        return;
    }
    let ring = Ring::start(Layout::Database, 3, TAKES_OVER).unwrap();
    let address = ring.environment.ground().identity(3).address;
    let network = |number: u32| ring.environment.server(number).vm().network();
    let is_linked = |number: u32| is_connected(network(number), &address).unwrap();
    assert!(OTHERS.into_iter().all(is_linked));
    let (before, ended) = (OTHERS.map(|number| ring.pids(number)), ring.pids(3));

    let link = Link::of(network(3)).unwrap();
    let begun = Instant::now();
    link.down().unwrap();
    for number in OTHERS {
        finds(&ring, number, &[Finding::Cut(address.parse().unwrap())]);
        assert!(wait_for(LONG, || !is_linked(number)), "{}", ring.told(number));
    }
    say(&format!("both others have cut a vanished host after {:.1} s", begun.elapsed().as_secs_f64()));
    // The slave has no agent. It hears of the death from a server, which is kind: the real one waits for the host (C35).
    ring.all_readable();
    say(&format!("{KEYS} of {KEYS} keys readable after {:.1} s", begun.elapsed().as_secs_f64()));
    // The helper in its container starts the programs again, and the agent ends them again.
    finds(&ring, 3, &[Finding::Isolated]);
    let is_ended = || {
        let now = ring.pids(3);
        now.0 != ended.0 && now.1 != ended.1
    };
    assert!(wait_for(LONG, is_ended), "{}", ring.told(3));

    let begun = Instant::now();
    link.up().unwrap();
    ring.settled();
    say(&format!("all servers converged {:.1} s after its link was up", begun.elapsed().as_secs_f64()));
    ring.agents.keys().for_each(|number| finds(&ring, *number, &[]));
    ring.all_readable();
    assert!(OTHERS.into_iter().all(is_linked));
    assert_eq!(OTHERS.map(|number| ring.pids(number)), before, "the others run on");
}
