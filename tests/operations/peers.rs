//! The other users that may ask the running agent: members of a group for the status, and nobody for anything more.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use k2hdkc_agent::admin;
use k2hdkc_simulators::node::Node;
use k2hdkc_tests::testbed::{FAST, Testbed};
use nix::unistd::{Gid, Group, geteuid};

use super::{start, told};

const NOBODY: u32 = 65534;

#[expect(clippy::disallowed_methods, reason = "a program, which no chmpx watches")]
fn copy(program: &OsStr, to: &Path) {
    fs::copy(program, to).unwrap();
}

/// Runs an agent command as a user without rights, in this group alone.
fn as_nobody(node: &Node, gid: u32, arguments: &[&str]) -> (i32, String, String) {
    let given = node.command(arguments).unwrap();
    let program = node.root().join("agent");
    if !program.exists() {
        copy(given.get_program(), &program);
    }
    let mut command = std::process::Command::new(program);
    command.args(given.get_args()).env_clear().uid(NOBODY).gid(gid).current_dir("/");
    told(command.output().unwrap())
}

/// A node whose directory others may enter, with an agent whose socket is given to this group.
fn with_group(testbed: &Testbed, group: &str) -> Node {
    let config = format!("{FAST}[state]\nstatus-group = \"{group}\"\n");
    let node = testbed.node(testbed.server_plan(11, &config)).unwrap();
    for path in [node.root(), node.root().parent().unwrap()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for path in ["etc/k2hdkc-agent/agent.toml", "usr/lib/k2hdkc-agent/agent.toml"] {
        fs::set_permissions(node.root().join(path), fs::Permissions::from_mode(0o644)).unwrap();
    }
    node
}

#[test]
fn a_group_may_ask_for_the_status_and_order_nothing_and_others_are_told_that_they_may_not() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can become somebody else");
        return;
    }
    let testbed = Testbed::open(3, 1).unwrap();
    let group = Group::from_gid(Gid::from_raw(1)).unwrap().unwrap();
    let mut node = with_group(&testbed, &group.name);
    start(&mut node);
    let (code, text, errors) = as_nobody(&node, 1, &["status"]);
    let pid = format!("running, pid {}", node.pid().unwrap());
    assert!(code == 0 && text.contains(&pid), "{code}: {text} {errors}");
    for order in [&["confirm"][..], &["leave"], &["join"]] {
        let (code, text, errors) = as_nobody(&node, 1, order);
        assert_eq!((code, text.as_str()), (1, ""), "{order:?}: {errors}");
        assert!(
            errors.contains("this user may ask for the status only: repeat the command as root"),
            "{order:?}: {errors}"
        );
        let (code, text, errors) = as_nobody(&node, NOBODY, order);
        assert_eq!((code, text.as_str()), (1, ""), "{order:?}: {errors}");
        assert!(errors.contains("is closed to this user: ask as root"), "{order:?}: {errors}");
    }
    let (code, text, errors) = as_nobody(&node, NOBODY, &["status"]);
    assert_eq!((code, text.as_str()), (1, ""), "not the ledger's word of one that runs: {errors}");
    let remedy = format!(
        "is closed to this user: ask as root or, for the status, as a member of the group {}",
        group.name
    );
    assert!(errors.contains(&remedy), "{errors}");
    assert!(node.status().unwrap()["leaving"].is_null(), "{}", node.log());
    node.stop().unwrap();
    assert!(!admin::socket(&node.root().join("run/k2hdkc-agent")).exists());
    let (code, text, errors) = as_nobody(&node, NOBODY, &["status"]);
    assert!(code == 1 && text.contains("not running; this is what its ledger says"), "{code}: {text}");
    assert!(errors.contains("ledger.json cannot be read: Permission denied"), "{errors}");
}
