//! Rows of what stops, in the one order that was measured to be safe: k2hdkc, half a second, chmpx by HUP, and KILL where that was
//! not heard. chmpx dies by SIGSEGV when HUP comes right after k2hdkc's end (12 of 12), and k2hdkc hears no signal while its
//! chmpx is gone (12 of 12).

use std::time::Duration;

use super::rules::{ORPHAN_WITHIN, SOON, STUCK_WITHIN};
use super::scene::{Draft, Scene};
use super::words::{Reason, Restart, Stop};
use super::{Action, data_safety};
use crate::chmpx_state::Operation;
use crate::supervisor::{Program, Running, Step};

/// Stops a k2hdkc that is older than its chmpx, unless its keys would be lost.
pub(super) fn unpaired(scene: &Scene<'_>, draft: &mut Draft, running: Running) -> Option<Action> {
    let demanded = scene.persisted.must_go(scene, running.id).map(|restart| restart.why.clone());
    let cause = demanded.unwrap_or_else(|| "chmpx was restarted".to_owned());
    if at_risk(scene, draft, running, cause) { None } else { Some(k2hdkc(scene, running, Stop::Outlived)) }
}

/// Reports where a restart of this k2hdkc would lose the only copy of its keys.
pub(super) fn at_risk(scene: &Scene<'_>, draft: &mut Draft, k2hdkc: Running, cause: String) -> bool {
    let Some(loss) = data_safety::loss(scene, k2hdkc) else { return false };
    draft.data_at_risk = true;
    draft.report(Restart::DataAtRisk { pid: k2hdkc.id.pid, cause, loss });
    true
}

/// Stops k2hdkc. An orphan hears no signal.
pub(super) fn k2hdkc(scene: &Scene<'_>, k2hdkc: Running, reason: impl Into<Reason>) -> Action {
    let orphan = scene.observed.chmpx.is_none();
    let patience = if orphan {
        ORPHAN_WITHIN.min(scene.limits.timing.stop_within)
    } else {
        scene.limits.timing.stop_within
    };
    scene.history.signals.stop((Program::K2hdkc, k2hdkc.id), patience, scene.now, reason)
}

/// Stops chmpx, a moment after its k2hdkc on a server.
pub(super) fn chmpx(
    scene: &Scene<'_>,
    chmpx: Running,
    patience: Duration,
    reason: impl Into<Reason>,
) -> Action {
    gap(scene).unwrap_or_else(|| {
        let patience = patience.min(scene.limits.timing.stop_within);
        scene.history.signals.stop((Program::Chmpx, chmpx.id), patience, scene.now, reason)
    })
}

/// Waits between the end of a server's k2hdkc and that of its chmpx.
pub(super) fn gap(scene: &Scene<'_>) -> Option<Action> {
    let (gone, gap) = (scene.history.k2hdkc_gone_for(scene.now), scene.limits.timing.stop_gap);
    let waits = scene.is_server() && gone < gap;
    waits.then(|| Action::Wait(Stop::AfterK2hdkc.into(), gap.saturating_sub(gone).max(SOON)))
}

/// Stops both for the end of the agent; `None` once nothing runs.
pub(super) fn both(scene: &Scene<'_>) -> Option<Action> {
    if let Some(running) = scene.observed.k2hdkc.filter(|_| scene.is_server()) {
        return Some(k2hdkc(scene, running, Stop::AgentEnds));
    }
    Some(chmpx(scene, scene.observed.chmpx?, scene.limits.timing.stop_within, Stop::AgentEnds))
}

/// Stops both for good; `None` once nothing runs.
pub(super) fn for_good(scene: &Scene<'_>, reason: Stop) -> Option<Action> {
    if scene.is_server() {
        if let Some(action) = disable(scene, Program::K2hdkc, reason.clone()) {
            return Some(action);
        }
        if let Some(running) = scene.observed.k2hdkc {
            return Some(k2hdkc(scene, running, reason));
        }
        if let Some(wait) = gap(scene).filter(|_| scene.observed.chmpx.is_some()) {
            return Some(wait);
        }
    }
    if let Some(action) = disable(scene, Program::Chmpx, reason.clone()) {
        return Some(action);
    }
    // A chmpx that hangs in a merge hears no HUP (C17).
    let hangs = scene.view().is_some_and(|view| view.own.status.operation() == Operation::Doing);
    let patience = if hangs { STUCK_WITHIN } else { scene.limits.timing.stop_within };
    Some(chmpx(scene, scene.observed.chmpx?, patience, reason))
}

/// Keeps this program from further starts; `None` where that is done.
fn disable(scene: &Scene<'_>, program: Program, reason: Stop) -> Option<Action> {
    let disabling = scene.history.disabling.of(program);
    if disabling.done {
        return None;
    }
    Some(match disabling.failures.wait(scene.now) {
        Some(rest) => {
            let error = disabling.failures.last_error().unwrap_or_default().to_owned();
            Action::hold(Stop::CannotBeDisabled { program, error }, rest)
        }
        None => Action::Step(Step::Disable(program), reason.into()),
    })
}
