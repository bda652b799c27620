//! The Debian package on a node that runs already: installed, upgraded, cut off in the middle, removed, purged.

use std::env;
use std::fs;

use k2hdkc_sandbox::node::wait_for;
use k2hdkc_sandbox::worlds::systemd::{INI, Node, Shape, World, packages};
use k2hdkc_sandbox::worlds::{ready, say};

use crate::ring::{LONG, config, pids, settled, told};

const AGENT: &str = "k2hdkc-agent.service";
const INCUMBENT: &str = "k2hr3-get-resource.timer";

/// Whether there is a package to try; in CI there must be one.
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

/// Every path that a package of the agent could have brought or made.
fn paths(node: &Node) -> String {
    sh(
        node,
        "find /etc /usr /var/lib /root ! -path '/var/lib/dpkg*' ! -path '/var/lib/systemd*' ! -path \
         '/var/lib/antpickax*' ! -path '/etc/antpickax/*.bup*' | sort",
    )
}

fn version(node: &Node) -> String {
    sh(node, "dpkg-query --show --showformat '${Version} ${db:Status-Status}' k2hdkc-agent")
}

/// Settings under which nobody waits for polls.
fn hasten(node: &Node) {
    node.put("/etc/k2hdkc-agent/conf.d/50-test.toml", &config("")).unwrap();
    node.systemctl(&["reload", AGENT]).unwrap();
}

#[test]
fn the_package_comes_is_upgraded_and_goes_while_chmpx_and_k2hdkc_run_on() {
    if !ready() || !built() {
        return;
    }
    let world = World::start(Shape::Packaged, 0.05, 1, 0).unwrap();
    let node = world.node(1);
    // A node as upstream's user-data leaves it: helpers run both, and the timer writes the ini in place.
    node.fetch_ini().unwrap();
    node.systemctl(&["enable", "--now", INCUMBENT, "chmpx.service", "k2hdkc.service"]).unwrap();
    let runs = || pids(node).0.is_some() && pids(node).1.is_some();
    assert!(wait_for(LONG, runs), "{}", node.journal("chmpx.service"));
    let (before, ini) = (paths(node), node.read(INI).unwrap());
    let both = pids(node);

    // The installation takes the file over, says so, and ends neither program.
    let said = sh(node, "dpkg -i /packages/*.deb");
    assert!(
        said.contains("k2hr3-get-resource.timer is disabled: the agent keeps its file from now on"),
        "{said}"
    );
    assert_eq!(
        (node.state(INCUMBENT), node.show(INCUMBENT, "UnitFileState")),
        ("inactive".into(), "disabled".into())
    );
    hasten(node);
    settled(&world, 1);
    assert_eq!(pids(node), both);
    assert_eq!(node.show(AGENT, "UnitFileState"), "enabled");
    let modes =
        sh(node, "stat -c '%a %n' /etc/k2hdkc-agent/agent.toml /usr/bin/k2hdkc-agent /var/lib/k2hdkc-agent");
    assert_eq!(
        modes,
        "644 /etc/k2hdkc-agent/agent.toml\n755 /usr/bin/k2hdkc-agent\n700 /var/lib/k2hdkc-agent\n"
    );

    // An upgrade keeps what an operator has written, and brings another agent alone.
    sh(node, "echo '# mine' >>/etc/k2hdkc-agent/agent.toml");
    let old = node.main_pid(AGENT);
    let next = under_version(node, "0.1.1");
    sh(node, &format!("dpkg -i {next} </dev/null"));
    let anew = || ![0, old].contains(&node.main_pid(AGENT));
    assert!(wait_for(LONG, anew), "{}", told(node));
    settled(&world, 1);
    assert_eq!((pids(node), version(node)), (both, "0.1.1 installed".into()));
    assert!(node.read("/etc/k2hdkc-agent/agent.toml").unwrap().ends_with("# mine\n"));

    // Removed, it gives the file back; both programs run on. Purged, nothing of it is left.
    let said = sh(node, "dpkg -r k2hdkc-agent");
    assert!(said.contains("k2hr3-get-resource.timer is enabled again"), "{said}");
    assert_eq!(
        (node.state(INCUMBENT), node.show(INCUMBENT, "UnitFileState")),
        ("active".into(), "enabled".into())
    );
    assert_eq!((pids(node), node.state(AGENT)), (both, "inactive".into()));
    assert!(node.read("/etc/k2hdkc-agent/agent.toml").unwrap().ends_with("# mine\n"), "a conffile stays");

    // Installed again, it is as after the first time.
    sh(node, &format!("dpkg -i {next} </dev/null"));
    assert_eq!((node.state(AGENT), node.show(AGENT, "UnitFileState")), ("active".into(), "enabled".into()));
    assert_eq!(
        (node.state(INCUMBENT), node.show(INCUMBENT, "UnitFileState")),
        ("inactive".into(), "disabled".into())
    );
    settled(&world, 1);
    assert_eq!(pids(node), both);
    sh(node, &format!("dpkg -P k2hdkc-agent; rm {next}"));
    assert_eq!(paths(node), before);
    let lines = |text: &str| {
        text.lines().filter(|line| line.starts_with("NAME")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&node.read(INI).unwrap()), lines(&ini), "the file stays as it was");
    assert!(!node.read("/etc/hosts").unwrap().contains("k2hdkc-agent"));
}

#[test]
fn a_power_cut_in_the_middle_of_an_upgrade_leaves_an_agent_that_works() {
    if !ready() || !built() {
        return;
    }
    let world = World::start(Shape::Packaged, 0.05, 1, 0).unwrap();
    let node = world.node(1);
    sh(node, "dpkg -i /packages/*.deb");
    hasten(node);
    settled(&world, 1);

    // Unpacked, and not configured.
    let next = under_version(node, "0.1.1");
    sh(node, &format!("dpkg --unpack {next}"));
    node.power_cut().unwrap();
    node.booted().unwrap();
    assert_eq!(version(node), "0.1.1 unpacked");
    settled(&world, 1);
    assert!(world.ground().is_member(1));

    // As the operator, or the next apt, brings it to its end.
    let both = pids(node);
    sh(node, "dpkg --configure -a </dev/null");
    settled(&world, 1);
    assert_eq!((pids(node), version(node)), (both, "0.1.1 installed".into()));
}
