//! The fate of keys in the simulated ring, beside what was measured on the real one (docs/facts.md D).

use k2hdkc_simulators::k2hdkc::{Client, Failure};
use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::place::Place;
use k2hdkc_simulators::simulators::stage::Style;
use nix::sys::signal::Signal;

use super::PATIENCE;
use super::cluster::Cluster;

#[test]
fn a_file_that_is_only_replaced_loses_nothing_at_the_next_scale_out() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.write();
    cluster.grow();
    assert_eq!(cluster.readable(), 60);
}

#[test]
fn a_chmpx_restarted_alone_costs_half_of_the_keys_at_the_next_scale_out() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.write();
    cluster.restart_chmpx(0);
    cluster.wait_in_service();
    assert_eq!(cluster.readable(), 60, "everything looks healthy");
    cluster.grow();
    let readable = cluster.readable();
    assert!((20..=40).contains(&readable), "{readable} of 60");
}

#[test]
fn a_chmpx_restarted_with_its_k2hdkc_loses_nothing_with_a_file() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.write();
    cluster.restart_both(0);
    cluster.wait_in_service();
    cluster.grow();
    assert_eq!(cluster.readable(), 60);
}

#[test]
fn a_private_ring_that_joins_later_hides_keys() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.write();
    cluster.add_private_ring();
    let readable = cluster.readable();
    assert!((20..=40).contains(&readable), "{readable} of 60");
}

/// As the real one (docs/facts.md C23): its slot is kept, and nobody's slot moves.
#[test]
fn one_server_of_three_may_be_killed_where_there_is_a_replica_and_no_automerge() {
    let mut cluster = Cluster::by_hand(3, Style { replicas: 1, automerge: false, ..Style::default() });
    cluster.write();
    cluster.kill(1);
    cluster.everybody_sees(1, 0x20);
    assert_eq!(cluster.readable(), 60);
}

#[test]
fn keys_in_memory_do_not_survive_a_restart_and_keys_in_a_file_do() {
    for (file, expected) in [(false, 0), (true, 60)] {
        let mut cluster = Cluster::of(1, Style { file, ..Style::default() });
        cluster.write();
        cluster.restart_both(0);
        cluster.wait_in_service();
        assert_eq!(cluster.readable(), expected, "in a file: {file}");
    }
}

#[test]
fn a_server_in_memory_that_is_restarted_gets_its_share_back_from_the_replicas() {
    let mut cluster = Cluster::of(3, Style { replicas: 1, file: false, ..Style::default() });
    cluster.write();
    for n in 0..3 {
        cluster.restart_both(n);
        cluster.wait_in_service();
    }
    assert_eq!(cluster.readable(), 60);
}

/// As the real one (docs/facts.md D4, D6): 35 of 60 keys, and all of them when the third is out again.
#[test]
fn a_third_server_hides_keys_until_it_is_out() {
    let mut cluster = Cluster::of(2, Style::default());
    cluster.write();
    cluster.grow();
    let readable = cluster.readable();
    assert!((25..=50).contains(&readable), "{readable} of 60");
    cluster.service_out(2);
    assert_eq!(cluster.readable(), 60);
    cluster.server(2).end("k2hdkc", Signal::SIGTERM).unwrap();
    assert_eq!(cluster.readable(), 60, "and gone");
}

/// As the real one (docs/facts.md D11): all that stay are `[Pending]`, too, and copy in the same merge.
#[test]
fn a_merge_in_which_all_servers_take_part_hides_no_key() {
    for replicas in [0, 1] {
        let mut cluster = Cluster::by_hand(3, Style { replicas, automerge: false, ..Style::default() });
        cluster.write();
        cluster.grow_with("");
        assert!(cluster.slave().sees(3, 0x11));
        assert_eq!(cluster.server(3).ask("SERVICEIN").unwrap(), "SUCCEED\n");
        cluster.everybody_sees(3, 0x1121);
        for n in 0..3 {
            let command = format!("SERVICEOUT {}:8021:node{n}", cluster.server(n).address);
            assert_eq!(cluster.server(n).ask(&command).unwrap(), "SUCCEED\n");
            assert_eq!(cluster.server(n).ask("SERVICEIN").unwrap(), "SUCCEED\n");
            cluster.everybody_sees(u32::try_from(n).unwrap(), 0x1021);
        }
        assert_eq!(cluster.server(0).ask("MERGE").unwrap(), "SUCCEED\n");
        for (n, done) in [(0, 0x3021), (1, 0x3021), (2, 0x3021), (3, 0x3121)] {
            cluster.everybody_sees(n, done);
        }
        assert_eq!(cluster.server(0).ask("COMPMERGE").unwrap(), "SUCCEED\n");
        cluster.wait_in_service();
        assert_eq!(cluster.readable(), 60, "REPLICA = {replicas}");
    }
}

/// As the real one (docs/facts.md D15): with more copies than there are other servers, the third copies one slot, and not
/// even its own.
#[test]
fn with_more_copies_than_other_servers_a_third_one_hides_keys() {
    for (replicas, all) in [(2, true), (4, false)] {
        let mut cluster = Cluster::of(2, Style { replicas, ..Style::default() });
        cluster.write();
        cluster.grow();
        let readable = cluster.readable();
        assert_eq!(readable == 60, all, "REPLICA = {replicas}: {readable} of 60");
    }
}

/// As the real one (docs/facts.md C23, D6).
#[test]
fn with_automerge_one_loss_is_enough_to_hide_keys() {
    let mut cluster = Cluster::of(3, Style { replicas: 1, ..Style::default() });
    cluster.write();
    cluster.kill(0);
    cluster.everybody_sees(0, 0x10);
    assert!(cluster.readable() < 60, "slots have moved, and keys have not");
}

#[test]
fn without_its_k2hdkc_a_server_is_stood_in_for_where_there_is_a_replica() {
    for (replicas, all) in [(0, false), (1, true)] {
        let mut cluster = Cluster::of(2, Style { replicas, ..Style::default() });
        cluster.write();
        cluster.server(0).end("k2hdkc", Signal::SIGKILL).unwrap();
        assert!(cluster.slave().sees(0, 0x10021));
        assert_eq!(cluster.readable() == 60, all, "REPLICA = {replicas}");
    }
}

#[test]
fn a_permanent_handle_survives_a_reload_and_breaks_for_ever_with_its_chmpx() {
    let mut cluster = Cluster::of(1, Style::default());
    let slave = cluster.slave();
    let (conf, place) = (slave.conf(), Place::at(slave.root()));
    let mut permanent = Client::permanent(&conf, place.clone()).unwrap();
    let mut each = Client::per_command(&conf, place);
    permanent.set("a", "1").unwrap();
    cluster.reload();
    assert_eq!(permanent.get("a").unwrap(), Some("1".to_owned()));
    let slave = cluster.slave();
    slave.end("chmpx", Signal::SIGHUP).unwrap();
    assert!(matches!(permanent.get("a"), Err(Failure::Broken)));
    assert!(matches!(each.get("a"), Err(Failure::NoChmpx(_))));
    slave.start_chmpx().unwrap();
    assert!(slave.sees(0, 0x21));
    assert!(matches!(permanent.get("a"), Err(Failure::Broken)));
    assert_eq!(each.get("a").unwrap(), Some("1".to_owned()));
    assert_eq!(each.get("none").unwrap(), None);
}

#[test]
fn a_slave_without_any_server_answers_errors_and_looks_until_one_is_there() {
    let mut cluster = Cluster::of(1, Style::default());
    cluster.write();
    cluster.kill(0);
    assert!(cluster.slave().sees(0, 0x10));
    assert!(matches!(cluster.slave().client().get("key-1"), Err(Failure::Ring(_))));
    cluster.server(0).start_chmpx().unwrap();
    assert!(cluster.slave().sees(0, 0x10011));
    cluster.server(0).start_k2hdkc(&[]).unwrap();
    cluster.wait_in_service();
    assert!(wait_for(PATIENCE, || cluster.readable() == 60));
}
