//! Progress of a change as `status` and the log show it.

use strum::VariantNames as _;
use tokio::time::Instant;

use super::history::History;
use super::inputs::{Process, ServerId};
use super::row::Row;
use super::scene::{Roles, Scene, is_merging, is_pending};
use super::words::Hold;
use crate::chmpx_state::Operation;
use crate::settings::MergeBy;

/// Progress of a change, as this node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The present stage.
    pub stage: Stage,
    /// Number of servers with a slot in the present ring.
    pub serving: usize,
    /// Servers that join.
    pub joining: Vec<ServerId>,
    /// Servers that leave.
    pub leaving: Vec<ServerId>,
    /// Servers that come back.
    pub returning: Vec<ServerId>,
    /// Servers that the next stage waits for.
    pub waits_for: Vec<ServerId>,
    /// Begin of the change, or of the wish for one.
    pub since: Option<Instant>,
    /// Number of own announcements that were undone in a row.
    pub attempts: u32,
    /// The first reason for which a step was not taken.
    pub hold: Option<Hold>,
    /// Hand that runs the merges of the other servers.
    pub merges: Merges,
    /// True where the change waits for a server that seems not to come back soon.
    pub waits_long: bool,
    /// True while a server is announced, Pending, Doing or Done, or was when chmpx last answered.
    pub holds_file: bool,
}

/// Hand that runs the merges of the other servers, as far as they have answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Merges {
    /// Some have not answered.
    #[default]
    Unknown,
    /// Their agents, or they would as soon as no server insists on AUTOMERGE.
    ByAgents,
    /// chmpx: this server insists on AUTOMERGE.
    ByChmpx(ServerId),
}

/// Stage of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "ring-")]
pub enum Stage {
    /// chmpx runs the merges by itself (`merge.by`).
    ByChmpx,
    /// The own chmpx does not answer, or has not been asked yet.
    #[default]
    Unseen,
    /// Nothing changes, and nothing is to.
    Calm,
    /// A change is wanted, and not announced yet.
    Preparing,
    /// A change was undone, and its next try waits.
    BackingOff,
    /// A change is announced.
    Announced,
    /// The change waits for a server that is down, and the others take requests.
    Interrupted,
    /// Some servers that stay are Pending.
    GoingPending,
    /// Every server of the change is Pending.
    Ready,
    /// Servers copy.
    Merging,
    /// Every server has copied.
    Completing,
    /// chmpx of this slave stands still.
    Frozen,
}

/// Returns the progress at this look.
pub(super) fn progress(scene: &Scene<'_>, history: &History, hold: Option<Hold>) -> Progress {
    let roles = match &scene.views {
        Some(views) if views.unknown.is_empty() => &views.roles,
        _ => &scene.seen,
    };
    let stage = stage(scene, history, roles);
    Progress {
        stage,
        serving: roles.stayers.len() + roles.leavers.len(),
        joining: roles.joiners.clone(),
        // Servers that stay look like leavers while they wait for one that is down.
        leaving: if stage == Stage::Interrupted { Vec::new() } else { roles.leavers.clone() },
        returning: roles.returners(),
        waits_for: waits_for(stage, scene, roles),
        since: since(scene, history),
        attempts: history.undone(),
        hold,
        merges: history.dialects().merges(scene),
        waits_long: history.waits_long(scene.inputs.now),
        holds_file: false,
    }
}

fn since(scene: &Scene<'_>, history: &History) -> Option<Instant> {
    let rows = [Row::Watch, Row::Join, Row::JoinAlong, Row::FirstStart, Row::Leave];
    let wish = if scene.seen.is_calm() { rows.iter().find_map(|row| history.since(*row)) } else { None };
    history.change_since().or(wish)
}

fn stage(scene: &Scene<'_>, history: &History, roles: &Roles) -> Stage {
    match () {
        () if scene.limits.by == MergeBy::Chmpx => Stage::ByChmpx,
        () if scene.is_slave() && scene.inputs.local.chmpx == Process::Stopped => Stage::Frozen,
        () if !scene.is_heard() => Stage::Unseen,
        () if scene.seen.is_interrupted() => Stage::Interrupted,
        () if !roles.is_calm() => of_change(roles),
        () if wants_change(scene) && history.back_off(scene.inputs.now).is_some() => Stage::BackingOff,
        () if wants_change(scene) || !scene.waiting_joiners().is_empty() => Stage::Preparing,
        () => Stage::Calm,
    }
}

fn of_change(roles: &Roles) -> Stage {
    let ring = roles.ring();
    let any = |operation| ring.iter().any(|id| roles.status(id).operation() == operation);
    match () {
        () if any(Operation::Doing) => Stage::Merging,
        () if any(Operation::Done) && any(Operation::Pending) => Stage::Merging,
        () if any(Operation::Done) => Stage::Completing,
        () if ring.iter().all(|id| is_pending(roles.status(id))) => Stage::Ready,
        () if roles.stayers.iter().any(|id| is_pending(roles.status(id))) => Stage::GoingPending,
        () => Stage::Announced,
    }
}

/// Returns true where this server is to join or to leave.
pub(super) fn wants_change(scene: &Scene<'_>) -> bool {
    let (Some(own), Some(me)) = (scene.own(), scene.me()) else { return false };
    let joins = !me.is_in_service() && scene.inputs.members.contains(own) && !scene.inputs.wish.leave;
    joins || scene.inputs.wish.leave && me.is_in_service()
}

/// Returns the members that neither serve nor wait to join.
fn not_ready(scene: &Scene<'_>) -> Vec<ServerId> {
    let ready = |id: &&ServerId| matches!(scene.seen.status(id).bits(), 0x21 | 0x11);
    scene.inputs.members.iter().filter(|id| !ready(id)).cloned().collect()
}

fn waits_for(stage: Stage, scene: &Scene<'_>, roles: &Roles) -> Vec<ServerId> {
    let ring = roles.ring();
    match stage {
        Stage::Announced | Stage::GoingPending => roles.among(&ring, |status| !is_pending(status)),
        Stage::Merging => roles.among(&ring, |status| status.operation() != Operation::Done),
        Stage::Completing => roles.among(&ring, is_merging),
        Stage::Interrupted => scene.seen.down(),
        Stage::Preparing => not_ready(scene),
        Stage::Frozen => roles.among(&ring, |status| !status.is_calm()),
        Stage::ByChmpx | Stage::Unseen | Stage::Calm | Stage::BackingOff | Stage::Ready => Vec::new(),
    }
}

impl Stage {
    /// Returns true in the stages of a change.
    fn is_under_way(self) -> bool {
        match self {
            Self::Announced
            | Self::Interrupted
            | Self::GoingPending
            | Self::Ready
            | Self::Merging
            | Self::Completing
            | Self::Frozen => true,
            Self::ByChmpx | Self::Unseen | Self::Calm | Self::Preparing | Self::BackingOff => false,
        }
    }
}

impl Progress {
    /// Returns true while the ring changes: no program may be moved. The control port that does not answer one question ends no change.
    pub fn is_under_way(&self) -> bool {
        self.stage.is_under_way() || self.holds_file
    }

    /// Returns true while no file may be written: chmpx reloads it in the middle of a merge otherwise. A change that waits for a server
    /// that is down may have to learn that this server does not come back.
    pub fn forbids_files(&self) -> bool {
        self.is_under_way() && !self.waits_long
    }

    /// Returns true where a change is prepared, or waits for its next try.
    pub fn is_wanted(&self) -> bool {
        matches!(self.stage, Stage::Preparing | Stage::BackingOff)
    }

    /// Returns true where the agents run the merges of the ring, as far as is known.
    pub fn is_by_agents(&self) -> bool {
        self.stage != Stage::ByChmpx && !matches!(self.hold, Some(Hold::RunsAutomerge(_)))
    }

    /// Returns the stable code: that of the hold, else that of the stage.
    pub fn code(&self) -> &'static str {
        self.hold.as_ref().map_or_else(|| self.stage.into(), Into::into)
    }

    /// Returns every code, for the documents.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        Stage::VARIANTS.iter().chain(Hold::VARIANTS).copied()
    }
}
