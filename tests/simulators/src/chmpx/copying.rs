//! The copy of a server in a merge: its share of the new ring, from the servers that have slots now.

use std::time::Duration;

use tokio::sync::oneshot;

use super::event::{Event, Peer};
use super::merging::Stuck;
use super::node::Chmpx;
use super::wire::{Merge, Note, Question, Reply};
use crate::model::keys::Item;
use crate::model::share::{Share, slot};
use crate::model::status::Status;
use crate::simulators::faults::Stick;

impl Chmpx {
    pub(super) fn copy_for(&mut self, driver: u64, id: u64) {
        self.merging.copies_for = Some((driver, id));
        if self.own_status().is_pending() {
            self.set_own(Status::merge_started);
            if self.faults.sticks(Stick::Doing) {
                self.merging.stuck = Some(Stuck::Doing);
                std::thread::spawn(ask_in_vain);
            }
        }
        let pending = self.table.pending();
        let copies = self.own_status().is_doing() || self.faults.settled_copy();
        self.copy_share(if copies { &pending } else { &[] });
    }

    /// The servers that stay copy what one that went down held (docs/facts.md D6).
    pub(super) fn catch_up(&mut self) {
        let base = self.table.base();
        let has_slot = self.own_status().is_servicing();
        if has_slot && base.len() > 1 && self.config.replicas() > 0 && self.faults.settled_copy() {
            self.merging.catches_up = true;
            self.copy_share(&base);
        }
    }

    /// Copies the own share of `ring` from the servers that have slots now; an event tells the end of it.
    fn copy_share(&mut self, ring: &[u64]) {
        self.merging.copying += 1;
        let number = self.merging.copying;
        let place = slot(ring, self.own);
        let share = Share { slot: place, slots: ring.len() as u64, replicas: self.config.replicas() as u64 };
        let base = self.table.base();
        let own = self.own;
        let others = base.into_iter().filter(|id| place != u64::MAX && *id != own);
        let asked: Vec<_> = others.filter_map(|id| self.ask_server(id, Question::MergeGet(share))).collect();
        let events = self.events();
        tokio::spawn(async move {
            let items = gather(asked).await;
            let _ = events.send(Event::Gathered(number, items));
        });
    }

    /// Hands what others had for the own share to k2hdkc, which keeps it.
    pub(super) fn gathered(&mut self, number: u64, items: Vec<Item>) {
        let kept = self.ask_k2hdkc(Question::MergeSet(items));
        let events = self.events();
        tokio::spawn(async move {
            if let Some(kept) = kept {
                // Without an answer there is no k2hdkc any more, which tells itself.
                let _ = kept.await;
            }
            let _ = events.send(Event::Copied(number));
        });
    }

    pub(super) fn copied(&mut self, number: u64) {
        if number != self.merging.copying || self.merging.hangs() {
            return;
        }
        self.merging.catches_up = false;
        let Some((driver, id)) = self.merging.copies_for.take() else { return };
        if driver == self.own {
            self.merge_step(self.own, Merge::Copied { id });
        } else if let Some(link) = self.link_to(driver) {
            link.tell(Note::Merge(Merge::Copied { id }));
        }
    }

    /// The connection of the k2hdkc that joined.
    pub(super) fn k2hdkc_link(&self) -> Option<u64> {
        let found = self.links.iter().find(|(_, (peer, _))| matches!(peer, Peer::Process(a) if a.is_k2hdkc));
        found.map(|(number, _)| *number)
    }
}

/// The thread of a chmpx whose k2hdkc has answered too soon: it sleeps a million times for a microsecond, and gives up
/// (docs/facts.md C29).
#[expect(clippy::disallowed_methods, reason = "what the real one does is what the agent knows it by")]
fn ask_in_vain() {
    (0..1_000_000).for_each(|_| std::thread::sleep(Duration::from_micros(1)));
}

/// All items, one after the other; who does not answer has none.
async fn gather(asked: Vec<oneshot::Receiver<Reply>>) -> Vec<Item> {
    let mut items = Vec::new();
    for answer in asked {
        if let Ok(Reply::Items(more)) = answer.await {
            items.extend(more);
        }
    }
    items
}
