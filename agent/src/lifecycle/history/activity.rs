//! Activity of the ring, as this node's chmpx reports it: while the ring moves, an answer of some seconds ago says little.

use std::time::Duration;

use tokio::time::Instant;

use crate::chmpx_state::{ChmpxState, NodeStatus, Operation};

/// Time after a change of any server's status in which chmpx is asked often …
const STIRRED_FOR: Duration = Duration::from_secs(5);
/// … and the same where some server is unwell: a server that is gone may be so for days.
const UNWELL_FOR: Duration = Duration::from_secs(60);

/// Activity of the ring.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity {
    seen: Vec<(String, NodeStatus)>,
    at: Option<Instant>,
    merges: bool,
    unwell: bool,
}

impl Activity {
    /// Takes in the latest answer of chmpx, if there is one.
    pub(super) fn observe(&mut self, view: Option<&ChmpxState>, now: Instant) {
        let rows = view.map_or(&[][..], |view| &view.servers);
        let seen: Vec<_> = rows.iter().map(|row| (row.name.clone(), row.status)).collect();
        if self.seen != seen {
            (self.seen, self.at) = (seen, Some(now));
        }
        self.merges = rows.iter().any(|row| row.status.operation() != Operation::Nothing);
        self.unwell = rows.iter().any(|row| !row.status.is_healthy());
    }

    /// Returns true while something moves.
    pub(super) fn moves(&self, now: Instant) -> bool {
        let changed = |within| self.at.is_some_and(|at| now.duration_since(at) < within);
        self.merges || changed(if self.unwell { UNWELL_FOR } else { STIRRED_FOR })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_ring_moves_for_a_while_after_each_change_and_as_long_as_it_merges() {
        let mut view = fixtures::view(&fixtures::ring(&[1, 2, 3], &[]), 4);
        let (mut activity, start) = (Activity::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        activity.observe(Some(&view), at(0));
        assert!(activity.moves(at(4)) && !activity.moves(at(5)));
        view.servers[1].status = NodeStatus::from_bits(0x10);
        activity.observe(Some(&view), at(100));
        assert!(activity.moves(at(159)) && !activity.moves(at(160)), "it may be down for days");
        view.servers[1].status = NodeStatus::from_bits(0x2121);
        activity.observe(Some(&view), at(200));
        activity.observe(Some(&view), at(900));
        assert!(activity.moves(at(900)), "a merge moves");
    }
}
