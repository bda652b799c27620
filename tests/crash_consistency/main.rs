//! The agent killed before every system call of a pass that changes something, and before a sample of the others:
//! the live file is the old one or the new one, and the next start converges.
//!
//! `strace` kills it: `--inject=CALL:signal=KILL:when=N` ends the process as it enters its N-th CALL, which is then
//! not carried out. A pass has some 300 calls in a fixed order, so N runs until a pass survives.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use k2hdkc_agent::ledger::Store;
use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::Node;
use k2hdkc_tests::testbed::{Testbed, cuks};

/// The system calls that change files, on any architecture (`?`: where there is such a call). Killed at each.
const CHANGING: &[&str] = &[
    "?mkdir",
    "mkdirat",
    "flock",
    "ftruncate",
    "write",
    "fsync",
    "?fchmod",
    "?fchown",
    "?rename",
    "renameat",
    "renameat2",
    "?unlink",
    "unlinkat",
    "?lsetxattr",
    "?setxattr",
    "?fsetxattr",
];
/// The system calls that only look or talk. Killed at every [`STRIDE`]-th.
const LOOKING: &[&str] = &[
    "openat",
    "read",
    "close",
    "statx",
    "fcntl",
    "socket",
    "connect",
    "sendto",
    "recvfrom",
    "epoll_pwait",
    "?epoll_wait",
    "getdents64",
    "?llistxattr",
    "exit_group",
];
const STRIDE: usize = 5;

/// A setting in which both files that the agent replaces, and the ledger, are in play.
const CONFIG: &str = "[hosts]\nenabled = true\n";

/// The passes of one test.
#[derive(Debug, Default)]
struct Tally {
    killed: usize,
    left_old: usize,
    left_new: usize,
    faults: Vec<String>,
}

#[test]
fn a_kill_at_any_step_of_a_replacement_leaves_a_loadable_file_and_the_next_start_converges() {
    let testbed = Testbed::open(2, 1).unwrap();
    let before = testbed.node(testbed.server_plan(11, CONFIG)).unwrap();
    assert_ran(&before);
    // So that the next file must get an owner and an attribute.
    std::os::unix::fs::chown(before.ini(), Some(12345), Some(12345)).unwrap();
    xattr::set(before.ini(), "user.note", b"kept").unwrap();
    let old = before.live().unwrap().text;
    testbed.add_server(13);

    let tally = kill_everywhere(&testbed, &before, Some(&old));
    assert_eq!(tally.faults, [""; 0], "{} of {} kills", tally.faults.len(), tally.killed);
    assert!(tally.killed > 100 && tally.left_old > 20 && tally.left_new > 20, "{tally:?}");
}

#[test]
fn a_kill_at_any_step_of_the_first_installation_leaves_no_file_or_a_loadable_one() {
    let testbed = Testbed::open(3, 1).unwrap();
    let before = testbed.node(testbed.server_plan(11, CONFIG)).unwrap();

    let tally = kill_everywhere(&testbed, &before, None);
    assert_eq!(tally.faults, [""; 0], "{} of {} kills", tally.faults.len(), tally.killed);
    assert!(tally.killed > 100 && tally.left_old > 20 && tally.left_new > 20, "{tally:?}");
}

/// Servers 11 and 12 are installed, or nothing; 11 to 13 are wanted.
fn kill_everywhere(testbed: &Testbed, before: &Node, old: Option<&str>) -> Tally {
    assert_strace();
    let mut tally = Tally::default();
    for (calls, stride, again) in [(CHANGING, 1, false), (CHANGING, 1, true), (LOOKING, STRIDE, false)] {
        for call in calls {
            for when in (1..).step_by(stride) {
                let step = format!("{call} {when}{}", if again { ", then another change" } else { "" });
                let node = copied(testbed, before, &step.replace([' ', '?'], "-"));
                let killed = pass_killed_at(&node, call, when);
                let checked = check(testbed, &node, old, again, &mut tally);
                tally.faults.extend(checked.into_iter().map(|fault| format!("{step}: {fault}")));
                tally.killed += usize::from(killed);
                std::fs::remove_dir_all(node.root()).unwrap();
                if !killed {
                    break;
                }
            }
        }
    }
    tally
}

/// Lists what is wrong after the kill and after the next pass. `again`: the membership changes once more in between.
fn check(testbed: &Testbed, node: &Node, old: Option<&str>, again: bool, tally: &mut Tally) -> Vec<String> {
    let mut faults = Vec::new();
    // FILEVERSIONs that were visible, with what they stood for.
    let mut visible: BTreeMap<u32, String> = BTreeMap::new();
    if let Some(old) = old {
        visible.insert(1, old.to_owned());
    }
    match (node.ring(), node.live().ok()) {
        (Ok(None), _) if old.is_none() => tally.left_old += 1,
        (Ok(Some((_, fileversion))), Some(live)) if Some(live.text.as_str()) == old => {
            tally.left_old += 1;
            assert_eq!(fileversion, 1);
        }
        (Ok(Some((_, fileversion))), Some(live)) if node.cuks(Mode::Server) == cuks(11..=13) => {
            tally.left_new += 1;
            faults.extend(clash(&visible, fileversion, &live.text));
            visible.insert(fileversion, live.text);
        }
        (ring, live) => faults.push(format!("the live file is {ring:?}: {live:?}")),
    }
    let wanted = if again { 11..=14 } else { 11..=13 };
    if again {
        testbed.add_server(14);
    }
    let output = node.run(&["once"]).unwrap();
    testbed.remove_server(14);
    if !output.status.success() || !output.stderr.is_empty() {
        faults.push(format!("the next pass: {output:?}"));
    }
    if node.cuks(Mode::Server) != cuks(wanted) {
        faults.push(format!("the next pass installed {:?}", node.ring()));
        return faults;
    }
    faults.extend(clash(&visible, node.fileversion(), &node.live().unwrap().text));
    faults.extend(ledger_faults(node));
    faults.extend(strays(node.root()).into_iter().map(|path| format!("{} is left behind", path.display())));
    faults
}

/// chmpx takes a file with another content only under a higher FILEVERSION than it has ever seen.
fn clash(visible: &BTreeMap<u32, String>, fileversion: u32, text: &str) -> Option<String> {
    let (highest, seen) = visible.last_key_value()?;
    let fits = if seen == text { fileversion == *highest } else { fileversion > *highest };
    (!fits).then(|| format!("FILEVERSION {fileversion} after {highest}"))
}

fn ledger_faults(node: &Node) -> Option<String> {
    let store = Store::peek(&node.root().join("var/lib/k2hdkc-agent"), 5);
    let (ledger, live) = (store.ledger(), node.fileversion());
    let written = ledger.written.as_ref().map(|generation| generation.fileversion);
    let kept = store.good_files().first().map(|(fileversion, _)| *fileversion);
    let right = store.complaint.is_none()
        && written == Some(live)
        && kept == Some(live)
        && ledger.fileversion >= live;
    (!right).then(|| format!("the ledger does not know {live}: {store:?}"))
}

/// Files under a temporary name of the agent, besides the one that holds the content before the last exchange.
fn strays(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                directories.push(path);
            } else if name.ends_with(".k2hdkc-agent") && name != ".k2hdkc.ini.k2hdkc-agent" {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}

/// A `once`, killed as it enters that call; false if it came to its end.
fn pass_killed_at(node: &Node, call: &str, when: usize) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
    strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={when}"));
    strace.arg(binaries::agent().unwrap()).arg("--root").arg(node.root()).arg("once");
    let output = strace.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "strace {call} {when}: {output:?}");
    killed
}

fn assert_strace() {
    let found = Command::new("strace").arg("--version").output();
    assert!(found.is_ok(), "this suite needs strace (Debian package strace; ./tests/run installs it)");
}

fn assert_ran(node: &Node) {
    let output = node.run(&["once"]).unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A second directory with the same content, owners and attributes; the agent's files name no absolute path.
fn copied(testbed: &Testbed, node: &Node, name: &str) -> Node {
    let root = testbed.roots().join(name);
    let copied = Command::new("cp").arg("--archive").arg(node.root()).arg(&root).status().unwrap();
    assert!(copied.success());
    Node::new(&root, node.plan().clone()).unwrap()
}
