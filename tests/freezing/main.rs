//! Freezes of real processes under real watchdogs: whatever ends the agent, nothing stays frozen past its limit.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod holding;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k2hdkc_agent::supervisor::freeze::{FreezeError, Freezer, is_stopped};
use k2hdkc_agent::supervisor::{ProcessId, Program};
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::wait_for;

/// In the environment of a run of this suite that only freezes a process and waits to be killed: pid, start and directory.
const VICTIM: &str = "K2HDKC_FREEZING_VICTIM";

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1500);

/// A program to freeze, and a runtime directory.
struct Stage {
    target: Child,
    directory: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { target: sleeper(), directory }
    }

    fn id(&self) -> ProcessId {
        identity(self.target.id())
    }

    fn freezer(&self) -> Freezer {
        freezer(self.directory.path())
    }

    fn freeze(&self, limit: Duration) -> Result<(), FreezeError> {
        block_on(self.freezer().freeze(Program::K2hdkc, self.id(), limit))
    }

    fn record(&self) -> PathBuf {
        self.directory.path().join("thaw-k2hdkc.json")
    }

    /// The watchdog by the record.
    fn watchdog(&self) -> Option<ProcessId> {
        let entry: serde_json::Value = serde_json::from_slice(&std::fs::read(self.record()).ok()?).ok()?;
        serde_json::from_value(entry["watchdog"].clone()).ok()
    }

    fn is_frozen(&self) -> bool {
        is_stopped(self.id())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.freezer().release();
        let _ = self.target.kill();
        let _ = self.target.wait();
    }
}

fn sleeper() -> Child {
    Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap()
}

fn freezer(directory: &Path) -> Freezer {
    Freezer::with_program(binaries::agent().unwrap(), directory)
}

/// Fields 3 and 22 of the stat line.
fn stat(pid: u32) -> Option<(String, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some((fields[0].to_owned(), fields[19].parse().ok()?))
}

fn identity(pid: u32) -> ProcessId {
    ProcessId { pid, start_ticks: stat(pid).unwrap().1 }
}

fn is_alive(id: ProcessId) -> bool {
    stat(id.pid).is_some_and(|(state, ticks)| ticks == id.start_ticks && state != "Z")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn kill(id: ProcessId) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(id.pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_program_freezes_once_its_watchdog_watches_and_a_thaw_ends_both_twice_without_harm() {
    let stage = Stage::new();
    stage.freeze(LONG).unwrap();
    let watchdog = stage.watchdog().unwrap();
    assert!(wait_for(PATIENCE, || stage.is_frozen()) && is_alive(watchdog));
    for _ in 0..2 {
        stage.freezer().thaw(Program::K2hdkc, stage.id()).unwrap();
        assert!(wait_for(PATIENCE, || !stage.is_frozen() && !is_alive(watchdog)));
        assert!(!stage.record().exists());
    }
    let session = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stage.freeze(LONG).unwrap();
    let watchdog = stage.watchdog().unwrap().pid;
    let fields = session(watchdog);
    let own: Vec<&str> = fields.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    assert_eq!(own[3], watchdog.to_string(), "it is in a session of its own");
}

#[test]
fn a_program_whose_agent_was_killed_goes_on_at_the_limit() {
    if let Ok(victim) = std::env::var(VICTIM) {
        return block_on(freeze_and_wait(&victim));
    }
    let stage = Stage::new();
    binaries::agent().unwrap();
    let id = stage.id();
    let began = Instant::now();
    let mut agent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_program_whose_agent_was_killed_goes_on_at_the_limit", "--nocapture"])
        .env(VICTIM, format!("{} {} {}", id.pid, id.start_ticks, stage.directory.path().display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("frozen")));
    assert!(wait_for(PATIENCE, || stage.is_frozen()));
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(stage.is_frozen() && is_alive(stage.watchdog().unwrap()));
    assert!(wait_for(PATIENCE, || !stage.is_frozen()));
    assert!(began.elapsed() >= SHORT);
    assert!(wait_for(PATIENCE, || !stage.record().exists()), "the watchdog ended behind itself");
}

#[expect(clippy::print_stdout, reason = "the run that waits for it reads a line")]
async fn freeze_and_wait(victim: &str) {
    let [pid, ticks, directory] = victim.split(' ').collect::<Vec<_>>()[..] else { unreachable!() };
    let id = ProcessId { pid: pid.parse().unwrap(), start_ticks: ticks.parse().unwrap() };
    freezer(Path::new(directory)).freeze(Program::K2hdkc, id, SHORT).await.unwrap();
    println!("\nfrozen");
    std::future::pending::<()>().await;
}

#[test]
fn a_chmpx_is_killed_at_the_limit_since_its_list_is_old() {
    let mut stage = Stage::new();
    block_on(stage.freezer().freeze(Program::Chmpx, stage.id(), SHORT)).unwrap();
    assert!(wait_for(PATIENCE, || stage.is_frozen()));
    let ended = stage.target.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
    assert!(wait_for(PATIENCE, || !stage.directory.path().join("thaw-chmpx.json").exists()));
}

#[test]
fn a_later_freeze_replaces_the_watchdog_and_its_limit_counts() {
    let stage = Stage::new();
    stage.freeze(SHORT).unwrap();
    let first = stage.watchdog().unwrap();
    stage.freeze(LONG).unwrap();
    let second = stage.watchdog().unwrap();
    assert!(first != second && wait_for(PATIENCE, || !is_alive(first)));
    // Past the limit of the first.
    let over = Instant::now() + SHORT;
    assert!(!wait_for(SHORT + Duration::from_secs(1), || !stage.is_frozen() && Instant::now() > over));
    stage.freeze(SHORT).unwrap();
    assert!(wait_for(PATIENCE, || !stage.is_frozen()), "a shorter limit counts as well");
}

#[test]
fn a_watchdog_never_signals_a_program_that_was_restarted_meanwhile() {
    let mut stage = Stage::new();
    stage.freeze(LONG).unwrap();
    let watchdog = stage.watchdog().unwrap();
    let (old, gone) = (stage.id(), std::mem::replace(&mut stage.target, sleeper()));
    kill(old);
    { gone }.wait().unwrap();
    // What another hand stops stays stopped.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stage.target.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    assert!(wait_for(PATIENCE, || !is_alive(watchdog) && !stage.record().exists()));
    assert!(wait_for(PATIENCE, || stage.is_frozen()));
    stage.freezer().thaw(Program::K2hdkc, old).unwrap();
    stage.freezer().release().unwrap();
    assert!(stage.is_frozen());
    // The number is that of the new process, and the start is not.
    let reused = ProcessId { start_ticks: old.start_ticks - 1, ..stage.id() };
    let refused = block_on(stage.freezer().freeze(Program::K2hdkc, reused, LONG));
    assert!(matches!(refused, Err(FreezeError::Gone(pid)) if pid == stage.target.id()), "{refused:?}");
}

#[test]
fn a_watchdog_that_is_told_to_end_continues_its_program_before() {
    let stage = Stage::new();
    stage.freeze(LONG).unwrap();
    assert!(wait_for(PATIENCE, || stage.is_frozen()));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stage.watchdog().unwrap().pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(wait_for(PATIENCE, || !stage.is_frozen() && !stage.record().exists()));
}

#[test]
fn a_freeze_of_another_process_continues_the_one_before_and_a_release_every_one() {
    let (first, second) = (Stage::new(), Stage::new());
    let (freezer, program) = (first.freezer(), Program::Chmpx);
    block_on(freezer.freeze(program, first.id(), LONG)).unwrap();
    assert!(wait_for(PATIENCE, || first.is_frozen()));
    block_on(freezer.freeze(program, second.id(), LONG)).unwrap();
    assert!(wait_for(PATIENCE, || second.is_frozen() && !first.is_frozen()));
    block_on(freezer.freeze(Program::K2hdkc, first.id(), LONG)).unwrap();
    assert!(wait_for(PATIENCE, || first.is_frozen()));
    freezer.release().unwrap();
    assert!(wait_for(PATIENCE, || !first.is_frozen() && !second.is_frozen()));
}

#[test]
fn nothing_freezes_where_the_watchdog_does_not_watch() {
    let stage = Stage::new();
    for program in ["/bin/true", "/nowhere/agent"] {
        let freezer = Freezer::with_program(Path::new(program), stage.directory.path());
        let failed = block_on(freezer.freeze(Program::K2hdkc, stage.id(), LONG));
        assert!(matches!(failed, Err(FreezeError::Unconfirmed(_) | FreezeError::Start { .. })), "{failed:?}");
        assert!(!stage.is_frozen());
    }
    // A record that cannot be written is no watchdog either: nobody would find it.
    let freezer = Freezer::with_program(binaries::agent().unwrap(), Path::new("/nowhere"));
    let failed = block_on(freezer.freeze(Program::K2hdkc, stage.id(), LONG));
    assert!(matches!(failed, Err(FreezeError::Unconfirmed(_))) && !stage.is_frozen(), "{failed:?}");
}
