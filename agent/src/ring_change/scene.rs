//! One look, sorted: the roles by the own chmpx's list, and the servers' own views of themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::{Inputs, List, Node, Process, ServerId};
use crate::chmpx_state::{Action, NodeStatus, Operation};
use crate::settings::Merge;

/// One look, sorted.
pub(super) struct Scene<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) limits: &'a Merge,
    /// Roles by the own chmpx's list.
    pub(super) seen: Roles,
    /// Own views of all servers of the ring; `None` while some were not asked in this look.
    pub(super) views: Option<Views>,
}

/// The servers of a ring by their part in its change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Roles {
    pub(super) statuses: BTreeMap<ServerId, NodeStatus>,
    pub(super) stayers: Vec<ServerId>,
    pub(super) joiners: Vec<ServerId>,
    pub(super) leavers: Vec<ServerId>,
}

/// Own views of the servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Views {
    /// Roles by the servers that answered.
    pub(super) roles: Roles,
    /// Servers that did not answer, although they were asked twice.
    pub(super) unknown: Vec<ServerId>,
    /// Servers about which the lists of those that answered differ.
    pub(super) disputed: Vec<ServerId>,
}

/// Returns true for `[Doing]` and `[Done]`.
pub(super) fn is_merging(status: NodeStatus) -> bool {
    matches!(status.operation(), Operation::Doing | Operation::Done)
}

/// Returns true for `[Pending]`.
pub(super) fn is_pending(status: NodeStatus) -> bool {
    status.operation() == Operation::Pending
}

/// Returns true for a server that was taken out of the ring after its death.
pub(super) fn is_dismissed(status: NodeStatus) -> bool {
    status.action() == Action::Delete && !status.is_up()
}

/// Returns true for a server with which a change is over: calm, or taken out of the ring after its death.
pub(super) fn is_settled(status: NodeStatus) -> bool {
    status.is_calm() || is_dismissed(status)
}

impl Roles {
    /// Sorts the servers.
    pub(super) fn of(statuses: BTreeMap<ServerId, NodeStatus>) -> Self {
        let mut roles = Self { statuses, ..Self::default() };
        for (id, status) in &roles.statuses {
            match status.action() {
                Action::Add => roles.joiners.push(id.clone()),
                Action::Delete if status.is_in_service() => roles.leavers.push(id.clone()),
                Action::Nothing if status.is_in_service() => roles.stayers.push(id.clone()),
                Action::Delete | Action::Nothing => {}
            }
        }
        roles
    }

    /// Sorts the servers of a list.
    pub(super) fn of_list(list: &List) -> Self {
        Self::of(list.iter().map(|(id, entry)| (id.clone(), entry.status)).collect())
    }

    /// Returns true where somebody is announced to join or to leave.
    pub(super) fn is_announced(&self) -> bool {
        !self.joiners.is_empty() || !self.leavers.is_empty()
    }

    /// Returns the servers that copy: all where one joins or leaves, else those that have come back.
    pub(super) fn ring(&self) -> Vec<ServerId> {
        let all = self.stayers.iter().chain(&self.joiners).chain(&self.leavers);
        if self.is_announced() { all.cloned().collect() } else { self.returners() }
    }

    /// Returns the servers that have come back: in a merge, while nobody is announced.
    pub(super) fn returners(&self) -> Vec<ServerId> {
        if self.is_announced() {
            return Vec::new();
        }
        let back = |id: &&ServerId| self.status(id).operation() != Operation::Nothing;
        self.stayers.iter().filter(back).cloned().collect()
    }

    /// Returns the servers of the ring and those that come to it.
    pub(super) fn all(&self) -> impl Iterator<Item = &ServerId> {
        self.stayers.iter().chain(&self.joiners).chain(&self.leavers)
    }

    /// Returns the status of a server; 0, that of no node, for one that is not listed.
    pub(super) fn status(&self, id: &ServerId) -> NodeStatus {
        self.statuses.get(id).copied().unwrap_or(NodeStatus::from_bits(0))
    }

    /// Returns true where nothing changes.
    pub(super) fn is_calm(&self) -> bool {
        self.statuses.values().all(|status| status.is_calm())
    }

    /// Returns true where a server merges or has merged.
    pub(super) fn is_merging(&self) -> bool {
        self.statuses.values().any(|status| is_merging(*status))
    }

    /// Returns those of `ids` whose status is so.
    pub(super) fn among(&self, ids: &[ServerId], is: impl Fn(NodeStatus) -> bool) -> Vec<ServerId> {
        ids.iter().filter(|id| is(self.status(id))).cloned().collect()
    }

    /// Returns the servers with a slot whose chmpx or k2hdkc is gone.
    pub(super) fn down(&self) -> Vec<ServerId> {
        self.among(&self.stayers, |status| !status.is_well())
    }

    /// Returns true where a change waits for a server that is down, and nobody copies: requests are taken meanwhile.
    pub(super) fn is_interrupted(&self) -> bool {
        !self.is_calm() && !self.is_merging() && !self.down().is_empty()
    }

    /// Returns true where every living server with a slot takes requests: chmpx passes over one that stays and is Pending.
    pub(super) fn all_take_requests(&self) -> bool {
        let takes = |id: &ServerId| !self.status(id).is_well() || self.status(id).is_healthy();
        self.stayers.iter().all(takes)
    }

    /// Returns the servers that are up.
    fn living(&self) -> Vec<ServerId> {
        self.statuses.iter().filter(|(_, status)| status.is_up()).map(|(id, _)| id.clone()).collect()
    }

    /// Returns the living leavers.
    pub(super) fn living_leavers(&self) -> Vec<ServerId> {
        self.among(&self.leavers, NodeStatus::is_up)
    }

    /// Returns true where a living server joins or leaves.
    pub(super) fn is_announced_by_living(&self) -> bool {
        !self.joiners.is_empty() || !self.living_leavers().is_empty()
    }

    /// Returns true where nothing changes but that dead servers are being taken out.
    pub(super) fn is_settled(&self) -> bool {
        self.statuses.values().all(|status| is_settled(*status))
    }

    /// Returns all statuses, to see whether they stay.
    pub(super) fn signature(&self) -> Vec<(ServerId, NodeStatus)> {
        self.statuses.iter().map(|(id, status)| (id.clone(), *status)).collect()
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(inputs: &'a Inputs, limits: &'a Merge) -> Self {
        let seen = inputs.list.as_ref().map(Roles::of_list).unwrap_or_default();
        let views = inputs.list.as_ref().and_then(|list| views(inputs, list, &seen));
        Self { inputs, limits, seen, views }
    }

    /// Returns the own id of a server.
    pub(super) fn own(&self) -> Option<&'a ServerId> {
        self.inputs.own()
    }

    /// Returns the own status where this is a server whose chmpx answers and lists it.
    pub(super) fn me(&self) -> Option<NodeStatus> {
        self.seen.statuses.get(self.own()?).copied()
    }

    /// Returns true where the own chmpx has answered.
    pub(super) fn is_heard(&self) -> bool {
        self.inputs.list.is_some()
    }

    /// Returns the servers that are up, by the own list.
    pub(super) fn living(&self) -> Vec<ServerId> {
        self.seen.living()
    }

    /// Returns true on a slave.
    pub(super) fn is_slave(&self) -> bool {
        matches!(self.inputs.node, Node::Slave(_))
    }

    /// Returns true where k2hdkc is stopped.
    pub(super) fn k2hdkc_is(&self, process: Process) -> bool {
        self.inputs.local.k2hdkc == process
    }

    /// Returns the members whose k2hdkc waits to join.
    pub(super) fn waiting_joiners(&self) -> Vec<ServerId> {
        let waits = |id: &&ServerId| self.seen.status(id).bits() == 0x11;
        self.inputs.members.iter().filter(waits).cloned().collect()
    }

    /// Returns the other members.
    pub(super) fn others(&self) -> Vec<ServerId> {
        self.inputs.members.iter().filter(|id| Some(*id) != self.own()).cloned().collect()
    }

    /// Returns the servers that a driver asks.
    pub(super) fn asked_by_driver(&self) -> Vec<ServerId> {
        asked(&self.seen, self.own())
    }

    /// Returns the other servers that are up: those of the ring, and those that wait to join, whose lists chmpx compares as well before
    /// a merge.
    pub(super) fn asked_for_lists(&self) -> Vec<ServerId> {
        asked_for_lists(&self.seen, self.own())
    }

    /// Returns the first of some servers, by its slot.
    pub(super) fn first_by_slot(&self, ids: &[ServerId]) -> Option<ServerId> {
        let list = self.inputs.list.as_ref()?;
        let slot =
            |id: &&ServerId| (list.get(*id).and_then(|entry| entry.slot).unwrap_or(u64::MAX), (*id).clone());
        ids.iter().min_by_key(slot).cloned()
    }

    /// Returns the place of this server among those that drive, the first being 0: leavers by slot, then those that came back,
    /// then stayers by slot, then joiners by seed.
    pub(super) fn place(&self) -> Option<usize> {
        let (own, list) = (self.own()?, self.inputs.list.as_ref()?);
        let roles = &self.seen;
        let back: BTreeSet<_> = roles.returners().into_iter().collect();
        let class = |id: &ServerId| match () {
            () if roles.leavers.contains(id) => 0,
            () if back.contains(id) => 1,
            () if roles.stayers.contains(id) => 2,
            () => 3,
        };
        let slot = |id: &ServerId| list.get(id).and_then(|entry| entry.slot).unwrap_or(u64::MAX);
        let mut order: Vec<_> = roles.all().filter(|id| roles.status(id).is_up()).collect();
        order.sort_by_key(|id| (class(id), slot(id), (*id).clone()));
        order.iter().position(|id| *id == own)
    }

    /// Returns true where slaves may stop for a change of that predicted length.
    pub(super) fn may_freeze(&self) -> bool {
        let short = self.inputs.wish.predicted_stop.is_none_or(|stop| stop <= self.limits.freeze);
        !self.limits.freeze.is_zero() && short
    }
}

/// Returns the servers to ask: those of the ring and those that come to it, but this one and the dismissed.
fn asked(seen: &Roles, own: Option<&ServerId>) -> Vec<ServerId> {
    let living = |id: &&ServerId| Some(*id) != own && !is_dismissed(seen.status(id));
    seen.all().filter(living).cloned().collect()
}

/// Returns the servers to ask for their lists: those, and the others that are up.
fn asked_for_lists(seen: &Roles, own: Option<&ServerId>) -> Vec<ServerId> {
    let mut who = asked(seen, own);
    let others: Vec<_> =
        seen.living().into_iter().filter(|id| Some(id) != own && !who.contains(id)).collect();
    who.extend(others);
    who
}

/// Puts the own views together; `None` where one that matters was not asked in this look.
fn views(inputs: &Inputs, list: &List, seen: &Roles) -> Option<Views> {
    let own = inputs.own();
    let asked = asked(seen, own);
    let none = BTreeMap::new();
    let answers = match inputs.fresh_round() {
        Some(round) => &round.answers,
        None if asked_for_lists(seen, own).is_empty() => &none,
        None => return None,
    };
    let mut statuses: BTreeMap<_, _> = list
        .iter()
        .filter(|(id, entry)| Some(*id) == own || is_dismissed(entry.status))
        .map(|(id, entry)| (id.clone(), entry.status))
        .collect();
    let mut unknown = Vec::new();
    let up = |id: &&ServerId| seen.status(id).is_up();
    let heard = answers.iter().filter(|(id, _)| asked.contains(id) || up(id));
    let heard = heard.filter_map(|(_, answer)| Some(&answer.as_ref()?.list));
    let lists: Vec<_> = std::iter::once(list).chain(heard).collect();
    for id in asked {
        let answer = answers.get(&id)?.as_ref();
        match answer.and_then(|answer| answer.list.get(&id)) {
            Some(entry) => drop(statuses.insert(id, entry.status)),
            None => unknown.push(id),
        }
    }
    Some(Views { roles: Roles::of(statuses), unknown, disputed: disputed(&lists) })
}

/// Returns the servers about which lists differ, as chmpx compares them before a merge: one that is out and down may be missing
/// (lib/chmimdata.cc, `CompareChmpxSvrs`).
pub(super) fn disputed(lists: &[&List]) -> Vec<ServerId> {
    let ids: BTreeSet<_> = lists.iter().flat_map(|list| list.keys()).collect();
    let differs = |id: &ServerId| {
        let mut entries = lists.iter().map(|list| list.get(id).map(|entry| entry.status));
        let (Some(first), false) = (entries.next(), lists.len() < 2) else { return false };
        entries.any(|entry| entry != first && !may_be_missing(entry, first))
    };
    ids.into_iter().filter(|id| differs(id)).cloned().collect()
}

fn may_be_missing(one: Option<NodeStatus>, other: Option<NodeStatus>) -> bool {
    let is_gone = |status: NodeStatus| status.is_calm() && !status.is_in_service() && !status.is_up();
    match (one, other) {
        (None, Some(status)) | (Some(status), None) => is_gone(status),
        (None, None) | (Some(_), Some(_)) => false,
    }
}
