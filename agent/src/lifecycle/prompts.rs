//! Words to servers that have turned this node away: when the next one is due.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::rules::{MOST_NUDGES, NUDGE_AGAIN, NUDGE_SELDOM};

/// A server that was in service with this node unconnected for so long does not speak up by itself.
const LOST_FOR: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Prompts {
    of: BTreeMap<SocketAddr, Prompted>,
}

#[derive(Debug, Clone, Copy)]
struct Prompted {
    since: Instant,
    times: u32,
    last: Option<Instant>,
}

/// What is due for one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet: it has a moment to come by itself, or the last word has.
    Later,
    /// A word.
    Now,
    /// Nothing for a while: the words so far have not helped.
    InVain,
}

impl Prompts {
    /// Forgets every server but these: they are connected, or gone.
    pub(super) fn keep(&mut self, lost: &[SocketAddr]) {
        self.of.retain(|address, _| lost.contains(address));
    }

    /// What is due for this server, to which this node has no connection.
    pub(super) fn peek(&mut self, server: SocketAddr, now: Instant) -> Due {
        let past = self.of.entry(server).or_insert(Prompted { since: now, times: 0, last: None });
        let Some(last) = past.last else {
            return if now.duration_since(past.since) >= LOST_FOR { Due::Now } else { Due::Later };
        };
        let in_vain = past.times >= MOST_NUDGES;
        match now.duration_since(last) {
            rested if rested >= NUDGE_SELDOM || (rested >= NUDGE_AGAIN && !in_vain) => Due::Now,
            rested if rested >= NUDGE_AGAIN || past.times > MOST_NUDGES => Due::InVain,
            _ => Due::Later,
        }
    }

    /// It was told.
    pub(super) fn told(&mut self, server: SocketAddr, now: Instant) {
        if let Some(past) = self.of.get_mut(&server) {
            (past.times, past.last) = (past.times + 1, Some(now));
        }
    }
}
