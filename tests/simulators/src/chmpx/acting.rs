//! The chmpx of the model in this process: lets it act, and carries out what follows from that.

use std::time::Duration;

use super::event::{Event, Peer};
use super::node::{Chmpx, now};
use super::row::Row;
use super::wire::Note;
use crate::model::ring::{self, Effect, Message, Micros, Node, Token, Turn, Word};
use crate::simulators::faults::Stick;

/// Between two looks of a merge whether everything is copied.
const TICK: Duration = Duration::from_millis(100);

impl Chmpx {
    /// Lets the model act.
    pub(super) fn act<T>(&mut self, deed: impl FnOnce(&mut ring::Chmpx, &mut Turn<'_>) -> T) -> T {
        let mut out = Vec::new();
        let result = deed(&mut self.ring, &mut Turn { now: now(), out: &mut out });
        self.follow(out);
        result
    }

    /// Carries out what the model wants.
    pub(super) fn follow(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(to, message) => self.send(to, message),
                Effect::Later(after, to, message) => self.send_later(after, to, message),
                Effect::Slaves(server, word) => self.tell_slaves(server, word),
                Effect::Work(work) => self.hand(&work),
                Effect::Reach(server) => self.dial(server),
                Effect::Tick(number) => self.later(TICK, Event::Tick(number)),
            }
        }
        self.settle_rows();
    }

    /// Takes a message of another server.
    pub(super) fn received(&mut self, rows: &[Row], message: Message) {
        let nodes = self.import(rows);
        let message = message.renumbered(&|node| *nodes.get(node)?);
        match message.filter(|message| !self.loses(message)) {
            Some(message) => self.act(|chmpx, turn| chmpx.receive(message, turn)),
            None => self.settle_rows(),
        }
    }

    /// Checks whether the word that this joining server is done is lost on its way round: it sticks in `[ADD][Done]` then.
    fn loses(&self, message: &Message) -> bool {
        let own = self.ring.own;
        let is_back = |token: &Token, node: Node| token.start == own && node == own;
        match message {
            Message::Change(token, node, word) if is_back(token, *node) => {
                word.status.is_add() && word.status.is_done() && self.faults.sticks(Stick::AddDone)
            }
            _ => false,
        }
    }

    /// Returns a message in the form that leaves the process.
    pub(super) fn note_of(&self, message: Message) -> Note {
        Note::Ring { rows: self.rows(), message }
    }

    fn send(&mut self, to: Node, message: Message) {
        let note = self.note_of(message);
        if let Some(id) = self.id(to) {
            self.post(id, note);
        }
    }

    fn send_later(&mut self, after: Micros, to: Node, message: Message) {
        let note = self.note_of(message);
        if let Some(id) = self.id(to) {
            self.later(Duration::from_micros(after), Event::Post(id, Box::new(note)));
        }
    }

    /// Sends to a server; without a connection when there is one.
    pub(super) fn post(&mut self, id: u64, note: Note) {
        if let Some(link) = self.link_to(id) {
            return link.tell(note);
        }
        self.calls.unsent.entry(id).or_default().push(note);
        if let Some(place) = self.place(id) {
            self.dial(place);
        }
    }

    fn tell_slaves(&mut self, server: Node, word: Word) {
        self.log_status(server, word.status);
        let token = Token { start: self.ring.own, failed: false };
        let note = self.note_of(Message::Change(token, server, word));
        for (peer, link) in self.links.values() {
            if matches!(peer, Peer::Slave(_)) {
                link.tell(note.clone());
            }
        }
    }
}
