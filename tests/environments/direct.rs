//! Units that run the programs directly.

use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{BOOT, Environment, INI, Shape};
use k2hdkc_tests::environments::{PATIENCE, keys, ready, say};

const KEYS: usize = 60;

/// Starts a ring by hand, in the right order, and waits until every server is in service.
fn started(environment: &Environment) {
    for node in environment.nodes() {
        node.fetch_ini().unwrap();
        node.systemctl(&["start", "chmpx.service"]).unwrap();
    }
    let servers = || environment.nodes().filter(|node| node.identity().is_server());
    let up = || {
        servers().all(|node| {
            node.control("ALLSTATUS").is_ok_and(|text| text.matches("[UP]").count() >= servers().count())
        })
    };
    assert!(wait_for(PATIENCE, up), "{:?}", environment.node(1).control("ALLSTATUS"));
    // One after the other: where several join at once, chmpx runs their merges into each other, now and then for good (C29).
    for node in servers() {
        node.systemctl(&["start", "k2hdkc.service"]).unwrap();
        let serves =
            || node.control("SELFSTATUS").is_ok_and(|text| text.contains("[SERVICE IN][UP][n/a][Nothing]"));
        assert!(wait_for(PATIENCE, serves), "{:?}", node.control("SELFSTATUS"));
    }
}

#[test]
fn a_ring_without_any_agent_joins_and_serves_keys() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Direct, 0.1, 3, 1).unwrap();
    let begun = Instant::now();
    started(&environment);
    let slave = environment.node(100);
    keys::write_at_last(slave, INI, KEYS, PATIENCE).unwrap();
    assert_eq!(keys::readable(slave, INI, KEYS).unwrap(), KEYS);
    say(&format!("a ring of 3 servers and a slave after {:.1} s", begun.elapsed().as_secs_f64()));

    // A control port answers from another node, too.
    let address = &environment.node(1).identity().address;
    assert!(environment.node(2).ask(address, 8021, "VERSION").unwrap().contains("Version 1.0"));
    assert!(slave.chmpxstatus().unwrap().contains("[SLAVE]"), "{}", slave.chmpxstatus().unwrap());

    // A server whose chmpx is killed is a failed unit, and nobody starts it.
    let node = environment.node(2);
    assert_eq!(node.main_pid("chmpx.service"), node.pid("chmpx").unwrap());
    node.kill("chmpx", "KILL").unwrap();
    node.becomes("chmpx.service", "failed", PATIENCE).unwrap();
    assert_eq!((node.show("chmpx.service", "Result"), node.pid("chmpx")), ("signal".to_owned(), None));
    assert_eq!(node.state("k2hdkc.service"), "active");

    // Stopped, a unit ends at once, and well.
    let node = environment.node(3);
    let begun = Instant::now();
    node.systemctl(&["stop", "k2hdkc.service"]).unwrap();
    node.becomes("k2hdkc.service", "inactive", PATIENCE).unwrap();
    say(&format!("systemctl stop of k2hdkc took {:.1} s", begun.elapsed().as_secs_f64()));
}

#[test]
fn systemd_boots_in_seconds_without_a_failed_unit_and_answers_on_d_bus() {
    if !ready() {
        return;
    }
    let begun = Instant::now();
    let environment = Environment::start(Shape::Direct, 0.1, 1, 0).unwrap();
    let node = environment.node(1);
    assert!(node.booted().unwrap(), "{}", node.systemctl(&["--failed"]).unwrap());
    assert!(begun.elapsed() < BOOT);
    let words = ["busctl", "get-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"];
    let version =
        node.exec(&[&words[..], &["org.freedesktop.systemd1.Manager", "Version"]].concat()).unwrap();
    assert!(version.starts_with("s \"25"), "{version}");
    // The agent is there, and so are mask and drop-ins.
    node.exec(&["k2hdkc-agent", "--version"]).unwrap();
    node.drop_in("chmpx.service", "[Service]\nEnvironment=ENVIRONMENT=1\n").unwrap();
    assert_eq!(node.show("chmpx.service", "Environment"), "ENVIRONMENT=1");
    node.systemctl(&["mask", "k2hdkc.service"]).unwrap();
    assert_eq!(node.show("k2hdkc.service", "LoadState"), "masked");
    // D-Bus itself can be restarted.
    node.systemctl(&["restart", "dbus.service"]).unwrap();
    node.becomes("dbus.service", "active", PATIENCE).unwrap();
}
