//! The leave: whether it may begin, and that it goes on or is called off. How it goes is decided in [`crate::lifecycle`].

use super::Reconciler;
use crate::identity;
use crate::ledger::{Joined, LedgerError};
use crate::lifecycle::{Departure, Insistence, Persisted, Stage};
use crate::problem::{chain, joined, one_line};
use crate::ring::Mode;
use crate::settings::SourceKind;
use crate::supervisor::Supervisor;

/// Obstacle of a leave at the latest look at the programs.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The agent has no supervisor to stop them.
    Unmoved,
    /// The programs were seen: the obstacles of a leave and of a stop, where there are any.
    Seen { leave: Option<String>, stop: Option<String> },
}

impl Obstacle {
    fn text(seen: Option<&Self>, returns: bool) -> Option<String> {
        match seen {
            Some(Self::Seen { stop, .. }) if returns => stop.clone(),
            Some(Self::Seen { leave, .. }) => leave.clone(),
            Some(Self::Unmoved) => Some(
                "chmpx and k2hdkc are not the agent's here (supervisor none): take this server out of service and stop both \
                 first"
                    .to_owned(),
            ),
            None => Some("its processes have not been looked at yet".to_owned()),
        }
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Returns the leave that has begun.
    pub fn leaving(&self) -> Option<&Departure> {
        self.store.ledger().processes.leaving.as_ref()
    }

    /// Begins to leave the cluster, or says why not. One line for people.
    ///
    /// # Errors
    ///
    /// The obstacle, unless by force: keys would be lost, no role to leave, or the ledger cannot be written.
    pub fn leave(&mut self, how: Insistence) -> Result<String, String> {
        let Insistence { force, confirmed } = how;
        if let Some(leaving) = self.leaving().cloned() {
            return self.hurry(leaving, how);
        }
        if self.settings.k2hr3.source == SourceKind::File {
            return Err("k2hr3.source is \"file\": there is no role to leave".to_owned());
        }
        let mode = self.mode()?;
        if let Some(obstacle) = self.obstacle(mode, false).filter(|_| !force) {
            return Err(format!("this node does not leave: {obstacle}; 'leave --force' leaves all the same"));
        }
        let runs =
            self.processes.running().is_some() || !matches!(self.processes.obstacle, Some(Obstacle::Unmoved));
        let cuk = self.own_cuk();
        self.store.update(|ledger| ledger.processes.stopped = None).map_err(|error| chain(&error))?;
        let leaving =
            Departure { cuk, confirmed, ..Departure::begin(self.clock.now().wall, mode, force, runs) };
        let text = leaving.stage.text();
        self.keep(Some(leaving)).map_err(|error| chain(&error))?;
        let cost = self.cost_of_leave(mode).map(|cost| format!("; {cost}"));
        Ok(format!("this node leaves the cluster: {text}{}", cost.unwrap_or_default()))
    }

    fn hurry(&mut self, mut leaving: Departure, how: Insistence) -> Result<String, String> {
        leaving.force |= how.force;
        leaving.confirmed |= how.confirmed;
        let text = leaving.stage.text();
        self.keep(Some(leaving)).map_err(|error| chain(&error))?;
        Ok(format!("this node is leaving already: {text}"))
    }

    /// The node stays, or comes back: whatever was begun is called off. Whether anything was.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn stay(&mut self) -> Result<bool, LedgerError> {
        let mut left = false;
        self.store.update(|ledger| left = ledger.stay())?;
        self.processes.stays();
        Ok(left)
    }

    /// Returns the ledger's part where no program of a node that leaves can be seen: for good, or by force.
    pub(super) fn leave_unseen(&self) -> Option<Persisted> {
        if self.supervisor.look_again().is_some() && !self.leaving()?.force {
            return None;
        }
        let mut persisted = self.store.ledger().processes.clone();
        let before = persisted.leaving.clone();
        persisted.leaving.as_mut()?.unseen();
        (persisted.leaving != before).then_some(persisted)
    }

    /// The CUK of this host, where that is persisted by now.
    pub(super) fn own_cuk(&self) -> Option<String> {
        identity::read(&self.settings.k2hr3).ok().map(|identity| identity.cuk.to_string())
    }

    /// A VM that was made from the image of one that has left, or was stopped, is another node, and has nothing to do with
    /// that. Whether it is one; nothing is persisted before this host knows who it is.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn is_another(&mut self) -> Result<bool, LedgerError> {
        let Some(way) = self.leaving().or(self.stopped()) else { return Ok(false) };
        let joined = self.store.ledger().joined.as_ref().map(|joined| &joined.cuk);
        let (Some(was), Ok(identity)) = (way.cuk.as_ref().or(joined), identity::read(&self.settings.k2hr3))
        else {
            return Ok(false);
        };
        if identity.cuk.as_str() == was {
            return Ok(false);
        }
        self.store.update(|ledger| {
            ledger.processes.stopped = None;
            ledger.stay();
        })?;
        self.processes.stays();
        Ok(true)
    }

    /// K2HR3 does not have it in its role any more; as whom it was there.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn removed(&mut self, as_whom: Option<Joined>) -> Result<(), LedgerError> {
        self.store.update(|ledger| {
            ledger.joined = as_whom;
            if let Some(leaving) = ledger.processes.leaving.as_mut().filter(|l| l.stage == Stage::Removing) {
                leaving.removed();
            }
        })
    }

    fn keep(&mut self, leaving: Option<Departure>) -> Result<(), LedgerError> {
        self.store.update(|ledger| ledger.processes.leaving = leaving)
    }

    /// Returns why this node may not leave, or where it `returns` why it may not stop.
    pub(super) fn obstacle(&self, mode: Mode, returns: bool) -> Option<String> {
        if mode == Mode::Server
            && let Some(held) = &self.store.ledger().guard.held
            && held.is_loss()
        {
            return Some(format!("the loss of servers is held ({})", joined(&held.reasons)));
        }
        Obstacle::text(self.processes.obstacle.as_ref(), returns).filter(|_| mode == Mode::Server)
    }

    /// By the installed file, else by its role.
    pub(super) fn mode(&mut self) -> Result<Mode, String> {
        let installed = self.files.look.at(&self.settings.ini.path, self.clock.now().wall).ok();
        if let Some(mode) = installed.as_ref().and_then(|installed| installed.ring()?.mode()) {
            return Ok(mode);
        }
        let identity = identity::read(&self.settings.k2hr3).map_err(|problems| one_line(&problems))?;
        let mode = identity.k2hr3.and_then(|registry| registry.mode(&self.settings.k2hr3));
        mode.ok_or_else(|| "this node's role is neither the server nor the slave role".to_owned())
    }
}
