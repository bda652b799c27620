//! The work of each k2hdkc: requests, replicas, and both sides of a merge.

use super::Ring;
use super::list::{Micros, Node, Nodes};
use super::message::{Answer, Deed, Message, Request, Work};
use super::queue::Event;
use super::range::Range;
use super::store::Item;

/// An answer is lost only where it comes within this time (docs/facts.md C29).
const AT_ONCE: Micros = 5_000;
/// A k2hdkc has so many threads.
const THREADS: usize = 4;

impl Ring {
    /// Hands work to a k2hdkc; without one it is lost.
    pub(super) fn hand(&mut self, node: Node, work: Work) {
        if self.hosts[node].k2hdkc.is_some() {
            self.hosts[node].works.push_back(work);
            self.plan_work(node);
        }
    }

    pub(super) fn plan_work(&mut self, node: Node) {
        let host = &mut self.hosts[node];
        let runs = host.k2hdkc.is_some_and(|k2hdkc| !k2hdkc.stopped);
        if !runs || host.busy || host.works.is_empty() {
            return;
        }
        host.busy = true;
        let (life, at) = (host.dkc_life, self.now + self.rng.u64(self.odds.work.clone()));
        self.queue.plan(at, Event::Work { at: node, life });
    }

    pub(super) fn work(&mut self, node: Node, life: u32) {
        if self.hosts[node].dkc_life != life || self.hosts[node].k2hdkc.is_none() {
            return;
        }
        self.hosts[node].busy = false;
        if self.hosts[node].k2hdkc.is_some_and(|k2hdkc| k2hdkc.stopped) {
            return;
        }
        let waiting = self.hosts[node].works.len().min(THREADS);
        let jump = if waiting > 1 && self.chance(self.odds.jumps) { self.rng.usize(0..waiting) } else { 0 };
        if let Some(work) = self.hosts[node].works.remove(jump) {
            self.do_work(node, work);
        }
        self.plan_work(node);
    }

    fn do_work(&mut self, node: Node, work: Work) {
        let merges = self.hosts[node].k2hdkc.is_some_and(|k2hdkc| k2hdkc.merges);
        self.hosts[node].done += 1;
        let store = &mut self.hosts[node].store;
        match work {
            Work::Serve(request) => self.serve(node, request),
            Work::Copy(key, Some(item), _) => {
                store.keep(key, item);
            }
            Work::Copy(key, None, at) => store.forget(&key, at),
            Work::Keep(items) if merges => {
                for (key, item) in items {
                    store.keep(key, item);
                }
            }
            Work::Keep(_) => {}
            Work::Last(number, asked) => self.answer_last(node, number, asked),
            Work::Give(asker, range) if merges => self.plan_giving(node, asker, range),
            Work::Give(asker, _) => self.post(node, asker, Message::Given(node)),
        }
    }

    fn answer_last(&mut self, node: Node, number: u32, asked: Micros) {
        let (now, last) = (self.now, self.hosts[node].store.last());
        let lost = now - asked < AT_ONCE && self.chance(self.odds.vain);
        self.turn(node, |chmpx, turn| {
            if lost {
                chmpx.last_lost(number, now);
            } else {
                chmpx.last_known(number, last, turn);
            }
        });
    }

    fn plan_giving(&mut self, node: Node, asker: Node, range: Range) {
        if self.chance(self.odds.forgets) {
            return;
        }
        let keys = self.hosts[node].store.count() as Micros;
        let slow = if self.chance(self.odds.slow_copy) { 20 } else { 1 };
        let takes = (5_000 + keys * self.odds.per_key) * slow;
        let (until, reads) = (self.now, self.rng.u64(0..takes));
        let life = self.hosts[node].dkc_life;
        let event = Event::Give { at: node, life, asker, range, until, rest: takes - reads };
        self.queue.plan(self.now + reads, event);
    }

    /// Sends what it has read. A stopped one does so when it goes on.
    pub(super) fn give(&mut self, event: Event) {
        let Event::Give { at, life, asker, ref range, until, rest } = event else { return };
        match self.hosts[at].k2hdkc.filter(|_| self.hosts[at].dkc_life == life) {
            None => {}
            Some(k2hdkc) if k2hdkc.stopped => self.queue.plan(self.now + 50_000, event),
            Some(_) => {
                let items = self.hosts[at].store.give(|key| self.hashes.of_key(*key), range, until);
                self.post(at, asker, Message::Items(items));
                let given = Event::Post { from: at, to: asker, message: Message::Given(at) };
                self.queue.plan(self.now + rest, given);
            }
        }
    }

    /// Serves a request: the answer first, then copies to the other holders that are calm or leaving.
    fn serve(&mut self, node: Node, request: Request) {
        let Request { ticket, slave, key, deed } = request;
        let item = |value| Item { value, set: self.now };
        let store = &mut self.hosts[node].store;
        let (answer, copy) = match deed {
            Deed::Get => (store.get(&key).map_or(Answer::NotFound, |item| Answer::Value(item.value)), None),
            Deed::Set(value) => {
                store.write(key, item(value));
                (Answer::Ok, Some(Some(item(value))))
            }
            Deed::Delete => {
                store.remove(&key, self.now);
                (Answer::Ok, Some(None))
            }
        };
        self.post(node, slave, Message::Answer(ticket, answer));
        let Some(copy) = copy else { return };
        for other in self.holders(node, self.hashes.of_key(key)).without(node).iter() {
            self.post(node, other, Message::Replica(key, copy, self.now));
        }
    }

    /// Returns the servers that a chmpx takes for holders of a hash and that take requests and replicas.
    fn holders(&self, node: Node, hash: u64) -> Nodes {
        let Some(chmpx) = &self.hosts[node].chmpx else { return Nodes::default() };
        super::clients::asked(&chmpx.list, hash, chmpx.ini.replicas)
    }
}
