//! The user of chmpx and k2hdkc, and the program that starts them.

use k2hdkc_simulators::node::Node;
use k2hdkc_tests::testbed::Testbed;

use super::{SUPERVISOR, bootstrap, done, order, program, vm};

const DROP_INS: [&str; 2] = [
    "etc/systemd/system/chmpx.service.d/60-k2hdkc-agent-user.conf",
    "etc/systemd/system/k2hdkc.service.d/60-k2hdkc-agent-user.conf",
];

fn drop_ins(node: &Node) -> Vec<String> {
    let text = |path: &str| std::fs::read_to_string(node.root().join(path)).unwrap_or_default();
    DROP_INS.into_iter().map(text).collect()
}

#[test]
fn a_user_that_the_role_names_has_the_units_before_a_package_comes() {
    let testbed = Testbed::open(3, 1).unwrap();
    order(&testbed, "k2hdkc-dbaas-add-user", "1");
    order(&testbed, "k2hdkc-dbaas-proc-user", "alice");
    let node = vm(&testbed);
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 0, "{errors}");
    let steps = done(&node);
    assert!(steps[0].starts_with("useradd ") && steps[0].ends_with(" alice"), "{steps:?}");
    assert_eq!(steps[1], "systemctl daemon-reload");
    assert!(steps[2].starts_with("apt-get update "), "{steps:?}");
    assert!(text.contains("run chmpx and k2hdkc as alice\n"), "{text}");
    for drop_in in drop_ins(&node) {
        assert!(drop_in.ends_with("[Service]\nUser=alice\nGroup=\n"), "{drop_in}");
    }
    for directory in ["chmpx", "k2hdkc"].map(|unit| format!("etc/systemd/system/{unit}.service.d")) {
        assert_eq!(std::fs::read_dir(node.root().join(directory)).unwrap().count(), 1, "nothing beside it");
    }
    assert_eq!(bootstrap(&node, &[]).1, "this host has what K2HR3 wants of it\n");

    // Another one later.
    node.write("users", "bob\n").unwrap();
    order(&testbed, "k2hdkc-dbaas-proc-user", "bob");
    assert_eq!(bootstrap(&node, &[]).1.lines().next(), Some("run chmpx and k2hdkc as bob"));
    assert!(drop_ins(&node).iter().all(|text| text.contains("\nUser=bob\n") && !text.contains("alice")));
}

#[test]
fn the_user_of_the_units_needs_no_file_and_one_that_is_missing_is_told_and_gets_none() {
    let testbed = Testbed::open(3, 1).unwrap();
    order(&testbed, "k2hdkc-dbaas-proc-user", "k2hdkc");
    let node = vm(&testbed);
    assert_eq!(bootstrap(&node, &[]).0, 0);
    assert_eq!(drop_ins(&node), ["", ""]);

    order(&testbed, "k2hdkc-dbaas-proc-user", "alice");
    let (code, _, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot run chmpx and k2hdkc as alice: this host has no such user"), "{errors}");
    assert_eq!(drop_ins(&node), ["", ""]);
}

#[test]
fn a_user_that_could_not_open_the_keys_that_are_there_is_refused() {
    let testbed = Testbed::open(3, 1).unwrap();
    order(&testbed, "k2hdkc-dbaas-proc-user", "alice");
    let node = vm(&testbed);
    program(&node, "getent", "echo \"$2:x:4322:4322::/:/bin/sh\"");
    let keys = "var/lib/antpickax/k2hdkc/data/k2hdkc.k2h";
    node.write(keys, "").unwrap();
    let (code, _, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 1);
    let owner = nix::unistd::geteuid();
    assert!(errors.contains(&format!("{keys} belongs to the user {owner}; stop both programs")), "{errors}");
    assert_eq!(drop_ins(&node), ["", ""]);
}

#[test]
fn where_the_agent_touches_no_process_the_units_of_both_are_enabled_and_started_once_their_file_is_there() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = vm(&testbed);
    let ini = node.ini();
    node.write(SUPERVISOR, "[supervisor]\nkind = \"none\"\n").unwrap();
    let (code, _, errors) = bootstrap(&node, &["--timeout", "1s"]);
    assert_eq!(code, 1);
    assert!(errors.contains("is not there yet, and chmpx does not start without it"), "{errors}");
    let agent = ["enable k2hdkc-agent.service", "start --no-block k2hdkc-agent.service"];
    let both = ["enable chmpx", "start --no-block chmpx", "enable k2hdkc", "start --no-block k2hdkc"];
    let steps = done(&node);
    assert_eq!(steps[steps.len() - 2..], agent.map(|call| format!("systemctl {call}")));

    std::fs::create_dir_all(ini.parent().unwrap()).unwrap();
    node.swap(ini.strip_prefix(node.root()).unwrap().to_str().unwrap(), "").unwrap();
    assert_eq!(bootstrap(&node, &[]).0, 0);
    let steps = done(&node);
    assert_eq!(steps[steps.len() - 4..], both.map(|call| format!("systemctl {call}.service")));
    assert_eq!(bootstrap(&node, &[]).1, "this host has what K2HR3 wants of it\n");
}
