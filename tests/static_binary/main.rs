//! The static agent that `packaging/build` makes for hosts with another libc, such as Alpine: it runs a server in a root with
//! neither a shell nor a libc of its own. The libraries in there are those of the simulators.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::environments::say;
use k2hdkc_tests::environments::systemd::packages;
use k2hdkc_tests::ring::{PATIENCE, Ring};

/// The static agent, if it can be tried here.
fn program() -> Option<PathBuf> {
    let program = packages().join("k2hdkc-agent-static");
    if !nix::unistd::geteuid().is_root() {
        say("SKIPPED: this suite needs root, for a root directory of its own");
        return None;
    }
    if !program.is_file() {
        say("SKIPPED: this suite needs the static program that packaging/build makes");
        return None;
    }
    Some(program)
}

/// Copies a file to a path below the root.
#[expect(clippy::disallowed_methods, reason = "nothing watches a file of a root that is being laid out")]
fn bring(root: &Path, from: &Path, path: &Path) {
    let to = root.join(path.strip_prefix("/").unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// Paths of the libraries of a program, with that of its loader.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}

/// Runs the node's programs with its directory as their root from now on. A link in there leads from the directory's path to
/// the root, so that paths of the settings hold inside and outside.
fn enclose(node: &mut Node, program: &Path) {
    let root = node.root().to_owned();
    let (agent, simulators) = (binaries::agent().unwrap(), binaries::simulators().unwrap());
    bring(&root, program, agent);
    let alone = Command::new("chroot").arg(&root).arg(agent).arg("--version").output().unwrap();
    assert!(alone.status.success(), "it needs a libc: {alone:?}");
    bring(&root, simulators, simulators);
    for path in libraries(simulators) {
        bring(&root, &path, &path);
    }
    let inside = root.join(root.strip_prefix("/").unwrap());
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    symlink("/", inside).unwrap();
    for directory in ["dev", "proc", "tmp"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let null = Command::new("mknod").arg(root.join("dev/null")).args(["c", "1", "3"]).status().unwrap();
    assert!(null.success());
    node.write("etc/passwd", "root:x:0:0::/:/bin/sh\n").unwrap();
    let place = format!("--root={}", root.display());
    node.enter_by(["unshare", "--mount", &place, "--mount-proc=/proc"].map(Into::into).into());
}

#[test]
fn a_server_of_the_static_agent_starts_restarts_reloads_and_is_adopted_in_a_root_without_libc_or_shell() {
    let Some(program) = program() else { return };
    let mut ring = Ring::new(Style::default(), "").unwrap();
    for number in [1, 2, 100] {
        ring.add(number).unwrap();
    }
    enclose(ring.node_mut(1), &program);
    let shell = ring.node(1).root().join("bin/sh");
    assert!(!shell.exists());
    ring.tell(&[1, 2], &[100]).unwrap();
    for number in [1, 2, 100] {
        ring.node_mut(number).start().unwrap();
    }
    ring.settled().unwrap();
    ring.write(100, 20).unwrap();
    assert_eq!(ring.all_readable(100, 20), Ok(()));

    let chmpx = ring.kill(1, "chmpx").unwrap();
    assert!(wait_for(PATIENCE, || ring.pid(1, "chmpx").is_some_and(|pid| pid != chmpx)), "{}", ring.told(1));
    ring.settled().unwrap();

    let before = ring.node(1).fileversion();
    ring.tell_more(1, &[1, 2], &[100], "RWTIMEOUT = 20000").unwrap();
    assert!(wait_for(PATIENCE, || ring.node(1).fileversion() > before), "{}", ring.told(1));
    ring.settled().unwrap();

    let pids = ["chmpx", "k2hdkc"].map(|program| ring.pid(1, program));
    ring.node_mut(1).stop().unwrap();
    ring.node_mut(1).start().unwrap();
    ring.settled().unwrap();
    assert_eq!(["chmpx", "k2hdkc"].map(|program| ring.pid(1, program)), pids, "both outlive their agent");
}
