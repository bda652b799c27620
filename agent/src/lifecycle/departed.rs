//! A server that went down in the middle of a change stays in everybody's list as `[DELETE][Pending]` or `[DELETE][Done]`, and
//! keeps everybody else from joining and leaving, as long as nobody completes the change: the one that would have is gone
//! (docs/facts.md C32). COMPMERGE at any of the others ends it.
//!
//! The first of those in service does it, by the order of the file, which is the same everywhere; the next ones do it where
//! the first does not. Given twice it does nothing more. A server that still copies is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::memory::Waiting;
use super::rules::{DEPARTED_FOR, NUDGE_AGAIN, SILENT_CHANGE, STALLED};
use super::{Case, Known, Memory, Next, is_own, is_row_of, label};
use crate::clock::spoken;
use crate::ring::Mode;
use crate::supervisor::{Named, Order};
use crate::view::{Action, NodeStatus, Operation, Row, View};

/// The changes of other servers, by their ids: what and since when.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes(BTreeMap<u64, (NodeStatus, Instant)>);

impl Changes {
    /// Takes what chmpx says now.
    pub(super) fn notice(&mut self, case: &Case<'_>) {
        let Some(view) = case.view() else { return };
        let changes = view.servers.iter().filter(|row| row.status.operation() != Operation::Nothing);
        let past = std::mem::take(&mut self.0);
        let now = |row: &Row| {
            let id = row.chmpxid?;
            let same = past.get(&id).filter(|(status, _)| *status == row.status).copied();
            Some((id, same.unwrap_or((row.status, case.now))))
        };
        self.0 = changes.filter_map(now).collect();
    }

    /// How long the server of that row has been in its change.
    fn time_of(&self, row: &Row, now: Instant) -> Duration {
        let since = row.chmpxid.and_then(|id| self.0.get(&id));
        since.map_or(Duration::ZERO, |(_, since)| now.duration_since(*since))
    }
}

/// See the module.
pub(super) fn departed(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let view = case.view().filter(|view| case.mode() == Mode::Server && view.own.status.is_up())?;
    let (row, order) = left_behind(case, view)?;
    if view.servers.iter().any(|row| row.status.is_up() && row.status.operation() == Operation::Doing) {
        return None;
    }
    let text = format!("{} went down in the middle of a change ({})", label(row), row.status);
    if !view.automerge || view.automerge_suspended {
        memory
            .loud
            .push(format!("{text}, and AUTOMERGE is off: COMPMERGE on one server's control port ends it"));
        return None;
    }
    let waited = memory.waited_for(Waiting::Departed, case.now);
    let due = DEPARTED_FOR + NUDGE_AGAIN.saturating_mul(turn(case, view));
    if waited < due {
        return Some(Next::Wait(text, case.rules.between_questions));
    }
    let why = format!("{text}, and nobody has ended that since");
    match memory.nudge(order, case.now, &why) {
        Some(next @ Next::Step(..)) => Some(next),
        // It takes a moment to come round.
        Some(next) if waited < due + SILENT_CHANGE => Some(next),
        _ => Some(case.hold(format!(
            "{why}, although it was told to for {}: restart that server, or chmpx and k2hdkc of one server after the other",
            spoken(waited.saturating_sub(due))
        ))),
    }
}

/// The server that is left behind, and what ends that: the change is completed without it, or it is taken out of service
/// first, where it had begun nothing and is no member any more.
fn left_behind<'a>(case: &Case<'_>, view: &'a View) -> Option<(&'a Row, Order)> {
    let gone = |row: &&Row| !row.status.is_up() && row.status.is_in_service() && !is_own(row, view);
    let mut rows = view.servers.iter().filter(gone);
    // With one that waits to copy it is a merge that nobody has started: completed, it would pass that one over.
    let waits = |row: &Row| row.status.is_up() && row.status.operation() == Operation::Pending;
    let unstarted = view.servers.iter().any(waits)
        && view.servers.iter().all(|row| row.status.operation() != Operation::Done);
    rows.find_map(|row| match row.status.action() {
        Action::Delete if unstarted => Some((row, Order::Merge)),
        Action::Delete => Some((row, Order::CompMerge)),
        Action::Add => None,
        Action::Nothing => {
            let listed = case.ring.servers.iter().any(|node| is_row_of(row, node));
            let named = named(case, row).filter(|_| !listed)?;
            Some((row, Order::Dismiss(named)))
        }
    })
}

/// As SERVICEOUT names it.
fn named(case: &Case<'_>, row: &Row) -> Option<Named> {
    let id = match case.ring.global("CHMPXIDTYPE").to_ascii_uppercase().as_str() {
        "CUSTOM" => &row.seed,
        // They have colons in them, and SERVICEOUT cannot say those.
        "CTLENDPOINTS" | "CTLEPS" => return None,
        _ => &row.cuk,
    };
    Some(Named { host: row.name.clone(), ctlport: row.ctlport?, id: id.clone() })
}

/// How many others come first: those in service, in the order of the file; then the rest.
fn turn(case: &Case<'_>, view: &View) -> u32 {
    let serves = |row: &Row| row.status.is_up() && row.status.is_in_service() && !row.status.is_suspended();
    let own = case.own();
    let row_of = |node| view.servers.iter().find(|row| is_row_of(row, node));
    let in_service = case.ring.servers.iter().filter(|node| row_of(node).is_some_and(serves));
    let mine = serves(&view.own);
    let before =
        in_service.take_while(|node| !mine || own.is_none_or(|own| !std::ptr::eq(*node, own))).count();
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    if mine { before } else { before.saturating_add(case.rank()) }
}

/// A change of another server that does not go on although that server is up is its own agent's to end: where that has not,
/// somebody must look there.
pub(super) fn others(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let view = case.view().filter(|_| case.mode() == Mode::Server)?;
    let rows = view.servers.iter().filter(|row| !is_own(row, view) && row.status.is_up());
    for row in rows.filter(|row| row.status.operation() != Operation::Nothing) {
        let time = memory.changes.time_of(row, case.now);
        let copies = row.status.operation() == Operation::Doing;
        if time >= if copies { case.rules.merge_within } else { STALLED } {
            memory.loud.push(format!(
                "{} has been {} for {}: look at that server ('k2hdkc-agent status' there), and start its agent where it \
                 does not run",
                label(row),
                row.status,
                spoken(time)
            ));
        }
    }
    None
}
