//! Copies of keys that may have gone with servers that are no members any more.
//!
//! The servers that stay copy nothing when another goes (D6, D10). Its keys have one copy less from then on, until each server
//! that stays has left the service and come back: by that it copies its whole share again (D12). So a second server that goes
//! may have the only copy of keys that the first one had as well.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Situation;
use crate::chmpx_state::{Action, ChmpxState, Operation};
use crate::replicas;
use crate::ring::{Mode, Node, Ring};

/// Time in which the next server leaves and comes back: they do so one by one.
const IN_TURN: Duration = Duration::from_mins(1);

/// Copies as one server sees them. Servers have names that survive a change of ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Copies {
    /// Other members that were seen in service, and so had keys.
    served: BTreeSet<String>,
    /// Members of `served` that are no members any more.
    gone: BTreeSet<String>,
    /// Other members that were seen out of service since the last of these went: their next share is a whole one.
    renewed: BTreeSet<String>,
    /// REPLICA as it was before the first of those that are gone went: the file says less with fewer servers.
    replicas: Option<u32>,
}

impl Copies {
    /// Takes in who is a member, and what chmpx says of each.
    pub(super) fn observe(&mut self, situation: &Situation<'_>) {
        if situation.mode() == Mode::Slave {
            return;
        }
        let members: BTreeSet<String> = situation.ring.servers.iter().map(name).collect();
        let gone: Vec<_> = self.served.difference(&members).cloned().collect();
        if !gone.is_empty() {
            self.renewed.clear();
            self.gone.extend(gone);
        }
        if self.gone.is_empty() {
            self.replicas = Some(situation.ring.replicas());
        }
        self.served.retain(|name| members.contains(name));
        if let Some(view) = situation.view() {
            self.look(situation, view);
        }
    }

    fn look(&mut self, situation: &Situation<'_>, view: &ChmpxState) {
        let mut whole = true;
        for node in situation.peers() {
            // One that is down may be that only to a chmpx which has not connected to it yet.
            let status = view.status_of(node).filter(|status| status.is_up());
            if status.is_some_and(|s| !s.is_in_service() || s.action() == Action::Add) {
                self.renewed.insert(name(node));
            } else if status.is_some() {
                self.served.insert(name(node));
                // With the same members as before every key is where it is looked for.
                self.gone.remove(&name(node));
            }
            let serves = status.is_some_and(|s| s.is_in_service() && s.operation() == Operation::Nothing);
            whole &= serves && self.renewed.contains(&name(node));
        }
        if whole || self.gone.is_empty() {
            self.gone.clear();
            self.renewed.clear();
        }
    }

    /// Returns true while the others may leave and come back one by one. `k2hdkc` is the age of the own k2hdkc.
    pub fn is_watching(&self, k2hdkc: Option<Duration>) -> bool {
        let others = u32::try_from(self.served.len()).unwrap_or(u32::MAX);
        !self.gone.is_empty()
            && k2hdkc.is_some_and(|age| age < IN_TURN.saturating_mul(others.saturating_add(1)))
    }

    /// Returns the servers that have gone, where they may have been all the others that had some key. Counts the copies that
    /// there were when all were members, or fewer where the operator has lowered REPLICA since.
    pub(super) fn missing(&self, ring: &Ring) -> Option<String> {
        let (now, before) = (ring.replicas(), self.replicas.unwrap_or(0));
        let replicas = if now < replicas::most(ring) { now } else { now.max(before) };
        let enough = u32::try_from(self.gone.len()).is_ok_and(|gone| gone < replicas.max(1));
        (!enough).then(|| self.gone.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// Of a server, under whatever ports.
fn name(node: &Node) -> String {
    let name = [&node.seed, &node.cuk].into_iter().find(|text| !text.is_empty()).unwrap_or(&node.name);
    name.clone()
}
