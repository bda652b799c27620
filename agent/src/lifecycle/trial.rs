//! Rows of a file on trial: chmpx took it, did not end of it, and answers. Also the restarts that no change asks for.

use std::time::Duration;

use tokio::time::Instant;

use super::history::Waiting;
use super::persisted::Urgency;
use super::rules::{
    COMES_SOON, COMES_WITHIN, FAILED_STARTS, LISTENS_WITHIN, MOST_REPAIRS, MOST_REWRITES, TRIES_ONE_FOR,
    TURNED_AWAY_FOR,
};
use super::scene::{Draft, Scene};
use super::words::{Control, File, Reason, Restart};
use super::{Action, Demand, Rewrite, Rollback, resolving};
use crate::plan::Class;
use crate::supervisor::neighbours::PeerKnowledge;
use crate::supervisor::{Exit, ExitStatus, Program, Running};

/// Rolls back a file that chmpx does not survive.
pub(super) fn judge(scene: &Scene<'_>, draft: &mut Draft) -> Option<Action> {
    ended(scene).or_else(|| fails_to_start(scene)).or_else(|| stays_away(scene, draft))
}

/// Blames an end on the file. A chmpx that ends of its file ends by itself with status 0, before it reports the generation, or
/// crashes. An end by KILL or TERM comes from another hand or from the kernel, and so does status 0 after that report.
fn ended(scene: &Scene<'_>) -> Option<Action> {
    let (age, file, signals) = (scene.file.age?, scene.file, &scene.history.signals);
    let on_trial = |exit: &&Exit| {
        let saw_it_come = scene.now.duration_since(exit.was.since) > age;
        let id = exit.was.id;
        exit.program == Program::Chmpx && saw_it_come && !signals.asked(id) && !signals.was_to_go(id)
    };
    let in_time =
        file.has_previous && !file.replaces_unloadable && age < scene.limits.timing.roll_back_within;
    let exit = scene.observed.events.exits.iter().find(on_trial).filter(|_| in_time)?;
    let by_another_hand = file.loaded && exit.how == ExitStatus::Exit(0);
    (exit.how.is_own() && !by_another_hand).then(|| {
        let (how, millis, generation) = (exit.how, age.as_millis(), file.fileversion);
        Action::RollBack(Rollback::Previous, File::EndedChmpx { how, millis, generation }.into())
    })
}

/// Blames failed starts on the file, however late they come. A start that fails once may be bad luck.
fn fails_to_start(scene: &Scene<'_>) -> Option<Action> {
    let (times, exit) = scene.history.programs.of(Program::Chmpx).failures();
    let unproven = scene.file.has_verified && !scene.file.verified && scene.observed.chmpx.is_none();
    let how = exit.filter(|_| unproven && times >= FAILED_STARTS)?.how;
    let reason = File::StartsNoChmpx { how, times, generation: scene.file.fileversion };
    Some(Action::RollBack(Rollback::Verified, reason.into()))
}

/// Blames the file where a helper starts chmpx and it does not come back: nobody may be told there how it ended.
fn stays_away(scene: &Scene<'_>, draft: &mut Draft) -> Option<Action> {
    let helped =
        scene.observed.absence.externally_managed.iter().any(|(program, _)| *program == Program::Chmpx);
    let file = scene.file;
    // A file that chmpx has loaded once, or that is not before it, keeps it from nothing.
    let unproven = !file.verified && !file.loaded && scene.observed.file.out_of_sync.is_none();
    if scene.observed.chmpx.is_some() || !helped || !file.has_verified || !unproven {
        return None;
    }
    let away = draft.waited(scene, Waiting::Helper);
    (away >= COMES_WITHIN)
        .then(|| Action::RollBack(Rollback::Verified, File::BringsNoChmpx(file.fileversion).into()))
}

/// Waits for an answer of chmpx, rolls back the file that silenced it, or restarts it. No answer is no failure for a long time.
pub(super) fn silent(scene: &Scene<'_>, draft: &mut Draft, chmpx: Running) -> Option<Action> {
    let (observed, pid) = (scene.observed, chmpx.id.pid);
    if let Some((since, text)) =
        observed.control.silent.as_ref().filter(|(since, _)| unheard_for(scene, *since) >= patience(scene))
    {
        let reason = Control::SilentTooLong { pid, text: text.clone() };
        if fell_silent_of_the_file(scene, *since) {
            return Some(Action::RollBack(Rollback::Previous, reason.into()));
        }
        return Some(restart_chmpx(scene, reason));
    }
    if came_too_early(scene, chmpx) {
        return Some(restart_chmpx(scene, Control::CameTooEarly(pid)));
    }
    let never = observed.control.report.is_none() && observed.control.refuses;
    if never && unheard_for(scene, chmpx.since) >= LISTENS_WITHIN {
        return Some(restart_chmpx(scene, Control::NeverListened(pid)));
    }
    if let Some(text) = observed.control.not_understood.clone() {
        draft.report(Control::NotUnderstood { pid, text });
    }
    // An answer from before the silence says nothing of the present.
    let owes = observed.control.report.is_none() || observed.control.silent.is_some();
    let resolves = resolving::wait(scene, &"it does not answer").filter(|_| owes);
    resolves.or_else(|| observed.control.report.is_none().then(|| first_answer(scene)))
}

fn first_answer(scene: &Scene<'_>) -> Action {
    let observed = scene.observed;
    let text =
        observed.control.silent.as_ref().map_or("chmpx has not been asked yet", |(_, text)| text.as_str());
    let between = scene.limits.timing.min_query_interval;
    let next = if scene.is_server() && observed.control.refuses { COMES_SOON.min(between) } else { between };
    Action::Wait(Control::FirstAnswer(text.to_owned()).into(), next)
}

/// Returns the time since then in which chmpx waited for no name server.
fn unheard_for(scene: &Scene<'_>, since: Instant) -> Duration {
    let since = scene.history.ring.resolver.last().map_or(since, |at| at.max(since));
    scene.now.saturating_duration_since(since)
}

/// Returns how long chmpx may be silent: it tries members that are down, one after the other.
fn patience(scene: &Scene<'_>) -> Duration {
    let up = scene.view().map_or(0, |view| view.servers.iter().filter(|row| row.status.is_up()).count());
    let tried = scene.ring.servers.len().saturating_sub(up.max(1));
    scene.limits.timing.unresponsive_after
        + TRIES_ONE_FOR.saturating_mul(u32::try_from(tried).unwrap_or(u32::MAX))
}

fn fell_silent_of_the_file(scene: &Scene<'_>, since: Instant) -> bool {
    let Some(age) = scene.file.age else { return false };
    let spoke_for = age.saturating_sub(scene.now.duration_since(since));
    scene.file.has_previous && spoke_for < scene.limits.timing.roll_back_within
}

/// Returns true for a chmpx that has never listened, as it came before some of the others listed this server, while they do by
/// now: the next one is let in (C33).
fn came_too_early(scene: &Scene<'_>, chmpx: Running) -> bool {
    let observed = scene.observed;
    let unheard = observed.control.report.is_none() && observed.control.refuses;
    let too_early = scene.history.joining.too_early == Some(chmpx.id)
        && observed.peers.knowledge == PeerKnowledge::Listed;
    unheard && too_early && unheard_for(scene, chmpx.since) >= TURNED_AWAY_FOR
}

/// Waits for the report of the installed generation, asked after the quiet time; writes a file again that was swallowed or
/// missed, under the next generation; restarts a chmpx that does not hear of it at all.
pub(super) fn stale(scene: &Scene<'_>) -> Option<Action> {
    let said = scene.observed.control.report.as_ref()?;
    if let Some(until) =
        scene.history.quiet_until(scene.limits.timing.quiet_after_write).filter(|until| said.at < *until)
    {
        let left = until.saturating_duration_since(scene.now);
        let wait = if left.is_zero() { scene.limits.timing.min_query_interval } else { left };
        return Some(Action::Wait(File::JustReplaced.into(), wait));
    }
    if scene.persisted.restart.as_ref().is_some_and(|restart| restart.urgency >= Urgency::Deaf) {
        return None;
    }
    let (loaded, wanted) = (said.view.fileversion, scene.file.fileversion);
    let reason = File::NotLoaded { loaded, wanted };
    if let Some(wait) = resolving::wait(scene, &reason) {
        return Some(wait);
    }
    if scene.history.file.rewrites < MOST_REWRITES {
        return Some(Action::Rewrite(Rewrite::NotLoaded, reason.into()));
    }
    Some(repair(scene, (Class::RestartChmpx, Urgency::Deaf), File::NeverLoaded { loaded, wanted }))
}

/// Restarts a chmpx with which nothing goes any more.
pub(super) fn restart_chmpx(scene: &Scene<'_>, reason: impl Into<Reason>) -> Action {
    repair(scene, (Class::RestartChmpx, Urgency::Stuck), reason)
}

/// Demands a restart that no change asked for, a few times at most.
pub(super) fn repair(
    scene: &Scene<'_>,
    (class, urgency): (Class, Urgency),
    reason: impl Into<Reason>,
) -> Action {
    let reason = reason.into();
    if scene.persisted.restart.as_ref().is_some_and(|restart| restart.urgency >= urgency) {
        return scene.wait(reason);
    }
    if let Some(wait) = resolving::wait(scene, &reason) {
        return wait;
    }
    if scene.history.joining.repairs >= MOST_REPAIRS {
        return scene.hold(Restart::DidNotHelp { reason: reason.to_string() });
    }
    Action::Demand(Demand { class, urgency, reason, repair: true })
}
