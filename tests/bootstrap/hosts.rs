//! Hosts of other kinds than a new Debian: other package managers, what upstream's user-data has left, and a power that fails.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use k2hdkc_simulators::node::Node;
use k2hdkc_tests::testbed::Testbed;

use super::{bootstrap, done, is_unfinished, order, program, took_over, vm};

/// The VM with other programs than apt's and shadow's.
fn other_vm(testbed: &Testbed) -> Node {
    let node = vm(testbed);
    for name in ["apt-get", "dpkg-query", "useradd"] {
        std::fs::remove_file(node.root().join("usr/bin").join(name)).unwrap();
    }
    order(testbed, "k2hdkc-dbaas-add-user", "1");
    node
}

#[test]
fn a_host_with_dnf_gets_its_packages_by_dnf_and_is_asked_by_rpm() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = other_vm(&testbed);
    let root = node.root().display().to_string();
    program(&node, "useradd", &format!("last \"$@\" >>{root}/users"));
    program(&node, "rpm", &format!("grep -q -x \"$3\" {root}/installed"));
    program(&node, "dnf", &format!("[ \"$1\" != install ] || last \"$@\" >>{root}/installed"));
    let (code, _, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 0, "{errors}");
    let install = |name: &str| format!("dnf install --assumeyes --setopt=install_weak_deps=False {name}");
    let steps = done(&node);
    let expected = [
        "dnf makecache --assumeyes".to_owned(),
        install("k2hdkc-dbaas-override-conf"),
        install("chmpx"),
        install("k2hdkc"),
    ];
    assert_eq!(steps[1..5], expected);
    assert_eq!(bootstrap(&node, &[]).1, "this host has what K2HR3 wants of it\n");
    assert_eq!(done(&node), steps, "what is there is not done again");
}

/// As an Alpine is, whose packages its image has.
#[test]
fn a_host_without_systemd_is_told_that_nothing_there_starts_the_agent() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = vm(&testbed);
    node.write("installed", "k2hdkc-dbaas-override-conf\nchmpx\nk2hdkc\n").unwrap();
    std::fs::remove_file(node.root().join("usr/bin/systemctl")).unwrap();
    std::fs::remove_dir_all(node.root().join("run/systemd")).unwrap();
    for _ in 0..2 {
        let (code, _, errors) = bootstrap(&node, &[]);
        assert_eq!((code, is_unfinished(&node)), (1, true), "{errors}");
        let told = "cannot start k2hdkc-agent.service: this host has no systemd; have its own init run 'k2hdkc-agent run'";
        assert!(errors.contains(told), "{errors}");
        assert_eq!(errors.lines().count(), 2, "another attempt is of no use: {errors}");
    }
    assert_eq!(done(&node), Vec::<String>::new());
}

/// An image that is being made, or a container: systemctl is there, and enables.
#[test]
fn a_systemd_that_does_not_run_is_told_what_starts_at_boot_and_asked_to_start_nothing() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = vm(&testbed);
    std::fs::remove_dir_all(node.root().join("run/systemd")).unwrap();
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!((code, is_unfinished(&node)), (0, false), "{errors}");
    let steps = done(&node);
    assert_eq!(steps.last().unwrap(), "systemctl enable k2hdkc-agent.service", "{steps:?}");
    let last = "this host has what K2HR3 wants of it; no init runs here that could start the agent: the one that is installed \
                will, when it boots\n";
    assert!(text.ends_with(last), "{text}");
}

/// As upstream's user-data leaves a VM when it ran as root: identity and packages are there, everything is open to everybody,
/// and no unit was enabled or started, but for the timer that its package enables.
#[test]
fn a_vm_that_upstreams_user_data_has_left_half_done_is_closed_and_gets_its_user_and_the_agent() {
    let testbed = Testbed::open(3, 1).unwrap();
    order(&testbed, "k2hdkc-dbaas-add-user", "1");
    let node = vm(&testbed);
    node.write("installed", "k2hdkc-dbaas-override-conf\nk2hr3-get-resource\nchmpx\nk2hdkc\n").unwrap();
    node.write("enabled", "k2hr3-get-resource.timer\n").unwrap();
    let directory = node.root().join("etc/antpickax");
    let mode = |path: &str| std::fs::metadata(directory.join(path)).unwrap().permissions().mode() & 0o7777;
    for (path, mode) in [(".", 0o777), ("k2hr3-role-token", 0o644), ("k2hr3-role-name", 0o644)] {
        std::fs::set_permissions(directory.join(path), Permissions::from_mode(mode)).unwrap();
    }
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 0, "{errors}");
    let expected = [
        "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin k2hdkc",
        "systemctl disable --now k2hr3-get-resource.timer",
        "systemctl enable k2hdkc-agent.service",
        "systemctl start --no-block k2hdkc-agent.service",
    ];
    assert_eq!(done(&node), expected);
    assert_eq!(took_over(&node), "k2hr3-get-resource.timer\n", "what a removal gives back");
    assert!(text.contains("k2hr3-role-token to other users (mode 0600)\n"), "{text}");
    assert_eq!((mode("."), mode("k2hr3-role-token"), mode("k2hr3-role-name")), (0o755, 0o600, 0o644));
    assert_eq!(bootstrap(&node, &[]).1, "this host has what K2HR3 wants of it\n");
}

/// The package of libfullock has just come.
#[test]
fn the_directory_of_chmpx_s_memory_is_closed_by_the_script_of_the_package_once_the_packages_are_there() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = vm(&testbed);
    let (memory, script) = (node.root().join("var/lib/antpickax"), "usr/lib/k2hdkc-agent/package");
    std::fs::create_dir_all(&memory).unwrap();
    std::fs::set_permissions(&memory, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(bootstrap(&node, &[]).0, 0, "a program without a package knows no group");
    let text = format!(
        "#!/bin/sh\necho \"package $*\" >>{0}/calls; chmod 2770 {0}/var/lib/antpickax\n",
        node.root().display()
    );
    node.write(script, &text).unwrap();
    std::fs::set_permissions(node.root().join(script), Permissions::from_mode(0o755)).unwrap();
    let (code, text, errors) = bootstrap(&node, &[]);
    assert_eq!(code, 0, "{errors}");
    assert!(text.starts_with("close the directory of chmpx's memory to users outside its group\n"), "{text}");
    assert_eq!(done(&node).last().unwrap(), "package closing");
    assert_eq!(bootstrap(&node, &[]).1, "this host has what K2HR3 wants of it\n");
}

#[test]
fn wherever_the_power_fails_the_next_run_does_the_rest_and_nothing_twice() {
    let testbed = Testbed::open(3, 1).unwrap();
    order(&testbed, "k2hdkc-dbaas-add-user", "1");
    let whole = {
        let node = vm(&testbed);
        assert_eq!(bootstrap(&node, &[]).0, 0);
        done(&node)
    };
    for killed in 1..=whole.len() {
        let node = vm(&testbed);
        for list in ["calls", "changes"] {
            node.write(list, "").unwrap();
        }
        node.write("kill-at", &killed.to_string()).unwrap();
        assert_eq!(bootstrap(&node, &[]).0, -1, "it was killed at change {killed}");
        assert!(is_unfinished(&node), "the next boot takes it up");
        assert_eq!(done(&node), whole[..killed]);
        node.write("kill-at", "").unwrap();
        node.write("calls", "").unwrap();
        let (code, _, errors) = bootstrap(&node, &[]);
        assert_eq!((code, is_unfinished(&node)), (0, false), "{errors}");
        let again: Vec<String> = done(&node).into_iter().filter(|call| !call.contains(" update ")).collect();
        let rest: Vec<String> =
            whole[killed - 1..].iter().filter(|call| !call.contains(" update ")).cloned().collect();
        assert_eq!(again, rest, "after change {killed}");
    }
}
