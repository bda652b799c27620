//! How many copies of keys may have gone with servers that are no members any more.
//!
//! When a server goes, those that stay copy nothing (docs/facts.md D6, D10): of the keys that it had there is one copy less
//! from then on, until each server that stays has left the service and come back, by which it copies its whole share anew
//! (D12). So a second server that goes may have the only copy of what the first one had as well.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Situation;
use crate::replicas;
use crate::ring::{Mode, Node, Ring};
use crate::view::{Action, Operation, View};

/// Who has come back itself sees the others do so soon after, one by one, each within this time.
const IN_TURN: Duration = Duration::from_mins(1);

/// See the module; of one server's sight, and by names that survive a change of ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Copies {
    /// Other members that were seen in service, and so had keys.
    served: BTreeSet<String>,
    /// Those of them that are no members any more.
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

    fn look(&mut self, situation: &Situation<'_>, view: &View) {
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

    /// Whether the others may leave and come back one by one just now, each out for a few seconds, by the age of the own
    /// k2hdkc.
    pub fn is_watching(&self, k2hdkc: Option<Duration>) -> bool {
        let others = u32::try_from(self.served.len()).unwrap_or(u32::MAX);
        !self.gone.is_empty()
            && k2hdkc.is_some_and(|age| age < IN_TURN.saturating_mul(others.saturating_add(1)))
    }

    /// Who has gone, where it may have been all the others that had some key: with as many copies besides the first as there
    /// were when all were members, or fewer where the operator has them fewer by now.
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
