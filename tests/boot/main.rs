//! VMs of a cloud that become nodes by themselves: real cloud-init under a real systemd, the user-data that K2HR3 hands out,
//! and the package from a web server. What they are started with is what the DBaaS command line gives to Nova.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod cuts;
mod growth;
mod readers;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs};

use k2hdkc_agent::process_status::State;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::fleet::Fleet;
use k2hdkc_tests::environments::systemd::{INI, packages};
use k2hdkc_tests::environments::{ready, say};

/// The longest time for anything on a busy machine.
const LONG: Duration = Duration::from_secs(120);
/// The status of a server whose keys can be read and written, and with which nothing is wrong.
const WELL: &str = "[SERVICE IN][UP][n/a][Nothing][NoSuspend]";

/// A cloud at a time, so that none spoils the times of another.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cloud, where there can be one and there is a package to try; in CI there must be both.
fn cloud() -> Option<Fleet> {
    if !ready() {
        return None;
    }
    let mut files = fs::read_dir(packages()).into_iter().flatten().flatten().map(|file| file.path());
    let package: Option<PathBuf> = files.find(|path| path.extension().is_some_and(|end| end == "deb"));
    assert!(
        package.is_some() || env::var_os("CI").is_none(),
        "no package, and in CI that is a failure: run packaging/build"
    );
    if package.is_none() {
        say("SKIPPED: this suite needs the package that packaging/build makes");
    }
    Some(Fleet::open(&package?).unwrap())
}

/// Checks whether that VM is in its place, with exactly so many servers in service for its chmpx. Asks its agent first,
/// which costs nothing, and then chmpx's shared memory, where a question costs no reload.
fn is_settled(fleet: &Fleet, number: u32, servers: usize) -> bool {
    let processes = fleet.vm(number).status().and_then(|status| status.processes);
    let Some(processes) = processes.filter(|processes| processes.state == State::Converged) else {
        return false;
    };
    let listed = processes.said.as_ref().map_or(0, |said| said.servers.len());
    // What its agent saw last may be some seconds old.
    (listed == servers || listed == 0) && sees(fleet, number) == servers
}

/// Counts the servers in service for the chmpx of that VM.
fn sees(fleet: &Fleet, number: u32) -> usize {
    let said = fleet.node(number).exec(&["chmpxstatus", "-conf", INI]).unwrap_or_default();
    let rows = said.lines().filter(|line| line.contains("status ") && line.contains(" -> "));
    // The first row is its own, which a server has in the list, too.
    rows.skip(1).filter(|line| line.ends_with(WELL)).count()
}

/// Waits until all VMs are; how long it took each of `numbers` since its start.
fn settled(fleet: &Fleet, numbers: &[u32], servers: usize) -> Vec<(u32, Duration)> {
    let mut left = fleet.numbers();
    let mut took = Vec::new();
    let all = wait_for(LONG, || {
        left.retain(|number| {
            let is = is_settled(fleet, *number, servers);
            if is && numbers.contains(number) {
                took.push((*number, fleet.vm(*number).started().elapsed()));
            }
            !is
        });
        left.is_empty()
    });
    let all_told =
        || fleet.numbers().iter().map(|number| told(fleet, *number)).collect::<Vec<_>>().join("\n=====\n");
    assert!(all, "{left:?} are not settled:\n{}", all_told());
    took
}

/// Collects everything that explains the state of a VM.
fn told(fleet: &Fleet, number: u32) -> String {
    let node = fleet.node(number);
    let said = |words: &[&str]| node.exec(words).unwrap_or_else(|error| error.to_string());
    [
        said(&["k2hdkc-agent", "status"]),
        node.journal("k2hdkc-agent.service"),
        said(&["tail", "-n", "60", "/var/log/cloud-init-output.log"]),
        said(&["systemctl", "--no-pager", "--failed"]),
    ]
    .join("\n---\n")
}
