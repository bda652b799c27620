//! A restart for a changed key: only where the operator allows it, one server after the other, and each out of service
//! first, so that no program notices.

use super::rules::{NUDGE_AGAIN, OUT_FOR};
use super::{Case, Known, Memory, Next, Restart, Restarts, Urgency, is_own, label};
use crate::clock::Timestamp;
use crate::plan::Class;
use crate::ring::Mode;
use crate::target::Order;
use crate::view::Operation;

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

/// Whether the operator allows this restart.
pub(super) fn allowed(case: &Case<'_>, restart: &Restart) -> Result<(), String> {
    let forbidden = match (case.rules.restarts, case.mode()) {
        (Restarts::Always, _) | (Restarts::Servers, Mode::Server) => false,
        (Restarts::Never, _) | (Restarts::Servers, Mode::Slave) => restart.urgency == Urgency::Change,
    };
    if !forbidden {
        return Ok(());
    }
    let pid = case.observed.chmpx.map_or_else(String::new, |chmpx| format!(" (pid {})", chmpx.id.pid));
    Err(format!(
        "{}; target.restarts forbids it. To do it yourself, end chmpx{pid} by SIGHUP, on a server k2hdkc first: the agent \
         starts both again",
        restart.why
    ))
}

/// The ring is the lock: chmpx lets one server at a time leave, and answers "operating now" to the others.
pub(super) fn ready(case: &Case<'_>, memory: &mut Memory, known: &mut Known, restart: &Restart) -> Readiness {
    if let Err(text) = allowed(case, restart) {
        return Readiness::NotAllowed(text);
    }
    let (Some(view), Some(chmpx)) = (case.view(), case.observed.chmpx) else { return Readiness::Ready };
    if restart.urgency == Urgency::Stuck {
        return Readiness::Ready;
    }
    let wait = |text: String| Readiness::NotYet(Next::Wait(text, case.rules.between_questions));
    if !view.own.status.is_in_service() {
        let drained = known.drained == Some(chmpx.id);
        let out_for = memory.in_status_for(case.now);
        return if drained && out_for < OUT_FOR {
            wait(format!("{}: it is out of service, and stops in a moment", restart.why))
        } else {
            Readiness::Ready
        };
    }
    let others: Vec<_> = view.servers.iter().filter(|row| !is_own(row, view)).collect();
    if !others.iter().any(|row| row.status.is_healthy()) {
        // Nobody could take the keys over, so there is nothing to wait for; they are in a file.
        return Readiness::Ready;
    }
    if !view.own.status.is_healthy() {
        if view.own.status.operation() != Operation::Nothing && memory.merge_sticks(case) {
            // It was to stop anyway; its keys have their other copies, and come back with it.
            known.demand(
                case,
                Class::RestartChmpx,
                Urgency::Stuck,
                &format!("a merge sticks at {}", view.own.status),
            );
            return Readiness::Ready;
        }
        return wait(format!("{}: this server is {}", restart.why, view.own.status));
    }
    let unwell = others.iter().find(|row| row.status.is_in_service() && !row.status.is_healthy());
    if let Some(row) = unwell {
        memory.waited_enough("calm");
        return wait(format!("{}: first {} must be well again ({})", restart.why, label(row), row.status));
    }
    let turn = case.rules.turn.saturating_mul(case.rank());
    let waited = Timestamp::now().since(restart.at);
    if waited < turn {
        return wait(format!("{}: the servers before it restart first", restart.why));
    }
    let calm = memory.waited_for("calm", case.now);
    if calm < case.rules.calm {
        return wait(format!("{}: all servers are well", restart.why));
    }
    known.drained = Some(chmpx.id);
    let why = format!("{}: its keys move first", restart.why);
    match memory.nudge(Order::ServiceOut, case.now, &why) {
        Some(next) => Readiness::NotYet(next),
        None => wait(format!("{why}, but chmpx does not leave the service")),
    }
}

/// Whether this server is out of service because the agent took it out.
pub(super) fn brings_back(case: &Case<'_>, known: &Known) -> bool {
    known.restart.is_none()
        && known.drained.is_some()
        && known.drained == case.observed.chmpx.map(|chmpx| chmpx.id)
}

/// The order that brings it back.
pub(super) fn bring_back(case: &Case<'_>, memory: &mut Memory) -> Next {
    let why = "it was taken out of service for a restart";
    let again = Next::Wait(why.to_owned(), NUDGE_AGAIN);
    memory.nudge(Order::ServiceIn, case.now, why).unwrap_or(again)
}
