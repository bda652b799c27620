//! Nodes that come before the others have heard of them, and a slave that has lost a server.

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

fn style() -> Style {
    Style { replicas: 1, ..Style::default() }
}

#[test]
fn a_server_that_the_others_do_not_list_yet_waits_with_its_chmpx_and_is_never_turned_away() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    ring.add(3).unwrap();
    ring.tell_one(3, &[1, 2, 3], &[100]).unwrap();
    ring.node_mut(3).start().unwrap();
    let waits = || ring.processes(3).is_some_and(|processes| processes.text.contains("lists this server"));
    assert!(wait_for(PATIENCE, waits), "{}", ring.told(3));
    assert_eq!(ring.pid(3, "chmpx"), None);
    ring.tell(&[1, 2, 3], &[100]).unwrap();
    ring.settled().unwrap();
    let log = ring.node(3).log();
    assert!(!log.contains("could not allow from this server"), "{log}");
}

/// Servers 1 and 2 run, nobody renews the file of `stale`, and server 3 comes: the next one in the ring is the first.
fn beside_a_server_whose_file_nobody_renews(stale: u32) -> Ring {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    ring.node_mut(stale).kill().unwrap();
    ring.add(3).unwrap();
    for number in [1, 2, 3, 100].into_iter().filter(|number| *number != stale) {
        ring.tell_one(number, &[1, 2, 3], &[100]).unwrap();
    }
    ring.node_mut(3).start().unwrap();
    ring
}

#[test]
fn a_server_whose_file_nobody_renews_keeps_no_other_out_unless_it_is_the_next_in_the_ring() {
    let ring = beside_a_server_whose_file_nobody_renews(2);
    assert!(wait_for(PATIENCE, || ring.pid(3, "chmpx").is_some()), "{}", ring.told(3));
}

#[test]
fn a_server_that_the_next_one_keeps_out_says_who_it_is_and_what_to_do() {
    let mut ring = beside_a_server_whose_file_nobody_renews(1);
    let held = || {
        ring.processes(3).is_some_and(|processes| processes.text.contains("see whether the agent there runs"))
    };
    assert!(wait_for(PATIENCE, held), "{}", ring.told(3));
    let next = ring.node(1).plan().address.clone();
    assert!(ring.processes(3).is_some_and(|processes| processes.text.contains(&next)), "{}", ring.told(3));
    assert_eq!(ring.pid(3, "chmpx"), None);
    ring.tell_one(1, &[1, 2, 3], &[100]).unwrap();
    ring.node_mut(1).start().unwrap();
    ring.settled().unwrap();
}

#[test]
fn a_slave_that_a_server_has_turned_away_has_it_speak_up() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    ring.add(101).unwrap();
    for number in [1, 100, 101] {
        ring.tell_one(number, &[1, 2], &[100, 101]).unwrap();
    }
    ring.node_mut(101).start().unwrap();
    let lost =
        || ring.processes(101).is_some_and(|processes| processes.text.contains("has no connection to"));
    assert!(wait_for(PATIENCE, lost), "{}", ring.told(101));
    assert!(!ring.is_settled(101));
    // The file comes, and nobody on that server speaks of it.
    ring.node_mut(2).kill().unwrap();
    ring.tell_one(2, &[1, 2], &[100, 101]).unwrap();
    ring.node(2).run(&["once"]).unwrap();
    assert!(wait_for(PATIENCE, || ring.is_settled(101)), "{}", ring.told(101));
    assert!(ring.node(101).log().contains("send the chmpx at"), "{}", ring.told(101));
}
