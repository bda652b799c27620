//! Obstacles that keep a node from leaving, and what `--force` does all the same.

use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::deployment::Deployment;
use k2hdkc_tests::ring::{BY_CHMPX, PATIENCE, processes_of, signal};

use super::{KEYS, TRIES_FOR, assert_has_left, run, stage};

fn refused(deployment: &Deployment, number: u32) -> String {
    let (code, text, errors) = run(deployment.node(number), &["leave", "--timeout", "20s"]);
    assert_eq!((code, text.as_str()), (1, ""), "{errors}");
    assert_eq!(stage(deployment, number), None, "{errors}");
    errors
}

#[test]
fn the_last_server_stays_with_its_keys_unless_somebody_insists() {
    let deployment = Deployment::settled("", 1, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    let errors = refused(&deployment, 1);
    assert!(
        errors.contains(
            "this is the last server in service, so its keys would have nowhere to go; 'leave --force'"
        ),
        "{errors}"
    );
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
    let (code, _, errors) = run(deployment.node(1), &["leave", "--force", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(1));
    assert_has_left(&deployment, 1);
}

#[test]
fn a_server_with_the_only_copy_of_its_keys_leaves_once_the_others_have_copied_them() {
    let mut deployment = Deployment::new("").unwrap();
    deployment.replicate(0);
    deployment.settle(3, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    let (code, _, errors) = run(deployment.node(2), &["leave", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(2));
    assert_has_left(&deployment, 2);
    deployment.assert_ring(&[1, 3, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
}

#[test]
fn where_chmpx_runs_the_merges_nobody_leaves_or_stops_unless_somebody_insists() {
    let deployment = Deployment::settled(BY_CHMPX, 3, 1).unwrap();
    for command in ["leave", "stop"] {
        let (code, _, errors) = run(deployment.node(2), &[command, "--timeout", "20s"]);
        let said = "chmpx runs the merges of this ring, and without this server it looks for keys where they are not";
        assert!(code == 1 && errors.contains(said), "{errors}");
    }
    assert_eq!((stage(&deployment, 2), deployment.processes(2)), (None, 2));
    let (code, _, errors) = run(deployment.node(2), &["leave", "--force", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(2));
    assert_has_left(&deployment, 2);
    deployment.assert_ring(&[1, 3, 100]).unwrap();
}

#[test]
fn beside_a_server_that_is_down_a_leave_waits_and_goes_at_once_when_somebody_insists() {
    let mut deployment = Deployment::settled("", 3, 1).unwrap();
    deployment.node_mut(3).kill().unwrap();
    for pid in processes_of(deployment.node(3).root()) {
        signal(pid, "KILL").unwrap();
    }
    let sees =
        || deployment.status(2).and_then(|status| status.processes).is_some_and(|s| s.healthy() == (2, 3));
    assert!(wait_for(PATIENCE, sees), "{}", deployment.told(2));
    let (code, _, errors) = run(deployment.node(2), &["leave", "--timeout", "5s"]);
    assert!(code == 1 && errors.contains("the agent goes on"), "{errors}");
    assert_eq!((stage(&deployment, 2), deployment.processes(2)), (Some(Stage::Draining), 2));
    let (code, _, errors) = run(deployment.node(2), &["leave", "--force", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(2));
    assert_has_left(&deployment, 2);
}

#[test]
fn a_loss_of_servers_that_is_held_keeps_the_others() {
    let deployment = Deployment::settled("", 4, 1).unwrap();
    for number in 1..=4 {
        let strict = "[guard]\nmax-lost-servers = 1\nmax-lost-share = 0.4\nconfirm-polls = 9999\n";
        deployment.node(number).write("etc/k2hdkc-agent/conf.d/60-guard.toml", strict).unwrap();
    }
    let taken = || deployment.node(1).log().contains("the configuration was read again");
    assert!(wait_for(PATIENCE, taken), "{}", deployment.told(1));
    deployment.lab().set_sickness(Some(Sickness::HalfOfServers));
    let held = || deployment.status(1).is_some_and(|status| status.held.is_some());
    assert!(wait_for(PATIENCE, held), "{}", deployment.told(1));
    let errors = refused(&deployment, 1);
    assert!(errors.contains("this node does not leave: the loss of servers is held ("), "{errors}");
}

#[test]
fn without_an_agent_no_server_leaves_and_that_is_told() {
    let mut deployment = Deployment::settled("", 2, 0).unwrap();
    deployment.node_mut(2).stop().unwrap();
    let (code, _, errors) = run(deployment.node(2), &["leave", "--force"]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("the agent takes this node out of service: start it (k2hdkc-agent run)"),
        "{errors}"
    );
    assert_eq!((deployment.records(2), deployment.processes(2)), (1, 2));
}

#[test]
fn what_waits_for_its_keys_goes_at_once_when_somebody_insists() {
    let deployment = Deployment::settled("", 2, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    for number in [1, 2] {
        deployment.node(number).write("simulator.toml", "merge-ms = 60000\n").unwrap();
    }
    let (code, _, errors) = run(deployment.node(2), &["leave", "--timeout", "1s"]);
    assert!(code == 1 && errors.contains("the agent goes on: "), "{errors}");
    assert_eq!(stage(&deployment, 2), Some(Stage::Draining));
    let (code, _, errors) = run(deployment.node(2), &["leave", "--force", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(2));
    assert_has_left(&deployment, 2);
}

#[test]
fn a_server_whose_processes_are_not_the_agents_is_only_removed_and_only_by_force() {
    let mut deployment = Deployment::new("").unwrap();
    deployment.add(1).unwrap();
    deployment
        .node(1)
        .write("etc/k2hdkc-agent/conf.d/60-none.toml", "[supervisor]\nkind = \"none\"\n")
        .unwrap();
    deployment.node_mut(1).start().unwrap();
    let follows = || deployment.records(1) == 1 && deployment.node(1).fileversion() > 0;
    assert!(wait_for(PATIENCE, follows), "{}", deployment.told(1));
    let mut errors = String::new();
    let told = || {
        errors = refused(&deployment, 1);
        errors.contains(
            "not the agent's here (supervisor none): take this server out of service and stop both first",
        )
    };
    assert!(wait_for(PATIENCE, told), "{errors}");
    assert_eq!(
        run(deployment.node(1), &["leave", "--force", "--timeout", "100s"]).0,
        0,
        "{}",
        deployment.told(1)
    );
    assert_has_left(&deployment, 1);
}

#[test]
fn a_vm_that_never_got_a_file_leaves_by_force() {
    let mut deployment = Deployment::new("").unwrap();
    deployment.add(1).unwrap();
    let resource = deployment.cluster().resource.clone();
    deployment.lab().edit_text(&resource, |_| "# not written yet\n".to_owned());
    deployment.node_mut(1).start().unwrap();
    assert!(wait_for(PATIENCE, || deployment.records(1) == 1), "{}", deployment.told(1));
    assert!(refused(&deployment, 1).contains("its processes have not been looked at yet"));
    assert_eq!(
        run(deployment.node(1), &["leave", "--force", "--timeout", "100s"]).0,
        0,
        "{}",
        deployment.told(1)
    );
    assert_has_left(&deployment, 1);
}
