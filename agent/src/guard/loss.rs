//! What an answer would take away from the installed ring, and why that is not ordinary. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Absence, Case, Gone, Held, Memory, continued};
use crate::clock::spoken;
use crate::fingerprint;
use crate::names::Port;
use crate::problem::printable;
use crate::ring::{Mode, Node, NodeKey, Ring};
use crate::settings::Guard;

/// What an answer would take away.
pub(super) struct Loss<'a> {
    pub(super) installed: &'a Ring,
    pub(super) answer: &'a Ring,
    pub(super) up: Option<&'a BTreeSet<NodeKey>>,
    pub(super) lost: &'a [&'a Absence],
    /// Servers that went within the window.
    pub(super) gone: &'a [Gone],
}

impl Loss<'_> {
    /// Why it is not ordinary; empty where it is.
    pub(super) fn reasons(&self, rules: &Guard) -> Vec<String> {
        let mut reasons = Vec::new();
        // With what went a moment ago: as many servers may have the only other copy of a key.
        let (before, lost) =
            (self.installed.servers.len() + self.gone.len(), self.lost.len() + self.gone.len());
        if self.answer.servers.is_empty() {
            reasons.push(format!("the answer has no server (installed: {})", self.installed.servers.len()));
        }
        if self.lacks_self() {
            reasons.push("the answer lacks this host".to_owned());
        }
        #[expect(clippy::cast_precision_loss, reason = "a ring has at most 32768 nodes")]
        let share = lost as f64 / before.max(1) as f64;
        if !self.lost.is_empty() && (lost > rules.max_lost_servers || share > rules.max_lost_share) {
            let when = if self.gone.is_empty() {
                "at once".to_owned()
            } else {
                let before = names(self.gone.iter().map(|gone| &gone.node));
                format!("less than {} after {before} went", spoken(rules.window))
            };
            let (lost, installed) = (self.lost.len(), self.installed.servers.len());
            let names = names(self.lost.iter().map(|absence| &absence.node));
            reasons.push(format!("{lost} of {installed} servers would go {when}: {names}"));
        }
        let known_down = |old: &Node| self.up.is_some_and(|up| !up.contains(&old.key()));
        reasons.extend(self.moved().filter(|(old, _)| !known_down(old)).map(|(old, new)| {
            let text = "the same CUSTOM_ID_SEED; is the old one down?";
            format!("server {} would become {} ({text})", address(old), address(new))
        }));
        let shifted = self.shifted();
        if shifted.len() > 1 {
            let out = "they find each other only when all have restarted, and nobody is served meanwhile";
            reasons.push(format!("{} servers would have another ring port at once: {out}", shifted.len()));
        }
        reasons
    }

    /// Servers of this host's ring that stay where they are, but for their ring port.
    fn shifted(&self) -> Vec<&Node> {
        if self.installed.mode() != Some(Mode::Server) {
            return Vec::new();
        }
        let ports: BTreeMap<NodeKey, Option<Port>> =
            self.installed.servers.iter().map(|node| (node.key(), node.port)).collect();
        let shifts = |node: &&Node| ports.get(&node.key()).is_some_and(|port| *port != node.port);
        self.answer.servers.iter().filter(shifts).collect()
    }

    fn lacks_self(&self) -> bool {
        let mode = self.installed.mode().unwrap_or(Mode::Slave);
        let had = self.installed.candidates(mode).next().is_some();
        had && self.answer.candidates(mode).next().is_none()
    }

    /// Servers that keep their seed, and so their chmpxid, under another address, port or CUK.
    fn moved(&self) -> impl Iterator<Item = (&Node, &Node)> {
        self.lost.iter().filter(|absence| !absence.node.seed.is_empty()).filter_map(|absence| {
            let old = self.installed.servers.iter().find(|node| node.key() == absence.node)?;
            let new = self.answer.servers.iter().find(|node| node.seed == absence.node.seed)?;
            Some((old, new))
        })
    }

    /// The loss as it is held: the same loss as before goes on counting, another one starts anew.
    pub(super) fn held(&self, reasons: Vec<String>, memory: &Memory, case: Case<'_>) -> Held {
        let mut text: Vec<String> = self.lost.iter().map(|absence| format!("{:?}", absence.node)).collect();
        text.extend(self.moved().map(|(_, new)| format!("{:?}", new.key())));
        text.extend(self.shifted().into_iter().map(|node| format!("{:?} {:?}", node.key(), node.port)));
        let id = fingerprint::of(text.join("\n").as_bytes())[..8].to_owned();
        let past = memory.held.as_ref().filter(|held| held.id == id);
        let (since, polls) = continued(past.map(|held| (held.since, held.polls)), case.now);
        let releasable = !self.answer.servers.is_empty() && !self.lacks_self();
        Held { id, reasons, since, polls: polls + u32::from(case.fresh || polls == 0), releasable }
    }
}

/// The first of them by name and control port, and how many more there are.
fn names<'a>(nodes: impl ExactSizeIterator<Item = &'a NodeKey>) -> String {
    const SHOWN: usize = 8;
    let more = nodes.len().saturating_sub(SHOWN);
    let shown: Vec<_> = nodes.take(SHOWN).map(|node| format!("{}:{}", node.name, node.ctlport)).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(", "))
}

fn address(node: &Node) -> String {
    let hosts = node.key().hosts;
    let hosts = if hosts.is_empty() { hosts } else { format!(", {hosts}") };
    format!("{}:{} (CUK {}{hosts})", node.name, node.ctlport, printable(&node.cuk, usize::MAX))
}
