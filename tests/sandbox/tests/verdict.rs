//! The sandbox itself, shortened: its scenario comes to a good verdict, with no key lost and no process restarted by a change
//! of the roles. An interrupted run leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k2hdkc_simulators::node::wait_for;

/// Far longer than a run takes on a busy machine; within it, every wait of the sandbox has run out.
const LONG: Duration = Duration::from_mins(5);

fn sandbox(arguments: &[&str], dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_k2hdkc-sandbox"))
        .args(["--plain", "--short", "--dir"])
        .arg(dir)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ended(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(Some(_)))
}

#[test]
fn a_short_run_comes_to_a_good_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = sandbox(&["--sick"], dir.path());
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::read_to_string(out).unwrap());
    if !wait_for(LONG, || ended(&mut child)) {
        child.kill().unwrap();
    }
    let (status, text) = (child.wait().unwrap(), reader.join().unwrap());
    assert!(
        status.success() && text.contains("\nverdict: good: 15 of 15 events as they must be\n"),
        "{status}\n{text}"
    );
    assert!(text.lines().count() <= 60 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let report = std::fs::read_to_string(dir.path().join("report.txt")).unwrap();
    assert_eq!(report.matches("7 of 7 nodes kept their file and their ring").count(), 6, "{report}");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.get(1..3) == Some(&["s", "servers"]))
        .collect();
    assert_eq!(rows.len(), 3, "{text}");
    for row in rows {
        // Restarts, the slowest read, and lost keys.
        assert_eq!((row[row.len() - 3], row[row.len() - 1]), ("-", "0"), "{text}");
    }
    assert!(dir.path().join("server-1/agent.log").exists());
    assert_eq!(alive(dir.path()), Vec::<String>::new());
}

/// Processes that have a path below `dir` among their arguments.
fn alive(dir: &Path) -> Vec<String> {
    let output = Command::new("pgrep").arg("-af").arg(dir).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn an_interrupted_one_ends_every_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = sandbox(&["--servers", "2"], dir.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("slaves start")));
    assert!(first.is_some());
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    assert!(wait_for(LONG, || ended(&mut child)));
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(alive(dir.path()), Vec::<String>::new());
}
