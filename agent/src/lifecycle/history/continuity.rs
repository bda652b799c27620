//! The service of the other servers over a restart of chmpx: whether they kept their keys meanwhile.

use crate::chmpx_state::ChmpxState;
use crate::lifecycle::data_safety::{others, serves_on};
use crate::supervisor::ProcessId;

/// The service of the other servers, before and after a restart of chmpx.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::lifecycle) struct Continuity {
    /// The chmpx that gave the answers.
    of: Option<ProcessId>,
    /// True if the last answer of the chmpx before it found all of them in service.
    before: bool,
    /// True once one of them was seen to start, to go or to be without k2hdkc.
    broken: bool,
    /// Servers that were up in the last answer.
    up: usize,
    /// True if all of them were in service in the last answer.
    well: bool,
}

impl Continuity {
    pub(super) fn observe(&mut self, chmpx: ProcessId, view: &ChmpxState) {
        if self.of != Some(chmpx) {
            *self = Self { of: Some(chmpx), before: self.well, ..Self::default() };
        }
        let up = others(view).filter(|status| status.is_up()).count();
        // One that is down has perhaps not been reached yet; one that comes up in the middle of a join was gone.
        self.broken |= up < self.up || others(view).any(|status| status.is_up() && !serves_on(status));
        (self.up, self.well) = (up, up > 0 && others(view).all(serves_on));
    }

    /// A new file may have ended chmpx, and then on every server.
    pub(super) fn doubt(&mut self) {
        self.well = false;
    }

    /// Returns true if all others were in service before this chmpx came, and have been since.
    pub(in crate::lifecycle) fn unbroken(self, chmpx: Option<ProcessId>) -> bool {
        self.of.is_some() && self.of == chmpx && self.before && self.well && !self.broken
    }
}
