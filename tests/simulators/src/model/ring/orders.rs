//! The commands of the control port that concern a merge (chmpx lib/chmeventsock.cc:5336-5647, 6355-6790).

use super::chmpx::{Chmpx, Turn};
use super::list::Node;
use super::message::Message;
use crate::model::status::Status;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// SERVICEIN
    ServiceIn,
    /// SERVICEOUT of a server.
    ServiceOut(Node),
    /// MERGE
    Merge,
    /// COMPMERGE
    CompleteMerge,
    /// ABORTMERGE
    AbortMerge,
    /// UPDATESTATUS
    UpdateStatus,
    /// SUSPENDMERGE
    SuspendMerge,
    /// NOSUSPENDMERGE
    NoSuspendMerge,
}

/// The answer: "SUCCEED" means that a token is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// SUCCEED
    Succeed,
    /// "server is operating now"
    Operating,
    /// "status is not allowed"
    NotAllowed,
    /// "some servers could not be changed its status now"
    SomeServers,
    /// Not on a slave.
    Slave,
}

impl Chmpx {
    /// Carries a command out.
    pub fn order(&mut self, command: Command, turn: &mut Turn<'_>) -> Reply {
        if !self.is_server {
            return Reply::Slave;
        }
        let done = |done| if done { Reply::Succeed } else { Reply::SomeServers };
        match command {
            Command::ServiceIn => self.ordered_in(turn),
            Command::ServiceOut(node) => self.service_out_of(node, turn),
            Command::Merge => done(self.request_merge(turn)),
            Command::CompleteMerge => done(self.request_complete(turn)),
            Command::AbortMerge => {
                if !self.start(Message::Abort, turn) {
                    self.abort(turn);
                }
                Reply::Succeed
            }
            Command::UpdateStatus => {
                self.repeat_own(turn);
                Reply::Succeed
            }
            Command::SuspendMerge => self.suspend(true, turn),
            Command::NoSuspendMerge => self.suspend(false, turn),
        }
    }

    fn suspend(&mut self, suspended: bool, turn: &mut Turn<'_>) -> Reply {
        self.auto.suspended = suspended;
        self.auto.comes &= !suspended;
        self.start(|token| Message::Suspend(token, suspended), turn);
        Reply::Succeed
    }

    /// With AUTOMERGE the merge follows at once (lib/chmeventsock.cc:7135-7150).
    fn ordered_in(&mut self, turn: &mut Turn<'_>) -> Reply {
        let reply = self.service_in(turn);
        if reply == Reply::Succeed && self.is_automatic() && !self.request_merge(turn) {
            return Reply::SomeServers;
        }
        reply
    }

    pub(super) fn service_in(&mut self, turn: &mut Turn<'_>) -> Reply {
        if self.list.is_operating() {
            return Reply::Operating;
        }
        if self.set_own(Status::service_in, turn) { Reply::Succeed } else { Reply::NotAllowed }
    }

    /// Another server that is up gets the order by its own control port.
    fn service_out_of(&mut self, node: Node, turn: &mut Turn<'_>) -> Reply {
        if node != self.own && self.list.status(node).is_up() {
            turn.send(node, Message::ServiceOut);
            return Reply::Succeed;
        }
        self.service_out(node, turn)
    }

    pub(super) fn service_out(&mut self, node: Node, turn: &mut Turn<'_>) -> Reply {
        if self.list.is_operating() {
            return Reply::Operating;
        }
        let old = self.list.status(node);
        if old.service_out() == old {
            return if node == self.own { Reply::NotAllowed } else { Reply::Succeed };
        }
        self.set_of(node, old.service_out(), turn);
        if self.is_automatic() && !self.request_complete(turn) {
            return Reply::SomeServers;
        }
        Reply::Succeed
    }

    /// Compares all lists first; the merge starts when that is back.
    pub(super) fn request_merge(&mut self, turn: &mut Turn<'_>) -> bool {
        if !self.allows_merge() {
            return false;
        }
        self.list.set(self.own, self.status(), turn.now);
        let list = Box::new(self.list);
        if !self.start(|token| Message::Confirm(token, list), turn) {
            self.begin(turn);
        }
        true
    }

    pub(super) fn request_complete(&mut self, turn: &mut Turn<'_>) -> bool {
        if !self.list.iter().all(|(_, status)| status.allows_completion()) {
            return false;
        }
        if self.next().is_none() {
            self.complete(turn);
            return true;
        }
        self.auto.completes = false;
        self.repeat_own(turn);
        self.start(Message::Complete, turn)
    }
}
