//! A chmpx that waits for a name server. It is not deaf: it goes on by itself, and neither another file nor a restart helps,
//! since its successor waits for the same server.

use tokio::time::Instant;

use super::rules::RESOLVES_AGAIN;
use super::{Case, Memory, Next};

/// The name server that chmpx was last seen to wait for, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolving(Option<(Instant, String)>);

impl Resolving {
    pub(super) fn notice(&mut self, case: &Case<'_>) {
        if let Some(server) = &case.observed.resolver {
            self.0 = Some((case.now, server.clone()));
        }
    }

    /// When chmpx was last seen so.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.as_ref().map(|(at, _)| *at)
    }

    /// The server that it waits for now.
    fn server(&self, now: Instant) -> Option<&str> {
        let recent = self.0.as_ref().filter(|(at, _)| now.duration_since(*at) < RESOLVES_AGAIN);
        recent.map(|(_, server)| server.as_str())
    }
}

/// A wait for the answer of the name server, where chmpx waits for one; `why` is what it keeps waiting.
pub(super) fn resolves(case: &Case<'_>, memory: &Memory, why: &str) -> Option<Next> {
    let server = memory.resolving.server(case.now)?;
    let text = format!(
        "chmpx waits for the name server {server}, and does nothing else meanwhile ({why}); see to it that the server \
         answers, or that /etc/hosts has every member"
    );
    Some(Next::Wait(text, case.rules.between_questions))
}
