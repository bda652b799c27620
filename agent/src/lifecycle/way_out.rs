//! How far a node is on its way out, be it for good or for maintenance: what the ledger keeps of it. What comes next is
//! decided in [`super::leaving`].

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ring::Mode;

/// A leave that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Since when.
    pub since: Timestamp,
    /// Which kind of node leaves.
    pub mode: Mode,
    /// Whether its keys are not waited for.
    pub force: bool,
    /// Whether its processes are the agent's to stop.
    pub runs: bool,
    /// How far it is.
    pub stage: Stage,
    /// The CUK of the node that leaves or stops: a VM that was made from its image is another one. `None` where it was not known yet.
    #[serde(default)]
    pub cuk: Option<String>,
    /// Whether it only stops, and comes back when it is started again.
    #[serde(default)]
    pub returns: bool,
}

/// How far it is; later ones are greater, as far as one node goes through both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The keys move to the other servers.
    Draining,
    /// k2hdkc and chmpx stop for good.
    Stopping,
    /// Nothing of it runs, until it is started again.
    Stopped,
    /// K2HR3 is to remove the node from its role.
    Removing,
    /// It is out.
    Left,
}

impl Leaving {
    /// The first stage of a node of that kind.
    pub fn begin(since: Timestamp, mode: Mode, force: bool, runs: bool) -> Self {
        let stage = if runs && mode == Mode::Server { Stage::Draining } else { Stage::Removing };
        Self { since, mode, force, runs, stage, cuk: None, returns: false }
    }

    /// The same of a stop for maintenance.
    pub fn begin_stop(since: Timestamp, mode: Mode, force: bool, cuk: Option<String>) -> Self {
        let stage = if mode == Mode::Server { Stage::Draining } else { Stage::Stopping };
        Self { since, mode, force, runs: true, stage, cuk, returns: true }
    }

    /// K2HR3 has removed the node.
    pub fn removed(&mut self) {
        self.stage = if self.runs && self.mode == Mode::Slave { Stage::Stopping } else { Stage::Left };
    }

    /// There is no file to find its processes by, or nobody to ask for them: there is nothing to wait for.
    pub fn unseen(&mut self) {
        match self.stage {
            Stage::Draining if self.force => self.stage = Stage::Removing,
            Stage::Stopping => self.stopped(),
            Stage::Draining | Stage::Stopped | Stage::Removing | Stage::Left => {}
        }
    }

    /// Nothing runs any more.
    pub(super) fn stopped(&mut self) {
        self.stage = match self.mode {
            _ if self.returns => Stage::Stopped,
            Mode::Slave => Stage::Left,
            Mode::Server => Stage::Removing,
        };
    }

    /// Whether it still follows the membership, as every node does.
    pub fn follows(&self) -> bool {
        self.stage == Stage::Draining
    }

    /// How somebody gets the better of what speaks against it, or calls it off.
    pub(super) fn insisted(&self, text: &str) -> String {
        let ways = if self.returns {
            "'k2hdkc-agent stop --force' stops all the same, 'k2hdkc-agent start' calls it off"
        } else {
            "'k2hdkc-agent leave --force' leaves without its keys, 'k2hdkc-agent join' stays"
        };
        format!("{text}; {ways}")
    }

    /// Why its processes end.
    pub(super) fn why(&self) -> &'static str {
        if self.returns { "it was told to stop" } else { "it leaves the cluster" }
    }
}

impl Stage {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Draining => "it goes out of service first, and the others answer for its keys",
            Self::Stopping => "its processes stop for good",
            Self::Stopped => "nothing of it runs until 'k2hdkc-agent start', not after a reboot either",
            Self::Removing => "K2HR3 is to remove it from its role",
            Self::Left => {
                "this node has left the cluster, and its VM may be destroyed; 'k2hdkc-agent join' brings it back"
            }
        }
    }
}
