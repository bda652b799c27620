//! The files that the lifecycle asks for: the same ring again, or one that it goes back to.

use std::time::Duration;

use tokio::time::Instant;

use super::{Cause, Inputs, Installation, Reconciler};
use crate::file;
use crate::installed::{self, Look};
use crate::lifecycle::words::File;
use crate::lifecycle::{Action, Rejected, Rewrite, Rollback, SOON};
use crate::plan;
use crate::problem::{chain, one_line};
use crate::retry::Retry;
use crate::ring::Ring;
use crate::supervisor::Supervisor;

/// The past of the live file: a change that rests, and failures to write it.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) look: Look,
    /// A change that waits for more of them.
    pub(super) settling: Option<Settling>,
    /// The reason for which a kept generation is in place, until an answer is good again.
    pub(super) restored: Option<String>,
    /// Passes in a row that failed on this host.
    pub(super) host: Retry,
}

/// A change that rests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settling {
    pub(super) ring: Ring,
    pub(super) first: Instant,
    pub(super) last: Instant,
    /// True while it waits for the end of the ring's change.
    pub(super) is_held: bool,
}

impl Settling {
    /// Returns when it has rested long enough, or waited as long as it may.
    pub(super) fn due(&self, (rest, most): (Duration, Duration)) -> Instant {
        (self.last + rest).min(self.first + most)
    }
}

impl Files {
    /// Returns why the host is not tried again yet.
    pub(super) fn rests(&self) -> Option<String> {
        let error = self.host.last_error()?;
        (!self.host.is_due(Instant::now())).then(|| error.to_owned())
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Returns the file that the lifecycle asks for; else the condition that keeps it from being written, and for how long.
    pub(super) fn asked_for(
        &mut self,
        inputs: &Inputs,
        action: &Action,
    ) -> Result<Option<Installation>, (File, Duration)> {
        let (Action::Rewrite(_, reason) | Action::RollBack(_, reason)) = action else { return Ok(None) };
        let (reason, look) = (reason.to_string(), self.settings.supervisor.timing.resync_interval);
        if let Some(error) = self.files.rests() {
            return Err((File::CannotBeWritten { reason, error }, look));
        }
        match action {
            Action::RollBack(back, _) => self.way_back(inputs, *back, &reason).map(Some).map_err(|error| {
                let fileversion = inputs.installed.fileversion().unwrap_or_default();
                let condition = File::CannotBeRolledBack { reason, error };
                self.processes.no_way_back = Some((fileversion, condition.to_string()));
                (condition, SOON)
            }),
            Action::Rewrite(rewrite, _) => self
                .written_again(inputs, *rewrite, &reason)
                .map(Some)
                .map_err(|error| (File::CannotBeRewritten { reason, error }, look)),
            _ => Ok(None),
        }
    }

    /// The same ring under the next number.
    fn written_again(&self, inputs: &Inputs, rewrite: Rewrite, why: &str) -> Result<Installation, String> {
        let ring = inputs.installed.ring().ok_or("chmpx would refuse the live file")?;
        let validated = self.validated(inputs, (**ring).clone()).map_err(|problems| one_line(&problems))?;
        let cause = Cause::Rewrite(rewrite, why.to_owned());
        let plan = plan::plan(Some(ring), ring);
        Ok(Installation { validated, plan, names: self.names_of_kept(inputs, ring), cause })
    }

    /// The ring that it goes back to, under the next number; the live file is kept aside.
    fn way_back(&self, inputs: &Inputs, back: Rollback, why: &str) -> Result<Installation, String> {
        let missing = || "no generation that chmpx ran with is kept".to_owned();
        let ledger = self.store.ledger();
        let way = match back {
            Rollback::Previous => &ledger.before,
            Rollback::Verified => &ledger.verified,
        };
        let way = way.as_ref().ok_or_else(missing)?;
        let (_, path) = self
            .store
            .good_files()
            .into_iter()
            .find(|(version, _)| *version == way.fileversion)
            .ok_or_else(missing)?;
        let bytes = file::read(&path).map_err(|error| chain(&error))?;
        let ring = installed::read_bytes(&bytes).ring().cloned().ok_or_else(missing)?;
        let ring = self.in_present_way(inputs, &ring);
        // What chmpx has room for is no question where it is dead.
        let validated = self.validated(inputs, (*ring).clone()).map_err(|problems| one_line(&problems))?;
        let plan = plan::plan(inputs.installed.ring().map(|ring| &**ring), &ring);
        let names = self.names_of_kept(inputs, &ring);
        Ok(Installation { validated, plan, names, cause: Cause::Rejected(why.to_owned()) })
    }

    /// Keeps the live file aside before it is replaced: what it was, and why it goes.
    pub(super) fn keep_aside(&self, why: &str) -> Result<Rejected, String> {
        let ledger = self.store.ledger();
        let written = ledger.written.as_ref().ok_or_else(|| "nothing was written".to_owned())?;
        let live = file::read(&self.settings.ini.path).map_err(|error| chain(&error))?;
        let kept = self.store.keep_rejected(written.fileversion, &live).map_err(|error| chain(&error))?;
        Ok(Rejected {
            ring: written.ring.clone(),
            fileversion: written.fileversion,
            why: why.to_owned(),
            at: self.clock.now().wall,
            gone: None,
            kept: kept.display().to_string(),
        })
    }
}
