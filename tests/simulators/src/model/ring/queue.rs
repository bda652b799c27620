//! The events to come, in the order of their times; of two at one time the one that was planned first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::list::{Micros, Node};
use super::message::{Message, Ticket};
use super::range::Range;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A message leaves.
    Post { from: Node, to: Node, message: Message },
    /// A message arrives at the chmpx of that life.
    Arrive { from: Node, to: Node, life: u32, message: Message },
    /// What is left over from an outage is sent again.
    Resend { from: Node, to: Node },
    /// The kernel gives up a connection on which nothing was acknowledged since then.
    GiveUp { at: Node, peer: Node, since: Micros },
    /// A connection is seen to be broken.
    Lost { at: Node, life: u32, peer: Node },
    /// A connection is tried.
    Reach { at: Node, life: u32, peer: Node },
    /// A chmpx without any server tries all.
    Rescan { at: Node, life: u32 },
    /// A merge looks whether it is done.
    Tick { at: Node, life: u32, number: u32 },
    /// The k2hdkc of that life joins its chmpx.
    Join { at: Node, life: u32 },
    /// The chmpx of that life notices that its k2hdkc is gone.
    Gone { at: Node, life: u32 },
    /// The k2hdkc of that life does its next work.
    Work { at: Node, life: u32 },
    /// The k2hdkc of that life has read what a merge takes; the rest of the time passes before it says so.
    Give { at: Node, life: u32, asker: Node, range: Range, until: Micros, rest: Micros },
    /// A program gives up its request.
    Expire(Ticket),
}

#[derive(Debug)]
struct Planned {
    at: Micros,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    planned: BinaryHeap<Reverse<Planned>>,
    number: u64,
}

impl Queue {
    pub(super) fn plan(&mut self, at: Micros, event: Event) {
        self.number += 1;
        self.planned.push(Reverse(Planned { at, number: self.number, event }));
    }

    /// Returns the next event that is due by that time.
    pub(super) fn due(&mut self, by: Micros) -> Option<(Micros, Event)> {
        self.planned.peek().filter(|next| next.0.at <= by)?;
        self.planned.pop().map(|Reverse(next)| (next.at, next.event))
    }
}
