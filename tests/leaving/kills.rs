//! The agent is killed at each stage of a leave, and the whole node in the middle of one: the next start goes on with it.

use std::process::Stdio;

use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_simulators::k2hr3::{Illness, Sickness};
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::deployment::Deployment;
use k2hdkc_tests::ring::{PATIENCE, processes_of, signal};

use super::{KEYS, TRIES_FOR, assert_stays_out, begins_to_leave, stage};

/// Lets a node leave, and kills its agent as soon as its log has this text.
fn killed_at(deployment: &mut Deployment, number: u32, moment: &str) {
    let begun = deployment.node(number).log().len();
    begins_to_leave(deployment, number);
    kill_at(deployment, number, moment, begun);
}

/// Kills a node's agent as soon as its log has this text behind that place.
fn kill_at(deployment: &mut Deployment, number: u32, moment: &str, begun: usize) {
    let come = wait_for(PATIENCE, || deployment.node(number).log()[begun..].contains(moment));
    deployment.node_mut(number).kill().unwrap();
    assert!(come, "{moment}: {}", deployment.node(number).log());
}

fn signal_all(deployment: &Deployment, number: u32, name: &str) {
    for pid in processes_of(deployment.node(number).root()) {
        signal(pid, name).unwrap();
    }
}

#[test]
fn an_agent_that_is_killed_at_any_stage_goes_on_when_it_is_started_again() {
    let mut deployment = Deployment::new("").unwrap();
    deployment.replicate(4);
    deployment.settle(5, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    for number in 1..=5 {
        deployment.node(number).write("simulator.toml", "merge-ms = 500\n").unwrap();
    }
    let mut ring = vec![1, 2, 3, 4, 5, 100];
    for (number, moment) in [
        (5, "ring change: SERVICEOUT"),
        (4, "stop k2hdkc (pid"),
        (3, "stop chmpx (pid"),
        (2, "cannot leave the role: K2HR3 answered 503"),
    ] {
        let sick = Illness::from(Sickness::Status(503)).only_by("DELETE");
        deployment.lab().set_illness(moment.contains("503").then_some(sick));
        killed_at(&mut deployment, number, moment);
        deployment.lab().set_sickness(None);
        let before = deployment.node(number).log().len();
        deployment.node_mut(number).start().unwrap();
        assert_stays_out(&deployment, number);
        let log = deployment.node(number).log()[before..].to_owned();
        assert!(!log.contains("start chmpx") && !log.contains("start k2hdkc"), "{moment}: {log}");
        ring.retain(|other| *other != number);
        deployment.assert_ring(&ring).unwrap();
        assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0, "{moment}");
    }
}

#[test]
fn a_slave_whose_agent_is_killed_goes_on_as_well() {
    let mut deployment = Deployment::settled("", 1, 3).unwrap();
    for (number, moment) in [(102, "this node leaves the cluster"), (101, "does not have this node")] {
        killed_at(&mut deployment, number, moment);
        deployment.node_mut(number).start().unwrap();
        assert_stays_out(&deployment, number);
    }
    deployment.assert_ring(&[1, 100]).unwrap();
}

#[test]
fn a_power_cut_before_the_keys_have_moved_loses_none_and_the_next_boot_finishes() {
    let mut deployment = Deployment::settled("", 3, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    // Before its announcement, which waits for two seconds of quiet.
    begins_to_leave(&deployment, 2);
    deployment.node_mut(2).kill().unwrap();
    signal_all(&deployment, 2, "KILL");
    deployment.node_mut(2).start().unwrap();
    assert_stays_out(&deployment, 2);
    deployment.assert_ring(&[1, 3, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
}

#[test]
fn a_reboot_after_the_keys_have_moved_starts_nothing_again() {
    let mut deployment = Deployment::settled("", 2, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    deployment.lab().set_illness(Some(Illness::from(Sickness::Refuse)));
    killed_at(&mut deployment, 2, "cannot ask for the membership");
    let before = deployment.node(2).log().len();
    deployment.node_mut(2).start().unwrap();
    let goes_on = || stage(&deployment, 2) == Some(Stage::Removing);
    assert!(wait_for(PATIENCE, goes_on), "{}", deployment.told(2));
    let tries = || deployment.node(2).log()[before..].contains("cannot ask for the membership");
    assert!(wait_for(PATIENCE, tries), "{}", deployment.told(2));
    assert_eq!((deployment.processes(2), deployment.records(2)), (0, 1));
    deployment.lab().set_sickness(None);
    assert_stays_out(&deployment, 2);
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
}

#[test]
fn the_command_outlives_the_agent_and_tells_what_the_next_one_does() {
    let mut deployment = Deployment::settled("", 2, 1).unwrap();
    deployment.lab().set_illness(Some(Illness::from(Sickness::Refuse)));
    let mut leave = deployment.node(2).command(&["leave", "--timeout", "100s"]).unwrap();
    let leave = leave.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    kill_at(&mut deployment, 2, "cannot ask for the membership", 0);
    deployment.lab().set_sickness(None);
    deployment.node_mut(2).start().unwrap();
    let output = leave.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}{}", deployment.told(2));
    assert!(
        String::from_utf8_lossy(&output.stdout).starts_with("this node has left the cluster"),
        "{output:?}"
    );
}
