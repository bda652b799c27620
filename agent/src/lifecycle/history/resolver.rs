//! The name server that chmpx waits for.

use tokio::time::Instant;

use crate::lifecycle::rules::{RESOLVES_AGAIN, RESOLVES_FOR};
use crate::lifecycle::situation::Situation;

/// The name server that chmpx was last seen to wait for.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Resolver(Option<Seen>);

#[derive(Debug, Clone)]
struct Seen {
    server: String,
    /// The begin of the wait without a break.
    since: Instant,
    /// The latest sight of it.
    at: Instant,
}

impl Resolver {
    pub(super) fn observe(&mut self, situation: &Situation<'_>) {
        let Some(server) = &situation.observed.control.resolver else { return };
        let before = self.0.take().filter(|seen| situation.now.duration_since(seen.at) < RESOLVES_AGAIN);
        let since = before.map_or(situation.now, |seen| seen.since);
        self.0 = Some(Seen { server: server.clone(), since, at: situation.now });
    }

    /// Returns the end of the wait, as far as that excuses a silence.
    pub(in crate::lifecycle) fn last(&self) -> Option<Instant> {
        self.0.as_ref().map(|seen| seen.at.min(seen.since + RESOLVES_FOR))
    }

    /// Returns the name server that chmpx waits for now.
    pub(in crate::lifecycle) fn server(&self, now: Instant) -> Option<&str> {
        let excused = |seen: &&Seen| {
            now.duration_since(seen.at) < RESOLVES_AGAIN && now.duration_since(seen.since) < RESOLVES_FOR
        };
        self.0.as_ref().filter(excused).map(|seen| seen.server.as_str())
    }
}
