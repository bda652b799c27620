//! The way out of the cluster, for a VM that will be destroyed: a server goes out of service first, so that the others answer
//! for its keys, then k2hdkc and chmpx stop for good, and only then is K2HR3 told; a slave has no keys, so K2HR3 is told
//! first, and programs on it are served till then.
//!
//! The merge in between moves no key to a server that stays (docs/facts.md D6, D10): a key lives on by its other copies, and
//! where there are none nobody leaves unless somebody insists.
//!
//! A stop for maintenance goes the same way as far as the end of its processes, and K2HR3 is not told: the node stays a member,
//! and is started again by somebody's word only.
//!
//! Each stage is kept in the ledger before anything is done for it, so that an agent that was killed goes on where it was.
//! As long as it may have to answer the node is one like every other: what ended is started again, since nobody else may
//! have them. From then on nothing is started any more.

use super::rules::{NUDGE_AGAIN, OUT_FOR, PENDING_WITHIN, SOON, STICKS_AFTER, STUCK_WITHIN, UNSEEN_WITHIN};
use super::{
    Case, Copies, Course, Known, Leaving, Memory, Next, Pair, Stage, Urgency, is_own, status_of, stopping,
};
use crate::ring::Mode;
use crate::supervisor::{Order, Program, Step};
use crate::view::{Action, NodeStatus, Operation, Row, View};

/// What comes next on the way out; `None` where the node goes on as every other, because it must serve before it can leave.
pub(super) fn chart(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let mut leaving = known.way_out()?.clone();
    let next = match leaving.stage {
        Stage::Draining if leaving.force => hasten(case, &mut leaving),
        Stage::Draining => drain(case, memory, known, &mut leaving)?,
        Stage::Stopping => out_of_sight(case, memory, &leaving)
            .or_else(|| stop(case, memory, &leaving))
            .unwrap_or_else(|| {
                leaving.stopped();
                Next::Wait(leaving.stage.text().to_owned(), SOON)
            }),
        Stage::Stopped => stopped(case),
        Stage::Removing | Stage::Left => Next::Wait(leaving.stage.text().to_owned(), case.rules.look),
    };
    known.set_way_out(leaving);
    Some(next)
}

/// The same of a stop where no file says who the node is: nothing is asked, and what runs ends.
pub fn unread(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Course {
    memory.notice(case);
    let next = chart(case, memory, known);
    Course {
        next: next.unwrap_or_else(|| case.hold("it waits for a file that says who it is".to_owned())),
        held: None,
    }
}

/// Whatever somebody starts by hand meanwhile is theirs. It is for somebody to look at: the others have a copy less.
fn stopped(case: &Case<'_>) -> Next {
    let runs = [(Program::Chmpx, case.observed.chmpx), (Program::K2hdkc, case.observed.k2hdkc)];
    let runs = runs.into_iter().find_map(|(program, running)| Some((program, running?.id.pid)));
    let text = "this node was told to stop: ".to_owned();
    case.hold(match runs {
        None => text + Stage::Stopped.text(),
        Some((program, pid)) => format!(
            "{text}{} (pid {pid}) was started by somebody else and is left alone; 'k2hdkc-agent start' takes it over",
            program.name()
        ),
    })
}

/// Why a server may not leave now without somebody's insisting: its keys would have nowhere to go, or could not go.
pub fn obstacle(case: &Case<'_>, known: &Known) -> Option<String> {
    if case.mode() == Mode::Slave {
        return None;
    }
    let Some(view) = case.view().filter(|_| case.observed.chmpx.is_some()) else {
        return Some(
            "chmpx does not run or has not answered yet, so the others cannot take over from it".to_owned(),
        );
    };
    let status = view.own.status;
    if case.observed.k2hdkc.is_none() || status.is_suspended() {
        return Some(format!("k2hdkc does not serve ({status}), so the others cannot take over from it"));
    }
    if status.is_in_service() { obstacle_of_others(case, view, &known.copies) } else { None }
}

fn obstacle_of_others(case: &Case<'_>, view: &View, copies: &Copies) -> Option<String> {
    let statuses: Vec<_> = case.peers().map(|node| (node, status_of(view, node))).collect();
    let serves = |status: NodeStatus| status.is_up() && status.is_in_service() && !status.is_suspended();
    if !statuses.iter().any(|(_, status)| status.is_some_and(serves)) {
        return Some("this is the last server in service, so its keys would have nowhere to go".to_owned());
    }
    if case.ring.replicas() == 0 {
        return Some(
            "REPLICA is 0, and the servers that stay copy nothing when one leaves: its keys would go with it. Copy them first, \
             or raise REPLICA"
                .to_owned(),
        );
    }
    if let Some(gone) = copies.missing(case.ring) {
        return Some(format!(
            "{gone} has gone, those that stayed copied nothing then, and this server may have the only other copy of its keys: \
             each of the others must leave the service and come back first (a changed key that takes a restart does it, or \
             SERVICEOUT and SERVICEIN on its control port)"
        ));
    }
    if !view.automerge || view.automerge_suspended {
        let remedy = "take it out of service by hand first (SERVICEOUT, MERGE, COMPMERGE)";
        return Some(format!("AUTOMERGE is off: {remedy}"));
    }
    let (node, status) = statuses.into_iter().find(|(_, status)| !status.is_some_and(NodeStatus::is_up))?;
    let is = status.map_or_else(|| "not listed".to_owned(), |status| status.to_string());
    Some(format!(
        "{} must be well again first, or be removed from its role in K2HR3 ({is}): it may have the only other copy of keys",
        node.label()
    ))
}

/// What a leave takes out of sight, where each key is not on every server: those that stay copy nothing, and so chmpx asks
/// some of them for keys that only others have (docs/facts.md D10).
pub fn price(case: &Case<'_>) -> Option<String> {
    let view = case.view().filter(|view| case.mode() == Mode::Server && view.own.status.is_in_service())?;
    let serve = view.servers.iter().filter(|row| row.status.is_up() && row.status.is_in_service()).count();
    let copies = usize::try_from(case.ring.replicas()).unwrap_or(usize::MAX).saturating_add(1);
    (copies < serve).then(|| {
        format!(
            "each key is on {copies} of {serve} servers, and those that stay copy nothing in the merge: of the keys that were \
             written to all {serve}, about {copies} in {serve} will be found afterwards, the others once each server has \
             left the service and come back"
        )
    })
}

/// Out of service, and then one moment more, in which what was under way is answered.
fn drain(case: &Case<'_>, memory: &mut Memory, known: &mut Known, leaving: &mut Leaving) -> Option<Next> {
    let (chmpx, view) = (case.observed.chmpx?, case.view()?);
    let status = view.own.status;
    // Without a k2hdkc that serves, no merge moves any key; and one that nobody sees is not moved.
    if case.observed.unseen.is_some() || case.observed.k2hdkc.is_none() || status.is_suspended() {
        return None;
    }
    if status.action() == Action::Delete {
        return Some(moving(case, memory, known, view, leaving));
    }
    if is_out(case, known, status) {
        return Some(settle(case, memory, view, leaving));
    }
    // A restart that is no change's has its reason, which keeps the keys as well.
    if !status.is_healthy() || known.restart.as_ref().is_some_and(|restart| restart.urgency > Urgency::Change)
    {
        return None;
    }
    let wait = |text: &str| Some(Next::Wait(text.to_owned(), case.rules.between_questions));
    if let Some(text) = obstacle(case, known) {
        return Some(case.hold(leaving.insisted(&text)));
    }
    if view.servers.iter().any(|row| row.status.operation() != Operation::Nothing) {
        return wait("it leaves when the other servers have merged");
    }
    let why = format!("{}: first the others answer for its keys", leaving.why());
    known.drained = Some(chmpx.id);
    let stuck =
        || Next::Hold(leaving.insisted("chmpx does not take this server out of service"), NUDGE_AGAIN);
    Some(memory.nudge(Order::ServiceOut, case.now, &why).unwrap_or_else(stuck))
}

/// Out by the agent's order, or by somebody's hand after it had served; a server that has not come into service yet, or
/// sticks on the way there, looks the same, and has all its keys still.
fn is_out(case: &Case<'_>, known: &Known, status: NodeStatus) -> bool {
    let (chmpx, k2hdkc) = (case.observed.chmpx, case.observed.k2hdkc);
    let pair = chmpx.zip(k2hdkc).map(|(chmpx, k2hdkc)| Pair { chmpx: chmpx.id, k2hdkc: k2hdkc.id });
    let served = pair.is_some() && known.served == pair;
    // It was there for the merge.
    let gave = pair.is_some() && !status.is_suspended();
    gave && !status.is_in_service()
        && status.operation() == Operation::Nothing
        && (known.has_drained(case) || served)
}

fn settle(case: &Case<'_>, memory: &Memory, view: &View, leaving: &mut Leaving) -> Next {
    let merges = |row: &&Row| !is_own(row, view) && row.status.operation() != Operation::Nothing;
    if let Some(row) = view.servers.iter().find(merges) {
        let text = format!("it is out of service; {} still merges ({})", super::label(row), row.status);
        return Next::Wait(text, case.rules.between_questions);
    }
    if memory.in_status_for(case.now) < OUT_FOR {
        return Next::Wait(
            "it is out of service, and stops in a moment".to_owned(),
            case.rules.between_questions,
        );
    }
    leaving.stage = Stage::Stopping;
    Next::Wait(leaving.stage.text().to_owned(), SOON)
}

/// The merge in which the others take over. Where it sticks, the pair ends in the middle of it: those that stay copy nothing
/// (docs/facts.md D10), so that its keys are as safe as after a whole one, and what the ring has half done then is ended by
/// those that stay (see [`super::departed`]).
fn moving(case: &Case<'_>, memory: &mut Memory, known: &Known, view: &View, leaving: &mut Leaving) -> Next {
    let status = view.own.status;
    let for_now = memory.in_status_for(case.now);
    let other_copies = |row: &Row| !is_own(row, view) && row.status.operation() == Operation::Doing;
    let others_copy = view.servers.iter().any(other_copies);
    if let Some(sticks) = memory.merge_sticks(case).filter(|_| !others_copy) {
        let text = format!("the merge without this server sticks at {status}: {sticks}");
        // It serves until then, and perhaps it alone by now.
        if let Some(obstacle) = obstacle(case, known) {
            return case.hold(leaving.insisted(&format!("{text}; {obstacle}")));
        }
        leaving.stage = Stage::Stopping;
        return Next::Wait(format!("{text}; it stops in the middle of it"), SOON);
    }
    let order = match status.operation() {
        Operation::Done if for_now >= STICKS_AFTER => Some(Order::UpdateStatus),
        Operation::Pending if for_now >= PENDING_WITHIN && !others_copy => Some(Order::Merge),
        _ => None,
    };
    let why = format!("its leave sticks at {status}");
    let nudged = order.and_then(|order| memory.nudge(order, case.now, &why));
    nudged.unwrap_or_else(|| {
        Next::Wait(format!("the ring merges without it ({status})"), case.rules.between_questions)
    })
}

/// The others are told, and nothing is waited for.
fn hasten(case: &Case<'_>, leaving: &mut Leaving) -> Next {
    leaving.stage = Stage::Stopping;
    let serves =
        |view: &&View| view.own.status.is_in_service() && view.own.status.action() == Action::Nothing;
    match case.view().filter(serves).filter(|_| case.observed.chmpx.is_some()) {
        Some(_) => Next::Step(Step::Tell(Order::ServiceOut), format!("{} at once", leaving.why())),
        None => Next::Wait(leaving.stage.text().to_owned(), SOON),
    }
}

/// What is not seen is not taken for stopped, unless somebody insists and it lasts.
fn out_of_sight(case: &Case<'_>, memory: &Memory, leaving: &Leaving) -> Option<Next> {
    let why = case.observed.unseen.as_ref()?;
    if leaving.force && memory.unseen_for(case.now) >= UNSEEN_WITHIN {
        return None;
    }
    Some(Next::Hold(
        format!("it stops once its processes are seen again: {why}"),
        case.rules.between_questions,
    ))
}

/// Both, for good; `None` once nothing runs.
fn stop(case: &Case<'_>, memory: &mut Memory, leaving: &Leaving) -> Option<Next> {
    // Somebody insists, and nobody can be stopped.
    if case.observed.unseen.is_some() {
        return None;
    }
    let why = leaving.why();
    if case.mode() == Mode::Server {
        if let Some(next) = memory.retire(Program::K2hdkc, case.now, why) {
            return Some(next);
        }
        if let Some(k2hdkc) = case.observed.k2hdkc {
            return Some(stopping::stop_k2hdkc(case, memory, k2hdkc, why));
        }
        if let Some(next) = stopping::gap(case, memory).filter(|_| case.observed.chmpx.is_some()) {
            return Some(next);
        }
    }
    if let Some(next) = memory.retire(Program::Chmpx, case.now, why) {
        return Some(next);
    }
    // One that hangs in a merge hears no HUP (docs/facts.md C17).
    let hangs = case.view().is_some_and(|view| view.own.status.operation() == Operation::Doing);
    let within = if hangs { STUCK_WITHIN.min(case.rules.stop_within) } else { case.rules.stop_within };
    Some(stopping::stop_chmpx(case, memory, case.observed.chmpx?, within, why))
}
