//! The running agent's membership of its role, and the commands about it. This node enters its role before it asks
//! for the members, and leaves it on command.

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::Agent;
use super::registrar::{Attempted, Came};
use crate::admin::{Command, Commanded};
use crate::clock::Timestamp;
use crate::ledger::Joined;
use crate::lifecycle::{Departure, Insistence};
use crate::problem::chain;
use crate::process_status::State;
use crate::registration::{Verdict, Wish};
use crate::source::Answered;
use crate::status::Registration;
use crate::wake::{Reason, Reasons};

impl Agent {
    /// Returns true where this node tries to become a member before it asks for them.
    fn joins_first(&self) -> bool {
        self.registrar.comes_first(self.reconciler.settings(), self.reconciler.store().ledger())
    }

    /// Returns true where the source may be asked: not before this node has tried to become a member, and not after
    /// it left.
    pub(super) fn asks(&self) -> bool {
        !self.joins_first() && self.reconciler.leaving().is_none_or(Departure::follows)
    }

    pub(super) fn ask_what_is_held_back(&mut self) {
        if self.asks() {
            let reasons = std::mem::take(&mut self.held_back);
            self.asker.ask(reasons, &self.reconciler.settings().k2hr3);
        }
    }

    /// Returns the time of the next attempt at the role, where one is needed.
    pub(super) fn errand(&self) -> Option<Instant> {
        let ledger = self.reconciler.store().ledger();
        self.registrar
            .errand(self.reconciler.settings(), ledger, ledger.joined.is_some())
            .map(|_| self.registrar.due())
    }

    pub(super) fn attempted(&mut self, attempted: &Attempted) {
        if self.registrar.is_over(attempted.wish, self.reconciler.store().ledger()) {
            debug!(wish = ?attempted.wish, "what came of it is of no use: something else is wanted by now");
            self.registrar.hurry();
            self.ask_what_is_held_back();
            return;
        }
        let came = self.registrar.take(attempted, self.reconciler.settings());
        self.registrar.log(&came);
        let Came { good, line, .. } = came;
        self.status.registration = Some(Registration { good, line, at: Timestamp::now() });
        if let Ok(Verdict::Member(_)) = attempted.result {
            if let Err(error) = self.reconciler.joined(attempted.who.clone()) {
                warn!(error = chain(&error), "that this node is a member is not kept over a restart");
            }
            if attempted.wish == Wish::Join {
                self.waker.wake(Reason::Joined);
            }
        }
        if attempted.wish == Wish::Leave && attempted.result == Ok(Verdict::Absent) {
            self.removed(attempted.who.clone());
        }
        self.publish();
        self.ask_what_is_held_back();
    }

    /// Learns from an answer whether this node is still in its role. Every pass reports a count that cannot be kept.
    pub(super) fn membership_shown(&mut self, answered: &Answered) {
        self.registrar.answered(answered, self.reconciler.settings());
        let _ = self.reconciler.missing(self.registrar.missing());
        let shown = self.registrar.shown(self.reconciler.settings());
        if let (Some(registration), Some(Came { good, line, .. })) = (&mut self.status.registration, shown) {
            (registration.good, registration.line) = (good, line);
        }
    }

    /// Drops a leave or a stop of another VM, whose state this one took over. cloud-init may name this VM only after
    /// the agent's start, so the agent looks each time.
    pub(super) fn look_who_leaves(&mut self) {
        match self.reconciler.is_another() {
            Ok(true) => {
                warn!("the order to leave or to stop was for another CUK; this node joins, and runs");
                (self.status.leaving, self.status.stopped) = (None, None);
            }
            Ok(false) => {}
            Err(error) => error!(error = chain(&error), "that this node does not leave cannot be kept"),
        }
    }

    fn removed(&mut self, as_whom: Option<Joined>) {
        match self.reconciler.removed(as_whom) {
            Ok(()) => info!("K2HR3 does not have this node in its role any more"),
            // The retry is safe: a removed record stays removed.
            Err(error) => error!(error = chain(&error), "that this node was removed cannot be kept"),
        }
        self.status.leaving = self.reconciler.leaving().cloned();
        self.waker.wake(Reason::Look);
    }

    pub(super) fn commanded(&mut self, commanded: Commanded) -> Reasons {
        if commanded.reply.is_closed() {
            // The client has gone, with the failure as its answer.
            return Reasons::default();
        }
        let (result, reasons) = match &commanded.command {
            Command::Confirm(id) => self.confirmed(id.as_deref()),
            Command::Look => {
                self.reconciler.ask_soon();
                (Ok("chmpx is asked".to_owned()), Reason::Look.into())
            }
            Command::Join => self.join(),
            Command::Leave { force, confirmed } => {
                self.leave(Insistence { force: *force, confirmed: *confirmed })
            }
            Command::Stop { force } => self.stop(*force),
            Command::Start => self.start(),
        };
        // A client that went away needs no answer.
        let _ = commanded.reply.send(result);
        reasons
    }

    fn join(&mut self) -> (Result<String, String>, Reasons) {
        match self.reconciler.stay() {
            Ok(true) => warn!("this node stays in the cluster, or comes back: its leave is called off"),
            Ok(false) => {}
            Err(error) => return (Err(chain(&error)), Reasons::default()),
        }
        (self.status.registration, self.status.leaving) = (None, None);
        self.publish();
        self.registrar.order(Wish::Join);
        (Ok("the agent enters the role".to_owned()), Reason::Look.into())
    }

    fn leave(&mut self, how: Insistence) -> (Result<String, String>, Reasons) {
        let result = self.reconciler.leave(how);
        match &result {
            Ok(line) => {
                warn!(how.force, "{line}");
                self.registrar.leave();
                (self.status.registration, self.status.leaving) = (None, self.reconciler.leaving().cloned());
                self.status.stopped = None;
                self.publish();
            }
            Err(line) => warn!("{line}"),
        }
        (result, Reason::Look.into())
    }

    fn stop(&mut self, force: bool) -> (Result<String, String>, Reasons) {
        let result = self.reconciler.stop(force);
        match &result {
            Ok(line) => warn!(force, "{line}"),
            Err(line) => warn!("{line}"),
        }
        self.status.stopped = self.reconciler.stopped().cloned();
        self.publish();
        (result, Reason::Look.into())
    }

    fn start(&mut self) -> (Result<String, String>, Reasons) {
        let result = self
            .reconciler
            .start()
            .map(|was| if was { "this node runs again" } else { "no stop was ordered" }.to_owned());
        if let Ok(line) = &result {
            info!("{line}");
        }
        (self.status.stopped, self.status.processes) = (self.reconciler.stopped().cloned(), None);
        self.publish();
        (result, Reason::Look.into())
    }

    fn confirmed(&mut self, id: Option<&str>) -> (Result<String, String>, Reasons) {
        let stuck = self.status.processes.as_ref().filter(|processes| processes.state == State::Held);
        let result = self.reconciler.confirm(id).map_err(|line| match stuck {
            Some(processes) => {
                format!("{line}; the state of the ring needs no confirmation: {}", processes.text)
            }
            None => line,
        });
        let reasons = if result.is_ok() { Reason::Confirmed.into() } else { Reasons::default() };
        match &result {
            Ok(line) => info!("{line}"),
            Err(line) => info!("not confirmed: {line}"),
        }
        (result, reasons)
    }
}
