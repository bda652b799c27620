//! The replacements of the file, and what was tried to have chmpx load it.

use std::time::Duration;

use tokio::time::Instant;

use super::At;
use crate::lifecycle::Rewrite;
use crate::lifecycle::rules::{ANNOUNCE_AGAIN, ANNOUNCE_WITHIN, ANNOUNCEMENTS, FEW_SYNCS};
use crate::lifecycle::situation::Situation;
use crate::retry::{Backoff, Retry};
use crate::supervisor::ChmpxReport;

/// A replacement of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// By another ring, to which nothing tried so far applies.
    NewRing,
    /// By the same ring under the next generation.
    SameRing(Rewrite),
}

/// The replacements of the file, and what was tried with it.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct FileHistory {
    replaced: Option<Instant>,
    /// Rewrites of this ring since chmpx has not loaded it.
    pub(in crate::lifecycle) rewrites: u32,
    /// Rewrites of this ring to correct the list of servers.
    pub(in crate::lifecycle) relists: u32,
    /// Announcements of this server that are left, after another ring was loaded.
    announcements: u32,
    announced: Option<Instant>,
    syncs: Syncs,
}

/// Copies of the installed file to where the programs read it.
#[derive(Debug, Clone, Default)]
struct Syncs {
    /// Copies in a row that did not last, and the latest of them.
    times: u32,
    last: Option<Instant>,
    failures: Retry,
}

/// Reason not to copy the file now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lifecycle) enum SyncPause {
    /// Another program writes it: so many copies did not last.
    InVain(u32, Duration),
    /// The latest copy failed.
    Failed(String, Duration),
}

impl FileHistory {
    pub(super) fn observe(&mut self, situation: &Situation<'_>) {
        let observed = situation.observed;
        // The file of another writer, replaced just before, is as fresh as one of our own.
        self.replaced.get_or_insert(situation.now);
        if observed.file.out_of_sync.is_some() || observed.unobservable.is_some() {
            return;
        }
        self.syncs.lasts();
        let current = self.current_report(situation).map(|said| &said.view);
        if let Some(view) = current.filter(|view| view.fileversion == Some(situation.file.fileversion)) {
            self.rewrites = 0;
            if self.relists > 0 && situation.list_differs(view).is_none() {
                self.relists = 0;
            }
        }
    }

    /// Returns the latest answer of chmpx, if it is younger than the quiet time after the latest replacement.
    pub(super) fn current_report<'a>(&self, situation: &Situation<'a>) -> Option<&'a ChmpxReport> {
        let quiet = self.quiet_until(situation.limits.timing.quiet_after_write);
        let report = situation.observed.control.report.as_ref();
        report.filter(|said| quiet.is_none_or(|until| said.at >= until))
    }

    pub(super) fn replaced(&mut self, now: Instant, replacement: Replacement) {
        self.replaced = Some(now);
        match replacement {
            Replacement::NewRing => {
                (self.rewrites, self.relists) = (0, 0);
                (self.announcements, self.announced) = (ANNOUNCEMENTS, None);
            }
            Replacement::SameRing(Rewrite::NotLoaded) => self.rewrites += 1,
            Replacement::SameRing(Rewrite::List) => self.relists += 1,
        }
    }

    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        self.replaced.map(|at| now.duration_since(at))
    }

    pub(super) fn quiet_until(&self, quiet: Duration) -> Option<Instant> {
        self.replaced.map(|at| at + quiet)
    }

    /// Returns true where the others should hear now that this server has loaded another ring.
    pub(in crate::lifecycle) fn announces(&self, now: Instant) -> bool {
        let fresh = self.age(now).is_some_and(|age| age < ANNOUNCE_WITHIN);
        let again = self.announced.is_none_or(|at| now.duration_since(at) >= ANNOUNCE_AGAIN);
        self.announcements > 0 && fresh && again
    }

    pub(super) fn announced(&mut self, now: Instant) {
        self.announcements = self.announcements.saturating_sub(1);
        self.announced = Some(now);
    }

    /// Takes in a copy: the programs hear of the file only now.
    pub(super) fn synced(&mut self, failure: Option<&str>, at: &At) {
        let syncs = &mut self.syncs;
        if let Some(error) = failure {
            syncs.failures.failed(at.now, error, &at.backoff, at.random);
            // Failures have a pause of their own.
            syncs.lasts();
        } else {
            (syncs.times, syncs.last) = (syncs.times + 1, Some(at.now));
            syncs.failures.succeeded();
            self.replaced = Some(at.now);
        }
    }

    /// The obstacle of the latest copy is gone.
    pub(super) fn may_sync(&mut self) {
        self.syncs.failures.succeeded();
    }

    /// Returns why the file is not copied now; two programs that write in turn would end chmpx now and then.
    pub(in crate::lifecycle) fn sync_pause(&self, now: Instant, backoff: &Backoff) -> Option<SyncPause> {
        let Syncs { times, last, failures } = &self.syncs;
        let pause = times.checked_sub(FEW_SYNCS).map(|more| backoff.pause(more + 1, 1.0));
        let rest = last.zip(pause).and_then(|(at, pause)| (at + pause).checked_duration_since(now));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            return Some(SyncPause::InVain(*times, rest));
        }
        let rest = failures.wait(now)?;
        Some(SyncPause::Failed(failures.last_error().unwrap_or_default().to_owned(), rest))
    }
}

impl Syncs {
    fn lasts(&mut self) {
        (self.times, self.last) = (0, None);
    }
}
