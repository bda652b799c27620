//! Keeps the past of the way into the ring.

use tokio::time::Instant;

use crate::lifecycle::rules::SOON;
use crate::lifecycle::situation::Situation;
use crate::supervisor::neighbours::PeerKnowledge;
use crate::supervisor::{ProcessId, Running};

/// The past of the way into the ring.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Joining {
    /// The agent's own start of k2hdkc in sight of its peers, and the process that came of it.
    pub(super) begun: Option<(Instant, Option<ProcessId>)>,
    /// Restarts of chmpx to look for the other servers.
    pub(in crate::lifecycle) reconnects: u32,
    /// The chmpx that came before the other servers listed this one.
    pub(in crate::lifecycle) too_early: Option<ProcessId>,
    /// Restarts that no change asked for.
    pub(in crate::lifecycle) repairs: u32,
}

impl Joining {
    pub(super) fn observe(&mut self, situation: &Situation<'_>) {
        let observed = situation.observed;
        self.begun = self.begun.and_then(|begun| still_begun(begun, observed.k2hdkc));
        let unheard = observed.control.report.is_none() && observed.control.refuses;
        if unheard && matches!(observed.peers.knowledge, PeerKnowledge::Unknown(_)) {
            self.too_early = observed.chmpx.map(|chmpx| chmpx.id).or(self.too_early);
        }
    }

    /// Returns true for the k2hdkc that the agent started in sight of its peers.
    pub(in crate::lifecycle) fn has_begun(&self, k2hdkc: ProcessId) -> bool {
        self.begun.is_some_and(|(_, of)| of == Some(k2hdkc))
    }
}

/// The first k2hdkc since the start is the one that came of it; the start ends with that process.
fn still_begun(
    (at, of): (Instant, Option<ProcessId>),
    k2hdkc: Option<Running>,
) -> Option<(Instant, Option<ProcessId>)> {
    match (of, k2hdkc) {
        (None, Some(running)) if running.since + SOON >= at => Some((at, Some(running.id))),
        (Some(of), running) if running.is_none_or(|running| running.id != of) => None,
        _ => Some((at, of)),
    }
}
