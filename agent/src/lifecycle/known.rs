//! What must outlive the agent: which processes were started with what, which must go, and which ring was rejected.
//! Kept in the ledger.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::rules::SOON;
use super::{Case, Copies, Database, Keeps, Leaving};
use crate::clock::{BootTime, Timestamp};
use crate::plan::Class;
use crate::supervisor::{Identity, Program, Running};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// The chmpx that runs, and where it listens: a later file may name another port.
    pub chmpx: Option<Ran>,
    /// Processes that must be started anew.
    pub restart: Option<Restart>,
    /// The k2hdkc that runs, and where it has its keys.
    pub keeps: Option<Keeps>,
    /// The pair that was last seen in service.
    pub served: Option<Pair>,
    /// The k2hdkc that came into service out of sight of the others, and has met none of them yet.
    pub alone: Option<Identity>,
    /// The k2hdkc that the agent itself started.
    pub started: Option<Identity>,
    /// When a start of k2hdkc was asked for of which no process has come yet: who runs it takes a moment, and another agent
    /// may be there by then.
    pub awaited: Option<BootTime>,
    /// The chmpx that somebody else took out of service.
    pub out_by_hand: Option<Identity>,
    /// The chmpx that the agent took out of service for a restart.
    pub drained: Option<Identity>,
    /// A ring that ended chmpx or made it deaf.
    pub rejected: Option<Rejected>,
    /// How far the node is on its way out of the cluster.
    pub leaving: Option<Leaving>,
    /// How far a stop for maintenance is; it lasts until somebody starts the node again.
    pub stopped: Option<Leaving>,
    /// The programs that started at each boot before they were retired.
    pub disabled: BTreeSet<Program>,
    /// What may have gone with other servers.
    pub copies: Copies,
}

/// A chmpx and what it was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The process.
    pub id: Identity,
    /// Its control port.
    pub ctlport: u16,
}

/// A chmpx and the k2hdkc on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The one.
    pub chmpx: Identity,
    /// The other.
    pub k2hdkc: Identity,
}

/// Processes that must go: satisfied as soon as others run in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// This chmpx, and whatever k2hdkc is on it.
    pub chmpx: Option<Identity>,
    /// This k2hdkc.
    pub k2hdkc: Option<Identity>,
    /// How much consideration there is.
    pub urgency: Urgency,
    /// Why, in one line.
    pub why: String,
    /// Since when.
    pub at: BootTime,
    /// The generation for which; until its file is in place, nothing is restarted.
    #[serde(default)]
    pub file: u32,
    /// Whether it waits for no turn and leaves no service first.
    #[serde(default)]
    pub at_once: bool,
}

impl Restart {
    /// Whether the file for which it was demanded has come. The largest number is followed by small ones.
    pub(super) fn is_due(&self, case: &Case<'_>) -> bool {
        const WRAPPED: u32 = 1 << 30;
        // One that is not before the processes is none that they could be restarted for.
        if self.urgency == Urgency::Change && case.observed.misplaced.is_some() {
            return false;
        }
        case.fileversion >= self.file || self.file - case.fileversion > WRAPPED
    }
}

/// How much consideration a restart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// For a changed key: only where the operator allows it, in turn, and out of service first.
    Change,
    /// chmpx does not load its file: out of service first.
    Deaf,
    /// Nothing goes any more: at once.
    Stuck,
}

/// A ring that is not tried again until K2HR3 says another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its name, see [`crate::render::name`].
    pub ring: String,
    /// The generation that said it.
    pub fileversion: u32,
    /// What happened.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// Where its file is kept.
    pub kept: String,
    /// Since when K2HR3 has said another one.
    #[serde(default)]
    pub gone: Option<BootTime>,
}

impl Rejected {
    /// Its name for `k2hdkc-agent confirm`.
    pub fn id(&self) -> &str {
        self.ring.get(..8).unwrap_or(&self.ring)
    }
}

impl Known {
    /// Forgets what other processes than the running ones were to do or had done.
    pub(super) fn notice(&mut self, case: &Case<'_>) {
        self.copies.notice(case);
        let (chmpx, k2hdkc) = (case.observed.chmpx.map(|p| p.id), case.observed.k2hdkc.map(|p| p.id));
        if chmpx.is_some() && self.chmpx.map(|ran| ran.id) != chmpx {
            self.chmpx = chmpx.map(|id| Ran { id, ctlport: case.ctlport });
        }
        if k2hdkc.is_some() && self.keeps.as_ref().map(|keeps| keeps.id) != k2hdkc {
            self.keeps = k2hdkc.map(|id| Keeps { id, database: Database::of(case.ring) });
        }
        self.notice_start(case);
        self.alone = self.alone.filter(|alone| k2hdkc.is_none_or(|id| id == *alone));
        let due = |wanted: Option<Identity>, running: Option<Identity>| wanted.is_some() && wanted == running;
        self.restart = self.restart.take().filter(|r| due(r.chmpx, chmpx) || due(r.k2hdkc, k2hdkc));
        // A turn that was counted in another boot, or by the wall clock, begins anew.
        if let Some(uncounted) = self.restart.as_mut().filter(|r| case.boot.since(r.at).is_none()) {
            uncounted.at = case.boot;
        }
        self.out_by_hand = self.out_by_hand.filter(|out| chmpx.is_none_or(|id| id == *out));
        // A k2hdkc that stopped for a restart leaves its chmpx out of service until another has joined.
        self.drained = self.drained.filter(|drained| chmpx.is_none_or(|id| id == *drained));
    }

    /// The k2hdkc that comes of a start is the agent's own, also where an earlier agent asked for it: the first that is
    /// younger than that.
    fn notice_start(&mut self, case: &Case<'_>) {
        // One that was asked for in another boot comes no more.
        self.awaited = self.awaited.filter(|asked| case.boot.since(*asked).is_some());
        let age = |k2hdkc: Running| case.now.duration_since(k2hdkc.since);
        let came = |asked| {
            let waited = case.boot.since(asked)?;
            case.observed.k2hdkc.filter(|k2hdkc| age(*k2hdkc) <= waited + SOON)
        };
        let own = match case.observed.appeared {
            Some((Program::K2hdkc, id)) => Some(id),
            _ => self.awaited.and_then(came).map(|k2hdkc| k2hdkc.id),
        };
        let refused = case.observed.refused.iter().any(|(program, _)| *program == Program::K2hdkc);
        if let Some(id) = own {
            (self.started, self.awaited) = (Some(id), None);
        } else if refused {
            self.awaited = None;
        }
    }

    /// A leave, or else a stop.
    pub(super) fn way_out(&self) -> Option<&Leaving> {
        self.leaving.as_ref().or(self.stopped.as_ref())
    }

    /// How far that is by now.
    pub(super) fn set_way_out(&mut self, way: Leaving) {
        let place = if way.returns { &mut self.stopped } else { &mut self.leaving };
        *place = Some(way);
    }

    /// Demands a restart of what runs now; an urgent demand is not softened by a later one.
    pub(super) fn demand(&mut self, case: &Case<'_>, class: Class, urgency: Urgency, why: &str) {
        let observed = case.observed;
        let chmpx = observed.chmpx.map(|process| process.id).filter(|_| class == Class::RestartChmpx);
        let k2hdkc = observed.k2hdkc.map(|process| process.id);
        self.restart = Some(demanded(self.restart.take(), chmpx, k2hdkc, urgency, why, (case.boot, 0)));
    }

    /// The same for a changed key; `None` where nothing runs that would have to go.
    pub fn demand_for_change(
        &mut self,
        class: Class,
        chmpx: Option<Identity>,
        k2hdkc: Option<Identity>,
        why: &str,
        (now, file): (BootTime, u32),
    ) {
        let chmpx = chmpx.filter(|_| class == Class::RestartChmpx);
        if class >= Class::RestartK2hdkc && (chmpx.is_some() || k2hdkc.is_some()) {
            self.restart =
                Some(demanded(self.restart.take(), chmpx, k2hdkc, Urgency::Change, why, (now, file)));
        }
    }

    /// What was demanded waits for no turn: with the file that comes, this server and the others do not meet.
    pub fn make_haste(&mut self) {
        if let Some(restart) = &mut self.restart {
            restart.at_once = true;
        }
    }

    /// Whether this chmpx is out of service because the agent took it out.
    pub(super) fn has_drained(&self, case: &Case<'_>) -> bool {
        self.drained.is_some() && self.drained == case.observed.chmpx.map(|chmpx| chmpx.id)
    }

    /// Where this k2hdkc has its keys, as far as that is known.
    pub(super) fn database_of(&self, k2hdkc: Identity) -> Option<&Database> {
        self.keeps.as_ref().filter(|keeps| keeps.id == k2hdkc).map(|keeps| &keeps.database)
    }

    /// No change is left for which something would have to go.
    pub fn withdraw_change(&mut self) {
        self.restart = self.restart.take().filter(|restart| restart.urgency > Urgency::Change);
    }

    /// Whatever runs must go at once: it is of a ring that was rolled back.
    pub fn demand_now(
        &mut self,
        chmpx: Option<Identity>,
        k2hdkc: Option<Identity>,
        why: &str,
        (now, file): (BootTime, u32),
    ) {
        if chmpx.is_some() {
            self.restart =
                Some(demanded(self.restart.take(), chmpx, k2hdkc, Urgency::Stuck, why, (now, file)));
        }
    }

    /// Whether this k2hdkc must go: itself, or with the chmpx that it is on.
    pub(super) fn must_go(
        &self,
        case: &Case<'_>,
        k2hdkc: Identity,
        on: Option<Identity>,
    ) -> Option<&Restart> {
        let goes = |r: &&Restart| {
            r.is_due(case) && (r.k2hdkc == Some(k2hdkc) || (r.chmpx.is_some() && r.chmpx == on))
        };
        self.restart.as_ref().filter(goes)
    }
}

fn demanded(
    old: Option<Restart>,
    chmpx: Option<Identity>,
    k2hdkc: Option<Identity>,
    urgency: Urgency,
    why: &str,
    (now, file): (BootTime, u32),
) -> Restart {
    let file = old.as_ref().map_or(file, |old| old.file.max(file));
    let at = old.as_ref().map_or(now, |old| old.at);
    let at_once = old.as_ref().is_some_and(|old| old.at_once);
    let (urgency, why) = match &old {
        Some(old) if old.urgency > urgency => (old.urgency, old.why.clone()),
        _ => (urgency, why.to_owned()),
    };
    let chmpx = chmpx.or(old.and_then(|old| old.chmpx));
    Restart { chmpx, k2hdkc, urgency, why, at, file, at_once }
}
