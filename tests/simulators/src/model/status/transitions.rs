//! The rules by which one status becomes another (chmpx 1.0.113, lib/chmstructure.h:318-415, lib/chmeventsock.cc).

use super::{ACTION, OPERATE, SUSPEND, Status, UP};

impl Status {
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

    /// The process is there again under the word that others kept of it (lib/chmstructure.tcc:5930-5950).
    #[must_use]
    pub fn back_up(self, has_client: bool) -> Self {
        let up = match (self.is_in(), self.is_delete()) {
            (true, false) if has_client => Self::IN_UP.operate(0x1000),
            (true, false) => Self::IN_UP,
            (true, true) => Self(self.0 | UP),
            (false, _) => Self::OUT_UP,
        };
        up.suspended(!has_client)
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

    /// Returns the status after everything is copied.
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
}
