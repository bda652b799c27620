//! Decides the next step for chmpx and k2hdkc: assess, decide, record.
//!
//! *Assess*: [`phase`] names the phases that hold in one observation. *Decide*: [`decide`] finds the row of each phase and the
//! column of the intent in the table below. *Record*: [`History::record`] keeps the outcome of the act. No script runs here
//! that a kill could interrupt: an agent that was killed in a restart goes on where the programs are. [`Persisted`] outlives
//! the agent; [`History`] may be forgotten. Pure: time and chance are arguments.
//!
//! # The table
//!
//! The rows stand in the order in which they are safe, measured on chmpx 1.0.113 and k2hdkc 1.0.19: k2hdkc stops half a second
//! before chmpx, starts after it and only in sight of its peers, and is never older than it. The first row that asks for
//! something wins. *Report* leaves a condition for the operator, and the next rows follow; a wait beside a condition is a hold.
//! `-` is no rule: the next row follows. The match in `rule` has the same cells, grouped by column: the arms of Stop and Gone
//! come first, then those that hold in every column, then the end of Drain, then the rest.
//!
//! | phase | Run | Restart | Drain | Stop |
//! |---|---|---|---|---|
//! | `Unobservable` | hold | hold | - | hold; by force: on after 30 s |
//! | `Parked` | wait | = Run | = Run | = Run |
//! | `ForeignWriter` | end it, or report | = Run | = Run | - |
//! | `FileOutOfSync` | sync it, hold, or report | = Run | = Run | - |
//! | `Duplicate` | hold | hold | - | - |
//! | `Isolated` | server: kill k2hdkc and chmpx, then hold; slave: report | = Run | = Run | - |
//! | `FileOnTrial` | roll back an end, failed starts or an absence | = Run | = Run | - |
//! | `Unpaired` | stop k2hdkc, or report data at risk | = Run | - | disable, stop k2hdkc |
//! | `Paired` | - | in turn: stop k2hdkc; or report | - | disable, stop k2hdkc |
//! | `Unaccompanied` | - | stop chmpx, or report | - | after 0.5 s: disable, stop chmpx |
//! | `NotEnabled` | enable, or report | = Run | - | - |
//! | `Down` | start chmpx once the others list this server | = Run | - | disable, next stage |
//! | `Silent` | wait; roll back; restart chmpx | = Run | = Run | - |
//! | `Stale` | wait; write again (8 times); restart chmpx | = Run | = Run | - |
//! | `NoK2hdkc` | by quorum: start, wait, restart chmpx to reconnect, hold | = Run | - | - |
//! | `LeftBehind` | in turn: COMPMERGE, MERGE or SERVICEOUT; or hold | = Run | - | - |
//! | `PeerInChange` | report one that does not go on | = Run | - | - |
//! | `PeerDead` | report one that is listed as up | = Run | - | - |
//! | `RingChange` | wait, or hold | = Run | - | - |
//! | `SlaveDown` | wait | = Run | - | - |
//! | `SlaveAlone` | wait, then hold | = Run | - | - |
//! | `TurnedAway` | prompt the server; or hold | = Run | - | - |
//! | Own: `Unjoined` | wait, then restart k2hdkc | = Run | - | - |
//! | Own: `ByHand` | wait | = Run | - | - |
//! | Own: `Merging` | wait; restart a pair that sticks | = Run | - | - |
//! | Own: `Queued` | wait, then MERGE, then hold | = Run | - | - |
//! | Own: `Done` | wait, then UPDATESTATUS | = Run | - | - |
//! | Own: `Out` | SERVICEIN; hold where another hand took it out | = Run | - | - |
//! | `Serving` | restart or report an isolated start; announce a new file | = Run | - | - |
//! | `ListDiffers` | write again (3 times), wait or hold | = Run | - | - |
//! | `Leftovers` | remove them | = Run | - | - |
//!
//! With data at risk the rows of Own wait: no merge is nudged. No action and no condition: converged.
//!
//! Restart is the column of a restart that is due; one that waits for its file leaves the column at Run. A restart for a changed
//! key that has to wait keeps no later row waiting while the server serves.
//!
//! A node that drains first asks [`leave::drain`] whether it may go out of service. A wait there lets the rows of the file go on;
//! a server that must serve before it can leave goes on as with Run, in all its rows. After Stop nothing is started: see
//! [`leave::gone`]. The end of the agent is [`shutdown`].
//!
//! # A new phase
//!
//! 1. [`phase`]: a variant of `Phase`, and its recognition in the order there.
//! 2. Here: a row of the table and an arm of the match in `rule`. Its function stands in the module of its subject.
//! 3. [`words`]: its reasons, and their codes in docs/status.md.
//! 4. `tests/`: a test, and a turn in `tests/safety.rs`, which goes over all phases and intents.
//!
//! A row that acts again and again needs a limit: a nudge, a repair, or a [`Retry`](crate::retry::Retry) in the history. A row
//! that demands a restart looks at `persisted.restart` first: a demand that stands is not demanded again.

mod data_safety;
mod departure;
mod file_sync;
mod history;
mod join;
mod leave;
mod list;
mod peers;
mod persisted;
mod phase;
mod quorum;
mod resolving;
mod restart;
mod rules;
mod scene;
mod situation;
mod slave;
mod starting;
mod stopping;
mod trial;
pub mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

pub use data_safety::{Database, StartedK2hdkc};
pub use departure::{Departure, Insistence, Stage};
pub use history::{At, History, Replacement};
pub use leave::obstacle;
pub use persisted::{Pair, PendingRestart, Persisted, Rejected, StartedChmpx, Urgency};
pub(crate) use rules::{COMES_SOON, SOON};
pub use situation::{InstalledFile, Situation};

use self::persisted::Intent;
use self::phase::Phase;
use self::scene::{Draft, Scene, soon};
use self::words::{Control, File, Join, Reason, Reasons};
use crate::plan::Class;
use crate::ring_change::Progress;
use crate::supervisor::{ProcessId, Step};

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// None: chmpx and k2hdkc run what the file says.
    Converged,
    /// None but another look, at the latest after this time.
    Wait(Reason, Duration),
    /// None that the agent may take by itself: the operator must look. The agent looks again after this time.
    Hold(Reasons, Duration),
    /// A step of the supervisor.
    Step(Step, Reason),
    /// A restart: the next decision begins it.
    Demand(Demand),
    /// The same ring again, under the next generation.
    Rewrite(Rewrite, Reason),
    /// Another ring, since this one ended chmpx or silenced it.
    RollBack(Rollback, Reason),
}

/// A restart that no change of the file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The programs.
    pub class: Class,
    /// The consideration that it shows.
    pub urgency: Urgency,
    /// The cause.
    pub reason: Reason,
    /// True for one of the few that are tried in a row.
    pub repair: bool,
}

/// The purpose of writing the same ring again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// chmpx has not loaded it.
    NotLoaded,
    /// chmpx lists other servers.
    List,
}

/// The generation that a rollback goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// The one that chmpx ran with before this one.
    Previous,
    /// The last one with which no restart was due: a later one was perhaps only reloaded, never started with.
    Verified,
}

/// The next step, and what the operator should look at meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The next step.
    pub action: Action,
    /// Conditions that the agent may not end by itself, although it goes on with the rest.
    pub conditions: Reasons,
    /// Time of the decision.
    at: Instant,
    waits: BTreeSet<history::Waiting>,
    serves: bool,
    restarts: Option<RestartBegun>,
    patience: Patience,
}

/// A restart that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RestartBegun {
    /// The chmpx that it ends; `None` where only k2hdkc goes.
    chmpx: Option<ProcessId>,
}

/// Patience with a wait in which nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// The operator must look after a while.
    Ends,
    /// The wait may last: a leave waits for K2HR3 or for other servers, and a node that has left stays so.
    Lasts,
}

impl Action {
    fn hold(reason: impl Into<Reason>, time: Duration) -> Self {
        Self::Hold(Reasons(vec![reason.into()]), time)
    }

    /// Returns true where nothing but another look is asked for.
    fn rests(&self) -> bool {
        matches!(self, Self::Wait(..) | Self::Hold(..))
    }
}

impl Decision {
    /// Makes a decision of nothing but an action, for a command that decides only that.
    pub fn only(action: Action) -> Self {
        let (at, waits, conditions) = (Instant::now(), BTreeSet::new(), Reasons::default());
        let patience = Patience::Lasts;
        Self { at, action, conditions, waits, serves: false, restarts: None, patience }
    }

    /// Turns the action into a hold: the file that it asks for cannot be written.
    pub fn obstruct(&mut self, reason: File, time: Duration) {
        self.action = Action::Hold(self.conditions.and(Reasons(vec![reason.into()])), time);
    }
}

/// The next step, and the ledger's part as it must be kept before the step is taken.
pub type Decided = (Decision, Persisted);

/// Decides the next step. `history` and `persisted` have taken in the situation before.
pub fn decide(situation: &Situation<'_>, history: &History, persisted: &Persisted) -> Decided {
    let (scene, mut draft) = (Scene::new(situation, history, persisted), Draft::new(persisted));
    let (action, patience) = match persisted.intent(situation) {
        Intent::Gone(leaving) => (Some(leave::gone(&scene, leaving)), Patience::Lasts),
        Intent::Drain(leaving) => drain(&scene, &mut draft, leaving),
        intent @ Intent::Stop(_) => (walk(&scene, &mut draft, intent), Patience::Lasts),
        intent => (walk(&scene, &mut draft, intent), Patience::Ends),
    };
    draft.decision(&scene, action, patience)
}

/// Decides where a file is about to be installed: that comes first, but for the end of who would write over it in place.
pub fn decide_before_file(situation: &Situation<'_>, history: &History, persisted: &Persisted) -> Decided {
    let (scene, mut draft) = (Scene::new(situation, history, persisted), Draft::new(persisted));
    let rival = situation.observed.file.foreign_writer.as_ref();
    let action = rival.and_then(|rival| file_sync::end_writer(&scene, &mut draft, rival));
    let action = Some(action.unwrap_or_else(|| soon(File::ComesFirst)));
    Draft::new(persisted).decision(&scene, action, Patience::Lasts)
}

/// Decides for a node that stops where no file says which node it is: whatever runs ends.
pub fn decide_unread(situation: &Situation<'_>, history: &History, persisted: &Persisted) -> Decided {
    let (scene, mut draft) = (Scene::new(situation, history, persisted), Draft::new(persisted));
    let action = match persisted.intent(situation) {
        Intent::Gone(leaving) => Some(leave::gone(&scene, leaving)),
        Intent::Drain(leaving) => leave::drain(&scene, &mut draft, leaving),
        intent @ Intent::Stop(_) => walk(&scene, &mut draft, intent),
        Intent::Run | Intent::Restart(_) => None,
    };
    let action = action.unwrap_or_else(|| scene.hold(File::NamesNobody));
    draft.decision(&scene, Some(action), Patience::Lasts)
}

/// Decides where both programs end with the agent: `Converged` once nothing runs.
pub fn shutdown(situation: &Situation<'_>, history: &History, persisted: &Persisted) -> Decision {
    let scene = Scene::new(situation, history, persisted);
    Draft::new(persisted).decision(&scene, stopping::both(&scene), Patience::Lasts).0
}

/// Finds the first row that asks for something.
fn walk(scene: &Scene<'_>, draft: &mut Draft, intent: Intent<'_>) -> Option<Action> {
    phase::phases(scene).find_map(|phase| rule(scene, draft, phase, intent))
}

/// Takes the node out of service. A wait for that keeps nobody from caring for the file meanwhile.
fn drain(scene: &Scene<'_>, draft: &mut Draft, leaving: &Departure) -> (Option<Action>, Patience) {
    let Some(action) = leave::drain(scene, draft, leaving) else {
        return (walk(scene, draft, scene.persisted.intent_to_run(scene)), Patience::Ends);
    };
    let drains = draft.persisted.way_out().is_some_and(Departure::follows);
    if !drains || !action.rests() {
        return (Some(action), Patience::Lasts);
    }
    let of_the_file = walk(scene, draft, Intent::Drain(leaving));
    // The obstacle stays in sight beside what is done meanwhile.
    if let (Action::Hold(reasons, _), Some(_)) = (&action, &of_the_file) {
        reasons.0.iter().for_each(|reason| draft.report(reason.clone()));
    }
    (of_the_file.or(Some(action)), Patience::Lasts)
}

/// Looks up the table of the module.
#[expect(clippy::match_same_arms, reason = "each arm is a row of the table")]
fn rule(scene: &Scene<'_>, draft: &mut Draft, phase: Phase<'_>, intent: Intent<'_>) -> Option<Action> {
    use Intent::{Drain, Gone, Restart, Run, Stop};
    use Phase as P;
    match (phase, intent) {
        (P::Unobservable(why), Stop(leaving)) => Some(leave::unobservable(scene, draft, leaving, why)),
        (P::Unpaired(_) | P::Paired(_) | P::Unaccompanied(_) | P::Down, Stop(leaving)) => {
            Some(leave::stop(scene, draft, leaving))
        }
        (P::Parked(progress), _) => Some(scene.wait(progress.clone())),
        (_, Stop(_) | Gone(_)) => None,
        (P::ForeignWriter(rival), _) => file_sync::end_writer(scene, draft, rival),
        (P::FileOutOfSync(misplaced), _) => file_sync::sync(scene, draft, misplaced),
        (P::Isolated, _) => peers::isolated(scene, draft),
        (P::FileOnTrial, _) => trial::judge(scene, draft),
        (P::Silent(chmpx), _) => trial::silent(scene, draft, chmpx),
        (P::Stale, _) => trial::stale(scene),
        (_, Drain(_)) => None,
        (P::Paired(k2hdkc), Restart(_)) => restart::of_k2hdkc(scene, draft, k2hdkc),
        (P::Unaccompanied(chmpx), Restart(restart)) => restart::of_chmpx(scene, draft, chmpx, restart),
        (P::Paired(_) | P::Unaccompanied(_), Run) => None,
        (P::Unobservable(why), _) => Some(unobservable(scene, why)),
        (P::Duplicate(program), _) => Some(starting::duplicate(scene, program)),
        (P::Unpaired(k2hdkc), _) => stopping::unpaired(scene, draft, k2hdkc),
        (P::NotEnabled(program), _) => starting::enable(scene, draft, program),
        (P::Down, _) => Some(starting::chmpx(scene, draft)),
        (P::NoK2hdkc(chmpx), _) => starting::k2hdkc(scene, draft, chmpx),
        (P::LeftBehind(left), _) => peers::end_change(scene, draft, left),
        (P::PeerInChange(view), _) => peers::report_stuck(scene, draft, view),
        (P::PeerDead(view), _) => peers::report_dead(scene, draft, view),
        (P::RingChange(progress), _) => Some(change(scene, progress)),
        (P::SlaveDown(status), _) => Some(scene.wait(words::Slave::Is(status))),
        (P::SlaveAlone(listed), _) => Some(slave::alone(scene, draft, listed)),
        (P::TurnedAway(view), _) => slave::turned_away(scene, draft, view),
        (P::Own(_, view), _) if draft.data_at_risk => Some(scene.wait(Join::IsAtRisk(view.own.status))),
        (P::Own(own, view), _) => join::own(scene, draft, own, view),
        (P::Serving(view), _) => join::serving(scene, draft, view),
        (P::ListDiffers(difference), _) => Some(list::correct(scene, draft, difference)),
        (P::Leftovers(files), _) => starting::tidy(scene, files),
    }
}

/// Waits for the change of the ring; where it does not go on by itself, the operator must look.
fn change(scene: &Scene<'_>, progress: &Progress) -> Action {
    match &progress.hold {
        Some(hold) if hold.needs_operator() => scene.hold(progress.clone()),
        _ => scene.wait(progress.clone()),
    }
}

fn unobservable(scene: &Scene<'_>, why: &str) -> Action {
    Action::hold(Control::Unobservable(why.to_owned()), scene.limits.timing.min_query_interval)
}
