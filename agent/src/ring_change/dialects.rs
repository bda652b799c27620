//! AUTOMERGE of the other servers, as they have answered, and whose word counts.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::inputs::{Inputs, Round, ServerId};
use super::progress::Merges;
use super::scene::Scene;
use super::timing;
use crate::automerge::Automerge;

/// AUTOMERGE of the servers, by their latest DUMP.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Dialects(BTreeMap<ServerId, (Instant, Automerge)>);

impl Dialects {
    /// Takes in AUTOMERGE of the others; that of this server follows its own file.
    pub(super) fn hear(&mut self, round: &Round, inputs: &Inputs) {
        for (id, answer) in round.answers.iter().filter(|(id, _)| Some(*id) != inputs.own()) {
            if let Some(automerge) = answer.as_ref().and_then(|answer| answer.automerge) {
                self.0.insert(id.clone(), (inputs.now, automerge));
            }
        }
    }

    /// Returns AUTOMERGE of a server; `None` where it is unknown, or was asked too long ago.
    pub(super) fn automerge(&self, id: &ServerId, now: Instant) -> Option<Automerge> {
        let (at, automerge) = self.0.get(id)?;
        (now.saturating_duration_since(*at) <= timing::DIALECT_LASTS).then_some(*automerge)
    }

    /// Returns true for a server that has not answered for a while whether it runs AUTOMERGE: its file may be another one by now.
    pub(super) fn is_unheard(&self, id: &ServerId, now: Instant) -> bool {
        self.0.get(id).is_none_or(|(at, _)| now.saturating_duration_since(*at) > timing::DIALECT_FADES)
    }

    /// Returns a server of these that runs AUTOMERGE, by its latest answer.
    pub(super) fn foreign<'a>(&self, ids: impl Iterator<Item = &'a ServerId>) -> Option<ServerId> {
        self.first_that(ids, Automerge::is_on)
    }

    /// Returns a server that runs AUTOMERGE, and for which the agents keep their hands off: in a change one that takes part, else any. A
    /// newcomer without a part must not leave a change half-way.
    pub(super) fn foreign_here(&self, scene: &Scene<'_>) -> Option<ServerId> {
        let part = |id: &&ServerId| scene.seen.is_calm() || scene.seen.all().any(|part| part == *id);
        self.foreign(self.speakers(scene).iter().filter(part))
    }

    /// Returns the hand that runs the merges of the other servers.
    pub(super) fn merges(&self, scene: &Scene<'_>) -> Merges {
        if let Some(id) = self.first_that(self.speakers(scene).iter(), Automerge::insists) {
            return Merges::ByChmpx(id);
        }
        let living = scene.living();
        let heard = living.iter().all(|id| Some(id) == scene.own() || self.0.contains_key(id));
        if heard && scene.is_heard() { Merges::ByAgents } else { Merges::Unknown }
    }

    /// Returns the servers whose word counts: those that live, and members that have answered lately. The word of a dead one fades: an
    /// agent that has started since has not heard it, and all agents must come to the same way. One that the ini lacks does not count:
    /// its word must not keep it from being taken out.
    fn speakers(&self, scene: &Scene<'_>) -> Vec<ServerId> {
        let (now, living) = (scene.inputs.now, scene.living());
        let lately = |id: &&ServerId| !scene.is_heard() || !self.is_unheard(id, now);
        let members = scene.inputs.members.iter().filter(|id| !living.contains(id)).filter(lately);
        living.iter().chain(members).cloned().collect()
    }

    fn first_that<'a>(
        &self,
        mut ids: impl Iterator<Item = &'a ServerId>,
        is: fn(Automerge) -> bool,
    ) -> Option<ServerId> {
        ids.find(|id| self.0.get(*id).is_some_and(|(_, automerge)| is(*automerge))).cloned()
    }
}
