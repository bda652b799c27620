//! The servers that a request for a key goes to.
//!
//! A key's owner answers; where it cannot and REPLICA is more than 0, another holder does (lib/chmimdata.cc:2130-2175).
//! A write goes to all holders, during a merge to those of the new slots as well. docs/facts.md D4, D5.

use super::share::holders;
use super::status::Status;
use super::table::Table;

/// The servers for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The server that answers.
    pub first: u64,
    /// The others that keep the key.
    pub others: Vec<u64>,
}

/// Finds the servers for a key of that hash; none where no holder serves.
pub fn route(table: &Table, hash: u64, replicas: usize) -> Option<Route> {
    let base = holders(&table.base(), hash, replicas);
    let status = |id: &u64| table.get(*id).map_or(Status::OUT_DOWN, |row| row.status);
    let owner = base.first().filter(|id| status(id).is_servicing());
    let first = *owner.or_else(|| base.iter().find(|id| stands_in(status(id))))?;
    let mut others = base.clone();
    others.extend(holders(&table.pending(), hash, replicas));
    others.retain(|id| *id != first && status(id).is_up() && !status(id).is_suspended());
    others.sort_unstable();
    others.dedup();
    Some(Route { first, others })
}

/// Checks whether a server answers for the keys of another one: it serves, and merges nothing but its own leave.
fn stands_in(status: Status) -> bool {
    status.is_servicing() && (status.is_delete() || !status.is_operating() && !status.is_pending())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_answers_and_the_next_server_keeps_a_copy() {
        let table = Table::of(&[(9, Status::IN_UP), (8, Status::IN_UP), (7, Status::IN_UP)]);
        assert_eq!(route(&table, 1, 1), Some(Route { first: 8, others: vec![7] }));
        assert_eq!(route(&table, 1, 0), Some(Route { first: 8, others: vec![] }));
    }

    #[test]
    fn a_holder_stands_in_for_an_owner_that_is_down_and_without_a_copy_nobody_does() {
        let table = Table::of(&[(9, Status::IN_UP.down()), (8, Status::IN_UP), (7, Status::IN_UP)]);
        assert_eq!(route(&table, 0, 1), Some(Route { first: 8, others: vec![] }));
        assert_eq!(route(&table, 0, 0), None);
    }

    #[test]
    fn a_write_during_a_merge_goes_to_the_new_holders_as_well() {
        let table = Table::of(&[(9, Status::IN_UP), (8, Status::OUT_UP.service_in())]);
        assert_eq!(route(&table, 1, 0), Some(Route { first: 9, others: vec![8] }));
    }
}
