//! What a chmpx makes of connections that come and go, and of its k2hdkc (chmpx lib/chmeventsock.cc:3283-3372, 6965, 10209).

use super::chmpx::{Chmpx, Effect, Turn};
use super::list::{List, Node, Nodes};
use super::message::Message;
use crate::model::status::Status;

impl Chmpx {
    /// The last connection to a node broke.
    pub fn lost(&mut self, node: Node, turn: &mut Turn<'_>) {
        self.linked = self.linked.without(node);
        let status = self.list.status(node);
        if !self.list.knows(node) || !status.is_up() {
            return;
        }
        let was_operating = self.list.is_operating();
        if !self.is_server {
            // Its word is as old as it was: any server's word about it counts.
            let known = self.list.word(node).at;
            self.list.set(node, status.down(), known);
            return self.all_down();
        }
        self.list.set(node, status.down(), turn.now);
        turn.out.push(Effect::Slaves(node, self.list.word(node)));
        if was_operating && !self.start(Message::Abort, turn) {
            self.abort(turn);
        }
        if !self.start(|token| Message::Down(token, node), turn) && self.is_automatic() {
            self.service_out(node, turn);
        }
    }

    /// To a slave that sees no server none is in service.
    fn all_down(&mut self) {
        if self.list.iter().any(|(_, status)| status.is_up()) {
            return;
        }
        let all: Nodes = self.list.iter().map(|(node, _)| node).collect();
        all.iter().for_each(|node| self.list.set(node, Status::OUT_DOWN, 0));
        self.drop_unlisted();
    }

    /// It is connected to a server, and takes what that one knows of itself; the first one's list it takes as a whole. A server that
    /// comes back takes up what the others kept of it.
    pub fn welcomed(&mut self, by: Node, list: &List, turn: &mut Turn<'_>) {
        let is_first = !list.iter().any(|(node, _)| self.linked.has(node));
        self.linked = self.linked.with(by);
        let others: Nodes = list.iter().map(|(node, _)| node).filter(|node| *node != self.own).collect();
        for node in others.iter() {
            if is_first || node == by {
                self.list.set(node, list.status(node), list.word(node).at);
            }
            self.learn(node, list.word(node), turn);
        }
        if !self.is_server {
            return;
        }
        let kept = list.status(self.own);
        if list.knows(self.own) && kept.is_in() && !kept.is_up() {
            self.list.set(self.own, kept.back_up(self.client), turn.now);
        }
        self.repeat_own(turn);
    }

    /// A server has connected, and tells what it knows.
    pub fn met(&mut self, other: Node, list: &List, turn: &mut Turn<'_>) {
        let known: Nodes = list.iter().map(|(node, _)| node).filter(|node| *node != self.own).collect();
        for node in known.iter() {
            self.learn(node, list.word(node), turn);
        }
        self.list.set(other, list.status(other), list.word(other).at);
        turn.out.push(Effect::Slaves(other, list.word(other)));
    }

    /// A k2hdkc joins.
    pub fn joined(&mut self, turn: &mut Turn<'_>) {
        self.client = true;
        if self.status().is_suspended() {
            self.set_own(Status::client_joined, turn);
            self.go_on(turn);
        }
    }

    /// Its k2hdkc is gone: a merge that goes on anywhere is given up.
    pub fn left(&mut self, turn: &mut Turn<'_>) {
        self.client = false;
        let was_operating = self.list.is_operating();
        if self.set_own(Status::client_left, turn) && was_operating && !self.start(Message::Abort, turn) {
            self.abort(turn);
        }
    }
}
