//! A node that is stopped for maintenance, and started again.

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::deployment::Deployment;
use k2hdkc_tests::ring::PATIENCE;

use super::{KEYS, TRIES_FOR, run};

fn first_line(deployment: &Deployment, number: u32) -> String {
    run(deployment.node(number), &["status"]).1.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_server_stops_without_losing_a_read_stays_down_over_a_reboot_and_comes_back_when_it_is_told_to() {
    let mut deployment = Deployment::settled("", 3, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    let (code, text, errors) = run(deployment.node(2), &["stop", "--timeout", "100s"]);
    assert_eq!(
        (code, text.trim()),
        (0, "nothing of it runs until 'k2hdkc-agent start', not after a reboot either"),
        "{errors}"
    );
    assert_eq!(
        (deployment.processes(2), deployment.records(2)),
        (0, 1),
        "K2HR3 has it still: {}",
        deployment.told(2)
    );
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
    // A reboot: the next agent starts nothing.
    deployment.node_mut(2).stop().unwrap();
    deployment.node_mut(2).start().unwrap();
    let held = || {
        let processes = deployment.status(2).and_then(|status| status.processes);
        processes.is_some_and(|processes| {
            processes.text.starts_with("this node was told to stop: nothing of it runs")
        })
    };
    assert!(wait_for(PATIENCE, held), "{}", deployment.told(2));
    assert_eq!(deployment.processes(2), 0);
    let line = first_line(&deployment, 2);
    assert!(line.starts_with("STOPPED     ") && line.contains("ago: nothing of it runs until"), "{line}");
    let (code, ..) = run(deployment.node(2), &["status"]);
    assert_eq!(code, 1, "somebody should look");
    let (code, text, errors) = run(deployment.node(2), &["start", "--timeout", "100s"]);
    assert_eq!(code, 0, "{text}{errors}{}", deployment.told(2));
    deployment.assert_ring(&[1, 2, 3]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
    assert!(first_line(&deployment, 2).starts_with("agent       "));
}

#[test]
fn the_last_server_stops_only_where_somebody_insists() {
    let deployment = Deployment::settled("", 1, 1).unwrap();
    let (code, _, errors) = run(deployment.node(1), &["stop", "--timeout", "20s"]);
    assert!(
        code == 1
            && errors.contains("this is the last server in service")
            && errors.contains("'stop --force'"),
        "{errors}"
    );
    assert_eq!(deployment.processes(1), 2);
    let (code, _, errors) = run(deployment.node(1), &["stop", "--force", "--timeout", "100s"]);
    assert_eq!((code, deployment.processes(1)), (0, 0), "{errors}");
}

#[test]
fn a_stop_that_was_ended_without_an_agent_is_over_for_the_next_one() {
    let mut deployment = Deployment::settled("", 3, 1).unwrap();
    assert_eq!(run(deployment.node(100), &["stop", "--timeout", "100s"]).0, 0, "{}", deployment.told(100));
    deployment.node_mut(100).stop().unwrap();
    let (code, text, errors) = run(deployment.node(100), &["start"]);
    assert_eq!((code, text.trim()), (0, "no agent runs; the next one starts chmpx and k2hdkc"), "{errors}");
    deployment.node_mut(100).start().unwrap();
    assert!(wait_for(PATIENCE, || deployment.processes(100) == 1), "{}", deployment.told(100));
}
