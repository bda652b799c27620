//! The supervisor with real processes: scripts in the place of chmpx, which wait until they are told to end.

use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use nix::sys::signal::{Signal as Sent, kill};
use nix::unistd::Pid;
use tokio::time::timeout;

use super::*;
use crate::fixtures;
use crate::log::heard::Log;
use crate::ring::Mode;
use crate::settings::{self, Origin, Settings, SupervisorKind};
use crate::supervisor::local::found;
use crate::supervisor::{AnySupervisor, ExitStatus, ProcessId, Running, Signal};
use crate::wake::Reason;

/// Waits until somebody opens the pipe beside its ini, and ends with what that one writes.
const PATIENT: &str = "#!/bin/sh\nread code < \"$2.end\"; exit $code\n";

const LONG: Duration = Duration::from_secs(30);

/// A node below a directory of its own. Dropped, its chmpx is killed.
struct Node {
    dir: tempfile::TempDir,
    settings: Settings,
    spec: NodeSpec,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings::load(&Origin { config: None, root: Some(dir.path().into()) }).unwrap();
        settings.supervisor.kind = SupervisorKind::Process;
        let ini = dir.path().join("k2hdkc.ini");
        let mut spec = NodeSpec::of(&fixtures::ring(&[1], &[]), &ini).unwrap();
        spec.mode = Mode::Slave;
        nix::unistd::mkfifo(&dir.path().join("k2hdkc.ini.end"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::create_dir_all(&settings.supervisor.process.runtime_directory).unwrap();
        let mut node = Self { dir, settings, spec };
        node.settings.supervisor.process.chmpx = node.script("chmpx", PATIENT, 0o755);
        node
    }

    /// A script.
    fn script(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.dir.path().join(name);
        fixtures::script(&path, text, mode);
        path.display().to_string()
    }

    fn supervisor(&self, waker: &Waker) -> Processes {
        Processes::new(self.settings.supervisor.process.clone(), waker.clone())
    }

    /// Lets the chmpx that waits end by itself.
    fn end(&self, code: &str) {
        let words = format!("echo {code} > \"$0.end\"");
        let told = std::process::Command::new("/bin/sh").args(["-c", &words]).arg(&self.spec.ini).status();
        assert!(told.unwrap().success());
    }

    fn running(&self) -> Vec<ProcessId> {
        found::processes(Program::Chmpx, "chmpx", &self.spec.ini)
    }

    /// Waits until these are found: a child is started when its memory is its own, and gets its name a moment later.
    fn run(&self, ids: &[ProcessId]) {
        let begun = std::time::Instant::now();
        while self.running() != ids {
            assert!(begun.elapsed() < LONG, "{:?}", self.running());
            std::thread::yield_now();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running().into_iter().for_each(|id| send(id, Sent::SIGKILL));
    }
}

fn send(id: ProcessId, signal: Sent) {
    // One that has ended meanwhile needs none.
    let _ = kill(Pid::from_raw(i32::try_from(id.pid).unwrap()), signal);
}

async fn start(supervisor: &mut Processes, spec: &NodeSpec) -> ProcessId {
    match supervisor.act(&Step::Start(Program::Chmpx), spec).await.unwrap() {
        Done::Started(id) => id,
        Done::Plainly | Done::Disabled => panic!("it was not started"),
    }
}

async fn look(supervisor: &mut Processes, spec: &NodeSpec) -> Observed {
    supervisor.observe(spec, Ask::No).await.unwrap()
}

fn id(running: Option<Running>) -> Option<ProcessId> {
    running.map(|running| running.id)
}

/// The pass that an end wakes, and how it was.
async fn ended(supervisor: &mut Processes, spec: &NodeSpec, waker: &Waker) -> (ProcessId, ExitStatus) {
    let woken = timeout(LONG, waker.woken()).await.unwrap();
    assert_eq!(woken, Reason::ProcessEnded.into());
    let observed = look(supervisor, spec).await;
    assert_eq!(observed.chmpx, None);
    let [ended] = observed.events.exits[..] else { panic!("{observed:?}") };
    (ended.was.id, ended.how)
}

#[tokio::test]
async fn the_end_of_a_child_wakes_a_pass_and_tells_how_it_was() {
    let (node, waker) = (Node::new(), Waker::default());
    let mut supervisor = node.supervisor(&waker);
    for how in [ExitStatus::Exit(3), ExitStatus::Signal(9), ExitStatus::Signal(1)] {
        let chmpx = start(&mut supervisor, &node.spec).await;
        assert_eq!(id(look(&mut supervisor, &node.spec).await.chmpx), Some(chmpx));
        match how {
            ExitStatus::Exit(code) => node.end(&code.to_string()),
            ExitStatus::Signal(9) => {
                supervisor
                    .act(&Step::Signal(Program::Chmpx, chmpx, Signal::Kill), &node.spec)
                    .await
                    .map(drop)
                    .unwrap();
            }
            _ => send(chmpx, Sent::SIGHUP),
        }
        assert_eq!(ended(&mut supervisor, &node.spec, &waker).await, (chmpx, how));
        assert_eq!(look(&mut supervisor, &node.spec).await.events.exits, [], "it is told once");
    }
}

#[tokio::test]
async fn the_end_of_a_process_that_was_taken_over_is_told_as_well() {
    let (node, waker, (log, _guard)) = (Node::new(), Waker::default(), Log::taken());
    let mut before = node.supervisor(&Waker::default());
    let chmpx = start(&mut before, &node.spec).await;
    node.run(&[chmpx]);
    drop(before);
    let mut supervisor = node.supervisor(&waker);
    assert_eq!(id(look(&mut supervisor, &node.spec).await.chmpx), Some(chmpx), "it outlives the supervisor");
    assert_eq!(log.count("chmpx runs already and is taken over"), 1);
    assert_eq!(start(&mut supervisor, &node.spec).await, chmpx, "and no second one is started");
    node.run(&[chmpx]);
    send(chmpx, Sent::SIGKILL);
    assert_eq!(ended(&mut supervisor, &node.spec, &waker).await, (chmpx, ExitStatus::Unknown));
}

#[tokio::test]
async fn what_was_started_for_the_agent_is_not_told_as_one_that_ran_already() {
    let (node, (log, _guard)) = (Node::new(), Log::taken());
    let mut supervisor = node.supervisor(&Waker::default());
    supervisor.local.expect(Program::Chmpx);
    let chmpx = start(&mut node.supervisor(&Waker::default()), &node.spec).await;
    node.run(&[chmpx]);
    assert_eq!(id(look(&mut supervisor, &node.spec).await.chmpx), Some(chmpx));
    assert_eq!((log.count("chmpx runs already"), log.count("chmpx runs")), (0, 1));
}

#[tokio::test]
async fn one_that_somebody_else_starts_beside_it_is_one_too_many() {
    let (node, waker) = (Node::new(), Waker::default());
    let mut supervisor = node.supervisor(&waker);
    let first = start(&mut supervisor, &node.spec).await;
    let mut stranger = std::process::Command::new(&node.settings.supervisor.process.chmpx);
    let mut stranger = stranger.arg("-conf").arg(&node.spec.ini).process_group(0).spawn().unwrap();
    node.run(&[first, found::child(stranger.id())]);
    supervisor.local.searched = None;
    let observed = look(&mut supervisor, &node.spec).await;
    assert_eq!(
        (id(observed.chmpx), observed.duplicates),
        (Some(first), vec![(Program::Chmpx, stranger.id())])
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_signal_for_a_process_that_has_ended_hits_no_other() {
    let (node, waker) = (Node::new(), Waker::default());
    let mut supervisor = node.supervisor(&waker);
    let first = start(&mut supervisor, &node.spec).await;
    send(first, Sent::SIGKILL);
    ended(&mut supervisor, &node.spec, &waker).await;
    let second = start(&mut supervisor, &node.spec).await;
    let again = ProcessId { start_ticks: second.start_ticks + 1, ..second };
    for past in [first, again] {
        let done = supervisor.act(&Step::Signal(Program::Chmpx, past, Signal::Kill), &node.spec).await;
        assert_eq!(done.unwrap(), Done::Plainly);
    }
    node.end("0");
    assert_eq!(ended(&mut supervisor, &node.spec, &waker).await, (second, ExitStatus::Exit(0)));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_told_with_its_reason() {
    let (mut node, waker) = (Node::new(), Waker::default());
    let path = |node: &Node, name: &str| node.dir.path().join(name).display().to_string();
    let no_program = node.script("text", PATIENT, 0o644);
    let no_shell = node.script("orphan", "#!/no/such/shell\n", 0o755);
    let missing = path(&node, "missing");
    let good = node.settings.supervisor.process.chmpx.clone();
    for (program, user, told) in [
        (&missing, None, format!("{missing} is not installed: it is neither a path nor found in PATH")),
        (&no_program, None, format!("cannot start {no_program}: permission denied")),
        (&no_shell, None, format!("cannot start {no_shell}: No such file or directory (os error 2)")),
        (
            &good,
            Some("nobody-like-that"),
            "supervisor.process.user is \"nobody-like-that\", but this host has no such user".into(),
        ),
    ] {
        node.settings.supervisor.process.chmpx.clone_from(program);
        node.settings.supervisor.process.user = user.map(str::to_owned);
        let mut supervisor = node.supervisor(&waker);
        let error = supervisor.act(&Step::Start(Program::Chmpx), &node.spec).await.unwrap_err();
        assert_eq!(crate::problem::chain(&error), told);
        let observed = look(&mut supervisor, &node.spec).await;
        assert_eq!((observed.chmpx, observed.events.exits), (None, vec![]), "nothing ran, so nothing ended");
    }
}

#[tokio::test]
async fn what_the_programs_make_is_closed_to_other_users_and_the_agents_own_umask_stays() {
    let (mut node, waker) = (Node::new(), Waker::default());
    let text = format!("#!/bin/sh\numask >\"$2.umask\"\n{}", PATIENT.split_once('\n').unwrap().1);
    node.settings.supervisor.process.chmpx = node.script("careful", &text, 0o755);
    let own = super::spawn::own_umask();
    let mut supervisor = node.supervisor(&waker);
    let chmpx = start(&mut supervisor, &node.spec).await;
    let path = node.dir.path().join("k2hdkc.ini.umask");
    let begun = std::time::Instant::now();
    let said = || std::fs::read_to_string(&path).unwrap_or_default();
    while !said().ends_with('\n') {
        assert!(begun.elapsed() < LONG, "{chmpx:?}");
        std::thread::yield_now();
    }
    assert_eq!(said().trim(), "0007");
    assert_eq!(super::spawn::own_umask(), own);
    node.end("0");
    assert_eq!(ended(&mut supervisor, &node.spec, &waker).await, (chmpx, ExitStatus::Exit(0)));
}

#[tokio::test]
async fn switched_off_and_on_again_it_moves_nothing_and_wakes_nobody() {
    let (mut node, waker) = (Node::new(), Waker::default());
    let mut supervisor = AnySupervisor::new(&node.settings, waker.clone(), None);
    let Done::Started(chmpx) = supervisor.act(&Step::Start(Program::Chmpx), &node.spec).await.unwrap() else {
        panic!()
    };
    node.settings.supervisor.kind = SupervisorKind::None;
    supervisor.reset(&node.settings, &waker);
    assert_eq!(supervisor.observe(&node.spec, Ask::Start).await, None);
    assert!(supervisor.act(&Step::Start(Program::Chmpx), &node.spec).await.is_err());
    node.run(&[chmpx]);
    node.settings.supervisor.kind = SupervisorKind::Process;
    supervisor.reset(&node.settings, &waker);
    let observed = supervisor.observe(&node.spec, Ask::No).await.unwrap();
    assert_eq!((id(observed.chmpx), observed.duplicates), (Some(chmpx), vec![]));
    assert!(timeout(Duration::ZERO, waker.woken()).await.is_err());
    send(chmpx, Sent::SIGKILL);
    assert_eq!(timeout(LONG, waker.woken()).await.unwrap(), Reason::ProcessEnded.into());
}

#[tokio::test]
async fn a_command_that_looks_logs_no_taking_over() {
    let (node, waker, (log, _guard)) = (Node::new(), Waker::default(), Log::taken());
    let chmpx = start(&mut node.supervisor(&waker), &node.spec).await;
    node.run(&[chmpx]);
    let mut supervisor = AnySupervisor::onlooker(&node.settings, None);
    let observed = supervisor.observe(&node.spec, Ask::No).await.unwrap();
    assert_eq!(id(observed.chmpx), Some(chmpx));
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn another_runtime_directory_is_taken_at_the_next_start() {
    let (mut node, waker) = (Node::new(), Waker::default());
    let mut supervisor = node.supervisor(&waker);
    let before = supervisor.local.settings.runtime_directory.clone();
    node.settings.supervisor.process.runtime_directory = "/elsewhere".into();
    node.settings.supervisor.process.chmpx_options = vec!["-d".into(), "msg".into()];
    supervisor.reset(node.settings.supervisor.process.clone());
    let expected = Process { runtime_directory: before, ..node.settings.supervisor.process.clone() };
    assert_eq!(supervisor.local.settings, expected);
}

#[tokio::test]
async fn tidying_removes_what_was_left_and_nothing_else() {
    let (node, waker) = (Node::new(), Waker::default());
    let base = &node.settings.supervisor.process.base_directory;
    std::fs::create_dir_all(base).unwrap();
    for name in ["mycluster-8021.chmpx", "mycluster-8021.chmpx.bup", "mycluster-8021.chmpx.bup.0"] {
        crate::file::store(&base.join(name), b"").unwrap();
    }
    let mut supervisor = node.supervisor(&waker);
    assert_eq!(look(&mut supervisor, &node.spec).await.leftovers, 2);
    supervisor.act(&Step::RemoveLeftovers, &node.spec).await.map(drop).unwrap();
    assert_eq!(look(&mut supervisor, &node.spec).await.leftovers, 0);
    assert!(base.join("mycluster-8021.chmpx").exists());
}
