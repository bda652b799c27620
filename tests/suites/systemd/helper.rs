//! Upstream's units: a helper in between, which starts its program again by itself.

use std::time::Instant;

use k2hdkc_sandbox::node::wait_for;
use k2hdkc_sandbox::worlds::systemd::{INI, Shape, World};
use k2hdkc_sandbox::worlds::{ready, say};

use crate::ring::{LONG, all_readable, config, pids, running, settled, status, told};

#[test]
fn behind_helpers_the_ring_is_kept_as_well_and_the_incumbent_is_taken_over() {
    if !ready() {
        return;
    }
    let world = World::start(Shape::Helper, 0.05, 2, 1).unwrap();
    // The timer that writes the same file in place runs on every node.
    for node in world.nodes() {
        node.systemctl(&["enable", "--now", "k2hr3-get-resource.timer"]).unwrap();
    }
    running(&world, &config("take-over = true\n"), 2);
    for node in world.nodes() {
        let gone = || node.state("k2hr3-get-resource.timer") == "inactive";
        assert!(wait_for(LONG, gone), "{}", told(node));
        assert_eq!(node.show("k2hr3-get-resource.timer", "UnitFileState"), "disabled");
    }

    // 200 changes: chmpx never ends, and the agent's file is the last word.
    let before: Vec<_> = [1, 2, 100].map(|number| world.node(number).pid("chmpx")).to_vec();
    let begun = Instant::now();
    for change in 0..200u32 {
        if change % 2 == 0 {
            world.ground().register(110);
        } else {
            world.ground().deregister(110);
        }
        let listed = change % 2 == 0;
        let address = world.ground().identity(110).address;
        let followed =
            || world.nodes().all(|node| node.read(INI).is_ok_and(|text| text.contains(&address) == listed));
        assert!(wait_for(LONG, followed), "change {change}: {}", told(world.node(1)));
    }
    say(&format!("200 changes in every file after {:.1} s", begun.elapsed().as_secs_f64()));
    settled(&world, 2);
    assert_eq!([1, 2, 100].map(|number| world.node(number).pid("chmpx")).to_vec(), before, "no chmpx ended");

    // chmpx -9 on a server: its helper starts another, and the agent sees to it that k2hdkc is younger.
    let node = world.node(2);
    let before = pids(node);
    let begun = Instant::now();
    node.kill("chmpx", "KILL").unwrap();
    let anew = || pids(node).0 != before.0 && pids(node).1 != before.1 && pids(node).1.is_some();
    assert!(wait_for(LONG, anew), "{}", told(node));
    settled(&world, 2);
    all_readable(&world);
    say(&format!("behind helpers, kill -9 of chmpx: back after {:.1} s", begun.elapsed().as_secs_f64()));

    // A helper that hands chmpx another ini is told, with the line that mends it, and not started in vain.
    let slave = world.node(100);
    let hand = |ini: &str| {
        let set = format!("s/CHMPX_INI_CONF_FILE .*/CHMPX_INI_CONF_FILE = {ini}/");
        slave.exec(&["sed", "-i", &set, "/etc/antpickax/override.conf"]).unwrap();
    };
    hand("other.ini");
    slave.systemctl(&["stop", "chmpx.service"]).unwrap();
    let text = format!(
        "hands it /etc/antpickax/other.ini, and not {INI}: set 'chmpx-service-helper.conf:CHMPX_INI_CONF_FILE"
    );
    let told_so = || {
        status(slave).and_then(|status| status.standing).is_some_and(|standing| standing.text.contains(&text))
    };
    assert!(wait_for(LONG, told_so), "{}", told(slave));
    hand("k2hdkc.ini");
    settled(&world, 2);
}
