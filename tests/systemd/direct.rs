//! Units that run the programs directly: upstream's with the drop-ins that come with the agent.

use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, Shape};
use k2hdkc_tests::environments::{by_events, ready, say};

use crate::ring::{
    KEYS, LONG, all_readable, config, configure, holds, killed_and_told, pids, running, settled, told,
};

/// Kills with -9 and waits until both programs run in the right order, all are in service, and every key is readable.
fn survives(environment: &Environment, number: u32, program: &str, servers: usize) {
    let node = environment.node(number);
    let before = pids(node);
    configure(node, &by_events(&config("")));
    let begun = Instant::now();
    let told_after = killed_and_told(node, program);
    let anew = || {
        let now = pids(node);
        let chmpx = program != "chmpx" || now.0 != before.0;
        chmpx && now.0.is_some() && now.1.is_some() && now.1 != before.1
    };
    assert!(wait_for(LONG, anew), "{}", told(node));
    settled(environment, servers);
    all_readable(environment);
    say(&format!(
        "kill -9 of {program}: told by an event after {:.2} s, back in service, {KEYS} of {KEYS} keys, after {:.1} s",
        told_after.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    ));
    configure(node, &config(""));
}

#[test]
fn a_ring_of_units_is_started_scaled_and_brought_back_whatever_is_killed() {
    if !ready() {
        return;
    }
    let mut environment = Environment::start(Shape::Shipped, 0.1, 3, 1).unwrap();
    running(&environment, &config(""), 3);
    let before: Vec<_> = (1..=3).map(|number| environment.node(number).pid("chmpx")).collect();

    // Scale-out, and no chmpx is restarted.
    environment.add(4).unwrap();
    let begun = Instant::now();
    environment.node(4).start_agent(&config("")).unwrap();
    settled(&environment, 4);
    say(&format!("a fourth server is in every ring after {:.1} s", begun.elapsed().as_secs_f64()));
    let after: Vec<_> = (1..=3).map(|number| environment.node(number).pid("chmpx")).collect();
    assert_eq!(after, before);
    all_readable(&environment);

    survives(&environment, 2, "chmpx", 4);
    survives(&environment, 3, "k2hdkc", 4);

    // The agent: its processes run on, and the next one takes them over.
    let node = environment.node(1);
    let before = pids(node);
    node.kill("k2hdkc-agent", "KILL").unwrap();
    node.systemctl(&["start", "k2hdkc-agent.service"]).unwrap();
    settled(&environment, 4);
    assert_eq!(pids(node), before);

    // A masked unit is told with its remedy, and started as soon as it may be.
    node.systemctl(&["mask", "--runtime", "k2hdkc.service"]).unwrap();
    node.kill("k2hdkc", "KILL").unwrap();
    holds(node, "systemctl unmask k2hdkc.service");
    node.systemctl(&["unmask", "--runtime", "k2hdkc.service"]).unwrap();
    settled(&environment, 4);

    // One that fails to start is tried less and less often, and told as one that somebody must look at.
    node.drop_in("k2hdkc.service", "[Service]\nExecStartPre=/bin/false\n").unwrap();
    node.kill("k2hdkc", "KILL").unwrap();
    holds(node, "times in a row; its unit failed (exit-code");
    node.drop_in("k2hdkc.service", "").unwrap();
    settled(&environment, 4);

    // D-Bus goes and comes.
    node.systemctl(&["restart", "dbus.service"]).unwrap();
    survives(&environment, 1, "chmpx", 4);
    all_readable(&environment);
}
