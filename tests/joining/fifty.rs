//! Fifty VMs that boot at once, at a K2HR3 that loses a share of the registrations that it acknowledges.

use std::time::{Duration, Instant};

use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{Testbed, cuk};

use super::{assert_keeps_secret, calls, newcomer, records};

/// Fifty agents, one simulator and the test on two cores.
const PATIENCE: Duration = Duration::from_secs(90);
const CALM: &str = "[poll]\ninterval = \"1s\"\nmax-interval = \"1s\"\nbackoff = \"200ms\"\nmax-backoff = \"1s\"\n\
    [k2hr3]\ntimeout = \"10s\"\n";

#[test]
fn fifty_that_join_at_once_are_all_members_in_the_end_and_nobody_twice() {
    let testbed = Testbed::open(0, 1).unwrap();
    testbed.lab().set_sickness(Some(Sickness::LostRegistrations { share: 0.4 }));
    let numbers = 101..=150;
    let nodes = numbers.clone().map(|number| {
        let node = newcomer(&testbed, number, "");
        node.write("etc/k2hdkc-agent/conf.d/60-calm.toml", CALM).unwrap();
        node
    });
    let mut nodes: Vec<Node> = nodes.collect();
    let begun = Instant::now();
    for node in &mut nodes {
        node.start().unwrap();
    }
    let role = &testbed.cluster().server_role;
    let joined = wait_for(PATIENCE, || testbed.lab().members(role).len() >= nodes.len());
    let took = begun.elapsed();
    let puts = calls(&testbed, None, "PUT");
    println!(
        "50 of 50 are members after {:.1} s, by {puts} registrations of which 40 % were lost",
        took.as_secs_f64()
    );
    assert!(joined, "{} of 50", testbed.lab().members(role).len());
    for number in numbers {
        assert_eq!(records(&testbed, number).len(), 1, "{number}");
    }
    // Each of them knows, and all follow one cluster.
    let all: Vec<_> = (101..=150).map(cuk).collect();
    for node in &nodes {
        let follows = || node.cuks(k2hdkc_agent::ring::Mode::Server) == all;
        assert!(wait_for(PATIENCE, follows), "{}", node.log());
        assert_keeps_secret(&testbed, &node.log());
    }
    assert_eq!(testbed.lab().members(role).len(), 50);
    assert!(puts > 50, "nothing was lost, so nothing was repaired");
}
