//! The changes that servers are in, and since when.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::chmpx_state::{NodeStatus, Operation, Row};
use crate::lifecycle::situation::Situation;

/// The changes that servers are in, by chmpxid: the status, and since when.
#[derive(Debug, Clone, Default)]
pub(in crate::lifecycle) struct Changes(BTreeMap<u64, (NodeStatus, Instant)>);

impl Changes {
    pub(super) fn observe(&mut self, situation: &Situation<'_>) {
        let Some(view) = situation.view() else { return };
        let changes = view.servers.iter().filter(|row| row.status.operation() != Operation::Nothing);
        let past = std::mem::take(&mut self.0);
        let now = |row: &Row| {
            let id = row.chmpxid?;
            let same = past.get(&id).filter(|(status, _)| *status == row.status).copied();
            Some((id, same.unwrap_or((row.status, situation.now))))
        };
        self.0 = changes.filter_map(now).collect();
    }

    /// Returns how long the server of that row has been in its change.
    pub(in crate::lifecycle) fn time_of(&self, row: &Row, now: Instant) -> Duration {
        let since = row.chmpxid.and_then(|id| self.0.get(&id));
        since.map_or(Duration::ZERO, |(_, since)| now.duration_since(*since))
    }
}
