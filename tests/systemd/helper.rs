//! Upstream's units: a helper in between, which starts its program again by itself, and a timer whose service reads K2HR3
//! and writes the same file in place.

use std::fs;
use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, INI, Node, Shape};
use k2hdkc_tests::environments::{by_events, ready, say};

use crate::ring::{
    LONG, all_readable, config, configure, killed_and_told, pids, settled, status, told, write_keys,
};

const TAKES_OVER: &str = "take-over = true\n[merge]\nby = \"chmpx\"\n";

const TIMER: &str = "k2hr3-get-resource.timer";
const READER: &str = "k2hr3-get-resource.service";

/// The beginning of the agent's file, and of no other.
const OWN: &str = "# Written by k2hdkc-agent ";

/// After so many changes somebody starts the timer again.
const STARTED_AGAIN: usize = 20;

/// As upstream has a node: its reader has brought the file and polls on, and helpers run both programs. No agent.
fn begin_without_agents(environment: &Environment) {
    for node in environment.nodes() {
        node.fetch_ini().unwrap();
        node.systemctl(&["enable", "--now", TIMER]).unwrap();
        node.systemctl(&["start", "chmpx.service"]).unwrap();
        if node.identity().is_server() {
            node.systemctl(&["start", "k2hdkc.service"]).unwrap();
        }
    }
    for node in environment.nodes() {
        let both = || pids(node).0.is_some() && pids(node).1.is_some() == node.identity().is_server();
        assert!(wait_for(LONG, both), "{}", told(node));
    }
}

fn is_taken_over(node: &Node) -> bool {
    node.state(TIMER) == "inactive"
        && node.show(TIMER, "UnitFileState") == "disabled"
        && node.state(READER) != "activating"
}

/// Counts how often the reader has written, and how often a chmpx has ended since its helper began.
fn writes_and_ends(node: &Node) -> (usize, usize) {
    let (reader, helper) = (node.journal(READER), node.journal("chmpx.service"));
    (reader.matches("] writes ").count(), helper.matches("] chmpx ended").count())
}

/// The agents come to nodes that run: no process ends of that, and the reader is ended.
fn take_over(environment: &Environment) {
    let before: Vec<_> = environment.nodes().map(|node| node.pid("chmpx")).collect();
    for node in environment.nodes() {
        node.start_agent(&config(TAKES_OVER)).unwrap();
    }
    assert!(wait_for(LONG, || environment.nodes().all(is_taken_over)), "{}", told(environment.node(1)));
    settled(environment, 2);
    for (node, before) in environment.nodes().zip(before) {
        assert_eq!(node.pid("chmpx"), before, "{}", told(node));
    }
}

/// 200 changes, among which somebody starts the reader again ten times, on one node after the other. Whatever it does, each
/// change comes to every file, the reader is ended each time, and the agent's file is the last word. No chmpx ends, with one
/// exception that no agent can rule out: where the reader came to write in place before it was ended, chmpx may have read
/// half of it.
fn race(environment: &Environment) {
    let before: Vec<_> = environment.nodes().map(|node| node.pid("chmpx")).collect();
    let address = environment.ground().identity(110).address;
    // A look by `docker exec` would take from the agents most of the time that is measured here.
    let files: Vec<_> = environment.nodes().map(|node| node.root().unwrap().join(&INI[1..])).collect();
    let begun = Instant::now();
    for change in 0..200 {
        let raced = environment.nodes().cycle().nth(change / STARTED_AGAIN).unwrap();
        if change % STARTED_AGAIN == 0 {
            raced.systemctl(&["enable", "--quiet", "--now", TIMER]).unwrap();
        }
        let is_last = change % STARTED_AGAIN == STARTED_AGAIN - 1;
        if is_last {
            assert!(wait_for(LONG, || is_taken_over(raced)), "change {change}: {}", told(raced));
        }
        let listed = change % 2 == 0;
        if listed {
            environment.ground().register(110);
        } else {
            environment.ground().deregister(110);
        }
        for (node, file) in environment.nodes().zip(&files) {
            // The reader may have written the same ring: that is no change to the agent.
            let is_right =
                |text: String| text.contains(&address) == listed && (text.starts_with(OWN) || !is_last);
            let followed = || fs::read_to_string(file).is_ok_and(is_right);
            assert!(wait_for(LONG, followed), "change {change}: {}", told(node));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    settled(environment, 2);
    let (mut writes, mut ends) = (0, 0);
    for (node, before) in environment.nodes().zip(before) {
        let (wrote, ended) = writes_and_ends(node);
        assert!(ended <= wrote, "{ended} chmpx ended, and {wrote} writes in place: {}", told(node));
        assert_eq!(node.pid("chmpx") == before, ended == 0, "{}", told(node));
        (writes, ends) = (writes + wrote, ends + ended);
    }
    let races = 200 / STARTED_AGAIN;
    say(&format!(
        "200 changes in every file after {seconds:.1} s; in {races} races the reader came to write {writes} times before it \
         was ended, and {ends} chmpx ended of that"
    ));
}

#[test]
fn behind_helpers_the_ring_is_kept_as_well_and_the_incumbent_is_taken_over() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Helper, 0.05, 2, 1).unwrap();
    begin_without_agents(&environment);
    take_over(&environment);
    write_keys(&environment);
    race(&environment);
    all_readable(&environment);

    // chmpx -9 on a server: its helper starts another, and the agent sees to it that k2hdkc is younger.
    // Nothing but an event tells the agent of it.
    let node = environment.node(2);
    let before = pids(node);
    configure(node, &by_events(&config(TAKES_OVER)));
    let begun = Instant::now();
    let told_after = killed_and_told(node, "chmpx").as_secs_f64();
    let anew = || pids(node).0 != before.0 && pids(node).1 != before.1 && pids(node).1.is_some();
    assert!(wait_for(LONG, anew), "{}", told(node));
    settled(&environment, 2);
    all_readable(&environment);
    say(&format!(
        "behind helpers, kill -9 of chmpx: told by an event after {told_after:.2} s, back after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    configure(node, &config(TAKES_OVER));

    // A helper that hands chmpx another ini is told, with the line that mends it, and not started in vain.
    let slave = environment.node(100);
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
        status(slave)
            .and_then(|status| status.processes)
            .is_some_and(|processes| processes.text.contains(&text))
    };
    assert!(wait_for(LONG, told_so), "{}", told(slave));
    hand("k2hdkc.ini");
    settled(&environment, 2);
}
