//! A loss that is held, and the two ways in which it is released.

use std::time::{Duration, Instant};

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuk, cuks};

use super::{PATIENCE, assert_follows, following, run};

/// Two of the three servers are gone for good.
fn lose_two(testbed: &Testbed) {
    testbed.remove_server(12);
    testbed.remove_server(13);
}

/// The name of the loss that the agent holds.
fn held(node: &Node) -> String {
    let id = || node.status().unwrap()["held"]["id"].as_str().map(str::to_owned);
    assert!(wait_for(PATIENCE, || id().is_some()), "{}", node.log());
    id().unwrap()
}

#[test]
fn a_held_loss_is_installed_when_the_operator_confirms_it_by_its_name() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let before = node.live().unwrap();
    lose_two(&testbed);
    let id = held(&node);
    let (code, text, _) = run(&node, &["status"]);
    assert!(code == 1 && text.contains(&format!("release: k2hdkc-agent confirm {id}")), "{code}: {text}");

    let (code, _, errors) = run(&node, &["confirm", "00000000"]);
    assert_eq!(code, 1);
    assert!(
        errors.contains(&format!("what is held now is {id}: 2 of 3 servers would go at once")),
        "{errors}"
    );
    assert_eq!(node.live().unwrap(), before, "nothing was released");

    let (code, text, errors) = run(&node, &["confirm", &id]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(text.starts_with(&format!("confirmed {id}: 2 of 3 servers would go at once")), "{text}");
    assert_follows(&node, &cuks([11]));
    assert!(wait_for(PATIENCE, || node.status().unwrap()["held"].is_null()));

    let (code, _, errors) = run(&node, &["confirm", &id]);
    assert!(
        code == 1 && errors.contains("nothing is held or rejected, so there is nothing to confirm"),
        "{code}: {errors}"
    );
    node.stop().unwrap();
}

#[test]
fn a_confirmation_is_for_one_loss_and_the_same_loss_is_held_again_another_time() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    lose_two(&testbed);
    held(&node);
    assert_eq!(run(&node, &["confirm"]).0, 0);
    assert_follows(&node, &cuks([11]));
    testbed.add_server(12);
    testbed.add_server(13);
    assert_follows(&node, &cuks(11..=13));
    let before = node.live().unwrap();
    lose_two(&testbed);
    held(&node);
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}

#[test]
fn a_confirmation_without_a_running_agent_is_kept_for_the_next_pass() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    assert_eq!(run(&node, &["once"]).0, 0);
    let before = node.live().unwrap();
    lose_two(&testbed);
    let (code, _, errors) = run(&node, &["once"]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("2 of 3 servers would go at once") && errors.contains("'k2hdkc-agent confirm "),
        "{errors}"
    );
    let (code, _, errors) = run(&node, &["confirm", "00000000"]);
    assert!(code == 1 && errors.contains("what is held now is"), "{code}: {errors}");
    assert_eq!(node.live().unwrap(), before);
    let (code, text, errors) = run(&node, &["confirm"]);
    assert!(code == 0 && text.ends_with("the next pass goes by it\n"), "{code}: {text} {errors}");
    assert_eq!(run(&node, &["once"]).0, 0);
    assert_eq!(node.cuks(Mode::Server), cuks([11]));
}

#[test]
fn enough_answers_over_enough_time_release_a_loss_by_themselves() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, &format!("{FAST}[guard]\nconfirm-polls = 10\nconfirm-for = \"2s\"\n"));
    let lost = Instant::now();
    lose_two(&testbed);
    held(&node);
    assert_follows(&node, &cuks([11]));
    let waited = lost.elapsed();
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(4), "{waited:?}");
    node.stop().unwrap();
}

#[test]
fn a_loss_that_is_another_one_in_between_starts_to_count_anew() {
    let testbed = Testbed::open(4, 1).unwrap();
    let config = format!("{FAST}[guard]\nconfirm-polls = 5\nconfirm-for = \"2s\"\n");
    let mut node = testbed.node(testbed.server_plan(11, &config)).unwrap();
    node.start().unwrap();
    assert_follows(&node, &cuks(11..=14));
    lose_two(&testbed);
    let first = held(&node);
    testbed.remove_server(14);
    assert!(wait_for(PATIENCE, || held(&node) != first), "{}", node.log());
    let second = Instant::now();
    assert_follows(&node, &cuks([11]));
    assert!(second.elapsed() >= Duration::from_millis(1800), "{:?}", second.elapsed());
    node.stop().unwrap();
}

#[test]
fn no_confirmation_releases_an_answer_without_this_host() {
    let testbed = Testbed::open(3, 1).unwrap();
    let config = FAST.replace("[k2hr3]\n", "[k2hr3]\nsource = \"membership\"\n");
    let mut node = following(&testbed, &config);
    let before = node.live().unwrap();
    testbed.lab().set_sickness(Some(Sickness::WithoutHost { cuk: cuk(11) }));
    let id = held(&node);
    let (code, _, errors) = run(&node, &["confirm", &id]);
    assert!(code == 1 && errors.contains("no confirmation can release it"), "{code}: {errors}");
    assert!(run(&node, &["status"]).1.contains("no confirmation can release that"));
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}
