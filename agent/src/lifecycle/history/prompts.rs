//! Prompts to servers that have turned this slave away: when the next one is due.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::chmpx_state::ChmpxState;
use crate::lifecycle::rules::{MOST_NUDGES, NUDGE_AGAIN, NUDGE_SELDOM};
use crate::lifecycle::situation::Situation;
use crate::ring::Mode;

/// A server that has been in service and unconnected for so long does not speak up by itself.
const LOST_FOR: Duration = Duration::from_secs(2);

/// Prompts by the control port of the server.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Prompts(BTreeMap<SocketAddr, Prompted>);

#[derive(Debug, Clone, Copy)]
struct Prompted {
    lost_since: Instant,
    times: u32,
    last: Option<Instant>,
}

/// The next prompt to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lifecycle) enum Due {
    /// Not yet: the server has a moment to come by itself, or after the latest prompt.
    Later,
    /// Now.
    Now,
    /// Not for a while: the prompts so far have not helped.
    InVain,
}

impl Prompts {
    /// Takes in which servers have turned this slave away; the others are connected, or gone.
    pub(super) fn observe(&mut self, situation: &Situation<'_>, view: &ChmpxState) {
        if situation.mode() != Mode::Slave {
            return;
        }
        let lost: Vec<_> = view.turned_away().filter_map(|row| situation.control_address(row)).collect();
        self.0.retain(|server, _| lost.contains(server));
        for server in lost {
            self.0.entry(server).or_insert(Prompted { lost_since: situation.now, times: 0, last: None });
        }
    }

    /// Returns when the next prompt to this server is due.
    pub(in crate::lifecycle) fn due(&self, server: SocketAddr, now: Instant) -> Due {
        let Some(past) = self.0.get(&server) else { return Due::Later };
        let Some(last) = past.last else {
            return if now.duration_since(past.lost_since) >= LOST_FOR { Due::Now } else { Due::Later };
        };
        let in_vain = past.times >= MOST_NUDGES;
        match now.duration_since(last) {
            rested if rested >= NUDGE_SELDOM || (rested >= NUDGE_AGAIN && !in_vain) => Due::Now,
            rested if rested >= NUDGE_AGAIN || past.times > MOST_NUDGES => Due::InVain,
            _ => Due::Later,
        }
    }

    pub(super) fn told(&mut self, server: SocketAddr, now: Instant) {
        if let Some(past) = self.0.get_mut(&server) {
            (past.times, past.last) = (past.times + 1, Some(now));
        }
    }
}
