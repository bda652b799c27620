//! A host: its two programs, its files, and what waits on it.

use std::collections::VecDeque;

use super::chmpx::{Chmpx, Ini};
use super::list::{Micros, Node, Nodes};
use super::message::{Message, Work};
use super::store::Store;

/// A k2hdkc that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct K2hdkc {
    /// Records whether it is stopped by a signal.
    pub stopped: bool,
    /// Records whether it takes part in merges: not after its chmpx has been another one (docs/facts.md D2).
    pub merges: bool,
}

/// What was sent and is not acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Unsent {
    pub(super) to: Node,
    pub(super) message: Message,
    pub(super) since: Micros,
}

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    /// The ini on its disk.
    pub(super) ini: Ini,
    /// Its k2hash file.
    pub(super) store: Store,
    pub(super) chmpx: Option<Chmpx>,
    /// Counts the starts of chmpx.
    pub(super) life: u32,
    /// Records whether chmpx is stopped by a signal.
    pub(super) frozen: bool,
    pub(super) k2hdkc: Option<K2hdkc>,
    /// Counts the starts of k2hdkc.
    pub(super) dkc_life: u32,
    /// Messages that a chmpx does not get to, since it is stopped or hangs.
    pub(super) inbox: VecDeque<(Node, Message)>,
    /// Work for its k2hdkc.
    pub(super) works: VecDeque<Work>,
    /// Records whether the next work is planned.
    pub(super) busy: bool,
    /// Counts the works that are done.
    pub(super) done: u64,
    /// What no host has acknowledged.
    pub(super) unsent: Vec<Unsent>,
    /// The time since when nobody reaches it.
    pub(super) vanished: Option<Micros>,
}

/// A chmpx hangs once a peer has not acknowledged for so long.
const HANGS: Micros = 300_000;

impl Host {
    pub(super) fn new() -> Self {
        Self {
            ini: Ini::default(),
            store: Store::default(),
            chmpx: None,
            life: 0,
            frozen: false,
            k2hdkc: None,
            dkc_life: 0,
            inbox: VecDeque::new(),
            works: VecDeque::new(),
            busy: false,
            done: 0,
            unsent: Vec::new(),
            vanished: None,
        }
    }

    /// Checks whether its data connections hang: chmpx sends with the socket locked.
    pub(super) fn hangs(&self, now: Micros) -> bool {
        let linked = self.chmpx.as_ref().map_or(Nodes::default(), |chmpx| chmpx.linked);
        self.unsent.iter().any(|unsent| linked.has(unsent.to) && unsent.since + HANGS <= now)
    }

    /// Returns the chmpx of that life.
    pub(super) fn alive(&mut self, life: u32) -> Option<&mut Chmpx> {
        self.chmpx.as_mut().filter(|_| self.life == life)
    }
}
