//! The status words through which servers go, as their own logs tell them.

use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::{Node, Style};
use nix::sys::signal::Signal;

use super::cluster::Cluster;
use super::{PATIENCE, Solo};

/// The words of a node's own row, one after the other; those of other rows stand in its log as well, so `mine` says
/// which lines of it count.
fn words(node: &Node, from: usize) -> Vec<String> {
    let log = node.log("chmpx");
    let lines = log.lines().filter(|line| line.contains("is changed from old status("));
    let word = |line: &str| {
        let hex = line.split("Status(0x").nth(1)?.split(':').next()?;
        Some(format!("{:#x}", u64::from_str_radix(hex, 16).ok()?))
    };
    lines.skip(from).filter_map(word).collect()
}

#[test]
fn a_first_server_joins_by_itself() {
    let mut solo = Solo::start(0);
    let before = words(&solo.node, 0).len();
    solo.node.start_k2hdkc(&[]).unwrap();
    assert!(solo.node.sees(0, 0x21));
    assert_eq!(words(&solo.node, before), ["0x11", "0x1121", "0x2121", "0x3121", "0x21"]);
}

#[test]
fn a_second_server_joins_leaves_by_command_and_stays_out() {
    let mut cluster = Cluster::of(2, Style::default());
    let start = words(cluster.server(1), 0);
    assert!(start.ends_with(&["0x11", "0x1121", "0x2121", "0x3121", "0x21"].map(str::to_owned)), "{start:?}");
    let before = start.len();
    cluster.service_out(1);
    assert_eq!(words(cluster.server(1), before), ["0x1221", "0x2221", "0x3221", "0x11"]);
    assert_eq!(cluster.server(1).ask("SERVICEIN").unwrap(), "SUCCEED\n");
    assert!(cluster.server(0).sees(1, 0x21));
    assert_eq!(words(cluster.server(1), before + 4), ["0x1121", "0x2121", "0x3121", "0x21"]);
}

#[test]
fn a_k2hdkc_that_dies_and_comes_back_is_suspended_and_merges_again() {
    let mut cluster = Cluster::of(2, Style::default());
    let before = words(cluster.server(1), 0).len();
    cluster.server(1).end("k2hdkc", Signal::SIGKILL).unwrap();
    assert!(cluster.server(0).sees(1, 0x10021));
    cluster.server(1).start_k2hdkc(&[]).unwrap();
    assert!(cluster.server(0).sees(1, 0x21));
    assert_eq!(words(cluster.server(1), before), ["0x10021", "0x1021", "0x2021", "0x3021", "0x21"]);
}

#[test]
fn a_chmpx_that_goes_is_serviced_out_and_its_return_is_a_new_joining() {
    let mut cluster = Cluster::of(2, Style::default());
    assert!(cluster.server(1).end("chmpx", Signal::SIGHUP).unwrap().success());
    assert!(cluster.server(0).sees(1, 0x10));
    cluster.server(1).start_chmpx().unwrap();
    assert!(cluster.server(0).sees(1, 0x10011));
    assert!(cluster.server(0).sees(1, 0x21), "its k2hdkc joins again");
}

#[test]
fn while_a_server_merges_nobody_may_change() {
    let mut cluster = Cluster::of(2, Style::default());
    cluster.server(0).put("simulator.toml", "merge-ms = 2000\n").unwrap();
    cluster.server(1).put("simulator.toml", "merge-ms = 2000\n").unwrap();
    let command = format!("SERVICEOUT {}:8021:node1", cluster.server(1).address);
    assert_eq!(cluster.server(0).ask(&command).unwrap(), "SUCCEED\n");
    assert!(cluster.server(1).sees(1, 0x2221));
    assert!(cluster.server(0).sees(1, 0x2221));
    let operating = "ERROR: Could not change status, because server is operating now.\n";
    assert_eq!(cluster.server(1).ask("SERVICEIN").unwrap(), operating);
    assert_eq!(cluster.server(0).ask(&command).unwrap(), operating);
    assert_eq!(cluster.server(0).dumped("is_operating"), "yes");
    // A k2hdkc that dies in the middle ends the merge.
    let before = words(cluster.server(1), 0).len();
    cluster.server(1).end("k2hdkc", Signal::SIGKILL).unwrap();
    assert!(cluster.server(0).sees(1, 0x10021));
    assert_eq!(words(cluster.server(1), before), ["0x11221", "0x10021"]);
}

#[test]
fn without_automerge_every_step_is_a_command() {
    let style = Style { automerge: false, ..Style::default() };
    let mut cluster = Cluster::without_service(2, style);
    let all = |cluster: &mut Cluster, n: u32, status: u64| {
        assert!(cluster.server(0).sees(n, status), "{:?}", cluster.server(0).statuses());
        assert!(cluster.server(1).sees(n, status), "{:?}", cluster.server(1).statuses());
    };
    for n in [0, 1] {
        all(&mut cluster, n, 0x11);
    }
    for n in [0, 1] {
        let own = usize::try_from(n).unwrap();
        assert_eq!(cluster.server(own).ask("SERVICEIN").unwrap(), "SUCCEED\n");
        all(&mut cluster, n, 0x1121);
        assert_eq!(cluster.server(own).ask("MERGE").unwrap(), "SUCCEED\n");
        all(&mut cluster, n, 0x3121);
        assert_eq!(cluster.server(own).ask("COMPMERGE").unwrap(), "SUCCEED\n");
        all(&mut cluster, n, 0x21);
    }
    let command = format!("SERVICEOUT {}:8021:node1", cluster.server(1).address);
    assert_eq!(cluster.server(0).ask(&command).unwrap(), "SUCCEED\n");
    all(&mut cluster, 1, 0x1221);
    assert_eq!(cluster.server(0).ask("MERGE").unwrap(), "SUCCEED\n");
    all(&mut cluster, 1, 0x3221);
    assert_eq!(cluster.server(0).ask("COMPMERGE").unwrap(), "SUCCEED\n");
    all(&mut cluster, 1, 0x11);
}

#[test]
fn without_automerge_a_server_that_dies_stays_in_service_until_it_is_taken_out() {
    let mut cluster = Cluster::by_hand(2, Style { automerge: false, ..Style::default() });
    cluster.kill(1);
    assert!(cluster.server(0).sees(1, 0x20));
    let command = format!("SERVICEOUT {}:8021:node1", cluster.server(1).address);
    assert_eq!(cluster.server(0).ask(&command).unwrap(), "SUCCEED\n");
    assert_eq!(cluster.server(0).ask("MERGE").unwrap(), "SUCCEED: There no server on RING.\n");
    assert_eq!(cluster.server(0).status_of(1), 0x1220, "with nobody to merge nothing starts");
    assert_eq!(cluster.server(0).ask("COMPMERGE").unwrap(), "SUCCEED: There no server on RING.\n");
    assert!(cluster.server(0).sees(1, 0x10));
}

#[test]
fn the_last_server_answers_an_error_and_waits_for_a_merge_by_hand() {
    let mut solo = Solo::start(0);
    solo.node.start_k2hdkc(&[]).unwrap();
    assert!(solo.node.sees(0, 0x21));
    let command = format!("SERVICEOUT {}:8021:node0", solo.node.address);
    let answer = "ERROR: Failed to send status notice to other servers.\n";
    assert_eq!(solo.node.ask(&command).unwrap(), answer);
    assert!(solo.node.sees(0, 0x1221));
    assert_eq!(solo.node.ask("MERGE").unwrap(), "SUCCEED: There no server on RING.\n");
    assert!(solo.node.sees(0, 0x11));
    assert_eq!(solo.node.ask("SERVICEIN").unwrap(), "SUCCEED: There no server on RING.\n");
    assert!(solo.node.sees(0, 0x21));
}

#[test]
fn a_newcomer_is_refused_until_the_others_have_its_file() {
    let mut cluster = Cluster::of(1, Style::default());
    let newcomer = cluster.early();
    assert!(wait_for(PATIENCE, || newcomer.log("chmpx").contains("could not allow from this server")));
    assert_eq!((newcomer.status_of(0), newcomer.status_of(1)), (0x10, 0x10011));
    cluster.accept(newcomer);
    assert!(cluster.server(1).sees(0, 0x21) && cluster.server(0).sees(1, 0x10011));
    cluster.server(1).start_k2hdkc(&[]).unwrap();
    cluster.wait_in_service();
}

#[test]
fn a_slave_that_servers_turned_away_tries_those_again_that_it_hears_of() {
    let mut cluster = Cluster::of(3, Style::default());
    cluster.write();
    let slave = cluster.early_slave(101);
    let refusals = || slave.log("chmpx").matches("could not allow from this server").count();
    assert!(wait_for(PATIENCE, || refusals() > 3), "without any server it goes on looking");
    cluster.list_slave(0, 101);
    assert!(wait_for(PATIENCE, || slave.status_of(0) == 0x21), "{:?}", slave.statuses());
    let (mut client, begun) = (slave.client(), refusals());
    let mut readable = || {
        let good = |key: &usize| client.get(&format!("key-{key}")).is_ok_and(|value| value.is_some());
        (0..60).filter(good).count()
    };
    for n in [1, 2] {
        cluster.list_slave(n, 101);
        let served = readable();
        assert!((1..60).contains(&served), "with one server it does not look for others: {served}");
        assert_eq!(cluster.server(n).ask("UPDATESTATUS").unwrap(), "SUCCEED\n");
        // From each server that takes it in it hears of the others.
        assert!(wait_for(PATIENCE, || readable() > served), "{:?}", slave.statuses());
        assert!(n == 2 || wait_for(PATIENCE, || refusals() > begun), "{:?}", slave.statuses());
    }
    assert!(wait_for(PATIENCE, || readable() == 60), "{:?}", slave.statuses());
    assert!(refusals() <= begun + 2, "each is asked once: {} {begun}", refusals());
}

#[test]
fn a_server_that_left_the_file_stays_listed_until_it_goes_down() {
    let mut cluster = Cluster::of(2, Style::default());
    cluster.shrink();
    assert_eq!(cluster.server(0).status_of(1), 0x21, "in service, and working");
    cluster.kill(1);
    assert!(
        wait_for(PATIENCE, || cluster.server(0).statuses().len() == 1),
        "{:?}",
        cluster.server(0).statuses()
    );
}

#[test]
fn a_server_that_was_out_when_it_left_the_file_goes_with_the_next_fileversion() {
    let mut cluster = Cluster::of(2, Style::default());
    cluster.service_out(1);
    cluster.shrink();
    cluster.kill(1);
    assert!(cluster.server(0).sees(1, 0x10), "it lingers");
    cluster.shrink();
    assert!(wait_for(Duration::from_secs(5), || cluster.server(0).statuses().len() == 1));
}
