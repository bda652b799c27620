//! A server leaves for good: its units are stopped and start at no boot.

use std::collections::BTreeSet;
use std::time::Instant;

use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, Node, Shape};
use k2hdkc_tests::environments::{ready, say};

use crate::ring::{KEYS, LONG, all_readable, config, is_settled, pids, running, status, told};

const GENERATOR: &str = "/etc/systemd/system-generators/slow";

fn is_member(environment: &Environment, number: u32) -> bool {
    let members = environment.ground().lab().members(&environment.ground().cluster().server_role);
    members.iter().any(|member| member.host == environment.node(number).identity().address)
}

fn has_left(node: &Node) -> bool {
    let leaving = status(node).and_then(|status| status.leaving);
    leaving.is_some_and(|leaving| leaving.stage == Stage::Left)
}

/// systemd's own reading of its units, which follows each `disable`, takes longer than the agent waits for an answer.
fn make_reloads_slow(node: &Node) {
    node.put("/tmp/slow", "#!/bin/sh\nsleep 6\n").unwrap();
    node.exec(&["install", "-D", "-m", "0755", "/tmp/slow", GENERATOR]).unwrap();
}

fn leaves_and_comes_back(shape: Shape) {
    if !ready() {
        return;
    }
    let environment = Environment::start(shape, 0.1, 3, 1).unwrap();
    running(&environment, &config(""), 3);
    let node = environment.node(3);
    node.systemctl(&["enable", "chmpx.service", "k2hdkc.service"]).unwrap();
    if shape == Shape::Direct {
        make_reloads_slow(node);
    }
    let begun = Instant::now();
    let output = node.output(&["k2hdkc-agent", "leave", "--timeout", "90s"]).unwrap();
    assert!(output.status.success(), "{output:?} {}", told(node));
    let took = begun.elapsed().as_secs_f64();
    assert!(!is_member(&environment, 3) && has_left(node), "{}", told(node));
    for unit in ["chmpx.service", "k2hdkc.service"] {
        // A helper ends a moment after its program.
        node.becomes(unit, "inactive", LONG).unwrap();
        assert_eq!(node.show(unit, "UnitFileState"), "disabled", "{}", told(node));
    }
    let others = || [1, 2, 100].into_iter().all(|number| is_settled(environment.node(number), 2));
    assert!(wait_for(LONG, others), "{}", told(environment.node(1)));
    all_readable(&environment);

    node.exec(&["rm", "-f", GENERATOR]).unwrap();

    // As after a boot: the agent starts, and nothing else does.
    node.systemctl(&["restart", "k2hdkc-agent.service"]).unwrap();
    let mut looks = BTreeSet::new();
    let twice = || {
        let looked = status(node).filter(|status| status.outcome.is_some());
        looks.extend(looked.map(|status| status.at.0));
        looks.len() >= 2 && has_left(node)
    };
    assert!(wait_for(LONG, twice), "{}", told(node));
    assert_eq!(pids(node), (None, None), "{}", told(node));

    let output = node.output(&["k2hdkc-agent", "join", "--timeout", "90s"]).unwrap();
    assert!(output.status.success(), "{output:?} {}", told(node));
    let all = || [1, 2, 3, 100].into_iter().all(|number| is_settled(environment.node(number), 3));
    assert!(wait_for(LONG, all), "{}", told(node));
    all_readable(&environment);
    for unit in ["chmpx.service", "k2hdkc.service"] {
        assert_eq!(node.show(unit, "UnitFileState"), "enabled", "as before it left: {}", told(node));
    }
    say(&format!(
        "one of three servers in units ({shape:?}) left after {took:.1} s, {KEYS} of {KEYS} keys readable"
    ));
}

#[test]
fn a_server_in_units_leaves_and_comes_back_by_join() {
    leaves_and_comes_back(Shape::Direct);
}

#[test]
fn a_server_behind_upstreams_helpers_leaves_and_comes_back_by_join() {
    leaves_and_comes_back(Shape::Helper);
}

#[test]
fn where_that_is_wanted_a_power_off_takes_a_server_out_and_a_reboot_does_not() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Shipped, 0.1, 3, 1).unwrap();
    running(&environment, &config(""), 3);
    for number in [2, 3] {
        environment.node(number).systemctl(&["enable", "--quiet", "k2hdkc-agent.service"]).unwrap();
        environment
            .node(number)
            .systemctl(&["enable", "--quiet", "--now", "k2hdkc-agent-leave.service"])
            .unwrap();
    }
    let goes = |number: u32, how: &str| {
        // The answer may not come any more.
        let _ = environment.node(number).systemctl(&[how, "--no-block"]);
        let went = wait_for(LONG, || !environment.node(number).container().is_running());
        assert!(went, "{how}: {}", told(environment.node(number)));
    };
    let rebooted = environment.node(2);
    goes(2, "reboot");
    assert!(is_member(&environment, 2));
    rebooted.container().start().unwrap();
    rebooted.booted().unwrap();
    let all = || [1, 2, 3, 100].into_iter().all(|number| is_settled(environment.node(number), 3));
    assert!(wait_for(LONG, all), "{}", told(rebooted));

    let begun = Instant::now();
    goes(3, "poweroff");
    assert!(!is_member(&environment, 3));
    let took = begun.elapsed().as_secs_f64();
    let others = || [1, 2, 100].into_iter().all(|number| is_settled(environment.node(number), 2));
    assert!(wait_for(LONG, others), "{}", told(environment.node(1)));
    all_readable(&environment);
    say(&format!(
        "a power-off took a server out of the cluster after {took:.1} s, {KEYS} of {KEYS} keys readable"
    ));
}
