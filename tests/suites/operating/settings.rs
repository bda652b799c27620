//! New settings while the agent runs: what is read again, when, and what becomes of a bad one.

use std::time::Instant;

use k2hdkc_sandbox::node::{Node, VENDOR, wait_for};
use k2hdkc_sandbox::site::{FAST, Site};

use super::{PATIENCE, SELDOM, SOON, following, polls, run};

/// A fragment that turns a seldom poll into a frequent one: that it is in force is seen in K2HR3.
const OFTEN: &str = "[poll]\ninterval = \"50ms\"\nmax-interval = \"50ms\"\n";

fn polls_often(site: &Site) -> bool {
    let since = Instant::now();
    wait_for(SOON, || polls(site, since) >= 4)
}

#[test]
fn a_changed_configuration_is_read_without_a_signal() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, SELDOM);
    node.swap("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(polls_often(&site), "{}", node.log());
    assert!(node.log().contains("the configuration was read again"));
    node.stop().unwrap();
}

#[test]
fn a_configuration_that_is_edited_in_place_is_read_as_well() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, SELDOM);
    node.write("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(polls_often(&site), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn sighup_reads_the_configuration_again_also_the_vendor_s_which_is_not_watched() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, "");
    node.write("etc/k2hdkc-agent/agent.toml", "").unwrap();
    node.write("usr/lib/k2hdkc-agent/agent.toml", &format!("{VENDOR}{OFTEN}")).unwrap();
    node.signal("HUP").unwrap();
    assert!(polls_often(&site), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn a_fragment_is_read_as_soon_as_it_is_there() {
    let site = Site::open(3, 1).unwrap();
    let mut node = site.node(site.server_plan(11, SELDOM)).unwrap();
    std::fs::create_dir(node.root().join("etc/k2hdkc-agent/conf.d")).unwrap();
    super::start(&mut node);
    node.write("etc/k2hdkc-agent/conf.d/50-often.toml", OFTEN).unwrap();
    assert!(polls_often(&site), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn a_fragment_in_a_directory_that_was_made_after_the_start_is_read_too() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, SELDOM);
    let made = Instant::now();
    std::fs::create_dir(node.root().join("etc/k2hdkc-agent/conf.d")).unwrap();
    // The agent has looked at the new directory: it asks K2HR3 for every change of its settings.
    assert!(wait_for(PATIENCE, || polls(&site, made) >= 1), "{}", node.log());
    node.write("etc/k2hdkc-agent/conf.d/50-often.toml", OFTEN).unwrap();
    assert!(polls_often(&site), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn a_bad_new_configuration_is_logged_with_its_place_and_the_old_one_stays() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, FAST);
    node.swap("etc/k2hdkc-agent/agent.toml", &format!("{FAST}[guard]\nremoval-pols = 3\n")).unwrap();
    let line = FAST.lines().count() + 2;
    let place = format!("agent.toml:{line}: unknown field `removal-pols`");
    let said = || node.log().contains("the new configuration is refused, the old one stays:");
    assert!(wait_for(SOON, said) && node.log().contains(&place), "{}", node.log());
    assert!(polls_often(&site), "the old one is in force: {}", node.log());
    node.swap("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(wait_for(SOON, || node.log().contains("the configuration is good again")), "{}", node.log());
    node.stop().unwrap();
}

/// The same through `--config`, so that the command itself has a configuration that it can read.
#[test]
fn the_running_agent_s_status_tells_that_the_newest_configuration_is_not_in_force() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, FAST);
    node.write("other/agent.toml", "").unwrap();
    let other = node.root().join("other/agent.toml");
    let asked = |node: &Node, more: &[&str]| {
        run(node, &[&["--config", other.to_str().unwrap(), "status"][..], more].concat())
    };
    node.swap("etc/k2hdkc-agent/agent.toml", "[poll]\njitter = 7.0\n").unwrap();
    let fault = "poll.jitter: is a share from 0 to 0.9";
    let said =
        wait_for(SOON, || asked(&node, &["--json"]).1.contains(&format!("\"settings-error\": \"{fault}\"")));
    assert!(said, "{:?}", asked(&node, &["--json"]));
    let (code, text, _) = asked(&node, &[]);
    assert!(code == 1 && text.contains("the old one stays") && text.contains(fault), "{code}: {text}");
    node.swap("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(wait_for(SOON, || asked(&node, &[]).0 == 0), "{:?}", asked(&node, &[]));
    node.stop().unwrap();
}

#[test]
fn status_reaches_the_running_agent_although_the_newest_configuration_is_bad() {
    let site = Site::open(3, 1).unwrap();
    let mut node = following(&site, FAST);
    node.swap("etc/k2hdkc-agent/agent.toml", "[poll]\njitter = 7.0\n").unwrap();
    assert!(wait_for(SOON, || node.log().contains("is refused, the old one stays")), "{}", node.log());
    let (code, text, errors) = run(&node, &["status"]);
    let told =
        text.contains(&format!("running, pid {}", node.pid().unwrap())) && text.contains("the old one stays");
    assert!(told, "{code}: {text:?} {errors:?}");
    node.stop().unwrap();
}
