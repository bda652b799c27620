//! The simulated chmpx and k2hdkc beside what was seen of the real ones: reloads, ends, statuses, keys, faults.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod cluster;
mod data;
mod endings;
mod lost_reloads;
mod faults;
mod reloads;
mod statuses;

use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::{Node, Stage, Style};

/// Long enough for everything that happens at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for what would happen, if it did.
const MOMENT: Duration = Duration::from_millis(300);

/// A node with a running chmpx, alone: server 0, or slave 100.
struct Solo {
    stage: Stage,
    node: Node,
}

impl Solo {
    fn start(number: u32) -> Self {
        Self::styled(number, Style::default())
    }

    fn styled(number: u32, style: Style) -> Self {
        let stage = Stage::new(style).unwrap();
        let mut solo = Self { node: stage.node(number).unwrap(), stage };
        solo.node.push(&solo.ini(1)).unwrap();
        solo.node.start_chmpx().unwrap();
        solo
    }

    /// The ini with that FILEVERSION, and server 1 beside it.
    fn ini(&self, fileversion: u32) -> String {
        self.stage.ini(self.node.number, fileversion, &[0, 1], &[100])
    }

    fn revision(&self) -> String {
        self.node.dumped("cfg_revision")
    }

    /// Checks whether that FILEVERSION does not come into force, now and in a moment.
    fn ignores(&self, fileversion: u32) -> bool {
        !wait_for(MOMENT, || self.revision() == fileversion.to_string())
    }

    fn logs(&self, text: &str) -> bool {
        wait_for(PATIENCE, || self.node.log("chmpx").contains(text))
    }
}
