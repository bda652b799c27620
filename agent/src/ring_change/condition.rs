//! A row's condition at one look, and the facts that must stay the same while it holds.

use std::time::Duration;

use super::inputs::ServerId;
use crate::chmpx_state::NodeStatus;

/// The facts that must stay the same while a condition holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Same {
    /// None.
    Any,
    /// A set of servers.
    Servers(Vec<ServerId>),
    /// A set of statuses.
    Statuses(Vec<(ServerId, NodeStatus)>),
    /// A progress of k2hdkc.
    Progress(u64),
}

/// A row's condition at one look.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// Holds, and is due after this time.
    Holds(Same, Duration),
    /// Does not hold.
    Fails,
    /// Cannot be seen at this look: the time goes on.
    Unknown,
}

impl Condition {
    /// Holds where that is true, and is due after this time.
    pub(super) fn when(holds: bool, after: Duration) -> Self {
        if holds { Self::Holds(Same::Any, after) } else { Self::Fails }
    }

    /// Holds where there are such servers, as long as they are the same.
    pub(super) fn while_same(servers: Vec<ServerId>, after: Duration) -> Self {
        if servers.is_empty() { Self::Fails } else { Self::Holds(Same::Servers(servers), after) }
    }
}
