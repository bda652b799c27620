//! Commands that look and change nothing: `render`, `diff`, `check`.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use super::{complain, failed, say};
use crate::acceptance::{self, Host, Reading};
use crate::clock::{Clock, spoken};
use crate::ini;
use crate::ledger::Store;
use crate::lifecycle::Action;
use crate::machine;
use crate::plan::{Class, Plan};
use crate::reconcile::{Decided, PassDecision, Reconciler};
use crate::replicas;
use crate::report::Outcome;
use crate::ring_status::RingStatus;
use crate::ring_task::{self, Assignment, Readiness};
use crate::settings::{Auth, MergeBy, Restarts, Settings, SupervisorKind};
use crate::source::{self, AnySource};
use crate::supervisor::AnySupervisor;

/// The next deed of a pass, and the cost of a change of the ring.
struct Looked {
    decision: PassDecision,
    /// The part of this node in a change of its ring, where the agents run it.
    assignment: Option<Assignment>,
    /// Servers of the installed file, and of the last answer.
    servers: Option<(usize, usize)>,
}

/// Decides what a pass would do now.
async fn decided(mut settings: Settings) -> Looked {
    if settings.k2hr3.auth == Auth::AddressToken {
        // A look makes no token, and renews none under the running agent.
        settings.k2hr3.auth = Auth::Address;
    }
    let store = Store::peek(&settings.state.directory, settings.ini.keep);
    store.complaint.iter().for_each(complain);
    let answered = source::put(&mut AnySource::new(&settings), &settings.k2hr3).await;
    let supervisor = AnySupervisor::onlooker(&settings, store.ledger().picked);
    let mut reconciler = Reconciler::new(settings, supervisor, store, false, Clock::of_host());
    let mut decision = reconciler.decide(Some(answered)).await;
    decision.notes.extend(reconciler.left_out().iter().map(|member| format!("left out: {member}")));
    let by_agents = |assignment: &Assignment| assignment.limits.by == MergeBy::Agents;
    let assignment = reconciler.assignment().filter(by_agents);
    Looked { decision, assignment, servers: reconciler.servers() }
}

/// Prints the file that would be installed; the installed one where nothing would change.
pub(super) async fn render(settings: Settings) -> ExitCode {
    let path = settings.ini.path.clone();
    let Looked { decision, .. } = decided(settings).await;
    decision.notes.iter().for_each(complain);
    match decision.file.verdict {
        Decided::Install(installation) => {
            say(String::from_utf8_lossy(&installation.validated.rendered().bytes));
            ExitCode::SUCCESS
        }
        Decided::Leave(Outcome::Unchanged) => match std::fs::read_to_string(&path) {
            Ok(text) => {
                say(text);
                ExitCode::SUCCESS
            }
            Err(error) => failed(format_args!("cannot read {}: {error}", path.display())),
        },
        Decided::Leave(outcome) => failed(outcome),
    }
}

/// Prints the difference that a pass would make. Status 0: none; 1: some, or it is unknown.
pub(super) async fn diff(settings: Settings) -> ExitCode {
    let moves = settings.supervisor.kind != SupervisorKind::None;
    let restarts = Some(settings.supervisor.restarts).filter(|_| moves);
    let Looked { decision, assignment, servers } = decided(settings).await;
    decision.notes.iter().for_each(complain);
    if let (Some(assignment), Some((before, after))) = (assignment, servers.filter(|(a, b)| a != b)) {
        Box::pin(print_cost(&assignment, decision.ring.as_deref(), (before, after))).await;
    }
    if let Some(plan) = &decision.file.plan {
        print_plan(plan, restarts);
    }
    for absence in &decision.file.waiting {
        let node = &absence.node;
        say(format_args!(
            "  {}:{} is missing in the answer; its removal must be seen again",
            node.name, node.ctlport
        ));
    }
    let action = decision.programs.lifecycle.as_ref().map(|decided| &decided.action);
    if let Some(Action::Step(step, why)) = action {
        say(format_args!("  {step}: {why}"));
    }
    let placed = action.is_none() && decision.programs.unsynced.is_none();
    match decision.file.verdict {
        Decided::Install(_) => told(decision.programs.unsynced),
        Decided::Leave(Outcome::Unchanged) if !placed => told(decision.programs.unsynced),
        Decided::Leave(Outcome::Unchanged) if decision.file.waiting.is_empty() => {
            say("no difference");
            ExitCode::SUCCESS
        }
        Decided::Leave(Outcome::Unchanged) => {
            say("nothing would be installed now");
            ExitCode::SUCCESS
        }
        Decided::Leave(outcome) => failed(outcome),
    }
}

/// Prints what the change of the ring would cost, and the servers that are not ready for it.
async fn print_cost(assignment: &Assignment, ring: Option<&RingStatus>, (before, after): (usize, usize)) {
    let limit = spoken(assignment.limits.longest_stop);
    match ring.and_then(|ring| ring.predicted) {
        Some(predicted) => say(format_args!(
            "  the ring changes from {before} to {after} servers: {predicted} (merge.longest-stop is {limit})"
        )),
        None => say(format_args!(
            "  the ring changes from {before} to {after} servers; its keys are not known here, so no stop is predicted"
        )),
    }
    for (server, readiness) in ring_task::readiness(assignment).await {
        if readiness != Readiness::Ready {
            say(format_args!("  {server} is not ready for it: {readiness}"));
        }
    }
}

/// Status 1, with what cannot be done beside it.
fn told(unplaced: Option<String>) -> ExitCode {
    unplaced.map_or(ExitCode::FAILURE, failed)
}

fn print_plan(plan: &Plan, restarts: Option<Restarts>) {
    plan.changes.iter().for_each(|change| say(plan.line(change)));
    say(format_args!("in all: {}", plan.meaning()));
    let restarted = matches!(plan.class, Class::RestartK2hdkc | Class::RestartChmpx);
    if let Some(restarts) = restarts.filter(|restarts| restarted && restarts.forbids(plan.mode)) {
        say(format_args!(
            "not restarted by the agent: supervisor.restarts is \"{}\", so the change is held until the setting allows it, or \
             until you restart them",
            restarts.word()
        ));
    }
}

/// Examines a file by chmpx's rules. Status 1 if chmpx would refuse it, or take it and lose data or service.
pub(super) fn check(file: Option<&Path>, settings: &Settings) -> ExitCode {
    let path = file.unwrap_or(&settings.ini.path);
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) => return failed(format_args!("cannot read {}: {error}", path.display())),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return failed(format_args!("{}: not UTF-8 at byte {}", path.display(), valid_up_to(&bytes)));
    };
    let document = ini::parse(text);
    let ring = acceptance::read(&document, &Host::default()).ring;
    let mut paths = acceptance::paths(&ring);
    paths.extend(acceptance::database_paths(&ring));
    let mut reading = acceptance::read(&document, &machine::host(paths));
    reading.problems.extend(replicas::examine(&reading.ring));
    print_reading(&reading, path)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        return std::io::stdin().read_to_end(&mut bytes).map(|_| bytes);
    }
    std::fs::read(path)
}

fn valid_up_to(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to())
}

fn print_reading(reading: &Reading, path: &Path) -> ExitCode {
    for problem in &reading.problems {
        let line = problem.line.map_or_else(String::new, |line| format!(":{line}"));
        say(format_args!("{}{line}: {}: {}", path.display(), problem.severity.word(), problem.text));
    }
    let (servers, slaves) = (reading.ring.servers.len(), reading.ring.slaves.len());
    let version = reading.fileversion.map_or("none".to_owned(), |version| version.to_string());
    let forbids = reading.problems.iter().any(crate::problem::Problem::forbids);
    let verdict = match (reading.loads(), forbids) {
        (false, _) => "chmpx would refuse it, and a running chmpx would end",
        (true, true) => "chmpx would take it, with harm to others",
        (true, false) => "good",
    };
    say(format_args!(
        "{}: {verdict} ({servers} servers, {slaves} slaves, FILEVERSION {version})",
        path.display()
    ));
    if forbids { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
