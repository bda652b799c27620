//! A leave of the cluster or a stop for maintenance, and the stage that it has reached: the ledger's part. [`super::leave`]
//! decides the next step.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ring::Mode;

/// A leave, or a stop for maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Departure {
    /// The time of the operator's order.
    pub since: Timestamp,
    /// The kind of node.
    pub mode: Mode,
    /// True where its keys are not waited for.
    pub force: bool,
    /// True where the agent stops its programs.
    pub runs: bool,
    /// The stage that it has reached.
    pub stage: Stage,
    /// The CUK of the node: a VM made from its image is another node. `None` where it was not known yet.
    #[serde(default)]
    pub cuk: Option<String>,
    /// True for a stop: the node comes back when it is started again.
    #[serde(default)]
    pub returns: bool,
    /// True where the operator has confirmed a change of the ring that lasts longer than `merge.longest-stop`.
    #[serde(default)]
    pub confirmed: bool,
}

/// Insistence of the operator on a leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Insistence {
    /// True where its keys are not waited for.
    pub force: bool,
    /// True where its change may stop the ring for longer than `merge.longest-stop`.
    pub confirmed: bool,
}

/// The stages; later ones are greater, as far as one node goes through both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The keys move to the other servers.
    Draining,
    /// k2hdkc and chmpx stop for good.
    Stopping,
    /// Both have stopped, until the node is started again.
    Stopped,
    /// K2HR3 is to remove the node from its role.
    Removing,
    /// The node is out.
    Left,
}

impl Departure {
    /// Begins the leave of a node of that kind.
    pub fn begin(since: Timestamp, mode: Mode, force: bool, runs: bool) -> Self {
        let stage = if runs && mode == Mode::Server { Stage::Draining } else { Stage::Removing };
        Self { since, mode, force, runs, stage, cuk: None, returns: false, confirmed: false }
    }

    /// Begins a stop for maintenance.
    pub fn begin_stop(since: Timestamp, mode: Mode, force: bool, cuk: Option<String>) -> Self {
        let stage = if mode == Mode::Server { Stage::Draining } else { Stage::Stopping };
        Self { since, mode, force, runs: true, stage, cuk, returns: true, confirmed: false }
    }

    /// Goes on after K2HR3 has removed the node.
    pub fn removed(&mut self) {
        self.stage = if self.runs && self.mode == Mode::Slave { Stage::Stopping } else { Stage::Left };
    }

    /// Goes on without a file to find its programs by, or without a supervisor to ask: nothing can be waited for.
    pub fn unseen(&mut self) {
        match self.stage {
            Stage::Draining if self.force => self.stage = Stage::Removing,
            Stage::Stopping => self.programs_ended(),
            Stage::Draining | Stage::Stopped | Stage::Removing | Stage::Left => {}
        }
    }

    /// Goes on after the end of both programs.
    pub(super) fn programs_ended(&mut self) {
        self.stage = match self.mode {
            _ if self.returns => Stage::Stopped,
            Mode::Slave => Stage::Left,
            Mode::Server => Stage::Removing,
        };
    }

    /// The same at another stage.
    pub(super) fn at(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    /// Returns true while the node still follows the membership, as every node does.
    pub fn follows(&self) -> bool {
        self.stage == Stage::Draining
    }
}

impl Stage {
    /// Returns the stage in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Draining => "the other servers take over its keys first",
            Self::Stopping => "its processes stop for good",
            Self::Stopped => "nothing of it runs until 'k2hdkc-agent start', not after a reboot either",
            Self::Removing => "K2HR3 is to remove it from its role",
            Self::Left => {
                "this node has left the cluster, and its VM may be destroyed; 'k2hdkc-agent join' brings it back"
            }
        }
    }
}
