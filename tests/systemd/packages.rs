//! The packages that `packaging/build` makes, on nodes that run already.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::say;
use k2hdkc_tests::environments::systemd::{Environment, INI, Node, Shape, packages};

use crate::ring::{LONG, config, pids, settled};

mod deb;
mod rpm;

const AGENT: &str = "k2hdkc-agent.service";
const INCUMBENT: &str = "k2hr3-get-resource.timer";

/// Checks whether there is a package to try; in CI there must be one.
fn built() -> bool {
    let mut files = fs::read_dir(packages()).into_iter().flatten().flatten();
    let built = files.any(|file| file.path().extension().is_some_and(|extension| extension == "deb"));
    assert!(
        built || env::var_os("CI").is_none(),
        "no package, and in CI that is a failure: run packaging/build"
    );
    if !built {
        say("SKIPPED: this test needs the package that packaging/build makes");
    }
    built
}

/// Runs a script inside; what it printed, to both outputs.
fn sh(node: &Node, script: &str) -> String {
    let output = node.output(&["sh", "-c", &format!("exec 2>&1; set -e; {script}")]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}: {said}");
    said
}

/// Every path that a package of the agent could have brought or made.
fn paths(node: &Node) -> BTreeSet<String> {
    let found = sh(
        node,
        "find /etc /usr /var/lib /root ! -path '/var/lib/dpkg*' ! -path '/var/lib/rpm*' ! -path '/root/.rpmdb*' ! -path \
         '/var/lib/systemd*' ! -path '/var/lib/antpickax*' ! -path '/etc/antpickax/*.bup*'",
    );
    found.lines().map(str::to_owned).collect()
}

/// Returns what has come since, and what has gone.
fn differ<'a>(before: &'a BTreeSet<String>, after: &'a BTreeSet<String>) -> Vec<&'a String> {
    before.symmetric_difference(after).collect()
}

/// The lines of an ini that name its servers and slaves.
fn names(ini: &str) -> Vec<&str> {
    ini.lines().filter(|line| line.starts_with("NAME")).collect()
}

/// Settings under which nobody waits for polls.
fn hasten(node: &Node) {
    node.put("/etc/k2hdkc-agent/conf.d/50-test.toml", &config("")).unwrap();
    node.systemctl(&["reload", AGENT]).unwrap();
}

/// Has chmpx run the merges. By the agents' way the file differs from what the timer writes in place when it is given back, and that
/// may end chmpx.
fn merges_by_chmpx(node: &Node) {
    sh(node, "mkdir -p /etc/k2hdkc-agent/conf.d");
    node.put("/etc/k2hdkc-agent/conf.d/40-merges.toml", "[merge]\nby = \"chmpx\"\n").unwrap();
}

/// A server as upstream's user-data leaves it: helpers run both programs, and the timer writes the ini in place.
fn upstream() -> Environment {
    let environment = Environment::start(Shape::Packaged, 0.05, 1, 0).unwrap();
    // As many copies as one server can have: else the agent writes another number, and what the timer writes in place when it
    // is given back may end chmpx.
    let resource = environment.ground().cluster().resource.clone();
    environment.ground().lab().edit_text(&resource, |text| {
        let lines = text.lines().map(|line| if line.starts_with("REPLICA") { "REPLICA = 0" } else { line });
        lines.map(|line| format!("{line}\n")).collect()
    });
    run_upstream(environment.node(1));
    environment
}

/// Has upstream's units run, now and at every boot.
fn run_upstream(node: &Node) {
    node.fetch_ini().unwrap();
    node.systemctl(&["enable", "--now", INCUMBENT, "chmpx.service", "k2hdkc.service"]).unwrap();
    let runs = || pids(node).0.is_some() && pids(node).1.is_some();
    assert!(wait_for(LONG, runs), "{}", node.journal("chmpx.service"));
}

/// The agent keeps the file, and says that the incumbent does not any more.
fn has_taken_over(environment: &Environment, said: &str) {
    let node = environment.node(1);
    let told = "k2hr3-get-resource.timer is disabled: the agent keeps its file from now on";
    assert!(said.contains(told), "{said}");
    assert_eq!(unit(node, INCUMBENT), ("inactive".into(), "disabled".into()));
    hasten(node);
    settled(environment, 1);
    assert_eq!(node.show(AGENT, "UnitFileState"), "enabled");
    let modes =
        sh(node, "stat -c '%a %n' /etc/k2hdkc-agent/agent.toml /usr/bin/k2hdkc-agent /var/lib/k2hdkc-agent");
    assert_eq!(
        modes,
        "644 /etc/k2hdkc-agent/agent.toml\n755 /usr/bin/k2hdkc-agent\n700 /var/lib/k2hdkc-agent\n"
    );
}

/// The incumbent keeps the file again, and there is no agent.
fn has_given_back(node: &Node, said: &str) {
    assert!(said.contains("k2hr3-get-resource.timer is enabled again"), "{said}");
    assert_eq!(unit(node, INCUMBENT), ("active".into(), "enabled".into()));
    assert_eq!(node.state(AGENT), "inactive");
}

/// Returns the state of a unit, and whether it starts at boot.
fn unit(node: &Node, name: &str) -> (String, String) {
    (node.state(name), node.show(name, "UnitFileState"))
}

/// The file of chmpx is as it was, and nothing of the agent is left beside.
fn left_alone(node: &Node, ini: &str) {
    assert_eq!(names(&node.read(INI).unwrap()), names(ini), "the file stays as it was");
    assert!(!node.read("/etc/hosts").unwrap().contains("k2hdkc-agent"));
}
