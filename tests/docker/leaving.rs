//! A server in Trove's container leaves for good: the container is stopped, and stays so.

use std::time::Instant;

use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::trove::Layout;
use k2hdkc_tests::environments::{ready, say};

use crate::ring::{KEYS, LONG, Ring};

#[test]
fn a_server_in_troves_container_leaves_and_its_container_is_stopped() {
    if !ready() {
        return;
    }
    let mut ring = Ring::start(Layout::Database, 2, "take-over = true\n").unwrap();
    let begun = Instant::now();
    let output = ring.agents[&2].run(&["leave", "--timeout", "100s"]).unwrap();
    assert!(output.status.success(), "{output:?} {}", ring.told(2));
    let took = begun.elapsed().as_secs_f64();
    let stage = ring.status(2).and_then(|status| status.leaving).map(|leaving| leaving.stage);
    assert_eq!(stage, Some(Stage::Left), "{}", ring.told(2));
    assert!(wait_for(LONG, || ring.pids(2) == (None, None)), "{}", ring.told(2));
    let ground = ring.environment.ground();
    let address = ground.identity(2).address;
    let members = ground.lab().members(&ground.cluster().server_role);
    assert!(members.iter().all(|member| member.host != address), "{members:?}");
    ring.agents.remove(&2);
    ring.settled();
    ring.all_readable();
    say(&format!(
        "one of two servers in Trove's container left after {took:.1} s, {KEYS} of {KEYS} keys readable"
    ));
}
