//! A file that passes every rule and ends chmpx all the same.

use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

/// Two servers and a slave; server 1 dislikes a value that its source now says.
fn rolled_back(faults: &str, value: &str) -> Ring {
    let ring = Ring::running(Style { replicas: 1, ..Style::default() }, "", 2, 1).unwrap();
    ring.write(100, 60).unwrap();
    ring.faults(1, faults).unwrap();
    ring.tell_more(1, &[1, 2], &[100], value).unwrap();
    let rejected = || ring.status(1).is_some_and(|status| status.code() == Some(OutcomeKind::Rejected));
    assert!(wait_for(PATIENCE, rejected), "{}", ring.told(1));
    ring
}

#[test]
fn a_generation_that_ends_chmpx_is_rolled_back_once_kept_aside_and_explained() {
    let mut ring = rolled_back("dislike = \"RWTIMEOUT=777\"\n", "RWTIMEOUT = 777");
    let well = || ring.processes(1).is_some_and(|s| s.text.starts_with("converged"));
    assert!(wait_for(PATIENCE, well), "{}", ring.told(1));
    let status = ring.status(1).unwrap();
    assert!(status.line().contains("chmpx ended with status 0"), "{}", status.line());
    let kept = ring.node(1).root().join("var/lib/k2hdkc-agent/rejected");
    let files: Vec<_> = std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert!(std::fs::read_to_string(&files[0]).unwrap().contains("RWTIMEOUT = 777"));
    assert!(!ring.node(1).live().unwrap().text.contains("777"));
    ring.all_readable(100, 60).unwrap();
    // Polls go on and on, and it is not tried again.
    let version = ring.node(1).fileversion();
    let asked = ring.status(1).unwrap().at;
    assert!(wait_for(PATIENCE, || ring.status(1).is_some_and(|s| s.at.since(asked).as_millis() > 1500)));
    assert_eq!(ring.node(1).fileversion(), version);
    assert_eq!(ring.node(1).log().matches("rolled back: the last verified ring").count(), 1);
    // Another answer is.
    ring.tell_more(1, &[1, 2], &[100], "RWTIMEOUT = 778").unwrap();
    ring.settled().unwrap();
    assert!(ring.node(1).live().unwrap().text.contains("778"));
}

#[test]
fn so_is_one_that_crashes_it() {
    let ring = rolled_back("crash-on = \"RWTIMEOUT=777\"\n", "RWTIMEOUT = 777");
    assert!(ring.status(1).unwrap().line().contains("was ended by SIGSEGV"), "{}", ring.told(1));
}

#[test]
fn an_agent_that_only_adopted_chmpx_finds_out_by_starts_that_fail() {
    let mut ring = Ring::running(Style { replicas: 1, ..Style::default() }, "", 2, 1).unwrap();
    ring.write(100, 60).unwrap();
    ring.node_mut(1).kill().unwrap();
    ring.node_mut(1).start().unwrap();
    ring.settled().unwrap();
    ring.faults(1, "dislike = \"RWTIMEOUT=777\"\n").unwrap();
    ring.tell_more(1, &[1, 2], &[100], "RWTIMEOUT = 777").unwrap();
    let rejected = || ring.status(1).is_some_and(|status| status.code() == Some(OutcomeKind::Rejected));
    assert!(wait_for(PATIENCE, rejected), "{}", ring.told(1));
    assert!(
        ring.status(1).unwrap().line().contains("chmpx does not start with generation"),
        "{}",
        ring.told(1)
    );
    ring.all_readable(100, 60).unwrap();
}

#[test]
fn a_kill_right_after_an_installation_is_nobodys_fault() {
    let mut ring =
        Ring::running(Style { replicas: 1, ..Style::default() }, "timing.quiet-after-write = \"3s\"", 2, 1)
            .unwrap();
    let version = ring.node(1).fileversion();
    ring.tell_more(1, &[1, 2], &[100], "RWTIMEOUT = 777").unwrap();
    assert!(wait_for(PATIENCE, || ring.node(1).fileversion() > version));
    ring.kill(1, "chmpx").unwrap();
    ring.settled().unwrap();
    assert!(ring.node(1).live().unwrap().text.contains("777"));
}

#[test]
fn a_first_file_that_chmpx_dislikes_is_reported_and_tried_less_and_less_often() {
    let mut ring = Ring::new(Style::default(), "").unwrap();
    ring.add(1).unwrap();
    ring.faults(1, "fail-starts = 9\n").unwrap();
    ring.tell(&[1], &[]).unwrap();
    ring.node_mut(1).start().unwrap();
    let told =
        || ring.processes(1).is_some_and(|processes| processes.text.contains("chmpx has failed to run"));
    assert!(wait_for(PATIENCE, told), "{}", ring.told(1));
    assert!(ring.processes(1).unwrap().text.contains("ended with status 1"));
    ring.faults(1, "").unwrap();
    ring.settled().unwrap();
}
