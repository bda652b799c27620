//! The loop's passes with a source that is told what to answer, real files, and paused time.

mod asking;
mod clock;
mod ending;
mod leaving;
mod moving;
mod naming;
mod placing;
mod ring_change;
mod stopping;
mod ways;

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::answer::{Answer, DoubtKind};
use crate::fixtures::{self, ring};
use crate::render;
use crate::ring::Mode;
use crate::settings::{self, Origin};
use crate::source::{self, Source};
use crate::supervisor::{self, Ask, ChmpxReport, Done, Program, Running, Step, SupervisorError};
use crate::wake::Reason;

/// A source that answers from a list, and the last entry for ever.
struct Told(Vec<Result<Answer, Doubt>>);

impl Source for Told {
    async fn ask(&mut self, identity: &Identity) -> Answered {
        let result = if self.0.len() > 1 { self.0.remove(0) } else { self.0[0].clone() };
        Answered::new(identity, result, Duration::from_millis(50))
    }
}

/// A supervisor that remembers what it had to do; without an observation it is not responsible.
#[derive(Default)]
struct Remembering {
    acted: Vec<Step>,
    /// What the file said at each of these steps.
    files: Vec<String>,
    asked: Vec<Ask>,
    about: Option<NodeSpec>,
    observed: Option<Observed>,
    again: Option<Instant>,
    in_doubt: Option<String>,
    on_host: Option<supervisor::ProcessId>,
    k2hdkc_on_host: Option<supervisor::ProcessId>,
}

impl Supervisor for Remembering {
    fn name(&self) -> &'static str {
        "remembering"
    }

    async fn observe(&mut self, about: &NodeSpec, ask: Ask) -> Option<Observed> {
        self.asked.push(ask);
        self.about = Some(about.clone());
        self.observed.clone()
    }

    async fn act(&mut self, step: &Step, about: &NodeSpec) -> Result<Done, SupervisorError> {
        self.acted.push(step.clone());
        self.files.push(std::fs::read_to_string(&about.ini).unwrap_or_default());
        Ok(match step {
            Step::Start(Program::K2hdkc) => Done::Started(supervisor::ProcessId { pid: 8, start_ticks: 200 }),
            Step::Start(Program::Chmpx) => Done::Started(supervisor::ProcessId { pid: 7, start_ticks: 100 }),
            Step::Disable(_) => Done::Disabled,
            _ => Done::Plainly,
        })
    }

    fn on_host(&self, program: Program) -> Option<supervisor::ProcessId> {
        if program == Program::Chmpx { self.on_host } else { self.k2hdkc_on_host }
    }

    fn look_again(&self) -> Option<Instant> {
        self.again
    }

    fn in_doubt(&self) -> Option<String> {
        self.in_doubt.clone()
    }
}

/// A node's root directory and its reconciler.
struct Stage {
    root: tempfile::TempDir,
    reconciler: Reconciler<Remembering>,
    source: Told,
    clocks: fixtures::Clocks,
}

const CONFIG: &str = "[guard]\nremoval-polls = 2\nremoval-for = \"0s\"\nconfirm-polls = 3\nconfirm-for = \"0s\"\n\
                      [poll]\nsettle = \"250ms\"\nmax-settle = \"800ms\"\n";

impl Stage {
    fn new(patient: bool, answers: Vec<Result<Answer, Doubt>>) -> Self {
        Self::with(CONFIG, patient, answers)
    }

    fn with(config: &str, patient: bool, answers: Vec<Result<Answer, Doubt>>) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/antpickax/k2hr3-api-uri", "http://192.0.2.80"),
            ("etc/antpickax/k2hr3-role-name", "yrn:yahoo:::t:role:mycluster/server"),
            ("etc/antpickax/k2hr3-cuk", "cuk-1"),
            ("etc/k2hdkc-agent/agent.toml", config),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            crate::file::store(&path, text.as_bytes()).unwrap();
        }
        let settings = settings::load(&Origin { config: None, root: Some(root.path().into()) }).unwrap();
        let store = Store::open(&settings.state.directory, settings.ini.keep).unwrap();
        let clocks = fixtures::Clocks::new();
        let reconciler = Reconciler::new(settings, Remembering::default(), store, patient, clocks.clock());
        Self { root, reconciler, source: Told(answers), clocks }
    }

    fn ini(&self) -> PathBuf {
        self.root.path().join("etc/antpickax/k2hdkc.ini")
    }

    fn servers(&self) -> Vec<String> {
        let reading = fixtures::read(&std::fs::read_to_string(self.ini()).unwrap());
        reading.ring.servers.iter().map(|node| node.cuk.clone()).collect()
    }

    /// From now on a chmpx and a k2hdkc run, and chmpx says this.
    fn sees(&mut self, view: crate::chmpx_state::ChmpxState) {
        let now = Instant::now();
        let running = |pid, ticks| {
            let id = supervisor::ProcessId { pid, start_ticks: ticks };
            Some(Running { id, since: now, worked: Duration::ZERO, counted: now })
        };
        self.reconciler.supervisor.observed = Some(Observed {
            chmpx: running(7, 100),
            k2hdkc: running(8, 200),
            control: supervisor::ControlPort {
                report: Some(ChmpxReport { view, at: now + Duration::from_secs(1) }),
                ..supervisor::ControlPort::default()
            },
            ..Observed::default()
        });
    }

    async fn poll(&mut self) -> Outcome {
        let answered = self.ask().await;
        self.reconciler.pass(Reason::Timer.into(), Some(answered)).await.outcome
    }

    async fn ask(&mut self) -> Answered {
        source::put(&mut self.source, &self.reconciler.settings.k2hr3).await
    }
}

/// An answer with these servers. The addresses are loopback ones: they may be this host's.
#[expect(clippy::unnecessary_wraps, reason = "it stands in lists beside doubts")]
fn says(servers: &[usize]) -> Result<Answer, Doubt> {
    Ok(Answer::Ini(fixtures::text(Mode::Server, servers, &[1]).replace("192.0.2.", "127.0.2.")))
}

fn doubt() -> Doubt {
    Doubt::new(DoubtKind::Unreachable, "no connection")
}

fn installed(outcome: &Outcome) -> u32 {
    match outcome {
        Outcome::Installed(generation) => generation.fileversion,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_first_answer_is_installed_and_the_same_one_is_not_installed_again() {
    let mut stage = Stage::new(true, vec![says(&[1, 2]), Ok(Answer::Unchanged)]);
    assert_eq!(installed(&stage.poll().await), 1);
    assert_eq!(stage.poll().await, Outcome::Unchanged);
    assert_eq!(stage.reconciler.supervisor.acted, []);
    let ledger = stage.reconciler.store().ledger().clone();
    assert_eq!((ledger.written.unwrap().fileversion, ledger.applied, ledger.verified), (1, None, None));
}

#[tokio::test]
async fn no_answer_and_a_refused_one_change_nothing() {
    let refused = Ok(Answer::Ini("[GLOBAL]\n".into()));
    let mut stage =
        Stage::new(false, vec![says(&[1, 2]), Err(doubt()), refused, Err(doubt()), says(&[1, 2, 3])]);
    stage.poll().await;
    let before = std::fs::read(stage.ini()).unwrap();
    assert_eq!(stage.poll().await, Outcome::Doubtful(doubt()));
    assert!(matches!(stage.poll().await, Outcome::Refused(_)));
    assert_eq!(stage.poll().await, Outcome::Doubtful(doubt()));
    assert_eq!(std::fs::read(stage.ini()).unwrap(), before);
    assert_eq!(installed(&stage.poll().await), 2);
    assert_eq!(stage.servers(), ["cuk-1", "cuk-2", "cuk-3"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_rests_and_a_storm_of_changes_does_not_wait_for_ever() {
    let answers = (1..=40).map(|n| says(&(1..=n).collect::<Vec<_>>())).collect();
    let mut stage = Stage::new(true, answers);
    stage.poll().await;
    let (start, mut installations) = (Instant::now(), Vec::new());
    while start.elapsed() < Duration::from_millis(1900) {
        if let Outcome::Installed(_) = stage.poll().await {
            installations.push(start.elapsed().as_millis());
        }
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    assert_eq!(installations, [800, 1650], "every 800 ms while it changes, then after its rest");
    let due = stage.reconciler.settled_at().unwrap();
    tokio::time::advance(due - Instant::now()).await;
    let last = stage.reconciler.pass(Reason::Settled.into(), None).await;
    assert_eq!(installed(&last.outcome), 4);
    assert_eq!(stage.servers().len(), 39);
}

#[tokio::test]
async fn a_loss_is_held_until_polls_confirm_it() {
    let mut stage = Stage::new(false, vec![says(&[1, 2, 3, 4]), says(&[1, 2])]);
    stage.poll().await;
    for _ in 0..2 {
        assert!(matches!(stage.poll().await, Outcome::Held(_)));
    }
    assert_eq!(installed(&stage.poll().await), 2);
    assert_eq!(stage.servers(), ["cuk-1", "cuk-2"]);
}

/// Nodes of one ring that have seen different things before may hold and not hold the same removal.
#[tokio::test]
async fn that_the_file_is_not_what_k2hr3_says_is_noted_where_a_removal_waits_and_where_it_is_held() {
    for (answer, told) in [(&[1, 2, 4][..], "127.0.2.3:8021"), (&[1, 2], "127.0.2.3:8021, 127.0.2.4:8021")] {
        let mut stage = Stage::new(false, vec![says(&[1, 2, 3, 4]), says(answer)]);
        stage.poll().await;
        let answered = stage.ask().await;
        let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
        assert_eq!(report.notes, [format!("the file is not what K2HR3 says: it has {told}")]);
        assert_eq!(stage.servers().len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_loss_is_installed_after_its_rest_and_only_once() {
    let mut stage = Stage::with("[guard]\nconfirm-polls = 99\n", true, vec![says(&[1, 2, 3, 4]), says(&[1])]);
    stage.poll().await;
    let Outcome::Held(held) = stage.poll().await else { panic!() };
    assert!(stage.reconciler.confirm(Some("another")).unwrap_err().contains(&held.id));
    assert!(stage.reconciler.confirm(Some(&held.id)).unwrap().contains("3 of 4 servers"));
    let confirmed = stage.reconciler.pass(Reason::Confirmed.into(), None).await;
    assert_eq!(confirmed.outcome, Outcome::Settling);
    tokio::time::advance(Duration::from_millis(250)).await;
    assert_eq!(installed(&stage.reconciler.pass(Reason::Settled.into(), None).await.outcome), 2);
    assert_eq!(stage.reconciler.store().ledger().guard.confirmed, None);
    assert!(stage.reconciler.confirm(None).unwrap_err().contains("nothing is held"));
}

#[tokio::test]
async fn a_loss_that_chmpx_would_not_survive_cannot_be_confirmed() {
    let mut stage = Stage::new(false, vec![says(&[1, 2]), says(&[2])]);
    stage.poll().await;
    // The answer fails chmpx's own rule for its own file before the guard sees it.
    let Outcome::Refused(problems) = stage.poll().await else { panic!() };
    assert!(problems[1].text.contains("no [SVRNODE] is this host"), "{problems:?}");
    assert_eq!(stage.servers(), ["cuk-1", "cuk-2"]);
}

#[tokio::test]
async fn an_edited_file_is_put_right_without_asking() {
    let mut stage = Stage::new(false, vec![says(&[1, 2]), Err(doubt())]);
    stage.poll().await;
    let edited = std::fs::read_to_string(stage.ini()).unwrap().replace("REPLICA = 1", "REPLICA = 0");
    crate::file::store(&stage.ini(), edited.as_bytes()).unwrap();
    let report = stage.reconciler.pass(Reason::IniChanged.into(), None).await;
    assert_eq!((installed(&report.outcome), report.asked), (2, None));
    assert_eq!(report.plan.unwrap().changes[0].text, "[GLOBAL] REPLICA: \"0\" -> \"1\"");
}

/// An answer that asks for so many copies.
fn says_with(replicas: u32, servers: &[usize]) -> Result<Answer, Doubt> {
    says(servers).map(|answer| match answer {
        Answer::Ini(text) => Answer::Ini(text.replace("REPLICA = 1", &format!("REPLICA = {replicas}"))),
        other => other,
    })
}

#[tokio::test]
async fn the_file_never_says_more_copies_than_it_has_other_servers() {
    let answers: [&[usize]; 5] = [&[1], &[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 3], &[1, 2, 3]];
    let mut stage = Stage::new(false, answers.map(|servers| says_with(4, servers)).into());
    let mut files = Vec::new();
    for _ in answers {
        stage.poll().await;
        let ring = fixtures::read(&std::fs::read_to_string(stage.ini()).unwrap()).ring;
        files.push((ring.servers.len(), ring.replicas()));
    }
    // A server whose removal is not believed yet stands in the file, and counts.
    assert_eq!(files, [(1, 0), (3, 2), (4, 3), (4, 3), (3, 2)]);
    let report = stage.reconciler.pass(Reason::Timer.into(), None).await;
    assert_eq!(report.outcome, Outcome::Unchanged);
    assert!(report.notes.iter().any(|note| note.starts_with("REPLICA 4 is asked for")), "{:?}", report.notes);
}

#[tokio::test]
async fn a_file_of_another_hand_with_too_many_copies_is_put_right_by_a_reload() {
    let mut stage = Stage::new(false, vec![says_with(4, &[1, 2]), says_with(4, &[1, 2])]);
    stage.poll().await;
    let edited = std::fs::read_to_string(stage.ini()).unwrap().replace("REPLICA = 1", "REPLICA = 4");
    crate::file::store(&stage.ini(), edited.as_bytes()).unwrap();
    let report = stage.reconciler.pass(Reason::IniChanged.into(), None).await;
    let plan = report.plan.unwrap();
    assert_eq!(plan.changes[0].text, "[GLOBAL] REPLICA: \"4\" -> \"1\"");
    assert_eq!(plan.class, crate::plan::Class::Reload);
}

#[tokio::test]
async fn a_lost_file_comes_back_from_the_kept_ones_when_nobody_answers() {
    let mut stage = Stage::new(false, vec![says(&[1, 2]), Err(doubt())]);
    stage.poll().await;
    std::fs::remove_file(stage.ini()).unwrap();
    let Outcome::Restored(generation, why) = stage.poll().await else { panic!() };
    assert_eq!(generation.fileversion, 2);
    assert!(why.contains("the live file is missing") && why.contains("no connection"), "{why}");
    assert_eq!(stage.servers(), ["cuk-1", "cuk-2"]);
    let after = stage.reconciler.pass(Reason::IniChanged.into(), None).await;
    assert_eq!(
        after.outcome,
        Outcome::Doubtful(doubt()),
        "the pass that its own writing wakes ends no doubt"
    );
    assert!(
        after.notes.iter().any(|note| note.starts_with("a kept file is in place, generation 2")),
        "{:?}",
        after.notes
    );
    crate::file::store(&stage.ini(), b"garbage").unwrap();
    assert!(matches!(stage.poll().await, Outcome::Restored(..)));
}

#[tokio::test]
async fn a_lost_ledger_does_not_make_a_used_number_new() {
    let mut stage = Stage::new(false, vec![Err(doubt()), says(&[1, 2, 3])]);
    let Ok(Answer::Ini(text)) = says(&[1, 2]) else { panic!() };
    stage.reconciler.store.keep_good(7, text.as_bytes()).unwrap();
    let Outcome::Restored(generation, _) = stage.poll().await else { panic!() };
    assert_eq!(generation.fileversion, 8);
    assert_eq!(installed(&stage.poll().await), 9);
    let kept: Vec<u32> =
        stage.reconciler.store().good_files().into_iter().map(|(version, _)| version).collect();
    assert_eq!(kept, [9, 8, 7]);
}

#[tokio::test]
async fn the_number_after_the_largest_is_one() {
    let mut stage = Stage::new(false, vec![says(&[1, 2]), says(&[1, 2, 3])]);
    let Ok(Answer::Ini(text)) = says(&[1]) else { panic!() };
    let text = text.replace("FILEVERSION = 1", "FILEVERSION = 2147483647");
    crate::file::store(&stage.ini(), text.as_bytes()).unwrap();
    assert_eq!(installed(&stage.poll().await), 1);
    assert_eq!(installed(&stage.poll().await), 2);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_takes_no_resting_change_back() {
    let mut stage = Stage::new(true, vec![says(&[1, 2]), says(&[1, 2, 3]), Err(doubt())]);
    stage.poll().await;
    assert_eq!(stage.poll().await, Outcome::Settling);
    assert_eq!(stage.poll().await, Outcome::Doubtful(doubt()));
    tokio::time::advance(Duration::from_millis(250)).await;
    assert_eq!(installed(&stage.reconciler.pass(Reason::Settled.into(), None).await.outcome), 2);
}

#[tokio::test]
async fn a_refused_answer_of_a_large_cluster_is_no_reason_to_ask_more_often() {
    let many: Vec<usize> = (1..=200).collect();
    let mut stage = Stage::new(false, vec![says(&many), Ok(Answer::Ini("[GLOBAL]\n".into())), Err(doubt())]);
    stage.poll().await;
    let calm = stage.reconciler.until_next_question(0.5);
    assert_eq!(calm, Duration::from_millis(20_100), "201 nodes at 50 ms, and half a worker");
    assert!(matches!(stage.poll().await, Outcome::Refused(_)));
    assert_eq!(stage.reconciler.until_next_question(0.5), calm);
    for _ in 0..3 {
        stage.poll().await;
    }
    assert_eq!(stage.reconciler.until_next_question(0.0), calm.mul_f64(0.8), "nor is a sick one");
}

#[tokio::test]
async fn a_file_that_was_lost_does_not_open_the_guard() {
    let mut stage = Stage::new(false, vec![says(&[1, 2, 3, 4]), says(&[1])]);
    stage.poll().await;
    std::fs::remove_file(stage.ini()).unwrap();
    assert!(matches!(stage.poll().await, Outcome::Restored(..)));
    assert_eq!(stage.servers().len(), 4);
    assert!(stage.reconciler.store().ledger().guard.held.is_some());
}

#[tokio::test]
async fn a_right_file_of_somebody_else_is_adopted() {
    let mut stage = Stage::new(false, vec![says(&[1, 2])]);
    let Ok(Answer::Ini(text)) = says(&[2, 1]) else { panic!() };
    crate::file::store(&stage.ini(), text.as_bytes()).unwrap();
    assert_eq!(stage.poll().await, Outcome::Unchanged);
    assert_eq!(std::fs::read_to_string(stage.ini()).unwrap(), text, "its bytes stay");
    assert_eq!(stage.reconciler.store().ledger().written.as_ref().unwrap().fileversion, 1);
    assert_eq!(stage.reconciler.store().good_files().len(), 1);
}

#[tokio::test]
async fn a_node_that_does_not_know_itself_says_what_it_waits_for() {
    let mut stage = Stage::new(false, vec![says(&[1])]);
    std::fs::remove_file(stage.root.path().join("etc/antpickax/k2hr3-api-uri")).unwrap();
    let Outcome::Doubtful(doubt) = stage.poll().await else { panic!() };
    assert_eq!(doubt.kind, DoubtKind::NotReady);
    assert!(doubt.text.starts_with("waiting for ") && doubt.text.contains("k2hr3-api-uri"), "{}", doubt.text);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let mut stage = Stage::new(false, vec![says(&[1, 2])]);
    let answered = stage.ask().await;
    let decision = stage.reconciler.decide(Some(answered)).await;
    assert!(matches!(decision.file.verdict, Decided::Install(_)));
    assert!(!stage.ini().exists());
    assert_eq!(stage.reconciler.store().ledger(), &crate::ledger::Ledger::default());
}

#[tokio::test]
async fn both_sources_install_the_same_ring() {
    use crate::answer::HostRecord;
    let record = |host: String, cuk: String, tag: String| HostRecord {
        host,
        cuk: Some(cuk),
        tag: Some(tag),
        ..HostRecord::default()
    };
    let servers =
        (1..=2).map(|n| record(format!("127.0.2.{n}"), format!("cuk-{n}"), format!("server{n}.example")));
    let slaves = vec![record("198.51.100.1".into(), "slave-1".into(), "slave1.example".into())];
    let members = Answer::Members { servers: servers.collect(), slaves: slaves.into() };
    let mut stage = Stage::new(false, vec![Ok(members)]);
    assert_eq!(installed(&stage.poll().await), 1);
    let text = std::fs::read_to_string(stage.ini()).unwrap();
    let reading = fixtures::read(&text);
    assert_eq!(
        reading.ring.servers,
        fixtures::read(&fixtures::text(Mode::Server, &[1, 2], &[1]).replace("192.0.2.", "127.0.2."))
            .ring
            .servers
    );
    assert_eq!((reading.ring.global("GROUP"), reading.ring.mode()), ("mycluster", Some(Mode::Server)));
}

#[tokio::test]
async fn the_wait_follows_the_answer() {
    let mut stage = Stage::new(false, vec![says(&[1, 2]), Err(doubt())]);
    stage.poll().await;
    assert_eq!(stage.reconciler.until_next_question(0.5), Duration::from_secs(5));
    for _ in 0..10 {
        stage.poll().await;
    }
    assert_eq!(stage.reconciler.until_next_question(1.0), Duration::from_secs(60));
}

#[tokio::test]
async fn a_host_that_refuses_the_file_is_asked_less_and_less_often() {
    let mut stage = Stage::new(true, vec![says(&[1, 2])]);
    std::fs::create_dir_all(stage.ini()).unwrap();
    for _ in 0..8 {
        let Outcome::Failed(text) = stage.poll().await else { panic!() };
        assert!(text.contains("is not a regular file"), "{text}");
    }
    assert_eq!(stage.reconciler.until_next_question(1.0), Duration::from_secs(60));
    std::fs::remove_dir(stage.ini()).unwrap();
    assert_eq!(installed(&stage.poll().await), 1);
    assert_eq!(stage.reconciler.until_next_question(0.5), Duration::from_secs(5));
}

#[tokio::test]
async fn what_chmpx_says_of_itself_counts() {
    let mut stage = Stage::new(false, vec![says(&[1, 2]), says(&[1, 2, 3])]);
    stage.poll().await;
    let mut view = fixtures::view(&ring(&[1, 2], &[1]), 1);
    view.capacity = Some(4);
    stage.sees(view);
    let Outcome::Refused(problems) = stage.poll().await else { panic!() };
    assert!(problems[0].text.contains("room for 2 (MAXCHMPX 4 at its start)"), "{problems:?}");
    assert_eq!(ring(&[1], &[1]).len(), 2);
}

/// The view of the installed ring, with this generation loaded.
fn well(stage: &Stage, fileversion: u32) -> crate::chmpx_state::ChmpxState {
    let reading = fixtures::read(&std::fs::read_to_string(stage.ini()).unwrap());
    fixtures::view(&reading.ring, fileversion)
}

async fn looks(stage: &mut Stage) -> Report {
    tokio::time::advance(Duration::from_secs(2)).await;
    stage.reconciler.pass(Reason::Look.into(), None).await
}

/// Two servers, installed as generation 1 and loaded.
async fn converged(mut answers: Vec<Result<Answer, Doubt>>) -> Stage {
    answers.insert(0, says(&[1, 2]));
    let mut stage = Stage::with("[poll]\nsettle = \"0s\"\nmax-settle = \"0s\"\n", true, answers);
    stage.poll().await;
    let view = well(&stage, 1);
    stage.sees(view);
    // It speaks up once of the file that it has loaded.
    looks(&mut stage).await;
    let report = looks(&mut stage).await;
    assert_eq!(report.processes.unwrap().state, crate::process_status::State::Converged);
    stage.reconciler.supervisor.acted.clear();
    stage
}

fn text_of(answer: &Result<Answer, Doubt>) -> String {
    let Ok(Answer::Ini(text)) = answer else { panic!("{answer:?}") };
    text.clone()
}

/// From now on nothing can be written to the state directory.
fn break_the_state(stage: &Stage) {
    let state = stage.reconciler.settings.state.directory.clone();
    std::fs::remove_dir_all(&state).unwrap();
    crate::file::store(&state, b"in the way").unwrap();
}

/// chmpx has ended so, a while after it was started.
fn end_chmpx(stage: &mut Stage, how: supervisor::ExitStatus) {
    let observed = stage.reconciler.supervisor.observed.as_mut().unwrap();
    let was = observed.chmpx.take().unwrap();
    let was = Running { since: Instant::now() - Duration::from_secs(9), ..was };
    (observed.control.report, observed.k2hdkc) = (None, None);
    observed.events.exits = vec![supervisor::Exit { program: Program::Chmpx, was, how }];
}
