//! An operator at work with an agent: commands, signals, settings, obstacles, repairs.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod commands;
mod content;
mod credentials;
mod holding;
mod obstacles;
mod out_of_reach;
mod peers;
mod repairs;
mod settings;
mod stopping;

use std::process::Output;
use std::time::{Duration, Instant};

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{Testbed, cuks};

/// For what must happen some time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// For what must happen by itself, without a poll.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// A question at the start, and then none for an hour: what happens, happens for another reason.
pub(crate) const SELDOM: &str = "[poll]\ninterval = \"1h\"\nmax-interval = \"1h\"\nsettle = \"20ms\"\nmax-settle = \"100ms\"\n\
    backoff = \"30m\"\nmax-backoff = \"1h\"\n";

/// An agent that runs and has installed servers 11 to 13.
pub(crate) fn following(testbed: &Testbed, config: &str) -> Node {
    let mut node = testbed.node(testbed.server_plan(11, config)).unwrap();
    start(&mut node);
    node
}

pub(crate) fn start(node: &mut Node) {
    node.start().unwrap();
    let first = wait_for(PATIENCE, || node.cuks(Mode::Server) == cuks(11..=13) && is_answered(node));
    assert!(first, "{}", node.log());
}

/// Checks whether the agent has published the state after its first pass.
fn is_answered(node: &Node) -> bool {
    node.status().is_ok_and(|status| !status["outcome"].is_null())
}

/// Waits for servers 11 to `last` in the live file.
pub(crate) fn assert_follows(node: &Node, servers: &[String]) {
    assert!(wait_for(PATIENCE, || node.cuks(Mode::Server) == servers), "{servers:?}:\n{}", node.log());
}

/// Counts the polls that K2HR3 has seen.
pub(crate) fn polls(testbed: &Testbed, since: Instant) -> usize {
    testbed.polls_since(since).len()
}

/// Exit status, standard output and standard error.
pub(crate) fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Runs an agent command.
pub(crate) fn run(node: &Node, arguments: &[&str]) -> (i32, String, String) {
    told(node.run(arguments).unwrap())
}

/// The file without the two keys that are new with every writing.
pub(crate) fn without_stamp(text: &str) -> String {
    let is_stamp = |line: &&str| line.starts_with("FILEVERSION =") || line.starts_with("DATE =");
    text.split_inclusive('\n').filter(|line| !is_stamp(line)).collect()
}
