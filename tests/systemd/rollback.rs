//! A file that ends chmpx, where chmpx is no child of the agent but of systemd.

use std::time::Instant;

use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, INI, Node, Shape};
use k2hdkc_tests::environments::{ready, say};

use crate::ring::{LONG, all_readable, config, holds, running, settled, status, told};

/// The file in which the simulators look for faults to inject.
const FAULTS: &str = "/simulator.toml";

fn line(node: &Node) -> String {
    status(node).map(|status| status.line().to_owned()).unwrap_or_default()
}

/// Until its agent has given a ring up, for this reason.
fn rejects(node: &Node, why: &str) {
    let rejected = || status(node).is_some_and(|status| status.code() == Some(OutcomeKind::Rejected));
    assert!(wait_for(LONG, rejected), "{}", told(node));
    assert!(line(node).contains(why), "{why}: {}", told(node));
}

/// Two servers and a slave; server 1 does not survive the next file, which the others run on with.
fn rolls_back(shape: Shape) {
    if !ready() {
        return;
    }
    let environment = Environment::start(shape, 0.1, 2, 1).unwrap();
    running(&environment, &config(""), 2);
    let (node, other) = (environment.node(1), environment.node(2));

    // A running chmpx ends of it: told by how it ended.
    node.put(FAULTS, "dislike = \"RWTIMEOUT=777\"\n").unwrap();
    let begun = Instant::now();
    environment.ground().edit_template("\nRWTIMEOUT           = 10000", "\nRWTIMEOUT           = 777");
    rejects(node, "chmpx ended with status 0");
    let told_after = begun.elapsed().as_secs_f64();
    settled(&environment, 2);
    let has = |node: &Node, value: &str| node.read(INI).is_ok_and(|text| text.contains(value));
    assert!(!has(node, "RWTIMEOUT = 777") && has(other, "RWTIMEOUT = 777"), "{}", told(node));
    all_readable(&environment);
    say(&format!(
        "{shape:?}: a file that ends chmpx was rolled back after {told_after:.1} s, and the ring had settled after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    let journal = node.journal("k2hdkc-agent.service");
    assert_eq!(journal.matches("rolled back: the last verified ring").count(), 1, "{}", told(node));

    // Another answer is tried.
    environment.ground().edit_template("\nRWTIMEOUT           = 777", "\nRWTIMEOUT           = 778");
    assert!(wait_for(LONG, || has(node, "RWTIMEOUT = 778")), "{}", told(node));
    settled(&environment, 2);

    // What keeps the unit from starting at all is for somebody to look at, and no fault of the file. That chmpx ends of the
    // next one as soon as it starts, before anybody has seen it, is.
    node.drop_in("chmpx.service", "[Service]\nExecStartPre=/bin/false\n").unwrap();
    node.kill("chmpx", "KILL").unwrap();
    holds(node, "chmpx could not be started ");
    node.put(FAULTS, "dislike = \"RWTIMEOUT=779\"\n").unwrap();
    environment.ground().edit_template("\nRWTIMEOUT           = 778", "\nRWTIMEOUT           = 779");
    assert!(wait_for(LONG, || has(node, "RWTIMEOUT = 779")), "{}", told(node));
    holds(node, "chmpx could not be started ");
    let begun = Instant::now();
    node.drop_in("chmpx.service", "").unwrap();
    rejects(node, "chmpx does not start with generation");
    settled(&environment, 2);
    all_readable(&environment);
    say(&format!(
        "{shape:?}: a file that chmpx does not start with was rolled back, and the ring had settled after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
}

#[test]
fn a_file_that_ends_chmpx_in_the_shipped_units_is_rolled_back_once() {
    rolls_back(Shape::Shipped);
}

#[test]
fn so_is_it_in_units_that_are_not_bound_to_each_other() {
    rolls_back(Shape::Direct);
}
