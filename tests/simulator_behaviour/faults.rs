//! Faults on demand.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use nix::sys::signal::Signal;

use super::cluster::Cluster;
use super::{MOMENT, PATIENCE, Solo};

#[test]
fn a_file_that_it_dislikes_ends_it_and_does_not_let_it_start() {
    let mut solo = Solo::start(0);
    solo.node.put("simulator.toml", "dislike = \"FILEVERSION=2\"\n").unwrap();
    solo.node.push(&solo.ini(2)).unwrap();
    assert!(solo.node.ended("chmpx", PATIENCE).is_some_and(|status| status.success()));
    assert_eq!(solo.node.command("chmpx", &[]).output().unwrap().status.code(), Some(1));
    solo.node.push(&solo.ini(3)).unwrap();
    solo.node.start_chmpx().unwrap();
}

#[test]
fn a_file_may_crash_it() {
    let mut solo = Solo::start(0);
    solo.node.put("simulator.toml", "crash-on = \"REPLICA=3\"\n").unwrap();
    solo.node.push(&solo.ini(2).replace("REPLICA = 0", "REPLICA = 3")).unwrap();
    assert_eq!(solo.node.ended("chmpx", PATIENCE).and_then(|status| status.signal()), Some(11));
}

#[test]
fn reloads_are_swallowed_so_often_as_it_says() {
    let solo = Solo::start(0);
    solo.node.put("simulator.toml", "swallow = 2\n").unwrap();
    for fileversion in [2, 3] {
        solo.node.push(&solo.ini(fileversion)).unwrap();
        assert!(solo.ignores(fileversion));
    }
    solo.node.push(&solo.ini(4)).unwrap();
    assert!(solo.node.has_loaded(4));
}

#[test]
fn it_may_go_deaf() {
    let solo = Solo::start(0);
    solo.node.put("simulator.toml", "deaf = true\n").unwrap();
    solo.node.push(&solo.ini(2)).unwrap();
    assert!(solo.ignores(2));
    std::fs::remove_file(solo.node.root().join("simulator.toml")).unwrap();
    solo.node.push(&solo.ini(3)).unwrap();
    assert!(solo.ignores(3), "for the rest of its life");
}

#[test]
fn the_control_port_may_be_silent_for_a_while() {
    let solo = Solo::start(0);
    solo.node.put("simulator.toml", "silent-ms = 400\n").unwrap();
    let start = Instant::now();
    assert!(solo.node.ask("VERSION").unwrap().starts_with("Version"));
    assert!(start.elapsed().as_millis() >= 400);
}

#[test]
fn starts_may_fail_so_often_as_it_says() {
    let mut solo = Solo::start(0);
    solo.node.put("simulator.toml", "fail-starts = 1\nfail-k2hdkc-starts = 1\n").unwrap();
    assert_eq!(solo.node.command("k2hdkc", &[]).output().unwrap().status.code(), Some(1));
    solo.node.start_k2hdkc(&[]).unwrap();
    assert!(solo.node.sees(0, 0x21));
    solo.node.end("k2hdkc", Signal::SIGTERM).unwrap();
    assert!(solo.node.sees(0, 0x10021));
    solo.node.end("chmpx", Signal::SIGHUP).unwrap();
    assert_eq!(solo.node.command("chmpx", &[]).output().unwrap().status.code(), Some(1));
    solo.node.start_chmpx().unwrap();
}

#[test]
fn a_joiner_stuck_in_add_done_goes_on_with_updatestatus() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.grow_with("stick = \"add-done\"\n");
    assert!(cluster.server(0).sees(1, 0x3121));
    assert!(!wait_for(MOMENT, || cluster.server(0).status_of(1) != 0x3121), "it stays");
    assert_eq!(cluster.server(1).ask("UPDATESTATUS").unwrap(), "SUCCEED\n");
    cluster.wait_in_service();
}

#[test]
fn a_joiner_stuck_in_service_out_goes_on_with_servicein() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.grow_with("stick = \"service-out\"\n");
    assert!(cluster.server(0).sees(1, 0x11));
    assert!(!wait_for(MOMENT, || cluster.server(0).status_of(1) != 0x11), "it stays");
    assert_eq!(cluster.server(1).ask("SERVICEIN").unwrap(), "SUCCEED\n");
    cluster.wait_in_service();
}

#[test]
fn a_joiner_stuck_in_doing_is_cured_only_by_a_kill() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.write();
    cluster.grow_with("stick = \"doing\"\n");
    assert!(cluster.server(0).sees(1, 0x2121));
    for command in ["ABORTMERGE", "UPDATESTATUS"] {
        cluster.server(1).ask(command).unwrap();
    }
    cluster.server(1).signal("chmpx", Signal::SIGHUP).unwrap();
    assert_eq!(cluster.server(1).ended("chmpx", MOMENT), None, "HUP does not end it");
    assert!(
        cluster.server(1).sees(1, 0x2121),
        "it starts again, and sticks: {}",
        cluster.server(1).log("chmpx")
    );
    assert_eq!(cluster.readable(), 60, "the others serve on");
    cluster.server(1).end("chmpx", Signal::SIGKILL).unwrap();
    cluster.server(1).end("k2hdkc", Signal::SIGKILL).unwrap();
    assert!(cluster.server(0).sees(1, 0x10));
    cluster.server(1).start_chmpx().unwrap();
    assert!(cluster.server(0).sees(1, 0x10011));
    cluster.server(1).start_k2hdkc(&[]).unwrap();
    cluster.wait_in_service();
    assert_eq!(cluster.readable(), 60);
}
