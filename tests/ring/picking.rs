//! A supervisor that is picked: where only the programs are, the agent starts them.

use k2hdkc_agent::supervisor::Kind;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

/// Keeps what the test machine has of Docker and of systemd's units out of the test.
const AUTO: &str = "kind = \"auto\"\n[supervisor.systemd]\nchmpx-unit = \"not-there.service\"";

#[test]
fn where_nobody_else_runs_them_the_agent_starts_the_programs_and_says_why() {
    let style = Style { replicas: 1, ..Style::default() };
    let mut ring = Ring::new(style, AUTO).unwrap();
    ring.add(1).unwrap();
    let socket = format!("DOCKER_HOST=unix://{}/docker.sock", ring.node(1).root().display());
    ring.node_mut(1).enter_by(vec!["/usr/bin/env".into(), socket.into()]);
    ring.node_mut(1).start().unwrap();
    let waits = || ring.status(1).is_some_and(|status| status.agent.supervisor == "auto");
    assert!(wait_for(PATIENCE, waits), "{}", ring.told(1));

    ring.tell(&[1], &[]).unwrap();
    ring.settled().unwrap();
    let status = ring.status(1).unwrap();
    let picked = status.agent.picked.unwrap();
    assert_eq!((&*status.agent.supervisor, picked.kind), ("process", Kind::Process));
    assert!(picked.why.contains("/bin/chmpx), k2hdkc is here ("), "{}", picked.why);
    assert!(picked.why.contains("there is no Docker daemon at unix:///"), "{}", picked.why);
}
