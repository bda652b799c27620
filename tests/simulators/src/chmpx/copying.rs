//! The part of k2hdkc in a merge: the time of its last write, and what it gives and keeps.

use std::time::Duration;

use tokio::sync::oneshot;

use super::event::{Event, Peer};
use super::node::{Chmpx, now};
use super::wire::{Note, Question, Record, Reply};
use crate::model::ring::{Message, Micros, Node, Range, Work};
use crate::simulators::faults::Stick;

/// An answer is lost only where it comes within this time (docs/facts.md C29). In virtual time it is less: here two processes
/// share a busy machine with others.
const AT_ONCE: Micros = 80_000;

impl Chmpx {
    /// Hands work of the model to k2hdkc. Requests, replicas and items go past the model.
    pub(super) fn hand(&mut self, work: &Work) {
        match work {
            Work::Last(number, asked) => self.ask_last(*number, *asked),
            Work::Give(asker, range) => self.ask_items(*asker, *range),
            Work::Serve(_) | Work::Copy(..) | Work::Keep(_) => {}
        }
    }

    fn ask_last(&mut self, number: u32, asked: Micros) {
        let Some(answer) = self.ask_k2hdkc(Question::Last) else { return };
        let events = self.events();
        tokio::spawn(async move {
            if let Ok(Reply::Last(last)) = answer.await {
                let _ = events.send(Event::Last { number, asked, last });
            }
        });
    }

    /// Takes the time of the last write. The file of faults may have it lost, or come late.
    pub(super) fn last_answered(&mut self, number: u32, asked: Micros, last: Micros) {
        let (now, least) = (now(), self.faults.merge_time());
        let took = Duration::from_micros(now - asked.min(now));
        let by_chance = now < asked + AT_ONCE && self.faults.loses_answer();
        if by_chance || self.faults.sticks(Stick::Doing) {
            std::thread::spawn(ask_in_vain);
            return self.ring.last_lost(number, now);
        }
        if took < least {
            return self.later(least.saturating_sub(took), Event::Last { number, asked, last });
        }
        self.act(|chmpx, turn| chmpx.last_known(number, last, turn));
    }

    fn ask_items(&mut self, asker: Node, range: Range) {
        let (Some(id), Some(answer)) = (self.id(asker), self.ask_k2hdkc(Question::Give(range))) else {
            return;
        };
        let events = self.events();
        tokio::spawn(async move {
            if let Ok(Reply::Items(items)) = answer.await {
                let _ = events.send(Event::Gave(id, items));
            }
        });
    }

    /// Sends what k2hdkc gives to a merge, and then that this is all.
    pub(super) fn gave(&mut self, asker: u64, items: Vec<Record>) {
        let given = self.note_of(Message::Given(self.ring.own));
        if let Some(link) = self.link_to(asker) {
            link.tell(Note::Items(items));
            link.tell(given);
        }
    }

    /// Hands what came from other servers to k2hdkc; without one it is lost.
    pub(super) fn keep(&mut self, records: Vec<Record>, is_merge: bool) {
        let _ = self.ask_k2hdkc(if is_merge { Question::Keep(records) } else { Question::Copy(records) });
    }

    pub(super) fn ask_k2hdkc(&mut self, question: Question) -> Option<oneshot::Receiver<Reply>> {
        let number = self.k2hdkc_link()?;
        self.links.get_mut(&number).map(|(_, link)| link.ask(question))
    }

    /// The connection of the k2hdkc that joined.
    pub(super) fn k2hdkc_link(&self) -> Option<u64> {
        let found = self.links.iter().find(|(_, (peer, _))| matches!(peer, Peer::Process(a) if a.is_k2hdkc));
        found.map(|(number, _)| *number)
    }

    /// Checks whether its merge waits in vain for k2hdkc, which only SIGKILL ends in time.
    pub(super) fn hangs(&self) -> bool {
        self.ring.copying.waits_until > now()
    }
}

/// The thread of a chmpx whose k2hdkc has answered too soon: it sleeps a million times for a microsecond, and gives up
/// (docs/facts.md C29).
#[expect(clippy::disallowed_methods, reason = "what the real one does is what the agent knows it by")]
fn ask_in_vain() {
    (0..1_000_000).for_each(|_| std::thread::sleep(Duration::from_micros(1)));
}
