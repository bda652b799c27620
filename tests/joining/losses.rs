//! The losses of K2HR3: an acknowledged registration, the acknowledgement, and a membership that was there.

use std::time::Duration;

use k2hdkc_simulators::k2hr3::{Illness, Sickness};
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::Testbed;

use super::{PATIENCE, assert_joins, assert_keeps_secret, calls, newcomer, records, run};

/// A node that has joined, with its number of registrations forgotten.
fn member(testbed: &Testbed, more: &str) -> Node {
    let mut node = newcomer(testbed, 11, more);
    node.start().unwrap();
    assert_joins(testbed, &node, 11);
    testbed.lab().clear_requests();
    node
}

fn polls(testbed: &Testbed) -> usize {
    testbed.lab().requests().iter().filter(|request| request.method == "GET").count()
}

#[test]
fn a_registration_that_was_acknowledged_and_not_kept_is_made_again() {
    let testbed = Testbed::open(0, 1).unwrap();
    testbed.lab().set_illness(Some(Illness::from(Sickness::LostRegistrations { share: 1.0 }).for_answers(3)));
    let mut node = newcomer(&testbed, 11, "");
    node.start().unwrap();
    assert_joins(&testbed, &node, 11);
    assert_eq!((calls(&testbed, None, "PUT"), records(&testbed, 11).len()), (4, 1));
    assert!(node.log().contains("K2HR3 answered 201 and has not kept the record"), "{}", node.log());
    assert_keeps_secret(&testbed, &node.log());
}

#[test]
fn a_registration_whose_answer_was_lost_is_found_and_not_made_again() {
    let testbed = Testbed::open(0, 1).unwrap();
    let lost = Sickness::StallThenClose(Duration::from_millis(10));
    testbed.lab().set_illness(Some(Illness::from(lost).only_by("PUT").for_answers(1)));
    let mut node = newcomer(&testbed, 11, "");
    node.start().unwrap();
    assert_joins(&testbed, &node, 11);
    assert_eq!((calls(&testbed, None, "PUT"), records(&testbed, 11).len()), (1, 1));
    assert!(node.log().contains("cannot register: K2HR3's answer broke off"), "{}", node.log());
}

#[test]
fn a_k2hr3_that_refuses_and_is_well_later_only_delays() {
    let testbed = Testbed::open(0, 1).unwrap();
    testbed.lab().set_sickness(Some(Sickness::BackendDead { after: Duration::from_millis(10) }));
    let mut node = newcomer(&testbed, 11, "");
    node.start().unwrap();
    let refused = || node.log().contains("K2HR3's backend is dead, or the role token is wrong");
    assert!(wait_for(PATIENCE, refused), "{}", node.log());
    assert_keeps_secret(&testbed, &node.log());
    let (code, _, errors) = run(&node, &["join", "--timeout", "300ms"]);
    assert!(code == 1 && errors.contains("not within 300 ms, the agent goes on: "), "{errors}");
    testbed.lab().set_sickness(None);
    assert_joins(&testbed, &node, 11);
    assert_eq!(run(&node, &["status"]).0, 0);
}

#[test]
fn a_membership_that_somebody_removed_is_made_again_once_that_was_confirmed() {
    let testbed = Testbed::open(1, 1).unwrap();
    let node = member(&testbed, "");
    testbed.remove_server(11);
    let before = polls(&testbed);
    let back = || !records(&testbed, 11).is_empty();
    assert!(wait_for(PATIENCE, back), "{}", node.log());
    let changes = testbed.lab().changes();
    let [.., gone, come] = &changes[..] else { panic!("{changes:?}") };
    assert!(!gone.joined && come.joined && come.at - gone.at >= Duration::from_millis(300), "{changes:?}");
    assert!(polls(&testbed) >= before + 3);
    assert!(
        node.log().contains("registered again once 3 answers over 300 ms have not shown it"),
        "{}",
        node.log()
    );
    assert_joins(&testbed, &node, 11);
    assert_eq!((calls(&testbed, None, "PUT"), records(&testbed, 11).len()), (1, 1));
}

#[test]
fn a_membership_that_somebody_removed_stays_so_where_the_operator_wants_that() {
    let testbed = Testbed::open(1, 1).unwrap();
    let mut node = member(&testbed, "repair = false\n");
    testbed.remove_server(11);
    assert!(wait_for(PATIENCE, || polls(&testbed) > 30), "{}", node.log());
    assert!(node.log().contains("join.repair is off, so it is registered again only by 'k2hdkc-agent join'"));
    // Nor does another start.
    node.stop().unwrap();
    node.start().unwrap();
    let told = || node.status().is_ok_and(|status| status["registration"]["good"] == false);
    assert!(wait_for(PATIENCE, told), "{}", node.log());
    let before = polls(&testbed);
    assert!(wait_for(PATIENCE, || polls(&testbed) > before + 20), "{}", node.log());
    assert_eq!(calls(&testbed, None, "PUT"), 0);
    assert_eq!(run(&node, &["status"]).0, 1, "somebody should look");
    assert_eq!(run(&node, &["join"]).0, 0);
    assert_joins(&testbed, &node, 11);
}

#[test]
fn a_sick_k2hr3_that_hides_a_member_for_long_makes_nobody_register() {
    let testbed = Testbed::open(1, 1).unwrap();
    let node = member(&testbed, "");
    for sickness in [Sickness::NoServers, Sickness::WithoutHost { cuk: "cuk-11".into() }] {
        testbed.lab().clear_requests();
        testbed.lab().set_sickness(Some(sickness.clone()));
        // It looks, and is told that it is a member still.
        let asked = || calls(&testbed, None, "HEAD") > 1;
        assert!(wait_for(PATIENCE, asked), "{sickness:?}: {}", node.log());
        assert_eq!(calls(&testbed, None, "PUT"), 0, "{sickness:?}");
        testbed.lab().set_sickness(None);
        assert_joins(&testbed, &node, 11);
    }
    assert_eq!(calls(&testbed, None, "PUT"), 0);
}
