//! The next step of a merge, as one server sees it. docs/facts.md C23, C25.
//!
//! One server drives a merge: with AUTOMERGE the first one of the ring that is up, else the one that got the command.

use std::collections::HashSet;
use std::time::Instant;

use super::status::Status;
use super::table::Table;

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A server that is just being connected to is heard first, or a merge would pass it by.
    Wait,
    /// The one automatic SERVICEIN.
    Join,
    /// The next step of the merge that this server drives.
    Drive,
    /// A merge that waits, and that this server drives from now on.
    Start,
    /// Nothing goes on.
    Nothing,
}

/// The view of one server.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The rows as it knows them.
    pub table: &'a Table,
    /// Its id.
    pub own: u64,
    /// The servers that it is connected to.
    pub linked: &'a [u64],
    /// Records whether the one automatic SERVICEIN is still to come.
    pub joins: bool,
    /// Records whether it drives a merge.
    pub drives: bool,
    /// Records whether merges run by themselves.
    pub automatic: bool,
}

impl View<'_> {
    /// Decides the next step.
    pub fn next(&self) -> Next {
        let own = self.table.get(self.own).map(|row| row.status);
        match own {
            _ if !self.is_linked_to_all() => Next::Wait,
            Some(Status::OUT_UP) if self.joins && !self.table.is_operating() => Next::Join,
            _ if self.drives => Next::Drive,
            Some(status) if self.automatic && self.is_first() && self.waits(status) => Next::Start,
            _ => Next::Nothing,
        }
    }

    fn is_linked_to_all(&self) -> bool {
        let others = self.table.rows().iter().filter(|row| row.status.is_up() && row.id != self.own);
        others.map(|row| row.id).all(|id| self.linked.contains(&id))
    }

    fn is_first(&self) -> bool {
        let mut up = self.table.rows().iter().filter(|row| row.status.is_up());
        up.find(|row| self.reaches(row.id)).is_some_and(|row| row.id == self.own)
    }

    fn reaches(&self, id: u64) -> bool {
        id == self.own || self.linked.contains(&id)
    }

    /// Checks whether a merge waits and nothing forbids it. The last server of a ring waits for MERGE by hand.
    fn waits(&self, own: Status) -> bool {
        let rows = self.table.rows();
        let is_last_one_leaving = self.linked.is_empty() && own.is_delete();
        rows.iter().any(|row| row.status.is_pending() && row.status.is_in())
            && allows_merge(self.table)
            && !is_last_one_leaving
    }

    /// Lists the servers that take part in a merge that starts now.
    pub fn participants(&self) -> HashSet<u64> {
        let on_ring = self.table.rows().iter().filter(|row| row.status.is_in() && row.status.is_up());
        on_ring.map(|row| row.id).filter(|id| self.reaches(*id)).collect()
    }
}

/// Checks whether every server has a status with which a merge may start.
pub fn allows_merge(table: &Table) -> bool {
    table.rows().iter().all(|row| row.status.allows_merge())
}

/// A merge that this server drives.
#[derive(Debug)]
pub struct Drive {
    /// The number of the merge.
    pub id: u64,
    waits_for: HashSet<u64>,
    until: Instant,
    is_done: bool,
    /// Records whether Complete was ordered already: a server that sticks in Done does not hear it twice.
    is_completed: bool,
}

/// An order of the driver to all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Doing ones go to Done.
    Done,
    /// The new slots are in force.
    Complete,
    /// No order: some server still copies, or its word that it is done is on its way.
    Wait,
    /// No order any more: the merge is over, or waits for COMPMERGE.
    Over,
}

impl Drive {
    /// A merge that waits for these servers, and ends no earlier than that.
    pub fn new(id: u64, waits_for: HashSet<u64>, until: Instant) -> Self {
        Self { id, waits_for, until, is_done: false, is_completed: false }
    }

    /// Notes that a server has copied.
    pub fn copied(&mut self, server: u64) {
        self.waits_for.remove(&server);
    }

    /// Decides the next order, which counts as given.
    pub fn next(&mut self, table: &Table, automatic: bool, now: Instant) -> Order {
        let doing = table.rows().iter().any(|row| row.status.is_up() && row.status.is_doing());
        if !self.is_done {
            self.is_done = self.waits_for.is_empty() && now >= self.until;
            return if self.is_done { Order::Done } else { Order::Wait };
        }
        if doing {
            return Order::Wait;
        }
        if automatic && !self.is_completed {
            self.is_completed = true;
            return Order::Complete;
        }
        Order::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn view<'a>(table: &'a Table, own: u64, linked: &'a [u64]) -> View<'a> {
        View { table, own, linked, joins: false, drives: false, automatic: true }
    }

    #[test]
    fn the_first_server_that_is_up_starts_a_merge_that_waits() {
        let table = Table::of(&[(9, Status::IN_UP), (8, Status::OUT_UP.service_in())]);
        assert_eq!(view(&table, 9, &[8]).next(), Next::Start);
        assert_eq!(view(&table, 8, &[9]).next(), Next::Nothing);
        assert_eq!(view(&table, 9, &[]).next(), Next::Wait, "the other one is not heard yet");
        assert_eq!(View { automatic: false, ..view(&table, 9, &[8]) }.next(), Next::Nothing);
        assert_eq!(view(&table, 9, &[8]).participants(), HashSet::from([9, 8]));
    }

    #[test]
    fn a_server_joins_once_and_not_while_others_merge() {
        let calm = Table::of(&[(9, Status::IN_UP), (8, Status::OUT_UP)]);
        let joins = |table| View { joins: true, ..view(table, 8, &[9]) }.next();
        assert_eq!(joins(&calm), Next::Join);
        let busy = Table::of(&[
            (9, Status::IN_UP.client_left().client_joined().merge_started()),
            (8, Status::OUT_UP),
        ]);
        assert_eq!(joins(&busy), Next::Nothing);
    }

    #[test]
    fn the_last_server_that_leaves_waits_for_a_command() {
        let table = Table::of(&[(9, Status::IN_UP.service_out())]);
        assert_eq!(view(&table, 9, &[]).next(), Next::Nothing);
    }

    #[test]
    fn a_driver_orders_done_when_all_have_copied_and_complete_once() {
        let (now, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut drive = Drive::new(1, HashSet::from([9, 8]), late);
        let (busy, calm) = (
            Table::of(&[(9, Status::OUT_UP.service_in().merge_started())]),
            Table::of(&[(9, Status::IN_UP)]),
        );
        assert_eq!(drive.next(&busy, true, late), Order::Wait);
        drive.copied(9);
        drive.copied(8);
        assert_eq!(drive.next(&busy, true, now), Order::Wait, "it lasts as long as it must");
        assert_eq!(drive.next(&busy, true, late), Order::Done);
        assert_eq!(drive.next(&busy, true, late), Order::Wait);
        assert_eq!(drive.next(&calm, true, late), Order::Complete);
        assert_eq!(drive.next(&calm, true, late), Order::Over);
    }
}
