//! The part of the lifecycle that outlives the agent: the intent, the record of the present processes, and the rejected ring.
//! The ledger keeps it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::rules::SOON;
use super::{Database, Departure, Situation, Stage, StartedK2hdkc};
use crate::clock::{BootTime, Timestamp};
use crate::plan::Class;
use crate::ring_change::record::Record;
use crate::supervisor::{ProcessId, Program, Running};

/// The part of the lifecycle that outlives the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Persisted {
    /// The running chmpx, and its control port: a later file may name another one.
    pub chmpx: Option<StartedChmpx>,
    /// Processes that must be restarted.
    pub restart: Option<PendingRestart>,
    /// The running k2hdkc, and the place of its keys.
    #[serde(alias = "keeps")]
    pub k2hdkc: Option<StartedK2hdkc>,
    /// The pair that was last seen in service.
    pub served: Option<Pair>,
    /// The k2hdkc that came into service out of sight of the others, and has met none of them yet.
    pub alone: Option<ProcessId>,
    /// The k2hdkc that the agent itself started.
    pub started: Option<ProcessId>,
    /// The time of a start of k2hdkc of which no process has come yet: its supervisor takes a moment, and the next agent may
    /// be there by then.
    pub awaited: Option<BootTime>,
    /// The chmpx that another hand took out of service.
    pub out_by_hand: Option<ProcessId>,
    /// A ring that ended chmpx or made it deaf.
    pub rejected: Option<Rejected>,
    /// A leave of the cluster that has begun.
    pub leaving: Option<Departure>,
    /// A stop for maintenance; it lasts until the operator starts the node again.
    pub stopped: Option<Departure>,
    /// Programs that started at each boot before they were disabled.
    pub disabled: BTreeSet<Program>,
    /// Changes of the ring.
    pub ring: Record,
}

/// The purpose of the two programs at present: the columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent<'a> {
    /// Run as the file says.
    Run,
    /// Run as the file says, once these processes have gone.
    Restart(&'a PendingRestart),
    /// Give up the service first: the other servers answer for its keys.
    Drain(&'a Departure),
    /// End for good.
    Stop(&'a Departure),
    /// Stay ended.
    Gone(&'a Departure),
}

/// A chmpx and the control port that it was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedChmpx {
    /// The process.
    pub id: ProcessId,
    /// Control port of the process.
    pub ctlport: u16,
}

/// A chmpx and the k2hdkc on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The chmpx.
    pub chmpx: ProcessId,
    /// Its k2hdkc.
    pub k2hdkc: ProcessId,
}

/// Processes that must go. Others in their place satisfy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRestart {
    /// The chmpx, and whatever k2hdkc is on it.
    pub chmpx: Option<ProcessId>,
    /// The k2hdkc.
    pub k2hdkc: Option<ProcessId>,
    /// The consideration that it shows.
    pub urgency: Urgency,
    /// The cause, in one line.
    pub why: String,
    /// The begin of the wait for its turn.
    pub at: BootTime,
    /// The generation for which it was demanded; it begins once that file is in place.
    #[serde(default)]
    pub file: u32,
    /// True where it waits for no turn.
    #[serde(default)]
    pub at_once: bool,
}

impl PendingRestart {
    /// Returns true once the file has come for which it was demanded. The largest number is followed by small ones.
    pub(super) fn is_due(&self, situation: &Situation<'_>) -> bool {
        const WRAPPED: u32 = 1 << 30;
        // A file that is not before the programs is none that they could be restarted for.
        if self.urgency == Urgency::Change && situation.observed.file.out_of_sync.is_some() {
            return false;
        }
        let fileversion = situation.file.fileversion;
        fileversion >= self.file || self.file - fileversion > WRAPPED
    }

    /// Returns true where nothing is waited for.
    pub(super) fn hurries(&self) -> bool {
        self.urgency == Urgency::Stuck || self.at_once
    }
}

/// The consideration that a restart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// For a changed key: only where the operator allows it, and in turn.
    Change,
    /// chmpx does not load its file: in turn.
    Deaf,
    /// The programs hang: at once.
    Stuck,
}

/// A ring that is not tried again until K2HR3 says another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its name, see [`crate::render::name`].
    pub ring: String,
    /// The generation that said it.
    pub fileversion: u32,
    /// The symptom.
    pub why: String,
    /// The time of the rollback.
    pub at: Timestamp,
    /// The path of its file.
    pub kept: String,
    /// The first answer of K2HR3 with another ring.
    #[serde(default)]
    pub gone: Option<BootTime>,
}

impl Rejected {
    /// Returns its name for `k2hdkc-agent confirm`.
    pub fn id(&self) -> &str {
        self.ring.get(..8).unwrap_or(&self.ring)
    }
}

impl Persisted {
    /// Takes in one observation: forgets what other processes than the running ones were to do or had done.
    pub fn observe(&mut self, situation: &Situation<'_>) {
        let observed = situation.observed;
        self.observe_ring(situation);
        let (chmpx, k2hdkc) = (observed.chmpx.map(|p| p.id), observed.k2hdkc.map(|p| p.id));
        if chmpx.is_some() && self.chmpx.map(|ran| ran.id) != chmpx {
            self.chmpx = chmpx.map(|id| StartedChmpx { id, ctlport: situation.file.ctlport });
        }
        if k2hdkc.is_some() && self.k2hdkc.as_ref().map(|started| started.id) != k2hdkc {
            self.k2hdkc = k2hdkc.map(|id| StartedK2hdkc { id, database: Database::of(situation.ring) });
        }
        self.observe_start(situation);
        self.alone = self.alone.filter(|alone| k2hdkc.is_none_or(|id| id == *alone));
        let runs =
            |wanted: Option<ProcessId>, running: Option<ProcessId>| wanted.is_some() && wanted == running;
        self.restart = self.restart.take().filter(|r| runs(r.chmpx, chmpx) || runs(r.k2hdkc, k2hdkc));
        // A turn that was counted in another boot, or by the wall clock, begins anew.
        if let Some(uncounted) = self.restart.as_mut().filter(|r| situation.boot.since(r.at).is_none()) {
            uncounted.at = situation.boot;
        }
        self.out_by_hand = self.out_by_hand.filter(|out| chmpx.is_none_or(|id| id == *out));
    }

    /// Counts the servers of a calm ring.
    fn observe_ring(&mut self, situation: &Situation<'_>) {
        let Some(view) = situation.view() else { return };
        if view.servers.iter().all(|row| row.status.is_calm()) {
            let serving = view.servers.iter().filter(|row| row.status.is_in_service()).count();
            self.ring.observe(serving, view.automerge || situation.ring_change.is_none());
        }
    }

    /// The k2hdkc that comes of a start is the agent's own, also where an earlier agent asked for it: the first that is
    /// younger than that.
    fn observe_start(&mut self, situation: &Situation<'_>) {
        let observed = situation.observed;
        // A start of another boot brings no process any more.
        self.awaited = self.awaited.filter(|asked| situation.boot.since(*asked).is_some());
        let age = |k2hdkc: Running| situation.now.duration_since(k2hdkc.since);
        let came = |asked| {
            let waited = situation.boot.since(asked)?;
            observed.k2hdkc.filter(|k2hdkc| age(*k2hdkc) <= waited + SOON)
        };
        let own = match observed.events.appeared {
            Some((Program::K2hdkc, id)) => Some(id),
            _ => self.awaited.and_then(came).map(|k2hdkc| k2hdkc.id),
        };
        let refused = observed.events.failed_starts.iter().any(|(program, _)| *program == Program::K2hdkc);
        if let Some(id) = own {
            (self.started, self.awaited) = (Some(id), None);
        } else if refused {
            self.awaited = None;
        }
    }

    /// Returns the column of the table.
    pub(super) fn intent(&self, situation: &Situation<'_>) -> Intent<'_> {
        match self.way_out() {
            None => self.intent_to_run(situation),
            Some(leaving) => match leaving.stage {
                Stage::Draining => Intent::Drain(leaving),
                Stage::Stopping => Intent::Stop(leaving),
                Stage::Stopped | Stage::Removing | Stage::Left => Intent::Gone(leaving),
            },
        }
    }

    /// Returns the intent of a node that stays.
    pub(super) fn intent_to_run(&self, situation: &Situation<'_>) -> Intent<'_> {
        let restart = self.restart.as_ref().filter(|restart| restart.is_due(situation));
        restart.map_or(Intent::Run, Intent::Restart)
    }

    /// Returns the leave, or else the stop.
    pub(super) fn way_out(&self) -> Option<&Departure> {
        self.leaving.as_ref().or(self.stopped.as_ref())
    }

    /// Moves the leave, or the stop, on to that stage.
    pub(super) fn set_way_out(&mut self, way: Departure) {
        let place = if way.returns { &mut self.stopped } else { &mut self.leaving };
        *place = Some(way);
    }

    /// Demands a restart of the running processes; a later demand does not soften an urgent one.
    pub(super) fn demand(&mut self, situation: &Situation<'_>, class: Class, urgency: Urgency, why: &str) {
        let observed = situation.observed;
        let chmpx = observed.chmpx.map(|process| process.id).filter(|_| class == Class::RestartChmpx);
        let k2hdkc = observed.k2hdkc.map(|process| process.id);
        self.merge((chmpx, k2hdkc), urgency, why, (situation.boot, 0));
    }

    /// Demands a restart for a changed key, where a process runs that would have to go.
    pub fn demand_for_change(
        &mut self,
        class: Class,
        chmpx: Option<ProcessId>,
        k2hdkc: Option<ProcessId>,
        why: &str,
        at: (BootTime, u32),
    ) {
        let chmpx = chmpx.filter(|_| class == Class::RestartChmpx);
        if class >= Class::RestartK2hdkc && (chmpx.is_some() || k2hdkc.is_some()) {
            self.merge((chmpx, k2hdkc), Urgency::Change, why, at);
        }
    }

    /// Lets the restart wait for no turn: with the file that comes, this server and the others do not meet.
    pub fn make_haste(&mut self) {
        if let Some(restart) = &mut self.restart {
            restart.at_once = true;
        }
    }

    /// Withdraws the restart for a changed key: no change is left.
    pub fn withdraw_change(&mut self) {
        self.restart = self.restart.take().filter(|restart| restart.urgency > Urgency::Change);
    }

    /// Demands that the running processes go at once: their ring was rolled back.
    pub fn demand_now(
        &mut self,
        chmpx: Option<ProcessId>,
        k2hdkc: Option<ProcessId>,
        why: &str,
        at: (BootTime, u32),
    ) {
        if chmpx.is_some() {
            self.merge((chmpx, k2hdkc), Urgency::Stuck, why, at);
        }
    }

    /// Joins a new demand with the present one.
    fn merge(
        &mut self,
        (chmpx, k2hdkc): (Option<ProcessId>, Option<ProcessId>),
        urgency: Urgency,
        why: &str,
        (at, file): (BootTime, u32),
    ) {
        let why = why.to_owned();
        let new = PendingRestart { chmpx, k2hdkc, urgency, why, at, file, at_once: false };
        let Some(old) = self.restart.take() else {
            self.restart = Some(new);
            return;
        };
        let (urgency, why) =
            if old.urgency > new.urgency { (old.urgency, old.why) } else { (new.urgency, new.why) };
        self.restart = Some(PendingRestart {
            chmpx: new.chmpx.or(old.chmpx),
            k2hdkc: new.k2hdkc,
            urgency,
            why,
            at: old.at,
            file: old.file.max(new.file),
            at_once: old.at_once,
        });
    }

    /// Returns the place of this k2hdkc's keys, as far as it is known.
    pub(super) fn database_of(&self, k2hdkc: ProcessId) -> Option<&Database> {
        self.k2hdkc.as_ref().filter(|started| started.id == k2hdkc).map(|started| &started.database)
    }

    /// Returns the restart for which this k2hdkc must go: itself, or with the chmpx that it is on.
    pub(super) fn must_go(&self, situation: &Situation<'_>, k2hdkc: ProcessId) -> Option<&PendingRestart> {
        let on = situation.observed.chmpx.map(|chmpx| chmpx.id);
        let goes = |r: &&PendingRestart| {
            r.is_due(situation) && (r.k2hdkc == Some(k2hdkc) || (r.chmpx.is_some() && r.chmpx == on))
        };
        self.restart.as_ref().filter(goes)
    }
}
