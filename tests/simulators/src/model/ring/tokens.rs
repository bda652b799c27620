//! The tokens of a ring, as each chmpx takes them (chmpx lib/chmeventsock.cc, `PxComReceive…`).

use super::chmpx::{Chmpx, Effect, Turn};
use super::list::{List, Node, Nodes, Word};
use super::message::{Message, Question, Token, Work};
use crate::model::status::Status;

/// A token that has failed is sent again after this time. The real one does so at once, at the cost of its processor.
const AGAIN: u64 = 20_000;

impl Chmpx {
    /// Takes a token.
    pub fn receive(&mut self, message: Message, turn: &mut Turn<'_>) {
        match message {
            Message::Change(token, node, word) => self.change(token, node, word, turn),
            Message::Confirm(token, list) => self.confirm(token, list, turn),
            Message::Start(token) => self.merge_started(token, turn),
            Message::Complete(token) => self.merge_completed(token, turn),
            Message::Abort(token) => {
                self.pass_unless_back(token, Message::Abort, turn);
                self.abort(turn);
                self.go_on(turn);
            }
            Message::Down(token, node) => self.down(token, node, turn),
            Message::Suspend(token, suspended) => {
                self.pass_unless_back(token, |token| Message::Suspend(token, suspended), turn);
                self.auto.suspended = suspended;
                self.auto.comes &= !suspended;
            }
            Message::Ask(token, question) => self.asked(token, *question, turn),
            Message::ServiceOut => {
                self.service_out(self.own, turn);
            }
            Message::Items(items) => turn.out.push(Effect::Work(Work::Keep(items))),
            Message::Given(by) => self.given(by),
            Message::Replica(key, item, at) => turn.out.push(Effect::Work(Work::Copy(key, item, at))),
            Message::Request(request) => turn.out.push(Effect::Work(Work::Serve(request))),
            Message::Answer(..) => {}
        }
    }

    /// Passes a token on, unless it is back at its start.
    fn pass_unless_back(
        &self,
        token: Token,
        message: impl FnOnce(Token) -> Message,
        turn: &mut Turn<'_>,
    ) -> bool {
        if token.start == self.own {
            return false;
        }
        let next = self.next().filter(|next| self.list.passes(self.own, token.start, *next));
        if let Some(next) = next {
            turn.send(next, message(token));
        }
        true
    }

    fn change(&mut self, token: Token, node: Node, word: Word, turn: &mut Turn<'_>) {
        if self.is_server && token.start == self.own {
            return self.own_word_is_back(token, node, word, turn);
        }
        self.learn(node, word, turn);
        if self.is_server {
            turn.out.push(Effect::Slaves(node, word));
            self.pass_unless_back(token, |token| Message::Change(token, node, word), turn);
        }
    }

    fn own_word_is_back(&mut self, token: Token, node: Node, word: Word, turn: &mut Turn<'_>) {
        let completes =
            self.auto.completes && node == self.own && word.status.is_done() && self.is_automatic();
        if token.failed || completes && !self.request_complete(turn) {
            self.list.set(self.own, self.status(), turn.now);
            if let Some(next) = self.next() {
                let word = self.list.word(self.own);
                turn.out.push(Effect::Later(AGAIN, next, Message::Change(self.token(), self.own, word)));
            }
        }
    }

    /// Takes a word about a server, also about itself (lib/chmstructure.tcc:5920-5990).
    pub(super) fn learn(&mut self, node: Node, mut word: Word, turn: &mut Turn<'_>) {
        if self.is_server && node == self.own && !word.status.is_up() {
            word.status = word.status.back_up(self.client);
        }
        self.list.learn(node, word);
        if word.status.is_up() && node != self.own && !self.linked.has(node) {
            turn.out.push(Effect::Reach(node));
        }
    }

    fn confirm(&mut self, token: Token, list: Box<List>, turn: &mut Turn<'_>) {
        if token.start != self.own {
            let failed = token.failed || !self.list.agrees(&list);
            self.pass_unless_back(Token { failed, ..token }, |token| Message::Confirm(token, list), turn);
        } else if !token.failed {
            if self.allows_merge() {
                self.start(Message::Start, turn);
            }
        } else if let Some(next) = self.next() {
            self.repeat_own(turn);
            turn.out.push(Effect::Later(AGAIN, next, Message::Confirm(self.token(), Box::new(self.list))));
        }
    }

    /// The start of a merge is the last one to start, after it has marked the servers that were serviced out while they were
    /// down: their `[Done]` makes it skip its own copy (lib/chmeventsock.cc:9288-9316, 5658).
    fn merge_started(&mut self, token: Token, turn: &mut Turn<'_>) {
        if !self.pass_unless_back(token, Message::Start, turn) {
            self.mark_down(Status::is_pending, Status::merge_started, turn);
        }
        self.begin(turn);
    }

    /// Sets the statuses of servers that are down and `[DELETE]`.
    pub(super) fn mark_down(
        &mut self,
        which: impl Fn(Status) -> bool,
        to: impl Fn(Status) -> Status,
        turn: &mut Turn<'_>,
    ) {
        let down: Nodes = (self.list.iter())
            .filter(|(_, status)| status.is_in() && !status.is_up() && status.is_delete() && which(*status))
            .map(|(node, _)| node)
            .collect();
        for node in down.without(self.own).iter() {
            self.set_of(node, to(self.list.status(node)), turn);
        }
    }

    fn merge_completed(&mut self, mut token: Token, turn: &mut Turn<'_>) {
        let is_back = token.start == self.own;
        let own = self.status();
        let allowed =
            !own.is_in() || !own.is_up() || !own.is_doing() && (!own.is_suspended() || own.is_done());
        let complete = !token.failed && (is_back || allowed);
        token.failed |= !complete;
        self.pass_unless_back(token, Message::Complete, turn);
        if complete {
            self.complete(turn);
            self.go_on(turn);
        } else if let Some(next) = self.next() {
            self.repeat_own(turn);
            turn.out.push(Effect::Later(AGAIN, next, Message::Complete(self.token())));
        }
    }

    fn down(&mut self, token: Token, node: Node, turn: &mut Turn<'_>) {
        if token.start == self.own {
            if self.is_automatic() {
                self.service_out(node, turn);
            }
            return;
        }
        self.list.set(node, self.list.status(node).down(), turn.now);
        self.linked = self.linked.without(node);
        turn.out.push(Effect::Slaves(node, self.list.word(node)));
        self.pass_unless_back(token, |token| Message::Down(token, node), turn);
    }

    fn asked(&mut self, token: Token, mut question: Question, turn: &mut Turn<'_>) {
        if token.start == self.own {
            self.copying.got = self.copying.got.and(question.idle);
            return;
        }
        if question.wanted.has(self.own) {
            if self.status().gives() && self.client {
                turn.out.push(Effect::Work(Work::Give(token.start, question.range)));
            } else {
                question.idle = question.idle.with(self.own);
            }
        }
        self.pass_unless_back(token, |token| Message::Ask(token, Box::new(question)), turn);
    }
}
