//! The change of the ring beside the passes: what it needs to know of this node, and what it makes the passes wait for.

use super::connections::Place;
use super::{Inputs, Reconciler};
use crate::ring_change::{Hold, Progress};
use crate::ring_task::{Assignment, Programs, Will};
use crate::settings::{MergeBy, SupervisorKind};
use crate::supervisor::{Observed, Program, Supervisor};

impl<T: Supervisor> Reconciler<T> {
    /// Returns the hand that runs the merges. Without a supervisor no program is moved, and chmpx runs them.
    pub(super) fn merges_by(&self) -> MergeBy {
        match self.settings.supervisor.kind {
            SupervisorKind::None => MergeBy::Chmpx,
            _ => self.settings.merge.by,
        }
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
        let hold = self.processes.ring_change.hold.as_ref();
        let hold = hold.filter(|hold| matches!(hold, Hold::RunsAutomerge(_)))?;
        (self.merges_by() == MergeBy::Agents).then(|| hold.to_string())
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
        if self.merges_by() == MergeBy::Chmpx || observed.unobservable.is_some() {
            return None;
        }
        let assignment = Assignment::of(ring, spec, self.settings.merge)?;
        // Also behind the merge: out of service it would join again while its programs stop.
        let leave = self.leaving().is_some_and(|leaving| !leaving.force);
        let quiet = self.settings.supervisor.timing.quiet_after_write;
        Some(Assignment {
            programs: self.programs(observed, assignment.programs),
            will: Will { leave, confirmed: false },
            quiet_until: self.processes.history.quiet_until(quiet),
            ..assignment
        })
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
