//! Where this node stands in its ring: joined, in service, and listing the servers that the file lists. AUTOMERGE does
//! the joining; it sticks now and then, and then it is nudged.

use super::memory::{Rewriting, Waiting};
use super::prompts::Due;
use super::resolving::resolves;
use super::rules::{DONE_STICKS_AFTER, PENDING_WITHIN, STICKS_AFTER};
use super::trial::cure;
use super::{Case, Known, Memory, Next, Pair, Urgency, drain, is_row_of, label, lonely};
use crate::clock::spoken;
use crate::plan::Class;
use crate::ring::Mode;
use crate::supervisor::{Order, Step};
use crate::view::{NodeStatus, Operation, Row, View};

/// This node's own status: 0x21 on a server, up on a slave.
pub(super) fn own(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Option<Next> {
    let view = case.view()?;
    let status = view.own.status;
    let wait = |text: String| Some(Next::Wait(text, case.rules.between_questions));
    if case.mode() == Mode::Slave {
        memory.cures = if status.is_up() { 0 } else { memory.cures };
        if !status.is_up() {
            return wait(format!("this slave is {status}"));
        }
        return alone(case, memory, view).or_else(|| refused(case, memory, view));
    }
    let (chmpx, k2hdkc) = (case.observed.chmpx?, case.observed.k2hdkc?);
    let pair = Pair { chmpx: chmpx.id, k2hdkc: k2hdkc.id };
    if status.is_healthy() {
        // An answer from before this k2hdkc says nothing of it.
        let current = case.observed.said.as_ref().is_some_and(|said| said.at > k2hdkc.since);
        if !current {
            return wait("chmpx is asked again, since k2hdkc has just started".to_owned());
        }
        memory.cures = 0;
        if lonely::met(case, memory, known, pair, view) {
            known.served = Some(pair);
        }
        known.drained = known.drained.filter(|_| known.restart.is_some());
        known.out_by_hand = None;
        return let_in(case, memory, view);
    }
    if memory.at_stake.is_some() {
        return wait(format!("this server is {status}, and no merge is nudged"));
    }
    if status.is_suspended() {
        return not_joined(case, memory, known, status);
    }
    if !view.automerge || view.automerge_suspended {
        return wait(format!("this server is {status}, and AUTOMERGE is off: merging is done by hand"));
    }
    match status.operation() {
        Operation::Done => {
            let why = format!("its join sticks at {status}");
            let copies = view.servers.iter().any(|row| row.status.operation() == Operation::Doing);
            let patience = if copies { STICKS_AFTER } else { DONE_STICKS_AFTER };
            if memory.in_status_for(case.now) < patience {
                return wait(format!("this server is {status}"));
            }
            memory
                .nudge(Order::UpdateStatus, case.now, &why)
                .or_else(|| Some(merging(case, memory, known, status)))
        }
        Operation::Doing => Some(merging(case, memory, known, status)),
        Operation::Pending => Some(queueing(case, memory, view)),
        Operation::Nothing => out_of_service(case, memory, known, pair, view),
    }
}

/// A slave that sees no server serves no program.
fn alone(case: &Case<'_>, memory: &mut Memory, view: &View) -> Option<Next> {
    if view.servers.iter().any(|row| row.status.is_in_service() && row.status.is_up()) {
        memory.waited_enough(Waiting::Anybody);
        return None;
    }
    let servers = view.servers.len();
    let text = format!("this slave is connected to no server that is in service ({servers} are listed)");
    let waited = memory.waited_for(Waiting::Anybody, case.now);
    Some(if waited < case.rules.peers_within {
        Next::Wait(text, case.rules.between_questions)
    } else {
        case.hold(format!(
            "{text}: look at the status of the servers, and at what is between them and this host"
        ))
    })
}

/// A server that this slave sees in service and yet down has turned it away: chmpx tries again only where it sees no
/// server at all, or when that server speaks (C30). So it is told to speak. A server that has ended is out of service to
/// everybody with AUTOMERGE; without, it is seen in the same way until somebody takes it out, and nobody need look at the slave.
fn refused(case: &Case<'_>, memory: &mut Memory, view: &View) -> Option<Next> {
    let away: Vec<_> =
        view.servers.iter().filter(|row| row.status.is_in_service() && !row.status.is_up()).collect();
    let lost: Vec<_> = away.iter().filter_map(|row| case.control_address(row)).collect();
    memory.prompts.keep(&lost);
    let dues: Vec<_> = lost.iter().map(|server| (*server, memory.prompts.peek(*server, case.now))).collect();
    let names = away.iter().map(|row| label(row)).collect::<Vec<_>>().join(", ");
    let text = format!("this slave has no connection to {names}, which is in service");
    if let Some((server, _)) = dues.iter().find(|(_, due)| *due == Due::Now) {
        memory.prompts.told(*server, case.now);
        return Some(Next::Step(
            Step::Prompt(*server),
            format!("{text}; it tries again when it hears that server"),
        ));
    }
    if away.is_empty() {
        return None;
    }
    let in_vain = dues.iter().any(|(_, due)| *due == Due::InVain);
    if !in_vain && !lost.is_empty() {
        return Some(Next::Wait(text, case.rules.between_questions));
    }
    if !view.automerge || view.automerge_suspended {
        return None;
    }
    let refused = case.observed.unprompted.as_ref().map_or_else(String::new, |why| format!("; {why}"));
    let tried = if in_vain {
        format!("UPDATESTATUS at its control port has not helped{refused}")
    } else {
        "the file has no address for it, so that the agent does not reach it: tell its control port UPDATESTATUS"
            .to_owned()
    };
    Some(case.hold(format!(
        "{text}, and {tried}; see whether it runs, whether its file lists this slave, and whether this host reaches its \
         ports; if it is gone, take it out of its role in K2HR3"
    )))
}

/// Slaves that came before this server had loaded the file which lists them were turned away, and try again only when
/// they hear its status. A ring that merges is left alone: it speaks by itself.
fn let_in(case: &Case<'_>, memory: &mut Memory, view: &View) -> Option<Next> {
    let calm = view.servers.iter().all(|row| row.status.operation() == Operation::Nothing);
    let others = view.servers.iter().filter(|row| row.status.is_up()).count() > 1;
    let told = calm && others && !case.ring.slaves.is_empty() && memory.speaks_up(case.now);
    let why = "slaves that were turned away before this file was loaded try again";
    told.then(|| Next::Step(Step::Tell(Order::UpdateStatus), why.to_owned()))
}

fn not_joined(case: &Case<'_>, memory: &mut Memory, known: &mut Known, status: NodeStatus) -> Option<Next> {
    let age = case.now.duration_since(case.observed.k2hdkc?.since);
    if age < case.rules.join_within {
        return Some(Next::Wait(
            format!("k2hdkc is joining its chmpx ({status})"),
            case.rules.between_questions,
        ));
    }
    let why = format!("k2hdkc has not joined its chmpx ({status})");
    Some(cure(case, memory, known, Class::RestartK2hdkc, Urgency::Stuck, why))
}

/// A merge takes as long as the copy; without end it is the stuck one that only a kill ends.
fn merging(case: &Case<'_>, memory: &mut Memory, known: &mut Known, status: NodeStatus) -> Next {
    let Some(sticks) = memory.merge_sticks(case) else {
        let takes = memory.in_status_for(case.now);
        if takes >= case.rules.merge_within {
            let text = format!(
                "the ring has been merging for more than {} ({status})",
                spoken(case.rules.merge_within)
            );
            return case.hold(format!("{text}; k2hdkc works on it, and it is left alone"));
        }
        return Next::Wait(format!("the ring is merging ({status})"), case.rules.between_questions);
    };
    let why = format!("a merge sticks at {status}: {sticks}");
    cure(case, memory, known, Class::RestartChmpx, Urgency::Stuck, why)
}

/// Joins queue while another server merges. One that waits although nobody does is not let in: chmpx compares the
/// servers' lists of names, and they differ.
fn queueing(case: &Case<'_>, memory: &mut Memory, view: &View) -> Next {
    let status = view.own.status;
    let merges = |row: &&Row| matches!(row.status.operation(), Operation::Doing | Operation::Done);
    let another = view.servers.iter().find(merges);
    if another.is_some() || memory.in_status_for(case.now) < PENDING_WITHIN {
        return Next::Wait(format!("this server is {status}"), case.rules.between_questions);
    }
    let why = format!("this server stays {status}, and nobody merges");
    if let Some(next @ Next::Step(..)) = memory.nudge(Order::Merge, case.now, &why) {
        return next;
    }
    case.hold(format!(
        "this server stays {status}: do all servers call each other by CUSTOM_ID_SEED or by address, first in /etc/hosts \
         or in DNS?"
    ))
}

/// Joined, and not in the ring: stuck after a start, or taken out by somebody. Only the first is nudged.
fn out_of_service(
    case: &Case<'_>,
    memory: &mut Memory,
    known: &mut Known,
    pair: Pair,
    view: &View,
) -> Option<Next> {
    let status = view.own.status;
    if drain::brings_back(case, known) {
        return Some(drain::bring_back(case, memory));
    }
    let ours = known.started == Some(pair.k2hdkc);
    // Another k2hdkc on the same chmpx changes nothing in what somebody wanted.
    let by_hand = known.out_by_hand == Some(pair.chmpx);
    if known.served == Some(pair) || !ours || by_hand {
        known.out_by_hand = Some(pair.chmpx);
        let text = format!(
            "this server is {status}: somebody took it out of service; SERVICEIN on its control port brings it back"
        );
        return Some(case.hold(text));
    }
    if memory.in_status_for(case.now) < STICKS_AFTER {
        return Some(Next::Wait(format!("this server is {status}"), case.rules.between_questions));
    }
    let why = format!("its join sticks at {status}");
    memory.nudge(Order::ServiceIn, case.now, &why).or(Some(case.hold(why)))
}

/// chmpx lists the servers of the file. One that has left the file stays listed while it is up; one that was taken out
/// of service before it went stays until the next FILEVERSION.
pub(super) fn peers(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let view = case.view().filter(|_| case.observed.misplaced.is_none())?;
    let missing = case.ring.servers.iter().find(|node| !view.servers.iter().any(|row| is_row_of(row, node)));
    if let Some(node) = missing {
        return Some(again(case, memory, format!("chmpx does not list {}", node.label())));
    }
    let extra = view.servers.iter().find(|row| !case.ring.servers.iter().any(|node| is_row_of(row, node)));
    let Some(row) = extra else {
        memory.waited_enough(Waiting::Rows);
        memory.relisted = 0;
        return None;
    };
    if row.status.is_up() || row.status.is_in_service() {
        let text = format!("chmpx lists {} until that server ends ({})", label(row), row.status);
        return Some(Next::Wait(text, case.rules.look));
    }
    Some(again(case, memory, format!("chmpx still lists {}, which is gone", label(row))))
}

/// Writes the ring again, once in a while and not for ever.
fn again(case: &Case<'_>, memory: &mut Memory, why: String) -> Next {
    if let Some(wait) = resolves(case, memory, &why) {
        return wait;
    }
    let waited = memory.waited_for(Waiting::Rows, case.now);
    if waited < STICKS_AFTER {
        return Next::Wait(why, case.rules.between_questions);
    }
    memory.waited_enough(Waiting::Rows);
    if memory.relisted >= super::rules::MOST_RELISTS {
        return case.hold(why);
    }
    memory.rewriting = Some(Rewriting::Relist);
    Next::Rewrite(why)
}
