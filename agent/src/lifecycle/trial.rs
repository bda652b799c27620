//! Whether chmpx took the file: it answers, it reports the FILEVERSION, and it did not end of it.

use std::time::Duration;

use tokio::time::Instant;

use super::memory::{Rewriting, Waiting};
use super::resolving::resolves;
use super::rules::{
    COMES_SOON, COMES_WITHIN, FAILED_STARTS, LISTENS_WITHIN, MOST_CURES, MOST_REWRITES, TRIES_ONE_FOR,
};
use super::{Back, Case, Known, Memory, Next, Urgency, unlisted};
use crate::plan::Class;
use crate::ring::Mode;
use crate::supervisor::{Ended, Ending, Program};

/// A chmpx that ends of a file ends by itself with status 0, before it reports the file's generation, or crashes; an end by
/// KILL or TERM is somebody's or the kernel's, and so is one with status 0 after that. A start that fails may be bad luck
/// once.
pub(super) fn roll_back(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let age = case.written?;
    let on_trial = |ended: &&Ended| {
        let saw_it_come = case.now.duration_since(ended.was.since) > age;
        let id = ended.was.id;
        ended.program == Program::Chmpx && saw_it_come && !memory.asked_to_end(id) && !memory.was_to_go(id)
    };
    let in_time = case.ways.before && !case.mended && age < case.rules.roll_back_within;
    let ended = case.observed.ended.iter().find(on_trial).filter(|_| in_time);
    let by_somebody = |how| case.loaded && how == Ending::Exit(0);
    let blamed = ended.filter(|ended| is_own_end(ended.how) && !by_somebody(ended.how)).map(|ended| {
        let text = format!(
            "chmpx {} {} ms after generation {} was installed",
            ended.how.text(),
            age.as_millis(),
            case.fileversion
        );
        Next::RollBack(Back::Before, text)
    });
    blamed.or_else(|| fails_to_start(case, memory)).or_else(|| stays_away(case, memory))
}

/// Where a helper starts chmpx, nobody may be told how it ended: that it does not come back tells it.
fn stays_away(case: &Case<'_>, memory: &mut Memory) -> Option<Next> {
    let comes = case.observed.chmpx.is_none()
        && case.observed.moving.iter().any(|(program, _)| *program == Program::Chmpx);
    // A file that chmpx has loaded once, or that is not before it, keeps it from nothing.
    let unproven = !case.verified && !case.loaded && case.observed.misplaced.is_none();
    if !comes || !case.ways.proven || !unproven {
        return None;
    }
    let away = memory.waited_for(Waiting::Helper, case.now);
    (away >= COMES_WITHIN).then(|| {
        let text = format!(
            "chmpx has not come with generation {} within {} s, although a helper starts it",
            case.fileversion,
            COMES_WITHIN.as_secs()
        );
        Next::RollBack(Back::Proven, text)
    })
}

/// A start that fails does so however late the agent comes to try it.
fn fails_to_start(case: &Case<'_>, memory: &Memory) -> Option<Next> {
    let (failures, last) = memory.failures(Program::Chmpx);
    let unproven = case.ways.proven && !case.verified && case.observed.chmpx.is_none();
    let last = last.filter(|_| unproven && failures >= FAILED_STARTS)?;
    let text = format!(
        "chmpx does not start with generation {}: it {}, {failures} times",
        case.fileversion,
        last.how.text()
    );
    Some(Next::RollBack(Back::Proven, text))
}

/// Whether a file may have ended it so.
pub(super) fn is_own_end(how: Ending) -> bool {
    use nix::sys::signal::Signal as S;
    match how {
        Ending::Exit(_) => true,
        Ending::Signal(signal) => {
            [S::SIGSEGV, S::SIGABRT, S::SIGFPE, S::SIGBUS, S::SIGILL].iter().any(|s| *s as i32 == signal)
        }
        Ending::Unknown => false,
    }
}

/// No answer is not a failure for a long time.
pub(super) fn answering(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let chmpx = case.observed.chmpx?;
    let silent = case.observed.silent.as_ref();
    // The time in which it waited for a name server does not count.
    let resolved = memory.resolving.last();
    let heard = |since: Instant| resolved.map_or(since, |at| at.max(since));
    let deaf = |since: Instant| case.now.saturating_duration_since(heard(since)) >= deaf_after(case);
    if let Some((_, text)) = silent.filter(|(since, _)| deaf(*since)) {
        let why = format!("chmpx (pid {}) has been silent too long: {text}", chmpx.id.pid);
        if fell_silent_of_the_file(case) {
            return Some(Next::RollBack(Back::Before, why));
        }
        return Some(cure(case, memory, known, Class::RestartChmpx, Urgency::Stuck, why));
    }
    if let Some(why) = unlisted::hangs(case, memory, heard(chmpx.since)) {
        return Some(cure(case, memory, known, Class::RestartChmpx, Urgency::Stuck, why));
    }
    let age = case.now.saturating_duration_since(heard(chmpx.since));
    if case.observed.said.is_none() && case.observed.shut && age >= LISTENS_WITHIN {
        let why = format!("chmpx (pid {}) has never listened on its control port", chmpx.id.pid);
        return Some(cure(case, memory, known, Class::RestartChmpx, Urgency::Stuck, why));
    }
    if let Some(text) = &case.observed.strange {
        memory.loud.push(format!("chmpx (pid {}) answers what is not understood: {text}", chmpx.id.pid));
    }
    // What it said before says nothing of the present.
    let owes = case.observed.said.is_none() || silent.is_some();
    if let Some(wait) = resolves(case, memory, "it does not answer").filter(|_| owes) {
        return Some(wait);
    }
    if case.observed.said.is_some() {
        return None;
    }
    let text = silent.map_or_else(|| "chmpx has not been asked yet".to_owned(), |(_, text)| text.clone());
    let comes = case.mode() == Mode::Server && case.observed.shut;
    let next =
        if comes { COMES_SOON.min(case.rules.between_questions) } else { case.rules.between_questions };
    Some(Next::Wait(format!("waiting for chmpx's first answer: {text}"), next))
}

/// chmpx is silent while it tries members that are down, one after the other.
fn deaf_after(case: &Case<'_>) -> Duration {
    let up = case.view().map_or(0, |view| view.servers.iter().filter(|row| row.status.is_up()).count());
    let tried = case.ring.servers.len().saturating_sub(up.max(1));
    case.rules.deaf_after + TRIES_ONE_FOR.saturating_mul(u32::try_from(tried).unwrap_or(u32::MAX))
}

/// Whether chmpx fell silent soon after the installation.
fn fell_silent_of_the_file(case: &Case<'_>) -> bool {
    let (Some(age), Some((since, _))) = (case.written, &case.observed.silent) else { return false };
    let spoke_for = age.saturating_sub(case.now.duration_since(*since));
    case.ways.before && spoke_for < case.rules.roll_back_within
}

/// Loaded means: chmpx reports this FILEVERSION, asked after the quiet time. What it swallowed or missed is written
/// again under the next number; what it still does not hear, by a chmpx that is started anew.
pub(super) fn loaded(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let said = case.observed.said.as_ref()?;
    if case.observed.misplaced.is_some() {
        // Held: chmpx has another file, which it may well have loaded.
        return None;
    }
    let quiet_until = memory.quiet_until(case.rules.quiet).filter(|until| said.at < *until);
    if let Some(until) = quiet_until {
        let left = until.saturating_duration_since(case.now);
        let wait = if left.is_zero() { case.rules.between_questions } else { left };
        return Some(Next::Wait(
            "the file was replaced a moment ago; chmpx is asked after it".to_owned(),
            wait,
        ));
    }
    if said.view.fileversion == Some(case.fileversion) {
        memory.rewrites = 0;
        return None;
    }
    if known.restart.as_ref().is_some_and(|restart| restart.urgency >= Urgency::Deaf) {
        return None;
    }
    let reported = said.view.fileversion.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let why = format!("chmpx reports generation {reported}, not {}", case.fileversion);
    if let Some(wait) = resolves(case, memory, &why) {
        return Some(wait);
    }
    if memory.rewrites < MOST_REWRITES {
        memory.rewriting = Some(Rewriting::Unheard);
        return Some(Next::Rewrite(why));
    }
    let why = format!("{why}, although it was written {MOST_REWRITES} times again");
    Some(cure(case, memory, known, Class::RestartChmpx, Urgency::Deaf, why))
}

/// Demands a restart that is no change's, a few times at most.
pub(super) fn cure(
    case: &Case<'_>,
    memory: &mut Memory,
    known: &mut Known,
    class: Class,
    urgency: Urgency,
    why: String,
) -> Next {
    if known.restart.as_ref().is_some_and(|restart| restart.urgency >= urgency) {
        return Next::Wait(why, case.rules.between_questions);
    }
    if let Some(wait) = resolves(case, memory, &why) {
        return wait;
    }
    if memory.cures >= MOST_CURES {
        return case.hold(format!("{why}; {MOST_CURES} restarts did not help"));
    }
    memory.cures += 1;
    known.demand(case, class, urgency, &why);
    Next::Wait(why, super::rules::SOON)
}
