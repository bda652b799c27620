//! Status words of chmpx as bits (chmpx 1.0.113, lib/chmstructure.h:160-300).

mod transitions;

use std::fmt;

use serde::{Deserialize, Serialize};

const UP: u64 = 0x1;
const RING: u64 = 0x30;
const ACTION: u64 = 0x300;
const OPERATE: u64 = 0x3000;
const SUSPEND: u64 = 0x1_0000;

/// A status word. Only the words of the status model occur, so every one of them is "SAFE".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(u64);

impl Status {
    /// A slave that is connected.
    pub const SLAVE_UP: Self = Self(UP);
    /// The status of a row without a slot.
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

    /// Makes the status of a word that a recording or a fact names.
    #[cfg(test)]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Checks whether the process is there.
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

    /// Checks whether it has a slot of the base hash: it answers for keys, or did until it went down.
    pub fn has_base(self) -> bool {
        self.is_in() && !self.is_add()
    }

    /// Checks whether it will have a slot when the merge is complete.
    pub fn has_pending(self) -> bool {
        self.is_in() && !self.is_delete()
    }

    /// Checks whether requests are sent to it.
    pub fn is_servicing(self) -> bool {
        self.has_base() && self.is_up() && !self.is_suspended()
    }

    /// Checks whether a client's request goes to it: calm or leaving, up and with k2hdkc (lib/chmimdata.cc:2059).
    pub fn is_asked(self) -> bool {
        let calm = self.has_no_action() && self.0 & OPERATE == 0;
        self.is_up() && !self.is_suspended() && (calm || self.is_delete())
    }

    /// Checks whether it sends what a merge asks for (lib/chmeventsock.cc:10460).
    pub fn gives(self) -> bool {
        !self.is_add() && !self.is_suspended()
    }

    /// Checks whether COMPMERGE may be given while a server has this status (lib/chmeventsock.cc:6050).
    pub fn allows_completion(self) -> bool {
        match (self.is_in(), self.is_up()) {
            (true, true) => !self.is_doing(),
            (true, false) => !self.is_delete() || self.is_pending() || self.is_done(),
            (false, _) => true,
        }
    }

    /// Checks whether merging may start while a server has this status (lib/chmeventsock.cc:5992).
    pub fn allows_merge(self) -> bool {
        match (self.is_in(), self.is_up()) {
            (false, _) => true,
            (true, true) => !self.is_suspended() && !self.is_operating(),
            (true, false) => self.is_delete(),
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

    #[test]
    fn the_text_is_chmpx_s() {
        assert_eq!(Status(0x10011).to_string(), "SAFE -> [SERVICE OUT][UP][n/a][Nothing][Suspend]");
        assert_eq!(Status(0x2121).to_string(), "SAFE -> [SERVICE IN][UP][ADD][Doing][NoSuspend]");
        assert_eq!(Status::SLAVE_UP.to_string(), "SAFE -> [SLAVE][UP][n/a][Nothing][NoSuspend]");
    }
}
