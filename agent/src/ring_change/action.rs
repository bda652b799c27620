//! The acts that a decision may ask for.

use std::time::Duration;

use super::inputs::ServerId;
use super::words::{Hold, PairEnd};
use crate::supervisor::Program;

/// The next act of this node.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// None but another look.
    Nothing,
    /// Asks these servers for ALLSTATUS, in parallel: 0.3 s, and once again at once; then decides again with the round.
    Ask {
        /// Servers to ask.
        who: Vec<ServerId>,
        /// True where DUMP is asked as well.
        dump: bool,
    },
    /// Sends commands, one after the other, none of them judged by its answer.
    Send(Vec<Order>),
    /// Starts a watchdog that ends the stop after `limit`, then stops the program (SIGSTOP). k2hdkc is continued at the limit, and a
    /// slave's chmpx is killed. Of chmpx the mark is written after that ([`super::Mark::Frozen`]).
    Stop {
        /// Program to stop.
        program: Program,
        /// Longest stop, whatever happens to the agent.
        limit: Duration,
    },
    /// Continues the program (SIGCONT), then ends its watchdog. Of a slave's chmpx the mark is written before that
    /// ([`super::Mark::Thawed`]).
    Continue {
        /// Program to continue.
        program: Program,
    },
    /// Removes the mark of a freeze.
    Unmark,
    /// Kills chmpx and k2hdkc of this node (SIGKILL), and starts both. On a slave the mark is removed: the next chmpx has no old list.
    RestartPair(PairEnd),
}

/// A command, and the control port that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Server whose control port takes it.
    pub at: ServerId,
    /// The command.
    pub command: Command,
}

/// A command of chmpx's control port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// SERVICEIN of the server that takes it.
    ServiceIn,
    /// SERVICEOUT of this server.
    ServiceOut(ServerId),
    /// UPDATESTATUS.
    UpdateStatus,
    /// MERGE.
    Merge,
    /// COMPMERGE.
    CompMerge,
    /// ABORTMERGE.
    AbortMerge,
}

/// The outcome of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turn {
    /// None: the next row is tried.
    Pass,
    /// None, for this reason: the next row is tried.
    Held(Hold),
    /// An action.
    Act(Action),
}

impl Command {
    /// Makes the order of it at that control port.
    pub(super) fn at(self, at: &ServerId) -> Order {
        Order { at: at.clone(), command: self }
    }
}

impl Turn {
    /// Sends these commands; none is no turn.
    pub(super) fn send(orders: Vec<Order>) -> Self {
        if orders.is_empty() { Self::Pass } else { Self::Act(Action::Send(orders)) }
    }

    /// Asks these servers; nobody is no turn.
    pub(super) fn ask(who: Vec<ServerId>, dump: bool) -> Self {
        if who.is_empty() { Self::Pass } else { Self::Act(Action::Ask { who, dump }) }
    }
}
