//! Copies that last longer than anybody predicted.

use std::time::{Duration, UNIX_EPOCH};

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

const KEYS: usize = 60;
const SERVERS: [u32; 3] = [1, 2, 3];
/// Longer than a change may last while slaves stand still.
const SLOW: &str = "merge-ms = 21500\n";

/// Tells a node of the servers, with a database file that the agent sees as its k2hdkc does.
fn tell(ring: &Ring, number: u32, servers: &[u32]) {
    ring.tell_one(number, servers, &[100]).unwrap();
    let node = ring.node(number);
    let ini = std::fs::read_to_string(node.root().join("source.ini")).unwrap();
    let above = "/..".repeat(node.root().components().count());
    let file = format!("{above}{}/data/keys.k2h", node.root().display());
    node.give(&ini.replace("/data/keys.k2h", &file)).unwrap();
}

/// Two servers and a slave, with keys.
fn two_servers() -> Ring {
    let mut ring = Ring::new(Style { replicas: 1, ..Style::default() }, "").unwrap();
    for number in [1, 2, 100] {
        ring.add(number).unwrap();
        tell(&ring, number, &[1, 2]);
        ring.node_mut(number).start().unwrap();
    }
    ring.settled().unwrap();
    ring.write(100, KEYS).unwrap();
    ring
}

fn faults(ring: &Ring, toml: &str) {
    for number in SERVERS {
        ring.faults(number, toml).unwrap();
    }
}

/// Waits while each k2hdkc writes to its file: a copy in which nothing moves is ended for that.
fn while_they_work(ring: &Ring, mut condition: impl FnMut() -> bool) -> bool {
    let mut at = UNIX_EPOCH;
    wait_for(PATIENCE, || {
        at += Duration::from_secs(1);
        for number in SERVERS {
            let file = ring.node(number).root().join("data/keys.k2h");
            if let Ok(file) = std::fs::File::options().append(true).open(file) {
                file.set_modified(at).unwrap();
            }
        }
        condition()
    })
}

fn told(ring: &Ring) -> String {
    SERVERS.map(|number| ring.told(number)).join("\n")
}

fn aborts(ring: &Ring) -> usize {
    SERVERS.iter().map(|number| ring.node(*number).log().matches("ring change: ABORTMERGE").count()).sum()
}

#[test]
fn a_newcomer_whose_copy_was_cut_off_waits_to_be_confirmed_and_joins_however_long_it_takes_then() {
    let mut ring = two_servers();
    ring.add(3).unwrap();
    faults(&ring, SLOW);
    for number in [1, 2, 3, 100] {
        tell(&ring, number, &SERVERS);
    }
    ring.node_mut(3).start().unwrap();
    let mut is_fast = false;
    let was_cut = while_they_work(&ring, || {
        // The copy of the way back has nothing to bring.
        if !is_fast && aborts(&ring) > 0 {
            faults(&ring, "");
            is_fast = true;
        }
        ring.node(3).log().contains("the copy was cut off after")
    });
    assert!(was_cut, "{}", told(&ring));
    faults(&ring, SLOW);
    let change = || ring.status(3)?.ring?.change;
    let is_held = wait_for(PATIENCE, || change().is_some_and(|change| change.code == "ring-too-long"));
    assert!(is_held, "{}", ring.told(3));
    assert!(change().is_some_and(|change| change.text.contains("confirm join")), "{}", ring.told(3));
    let undone = |number: &u32| ring.node(*number).log().contains("a change of the ring was undone");
    assert!(wait_for(PATIENCE, || SERVERS.iter().all(undone)), "{}", ring.told(1));
    let cut_off = aborts(&ring);
    assert!(ring.node(3).run(&["confirm", "join"]).unwrap().status.success());
    let joined = while_they_work(&ring, || [1, 2, 3, 100].iter().all(|number| ring.is_settled(*number)));
    assert!(joined, "{}", told(&ring));
    ring.all_readable(100, KEYS).unwrap();
    assert_eq!(aborts(&ring), cut_off, "{}", told(&ring));
    let log = ring.node(3).log();
    let end = log.lines().rfind(|line| line.contains("the ring has changed")).unwrap();
    println!("{end}");
    let took = ring.status(3).unwrap().ring.unwrap().last.unwrap().ended.copy;
    assert!(took >= Duration::from_secs(20), "{}", told(&ring));
}
