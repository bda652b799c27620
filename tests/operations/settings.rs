//! New settings while the agent runs: what is read again, when, and what becomes of a bad one.

use std::os::unix::fs::symlink;
use std::time::Instant;

use k2hdkc_simulators::node::{Node, VENDOR, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed};

use super::{PATIENCE, SELDOM, SOON, following, polls, run};

/// A fragment that turns a seldom poll into a frequent one: that it is in force is seen in K2HR3.
const OFTEN: &str = "[poll]\ninterval = \"50ms\"\nmax-interval = \"50ms\"\n";

fn polls_often(testbed: &Testbed) -> bool {
    let since = Instant::now();
    wait_for(SOON, || polls(testbed, since) >= 4)
}

#[test]
fn a_changed_configuration_is_read_without_a_signal() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    node.swap("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(polls_often(&testbed), "{}", node.log());
    assert!(node.log().contains("the configuration was read again"));
    node.stop().unwrap();
}

#[test]
fn a_configuration_that_is_edited_in_place_is_read_as_well() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    node.write("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(polls_often(&testbed), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn sighup_reads_the_configuration_again_also_the_vendor_s_which_is_not_watched() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, "");
    node.write("etc/k2hdkc-agent/agent.toml", "").unwrap();
    node.write("usr/lib/k2hdkc-agent/agent.toml", &format!("{VENDOR}{OFTEN}")).unwrap();
    node.signal("HUP").unwrap();
    assert!(polls_often(&testbed), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn a_fragment_is_read_as_soon_as_it_is_there() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = testbed.node(testbed.server_plan(11, SELDOM)).unwrap();
    std::fs::create_dir(node.root().join("etc/k2hdkc-agent/conf.d")).unwrap();
    super::start(&mut node);
    node.write("etc/k2hdkc-agent/conf.d/50-often.toml", OFTEN).unwrap();
    assert!(polls_often(&testbed), "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn a_fragment_in_a_directory_that_was_made_after_the_start_is_read_too() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    let made = Instant::now();
    std::fs::create_dir(node.root().join("etc/k2hdkc-agent/conf.d")).unwrap();
    // The agent has looked at the new directory: it asks K2HR3 for every change of its settings.
    assert!(wait_for(PATIENCE, || polls(&testbed, made) >= 1), "{}", node.log());
    node.write("etc/k2hdkc-agent/conf.d/50-often.toml", OFTEN).unwrap();
    assert!(polls_often(&testbed), "{}", node.log());
    node.stop().unwrap();
}

/// A directory below the node's root as kubelet fills it: each file leads through `..data` to the directory of this version.
fn mount(node: &Node, at: &str, version: &str, name: &str, text: &str) {
    let at = node.root().join(at);
    node.write(&format!("{}/..{version}/{name}", at.strip_prefix(node.root()).unwrap().display()), text)
        .unwrap();
    symlink(format!("..{version}"), at.join("..data_tmp")).unwrap();
    std::fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
    if !at.join(name).is_symlink() {
        let _ = std::fs::remove_file(at.join(name));
        symlink(format!("..data/{name}"), at.join(name)).unwrap();
    }
}

#[test]
fn what_kubelet_swaps_is_read_without_a_signal_be_it_a_fragment_or_the_file_itself() {
    for (at, name) in [("etc/k2hdkc-agent/conf.d", "50-often.toml"), ("etc/k2hdkc-agent", "agent.toml")] {
        let testbed = Testbed::open(3, 1).unwrap();
        let mut node = testbed.node(testbed.server_plan(11, SELDOM)).unwrap();
        mount(&node, at, "2026_1", name, SELDOM);
        super::start(&mut node);
        mount(
            &node,
            at,
            "2026_2",
            name,
            &format!("{SELDOM}\n").replace("interval = \"1h\"", "interval = \"50ms\""),
        );
        std::fs::remove_dir_all(node.root().join(at).join("..2026_1")).unwrap();
        assert!(polls_often(&testbed), "{name}: {}", node.log());
        // The new directory is watched, too.
        mount(&node, at, "2026_3", name, SELDOM);
        let read = || node.log().matches("the configuration was read again").count() >= 2;
        assert!(wait_for(SOON, read), "{name}: {}", node.log());
        node.stop().unwrap();
    }
}

#[test]
fn a_token_and_a_role_that_kubelet_swaps_are_asked_with_at_once() {
    for name in ["k2hr3-role-token", "k2hr3-role-name"] {
        let testbed = Testbed::open(3, 1).unwrap();
        let mut node = testbed.node(testbed.server_plan(11, SELDOM)).unwrap();
        let path = format!("etc/antpickax/{name}");
        let text = std::fs::read_to_string(node.root().join(&path)).unwrap_or_default();
        mount(&node, "etc/antpickax", "2026_1", name, &text);
        super::start(&mut node);
        let swapped = Instant::now();
        mount(&node, "etc/antpickax", "2026_2", name, &text);
        assert!(wait_for(SOON, || polls(&testbed, swapped) >= 1), "{name}: {}", node.log());
        node.stop().unwrap();
    }
}

#[test]
fn leftovers_of_editors_and_copies_keep_no_agent_from_starting_and_are_told() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = testbed.node(testbed.server_plan(11, FAST)).unwrap();
    let fragments = node.root().join("etc/k2hdkc-agent/conf.d");
    node.write("etc/k2hdkc-agent/conf.d/._10-a.toml", "\0\u{5}\u{16}\u{7}").unwrap();
    node.write("etc/k2hdkc-agent/conf.d/.10-a.toml.swp", "b0VIM 9.0").unwrap();
    std::fs::create_dir(fragments.join("x.toml")).unwrap();
    super::start(&mut node);
    let told = |name: &str| format!("{} is skipped: ", fragments.join(name).display());
    let (code, text, _) = run(&node, &["status"]);
    assert!(
        code == 0 && text.contains(&told("._10-a.toml")) && text.contains(&told("x.toml")),
        "{code}: {text}"
    );
    // The lock of an Emacs that has the file open, and that is no other configuration.
    symlink("root@vm.4711:1700000000", fragments.join(".#10-a.toml")).unwrap();
    assert!(wait_for(SOON, || run(&node, &["status"]).1.contains(&told(".#10-a.toml"))), "{}", node.log());
    assert_eq!(node.log().matches("the configuration was read again").count(), 0, "{}", node.log());
    let (code, _, errors) = run(&node, &["diff"]);
    assert!(code == 0 && errors.contains(&told(".#10-a.toml")), "{code}: {errors}");
    node.stop().unwrap();
}

#[test]
fn a_start_that_a_file_keeps_from_being_read_may_be_tried_again() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, FAST)).unwrap();
    let fragments = node.root().join("etc/k2hdkc-agent/conf.d");
    symlink(&fragments, &fragments).unwrap();
    let (code, _, errors) = run(&node, &["run"]);
    assert!(
        code == 1 && errors.contains("conf.d: "),
        "not 64, after which systemd starts it no more: {code} {errors}"
    );
}

#[test]
fn a_bad_new_configuration_is_logged_with_its_place_and_the_old_one_stays() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    node.swap("etc/k2hdkc-agent/agent.toml", &format!("{FAST}[guard]\nremoval-pols = 3\n")).unwrap();
    let line = FAST.lines().count() + 2;
    let place = format!("agent.toml:{line}: guard.removal-pols: unknown field `removal-pols`");
    let said = || node.log().contains("the new configuration is refused, the old one stays:");
    assert!(wait_for(SOON, said) && node.log().contains(&place), "{}", node.log());
    assert!(polls_often(&testbed), "the old one is in force: {}", node.log());
    node.swap("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(wait_for(SOON, || node.log().contains("the configuration is good again")), "{}", node.log());
    node.stop().unwrap();
}

/// The same through `--config`, so that the command itself has a configuration that it can read.
#[test]
fn the_running_agent_s_status_tells_that_the_newest_configuration_is_not_in_force() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    node.write("other/agent.toml", "").unwrap();
    let other = node.root().join("other/agent.toml");
    let asked = |node: &Node, more: &[&str]| {
        run(node, &[&["--config", other.to_str().unwrap(), "status"][..], more].concat())
    };
    node.swap("etc/k2hdkc-agent/agent.toml", "[poll]\njitter = 7.0\n").unwrap();
    let fault = "poll.jitter: is a share from 0 to 0.9";
    let said = wait_for(SOON, || asked(&node, &["--json"]).1.contains(&format!("agent.toml:2: {fault}\"")));
    assert!(said, "{:?}", asked(&node, &["--json"]));
    let (code, text, _) = asked(&node, &[]);
    assert!(code == 1 && text.contains("the old one stays") && text.contains(fault), "{code}: {text}");
    node.swap("etc/k2hdkc-agent/agent.toml", FAST).unwrap();
    assert!(wait_for(SOON, || asked(&node, &[]).0 == 0), "{:?}", asked(&node, &[]));
    node.stop().unwrap();
}

#[test]
fn status_reaches_the_running_agent_although_the_newest_configuration_is_bad() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    node.swap("etc/k2hdkc-agent/agent.toml", "[poll]\njitter = 7.0\n").unwrap();
    assert!(wait_for(SOON, || node.log().contains("is refused, the old one stays")), "{}", node.log());
    let (code, text, errors) = run(&node, &["status"]);
    let told =
        text.contains(&format!("running, pid {}", node.pid().unwrap())) && text.contains("the old one stays");
    assert!(told, "{code}: {text:?} {errors:?}");
    node.stop().unwrap();
}
