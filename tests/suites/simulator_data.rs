//! What becomes of keys in the simulated ring, beside what was measured on the real one (docs/facts.md D).
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

#[path = "simulators/cluster.rs"]
mod cluster;

use cluster::Cluster;
use k2hdkc_sandbox::node::wait_for;
use k2hdkc_sandbox::simulators::stage::Style;
use nix::sys::signal::Signal;
use std::time::Duration;

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

#[test]
fn one_server_of_three_may_be_killed_where_there_is_a_replica() {
    let mut cluster = Cluster::of(3, Style { replicas: 1, ..Style::default() });
    cluster.write();
    cluster.kill(1);
    assert!(wait_for(Duration::from_secs(10), || cluster.readable() == 60), "{} of 60", cluster.readable());
}

#[test]
fn three_servers_that_leave_and_come_one_by_one_lose_nothing() {
    let mut cluster = Cluster::of(2, Style::default());
    cluster.write();
    cluster.grow();
    assert_eq!(cluster.readable(), 60, "of two three");
    cluster.service_out(0);
    assert_eq!(cluster.readable(), 60, "the first is out");
    cluster.server(0).end("k2hdkc", Signal::SIGTERM).unwrap();
    assert_eq!(cluster.readable(), 60, "and gone");
}
