//! Merges: the steps of one on every server, and what is copied. The next step is decided in `model::merging`.
//!
//! Every server that will have a slot copies its share from those that have one now; only then do statuses go to Done, and
//! with Complete the new slots are in force. docs/facts.md C23, D3 to D6.

use std::time::{Duration, Instant};

use super::node::{Chmpx, Wake};
use super::wire::{Merge, Note};
use crate::model::merging::{Drive, Next, Order, View};
use crate::model::status::Status;
use crate::simulators::faults::Stick;

/// Between two looks at a merge that this server drives.
const STEP: Duration = Duration::from_millis(20);

/// The knowledge of a server about merges, besides the statuses.
#[derive(Debug)]
pub struct Merging {
    /// SUSPENDMERGE
    pub(super) suspended: bool,
    /// Records whether the one automatic SERVICEIN is still to come.
    pub(super) startup: bool,
    /// The merge that this server drives.
    drive: Option<Drive>,
    /// The driver of the merge that this server copies for, and its number.
    pub(super) copies_for: Option<(u64, u64)>,
    /// The number of the copying that counts; older ones were given up.
    pub(super) copying: u64,
    /// A share is copied after a loss; until then a key that is missing may be on its way.
    pub(super) catches_up: bool,
    pub(super) stuck: Option<Stuck>,
}

/// The effect of an injected fault on a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuck {
    /// In Doing, for good.
    Doing,
    /// In Done, until UPDATESTATUS.
    Done,
}

impl Merging {
    /// Makes the state in which nothing merges yet.
    pub(super) fn new(startup: bool) -> Self {
        Self {
            suspended: false,
            startup,
            drive: None,
            copies_for: None,
            copying: 0,
            catches_up: false,
            stuck: None,
        }
    }

    /// Checks whether it hangs in Doing, which only SIGKILL ends.
    pub(super) fn hangs(&self) -> bool {
        self.stuck == Some(Stuck::Doing)
    }
}

impl Chmpx {
    /// Does what must go on: the own SERVICEIN, a merge that waits, the next step of one that runs.
    pub(super) fn advance(&mut self) {
        if !self.config.is_server {
            return;
        }
        match self.next_step() {
            Next::Wait => self.wake(Wake::Advance, STEP),
            Next::Join => {
                self.merging.startup = false;
                if !self.faults.sticks(Stick::ServiceOut) {
                    self.set_own(Status::service_in);
                }
            }
            Next::Drive => self.drive_on(),
            Next::Start => self.start_merge(),
            Next::Nothing => {}
        }
    }

    fn next_step(&self) -> Next {
        let (linked, automatic) = (self.linked(), self.is_automatic());
        let (joins, drives) = (self.merging.startup, self.merging.drive.is_some());
        View { table: &self.table, own: self.own, linked: &linked, joins, drives, automatic }.next()
    }

    fn is_automatic(&self) -> bool {
        self.config.merges_by_itself() && !self.merging.suspended
    }

    /// Starts a merge and drives it.
    pub(super) fn start_merge(&mut self) {
        let linked = self.linked();
        let view = View {
            table: &self.table,
            own: self.own,
            linked: &linked,
            joins: false,
            drives: false,
            automatic: self.is_automatic(),
        };
        let waits_for = view.participants();
        let alone = waits_for.len() < 2;
        let least = if alone { Duration::ZERO } else { self.faults.merge_time() };
        let id = self.stamp();
        self.merging.drive = Some(Drive::new(id, waits_for, Instant::now() + least));
        for row in self.table.rows().to_vec().iter().filter(|row| !row.status.is_up()) {
            self.set_status(row.id, row.status.merge_started());
        }
        self.tell_servers(&Merge::Start { id, rows: self.table.rows().to_vec() });
        self.wake(Wake::Advance, if alone { Duration::from_millis(5) } else { STEP });
    }

    fn drive_on(&mut self) {
        let automatic = self.is_automatic();
        let Some(drive) = &mut self.merging.drive else { return };
        match drive.next(&self.table, automatic, Instant::now()) {
            Order::Wait => {}
            Order::Done => self.tell_servers(&Merge::Done),
            Order::Complete => self.tell_servers(&Merge::Complete),
            Order::Over => self.merging.drive = None,
        }
        // After the last step, too: another server may have become pending meanwhile.
        self.wake(Wake::Advance, STEP);
    }

    /// COMPMERGE, and the end of an automatic merge.
    pub(super) fn complete_merge(&mut self) {
        self.tell_servers(&Merge::Complete);
    }

    /// ABORTMERGE, and what a server does when k2hdkc or another server is lost in the middle.
    pub(super) fn abort_merge(&mut self) {
        self.tell_servers(&Merge::Abort);
    }

    /// UPDATESTATUS: the own status is said again, and one that stuck in Done goes on.
    pub(super) fn update_status(&mut self) {
        if self.merging.stuck.take_if(|stuck| *stuck == Stuck::Done).is_some() {
            self.set_own(Status::merge_completed);
        }
        let stamp = self.stamp();
        if let Some(own) = self.table.get_mut(self.own) {
            own.stamp = stamp;
            let own = own.clone();
            self.spread(&[own], None);
        }
    }

    /// SUSPENDMERGE and NOSUSPENDMERGE, as they arrive.
    pub(super) fn suspend_merge(&mut self, suspended: bool) {
        self.merging.suspended = suspended;
        self.merging.startup &= !suspended;
        self.wake(Wake::Advance, Duration::from_millis(10));
    }

    /// Tells every server once, this one included.
    fn tell_servers(&mut self, step: &Merge) {
        for id in self.linked() {
            if let Some(link) = self.link_to(id) {
                link.tell(Note::Merge(step.clone()));
            }
        }
        self.merge_step(self.own, step.clone());
    }

    /// A step that another server, or this one, has said.
    pub(super) fn merge_step(&mut self, from: u64, step: Merge) {
        match step {
            Merge::Start { id, rows } => {
                self.learn(rows, None, true);
                self.copy_for(from, id);
            }
            Merge::Copied { id } => {
                if let Some(drive) = self.merging.drive.as_mut().filter(|drive| drive.id == id) {
                    drive.copied(from);
                    self.wake(Wake::Advance, Duration::from_millis(1));
                }
            }
            Merge::Done if !self.merging.hangs() => self.set_own(Status::merge_done),
            Merge::Complete if !self.merging.hangs() => self.completed(),
            Merge::Abort => {
                self.merging.drive = None;
                self.merging.copies_for = None;
                if !self.merging.hangs() {
                    self.set_own(Status::merge_aborted);
                }
                // Where nothing is pending afterwards, somebody else still may be.
                self.wake(Wake::Advance, Duration::from_millis(50));
            }
            Merge::Done | Merge::Complete => {}
        }
    }

    fn completed(&mut self) {
        let own = self.own_status();
        if own.is_add() && own.is_done() && self.faults.sticks(Stick::AddDone) {
            self.merging.stuck = Some(Stuck::Done);
        } else {
            self.set_own(Status::merge_completed);
        }
        let gone: Vec<u64> =
            self.table.rows().iter().filter(|row| !row.status.is_up()).map(|row| row.id).collect();
        for id in gone {
            let status = self.table.get(id).map(|row| row.status.merge_completed());
            status.map(|status| self.set_status(id, status));
        }
        self.drop_unlisted();
    }
}
