//! The messages between the simulated processes: lines of JSON over TCP (chmpx to chmpx) and over a unix socket (k2hdkc and
//! clients to their chmpx). Not the real protocol; what it carries is.

use serde::{Deserialize, Serialize};

use super::table::Row;

/// A line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Frame {
    /// Something that is not answered.
    Note(Note),
    /// Something that is.
    Ask {
        /// Which answer belongs to it.
        ticket: u64,
        /// The question.
        question: Question,
    },
    /// The answer.
    Answer {
        /// The ticket of the question.
        ticket: u64,
        /// The reply.
        reply: Reply,
    },
}

/// The note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Note {
    /// The first line of whoever connects to a server's PORT: its own row and whether it is a server.
    Hello {
        /// GROUP
        group: String,
        /// The identity of the sender.
        row: Box<Row>,
        /// Server or slave.
        is_server: bool,
    },
    /// The answer to a hello that was taken: all rows, and whether merging is suspended.
    Welcome {
        /// The table.
        rows: Vec<Row>,
        /// SUSPENDMERGE
        suspended: bool,
    },
    /// The answer to a hello of somebody who is not listed.
    Refused,
    /// Rows that changed.
    Rows(Vec<Row>),
    /// A step of a merge.
    Merge(Merge),
    /// SUSPENDMERGE or NOSUSPENDMERGE.
    SuspendMerge(bool),
    /// The first line of a process that attaches to its chmpx.
    Attach(Attach),
}

/// A process that attaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The process.
    pub pid: u32,
    /// Records whether it is k2hdkc and not a client.
    pub is_k2hdkc: bool,
    /// Records whether it may trigger the one automatic SERVICEIN.
    pub joins_ring: bool,
}

/// The steps of a merge, which one server drives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Merge {
    /// Pending ones go to Doing and copy.
    Start {
        /// Which merge.
        id: u64,
        /// The table of the one who drives it.
        rows: Vec<Row>,
    },
    /// The sender has copied what it needs.
    Copied {
        /// Which merge.
        id: u64,
    },
    /// All servers have copied: Doing ones go to Done.
    Done,
    /// The new slots are in force.
    Complete,
    /// Back to Pending.
    Abort,
}

/// A key with its value; the later stamp of two counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// When it was set, in microseconds since 1970.
    pub stamp: u64,
}

/// Which keys somebody will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The slot.
    pub slot: u64,
    /// Of so many.
    pub slots: u64,
    /// Extra copies.
    pub replicas: u64,
}

impl Share {
    /// Checks whether a key of that hash is in it, by the sums of the real ones (chmpx lib/chmeventsock.cc:1571-1603, k2hash
    /// lib/k2hshmdirect.cc:117-134): the slots behind its own and its own. From as many extra copies as there are slots
    /// on the range ends where it begins, and is one slot. docs/facts.md D15.
    pub fn has(&self, hash: u64) -> bool {
        let (slots, copies) = (self.slots.max(1), self.replicas.saturating_add(1));
        let round = if copies <= self.slot + 1 { 0 } else { slots };
        let first = (self.slot + round + 1).wrapping_sub(copies);
        let last = first.wrapping_add(copies.min(slots + 1) - 1) % slots;
        let at = hash % slots;
        if first <= last { (first..=last).contains(&at) } else { at <= last || first <= at }
    }
}

/// The questions of clients of chmpx, by chmpx of another one, and by chmpx of its k2hdkc.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Question {
    /// Keep it.
    Set(Item),
    /// The value of a key.
    Get(String),
    /// All keys of a share: k2hdkc's merge-get callback.
    MergeGet(Share),
    /// Keep what a merge copied: k2hdkc's merge-set callback.
    MergeSet(Vec<Item>),
    /// A control-port command that another node forwards.
    Command(String),
}

/// The replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Kept.
    Kept,
    /// The value, if there is one.
    Value(Option<String>),
    /// Keys.
    Items(Vec<Item>),
    /// Text of the control port.
    Text(String),
    /// The question could not be answered.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx::table::holders;

    #[test]
    fn a_share_is_what_the_ring_gives_to_its_slot() {
        let ring = [9, 8, 7, 6];
        for replicas in 0..4 {
            for (slot, id) in ring.iter().enumerate() {
                let share = Share { slot: slot as u64, slots: 4, replicas: replicas as u64 };
                for hash in 0..40 {
                    assert_eq!(
                        share.has(hash),
                        holders(&ring, hash, replicas).contains(id),
                        "{share:?} {hash}"
                    );
                }
            }
        }
    }

    #[test]
    fn as_many_extra_copies_as_slots_make_a_share_of_one_slot() {
        for slot in 0..4 {
            let of = |replicas| {
                let share = Share { slot, slots: 4, replicas };
                (0..4).filter(|hash| share.has(*hash)).collect::<Vec<_>>()
            };
            assert_eq!((of(3), of(4)), (vec![0, 1, 2, 3], vec![slot]));
        }
    }
}
