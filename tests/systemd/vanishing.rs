//! A host vanishes without a word: the others cut it and serve on, and it takes up its place when its link is back.

use std::time::Instant;

use k2hdkc_agent::peers::Finding;
use k2hdkc_agent::problem::Note;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::link::{Link, is_connected};
use k2hdkc_tests::environments::systemd::{Environment, Node, Shape};
use k2hdkc_tests::environments::{ready, say};

use crate::ring::{KEYS, LONG, all_readable, config, pids, running, settled, status, told};

/// The nodes that stay.
const OTHERS: [u32; 3] = [1, 2, 100];

/// Waits until the watch of a node's agent finds exactly this.
fn finds(node: &Node, findings: &[Finding]) {
    let notes: Vec<Note> = findings.iter().map(Note::of).collect();
    let found = || status(node).is_some_and(|status| status.peers == notes);
    assert!(wait_for(LONG, found), "{findings:?}: {}", told(node));
}

#[test]
fn a_host_of_units_that_vanishes_is_cut_by_all_and_comes_back_with_its_link() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Shipped, 0.1, 3, 1).unwrap();
    running(&environment, &config(""), 3);
    let gone = environment.node(3);
    let address: String = gone.identity().address.clone();
    let is_linked = |number: u32| is_connected(environment.node(number), &address).unwrap();
    assert!(OTHERS.into_iter().all(is_linked));
    let before = OTHERS.map(|number| pids(environment.node(number)));

    let link = Link::of(gone).unwrap();
    let begun = Instant::now();
    link.down().unwrap();
    for number in OTHERS {
        finds(environment.node(number), &[Finding::Cut(address.parse().unwrap())]);
        assert!(wait_for(LONG, || !is_linked(number)), "{}", told(environment.node(number)));
    }
    say(&format!("all others have cut a vanished host after {:.1} s", begun.elapsed().as_secs_f64()));
    all_readable(&environment);
    say(&format!("{KEYS} of {KEYS} keys readable after {:.1} s", begun.elapsed().as_secs_f64()));
    // It cannot know that it is not the others that have vanished.
    finds(gone, &[Finding::Isolated]);
    assert!(wait_for(LONG, || pids(gone) == (None, None)), "{}", told(gone));

    let begun = Instant::now();
    link.up().unwrap();
    settled(&environment, 3);
    say(&format!("all nodes converged {:.1} s after its link was up", begun.elapsed().as_secs_f64()));
    environment.nodes().for_each(|node| finds(node, &[]));
    all_readable(&environment);
    assert!(OTHERS.into_iter().all(is_linked));
    assert_eq!(OTHERS.map(|number| pids(environment.node(number))), before, "the others run on");
}
