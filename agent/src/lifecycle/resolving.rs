//! A chmpx that waits for a name server. It is not deaf: it goes on by itself, and neither another file nor a restart helps,
//! since its successor waits for the same server.

use tokio::time::Instant;

use super::rules::{RESOLVES_AGAIN, RESOLVES_FOR};
use super::{Case, Memory, Next};

/// The name server that chmpx was last seen to wait for.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolving(Option<Seen>);

#[derive(Debug, Clone)]
struct Seen {
    server: String,
    /// Since when, without a break.
    since: Instant,
    /// When last.
    at: Instant,
}

impl Resolving {
    pub(super) fn notice(&mut self, case: &Case<'_>) {
        let Some(server) = &case.observed.resolver else { return };
        let before = self.0.take().filter(|seen| case.now.duration_since(seen.at) < RESOLVES_AGAIN);
        let since = before.map_or(case.now, |seen| seen.since);
        self.0 = Some(Seen { server: server.clone(), since, at: case.now });
    }

    /// Until when chmpx was seen so, as far as that excuses a silence.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.as_ref().map(|seen| seen.at.min(seen.since + RESOLVES_FOR))
    }

    /// The server that it waits for now.
    fn server(&self, now: Instant) -> Option<&str> {
        let excused = |seen: &&Seen| {
            now.duration_since(seen.at) < RESOLVES_AGAIN && now.duration_since(seen.since) < RESOLVES_FOR
        };
        self.0.as_ref().filter(excused).map(|seen| seen.server.as_str())
    }
}

/// A wait for the answer of the name server, where chmpx waits for one; `why` is what it keeps waiting.
pub(super) fn resolves(case: &Case<'_>, memory: &Memory, why: &str) -> Option<Next> {
    let server = memory.resolving.server(case.now)?;
    let text = format!(
        "chmpx waits for the name server {server} ({why}); see to it that the server \
         answers, or that /etc/hosts has every member"
    );
    Some(Next::Wait(text, case.rules.between_questions))
}
