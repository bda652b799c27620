//! The scene of one decision, which only reads, and its draft, which becomes the decision.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::time::Duration;

use super::history::{History, Waiting};
use super::persisted::Persisted;
use super::rules::SOON;
use super::situation::Situation;
use super::words::{Reason, Reasons};
use super::{Action, Decided, Decision, Patience, RestartBegun};

/// Input of a row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    situation: &'a Situation<'a>,
    pub(super) history: &'a History,
    pub(super) persisted: &'a Persisted,
}

impl<'a> Scene<'a> {
    pub(super) fn new(situation: &'a Situation<'a>, history: &'a History, persisted: &'a Persisted) -> Self {
        Self { situation, history, persisted }
    }

    /// Waits until chmpx may be asked again.
    pub(super) fn wait(&self, reason: impl Into<Reason>) -> Action {
        Action::Wait(reason.into(), self.limits.timing.min_query_interval)
    }

    /// Holds until the operator acts; the agent looks again at its own pace.
    pub(super) fn hold(&self, reason: impl Into<Reason>) -> Action {
        Action::hold(reason, self.limits.timing.resync_interval)
    }
}

/// Waits for the next look.
pub(super) fn soon(reason: impl Into<Reason>) -> Action {
    Action::Wait(reason.into(), SOON)
}

impl<'a> Deref for Scene<'a> {
    type Target = Situation<'a>;

    fn deref(&self) -> &Self::Target {
        self.situation
    }
}

/// A decision in the making.
#[derive(Debug)]
pub(super) struct Draft {
    /// The ledger's part, as it will be.
    pub(super) persisted: Persisted,
    /// Things that wait in this pass.
    waits: BTreeSet<Waiting>,
    conditions: Vec<Reason>,
    /// The action of a row that keeps no later row waiting.
    deferred: Option<Action>,
    /// True where a restart would lose the only copy of keys.
    pub(super) data_at_risk: bool,
    /// True where this server serves, or this slave is up.
    pub(super) serves: bool,
    /// A restart that begins: the chmpx that it is about to end, if any.
    pub(super) restarts: Option<RestartBegun>,
}

impl Draft {
    pub(super) fn new(persisted: &Persisted) -> Self {
        Self {
            persisted: persisted.clone(),
            waits: BTreeSet::new(),
            conditions: Vec::new(),
            deferred: None,
            data_at_risk: false,
            serves: false,
            restarts: None,
        }
    }

    /// Leaves a condition for the operator. Later rows go on, but a wait of theirs becomes a hold: the agent then counts
    /// nothing as under way, and asks chmpx at its slow pace.
    pub(super) fn report(&mut self, reason: impl Into<Reason>) {
        self.conditions.push(reason.into());
    }

    /// Keeps an action for the case that no later row asks for one.
    pub(super) fn defer(&mut self, action: Action) {
        self.deferred = Some(action);
    }

    /// Waits for that in this pass. Returns how long it has been waited for in every pass, without a break.
    pub(super) fn waited(&mut self, scene: &Scene<'_>, what: Waiting) -> Duration {
        self.waits.insert(what);
        scene.history.waited_for(what, scene.now)
    }

    /// Makes the decision of the action that was asked for. `patience` is [`Patience::Ends`] where a wait without any movement
    /// becomes a hold.
    pub(super) fn decision(
        mut self,
        scene: &Scene<'_>,
        asked: Option<Action>,
        patience: Patience,
    ) -> Decided {
        let asked = asked.or(self.deferred.take());
        let conditions = Reasons(std::mem::take(&mut self.conditions));
        let action = match asked {
            Some(Action::Wait(_, time)) if !conditions.is_empty() => Action::Hold(conditions.clone(), time),
            Some(Action::Wait(reason, time))
                if patience == Patience::Ends && scene.history.stalls(scene, &self.waits) =>
            {
                Action::hold(Reason::Stalled(Box::new(reason)), time)
            }
            Some(Action::Hold(reasons, time)) => Action::Hold(conditions.and(reasons), time),
            Some(action) => action,
            None if conditions.is_empty() => Action::Converged,
            None => Action::Hold(conditions.clone(), scene.limits.timing.resync_interval),
        };
        if let Action::Demand(demand) = &action {
            self.persisted.demand(scene, demand.class, demand.urgency, &demand.reason.to_string());
        }
        let Self { persisted, waits, serves, restarts, .. } = self;
        (Decision { at: scene.now, action, conditions, waits, serves, restarts, patience }, persisted)
    }
}
