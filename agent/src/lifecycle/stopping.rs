//! What must stop, in the one order that was measured to be safe: k2hdkc, half a second, chmpx by HUP, and KILL where
//! that was not heard. chmpx dies by SIGSEGV when HUP comes right after k2hdkc's end (12 of 12), and k2hdkc hears no
//! signal while its chmpx is gone (12 of 12).

use std::time::Duration;

use super::drain::{self, Readiness};
use super::rules::{ORPHAN_WITHIN, SOON, STUCK_WITHIN};
use super::{Case, Known, Memory, Next, Urgency, keeping};
use crate::ring::Mode;
use crate::supervisor::{Program, Running};

/// k2hdkc is never older than its chmpx: it would have lost its merge callbacks, and answer the next merge with nothing
/// while every status looks healthy (30 of 60 keys unreadable).
pub(super) fn k2hdkc(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let k2hdkc = case.observed.k2hdkc.filter(|_| case.mode() == Mode::Server)?;
    let demanded = known.must_go(case, k2hdkc.id, case.observed.chmpx.map(|chmpx| chmpx.id)).cloned();
    let outlived = case.rules.pair && outlived(case, k2hdkc);
    if demanded.is_none() && !outlived {
        return None;
    }
    let for_a_change = demanded.as_ref().is_some_and(|restart| restart.urgency == Urgency::Change);
    if for_a_change && !outlived && keeping::moves(case, known, k2hdkc) {
        memory.loud.push(format!(
            "[K2HDKC] names another database: k2hdkc (pid {}) is not restarted for it, since its keys would stay behind. \
             Move them, then end it by SIGHUP: the agent starts it again",
            k2hdkc.id.pid
        ));
        return None;
    }
    if let Some(why) = keeping::would_lose(case, memory, known, k2hdkc) {
        let cause = demanded.map_or_else(|| "chmpx was started anew".to_owned(), |restart| restart.why);
        memory.at_stake = Some(format!(
            "k2hdkc (pid {}) must be restarted ({cause}), but {why}: its keys would be lost. Until it is, do not scale \
             the cluster. Copy its keys, then end it: the agent starts it again",
            k2hdkc.id.pid
        ));
        return None;
    }
    if outlived {
        let why = "it is older than its chmpx, and would answer merges with nothing";
        return Some(stop_k2hdkc(case, memory, k2hdkc, why));
    }
    let restart = demanded?;
    match drain::ready(case, memory, known, &restart) {
        Readiness::Ready => {
            memory.is_to_go(restart.chmpx);
            Some(stop_k2hdkc(case, memory, k2hdkc, &restart.why))
        }
        // A restart for a changed key may wait long; reloads and merges are cared for meanwhile.
        Readiness::NotYet(next @ Next::Wait(..)) if restart.urgency == Urgency::Change && serves(case) => {
            memory.pending = Some(next);
            None
        }
        Readiness::NotYet(next) => Some(next),
        Readiness::NotAllowed(text) => {
            memory.loud.push(text);
            None
        }
    }
}

/// chmpx stops for a restart, when its k2hdkc has been gone for a moment.
pub(super) fn chmpx(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let chmpx = case.observed.chmpx?;
    let restart =
        known.restart.clone().filter(|restart| restart.chmpx == Some(chmpx.id) && restart.is_due(case))?;
    // Never under a k2hdkc that runs.
    let under = case.mode() == Mode::Server && case.observed.k2hdkc.is_some();
    if memory.at_stake.is_some() || under {
        return None;
    }
    match (case.mode(), drain::allowed(case, known, &restart)) {
        (_, Err(text)) => {
            memory.loud.push(text);
            None
        }
        (Mode::Server, Ok(())) => {
            // Where the whole ring ends at once, those that are left merge meanwhile, and hear no HUP.
            let hurries = restart.urgency == Urgency::Stuck || restart.at_once;
            let within =
                if hurries { STUCK_WITHIN.min(case.rules.stop_within) } else { case.rules.stop_within };
            Some(stop_chmpx(case, memory, chmpx, within, &restart.why))
        }
        (Mode::Slave, Ok(())) => {
            Some(memory.stop(Program::Chmpx, chmpx.id, case.rules.stop_within, case.now, &restart.why))
        }
    }
}

/// Both, since the agent ends and was told to take them with it.
pub(super) fn both(case: &Case<'_>, memory: &mut Memory) -> Option<Next> {
    let why = "the agent ends, and supervisor.on-exit is \"stop\"";
    if let Some(k2hdkc) = case.observed.k2hdkc.filter(|_| case.mode() == Mode::Server) {
        return Some(stop_k2hdkc(case, memory, k2hdkc, why));
    }
    Some(stop_chmpx(case, memory, case.observed.chmpx?, case.rules.stop_within, why))
}

fn serves(case: &Case<'_>) -> bool {
    case.view().is_some_and(|view| view.own.status.is_healthy())
}

fn outlived(case: &Case<'_>, k2hdkc: Running) -> bool {
    case.observed.chmpx.is_none_or(|chmpx| k2hdkc.id.ticks <= chmpx.id.ticks)
}

pub(super) fn stop_k2hdkc(case: &Case<'_>, memory: &mut Memory, k2hdkc: Running, why: &str) -> Next {
    let orphan = case.observed.chmpx.is_none();
    let patience = if orphan { ORPHAN_WITHIN.min(case.rules.stop_within) } else { case.rules.stop_within };
    memory.stop(Program::K2hdkc, k2hdkc.id, patience, case.now, why)
}

/// What must pass between the end of a server's k2hdkc and that of its chmpx.
pub(super) fn gap(case: &Case<'_>, memory: &Memory) -> Option<Next> {
    let (gone, gap) = (memory.k2hdkc_gone_for(case.now), case.rules.stop_gap);
    (case.mode() == Mode::Server && gone < gap).then(|| {
        let text = "chmpx stops a moment after its k2hdkc".to_owned();
        Next::Wait(text, gap.saturating_sub(gone).max(SOON))
    })
}

pub(super) fn stop_chmpx(
    case: &Case<'_>,
    memory: &mut Memory,
    chmpx: Running,
    within: Duration,
    why: &str,
) -> Next {
    if let Some(next) = gap(case, memory) {
        return next;
    }
    memory.stop(Program::Chmpx, chmpx.id, within, case.now, why)
}
