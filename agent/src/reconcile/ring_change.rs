//! The change of the ring beside the passes: what it needs to know of this node, and what it makes the passes wait for.

use super::connections::Place;
use super::{Inputs, Reconciler};
use crate::automerge::Automerge;
use crate::chmpx_state::{Action, Operation};
use crate::installed::Installed;
use crate::ring::{Mode, Ring};
use crate::ring_change::{Hold, Merges, Progress};
use crate::ring_task::{Assignment, Programs, Will};
use crate::settings::{self, MergeBy, SupervisorKind};
use crate::supervisor::{Observed, Program, Supervisor};

impl Inputs {
    /// Returns true where this ring has another AUTOMERGE than the installed one, and the servers are in a change: it ends in the
    /// way in which it began.
    pub(super) fn goes_over_in_change(&self, ring: &Ring) -> bool {
        let differs = |installed: &Ring| Automerge::of_ring(installed) != Automerge::of_ring(ring);
        let report = self.observed.as_ref().and_then(|observed| observed.control.report.as_ref());
        let changes = report.is_some_and(|report| {
            let rows = report.view.servers.iter().map(|row| row.status).filter(|status| status.is_up());
            { rows }.any(|s| s.operation() != Operation::Nothing || s.action() != Action::Nothing)
        });
        changes && self.installed.ring().is_some_and(|installed| differs(installed))
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Returns the hand that is to run the merges. Without a supervisor no program is moved, and chmpx runs them.
    pub(super) fn merges_by(&self) -> MergeBy {
        match self.settings.supervisor.kind {
            SupervisorKind::None => MergeBy::Chmpx,
            _ => self.settings.merge.by,
        }
    }

    /// Has the latest answer ask for the way in which this ring merges.
    pub(super) fn fit(&mut self, installed: &Installed) {
        let way = self.way(installed);
        self.membership.fit(way);
    }

    /// Returns AUTOMERGE that the file of this node is to have; `None` stands for the operator's own. All servers have it while
    /// one insists, and the file keeps what it has while some have not answered.
    fn way(&self, installed: &Installed) -> Option<Automerge> {
        let ring = &self.membership.wanted()?.ring;
        // In the random mode chmpx takes no other value than on.
        if self.merges_by() == MergeBy::Chmpx || ring.global("DELIVERMODE").eq_ignore_ascii_case("random") {
            return None;
        }
        Some(match &self.processes.ring_change.merges {
            _ if self.processes.hands_over => Automerge::On,
            _ if ring.mode() != Some(Mode::Server) => Automerge::Off,
            Merges::ByChmpx(_) => Automerge::Deferred,
            Merges::ByAgents => Automerge::Off,
            Merges::Unknown => installed.ring().map_or(Automerge::Off, |ring| Automerge::of_ring(ring)),
        })
    }

    /// Has the file give the merges back to chmpx: no agent will be here.
    pub fn hand_over(&mut self) {
        self.processes.hands_over = true;
    }

    /// Takes in how far the change of the ring is.
    pub fn observe_ring(&mut self, progress: Option<Progress>) {
        self.processes.ring_change = progress.unwrap_or_default();
    }

    /// Returns the change of the ring, where the agents run it: here, and on every server that was asked.
    pub(super) fn ring_change(&self) -> Option<&Progress> {
        let progress = &self.processes.ring_change;
        let by_agents = self.merges_by() == MergeBy::Agents && progress.is_by_agents();
        by_agents.then_some(progress)
    }

    /// Returns a note where the agents are to run the merges, and a server leaves them to its chmpx.
    pub(super) fn merges_elsewhere(&self) -> Option<String> {
        match &self.processes.ring_change.merges {
            Merges::ByChmpx(id) if self.merges_by() == MergeBy::Agents => {
                Some(Hold::RunsAutomerge(id.clone()).to_string())
            }
            Merges::ByChmpx(_) | Merges::ByAgents | Merges::Unknown => None,
        }
    }

    /// Returns true while no file may be written: chmpx reloads it in the middle of a merge otherwise.
    pub(super) fn ring_changes(&self) -> bool {
        self.ring_change().is_some_and(Progress::is_under_way)
    }

    /// Returns the part of this node in the changes of its ring, as the latest pass saw it.
    pub fn assignment(&self) -> Option<Assignment> {
        self.processes.assignment.clone()
    }

    /// Describes this node for the change of the ring.
    pub(super) fn assign(&mut self, inputs: &Inputs) {
        self.processes.assignment = self.assignment_of(inputs);
    }

    fn assignment_of(&self, inputs: &Inputs) -> Option<Assignment> {
        let (ring, spec, observed) =
            (inputs.installed.ring()?, inputs.about.as_ref()?, inputs.observed.as_ref()?);
        if observed.unobservable.is_some() {
            return None;
        }
        // Where chmpx runs the merges, whatever stands still from before is continued.
        let limits = settings::Merge { by: self.merges_by(), ..self.settings.merge };
        let assignment = Assignment::of(ring, spec, limits)?;
        // Also behind the merge: out of service it would join again while its programs stop.
        let leave = self.leaving().is_some_and(|leaving| !leaving.force) || self.ends_outside(observed);
        let quiet = self.settings.supervisor.timing.quiet_after_write;
        Some(Assignment {
            programs: self.programs(observed, assignment.programs),
            will: Will { leave, confirmed: false },
            quiet_until: self.processes.history.quiet_until(quiet),
            ..assignment
        })
    }

    /// Returns true for a server outside of the ring that is to stop or to leave: it joins no more.
    fn ends_outside(&self, observed: &Observed) -> bool {
        let report = observed.control.report.as_ref();
        let outside = report.is_some_and(|report| !report.view.own.status.is_in_service());
        outside && (self.stopped().is_some() || self.leaving().is_some())
    }

    /// Returns the running programs as this host's `/proc` has them: the supervisor of containers observes other numbers.
    fn programs(&self, observed: &Observed, programs: Programs) -> Programs {
        let [chmpx, k2hdkc] =
            [Program::Chmpx, Program::K2hdkc].map(|program| (program, self.place(observed, program)));
        let hidden = |(program, place): (Program, Place)| (place == Place::Hidden).then_some(program);
        let hidden = [chmpx, k2hdkc].into_iter().filter_map(hidden).collect();
        Programs { chmpx: chmpx.1.here(), k2hdkc: k2hdkc.1.here(), hidden, ..programs }
    }
}
