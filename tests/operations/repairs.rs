//! A live file that others spoilt, and starts without a network.

use std::fs;
use std::time::Instant;

use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuks};

use super::{PATIENCE, SELDOM, SOON, assert_follows, following, polls, run, without_stamp};

const INI: &str = "etc/antpickax/k2hdkc.ini";

/// Waits until the live file says what it said before, under a higher FILEVERSION.
fn assert_put_right(node: &Node, before: &str, fileversion: u32) {
    let right = || {
        node.fileversion() > fileversion
            && node.live().is_ok_and(|live| without_stamp(&live.text) == without_stamp(before))
    };
    assert!(wait_for(SOON, right), "{:?}\n{}", node.live(), node.log());
}

#[test]
fn an_edited_key_is_put_right_without_a_poll() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    let before = node.live().unwrap().text;
    let edited = before.replace("RETRYCNT = 500", "RETRYCNT = 501");
    assert_ne!(edited, before);
    let since = Instant::now();
    for (turn, in_place) in [(1, false), (2, true)] {
        if in_place { node.write(INI, &edited) } else { node.swap(INI, &edited) }.unwrap();
        assert_put_right(&node, &before, turn);
    }
    assert_eq!(polls(&testbed, since), 0);
    // Of the edit in place the agent may see the empty file before the edited one, and mend that.
    let told = || node.log().contains("[GLOBAL] RETRYCNT: \"501\" -> \"500\"");
    assert!(wait_for(SOON, told), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn garbage_and_a_missing_file_are_put_right_without_a_poll() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    let before = node.live().unwrap().text;
    let since = Instant::now();
    for (turn, garbage) in [(1, "garbage\n"), (2, ""), (3, &before[..before.len() / 2])] {
        node.swap(INI, garbage).unwrap();
        assert_put_right(&node, &before, turn);
    }
    fs::remove_file(node.ini()).unwrap();
    assert_put_right(&node, &before, 4);
    assert_eq!(polls(&testbed, since), 0);
    node.stop().unwrap();
}

#[test]
fn a_fileversion_that_somebody_raised_is_overtaken_by_the_next_change() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let raised = node.live().unwrap().text.replace("FILEVERSION = 1\n", "FILEVERSION = 1000\n");
    node.swap(INI, &raised).unwrap();
    let adopted = || node.status().unwrap()["generations"]["written"]["fileversion"] == 1000;
    assert!(wait_for(PATIENCE, adopted), "{}", node.status().unwrap());
    assert_eq!(node.live().unwrap().text, raised, "the ring is right, so nothing is written");
    testbed.add_server(14);
    assert_follows(&node, &cuks(11..=14));
    assert_eq!(node.fileversion(), 1001);
    node.stop().unwrap();
}

#[test]
fn a_start_without_k2hr3_puts_the_kept_file_back_where_the_live_one_is_gone() {
    let mut testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let before = node.live().unwrap().text;
    node.stop().unwrap();
    testbed.stop();
    fs::remove_file(node.ini()).unwrap();
    node.start().unwrap();
    assert_put_right(&node, &before, 1);
    let told = || node.log().contains("put a kept generation back as 2 (the live file is missing;");
    assert!(wait_for(SOON, told), "{}", node.log());
    assert_eq!(run(&node, &["status"]).0, 1, "somebody should look at K2HR3");

    testbed.resume().unwrap();
    assert!(wait_for(PATIENCE, || run(&node, &["status"]).0 == 0), "{}", node.log());
    assert_eq!(node.fileversion(), 2, "the kept one was right, so nothing more is written");
    testbed.add_server(14);
    assert_follows(&node, &cuks(11..=14));
    node.stop().unwrap();
}

#[test]
fn a_start_with_a_sick_k2hr3_puts_the_kept_file_back_where_the_live_one_is_garbage() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    assert_eq!(run(&node, &["once"]).0, 0);
    let before = node.live().unwrap().text;
    testbed.lab().set_sickness(Some(Sickness::NoServers));
    node.swap(INI, "garbage\n").unwrap();
    let (code, _, errors) = run(&node, &["once"]);
    assert_eq!(code, 1, "it is not what K2HR3 says: {errors}");
    assert!(
        errors.contains("put a kept generation back as 2 (chmpx would refuse the live file;"),
        "{errors}"
    );
    assert_put_right(&node, &before, 1);
}

#[test]
fn a_live_file_that_is_good_stays_while_k2hr3_is_away_however_often_it_starts() {
    let mut testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    assert_eq!(run(&node, &["once"]).0, 0);
    let before = node.live().unwrap();
    testbed.stop();
    for _ in 0..3 {
        let (code, _, errors) = run(&node, &["once"]);
        assert!(code == 1 && errors.contains("no connection to K2HR3"), "{code}: {errors}");
    }
    assert_eq!(node.live().unwrap(), before);
}

#[test]
fn a_torn_ledger_is_kept_aside_and_the_file_goes_on_from_where_it_was() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    assert_eq!(run(&node, &["once"]).0, 0);
    node.write("var/lib/k2hdkc-agent/ledger.json", "{ torn").unwrap();
    testbed.add_server(14);
    let (code, _, errors) = run(&node, &["once"]);
    assert!(
        code == 0 && errors.contains("ledger.json is unreadable") && errors.contains("is kept as"),
        "{code}: {errors}"
    );
    assert_eq!((node.fileversion(), node.cuks(k2hdkc_agent::ring::Mode::Server)), (2, cuks(11..=14)));
}
