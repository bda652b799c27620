//! From a decision to a report: the ledger learns, the file is installed, one step is taken.

use std::time::Duration;

use tokio::time::Instant;

use super::processes::Ids;
use super::{Cause, Decided, FileDecision, Installation, PassDecision, ProgramsDecision, Reconciler, Seen};
use crate::apply;
use crate::clock::BootTime;
use crate::guard;
use crate::hosts::Names;
use crate::ledger::Ledger;
use crate::lifecycle::{Action, Persisted, Rejected, Replacement};
use crate::plan::{Class, Plan};
use crate::problem::chain;
use crate::render;
use crate::report::{LastPass, Outcome, Report};
use crate::supervisor::{Step, Supervisor};
use crate::wake::Reasons;

impl<T: Supervisor> Reconciler<T> {
    /// Does what was decided, and reports it.
    pub(super) async fn carry_out(&mut self, decision: PassDecision, reasons: Reasons) -> Report {
        let PassDecision { file, programs, mut notes, ring, asked } = decision;
        let FileDecision { verdict, plan, waiting, guard, names, replaces_unloadable, counted } = file;
        let ProgramsDecision { lifecycle, unsynced, persisted, seen, request, processes, spec } = programs;
        // Another good answer has come since the one that was rolled back; one of them may be a cut one.
        let another =
            asked.is_some() && request.is_none() && matches!(verdict, Decided::Leave(Outcome::Unchanged));
        let again = request.is_none() && matches!(verdict, Decided::Leave(Outcome::Rejected(_)));
        let (forget_after, picked) = (self.settings.guard.confirm_for, self.supervisor.in_force());
        let (now, held) = (self.clock.now().boot, self.processes.held);
        let learnt = |ledger: &mut Ledger| {
            remember(ledger, guard, persisted, seen);
            forget_rejected(ledger, another, again, (now, forget_after));
            ledger.picked = picked.or(ledger.picked);
            ledger.processes.ring.hold(held);
        };
        if let Err(error) = self.store.learn(learnt) {
            notes.push(format!("what was learnt is not kept over a restart: {}", chain(&error)));
        }
        let (decided, spec) = (lifecycle.as_deref(), spec.as_ref());
        // Who writes the file in place would write over this one.
        let (first, then) = match decided.map(|decided| &decided.action) {
            Some(Action::Step(Step::DisableWriter, _)) => (decided, None),
            _ => (None, decided),
        };
        let writer_ended = self.step(first, spec).await;
        let (outcome, written) = self.install_decided(verdict, request, names.as_deref(), &mut notes);
        if let (Outcome::Installed(generation) | Outcome::Restored(generation, _), true) =
            (&outcome, replaces_unloadable)
        {
            self.processes.mended(generation.fileversion);
        }
        self.count_failure(written.as_ref().unwrap_or(&outcome), counted);
        let written = written.map(|outcome| match outcome {
            Outcome::Failed(error) => Err(error),
            outcome => Ok(outcome.to_string()),
        });
        let step = self.step(then, spec).await.or(writer_ended).or(written);
        let step = step.or(unsynced.map(Err));
        let (at, reasons) = (self.clock.now().wall, reasons.to_string());
        let left_out = self.left_out();
        let report =
            Report { at, reasons, asked, outcome, plan, waiting, notes, left_out, processes, ring, step };
        self.keep_last(&report);
        report
    }

    /// Installs the file that was decided on. Returns the outcome, and what came of a file that was asked for beside a doubt.
    fn install_decided(
        &mut self,
        verdict: Decided,
        request: Option<Box<Installation>>,
        names: Option<&Names>,
        notes: &mut Vec<String>,
    ) -> (Outcome, Option<Outcome>) {
        match (verdict, request) {
            (Decided::Install(installation), _) => (self.install(*installation, notes), None),
            (Decided::Leave(Outcome::Unchanged), Some(request)) => (self.install(*request, notes), None),
            (Decided::Leave(Outcome::Unchanged), None) => (self.adopt(names, notes), None),
            (Decided::Leave(outcome), Some(request)) => {
                // A rollback, and a failure of this host, are more than a doubt.
                match self.install(*request, notes) {
                    done @ (Outcome::RolledBack(..) | Outcome::Failed(_)) => (done, None),
                    done => (outcome, Some(done)),
                }
            }
            (Decided::Leave(outcome), None) => (outcome, None),
        }
    }

    /// Counts passes in a row in which this host did not let the agent do its work. `counted` is true for one that was counted
    /// before.
    fn count_failure(&mut self, outcome: &Outcome, counted: bool) {
        match outcome {
            Outcome::Failed(_) if counted => {}
            Outcome::Failed(text) => {
                self.files.host.failed(Instant::now(), text, &self.settings.poll.pauses(), 1.0);
            }
            // The file is right; that it could not be written again is not over.
            Outcome::Unchanged if self.files.rests().is_some() => {}
            Outcome::Installed(_)
            | Outcome::Restored(..)
            | Outcome::Rewritten(..)
            | Outcome::RolledBack(..)
            | Outcome::Unchanged => self.files.host.succeeded(),
            Outcome::Settling
            | Outcome::Doubtful(_)
            | Outcome::Refused(_)
            | Outcome::Rejected(_)
            | Outcome::Held(_) => {}
        }
    }

    /// Keeps what the pass came to. A full disk, of which every pass tells, keeps it from nothing.
    fn keep_last(&mut self, report: &Report) {
        if report.asked.is_some() && report.outcome.is_good() {
            self.membership.last_good = Some(report.at);
        }
        let kept = self.store.ledger().last.as_ref();
        if let Some(last) = LastPass::after(kept, report, self.membership.last_good) {
            let _ = self.store.learn(|ledger| ledger.last = Some(last));
        }
    }

    fn install(&mut self, installation: Installation, notes: &mut Vec<String>) -> Outcome {
        let Installation { validated, plan, names, cause } = installation;
        let running = self.processes.running();
        let replacement = match &cause {
            Cause::Rewrite(rewrite, _) => Replacement::SameRing(*rewrite),
            Cause::Answer | Cause::Lost(_) | Cause::Rejected(_) => Replacement::NewRing,
        };
        let rejected = match &cause {
            Cause::Rejected(why) => match self.keep_aside(why) {
                Ok(rejected) => Some(rejected),
                Err(error) => return Outcome::Failed(error),
            },
            Cause::Answer => None,
            Cause::Lost(_) | Cause::Rewrite(..) => self.store.ledger().processes.rejected.clone(),
        };
        let now = self.clock.now();
        let at = (now.boot, validated.rendered().stamp.fileversion);
        let ring = render::name(&validated.rendered().ring);
        let also = |ledger: &mut Ledger| {
            remember_installation(ledger, &cause, &ring, rejected);
            if let Some(running) = running {
                demand_restarts(&mut ledger.processes, &plan, running, at);
                // Back to the ring that they were last seen to run wholly.
                let back = ledger.verified.as_ref().is_some_and(|verified| verified.ring == ring);
                if back && matches!(cause, Cause::Answer) {
                    ledger.processes.withdraw_change();
                }
                if let Cause::Rejected(why) = &cause {
                    ledger.processes.demand_now(running.0, running.1, why, at);
                }
            }
        };
        let (settings, store) = (&self.settings, &mut self.store);
        let applied = match apply::install(&validated, names.as_deref(), settings, store, now, also) {
            Ok(applied) => applied,
            Err(error) => return Outcome::Failed(chain(&error)),
        };
        self.files.settling = None;
        self.processes.replaced(replacement);
        let fileversion = applied.generation.fileversion;
        notes.extend(applied.notes);
        // Nobody of this process moves others: what waits for that is told.
        if (running.is_none() || !self.daemon) && plan.class > Class::Reload {
            notes.push(format!("generation {fileversion}: {}", plan.meaning()));
        }
        match cause {
            Cause::Answer => Outcome::Installed(applied.generation),
            Cause::Rewrite(_, why) => Outcome::Rewritten(applied.generation, why),
            Cause::Rejected(why) => Outcome::RolledBack(applied.generation, why),
            Cause::Lost(why) => {
                self.files.restored = Some(format!("generation {fileversion}: {why}"));
                Outcome::Restored(applied.generation, why)
            }
        }
    }

    /// The file is right: the ledger and the hosts block must say so too, also after a kill in between, and for
    /// a right file that somebody else wrote.
    fn adopt(&mut self, names: Option<&Names>, notes: &mut Vec<String>) -> Outcome {
        let (path, now) = (self.settings.ini.path.clone(), self.clock.now());
        notes.extend(
            names.into_iter().flat_map(|names| apply::update_hosts(self.settings.hosts.file(), names)),
        );
        let adopted =
            self.files.look.at(&path, now.wall).map_err(|error| chain(&error)).and_then(|installed| {
                apply::adopt(&installed, &path, &mut self.store, now).map_err(|error| chain(&error))
            });
        notes.extend(adopted.err().map(|error| format!("the ledger is not up to date: {error}")));
        Outcome::Unchanged
    }
}

/// Keeps the generation before this one, and the ring that was rolled back.
fn remember_installation(ledger: &mut Ledger, cause: &Cause, ring: &str, rejected: Option<Rejected>) {
    if matches!(cause, Cause::Answer) {
        let other = ledger.loaded.as_ref().is_some_and(|loaded| loaded.ring != ring);
        ledger.before = if other { ledger.loaded.clone() } else { ledger.before.take() };
    }
    ledger.processes.rejected = rejected;
}

/// Demands the restarts that the change takes.
fn demand_restarts(persisted: &mut Persisted, plan: &Plan, (chmpx, k2hdkc): Ids, at: (BootTime, u32)) {
    persisted.demand_for_change(plan.class, chmpx, k2hdkc, &plan.meaning(), at);
    if plan.at_once {
        persisted.make_haste();
    }
}

/// Writes the findings of a pass into the ledger.
fn remember(ledger: &mut Ledger, guard: Option<guard::Memory>, persisted: Option<Persisted>, seen: Seen) {
    if let Some(guard) = guard {
        ledger.guard = guard;
    }
    let Some(persisted) = persisted else { return };
    ledger.processes = persisted;
    // A chmpx that runs on with old keys proves nothing of the new ones.
    let restarts = ledger.processes.restart.is_some();
    if seen.carried && !restarts {
        ledger.applied.clone_from(&ledger.written);
    }
    if seen.loaded {
        ledger.loaded.clone_from(&ledger.written);
    }
    if seen.loaded && !restarts {
        ledger.verified.clone_from(&ledger.written);
    }
}

/// A ring that was rolled back may come again once K2HR3 has said another one for a while.
fn forget_rejected(ledger: &mut Ledger, another: bool, again: bool, (now, after): (BootTime, Duration)) {
    let Some(rejected) = &mut ledger.processes.rejected else { return };
    if again {
        rejected.gone = None;
    }
    if another {
        let gone = rejected.gone.filter(|gone| now.since(*gone).is_some()).unwrap_or(now);
        rejected.gone = Some(gone);
        if now.since(gone).is_some_and(|time| time >= after) {
            ledger.processes.rejected = None;
        }
    }
}
