//! Rows of what starts, and when.

use super::history::Waiting;
use super::rules::{ANSWERS_WITHIN, SOON};
use super::scene::{Draft, Scene, soon};
use super::words::{Reason, Start, Stop};
use super::{Action, quorum};
use crate::supervisor::neighbours::PeerKnowledge;
use crate::supervisor::{Program, Running, Step};

/// Holds where several processes of one program run with the same ini: the agent starts none beside another, and touches none.
pub(super) fn duplicate(scene: &Scene<'_>, program: Program) -> Action {
    let observed = scene.observed;
    let running = if program == Program::Chmpx { observed.chmpx } else { observed.k2hdkc };
    let surplus = observed.duplicates.iter().filter(|(of, _)| *of == program).map(|(_, pid)| *pid);
    let pids: Vec<_> = running.map(|running| running.id.pid).into_iter().chain(surplus).collect();
    let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    scene.hold(Start::Duplicate { program, pids })
}

/// Lets the program start at the next boot, as before the leave or stop. A failure keeps nothing waiting.
pub(super) fn enable(scene: &Scene<'_>, draft: &mut Draft, program: Program) -> Option<Action> {
    let history = &scene.history.enabling;
    if history.is_due(scene.now) {
        return Some(Action::Step(Step::Enable(program), Start::RunsAgain.into()));
    }
    let error = history.last_error().unwrap_or_default().to_owned();
    draft.report(Start::NotEnabled { program, error });
    None
}

/// Starts chmpx, once the others list this server.
pub(super) fn chmpx(scene: &Scene<'_>, draft: &mut Draft) -> Action {
    unlisted(scene, draft).unwrap_or_else(|| start(scene, Program::Chmpx, |last| Start::NotRunning { last }))
}

/// Waits until the server to which chmpx would connect lists this one: K2HR3 shows a newcomer to each server at its next poll,
/// and until then it turns the newcomer's chmpx away (C33). A server that does not answer lets nobody in, and keeps nobody
/// waiting, but for a second where none answers: where a ring boots they are about to.
fn unlisted(scene: &Scene<'_>, draft: &mut Draft) -> Option<Action> {
    let server = match scene.observed.peers.knowledge {
        PeerKnowledge::Unasked | PeerKnowledge::Listed => return None,
        _ if !scene.limits.wait_for_peers => return None,
        PeerKnowledge::Asking => return Some(soon(Start::NextServerLearns)),
        PeerKnowledge::Nobody if draft.waited(scene, Waiting::Answers) < ANSWERS_WITHIN => {
            return Some(soon(Start::NobodyAnswers));
        }
        PeerKnowledge::Nobody => return None,
        PeerKnowledge::Unknown(server) => server,
    };
    let waits = draft.waited(scene, Waiting::Listed) < scene.limits.timing.peers_within;
    Some(if waits { soon(Start::Unlisted(server)) } else { scene.hold(Start::NeverListed(server)) })
}

/// Starts k2hdkc at least a second after chmpx (started at once it makes joins stick), and only in sight of its peers: alone it
/// makes a ring of its own, and joins the others later without any merge. The chmpx has seen the end of the k2hdkc before it:
/// one that was started 0.1 s after that stuck at `[Doing]` (C28).
pub(super) fn k2hdkc(scene: &Scene<'_>, draft: &mut Draft, chmpx: Running) -> Option<Action> {
    let gaps = [
        (scene.now.duration_since(chmpx.since), Start::AfterChmpx),
        (scene.history.k2hdkc_gone_for(scene.now), Start::AfterK2hdkc),
    ];
    let gap = scene.limits.timing.start_gap;
    if let Some((age, reason)) = gaps.into_iter().find(|(age, _)| *age < gap) {
        return Some(Action::Wait(reason.into(), gap.saturating_sub(age).max(SOON)));
    }
    let view = scene.view()?;
    if scene.observed.control.silent.is_some() {
        return Some(scene.wait(Start::ChmpxIsSilent));
    }
    if !view.own.status.is_suspended() {
        return Some(scene.wait(Start::EndNotSeen));
    }
    Some(quorum::start(scene, draft, view))
}

/// Starts a program, after the pause that its latest end or failure asks for.
pub(super) fn start(
    scene: &Scene<'_>,
    program: Program,
    why: impl FnOnce(Option<String>) -> Start,
) -> Action {
    let said =
        |of: &[(Program, String)]| of.iter().find(|(p, _)| *p == program).map(|(_, text)| text.clone());
    if let Some(text) = said(&scene.observed.absence.cannot_start) {
        return scene.hold(Start::Blocked { program, text });
    }
    if let Some(text) = said(&scene.observed.absence.externally_managed) {
        return scene.wait(Start::ByItself(text));
    }
    let exits = scene.history.programs.of(program);
    let (failures, exit) = exits.failures();
    let refusals = exits.starts().attempts();
    let last = said(&scene.observed.absence.exit_details)
        .or_else(|| exits.starts().last_error().map(str::to_owned))
        .or_else(|| exit.map(|exit| format!("it {}", exit.how)));
    match exits.rests(scene.now) {
        // One end is an accident; a row of them is for the operator to look at.
        Some(rest) if failures > 2 => {
            Action::hold(Start::FailsToRun { program, times: failures, last }, rest)
        }
        Some(rest) if refusals > 2 => {
            Action::hold(Start::FailsToStart { program, times: refusals, last }, rest)
        }
        Some(rest) => Action::Wait(Start::Again { program, last }.into(), rest),
        None => Action::Step(Step::Start(program), why(last).into()),
    }
}

/// Removes what killed chmpx processes left: their successors move it out of their way, one file of the size of chmpx's shared
/// memory each time.
pub(super) fn tidy(scene: &Scene<'_>, leftovers: usize) -> Option<Action> {
    let reason = Reason::from(Stop::Leftovers(leftovers));
    (!scene.history.tidied_lately(scene.now)).then_some(Action::Step(Step::RemoveLeftovers, reason))
}
