//! What must start, and when it may.

use super::gate::{self, Gate};
use super::memory::Waiting;
use super::resolving::resolves;
use super::rules::{NUDGE_AGAIN, SOON, TIDY_AGAIN};
use super::{Case, Known, Memory, Next, Urgency, unlisted};
use crate::plan::Class;
use crate::ring::Mode;
use crate::supervisor::{Program, Rival, Step};

/// Two processes with one ini destroy each other's shared memory. The agent starts none beside another; where somebody
/// else did, it touches neither.
pub(super) fn alone(case: &Case<'_>, _: &mut Memory, _: &mut Known) -> Option<Next> {
    let (program, _) = case.observed.surplus.first()?;
    let running = if *program == Program::Chmpx { case.observed.chmpx } else { case.observed.k2hdkc };
    let pids = running.map(|running| running.id.pid).into_iter();
    let pids = pids.chain(case.observed.surplus.iter().filter(|(p, _)| p == program).map(|(_, pid)| *pid));
    let pids: Vec<_> = pids.map(|pid| pid.to_string()).collect();
    let name = program.name();
    Some(case.hold(format!(
        "several {name} run with this ini (pids {}): stop all but one, and k2hdkc with its chmpx",
        pids.join(", ")
    )))
}

pub(super) fn chmpx(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    if case.observed.chmpx.is_some() {
        return None;
    }
    if let Some(next) = unlisted::waits(case, memory) {
        return Some(next);
    }
    Some(start(Program::Chmpx, case, memory, "it does not run"))
}

/// chmpx moves what its killed predecessor left out of its way, one file of the size of its shared memory each time.
pub(super) fn tidy(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let recent = memory.tidied.is_some_and(|at| case.now.duration_since(at) < TIDY_AGAIN);
    let due = case.observed.said.is_some() && case.observed.leftovers > 0 && !recent;
    if due {
        memory.tidied = Some(case.now);
    }
    let text = format!("{} files of killed chmpx processes", case.observed.leftovers);
    due.then_some(Next::Step(Step::Tidy, text))
}

/// k2hdkc comes at least a second after chmpx (started at once it makes joins stick), and only in sight of its peers:
/// alone it makes a ring of its own, and joins the others later without any merge. Nor does it start before chmpx has
/// seen the end of the one before it: started 0.1 s after that, its merge stuck at `[Doing]`.
pub(super) fn k2hdkc(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    if case.mode() == Mode::Slave || case.observed.k2hdkc.is_some() {
        return None;
    }
    let chmpx = case.observed.chmpx?;
    let age = case.now.duration_since(chmpx.since);
    if age < case.rules.start_gap {
        let text = "k2hdkc starts a moment after its chmpx".to_owned();
        return Some(Next::Wait(text, case.rules.start_gap.saturating_sub(age).max(SOON)));
    }
    let gone = memory.k2hdkc_gone_for(case.now);
    if gone < case.rules.start_gap {
        let text = "k2hdkc starts a moment after the end of the one before it".to_owned();
        return Some(Next::Wait(text, case.rules.start_gap.saturating_sub(gone).max(SOON)));
    }
    let view = case.view()?;
    if case.observed.silent.is_some() {
        let text = "k2hdkc starts when chmpx answers again".to_owned();
        return Some(Next::Wait(text, case.rules.between_questions));
    }
    if !view.own.status.is_suspended() {
        let text = "k2hdkc starts when chmpx has seen the end of the one before it".to_owned();
        return Some(Next::Wait(text, case.rules.between_questions));
    }
    match gate::gate(case, view, memory) {
        Gate::Open(why) => {
            let next = start(Program::K2hdkc, case, memory, &why);
            if matches!(next, Next::Step(..)) {
                memory.waited_enough(Waiting::Peers);
                memory.looked_anew = 0;
                memory.begins(case.now);
            }
            Some(next)
        }
        Gate::Shut(why) => Some(Next::Wait(why, case.rules.between_questions)),
        Gate::Scattered(why) => {
            if let Some(wait) = resolves(case, memory, &why) {
                return Some(wait);
            }
            known.demand(case, Class::RestartChmpx, Urgency::Stuck, &why);
            Some(Next::Wait(why, SOON))
        }
        Gate::Lonely(why) => Some(case.hold(why)),
    }
}

/// Two programs that write the same file are one too many: upstream's writes in place, and ends chmpx.
pub(super) fn rival(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let Rival { of, text, remedy } = case.observed.rival.as_ref()?;
    memory.take_over.meets(of);
    if case.rules.take_over && !memory.take_over.rests(case.now) {
        return Some(Next::Step(Step::TakeOver, text.clone()));
    }
    let failure = memory.take_over.failure().filter(|_| case.rules.take_over);
    memory.loud.push(match failure {
        Some(why) => format!("{text}; the agent could not end that ({why}), and tries it again: {remedy}"),
        None => format!("{text}; {remedy}, or set supervisor.take-over = true"),
    });
    None
}

/// A node that stays, or comes back, is to boot as it did before its leave or stop. A failure keeps nothing waiting.
pub(super) fn enable(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let program = *known.disabled.first()?;
    if let Some((at, why)) = &memory.not_enabled
        && case.now.duration_since(*at) < NUDGE_AGAIN
    {
        memory.loud.push(format!("{} does not start at the next boot: {why}", program.name()));
        return None;
    }
    Some(Next::Step(Step::Enable(program), "it is to run here again".to_owned()))
}

fn start(program: Program, case: &Case<'_>, memory: &Memory, why: &str) -> Next {
    let said =
        |of: &[(Program, String)]| of.iter().find(|(p, _)| *p == program).map(|(_, text)| text.clone());
    if let Some(text) = said(&case.observed.blocked) {
        return case.hold(format!("{} cannot be started: {text}", program.name()));
    }
    if let Some(text) = said(&case.observed.moving) {
        return Next::Wait(text, case.rules.between_questions);
    }
    let ((failures, last), refusals) = (memory.failures(program), memory.refusals(program));
    let told = said(&case.observed.last_words).or_else(|| memory.refusal(program));
    let last = told.or_else(|| last.map(|last| format!("it {}", last.how.text())));
    let last = last.map_or_else(String::new, |text| format!("; {text}"));
    match memory.rests(program, case.now) {
        // One end is an accident; a row of them is for somebody to look at.
        Some(rest) if failures > 2 => {
            let text = format!("{} has failed to run {failures} times in a row{last}", program.name());
            Next::Hold(text, rest)
        }
        Some(rest) if refusals > 2 => {
            let text = format!("{} could not be started {refusals} times in a row{last}", program.name());
            Next::Hold(text, rest)
        }
        Some(rest) => Next::Wait(format!("{} is started again in a moment{last}", program.name()), rest),
        None => Next::Step(Step::Start(program), format!("{why}{last}")),
    }
}
