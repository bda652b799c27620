//! A cluster that is born, grows and shrinks by nothing but VMs that are started and one that is told to leave; then one of
//! them is rebooted, and its disk copied.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::fleet::Fleet;
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::{Container, keys, say};

use crate::readers::{KEYS, Seen};
use crate::{LONG, cloud, settled, told, turn};

/// The slaves.
const SLAVES: [u32; 2] = [100, 101];

/// Starts VMs at once, waits until every VM has them in its ring, and says how long each took.
fn grow(fleet: &mut Fleet, numbers: &[u32], servers: usize) {
    fleet.boot(numbers).unwrap();
    for (number, took) in settled(fleet, numbers, servers) {
        say(&format!(
            "node{number}: {:.1} s from the start of its container to its place in the ring of {servers} servers",
            took.as_secs_f64()
        ));
    }
}

fn slaves(fleet: &Fleet) -> Vec<Container> {
    SLAVES.map(|number| fleet.node(number).container().clone()).to_vec()
}

/// Which chmpx runs on each VM, by pid and start.
fn chmpx(fleet: &Fleet) -> BTreeMap<u32, (u32, u64)> {
    let of = |number: u32| {
        let node = fleet.node(number);
        let pid = node.pid("chmpx").unwrap();
        (number, (pid, node.started(pid).unwrap()))
    };
    fleet.numbers().into_iter().map(of).collect()
}

/// Waits until each slave reads every key.
fn all_readable(fleet: &Fleet) {
    for number in SLAVES {
        let mut found = 0;
        let all = wait_for(LONG, || {
            found = keys::readable(fleet.node(number), INI, KEYS).unwrap_or_default();
            found == KEYS
        });
        assert!(all, "node{number} reads {found} of {KEYS} keys: {}", told(fleet, number));
    }
}

/// Counts how often a VM has asked K2HR3 to register it.
fn registrations(fleet: &Fleet, number: u32) -> usize {
    let peer = fleet.vm(number).peer();
    let requests = fleet.ground().lab().requests();
    requests
        .iter()
        .filter(|request| request.method == "PUT" && Some(request.peer.to_canonical()) == peer)
        .count()
}

/// Counts how often the script of its user-data has run to its end on a VM.
fn entered(fleet: &Fleet, number: u32) -> usize {
    let log = fleet.node(number).read("/var/log/cloud-init-output.log").unwrap();
    log.lines().filter(|line| line.starts_with("k2hr3-init: k2hdkc-agent was installed")).count()
}

#[test]
fn vms_become_a_cluster_by_their_user_data_alone_and_come_back_after_a_reboot() {
    let _turn = turn();
    let Some(mut fleet) = cloud() else { return };
    grow(&mut fleet, &[1, 2, 3], 3);
    grow(&mut fleet, &SLAVES, 3);
    let written = keys::write_at_last(fleet.node(100), INI, KEYS, LONG);
    assert!(written.is_ok(), "{written:?} {}", told(&fleet, 100));
    all_readable(&fleet);

    let (seen, at_leave, before) = (Seen::default(), Seen::default(), chmpx(&fleet));
    seen.during(&slaves(&fleet), || grow(&mut fleet, &[4, 5], 5));
    seen.assert_served();
    all_readable(&fleet);
    let with_five = chmpx(&fleet);
    assert!(before.iter().all(|(number, chmpx)| with_five[number] == *chmpx), "{before:?} {with_five:?}");

    at_leave.during(&slaves(&fleet), || leaves(&fleet, 2));
    at_leave.assert_served();
    fleet.delete(2).unwrap();
    settled(&fleet, &[], 4);
    all_readable(&fleet);
    let with_four = chmpx(&fleet);
    assert!(
        with_four.iter().all(|(number, chmpx)| with_five[number] == *chmpx),
        "{with_five:?} {with_four:?}"
    );
    let sum = |count: fn(&Seen) -> &AtomicUsize| {
        [&seen, &at_leave].map(|seen| count(seen).load(Ordering::SeqCst)).iter().sum::<usize>()
    };
    say(&format!(
        "two servers came and one left: {KEYS} of {KEYS} keys readable, no chmpx restarted; the slaves read all {} times, and \
         {} reads of {} failed meanwhile",
        sum(|seen| &seen.rounds),
        sum(|seen| &seen.missed),
        sum(|seen| &seen.rounds) * KEYS
    ));

    reboots(&mut fleet, 3);
    becomes_another(&mut fleet, 3, 6);
}

fn leaves(fleet: &Fleet, number: u32) {
    let begun = Instant::now();
    // It is refused as long as its agent has not seen that the newest servers are in service.
    let mut output = None;
    let left = wait_for(LONG, || {
        output = fleet.node(number).output(&["k2hdkc-agent", "leave", "--timeout", "90s"]).ok();
        output.as_ref().is_some_and(|output| output.status.success())
    });
    assert!(left, "{output:?} {}", told(fleet, number));
    assert!(!fleet.ground().is_member(number));
    say(&format!("node{number} left after {:.1} s", begun.elapsed().as_secs_f64()));
}

/// A reboot in good order: the VM comes back as what it was, and nobody enters it anew.
fn reboots(fleet: &mut Fleet, number: u32) {
    assert_eq!((registrations(fleet, number), entered(fleet, number)), (1, 1));
    fleet.shut_down(number).unwrap();
    assert!(fleet.ground().is_member(number), "a reboot is no leave");
    fleet.start(number).unwrap();
    let took = settled(fleet, &[number], 4);
    all_readable(fleet);
    assert_eq!((registrations(fleet, number), entered(fleet, number)), (1, 1));
    assert_eq!(records(fleet).len(), 4);
    say(&format!(
        "node{number} was back in the ring {:.1} s after its reboot began",
        took[0].1.as_secs_f64()
    ));
}

/// The CUKs in the role of the servers.
fn records(fleet: &Fleet) -> Vec<String> {
    let (lab, role) = (fleet.ground().lab(), &fleet.ground().cluster().server_role);
    lab.members(role).into_iter().filter_map(|record| record.cuk).collect()
}

/// Another VM from the same disk is another node: cloud-init enters it, and the first one stays what it is.
fn becomes_another(fleet: &mut Fleet, of: u32, number: u32) {
    fleet.boot_copy(of, number).unwrap();
    settled(fleet, &[number], 5);
    let mut cuks = records(fleet);
    cuks.sort();
    assert_eq!(cuks, ["cuk-1", "cuk-3", "cuk-4", "cuk-5", "cuk-6"]);
    assert_eq!((registrations(fleet, of), registrations(fleet, number)), (1, 1));
    all_readable(fleet);
}
