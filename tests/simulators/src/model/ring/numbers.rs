//! The same nodes under other numbers.
//!
//! In virtual time a node keeps its number. A process that has only a list of its own numbers the servers by their places in
//! it, so that a server that comes or goes moves those behind it, and another process numbers them otherwise.

use super::chmpx::{Chmpx, Ini};
use super::list::{List, MOST, Node, Nodes};
use super::message::{Message, Question, Token};

/// Returns the other number of a node; `None` for one that has none.
type Map<'a> = &'a dyn Fn(Node) -> Option<Node>;

impl Nodes {
    fn renumbered(self, map: Map<'_>) -> Self {
        self.iter().filter_map(map).collect()
    }
}

impl List {
    /// Returns the list with its servers under other numbers.
    #[must_use]
    pub fn renumbered(&self, map: Map<'_>) -> Self {
        let mut list = Self::default();
        for (node, status) in self.iter() {
            if let Some(to) = map(node) {
                list.set(to, status, self.word(node).at);
            }
        }
        list
    }
}

impl Chmpx {
    /// Makes room for a server at that place: those from there on move up by one.
    pub fn open(&mut self, place: Node) {
        self.renumber(&|node| Some(node + usize::from(node >= place)).filter(|node| *node < MOST));
    }

    /// Forgets the server at that place: those behind it move down by one.
    pub fn close(&mut self, place: Node) {
        self.renumber(&|node| (node != place).then_some(node - usize::from(node > place)));
    }

    /// A slave is in no list, and keeps its number.
    fn renumber(&mut self, map: Map<'_>) {
        if self.is_server {
            self.own = map(self.own).unwrap_or(self.own);
        }
        let Ini { servers, slaves, .. } = self.ini;
        self.ini.servers = servers.renumbered(map);
        self.ini.slaves = slaves.renumbered(map);
        self.list = self.list.renumbered(map);
        self.linked = self.linked.renumbered(map);
        self.copying.wanted = self.copying.wanted.renumbered(map);
        self.copying.got = self.copying.got.renumbered(map);
    }
}

impl Token {
    fn renumbered(self, map: Map<'_>) -> Option<Self> {
        Some(Self { start: map(self.start)?, ..self })
    }
}

impl Message {
    /// Returns the message with its nodes under other numbers; `None` where it is about one that has none.
    #[must_use]
    pub fn renumbered(self, map: Map<'_>) -> Option<Self> {
        Some(match self {
            Self::Change(token, node, word) => Self::Change(token.renumbered(map)?, map(node)?, word),
            Self::Confirm(token, list) => {
                Self::Confirm(token.renumbered(map)?, Box::new(list.renumbered(map)))
            }
            Self::Start(token) => Self::Start(token.renumbered(map)?),
            Self::Complete(token) => Self::Complete(token.renumbered(map)?),
            Self::Abort(token) => Self::Abort(token.renumbered(map)?),
            Self::Down(token, node) => Self::Down(token.renumbered(map)?, map(node)?),
            Self::Suspend(token, suspended) => Self::Suspend(token.renumbered(map)?, suspended),
            Self::Ask(token, question) => {
                let Question { range, wanted, idle } = *question;
                let question = Question { range, wanted: wanted.renumbered(map), idle: idle.renumbered(map) };
                Self::Ask(token.renumbered(map)?, Box::new(question))
            }
            Self::Given(node) => Self::Given(map(node)?),
            Self::ServiceOut | Self::Items(_) | Self::Request(_) | Self::Answer(..) | Self::Replica(..) => {
                self
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::{Word, list};
    use super::*;
    use crate::model::status::Status;

    fn chmpx() -> Chmpx {
        let servers = Nodes::of([0, 1, 2]);
        let mut chmpx = Chmpx::started(1, true, Ini { servers, ..Ini::default() }, 7);
        chmpx.linked = Nodes::of([0, 2]);
        chmpx
    }

    #[test]
    fn a_server_that_comes_moves_those_behind_it_and_one_that_goes_moves_them_back() {
        let (before, mut chmpx) = (chmpx(), chmpx());
        chmpx.open(1);
        assert_eq!(
            (chmpx.own, chmpx.linked, chmpx.ini.servers),
            (2, Nodes::of([0, 3]), Nodes::of([0, 2, 3]))
        );
        assert_eq!((chmpx.status(), chmpx.list.knows(1)), (Status::STARTED, false));
        chmpx.close(1);
        assert_eq!((chmpx.own, chmpx.list, chmpx.linked), (before.own, before.list, before.linked));
    }

    #[test]
    fn a_message_about_a_server_that_has_no_number_here_says_nothing() {
        let map = |node: Node| [Some(4), None, Some(0)].get(node).copied().flatten();
        let token = |start| Token { start, failed: true };
        let confirm = Message::Confirm(token(2), Box::new(list(&[0x21, 0x21, 0x11])));
        let Some(Message::Confirm(head, servers)) = confirm.renumbered(&map) else { panic!("dropped") };
        assert_eq!((head, servers.iter().map(|(node, _)| node).collect::<Vec<_>>()), (token(0), vec![0, 4]));
        let word = Word { status: Status::IN_UP, at: 1 };
        assert_eq!(Message::Change(token(0), 1, word).renumbered(&map), None);
        assert_eq!(Message::Start(token(1)).renumbered(&map), None);
    }
}
