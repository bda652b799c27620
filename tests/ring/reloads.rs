//! Settings and ports that change under running processes.

use std::time::Duration;

use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring, processes_of};

fn style() -> Style {
    Style { replicas: 1, ..Style::default() }
}

/// Changes a node's configuration and has it read again.
fn configure(node: &Node, from: &str, to: &str) {
    let path = "etc/k2hdkc-agent/agent.toml";
    let config = std::fs::read_to_string(node.root().join(path)).unwrap();
    assert!(config.contains(from), "{config}");
    node.swap(path, &config.replace(from, to)).unwrap();
    node.signal("HUP").unwrap();
}

/// Processor time of a node's agent so far.
fn worked(node: &Node) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.pid().unwrap())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |field: usize| fields[field - 3].parse::<u64>().unwrap();
    Duration::from_millis((ticks(14) + ticks(15)) * 10)
}

#[test]
fn a_target_that_is_switched_off_and_on_again_starts_and_stops_nothing() {
    let mut ring = Ring::running(style(), "", 2, 0).unwrap();
    let root = ring.node(1).root().to_owned();
    let before = processes_of(&root);
    let moves = |ring: &Ring| {
        let log = ring.node(1).log();
        log.matches("start chmpx").count()
            + log.matches("start k2hdkc").count()
            + log.matches("stop ").count()
    };
    let moved = moves(&ring);
    configure(ring.node(1), "kind = \"process\"", "kind = \"none\"");
    let supervisor = |ring: &Ring| ring.status(1).map(|status| status.agent.supervisor).unwrap_or_default();
    assert!(wait_for(PATIENCE, || supervisor(&ring) == "none"), "{}", ring.told(1));
    // Ten polls a second go on, and nothing else.
    let (asked, busy) = (ring.status(1).unwrap().at, worked(ring.node(1)));
    let later = || ring.status(1).is_some_and(|status| status.at.since(asked) > Duration::from_secs(2));
    assert!(wait_for(PATIENCE, later), "{}", ring.told(1));
    let busy = worked(ring.node(1)).saturating_sub(busy);
    assert!(busy < Duration::from_secs(1), "{busy:?} of processor time in about two seconds");
    assert_eq!(processes_of(&root), before);

    configure(ring.node(1), "kind = \"none\"", "kind = \"process\"");
    assert!(wait_for(PATIENCE, || supervisor(&ring) == "process"), "{}", ring.told(1));
    ring.settled().unwrap();
    assert_eq!((processes_of(&root), moves(&ring)), (before, moved));
}

#[test]
fn a_chmpx_that_was_started_with_another_control_port_is_asked_there() {
    // Without chmpxstatus a slave is asked by its control port, too.
    let mut ring =
        Ring::running(style(), "restarts = \"always\"\nprocess.chmpxstatus = \"/nowhere\"\n", 2, 1).unwrap();
    let before = ring.pid(100, "chmpx");
    for number in [1, 2, 100] {
        let ini = std::fs::read_to_string(ring.node(number).root().join("source.ini")).unwrap();
        let mut ini = ini.replace("CTLPORT = 8021\nCUK = cuk-100\n", "CTLPORT = 8022\nCUK = cuk-100\n");
        if number == 100 {
            ini = ini.replace("SELFCTLPORT = 8021\n", "SELFCTLPORT = 8022\n");
        }
        ring.node(number).give(&ini).unwrap();
    }
    assert!(
        wait_for(PATIENCE, || ring.pid(100, "chmpx").is_some_and(|pid| Some(pid) != before)),
        "{}",
        ring.told(100)
    );
    ring.settled().unwrap();
    let other = std::fs::read_to_string(ring.node(100).ini()).unwrap();
    assert!(other.contains("SELFCTLPORT = 8022"), "{other}");
    // The next agent learns it from the one before it.
    ring.node_mut(100).kill().unwrap();
    ring.node_mut(100).start().unwrap();
    ring.settled().unwrap();
}

#[test]
fn commands_beside_the_agent_do_not_claim_its_processes() {
    let ring = Ring::running(style(), "", 1, 0).unwrap();
    for command in ["diff", "render"] {
        let output = ring.node(1).run(&["-vv", command]).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("chmpx"), "{command}: {said}");
    }
}
