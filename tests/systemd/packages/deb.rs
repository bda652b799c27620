//! The Debian package: installed, upgraded, cut off in the middle, removed, purged.

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::ready;
use k2hdkc_tests::environments::systemd::{Environment, INI, Node, Shape};

use super::{
    AGENT, INCUMBENT, built, differ, has_given_back, has_taken_over, hasten, left_alone, merges_by_chmpx,
    paths, run_upstream, sh, unit, upstream,
};
use crate::ring::{LONG, pids, settled, told};

const BOTH: [&str; 2] = ["chmpx.service", "k2hdkc.service"];

/// The same package under another version, in the node.
fn under_version(node: &Node, version: &str) -> String {
    let path = format!("/root/{version}.deb");
    sh(
        node,
        &format!(
            "rm -rf /root/tree; dpkg-deb -R /packages/*.deb /root/tree; \
             sed -i 's/^Version: .*/Version: {version}/' /root/tree/DEBIAN/control; dpkg-deb -b /root/tree {path}; \
             rm -r /root/tree"
        ),
    );
    path
}

fn version(node: &Node) -> String {
    sh(node, "dpkg-query --show --showformat '${Version} ${db:Status-Status}' k2hdkc-agent")
}

#[test]
fn the_package_comes_is_upgraded_and_goes_while_chmpx_and_k2hdkc_run_on() {
    if !ready() || !built() {
        return;
    }
    let environment = upstream();
    let node = environment.node(1);
    let (before, ini, both) = (paths(node), node.read(INI).unwrap(), pids(node));
    merges_by_chmpx(node);

    // The installation takes the file over, says so, and ends neither program.
    has_taken_over(&environment, &sh(node, "dpkg -i /packages/*.deb"));
    assert_eq!(pids(node), both);
    assert_eq!(memory(node), "2770 k2hdkc:k2hdkc");

    // An upgrade keeps what an operator has written, and brings another agent alone.
    sh(node, "echo '# mine' >>/etc/k2hdkc-agent/agent.toml");
    let old = node.main_pid(AGENT);
    let next = under_version(node, "0.1.1");
    sh(node, &format!("dpkg -i {next} </dev/null"));
    let anew = || ![0, old].contains(&node.main_pid(AGENT));
    assert!(wait_for(LONG, anew), "{}", told(node));
    settled(&environment, 1);
    assert_eq!((pids(node), version(node)), (both, "0.1.1 installed".into()));
    assert!(node.read("/etc/k2hdkc-agent/agent.toml").unwrap().ends_with("# mine\n"));

    // Removed, it gives the file back; both programs run on. Purged, nothing of it is left.
    has_given_back(node, &sh(node, "dpkg -r k2hdkc-agent"));
    assert_eq!(pids(node), both);
    assert!(node.read("/etc/k2hdkc-agent/agent.toml").unwrap().ends_with("# mine\n"), "a conffile stays");

    // Installed again, it is as after the first time.
    has_taken_over(&environment, &sh(node, &format!("dpkg -i {next} </dev/null")));
    assert_eq!(unit(node, AGENT), ("active".into(), "enabled".into()));
    assert_eq!(pids(node), both);
    sh(node, &format!("dpkg -P k2hdkc-agent; rm {next}"));
    assert_eq!(differ(&before, &paths(node)), Vec::<&String>::new());
    left_alone(node, &ini);
}

#[test]
fn a_power_cut_in_the_middle_of_an_upgrade_leaves_an_agent_that_works() {
    if !ready() || !built() {
        return;
    }
    let environment = Environment::start(Shape::Packaged, 0.05, 1, 0).unwrap();
    let node = environment.node(1);
    sh(node, "dpkg -i /packages/*.deb");
    hasten(node);
    settled(&environment, 1);

    // Unpacked, and not configured.
    let next = under_version(node, "0.1.1");
    sh(node, &format!("dpkg --unpack {next}"));
    node.power_cut().unwrap();
    node.booted().unwrap();
    assert_eq!(version(node), "0.1.1 unpacked");
    settled(&environment, 1);
    assert!(environment.ground().is_member(1));

    // As the operator, or the next apt, brings it to its end.
    let both = pids(node);
    sh(node, "dpkg --configure -a </dev/null");
    settled(&environment, 1);
    assert_eq!((pids(node), version(node)), (both, "0.1.1 installed".into()));
}

/// Returns the user of a program.
fn user_of(node: &Node, program: &str) -> String {
    sh(node, &format!("ps --no-headers -o user:20 -C {program} | sort -u")).trim().to_owned()
}

/// Mode and owner of the directory of chmpx's memory.
fn memory(node: &Node) -> String {
    sh(node, "stat -c '%a %U:%G' /var/lib/antpickax").trim().to_owned()
}

fn upgrade(node: &Node, version: &str) {
    let next = under_version(node, version);
    sh(node, &format!("dpkg -i {next} </dev/null; rm {next}"));
}

#[test]
fn a_node_keeps_its_user_over_a_reboot_and_gets_back_on_removal_what_was_disabled() {
    if !ready() || !built() {
        return;
    }
    let environment = Environment::start(Shape::Packaged, 0.05, 1, 0).unwrap();
    let node = environment.node(1);
    sh(node, "sed -i '/SUBPROCESS_USER/s/k2hdkc$/database/' /etc/antpickax/override.conf");
    sh(node, "chown database /var/lib/antpickax/k2hdkc/data");
    run_upstream(node);
    assert_eq!(["chmpx", "k2hdkc"].map(|program| user_of(node, program)), ["database", "database"]);

    // What the package, and a bootstrap by the role's keys, make of it.
    let said = sh(node, "dpkg -i /packages/*.deb");
    assert!(said.contains("chmpx runs as database also from its next start on"), "{said}");
    assert!(
        said.contains("/var/lib/antpickax is closed to other users: programs that attach to chmpx need"),
        "{said}"
    );
    assert_eq!(memory(node), "2770 database:k2hdkc");
    let resource = environment.ground().cluster().resource.clone();
    environment.ground().lab().set_key(
        &resource,
        "k2hr3-init-systemd-packages",
        "chmpx.service,k2hdkc.service",
    );
    sh(node, "k2hdkc-agent bootstrap");
    hasten(node);
    settled(&environment, 1);
    assert_eq!(BOTH.map(|name| node.show(name, "UnitFileState")), ["disabled", "disabled"]);
    node.power_cut().unwrap();
    node.booted().unwrap();
    settled(&environment, 1);
    assert_eq!(["chmpx", "k2hdkc"].map(|program| user_of(node, program)), ["database", "database"]);

    // An upgrade wakes no agent that somebody has stopped, and brings another one to who started it by hand.
    node.systemctl(&["stop", AGENT]).unwrap();
    upgrade(node, "0.1.1");
    assert_eq!(unit(node, AGENT), ("inactive".into(), "enabled".into()));
    node.systemctl(&["disable", AGENT]).unwrap();
    node.systemctl(&["start", AGENT]).unwrap();
    let old = node.main_pid(AGENT);
    upgrade(node, "0.1.2");
    let anew = || ![0, old].contains(&node.main_pid(AGENT));
    assert!(wait_for(LONG, anew), "{}", told(node));
    assert_eq!(node.show(AGENT, "UnitFileState"), "disabled");
    settled(&environment, 1);

    // After a removal the node starts by itself as it did before there was an agent.
    // The timer is late by now, and what it runs writes in place, which chmpx may not survive.
    has_given_back(node, &sh(node, "dpkg -r k2hdkc-agent"));
    assert_eq!(BOTH.map(|name| node.show(name, "UnitFileState")), ["enabled", "enabled"]);
    assert_eq!(sh(node, "find /etc/systemd/system -name '*k2hdkc-agent*'"), "");
    node.power_cut().unwrap();
    node.booted().unwrap();
    // Whether chmpx takes what was being written in place is upstream's affair.
    let runs = || [BOTH[0], BOTH[1], INCUMBENT].iter().all(|unit| node.state(unit) == "active");
    assert!(wait_for(LONG, runs), "{}", node.journal("chmpx.service"));
}

/// A server as our user-data makes it: nobody has enabled its units, and no helper is told of the agent's file.
#[test]
fn a_vm_that_user_data_made_starts_its_programs_also_after_the_package_is_gone() {
    if !ready() || !built() {
        return;
    }
    let environment = Environment::start(Shape::Packaged, 0.05, 1, 0).unwrap();
    let node = environment.node(1);
    sh(node, "rm /etc/antpickax/override.conf");
    // An image in which both are enabled, and a bootstrap that was announced: they are not by the time the package is there.
    node.systemctl(&["enable", BOTH[0], BOTH[1]]).unwrap();
    sh(node, "mkdir -m 0700 /var/lib/k2hdkc-agent; : >/var/lib/k2hdkc-agent/unfinished-bootstrap");
    let said = sh(node, "dpkg -i /packages/*.deb");
    assert!(
        said.contains("chmpx.service is disabled: the agent starts it when the others are in sight"),
        "{said}"
    );
    assert_eq!(BOTH.map(|name| node.show(name, "UnitFileState")), ["disabled", "disabled"]);
    hasten(node);
    settled(&environment, 1);

    // What upstream's libfullock opens again is closed by the next start of the agent, also as rpm leaves it.
    assert_eq!(memory(node), "2770 k2hdkc:k2hdkc");
    sh(node, "chmod 0777 /var/lib/antpickax; chown root:root /var/lib/antpickax");
    node.systemctl(&["restart", AGENT]).unwrap();
    assert_eq!(memory(node), "2770 k2hdkc:k2hdkc");
    // Nobody else replaces chmpx's files, and a program of the group reaches them.
    let stranger =
        "runuser -u nobody -- sh -c ': >/var/lib/antpickax/x || ls /var/lib/antpickax' 2>&1 || echo refused";
    assert!(sh(node, stranger).ends_with("refused\n"));
    sh(
        node,
        "useradd --groups k2hdkc program; runuser -u program -- sh -c 'set -- /var/lib/antpickax/*.chmpx; : <>\"$1\"'",
    );
    settled(&environment, 1);

    // As on a VM whose units nobody had enabled before the agent came.
    sh(node, "rm /var/lib/k2hdkc-agent/took-over");
    let both = pids(node);
    let automerge = || sh(node, &format!("grep '^AUTOMERGE' {INI}"));
    assert_eq!(automerge(), "AUTOMERGE = off\n");
    let said = sh(node, "dpkg -r k2hdkc-agent");
    assert_eq!(automerge(), "AUTOMERGE = on\n", "without an agent chmpx merges by itself: {said}");
    for unit in BOTH {
        assert!(said.contains(&format!("{unit} is enabled: it starts at the next boot")), "{said}");
    }
    assert_eq!(
        (pids(node), BOTH.map(|name| node.show(name, "UnitFileState"))),
        (both, ["enabled".into(), "enabled".into()])
    );
    node.power_cut().unwrap();
    node.booted().unwrap();
    let runs = || pids(node).0.is_some() && pids(node).1.is_some();
    assert!(wait_for(LONG, runs), "{said}\n{}", node.journal(BOTH[0]));
    assert_eq!(["chmpx", "k2hdkc"].map(|program| user_of(node, program)), ["k2hdkc", "k2hdkc"]);
    // A chmpx that ends by itself comes back with a k2hdkc that is younger.
    let (chmpx, k2hdkc) = pids(node);
    node.kill("chmpx", "KILL").unwrap();
    let anew = || {
        pids(node).0.is_some_and(|pid| Some(pid) != chmpx)
            && pids(node).1.is_some_and(|pid| Some(pid) != k2hdkc)
    };
    assert!(wait_for(LONG, anew), "{}", node.journal(BOTH[0]));

    // The next package takes it all back.
    sh(node, "dpkg -i /packages/*.deb");
    assert_eq!(sh(node, "find /etc/systemd/system -name '70-after-*'"), "");
    hasten(node);
    settled(&environment, 1);
}
