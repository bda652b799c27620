//! The units and drop-ins of `systemd/` themselves: what systemd thinks of them, and what holds without any agent.

use k2hdkc_agent::process_status::State;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, Node, Shape};
use k2hdkc_tests::environments::{ready, say};

use crate::ring::{LONG, config, pids, settled, status, told};

const AGENT: &str = "k2hdkc-agent.service";

/// Returns what systemd itself has against the units.
fn examined(node: &Node) {
    let own = [AGENT, "k2hdkc-agent-bootstrap.service", "k2hdkc-agent-leave.service"];
    let verify = [&["systemd-analyze", "verify"], &own[..], &["chmpx.service", "k2hdkc.service"]].concat();
    let output = node.output(&verify).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    // Out of 100, the lower the better; below 50 systemd calls it OK.
    let rated = node.exec(&["systemd-analyze", "security", "--no-pager", "--threshold=50", AGENT]).unwrap();
    say(rated.lines().last().unwrap_or_default());
}

/// Until the agent was heard by systemd's watchdog again.
fn feeds(node: &Node) {
    let fed = || node.show(AGENT, "WatchdogTimestampMonotonic");
    let before = fed();
    assert!(wait_for(LONG, || fed() != before), "the watchdog is not fed: {}", told(node));
}

/// When a unit last ended without a fault, in seconds. systemd forgets at once what no other unit is bound to; the
/// journal does not.
fn ended_well(node: &Node, unit: &str) -> f64 {
    let journal = ["journalctl", "--no-pager", "--output", "short-unix", "--unit", unit];
    let last = || {
        let log = node.exec(&journal).unwrap();
        let line = log.lines().rfind(|line| line.contains("Deactivated successfully"))?.to_owned();
        line.split_whitespace().next()?.parse().ok()
    };
    // What was said last is perhaps not in the file yet.
    node.exec(&["journalctl", "--sync"]).unwrap();
    assert!(wait_for(LONG, || last().is_some()), "{}", told(node));
    last().unwrap()
}

#[test]
fn the_agent_s_unit_is_sound_and_lets_it_work_say_how_it_is_and_be_missed_when_it_hangs() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Shipped, 0.1, 1, 1).unwrap();
    let node = environment.node(1);
    examined(node);
    node.drop_in(AGENT, "[Service]\nWatchdogSec=10s\n").unwrap();
    // systemd cannot hand over credentials where mounts are private, as in a container.
    node.exec(&["mount", "--make-rshared", "/"]).unwrap();
    // The token comes as a credential and stands nowhere else.
    let token = node.read("/etc/antpickax/k2hr3-role-token").unwrap();
    node.exec(&["rm", "/etc/antpickax/k2hr3-role-token"]).unwrap();
    node.put("/etc/credstore/k2hr3-role-token", &token).unwrap();
    let credential = "[k2hr3]\nauth = \"token\"\ntoken-file = \"/run/credentials/k2hdkc-agent.service/k2hr3-role-token\"\n";
    node.start_agent(&(config("") + credential)).unwrap();
    environment.node(100).start_agent(&config("")).unwrap();
    settled(&environment, 1);

    // It says how it is, and that it lives.
    let says = |text: &str| wait_for(LONG, || node.show(AGENT, "StatusText").contains(text));
    assert!(says("in the ring, 1 of 1 servers in service; file "), "{}", node.show(AGENT, "StatusText"));
    feeds(node);
    assert_eq!(node.show(AGENT, "NRestarts"), "0");

    // A reload is one for systemd, too, and ends.
    node.put("/etc/k2hdkc-agent/conf.d/bad.toml", "[poll]\ninterval = 7\n").unwrap();
    node.systemctl(&["reload", AGENT]).unwrap();
    assert!(says("the new configuration is refused; "), "{}", node.show(AGENT, "StatusText"));
    node.exec(&["rm", "/etc/k2hdkc-agent/conf.d/bad.toml"]).unwrap();
    node.systemctl(&["reload", AGENT]).unwrap();
    node.becomes(AGENT, "active", LONG).unwrap();

    // An agent that hangs is ended and started again; the processes run on.
    let before = (pids(node), node.main_pid(AGENT));
    node.kill("k2hdkc-agent", "STOP").unwrap();
    let anew = || ![0, before.1].contains(&node.main_pid(AGENT)) && node.state(AGENT) == "active";
    assert!(wait_for(LONG, anew), "{}", told(node));
    let missed = || node.journal(AGENT).contains("Watchdog timeout");
    assert!(wait_for(LONG, missed), "{}", node.journal(AGENT));
    settled(&environment, 1);
    assert_eq!(pids(node), before.0);
}

#[test]
fn an_agent_that_cannot_start_for_a_while_comes_up_by_itself_when_it_can() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Shipped, 0.1, 1, 0).unwrap();
    let node = environment.node(1);
    // systemd gives up after five starts in ten seconds, where a unit does not say otherwise.
    node.drop_in(AGENT, "[Service]\nRestartSec=100ms\nExecStartPre=/usr/bin/test ! -e /run/full\n").unwrap();
    node.put("/run/full", "").unwrap();
    node.put("/etc/k2hdkc-agent/agent.toml", &config("")).unwrap();
    node.systemctl(&["start", "--no-block", AGENT]).unwrap();
    let tries = || node.show(AGENT, "NRestarts").parse().is_ok_and(|tries: u32| tries >= 10);
    assert!(wait_for(LONG, tries), "{}", node.journal(AGENT));
    node.exec(&["rm", "/run/full"]).unwrap();
    node.becomes(AGENT, "active", LONG).unwrap();
    settled(&environment, 1);
}

#[test]
fn without_an_agent_systemd_leaves_no_older_k2hdkc_beside_a_newer_chmpx() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Shipped, 0.1, 1, 0).unwrap();
    let node = environment.node(1);
    node.start_agent(&config("")).unwrap();
    settled(&environment, 1);
    let converged = status(node).and_then(|status| status.processes).map(|processes| processes.state);
    assert_eq!(converged, Some(State::Converged));
    node.systemctl(&["stop", AGENT]).unwrap();
    assert_eq!(node.show("chmpx.service", "User"), "k2hdkc");

    // A restart of chmpx by hand takes k2hdkc with it, which is younger then.
    let (chmpx, k2hdkc) = pids(node);
    node.systemctl(&["restart", "chmpx.service"]).unwrap();
    let both = || pids(node).0.is_some() && pids(node).1.is_some();
    assert!(wait_for(LONG, both), "{}", told(node));
    let (newer, youngest) = (pids(node).0.unwrap(), pids(node).1.unwrap());
    assert!(Some(newer) != chmpx && Some(youngest) != k2hdkc, "{}", told(node));
    assert!(node.started(youngest).unwrap() > node.started(newer).unwrap());

    // A chmpx that ends by itself takes k2hdkc along, and neither comes back alone.
    node.kill("chmpx", "KILL").unwrap();
    node.becomes("k2hdkc.service", "inactive", LONG).unwrap();
    node.becomes("chmpx.service", "failed", LONG).unwrap();
    assert_eq!(pids(node), (None, None));

    // The next agent brings both back; a stop of chmpx stops k2hdkc first, and both end well.
    node.systemctl(&["start", AGENT]).unwrap();
    settled(&environment, 1);
    node.systemctl(&["stop", AGENT]).unwrap();
    node.systemctl(&["stop", "chmpx.service"]).unwrap();
    let (chmpx, k2hdkc) = (ended_well(node, "chmpx.service"), ended_well(node, "k2hdkc.service"));
    assert!(chmpx > k2hdkc + 0.4, "half a second after k2hdkc: {}", told(node));
}
