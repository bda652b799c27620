//! Requests for keys: to which server they go, and what a server does with them; and processes that attach.
//!
//! The servers for a key are chosen by the model. A server answers first and then sends copies to the other holders, without a
//! wait for anybody. A request that no server takes fails at once; with the real one it ends after some nine seconds (D11).

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::event::{Event, Peer};
use super::node::Chmpx;
use super::wire::{Attach, Note, Question, Record, Reply};
use crate::model::id::key_hash;
use crate::model::ring;
use crate::simulators::faults::Stick;

/// The deadline of a client's request (docs/facts.md D11).
const PATIENCE: Duration = Duration::from_secs(9);
/// chmpx notices after so long that its k2hdkc left.
const NOTICE: Duration = Duration::from_millis(100);

impl Chmpx {
    pub(super) fn attached(&mut self, number: u64, attach: Attach) {
        let is_k2hdkc = attach.is_k2hdkc && self.config.is_server;
        let joins = attach.joins_ring;
        if let Some((peer, _)) = self.links.get_mut(&number) {
            *peer = Peer::Process(attach);
        }
        if !is_k2hdkc {
            return;
        }
        self.client_left = None;
        let auto = &mut self.ring.auto;
        auto.comes &= joins && !(auto.comes && self.faults.sticks(Stick::ServiceOut));
        self.act(ring::Chmpx::joined);
    }

    pub(super) fn k2hdkc_left(&mut self) {
        if self.k2hdkc_link().is_none() {
            self.client_left = Some(Instant::now());
            self.later(NOTICE, Event::ClientGone);
        }
    }

    pub(super) fn client_gone(&mut self) {
        if self.k2hdkc_link().is_none() {
            self.act(ring::Chmpx::left);
        }
    }

    pub(super) fn asked(&mut self, number: u64, ticket: u64, question: Question) {
        let Some((peer, _)) = self.links.get(&number) else { return };
        match (peer, question) {
            (Peer::Process(attach), question @ (Question::Set(..) | Question::Get(_)))
                if !attach.is_k2hdkc =>
            {
                self.route(number, ticket, question);
            }
            (Peer::Server(_) | Peer::Slave(_), Question::Command(text)) => {
                let answer = self.execute(&text);
                self.reply(number, ticket, Reply::Text(answer));
            }
            (Peer::Server(_) | Peer::Slave(_), question) => self.serve(number, ticket, question),
            (Peer::Process(_) | Peer::Stranger(_), _) => {
                self.reply(number, ticket, Reply::Failed("that is not for this connection".to_owned()));
            }
        }
    }

    fn reply(&self, number: u64, ticket: u64, reply: Reply) {
        if let Some((_, link)) = self.links.get(&number) {
            link.answer(ticket, reply);
        }
    }

    /// A request for the own k2hdkc.
    fn serve(&mut self, number: u64, ticket: u64, question: Question) {
        let Some(answer) = self.ask_k2hdkc(question) else {
            return self.reply(number, ticket, Reply::Failed("no k2hdkc".to_owned()));
        };
        let (events, Some((_, link))) = (self.events(), self.links.get(&number)) else { return };
        let reply = link.answerer(ticket);
        tokio::spawn(async move {
            let answer = settle(answer).await;
            if let Reply::Written(record) = &answer {
                let _ = events.send(Event::Written(record.clone()));
            }
            reply(answer);
        });
    }

    /// Sends what a client has written here to the other holders that take it.
    pub(super) fn replicate(&mut self, record: &Record) {
        let holders = ring::asked(&self.ring.list, key_hash(&record.0), self.ring.ini.replicas);
        for place in holders.without(self.ring.own).iter() {
            if let Some(id) = self.id(place) {
                self.post(id, Note::Replica(record.clone()));
            }
        }
    }

    /// A client's request goes to the first server that takes it.
    fn route(&mut self, number: u64, ticket: u64, question: Question) {
        let (Question::Set(key, _) | Question::Get(key)) = &question else { return };
        let first = ring::first_asked(&self.ring.list, key_hash(key), self.ring.ini.replicas);
        if first == Some(self.ring.own) {
            return self.serve(number, ticket, question);
        }
        let server = first.and_then(|place| self.id(place));
        let Some(answer) = server.and_then(|id| self.ask_server(id, question)) else {
            return self.reply(number, ticket, Reply::Failed("no server".to_owned()));
        };
        let Some((_, link)) = self.links.get(&number) else { return };
        let reply = link.answerer(ticket);
        tokio::spawn(async move { reply(settle(answer).await) });
    }
}

/// The answer, or what became of it.
async fn settle(answer: oneshot::Receiver<Reply>) -> Reply {
    match timeout(PATIENCE, answer).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => Reply::Failed("the server went away".to_owned()),
        Err(_) => Reply::Failed("timeout".to_owned()),
    }
}
