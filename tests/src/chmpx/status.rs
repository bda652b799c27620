//! Status words of chmpx as bits, and the rules by which one becomes another (chmpx 1.0.113, lib/chmstructure.h:160-415).

use std::fmt;

use serde::{Deserialize, Serialize};

const UP: u64 = 0x1;
const RING: u64 = 0x30;
const ACTION: u64 = 0x300;
const OPERATE: u64 = 0x3000;
const SUSPEND: u64 = 0x1_0000;

/// One status word. Only the words of the status model occur, so every one of them is "SAFE".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(u64);

impl Status {
    /// A slave that is connected.
    pub const SLAVE_UP: Self = Self(UP);
    /// What a row without a slot looks like.
    pub const GHOST: Self = Self(0);
    /// `[SERVICE OUT][DOWN]`
    pub const OUT_DOWN: Self = Self(0x10);
    /// `[SERVICE OUT][UP]` with k2hdkc.
    pub const OUT_UP: Self = Self(0x11);
    /// `[SERVICE OUT][UP]` without k2hdkc: what a server is when it starts.
    pub const STARTED: Self = Self(0x1_0011);
    /// `[SERVICE IN][UP]`, healthy.
    pub const IN_UP: Self = Self(0x21);
    const IN_DOWN: Self = Self(0x20);
    const ADD_PENDING: Self = Self(0x1121);
    const DELETE_PENDING: Self = Self(0x1221);
    const DOWN_DELETE_PENDING: Self = Self(0x1220);
    const DOWN_DELETED: Self = Self(0x3220);

    /// The word itself.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether the process is there.
    pub fn is_up(self) -> bool {
        self.0 & UP != 0
    }

    /// On the ring or about to be, or about to leave it.
    pub fn is_in(self) -> bool {
        self.0 & RING == 0x20
    }

    /// Not on the ring.
    pub fn is_out(self) -> bool {
        self.0 & RING == 0x10
    }

    /// Being added.
    pub fn is_add(self) -> bool {
        self.0 & ACTION == 0x100
    }

    /// Being taken out.
    pub fn is_delete(self) -> bool {
        self.0 & ACTION == 0x200
    }

    fn has_no_action(self) -> bool {
        self.0 & ACTION == 0
    }

    /// Waits for a merge.
    pub fn is_pending(self) -> bool {
        self.0 & OPERATE == 0x1000
    }

    /// Copies.
    pub fn is_doing(self) -> bool {
        self.0 & OPERATE == 0x2000
    }

    /// Has copied, and waits for the others.
    pub fn is_done(self) -> bool {
        self.0 & OPERATE == 0x3000
    }

    /// Merging, in the sense of "server is operating now".
    pub fn is_operating(self) -> bool {
        self.is_doing() || self.is_done()
    }

    /// Without k2hdkc.
    pub fn is_suspended(self) -> bool {
        self.0 & SUSPEND != 0
    }

    /// Whether it has a slot of the base hash: it answers for keys, or did until it went down.
    pub fn has_base(self) -> bool {
        self.is_in() && !self.is_add()
    }

    /// Whether it will have a slot when the merge is complete.
    pub fn has_pending(self) -> bool {
        self.is_in() && !self.is_delete()
    }

    /// Whether requests are sent to it.
    pub fn is_servicing(self) -> bool {
        self.has_base() && self.is_up() && !self.is_suspended()
    }

    /// Whether merging may start while a server has this status (lib/chmeventsock.cc:5992).
    pub fn allows_merge(self) -> bool {
        match (self.is_in(), self.is_up()) {
            (false, _) => true,
            (true, true) => !self.is_suspended() && !self.is_operating(),
            (true, false) => self.is_delete(),
        }
    }

    fn operate(self, bits: u64) -> Self {
        Self(self.0 & !OPERATE | bits)
    }

    fn no_action(self) -> Self {
        Self(self.0 & !ACTION)
    }

    fn suspended(self, suspended: bool) -> Self {
        Self(self.0 & !SUSPEND | if suspended { SUSPEND } else { 0 })
    }

    /// SERVICEIN; unchanged where that is not allowed.
    #[must_use]
    pub fn service_in(self) -> Self {
        if self.is_in() && self.is_up() && self.is_delete() && self.is_pending() {
            return if self.is_suspended() {
                Self::IN_UP.suspended(true)
            } else {
                Self::IN_UP.operate(0x1000)
            };
        }
        if self == Self::OUT_UP { Self::ADD_PENDING } else { self }
    }

    /// SERVICEOUT; unchanged where that is not allowed.
    #[must_use]
    pub fn service_out(self) -> Self {
        match (self.is_in(), self.is_up()) {
            (true, true) if self.is_operating() || self.is_delete() => self,
            (true, true) if self.is_add() => Self::OUT_UP.suspended(self.is_suspended()),
            (true, true) => Self::DELETE_PENDING.suspended(self.is_suspended()),
            (true, false) if self.has_no_action() => Self::DOWN_DELETE_PENDING,
            _ => self,
        }
    }

    /// The process is gone.
    #[must_use]
    pub fn down(self) -> Self {
        if !self.is_in() {
            return if self.is_out() { Self::OUT_DOWN } else { Self(self.0 & !UP) };
        }
        match self {
            _ if self.is_add() => Self::OUT_DOWN,
            _ if self.is_delete() && self.is_operating() => Self::DOWN_DELETED,
            _ if self.is_delete() => Self::DOWN_DELETE_PENDING,
            _ => Self::IN_DOWN,
        }
    }

    /// k2hdkc left.
    #[must_use]
    pub fn client_left(self) -> Self {
        if !self.is_up() {
            return self;
        }
        let operate = if self.is_in() && !self.has_no_action() { 0x1000 } else { 0 };
        self.operate(operate).suspended(true)
    }

    /// k2hdkc joined: a server that is on the ring must merge again what it missed.
    #[must_use]
    pub fn client_joined(self) -> Self {
        let joined = self.suspended(false);
        if joined == Self::IN_UP { joined.operate(0x1000) } else { joined }
    }

    /// A merge starts.
    #[must_use]
    pub fn merge_started(self) -> Self {
        match (self.is_pending(), self.is_up()) {
            (true, true) if !self.is_suspended() => self.operate(0x2000),
            (true, false) if self.is_delete() => Self::DOWN_DELETED,
            _ => self,
        }
    }

    /// Everything is copied.
    #[must_use]
    pub fn merge_done(self) -> Self {
        if self.is_doing() { self.operate(0x3000) } else { self }
    }

    /// The merge is complete.
    #[must_use]
    pub fn merge_completed(self) -> Self {
        match self {
            _ if self.is_in() && !self.is_up() && self.is_delete() => Self::OUT_DOWN,
            _ if !self.is_done() => self,
            _ if self.is_delete() => Self::OUT_UP.suspended(self.is_suspended()),
            _ => Self::IN_UP,
        }
    }

    /// The merge is given up (lib/chmeventsock.cc:6287-6335).
    #[must_use]
    pub fn merge_aborted(self) -> Self {
        match (self.is_in(), self.is_up()) {
            (true, false) if self.is_delete() => Self::IN_DOWN,
            (true, true) if self.is_delete() => {
                self.no_action().operate(if self.is_suspended() { 0 } else { 0x1000 })
            }
            (true, true) if self.is_operating() => self.operate(0x1000),
            _ => self,
        }
    }
}

/// As in `status = SAFE -> [SERVICE IN][UP][n/a][Nothing][NoSuspend]`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = match self.0 & RING {
            0x10 => "SERVICE OUT",
            0x20 => "SERVICE IN",
            _ => "SLAVE",
        };
        let live = if self.is_up() { "UP" } else { "DOWN" };
        let action = match self.0 & ACTION {
            0x100 => "ADD",
            0x200 => "DELETE",
            _ => "n/a",
        };
        let operate = match self.0 & OPERATE {
            0x1000 => "Pending",
            0x2000 => "Doing",
            0x3000 => "Done",
            _ => "Nothing",
        };
        let suspend = if self.is_suspended() { "Suspend" } else { "NoSuspend" };
        write!(f, "SAFE -> [{ring}][{live}][{action}][{operate}][{suspend}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(from: u64, steps: &[fn(Status) -> Status]) -> Vec<u64> {
        let mut status = Status(from);
        let step = |step: &fn(Status) -> Status| {
            status = step(status);
            status.bits()
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn a_server_joins_and_leaves_through_the_recorded_words() {
        let join: [fn(Status) -> Status; 5] = [
            Status::client_joined,
            Status::service_in,
            Status::merge_started,
            Status::merge_done,
            Status::merge_completed,
        ];
        assert_eq!(walk(0x10011, &join), [0x11, 0x1121, 0x2121, 0x3121, 0x21]);
        let leave: [fn(Status) -> Status; 4] =
            [Status::service_out, Status::merge_started, Status::merge_done, Status::merge_completed];
        assert_eq!(walk(0x21, &leave), [0x1221, 0x2221, 0x3221, 0x11]);
        let remerge: [fn(Status) -> Status; 5] = [
            Status::client_left,
            Status::client_joined,
            Status::merge_started,
            Status::merge_done,
            Status::merge_completed,
        ];
        assert_eq!(walk(0x21, &remerge), [0x10021, 0x1021, 0x2021, 0x3021, 0x21]);
    }

    #[test]
    fn a_server_that_goes_down_is_taken_out_by_its_neighbours() {
        let out: [fn(Status) -> Status; 3] = [Status::down, Status::service_out, Status::merge_completed];
        assert_eq!(walk(0x21, &out), [0x20, 0x1220, 0x10]);
        assert_eq!(walk(0x2121, &[Status::down]), [0x10]);
        assert_eq!(walk(0x10011, &[Status::down]), [0x10]);
    }

    #[test]
    fn a_merge_is_given_up_when_k2hdkc_dies() {
        // status-sequence-STUCK-example: 0x2221 -> 0x11221 -> 0x10021
        assert_eq!(walk(0x2221, &[Status::client_left, Status::merge_aborted]), [0x11221, 0x10021]);
        assert_eq!(walk(0x2121, &[Status::merge_aborted]), [0x1121]);
    }

    #[test]
    fn what_is_not_allowed_leaves_the_word_alone() {
        for word in [0x10011, 0x21, 0x1121, 0x2121, 0x10] {
            assert_eq!(walk(word, &[Status::service_in]), [word], "{word:#x}");
        }
        for word in [0x10011, 0x11, 0x2221, 0x10, 0x1221] {
            assert_eq!(walk(word, &[Status::service_out]), [word], "{word:#x}");
        }
    }

    #[test]
    fn the_text_is_chmpx_s() {
        assert_eq!(Status(0x10011).to_string(), "SAFE -> [SERVICE OUT][UP][n/a][Nothing][Suspend]");
        assert_eq!(Status(0x2121).to_string(), "SAFE -> [SERVICE IN][UP][ADD][Doing][NoSuspend]");
        assert_eq!(Status::SLAVE_UP.to_string(), "SAFE -> [SLAVE][UP][n/a][Nothing][NoSuspend]");
    }
}
