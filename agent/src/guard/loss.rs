//! The loss that an answer means for the installed ring, and the reasons against it. Pure.

use std::collections::BTreeMap;

use super::words::Reason;
use super::{Absence, Case, Gone, Held, Memory, continued};
use crate::fingerprint;
use crate::names::Port;
use crate::problem::Note;
use crate::ring::{Mode, Node, NodeKey, Ring};
use crate::settings::Guard;

/// The loss that an answer means.
pub(super) struct Loss<'a> {
    pub(super) installed: &'a Ring,
    pub(super) case: Case<'a>,
    pub(super) lost: &'a [&'a Absence],
    /// Servers that went within the window.
    pub(super) gone: &'a [Gone],
}

impl Loss<'_> {
    /// The reasons for which it is not ordinary; empty where it is.
    pub(super) fn reasons(&self, rules: &Guard) -> Vec<Reason<'_>> {
        let mut reasons = Vec::new();
        if self.case.answer.servers.is_empty() {
            reasons.push(Reason::NoServer { installed: self.installed.servers.len() });
        }
        if self.lacks_self() {
            reasons.push(Reason::NoSelf);
        }
        if self.is_large(rules) {
            let before = Names(self.gone.iter().map(|gone| &gone.node).collect());
            reasons.push(Reason::TooMany {
                lost: Names(self.lost.iter().map(|absence| &absence.node).collect()),
                installed: self.installed.servers.len(),
                before: (before.len() > 0).then_some((before, rules.window)),
            });
        }
        if let Some(too_long) = self.case.too_long.filter(|_| !self.joining().is_empty()) {
            reasons.push(Reason::TooLong { joining: self.joining(), too_long });
        }
        let known_down = |old: &Node| self.case.up.is_some_and(|up| !up.contains(&old.key()));
        let moved = self.moved().filter(|(old, _)| !known_down(old));
        reasons.extend(moved.map(|(old, new)| Reason::Moved { old, new }));
        let shifted = self.shifted().len();
        if shifted > 1 {
            reasons.push(Reason::Ports(shifted));
        }
        reasons
    }

    /// Counts servers that went a moment ago as well: as many may have the only other copy of a key.
    fn is_large(&self, rules: &Guard) -> bool {
        let with_keys = self.lost.iter().filter(|absence| !self.case.has_left(&absence.node)).count();
        let (before, lost) = (self.installed.servers.len() + self.gone.len(), with_keys + self.gone.len());
        #[expect(clippy::cast_precision_loss, reason = "a ring has at most 32768 nodes")]
        let share = lost as f64 / before.max(1) as f64;
        with_keys > 0 && (lost > rules.max_lost_servers || share > rules.max_lost_share)
    }

    /// Servers that would join, where their change takes too long.
    pub(super) fn joining(&self) -> Vec<&Node> {
        let is_known = |node: &Node| {
            let same = |old: &Node| old.is_again(node) || !old.seed.is_empty() && old.seed == node.seed;
            self.installed.servers.iter().any(same)
        };
        let new = self.case.answer.servers.iter().filter(|node| !is_known(node));
        new.filter(|_| self.case.too_long.is_some()).collect()
    }

    /// Servers of this host's ring that stay where they are, but for their ring port.
    fn shifted(&self) -> Vec<&Node> {
        if self.installed.mode() != Some(Mode::Server) {
            return Vec::new();
        }
        let ports: BTreeMap<NodeKey, Option<Port>> =
            self.installed.servers.iter().map(|node| (node.key(), node.port)).collect();
        let shifts = |node: &&Node| ports.get(&node.key()).is_some_and(|port| *port != node.port);
        self.case.answer.servers.iter().filter(shifts).collect()
    }

    fn lacks_self(&self) -> bool {
        let mode = self.installed.mode().unwrap_or(Mode::Slave);
        let had = self.installed.candidates(mode).next().is_some();
        had && self.case.answer.candidates(mode).next().is_none()
    }

    /// Servers that keep their seed, and so their chmpxid, under another address, port or CUK.
    fn moved(&self) -> impl Iterator<Item = (&Node, &Node)> {
        self.lost.iter().filter(|absence| !absence.node.seed.is_empty()).filter_map(|absence| {
            let old = self.installed.servers.iter().find(|node| node.key() == absence.node)?;
            let new = self.case.answer.servers.iter().find(|node| node.seed == absence.node.seed)?;
            Some((old, new))
        })
    }

    /// The loss as it is held: the same loss as before goes on counting, another one starts at zero.
    pub(super) fn held(&self, reasons: &[Reason<'_>], memory: &Memory, case: Case<'_>) -> Held {
        let mut text: Vec<String> = self.lost.iter().map(|absence| format!("{:?}", absence.node)).collect();
        text.extend(self.moved().map(|(_, new)| format!("{:?}", new.key())));
        text.extend(self.shifted().into_iter().map(|node| format!("{:?} {:?}", node.key(), node.port)));
        text.extend(self.joining().into_iter().map(|node| format!("{:?}", node.key())));
        let id = fingerprint::of(text.join("\n").as_bytes())[..8].to_owned();
        let past = memory.held.as_ref().filter(|held| held.id == id);
        let (since, polls) = continued(past.map(|held| (held.since, held.polls)), case.now);
        let reasons = reasons.iter().map(Note::of).collect();
        let releasable = !self.case.answer.servers.is_empty() && !self.lacks_self();
        Held { id, reasons, since, polls: polls + u32::from(case.fresh || polls == 0), releasable }
    }
}

/// Servers, by name and control port.
pub(super) struct Names<'a>(pub(super) Vec<&'a NodeKey>);

impl Names<'_> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
