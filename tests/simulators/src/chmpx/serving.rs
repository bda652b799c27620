//! Requests for keys: which servers they go to, and what a server does with them; and processes that attach.
//!
//! The servers for a key are chosen in `model::routing`.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::event::{Event, Peer};
use super::node::{Chmpx, Wake};
use super::wire::{Attach, Question, Reply};
use crate::model::id::key_hash;
use crate::model::routing::{Route, route};
use crate::model::status::Status;

/// The deadline of a client's request.
const PATIENCE: Duration = Duration::from_secs(5);
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
        self.merging.startup &= joins && (self.own_status().is_out());
        self.set_own(Status::client_joined);
        self.wake(Wake::Advance, Duration::from_millis(10));
    }

    pub(super) fn k2hdkc_left(&mut self) {
        if self.k2hdkc_link().is_none() {
            self.client_left = Some(Instant::now());
            self.later(NOTICE, Event::ClientGone);
        }
    }

    pub(super) fn client_gone(&mut self) {
        let was_operating = self.table.is_operating();
        if self.k2hdkc_link().is_some() || self.merging.hangs() {
            return;
        }
        self.set_own(Status::client_left);
        if was_operating {
            self.abort_merge();
        }
    }

    pub(super) fn asked(&mut self, number: u64, ticket: u64, question: Question) {
        let Some((peer, _)) = self.links.get(&number) else { return };
        match (peer, question) {
            (Peer::Process(attach), question @ (Question::Set(_) | Question::Get(_)))
                if !attach.is_k2hdkc =>
            {
                self.route(number, ticket, &question);
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

    /// A question of another chmpx for the own k2hdkc.
    fn serve(&mut self, number: u64, ticket: u64, question: Question) {
        if self.merging.catches_up && matches!(question, Question::Get(_)) {
            return self.reply(number, ticket, Reply::Failed("the ring is changing".to_owned()));
        }
        let Some(answer) = self.ask_k2hdkc(question) else {
            return self.reply(number, ticket, Reply::Failed("no k2hdkc".to_owned()));
        };
        let Some((_, link)) = self.links.get(&number) else { return };
        let reply = link.answerer(ticket);
        tokio::spawn(async move { reply(settle(answer).await) });
    }

    pub(super) fn ask_k2hdkc(&mut self, question: Question) -> Option<oneshot::Receiver<Reply>> {
        let number = self.k2hdkc_link()?;
        self.links.get_mut(&number).map(|(_, link)| link.ask(question))
    }

    /// A client's request: to whom it goes, and what its answer is.
    fn route(&mut self, number: u64, ticket: u64, question: &Question) {
        let key = match question {
            Question::Set(item) => &item.key,
            Question::Get(key) => key,
            _ => return,
        };
        let Some(Route { first, others }) = route(&self.table, key_hash(key), self.config.replicas()) else {
            return self.reply(number, ticket, Reply::Failed("no server".to_owned()));
        };
        let others = if matches!(question, Question::Set(_)) { others } else { Vec::new() };
        let answer = self.ask(first, question.clone());
        let copies: Vec<_> = others.into_iter().filter_map(|id| self.ask(id, question.clone())).collect();
        let Some((_, link)) = self.links.get(&number) else { return };
        let reply = link.answerer(ticket);
        tokio::spawn(async move {
            let Some(answer) = answer else { return reply(Reply::Failed("no server".to_owned())) };
            let result = settle(answer).await;
            for copy in copies {
                settle(copy).await;
            }
            reply(result);
        });
    }

    fn ask(&mut self, id: u64, question: Question) -> Option<oneshot::Receiver<Reply>> {
        if id != self.own || !self.config.is_server {
            return self.ask_server(id, question);
        }
        if self.merging.catches_up && matches!(question, Question::Get(_)) {
            let (sender, receiver) = oneshot::channel();
            let _ = sender.send(Reply::Failed("the ring is changing".to_owned()));
            return Some(receiver);
        }
        self.ask_k2hdkc(question)
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
