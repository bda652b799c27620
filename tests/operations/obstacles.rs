//! Obstacles in the way of a replacement, and what a replacement must carry over.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::process::Command;

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuks};

use super::{PATIENCE, assert_follows, following, run, told};

fn installed(testbed: &Testbed) -> Node {
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    assert_eq!(run(&node, &["once"]).0, 0);
    node
}

#[test]
fn a_symbolic_link_is_refused_with_its_reason_and_neither_it_nor_its_target_changes() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = installed(&testbed);
    let supervisor = node.root().join("elsewhere.ini");
    fs::rename(node.ini(), &supervisor).unwrap();
    symlink(&supervisor, node.ini()).unwrap();
    let before = node.live().unwrap();
    testbed.add_server(14);
    let (code, text, errors) = run(&node, &["once"]);
    assert_eq!((code, text.as_str(), errors.lines().count()), (1, "", 1), "{errors}");
    assert!(errors.contains("k2hdkc.ini is a symbolic link: chmpx watches what it points to"), "{errors}");
    assert_eq!((node.live().unwrap(), node.ini().is_symlink()), (before, true));
}

#[test]
fn a_directory_in_its_place_is_refused() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    fs::create_dir(node.ini()).unwrap();
    let (code, _, errors) = run(&node, &["once"]);
    assert!(code == 1 && errors.contains("k2hdkc.ini is not a regular file"), "{code}: {errors}");
    assert!(node.ini().is_dir());
}

#[test]
fn an_obstacle_is_an_error_in_the_running_agent_s_log_and_status_until_it_is_gone() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let supervisor = node.root().join("elsewhere.ini");
    fs::rename(node.ini(), &supervisor).unwrap();
    symlink(&supervisor, node.ini()).unwrap();
    let failed = || node.status().unwrap()["outcome"]["code"] == "failed";
    assert!(wait_for(PATIENCE, failed), "{}", node.log());
    let status = node.status().unwrap();
    assert!(status["outcome"]["text"].as_str().unwrap().contains("is a symbolic link"), "{status}");
    assert_eq!(node.log().matches("ERROR failed, the live file is whole").count(), 1, "{}", node.log());
    fs::remove_file(node.ini()).unwrap();
    testbed.add_server(14);
    assert_follows(&node, &cuks(11..=14));
    assert!(wait_for(PATIENCE, || run(&node, &["status"]).0 == 0), "{}", node.log());
    node.stop().unwrap();
}

/// As a container gets a single file: in a mount namespace of its own, so that nothing is left behind.
#[test]
fn a_file_that_is_mounted_by_itself_is_refused_with_its_reason() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = installed(&testbed);
    let allowed =
        Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("NOT TESTED: a bind-mounted file, since this user may not make a mount namespace");
        return;
    }
    let outside = node.root().join("outside.ini");
    fs::rename(node.ini(), &outside).unwrap();
    node.write("etc/antpickax/k2hdkc.ini", "").unwrap();
    let before = fs::read(&outside).unwrap();
    testbed.add_server(14);
    let script = "mount --bind \"$1\" \"$2\" && exec \"$3\" --root \"$4\" once";
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", script, "sh"]);
    shell.arg(&outside).arg(node.ini()).arg(binaries::agent().unwrap()).arg(node.root());
    let (code, _, errors) = told(shell.output().unwrap());
    assert_eq!(code, 1, "{errors}");
    assert!(
        errors.contains("k2hdkc.ini is a mount point (a single file mounted into a container)"),
        "{errors}"
    );
    assert_eq!(fs::read(&outside).unwrap(), before);
}

/// Owner, group and mode.
fn bits(node: &Node) -> (u32, u32, u32) {
    let metadata = node.ini().metadata().unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

#[test]
fn owner_group_mode_and_attributes_of_the_live_file_are_kept() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = installed(&testbed);
    assert_eq!(bits(&node).2, 0o644);
    chown(node.ini(), Some(12345), Some(23456)).unwrap();
    fs::set_permissions(node.ini(), fs::Permissions::from_mode(0o640)).unwrap();
    xattr::set(node.ini(), "user.note", b"kept").unwrap();
    for added in 14..=16 {
        testbed.add_server(added);
        assert_eq!(run(&node, &["once"]).0, 0);
        assert_eq!(node.cuks(Mode::Server), cuks(11..=added));
        assert_eq!(bits(&node), (12345, 23456, 0o640));
        assert_eq!(xattr::get(node.ini(), "user.note").unwrap().as_deref(), Some(&b"kept"[..]));
    }
}

/// As the agent runs under systemd: nobody but `CAP_SYS_ADMIN` may set a security attribute.
#[test]
fn an_agent_without_sys_admin_leaves_the_kernel_s_hash_behind_and_tells_what_else_it_could_not_carry_over() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = installed(&testbed);
    let hosts = node.root().join("etc/hosts");
    node.write("etc/k2hdkc-agent/conf.d/60-hosts.toml", "[hosts]\nenabled = true\n").unwrap();
    node.write("etc/hosts", "127.0.0.1 localhost\n").unwrap();
    let set = |path: &std::path::Path| xattr::set(path, "security.ima", b"\x04\x04old");
    let drops = ["setpriv", "--bounding-set=-sys_admin", "--"];
    let may_drop = Command::new(drops[0]).args(&drops[1..]).arg("true").status().is_ok_and(|s| s.success());
    if !may_drop || set(&node.ini()).is_err() || set(&hosts).is_err() {
        eprintln!("NOT TESTED: attributes of the kernel, which this user or filesystem cannot set");
        return;
    }
    xattr::set(node.ini(), "security.note", b"an operator's").unwrap();
    node.enter_by(drops.map(std::ffi::OsString::from).into());
    testbed.add_server(14);
    let (code, text, errors) = run(&node, &["once"]);
    assert_eq!((code, node.cuks(Mode::Server)), (0, cuks(11..=14)), "{errors}");
    assert!(fs::read_to_string(&hosts).unwrap().contains("# BEGIN k2hdkc-agent"), "{errors}");
    for path in [node.ini(), hosts] {
        assert_eq!(xattr::get(&path, "security.ima").unwrap(), None, "{}", path.display());
    }
    let told = "the attribute security.note of ";
    assert!(format!("{text}{errors}").contains(told), "{text}{errors}");

    // A label is another matter: without it the file may be closed to chmpx.
    xattr::set(node.ini(), "security.SMACK64", b"_").unwrap();
    testbed.add_server(15);
    let (code, _, errors) = run(&node, &["once"]);
    assert!(
        code == 1 && errors.contains("cannot put the attribute security.SMACK64 of the live file on"),
        "{errors}"
    );
    assert_eq!(node.cuks(Mode::Server), cuks(11..=14));
}

#[test]
fn the_settings_may_name_owner_group_and_mode() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = installed(&testbed);
    node.write(
        "etc/k2hdkc-agent/agent.toml",
        "[ini]\nowner = \"12345\"\ngroup = \"daemon\"\nmode = \"0600\"\n",
    )
    .unwrap();
    testbed.add_server(14);
    assert_eq!(run(&node, &["once"]).0, 0);
    let group = fs::read_to_string("/etc/group").unwrap();
    let daemon =
        group.lines().find_map(|line| line.strip_prefix("daemon:x:")?.split(':').next()?.parse().ok());
    assert_eq!(bits(&node), (12345, daemon.unwrap(), 0o600));
}

#[test]
fn an_owner_that_this_host_does_not_have_is_told_and_nothing_is_written() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "[ini]\nowner = \"nobody-here\"\n")).unwrap();
    let (code, _, errors) = run(&node, &["once"]);
    assert_eq!((code, errors.lines().count(), node.ini().exists()), (1, 1, false), "{errors}");
    assert!(errors.contains("ini.owner is \"nobody-here\", but this host has no such user"), "{errors}");
    node.write("etc/k2hdkc-agent/agent.toml", "[ini]\ngroup = \"nobody-here\"\n").unwrap();
    let (code, _, errors) = run(&node, &["once"]);
    assert!(code == 1 && errors.contains("this host has no such group"), "{code}: {errors}");
}
