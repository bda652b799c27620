//! Names of the members in the hosts file, and how they follow chmpx.

use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

fn named(ring: &Ring, node: u32, member: u32) -> bool {
    let hosts = std::fs::read_to_string(ring.node(node).root().join("etc/hosts")).unwrap_or_default();
    hosts.lines().any(|line| line.ends_with(&format!("\tnode{member}")))
}

/// Checks whether the node's agent has passed again, well after that moment.
fn looked_since(ring: &Ring, node: u32, before: k2hdkc_agent::clock::Timestamp) -> bool {
    ring.status(node).is_some_and(|status| status.at.since(before) > Duration::from_secs(2))
}

#[test]
fn the_name_of_a_removed_server_stays_until_chmpx_lists_it_no_more() {
    let style = Style { replicas: 1, ..Style::default() };
    let mut ring = Ring::running(style, "[hosts]\nenabled = true\n", 3, 1).unwrap();
    let rest = [1, 2, 100];
    assert!(rest.iter().all(|node| named(&ring, *node, 3)), "{}", ring.told(1));
    for node in rest {
        ring.tell_one(node, &[1, 2], &[100]).unwrap();
    }
    for node in rest {
        let installed =
            || !std::fs::read_to_string(ring.node(node).ini()).unwrap_or_default().contains("= node3\n");
        assert!(wait_for(PATIENCE, installed), "{}", ring.told(node));
    }
    for node in rest {
        let before = ring.status(node).unwrap().at;
        assert!(wait_for(PATIENCE, || looked_since(&ring, node, before)), "{}", ring.told(node));
        assert!(named(&ring, node, 3), "chmpx lists the server while it is up: {}", ring.told(node));
    }
    ring.destroy(3).unwrap();
    for node in rest {
        assert!(wait_for(PATIENCE, || !named(&ring, node, 3)), "{}", ring.told(node));
    }
    ring.settled().unwrap();
    assert!(rest.iter().all(|node| named(&ring, *node, 1) && named(&ring, *node, 100)));
}
