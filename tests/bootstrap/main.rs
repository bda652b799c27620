//! `bootstrap` on hosts whose programs are scripts that write down how they were called.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod hosts;
mod users;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::Testbed;

use std::time::Duration;

/// The longest time for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The supervisor of chmpx and k2hdkc there.
const SUPERVISOR: &str = "etc/k2hdkc-agent/conf.d/50-supervisor.toml";

/// A VM whose user-data has left its files, with programs that keep what they did in files of their own: an installed
/// package is a line in `installed`, and so on. A package that is named in `missing` cannot be had, and as long as `outage` has
/// lines, each attempt to install takes one and fails: apt-get does not fail where it cannot read a repository's list.
fn vm(testbed: &Testbed) -> Node {
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    node.write(SUPERVISOR, "[supervisor]\nkind = \"systemd\"\n").unwrap();
    let root = node.root().display().to_string();
    let script = |name: &str, text: &str| program(&node, name, text);
    for list in ["installed", "users", "enabled", "active", "missing", "outage"] {
        node.write(list, "").unwrap();
    }
    fs::create_dir_all(node.root().join("run/systemd/system")).unwrap();
    script(
        "getent",
        &format!("grep -q -x \"$2\" {root}/users && echo \"$2:x:$(id -u):$(id -g)::/:/bin/sh\""),
    );
    script("useradd", &format!("last \"$@\" >>{root}/users"));
    script("dpkg-query", &format!("grep -q -x \"$(last \"$@\")\" {root}/installed && echo installed"));
    script(
        "apt-get",
        &format!(
            "[ \"$1\" = install ] || {{ echo 'W: Failed to fetch http://mirror/InRelease' >&2; exit 0; }}\n\
             name=$(last \"$@\")\n\
             if [ -s {root}/outage ]; then sed -i 1d {root}/outage; echo 'E: Failed to fetch' >&2; exit 100; fi\n\
             if grep -q -x \"$name\" {root}/missing; then echo \"E: Unable to locate package $name\" >&2; exit 100; fi\n\
             echo \"$name\" >>{root}/installed"
        ),
    );
    script(
        "systemctl",
        &format!(
            "unit=$(last \"$@\")\ncase $1 in\n\
             is-enabled) grep -q -x \"$unit\" {root}/enabled && echo enabled ;;\nis-active) grep -q -x \"$unit\" {root}/active ;;\n\
             enable) echo \"$unit\" >>{root}/enabled ;;\nstart) echo \"$unit\" >>{root}/active ;;\n\
             disable) sed -i \"/^$unit\\$/d\" {root}/enabled ;;\nesac"
        ),
    );
    node
}

/// A program on the host that writes its calls down. At the call for a change whose number is in `kill-at`, the power fails: its
/// caller is killed, and it does nothing.
fn program(node: &Node, name: &str, text: &str) {
    let root = node.root().display().to_string();
    let start = format!(
        "#!/bin/sh\necho \"${{0##*/}} $*\" >>{root}/calls; last() {{ for word; do :; done; echo \"$word\"; }}\n\
         case \"${{0##*/}} $*\" in\ngetent*|dpkg-query*|'systemctl is-'*|'rpm -q'*) ;;\n\
         *) echo >>{root}/changes; [ \"$(wc -l <{root}/changes)\" != \"$(cat {root}/kill-at 2>/dev/null)\" ] || \
         {{ kill -KILL $PPID; exit 1; }} ;;\nesac\n"
    );
    let path = format!("usr/bin/{name}");
    node.write(&path, &format!("{start}{text}\n")).unwrap();
    std::fs::set_permissions(node.root().join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Status, standard output and standard error.
fn bootstrap(node: &Node, words: &[&str]) -> (i32, String, String) {
    let output = node.run(&[&["bootstrap"], words].concat()).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Lists what programs have changed so far, without the looks.
fn done(node: &Node) -> Vec<String> {
    let calls = std::fs::read_to_string(node.root().join("calls")).unwrap_or_default();
    let is_look = |call: &str| {
        ["getent", "dpkg-query", "systemctl is-", "rpm -q"].iter().any(|look| call.starts_with(look))
    };
    calls.lines().filter(|call| !is_look(call)).map(str::to_owned).collect()
}

/// Checks whether the next boot takes it up again.
fn is_unfinished(node: &Node) -> bool {
    node.root().join("var/lib/k2hdkc-agent/unfinished-bootstrap").is_file()
}

/// Lists what a removal of the package enables again.
fn took_over(node: &Node) -> String {
    std::fs::read_to_string(node.root().join("var/lib/k2hdkc-agent/took-over")).unwrap_or_default()
}

fn order(testbed: &Testbed, key: &str, value: &str) {
    let resource = testbed.cluster().resource.clone();
    testbed.lab().set_key(&resource, key, value);
}

#[test]
fn a_server_gets_its_user_and_packages_and_the_agent_and_a_second_run_does_nothing() {
    let testbed = Testbed::open(3, 1).unwrap();
    order(&testbed, "k2hdkc-dbaas-add-user", "1");
    let node = vm(&testbed);
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 0, "{errors}");
    let install = |name: &str| {
        format!(
            "apt-get install --quiet --yes --no-install-recommends --option DPkg::Lock::Timeout=300 --option \
             Dpkg::Options::=--force-confold {name}"
        )
    };
    let expected = [
        "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin k2hdkc".to_owned(),
        "apt-get update --quiet --option DPkg::Lock::Timeout=300".to_owned(),
        install("k2hdkc-dbaas-override-conf"),
        install("chmpx"),
        install("k2hdkc"),
        "systemctl enable k2hdkc-agent.service".to_owned(),
        "systemctl start --no-block k2hdkc-agent.service".to_owned(),
    ];
    assert_eq!(done(&node), expected);
    assert!(text.contains("create the user k2hdkc\n") && text.contains("install chmpx\n"), "{text}");
    assert!(!is_unfinished(&node));

    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!((code, text.as_str()), (0, "this host has what K2HR3 wants of it\n"), "{errors}");
    assert_eq!(done(&node).len(), expected.len());
}

#[test]
fn a_package_that_is_not_to_be_had_is_told_and_keeps_nothing_else_from_being_done() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = vm(&testbed);
    node.write("missing", "chmpx\n").unwrap();
    // As upstream's user-data leaves a VM where its systemd step has worked.
    node.write("enabled", "chmpx.service\nk2hdkc.service\n").unwrap();
    let (code, _, errors) = bootstrap(&node, &["--timeout", "2s"]);
    assert_eq!(code, 1);
    assert!(is_unfinished(&node));
    let told = "cannot install chmpx: ";
    assert_eq!(errors.matches(told).count(), 1, "it was tried several times, and told once: {errors}");
    assert!(errors.contains("E: Unable to locate package chmpx"), "{errors}");
    assert!(errors.contains("'k2hdkc-agent bootstrap' goes on with the rest"), "{errors}");
    let steps = done(&node);
    for call in ["disable chmpx.service", "disable k2hdkc.service", "start --no-block k2hdkc-agent.service"] {
        assert!(steps.contains(&format!("systemctl {call}")), "{steps:?}");
    }
    assert_eq!(took_over(&node), "chmpx.service\nk2hdkc.service\n", "what a removal gives back");

    node.write("missing", "").unwrap();
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!((code, is_unfinished(&node)), (0, false), "{errors}");
    let first = text.lines().next().unwrap();
    assert_eq!(first, "refresh the package lists");
    assert_eq!(text.lines().count(), 3, "chmpx alone: {text}");
}

#[test]
fn a_mirror_that_is_away_is_asked_again_list_and_package_while_the_agent_runs_already() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = vm(&testbed);
    node.write("outage", &"\n".repeat(4)).unwrap();
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!((code, is_unfinished(&node)), (0, false), "{errors}");
    let steps = done(&node);
    let last = |call: &str| call.rsplit(' ').next().unwrap().to_owned();
    let installs =
        |name: &str| steps.iter().filter(|call| call.contains(" install ") && last(call) == name).count();
    // Three attempts fail in the first round, and one in the second.
    assert_eq!(["k2hdkc-dbaas-override-conf", "chmpx", "k2hdkc"].map(installs), [3, 2, 2], "{steps:?}");
    let of = |is: &dyn Fn(&String) -> bool| -> Vec<usize> {
        steps.iter().enumerate().filter(|(_, call)| is(call)).map(|(at, _)| at).collect()
    };
    let updates = of(&|call| call.starts_with("apt-get update"));
    assert_eq!(updates.len(), 3, "one before each round's packages: {steps:?}");
    let starts = of(&|call| call == "systemctl start --no-block k2hdkc-agent.service");
    assert!(starts.len() == 1 && starts[0] < updates[1], "{steps:?}");
    for package in ["k2hdkc-dbaas-override-conf", "chmpx", "k2hdkc"] {
        let told = format!("cannot install {package}: ");
        assert_eq!(errors.matches(&told).count(), 1, "{errors}");
        assert!(text.contains(&format!("install {package}\n")), "{text}");
    }
    assert_eq!(errors.matches("E: Failed to fetch").count(), 3, "{errors}");
}

#[test]
fn a_name_that_is_none_is_told_with_its_key_and_nothing_of_the_orders_is_followed_but_the_agent_starts() {
    let testbed = Testbed::open(3, 1).unwrap();
    let resource = testbed.cluster().server_resource.clone();
    testbed.lab().set_key(&resource, "k2hr3-init-packages", "jq;reboot");
    let node = vm(&testbed);
    let (code, _, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 1);
    let told = "the keys of this role's resource in K2HR3 are not followed: k2hr3-init-packages: \"jq;reboot\" is no name";
    assert!(errors.contains(told), "{errors}");
    let own = ["systemctl enable k2hdkc-agent.service", "systemctl start --no-block k2hdkc-agent.service"];
    assert_eq!(done(&node), own);
}

#[test]
fn a_k2hr3_that_is_away_is_waited_for_and_then_the_agent_is_started_without_it() {
    let testbed = Testbed::open(3, 1).unwrap();
    testbed.lab().set_sickness(Some(Sickness::Status(500)));
    let node = vm(&testbed);
    let (code, _, errors) = bootstrap(&node, &["--timeout", "1s"]);
    assert_eq!(code, 1);
    assert!(errors.contains("not within 1.0 s: K2HR3 answered 500"), "{errors}");
    assert!(done(&node).contains(&"systemctl start --no-block k2hdkc-agent.service".to_owned()));

    // Well again while it is waited for.
    let mut waiting = node.command(&["bootstrap", "--timeout", "20s"]).unwrap().spawn().unwrap();
    let asked = || !testbed.lab().requests().is_empty();
    assert!(wait_for(PATIENCE, asked));
    testbed.lab().set_sickness(None);
    assert!(waiting.wait().unwrap().success());
    assert!(done(&node).iter().any(|call| call.ends_with(" k2hdkc")));
}
