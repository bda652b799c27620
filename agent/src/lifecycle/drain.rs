//! A restart for a changed key: only where the operator allows it, one server after the other, and each out of service
//! first, so that no request waits for it. Its keys are read from their other copies meanwhile, as far as the ring
//! finds those (facts D6 and D10).

use super::memory::Waiting;
use super::rules::{NUDGE_AGAIN, OUT_FOR};
use super::{Case, Known, Memory, Next, Restart, Urgency, status_of};
use crate::plan::Class;
use crate::supervisor::Order;
use crate::view::{Action, NodeStatus, Operation};

/// Whether the processes may stop now.
#[derive(Debug)]
pub(super) enum Readiness {
    /// They may.
    Ready,
    /// This comes first.
    NotYet(Next),
    /// The operator does not want it.
    NotAllowed(String),
}

/// Whether the operator allows this restart. What has begun is brought to its end: the server is out of service.
pub(super) fn allowed(case: &Case<'_>, known: &Known, restart: &Restart) -> Result<(), String> {
    let forbidden = restart.urgency == Urgency::Change && case.rules.restarts.forbids(case.mode());
    if !forbidden || known.has_drained(case) {
        return Ok(());
    }
    let pid = case.observed.chmpx.map_or_else(String::new, |chmpx| format!(" (pid {})", chmpx.id.pid));
    Err(format!(
        "{}; supervisor.restarts forbids it. To do it yourself, end chmpx{pid} by SIGHUP, on a server k2hdkc first: the agent \
         starts both again",
        restart.why
    ))
}

/// The ring is the lock: chmpx lets one server at a time leave, and answers "operating now" to the others.
pub(super) fn ready(case: &Case<'_>, memory: &mut Memory, known: &mut Known, restart: &Restart) -> Readiness {
    if let Err(text) = allowed(case, known, restart) {
        return Readiness::NotAllowed(text);
    }
    let (Some(view), Some(chmpx)) = (case.view(), case.observed.chmpx) else { return Readiness::Ready };
    if restart.urgency == Urgency::Stuck || restart.at_once {
        return Readiness::Ready;
    }
    let wait = |text: String| Readiness::NotYet(Next::Wait(text, case.rules.between_questions));
    if !view.own.status.is_in_service() {
        let out_for = memory.in_status_for(case.now);
        return if known.has_drained(case) && out_for < OUT_FOR {
            wait(format!("{}: it is out of service, and stops in a moment", restart.why))
        } else {
            Readiness::Ready
        };
    }
    if view.own.status.is_suspended() {
        // Its k2hdkc serves nobody.
        return Readiness::Ready;
    }
    if case.peers().next().is_none() {
        // Nobody could take the keys over, so there is nothing to wait for; they are in a file.
        return Readiness::Ready;
    }
    if !view.automerge || view.automerge_suspended {
        return Readiness::NotAllowed(format!(
            "{}; AUTOMERGE is off, so take it out of service by hand",
            restart.why
        ));
    }
    if !view.own.status.is_healthy() {
        let merging = matches!(view.own.status.operation(), Operation::Doing | Operation::Done)
            || (view.own.status.action() == Action::Delete && known.has_drained(case));
        if let Some(sticks) = memory.merge_sticks(case).filter(|_| merging) {
            // It was to stop anyway; its keys have their other copies, and come back with it.
            known.demand(
                case,
                Class::RestartChmpx,
                Urgency::Stuck,
                &format!("a merge sticks at {}: {sticks}", view.own.status),
            );
            return Readiness::Ready;
        }
        return wait(format!("{}: this server is {}", restart.why, view.own.status));
    }
    // Every other server of the file, also one that failed to come back from the same restart.
    for node in case.peers() {
        let status = status_of(view, node);
        if status.is_some_and(NodeStatus::is_healthy) {
            continue;
        }
        memory.waited_enough(Waiting::Calm);
        let is = status.map_or_else(|| "not listed".to_owned(), |status| status.to_string());
        let text = format!("{}: first {} must be well again ({is})", restart.why, node.label());
        return if status.is_some_and(NodeStatus::is_up) { wait(text) } else { Readiness::NotAllowed(text) };
    }
    let turn = case.rules.turn.saturating_mul(case.rank());
    if case.boot.since(restart.at).is_none_or(|waited| waited < turn) {
        return wait(format!("{}: the servers before it restart first", restart.why));
    }
    let calm = memory.waited_for(Waiting::Calm, case.now);
    if calm < case.rules.calm {
        return wait(format!("{}: all servers are well", restart.why));
    }
    known.drained = Some(chmpx.id);
    let why = format!("{}: it leaves the service first", restart.why);
    match memory.nudge(Order::ServiceOut, case.now, &why) {
        Some(next) => Readiness::NotYet(next),
        None => wait(format!("{why}, but chmpx does not leave the service")),
    }
}

/// Whether this server is out of service because the agent took it out.
pub(super) fn brings_back(case: &Case<'_>, known: &Known) -> bool {
    known.restart.is_none() && known.has_drained(case)
}

/// The order that brings it back.
pub(super) fn bring_back(case: &Case<'_>, memory: &mut Memory) -> Next {
    let why = "it was taken out of service for a restart";
    let again = Next::Hold(format!("{why}, and chmpx does not take SERVICEIN"), NUDGE_AGAIN);
    memory.nudge(Order::ServiceIn, case.now, why).unwrap_or(again)
}
