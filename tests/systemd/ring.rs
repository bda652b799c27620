//! The beginning of the tests of both shapes: a ring whose agents have converged.

use std::time::{Duration, Instant};

use k2hdkc_agent::process_status::State;
use k2hdkc_agent::status::Status;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, INI, Node};
use k2hdkc_tests::environments::{keys, say, settings};

/// The longest time for anything on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(90);

const AGENT: &str = "k2hdkc-agent.service";

pub(crate) const KEYS: usize = 60;

/// The settings of the agents, with these further lines in `[supervisor]`.
pub(crate) fn config(more: &str) -> String {
    settings("systemd", more)
}

pub(crate) fn status(node: &Node) -> Option<Status> {
    let output = node.output(&["k2hdkc-agent", "status", "--json"]).ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// Checks whether its agent says that the processes run what the file says, with so many servers in service.
pub(crate) fn is_settled(node: &Node, servers: usize) -> bool {
    status(node).and_then(|status| status.processes).is_some_and(|processes| {
        processes.state == State::Converged && processes.healthy() == (servers, servers)
    })
}

/// Until its agent says that somebody must look, for this reason.
pub(crate) fn holds(node: &Node, text: &str) {
    let held = || {
        status(node)
            .and_then(|status| status.processes)
            .is_some_and(|processes| processes.state == State::Held && processes.text.contains(text))
    };
    assert!(wait_for(LONG, held), "{text}: {}", told(node));
}

/// Gives the agent other settings, and waits until it has read them.
pub(crate) fn configure(node: &Node, settings: &str) {
    let read = || node.journal(AGENT).matches("the configuration was read again").count();
    let before = read();
    node.put("/etc/k2hdkc-agent/agent.toml", settings).unwrap();
    assert!(wait_for(LONG, || read() > before), "{}", told(node));
}

/// Kills a program with -9, and waits until the agent was woken by its end; how long that took.
pub(crate) fn killed_and_told(node: &Node, program: &str) -> Duration {
    let events = || node.journal(AGENT).matches("process-ended").count();
    let (before, begun) = (events(), Instant::now());
    node.kill(program, "KILL").unwrap();
    assert!(wait_for(LONG, || events() > before), "{}", told(node));
    begun.elapsed()
}

/// Collects everything that explains the state of a node.
pub(crate) fn told(node: &Node) -> String {
    let text = node.exec(&["k2hdkc-agent", "status"]).unwrap_or_else(|error| error.to_string());
    let units = ["k2hdkc-agent.service", "chmpx.service", "k2hdkc.service"].map(|unit| node.journal(unit));
    format!("{}: {text}\n{}", node.identity().cuk, units.join("\n---\n"))
}

pub(crate) fn settled(environment: &Environment, servers: usize) -> Duration {
    let begun = Instant::now();
    for node in environment.nodes() {
        assert!(wait_for(LONG, || is_settled(node, servers)), "{}", told(node));
    }
    begun.elapsed()
}

/// Starts the agents, which start everything else, and writes keys from slave 100.
pub(crate) fn running(environment: &Environment, config: &str, servers: usize) {
    for node in environment.nodes() {
        node.start_agent(config).unwrap();
    }
    let took = settled(environment, servers);
    say(&format!(
        "{servers} servers and their slaves converged {:.1} s after the agents' start",
        took.as_secs_f64()
    ));
    write_keys(environment);
}

/// Writes keys from slave 100.
pub(crate) fn write_keys(environment: &Environment) {
    let written = keys::write_at_last(environment.node(100), INI, KEYS, LONG);
    assert!(written.is_ok(), "{written:?}\n{}", environment.nodes().map(told).collect::<Vec<_>>().join("\n"));
    all_readable(environment);
}

/// Waits for a moment in which all keys are readable.
pub(crate) fn all_readable(environment: &Environment) {
    let mut count = 0;
    let all = wait_for(LONG, || {
        count = keys::readable(environment.node(100), INI, KEYS).unwrap_or_default();
        count == KEYS
    });
    assert!(all, "{count} of {KEYS} keys are readable: {}", told(environment.node(100)));
}

/// The pids of both programs.
pub(crate) fn pids(node: &Node) -> (Option<u32>, Option<u32>) {
    (node.pid("chmpx"), node.pid("k2hdkc"))
}
