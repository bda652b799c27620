//! The data of the ring, as this node sees it: whether every key is where it is asked for. Pure.
//!
//! A key is asked for at the server of its slot, and at the next REPLICA slots where that is down (D5). It is out of sight while a
//! change moves the slots, while all its holders are down, and after a change in which the servers that stayed copied nothing (D10).

mod words;

pub use words::Data;

use crate::chmpx_state::{ChmpxState, Row};
use crate::ring::Mode;
use crate::ring_change::record::Record;
use crate::ring_change::{Hold, Progress};

/// Facts of one look.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// MODE of this node.
    pub mode: Mode,
    /// The latest answer of the own chmpx; `None` where it is silent.
    pub view: Option<&'a ChmpxState>,
    /// Number of extra copies of a key.
    pub replicas: u32,
    /// The change of the ring; a ring of which chmpx runs the merges has a calm one.
    pub progress: &'a Progress,
    /// The changes that this node has seen.
    pub record: &'a Record,
}

/// Judges where the keys are.
pub fn judge(facts: Facts<'_>) -> Data {
    unknown(facts).or_else(|| hidden(facts)).unwrap_or(Data::InSight)
}

/// Returns the reason for which this node cannot know it.
fn unknown(facts: Facts<'_>) -> Option<Data> {
    let Some(view) = facts.view else {
        return facts.progress.is_under_way().then_some(Data::Changing).or(Some(Data::Silent));
    };
    if let Some(Hold::RunsAutomerge(server)) = &facts.progress.hold {
        return Some(Data::Mixed(server.to_string()));
    }
    (facts.mode == Mode::Server && !view.own.status.is_in_service()).then_some(Data::NoMember)
}

fn hidden(facts: Facts<'_>) -> Option<Data> {
    let view = facts.view?;
    if facts.progress.is_under_way() || view.servers.iter().any(|row| !row.status.is_calm()) {
        return Some(Data::Changing);
    }
    let serving: Vec<_> = view.servers.iter().filter(|row| row.status.is_in_service()).collect();
    if serving.is_empty() {
        return Some(Data::NobodyServes);
    }
    if let Some(down) = all_holders_down(serving, facts.replicas) {
        return Some(Data::AllHoldersDown { down, replicas: facts.replicas });
    }
    match facts.record.hidden {
        Some(hidden) => Some(Data::CopiedNothing { from: hidden.from, to: hidden.to }),
        None => (!facts.record.has_seen_all_copy()).then_some(Data::PastUnseen),
    }
}

/// Returns the servers that are down, where some slot and all that hold its keys are among them.
fn all_holders_down(mut serving: Vec<&Row>, replicas: u32) -> Option<Vec<String>> {
    serving.sort_by_key(|row| row.base_hash);
    let holders = usize::try_from(replicas).unwrap_or(usize::MAX).saturating_add(1).min(serving.len());
    let is_down: Vec<bool> = serving.iter().map(|row| !row.status.is_well()).collect();
    let around = is_down.iter().cycle();
    let all_down = |slot: usize| around.clone().skip(slot).take(holders).all(|down| *down);
    let down = || serving.iter().filter(|row| !row.status.is_well()).map(|row| row.name.clone()).collect();
    (0..serving.len()).any(all_down).then(down)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::chmpx_state::NodeStatus;
    use crate::clock::Timestamp;
    use crate::fixtures;
    use crate::ring_change::course::{Ended, Outcome, Who};
    use crate::ring_change::{ServerId, Stage};

    /// A ring of that many servers with those statuses, as server 1 sees it.
    fn view(bits: &[u32]) -> ChmpxState {
        let servers: Vec<usize> = (1..=bits.len()).collect();
        let mut view = fixtures::view(&fixtures::ring(&servers, &[1]), 7);
        for (row, bits) in view.servers.iter_mut().zip(bits) {
            row.status = NodeStatus::from_bits(*bits);
        }
        view.own.status = NodeStatus::from_bits(bits[0]);
        view
    }

    fn of(bits: &[u32], replicas: u32, progress: &Progress, record: &Record) -> Data {
        judge(Facts { mode: Mode::Server, view: Some(&view(bits)), replicas, progress, record })
    }

    fn down(servers: &[usize], replicas: u32) -> Data {
        let name = |n: &usize| format!("192.0.2.{n}");
        Data::AllHoldersDown { down: servers.iter().map(name).collect(), replicas }
    }

    /// The record of a node that has seen all servers copy.
    fn all_copied() -> Record {
        let (mut record, who) =
            (Record::default(), Who { joining: ["b".to_owned()].into(), ..Who::default() });
        let (stop, copy, cut) = (Duration::from_secs(2), Duration::from_secs(1), Duration::ZERO);
        let (predicted, result) = (None, Outcome::Done);
        record.take(&Ended { from: Some(1), to: 2, who, predicted, stop, copy, cut, result }, Timestamp(1));
        record
    }

    #[test]
    fn of_a_ring_that_was_there_before_the_agent_nobody_knows_whether_keys_are_hidden() {
        let calm = Progress::default();
        assert_eq!(of(&[0x21, 0x21, 0x21], 1, &calm, &Record::default()), Data::PastUnseen);
        assert_eq!(of(&[0x21, 0x20, 0x21], 0, &calm, &Record::default()), down(&[2], 0), "that is known");
    }

    #[test]
    fn every_key_is_in_sight_unless_something_speaks_against_it() {
        let (calm, record) = (Progress::default(), all_copied());
        for (bits, replicas, data) in [
            (&[0x21, 0x21, 0x21, 0x21][..], 1, Data::InSight),
            // One death within REPLICA, and two that hold no key in common.
            (&[0x21, 0x20, 0x21, 0x21], 1, Data::InSight),
            (&[0x21, 0x20, 0x21, 0x20], 1, Data::InSight),
            (&[0x21, 0x20, 0x20, 0x21], 2, Data::InSight),
            (&[0x21, 0x20, 0x20, 0x21], 1, down(&[2, 3], 1)),
            // The last slot is followed by the first one.
            (&[0x20, 0x21, 0x21, 0x20], 1, down(&[1, 4], 1)),
            (&[0x21, 0x20, 0x21, 0x21], 0, down(&[2], 0)),
            // A k2hdkc that has not joined answers nobody.
            (&[0x21, 0x10021, 0x21, 0x21], 0, down(&[2], 0)),
            (&[0x20, 0x20], 5, down(&[1, 2], 5)),
            // A server out of the ring holds nothing.
            (&[0x21, 0x21, 0x11, 0x10], 0, Data::InSight),
            (&[0x21, 0x21, 0x1121], 1, Data::Changing),
            (&[0x21, 0x21, 0x1221], 1, Data::Changing),
            (&[0x21, 0x3021, 0x21], 1, Data::Changing),
            (&[0x11, 0x21, 0x21], 1, Data::NoMember),
        ] {
            assert_eq!(of(bits, replicas, &calm, &record), data, "{bits:x?} {replicas}");
        }
    }

    #[test]
    fn a_change_of_the_past_or_of_the_present_and_a_mixed_ring_speak_against_it() {
        let (calm, mut record) = (Progress::default(), all_copied());
        let merging = Progress { stage: Stage::Merging, ..Progress::default() };
        let hold = Some(Hold::RunsAutomerge(ServerId::new("b")));
        let mixed = Progress { hold, ..Progress::default() };
        let well = &[0x21, 0x21, 0x21][..];
        assert_eq!(of(well, 1, &merging, &record), Data::Changing);
        assert_eq!(of(well, 1, &mixed, &record), Data::Mixed("b".to_owned()));
        record.observe(2, true);
        record.observe(3, true);
        assert_eq!(of(well, 1, &calm, &record), Data::CopiedNothing { from: 2, to: 3 });
        assert_eq!(of(&[0x21, 0x20, 0x21], 0, &calm, &record), down(&[2], 0));
    }

    #[test]
    fn a_silent_chmpx_says_nothing_but_that_it_was_stopped_for_a_change() {
        let (calm, record) = (Progress::default(), Record::default());
        let frozen = Progress { stage: Stage::Frozen, ..Progress::default() };
        let silent =
            |progress| judge(Facts { mode: Mode::Slave, view: None, replicas: 1, progress, record: &record });
        assert_eq!((silent(&calm), silent(&frozen)), (Data::Silent, Data::Changing));
    }

    #[test]
    fn a_slave_is_no_member_of_the_ring_and_sees_it_all_the_same() {
        let mut view = view(&[0x21, 0x21]);
        view.own.status = NodeStatus::from_bits(0x1);
        let (calm, record) = (Progress::default(), all_copied());
        let facts =
            Facts { mode: Mode::Slave, view: Some(&view), replicas: 1, progress: &calm, record: &record };
        assert_eq!(judge(facts), Data::InSight);
        let empty = ChmpxState { servers: Vec::new(), ..view.clone() };
        assert_eq!(judge(Facts { view: Some(&empty), ..facts }), Data::NobodyServes);
    }
}
