//! Out of the cluster and of K2HR3, for good: no key and no read is lost by it, wherever the agent is killed on the way.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod kills;
mod load;
mod maintenance;
mod refusals;

use std::collections::BTreeSet;
use std::time::Duration;

use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_agent::status::Status;
use k2hdkc_simulators::k2hr3::{Illness, Sickness};
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::deployment::Deployment;
use k2hdkc_tests::ring::PATIENCE;

pub(crate) const KEYS: usize = 60;
/// The time that the simulated programs try a read again, as users of libk2hdkc do.
pub(crate) const TRIES_FOR: Duration = Duration::from_secs(5);

/// Exit status, standard output and standard error.
pub(crate) fn run(node: &Node, arguments: &[&str]) -> (i32, String, String) {
    let output = node.run(arguments).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

pub(crate) fn stage(deployment: &Deployment, number: u32) -> Option<Stage> {
    Some(deployment.status(number)?.leaving?.stage)
}

/// Tells a node to leave, and waits for no more than its word.
pub(crate) fn begins_to_leave(deployment: &Deployment, number: u32) {
    let (code, _, errors) = run(deployment.node(number), &["leave", "--timeout", "1ms"]);
    assert!(code == 1 && errors.contains("the agent goes on"), "{errors}{}", deployment.told(number));
}

/// Out for good: nothing runs, and K2HR3 does not have it.
pub(crate) fn assert_has_left(deployment: &Deployment, number: u32) {
    let out = || stage(deployment, number) == Some(Stage::Left);
    assert!(wait_for(PATIENCE, out), "{}", deployment.told(number));
    assert_eq!(
        (deployment.processes(number), deployment.records(number)),
        (0, 0),
        "{}",
        deployment.told(number)
    );
}

/// The same of one whose agent was started again, and has looked twice since it is out: it starts nothing.
pub(crate) fn assert_stays_out(deployment: &Deployment, number: u32) {
    let mut looks = BTreeSet::new();
    let twice = || {
        let out = |status: &Status| status.leaving.as_ref().is_some_and(|l| l.stage == Stage::Left);
        let looked = deployment.status(number).filter(|status| status.outcome.is_some() && out(status));
        looks.extend(looked.map(|status| status.at.0));
        looks.len() >= 2
    };
    assert!(wait_for(PATIENCE, twice), "{}", deployment.told(number));
    assert_has_left(deployment, number);
}

fn order(log: &str, words: &[&str]) {
    let places: Vec<_> = words.iter().map(|word| log.find(word)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{words:?} {places:?}\n{log}");
}

#[test]
fn a_server_leaves_when_its_keys_have_moved_and_stays_out() {
    let mut deployment = Deployment::settled("", 3, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    let begun = deployment.node(2).log().len();
    let (code, text, errors) = run(deployment.node(2), &["leave", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(2));
    assert!(text.starts_with("this node has left the cluster, and its VM may be destroyed"), "{text}");
    let log = deployment.node(2).log()[begun..].to_owned();
    order(
        &log,
        &["ring change: SERVICEOUT", "stop k2hdkc (pid", "stop chmpx (pid", "does not have this node"],
    );
    assert!(log.contains("chmpx ended with status 0"), "half a second after k2hdkc it does not crash: {log}");
    assert_has_left(&deployment, 2);
    deployment.assert_ring(&[1, 3, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
    // Neither does it ask, nor come back, also after a reboot.
    let asks = |deployment: &Deployment| {
        let address = deployment.node(2).plan().address.clone();
        deployment.lab().requests().iter().filter(|request| request.peer.to_string() == address).count()
    };
    let before = asks(&deployment);
    deployment.node_mut(2).stop().unwrap();
    deployment.node_mut(2).start().unwrap();
    assert_stays_out(&deployment, 2);
    let (_, text, _) = run(deployment.node(2), &["status"]);
    assert!(text.contains("leaving     since "), "{text}");
    deployment.assert_ring(&[1, 3, 100]).unwrap();
    assert_eq!(asks(&deployment), before);
    assert_eq!(run(deployment.node(2), &["leave"]).0, 0, "said again, it is done");
    assert!(!deployment.node(2).log().contains(&deployment.cluster().server_token));
}

#[test]
fn a_slave_is_removed_first_and_then_stops() {
    let deployment = Deployment::settled("", 1, 2).unwrap();
    deployment.write(100, KEYS).unwrap();
    let (code, _, errors) = run(deployment.node(101), &["leave", "--timeout", "100s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(101));
    order(&deployment.node(101).log(), &["does not have this node", "stop chmpx (pid"]);
    assert_has_left(&deployment, 101);
    deployment.assert_ring(&[1, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
}

#[test]
fn a_k2hr3_that_is_away_or_loses_its_answer_only_delays_the_last_stage() {
    let deployment = Deployment::settled("", 2, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    deployment.lab().set_illness(Some(Illness::from(Sickness::Refuse)));
    begins_to_leave(&deployment, 2);
    assert!(wait_for(PATIENCE, || stage(&deployment, 2) == Some(Stage::Removing)), "{}", deployment.told(2));
    let mut errors = String::new();
    let told = || {
        errors = run(deployment.node(2), &["leave", "--timeout", "100ms"]).2;
        errors.contains("the agent goes on: cannot ask for the membership: ")
    };
    assert!(wait_for(PATIENCE, told), "{errors}{}", deployment.told(2));
    assert_eq!((deployment.processes(2), deployment.records(2)), (0, 1));
    let lost = Sickness::StallThenClose(Duration::from_millis(10));
    deployment.lab().set_illness(Some(Illness::from(lost).only_by("DELETE").for_answers(1)));
    assert_has_left(&deployment, 2);
    assert!(
        deployment.node(2).log().contains("cannot leave the role: K2HR3's answer broke off"),
        "{}",
        deployment.told(2)
    );
    deployment.assert_ring(&[1, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
}

/// Says it again while the other one's leave is in its way.
fn leaves_in_the_end(node: &Node) -> (i32, String, String) {
    let mut told = run(node, &["leave", "--timeout", "100s"]);
    wait_for(PATIENCE, || {
        let refused = told.0 == 1 && told.2.contains("this node does not leave");
        if refused {
            told = run(node, &["leave", "--timeout", "100s"]);
        }
        !refused
    });
    told
}

#[test]
fn two_servers_that_are_told_at_once_leave_one_after_the_other() {
    let mut deployment = Deployment::new("").unwrap();
    // The range of a ring of two would wrap.
    deployment.replicate(2);
    deployment.settle(4, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    for number in 1..=4 {
        deployment.node(number).write("simulator.toml", "merge-ms = 500\n").unwrap();
    }
    let nodes = [deployment.node(3), deployment.node(4)];
    let told = std::thread::scope(|scope| {
        let leaves = nodes.map(|node| scope.spawn(move || leaves_in_the_end(node)));
        leaves.map(|leave| leave.join().unwrap())
    });
    assert!(
        told.iter().all(|(code, ..)| *code == 0),
        "{told:?} {} {}",
        deployment.told(3),
        deployment.told(4)
    );
    for number in [3, 4] {
        assert_has_left(&deployment, number);
    }
    deployment.assert_ring(&[1, 2, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
}

#[test]
fn a_vm_that_was_made_from_the_image_of_one_that_has_left_joins_as_every_new_one() {
    let mut deployment = Deployment::settled("", 2, 0).unwrap();
    assert_eq!(run(deployment.node(2), &["leave", "--timeout", "100s"]).0, 0, "{}", deployment.told(2));
    deployment.node_mut(2).stop().unwrap();
    for path in ["etc/antpickax/k2hr3-cuk", "var/lib/cloud/data/instance-id"] {
        deployment.node(2).write(path, "cuk-9").unwrap();
    }
    deployment.node_mut(2).start().unwrap();
    let joined = || {
        deployment
            .lab()
            .members(&deployment.cluster().server_role)
            .iter()
            .any(|m| m.cuk.as_deref() == Some("cuk-9"))
    };
    assert!(wait_for(PATIENCE, joined), "{}", deployment.told(2));
    assert!(wait_for(PATIENCE, || deployment.processes(2) == 2), "{}", deployment.told(2));
}

#[test]
fn who_was_told_to_leave_may_come_back_by_join() {
    let deployment = Deployment::settled("", 2, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    assert_eq!(run(deployment.node(2), &["leave", "--timeout", "100s"]).0, 0, "{}", deployment.told(2));
    assert_has_left(&deployment, 2);
    assert_eq!(run(deployment.node(2), &["join", "--timeout", "100s"]).0, 0, "{}", deployment.told(2));
    deployment.assert_ring(&[1, 2, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0);
    assert!(deployment.node(2).log().contains("its leave is called off"));
}
