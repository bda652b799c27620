//! Signals and single instance.

use std::time::{Duration, Instant};

use k2hdkc_agent::admin;
use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuks};

use super::{PATIENCE, SELDOM, SOON, assert_follows, following, polls, run, start};

const SECOND: Duration = Duration::from_secs(1);

/// An agent in the middle of a question that K2HR3 does not answer.
fn stalled(testbed: &Testbed) -> Node {
    let node = following(testbed, &FAST.replace("timeout = \"1s\"", "timeout = \"30s\""));
    testbed.lab().set_sickness(Some(Sickness::Stall(Duration::from_mins(1))));
    let since = Instant::now();
    assert!(wait_for(PATIENCE, || polls(testbed, since) >= 1), "{}", node.log());
    node
}

#[test]
fn sigterm_ends_it_within_a_second_even_while_k2hr3_stalls() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = stalled(&testbed);
    let before = node.live().unwrap();
    let took = node.stop().unwrap();
    assert!(took < SECOND, "{took:?}");
    let log = node.log();
    assert!(
        log.contains("signal=\"SIGTERM from pid") && log.contains("chmpx and k2hdkc are left as they are"),
        "{log}"
    );
    assert_eq!(node.live().unwrap(), before);
    assert!(!admin::socket(&node.root().join("run/k2hdkc-agent")).exists());
}

#[test]
fn sigint_ends_it_as_well() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    node.signal("INT").unwrap();
    assert!(wait_for(SECOND, || !node.is_running()), "{}", node.log());
    assert!(node.log().contains("signal=\"SIGINT from pid"), "{}", node.log());
}

#[test]
fn after_a_kill_status_says_what_the_ledger_knows_and_how_old_that_is() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    node.kill().unwrap();
    let told = |node: &Node| {
        let (code, text, _) = run(node, &["status"]);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.contains("by the ledger, which noted this pass ") && !text.contains("no pass yet"),
            "{text}"
        );
        assert!(text.contains("last good one at most ") && text.contains(" ago (by the ledger)"), "{text}");
        text
    };
    assert!(told(&node).contains("not running"));
    // Nor does the next agent say that there was none.
    testbed.lab().set_sickness(Some(Sickness::Stall(Duration::from_mins(1))));
    node.start().unwrap();
    assert!(wait_for(PATIENCE, || run(&node, &["status"]).1.contains(" running, pid")), "{}", node.log());
    told(&node);
    node.kill().unwrap();
}

#[test]
fn status_answers_while_k2hr3_stalls() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = stalled(&testbed);
    let asked = Instant::now();
    let status = node.status().unwrap();
    assert!(asked.elapsed() < SECOND, "{:?}", asked.elapsed());
    assert_eq!(status["agent"]["pid"], node.pid().unwrap());
    node.stop().unwrap();
}

#[test]
fn a_second_agent_on_the_same_root_is_refused_and_told_the_first_s_pid() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let pid = node.pid().unwrap();
    for command in ["run", "once"] {
        let (code, text, errors) = run(&node, &[command]);
        assert_eq!((code, text.as_str(), errors.lines().count()), (1, "", 1), "{command}: {errors}");
        assert!(
            errors.contains(&format!("another k2hdkc-agent (pid {pid}) works with")),
            "{command}: {errors}"
        );
    }
    assert!(node.is_running());
    testbed.add_server(14);
    assert_follows(&node, &cuks(11..=14));
    assert_eq!(node.status().unwrap()["agent"]["pid"], pid, "the socket is still the first one's");
    node.stop().unwrap();
}

#[test]
fn looking_is_allowed_while_it_runs() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    for command in ["render", "diff", "check", "status"] {
        let (code, _, errors) = run(&node, &[command]);
        assert_eq!((code, errors.as_str()), (0, ""), "{command}");
    }
    node.stop().unwrap();
}

#[test]
fn a_killed_agent_s_lock_and_socket_do_not_keep_the_next_from_starting() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    node.kill().unwrap();
    assert!(admin::socket(&node.root().join("run/k2hdkc-agent")).exists());
    assert_eq!(run(&node, &["status"]).0, 1, "not running, so somebody should look");
    start(&mut node);
    assert_eq!(node.status().unwrap()["agent"]["pid"], node.pid().unwrap());
    node.stop().unwrap();
}

#[test]
fn sigusr1_asks_at_once() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, SELDOM);
    testbed.add_server(14);
    node.signal("USR1").unwrap();
    let asked = wait_for(SOON, || node.cuks(k2hdkc_agent::ring::Mode::Server) == cuks(11..=14));
    assert!(asked, "{}", node.log());
    node.stop().unwrap();
}
