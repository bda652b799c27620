//! One chmpx as a value: what it knows, and what it does with each thing that happens to it.
//!
//! Whatever it sends leaves as an [`Effect`]; it knows no socket and no other chmpx.

use super::list::{List, Micros, Node, Nodes, Word};
use super::message::{Message, Token, Work};
use crate::model::status::Status;

/// The settings of its ini that matter to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ini {
    /// The servers that it lists.
    pub servers: Nodes,
    /// The slaves that it lists.
    pub slaves: Nodes,
    /// REPLICA
    pub replicas: usize,
    /// AUTOMERGE
    pub automerge: bool,
    /// DOMERGE
    pub domerge: bool,
}

/// A deed of a chmpx.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Sends to a chmpx.
    Send(Node, Message),
    /// Sends after a while.
    Later(Micros, Node, Message),
    /// Tells every connected slave the status of a server.
    Slaves(Node, Word),
    /// Hands work to the own k2hdkc.
    Work(Work),
    /// Tries to connect to a server.
    Reach(Node),
    /// Looks again whether everything is copied.
    Tick(u32),
}

/// The moment of a deed, and the place for its effects.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The time.
    pub now: Micros,
    /// The effects.
    pub out: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    pub(super) fn send(&mut self, to: Node, message: Message) {
        self.out.push(Effect::Send(to, message));
    }
}

/// The copy of a merge at the server that asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copying {
    /// The number of the copy.
    pub number: u32,
    /// Records whether it goes on.
    pub runs: bool,
    /// The servers that are asked.
    pub wanted: Nodes,
    /// Those that have sent everything.
    pub got: Nodes,
    /// The thread of the merge waits in vain until then, and does nothing else (docs/facts.md C29).
    pub waits_until: Micros,
}

/// One chmpx.
#[derive(Debug, Clone)]
pub struct Chmpx {
    /// Number.
    pub own: Node,
    /// Records whether it is a server.
    pub is_server: bool,
    /// The file that it has loaded.
    pub ini: Ini,
    /// The servers as it knows them.
    pub list: List,
    /// The nodes that it is connected to.
    pub linked: Nodes,
    /// Records whether a k2hdkc has joined.
    pub client: bool,
    /// What it does by itself.
    pub auto: Automatic,
    /// Its copy.
    pub copying: Copying,
}

/// What a chmpx with AUTOMERGE does by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Automatic {
    /// Records whether the one SERVICEIN is still to come.
    pub comes: bool,
    /// SUSPENDMERGE
    pub suspended: bool,
    /// Records whether COMPMERGE is still to come.
    pub completes: bool,
}

impl Chmpx {
    /// Starts one.
    pub fn started(own: Node, is_server: bool, ini: Ini, now: Micros) -> Self {
        let mut list = List::default();
        for server in ini.servers.iter() {
            list.set(server, Status::OUT_DOWN, 0);
        }
        if is_server {
            list.set(own, Status::STARTED, now);
        }
        Self {
            own,
            is_server,
            ini,
            list,
            linked: Nodes::default(),
            client: false,
            auto: Automatic { comes: ini.automerge, ..Automatic::default() },
            copying: Copying::default(),
        }
    }

    /// Returns its own status.
    pub fn status(&self) -> Status {
        self.list.status(self.own)
    }

    /// Checks whether merges go on by themselves.
    pub(super) fn is_automatic(&self) -> bool {
        self.ini.automerge && !self.auto.suspended
    }

    /// Returns the server to which tokens go.
    pub(super) fn next(&self) -> Option<Node> {
        self.list.next(self.own).filter(|_| self.is_server)
    }

    /// Makes the head of a token that starts here.
    pub(super) fn token(&self) -> Token {
        Token { start: self.own, failed: false }
    }

    /// Sets its own status, and spreads it where it is another one.
    pub(super) fn set_own(&mut self, to: impl FnOnce(Status) -> Status, turn: &mut Turn<'_>) -> bool {
        let (old, new) = (self.status(), to(self.status()));
        if old == new {
            return false;
        }
        self.set_of(self.own, new, turn);
        true
    }

    /// Sets the status of a server, and spreads it.
    pub(super) fn set_of(&mut self, node: Node, status: Status, turn: &mut Turn<'_>) {
        self.list.set(node, status, turn.now);
        self.spread(node, turn);
    }

    /// Spreads its own status again, as of now.
    pub(super) fn repeat_own(&mut self, turn: &mut Turn<'_>) {
        self.list.set(self.own, self.status(), turn.now);
        self.spread(self.own, turn);
    }

    fn spread(&self, node: Node, turn: &mut Turn<'_>) {
        let word = self.list.word(node);
        turn.out.push(Effect::Slaves(node, word));
        if let Some(next) = self.next() {
            turn.send(next, Message::Change(self.token(), node, word));
        }
    }

    /// Starts a token.
    pub(super) fn start(&self, token: impl FnOnce(Token) -> Message, turn: &mut Turn<'_>) -> bool {
        let Some(next) = self.next() else { return false };
        turn.send(next, token(self.token()));
        true
    }

    /// Loads another file: servers that are new to it are listed, those that are gone are dropped once they are down and out.
    pub fn load(&mut self, ini: Ini) {
        self.ini = ini;
        self.auto.suspended = false;
        for server in ini.servers.iter().filter(|server| !self.list.knows(*server)).collect::<Nodes>().iter()
        {
            self.list.set(server, Status::OUT_DOWN, 0);
        }
        self.drop_unlisted();
    }

    /// Drops servers that the file does not list and that are down and out.
    pub(super) fn drop_unlisted(&mut self) {
        let gone: Nodes = (self.list.iter())
            .filter(|(node, status)| *status == Status::OUT_DOWN && !self.ini.servers.has(*node))
            .map(|(node, _)| node)
            .collect();
        gone.iter().filter(|node| *node != self.own).for_each(|node| self.list.remove(node));
    }
}

impl FromIterator<Node> for Nodes {
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        Self::of(nodes)
    }
}
