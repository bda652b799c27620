//! Agent, chmpx and k2hdkc killed with -9, in every order and at every step: converged again, nothing lost.

use std::time::{Duration, Instant};

use k2hdkc_agent::process_status::State;
use k2hdkc_simulators::node::{FILE_SOURCE, wait_for};
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

const KEYS: usize = 60;
const VICTIMS: [&str; 3] = ["agent", "chmpx", "k2hdkc"];

fn style() -> Style {
    Style { replicas: 1, ..Style::default() }
}

/// Every order of every selection of the three.
fn orders() -> Vec<Vec<&'static str>> {
    let mut orders = Vec::new();
    for first in VICTIMS {
        orders.push(vec![first]);
        for second in VICTIMS.into_iter().filter(|second| *second != first) {
            orders.push(vec![first, second]);
            orders.extend(
                VICTIMS
                    .into_iter()
                    .filter(|third| *third != first && *third != second)
                    .map(|third| vec![first, second, third]),
            );
        }
    }
    orders
}

/// Kills them on server 2, and the agent's successor comes; how long until all is well.
fn recovered(ring: &mut Ring, victims: &[&str]) -> Duration {
    let pids: Vec<_> = victims.iter().map(|victim| ring.pid(2, victim)).collect();
    let begun = Instant::now();
    for (victim, pid) in victims.iter().zip(&pids) {
        match (*victim, *pid) {
            ("agent", _) => ring.node_mut(2).kill().unwrap(),
            (_, Some(pid)) => k2hdkc_tests::ring::signal(pid, "KILL").unwrap(),
            (program, None) => unreachable!("no {program} runs: {}", ring.told(2)),
        }
    }
    if victims.contains(&"agent") {
        ring.node_mut(2).start().unwrap();
    }
    // The old standing may still be told; what counts is one with other processes.
    let others = |ring: &Ring| {
        let mut programs = victims.iter().zip(&pids).filter(|(victim, _)| **victim != "agent");
        programs.all(|(victim, pid)| ring.pid(2, victim).is_some_and(|now| Some(now) != *pid))
    };
    let well = |ring: &Ring| others(ring) && (1..=3).all(|number| ring.is_settled(number));
    assert!(wait_for(PATIENCE, || well(ring)), "{victims:?}\n{}", ring.told(2));
    begun.elapsed()
}

#[test]
fn killed_in_every_order_the_node_comes_back_and_no_key_is_lost() {
    let mut ring = Ring::running(style(), "", 3, 1).unwrap();
    ring.write(100, KEYS).unwrap();
    let mut times = Vec::new();
    for victims in orders() {
        let before = (ring.pid(2, "chmpx"), ring.pid(2, "k2hdkc"));
        let took = recovered(&mut ring, &victims);
        let after = (ring.pid(2, "chmpx"), ring.pid(2, "k2hdkc"));
        if victims.contains(&"chmpx") {
            assert!(
                after.0 != before.0 && after.1 != before.1,
                "{victims:?}: never chmpx alone\n{}",
                ring.told(2)
            );
        }
        ring.all_readable(100, KEYS)
            .unwrap_or_else(|left| panic!("{victims:?}: {left} of {KEYS}\n{}", ring.told(2)));
        println!(
            "kill -9 of {:<24} recovered after {:>5} ms, {KEYS} of {KEYS} keys",
            victims.join(", "),
            took.as_millis()
        );
        times.push(took);
    }
    assert_eq!(times.len(), 15);
}

/// The agent is killed over and over while it drives a restart of everything; each successor goes on.
#[test]
fn an_agent_killed_at_every_step_of_a_restart_is_followed_by_one_that_goes_on() {
    let mut ring = Ring::running(style(), "timing.restart-stagger = \"0s\"", 3, 1).unwrap();
    ring.write(100, KEYS).unwrap();
    let chmpx = ring.pid(2, "chmpx");
    ring.tell_more(2, &[1, 2, 3], &[100], "MAXHISTLOG = 7").unwrap();
    let steps = ["stop k2hdkc", "stop chmpx", "start chmpx", "start k2hdkc"];
    for step in steps {
        let log = ring.node(2).log().len();
        let taken = |ring: &Ring| ring.node(2).log().get(log..).is_some_and(|log| log.contains(step));
        assert!(wait_for(PATIENCE, || taken(&ring)), "no {step}:\n{}", ring.told(2));
        ring.node_mut(2).kill().unwrap();
        ring.node_mut(2).start().unwrap();
    }
    ring.settled().unwrap();
    assert_ne!(ring.pid(2, "chmpx"), chmpx);
    ring.all_readable(100, KEYS).unwrap();
    // A second server joins, so that a k2hdkc without its callbacks would show.
    ring.add(4).unwrap();
    ring.tell(&[1, 2, 3, 4], &[100]).unwrap();
    ring.node_mut(4).start().unwrap();
    ring.settled().unwrap();
    ring.all_readable(100, KEYS).unwrap();
}

#[test]
fn a_k2hr3_that_does_not_answer_keeps_nobody_from_caring_for_the_processes() {
    let ring = Ring::running(style(), "", 2, 0).unwrap();
    // It takes connections, and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let node = ring.node(2);
    node.write("etc/antpickax/k2hr3-api-uri", &format!("http://{}", mute.local_addr().unwrap())).unwrap();
    let config = node.plan().config.replace(FILE_SOURCE, "");
    node.swap("etc/k2hdkc-agent/agent.toml", &config).unwrap();
    mute.set_nonblocking(true).unwrap();
    let mut asked = None;
    let is_asked = || {
        asked = asked.take().or_else(|| mute.accept().ok());
        asked.is_some()
    };
    assert!(wait_for(PATIENCE, is_asked), "{}", ring.told(2));
    let (chmpx, begun) = (ring.kill(2, "chmpx").unwrap(), Instant::now());
    let recovered = || {
        let processes = ring.processes(2);
        processes.is_some_and(|now| {
            now.state == State::Converged && now.chmpx.is_some_and(|process| process.pid != chmpx)
        })
    };
    assert!(wait_for(Duration::from_secs(20), recovered), "{}", ring.told(2));
    println!("recovered after {:.1} s beside a question of 30 s", begun.elapsed().as_secs_f64());
}
