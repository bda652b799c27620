//! The change of the ring beside the passes: what it needs to know of this node, and what it makes the passes wait for.

use std::path::Path;
use std::rc::Rc;

use tokio::time::Instant;

use super::connections::Place;
use super::processes::Delivery;
use super::{Inputs, Reconciler};
use crate::automerge::Automerge;
use crate::chmpx_state::{ChmpxState, Row};
use crate::data_in_sight::{self, Facts};
use crate::guard::TooLong;
use crate::installed::Installed;
use crate::lifecycle::Database;
use crate::problem::Note;
use crate::ring::{Mode, Ring};
use crate::ring_change::course::Ended;
use crate::ring_change::prediction::{Prediction, Rate};
use crate::ring_change::{ByChmpx, LeaveCost, Merges, Progress};
use crate::ring_status::{self, RingStatus};
use crate::ring_task::{Assignment, Programs, Will};
use crate::settings::{self, MergeBy, OverLimit, SupervisorKind};
use crate::supervisor::{Observed, Program, Supervisor};

impl Inputs {
    /// Returns true where this ring has another AUTOMERGE than the installed one, and the servers are in a change: it ends in the
    /// way in which it began.
    pub(super) fn goes_over_in_change(&self, ring: &Ring) -> bool {
        let differs = |installed: &Ring| Automerge::of_ring(installed) != Automerge::of_ring(ring);
        let report = self.observed.as_ref().and_then(|observed| observed.control.report.as_ref());
        let changes = report.is_some_and(|report| {
            report.view.servers.iter().any(|row| row.status.is_up() && !row.status.is_calm())
        });
        changes && self.installed.ring().is_some_and(|installed| differs(installed))
    }

    /// Returns true on the first server in service; `None` where that is not known, as on a server that is not in service yet.
    fn is_first(&self) -> Option<bool> {
        let view = &self.observed.as_ref()?.control.report.as_ref()?.view;
        view.own.status.is_in_service().then(|| is_first(view))
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Returns the hand that is to run the merges. Without a supervisor no program is moved, and in the random mode chmpx loads no file
    /// without AUTOMERGE: then chmpx runs them.
    pub(super) fn merges_by(&self) -> MergeBy {
        match self.settings.supervisor.kind {
            SupervisorKind::None => MergeBy::Chmpx,
            _ if self.processes.delivery == Delivery::AtRandom => MergeBy::Chmpx,
            _ => self.settings.merge.by,
        }
    }

    /// Takes in whether the installed ring delivers at random.
    pub(super) fn observe_mode(&mut self, installed: &Installed) {
        self.processes.delivery = installed.ring().map_or(Delivery::default(), |ring| Delivery::of(ring));
    }

    /// Has the latest answer ask for the way in which this ring merges.
    pub(super) fn fit(&mut self, installed: &Installed) {
        let way = self.way(installed);
        self.membership.fit(way);
    }

    /// Returns AUTOMERGE that the file of this node is to have; `None` stands for the operator's own.
    fn way(&self, installed: &Installed) -> Option<Automerge> {
        let ring = &self.membership.wanted()?.ring;
        let present = installed.ring().map_or(Automerge::Off, |ring| Automerge::of_ring(ring));
        self.way_of(ring, present)
    }

    /// Returns the same for a ring. All servers have it while one insists; `present` is kept while some have not answered.
    fn way_of(&self, ring: &Ring, present: Automerge) -> Option<Automerge> {
        if self.merges_by() == MergeBy::Chmpx || Delivery::of(ring) == Delivery::AtRandom {
            return None;
        }
        Some(match &self.processes.ring_change.merges {
            _ if self.processes.hands_over => Automerge::On,
            _ if ring.mode() != Some(Mode::Server) => Automerge::Off,
            Merges::ByChmpx(_) => Automerge::Deferred,
            Merges::ByAgents => Automerge::Off,
            Merges::Unknown => present,
        })
    }

    /// Returns a kept ring with AUTOMERGE as it is now: since it was written the ring may have gone over to the other way.
    pub(super) fn in_present_way(&self, inputs: &Inputs, kept: &Ring) -> Rc<Ring> {
        let report = inputs.observed.as_ref().and_then(|observed| observed.control.report.as_ref());
        let loaded = report.map(|report| Automerge::of(report.view.automerge, report.view.merge_timeout));
        let installed = || inputs.installed.ring().map(|ring| Automerge::of_ring(ring));
        let present = loaded.or_else(installed).unwrap_or_else(|| Automerge::of_ring(kept));
        Rc::new(self.membership.in_way(kept, self.way_of(kept, present)))
    }

    /// Has the file give the merges back to chmpx: no agent will be here.
    pub fn hand_over(&mut self) {
        self.processes.hands_over = true;
    }

    /// Takes in how far the change of the ring is.
    pub fn observe_ring(&mut self, progress: Option<Progress>) {
        self.processes.ring_change = progress.unwrap_or_default();
    }

    /// Keeps a change that has ended. A full disk, of which every pass tells, keeps it from nothing.
    pub fn take_change(&mut self, ended: &Ended) {
        let at = self.clock.now().wall;
        let _ = self.store.learn(|ledger| ledger.processes.ring.take(ended, at));
    }

    /// Returns the prediction of a change of the ring, where the agents run it.
    pub fn prediction(&self) -> Option<Prediction> {
        self.processes.prediction.filter(|_| self.merges_by() == MergeBy::Agents)
    }

    /// Predicts the next change: a server by its keys, a slave by the last two that it saw. A copy that was cut off counts more on
    /// both. The prediction of a change under way stays.
    fn predict(&mut self, inputs: &Inputs) {
        if !self.ring_changes() {
            let elements = self.elements(inputs);
            let known = self.predicted(inputs, elements);
            let least = self.store.ledger().processes.ring.least();
            self.processes.prediction = [known, least].into_iter().flatten().reduce(Prediction::or_longer);
        }
    }

    /// Counts the elements in the database file of this server's k2hdkc.
    fn elements(&mut self, inputs: &Inputs) -> Option<u64> {
        let (ring, observed) = (inputs.installed.ring()?, inputs.observed.as_ref()?);
        let Database::File(path) = Database::of(ring) else { return None };
        let k2hdkc = self.place(observed, Program::K2hdkc).here()?;
        self.processes.elements.read(k2hdkc, Path::new(&path), Instant::now())
    }

    fn predicted(&self, inputs: &Inputs, elements: Option<u64>) -> Option<Prediction> {
        let (ring, observed) = (inputs.installed.ring()?, inputs.observed.as_ref()?);
        let record = &self.store.ledger().processes.ring;
        if ring.mode() != Some(Mode::Server) {
            return record.stop().map(Prediction::as_before);
        }
        let view = &observed.control.report.as_ref()?.view;
        let elements = elements?;
        let servers = view.servers.iter().filter(|row| row.status.is_in_service()).count();
        let rate = record.rate.unwrap_or(Rate::USUAL);
        // The file of a server that only waits to join has other keys.
        let serves = view.own.status.is_in_service();
        serves.then(|| Prediction::by_elements(elements, servers, ring.replicas(), rate))
    }

    /// Returns the limit that a newcomer would exceed, on the first server of the ring: it holds the file, without which no newcomer
    /// announces itself. A newcomer has no keys to predict by.
    pub(super) fn too_long(&self) -> Option<TooLong> {
        let merge = &self.settings.merge;
        let Prediction { keys, stop } = self.processes.held.filter(|held| held.stop > merge.longest_stop)?;
        Some(TooLong { stop, keys, limit: merge.longest_stop })
    }

    /// Returns the prediction by which this server holds newcomers. While it cannot know that, as in a boot, what it last knew
    /// counts: unknown is not short.
    fn held(&self, inputs: &Inputs) -> Option<Prediction> {
        let merge = &self.settings.merge;
        self.ring_change().filter(|_| merge.over_limit == OverLimit::Hold)?;
        let before = self.store.ledger().processes.ring.held;
        let Some(is_first) = inputs.is_first() else { return before };
        let is_counted = inputs.installed.ring().is_some_and(|ring| Database::of(ring) != Database::Volatile);
        let predicted = self.prediction().or_else(|| before.filter(|_| is_counted));
        predicted.filter(|predicted| is_first && predicted.stop > merge.longest_stop)
    }

    /// Returns the cost of the leave of this server.
    pub(super) fn cost_of_leave(&self, mode: Mode) -> Option<LeaveCost> {
        let predicted = self.prediction().filter(|_| mode == Mode::Server)?;
        let settings::Merge { longest_stop, over_limit, .. } = self.settings.merge;
        let is_held = over_limit == OverLimit::Hold && predicted.stop > longest_stop;
        Some(LeaveCost { predicted, longest_stop, is_held })
    }

    /// Returns the status of the ring.
    pub(super) fn ring_status(&self, inputs: &Inputs) -> Option<RingStatus> {
        let (ring, observed) = (inputs.installed.ring()?, inputs.observed.as_ref()?);
        let calm = Progress::default();
        let by_agents = self.merges_by() == MergeBy::Agents;
        let progress = if by_agents { &self.processes.ring_change } else { &calm };
        let record = &self.store.ledger().processes.ring;
        // The latest answer is an old one while chmpx is silent.
        let view = observed.control.report.as_ref().filter(|_| observed.control.silent.is_none());
        let facts = Facts {
            mode: ring.mode().unwrap_or(Mode::Slave),
            view: view.map(|said| &said.view),
            replicas: ring.replicas(),
            progress,
            record,
        };
        Some(RingStatus {
            data: Note::of(&data_in_sight::judge(facts)),
            change: ring_status::change(progress),
            predicted: self.prediction(),
            longest_stop: self.settings.merge.longest_stop,
            last: record.last.clone(),
        })
    }

    /// Returns the change of the ring, where the agents run it: here, and on every server that was asked.
    pub(super) fn ring_change(&self) -> Option<&Progress> {
        let progress = &self.processes.ring_change;
        let by_agents = self.merges_by() == MergeBy::Agents && progress.is_by_agents();
        by_agents.then_some(progress)
    }

    /// Returns the reason for which chmpx runs the merges, where they are the agents' by the settings.
    pub(super) fn merges_elsewhere(&self) -> Option<ByChmpx> {
        if self.settings.merge.by == MergeBy::Agents && self.processes.delivery == Delivery::AtRandom {
            return Some(ByChmpx::DeliversAtRandom);
        }
        match &self.processes.ring_change.merges {
            Merges::ByChmpx(id) if self.merges_by() == MergeBy::Agents => Some(ByChmpx::Insists(id.clone())),
            Merges::ByChmpx(_) | Merges::ByAgents | Merges::Unknown => None,
        }
    }

    /// Returns true while no file may be written: chmpx reloads it in the middle of a merge otherwise.
    pub(super) fn ring_changes(&self) -> bool {
        self.ring_change().is_some_and(Progress::forbids_files)
    }

    /// Returns the part of this node in the changes of its ring, as the latest pass saw it.
    pub fn assignment(&self) -> Option<Assignment> {
        self.processes.assignment.clone()
    }

    /// Returns the number of servers of the installed file as the latest pass saw it, and of the last answer.
    pub fn servers(&self) -> Option<(usize, usize)> {
        let installed = self.processes.assignment.as_ref()?.members.len();
        Some((installed, self.membership.wanted()?.ring.servers.len()))
    }

    /// Describes this node for the change of the ring.
    pub(super) fn assign(&mut self, inputs: &Inputs) {
        self.predict(inputs);
        self.processes.held = self.held(inputs);
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
            will: Will { leave, confirmed: self.is_confirmed() },
            prediction: self.prediction(),
            quiet_until: self.processes.history.quiet_until(quiet),
            ..assignment
        })
    }

    /// Returns true where the operator has confirmed the leave of this server, or else its join.
    fn is_confirmed(&self) -> bool {
        let record = &self.store.ledger().processes.ring;
        self.leaving().map_or(record.is_join_confirmed(), |leaving| leaving.confirmed)
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

/// Returns true on the first server in service, by its slot: all servers compute the same one.
fn is_first(view: &ChmpxState) -> bool {
    let serves = |row: &&Row| row.status.is_in_service() && row.status.is_up();
    let first = view.servers.iter().filter(serves).min_by_key(|row| row.base_hash.unwrap_or(u64::MAX));
    first.is_some_and(|first| first.chmpxid.is_some() && first.chmpxid == view.own.chmpxid)
}
