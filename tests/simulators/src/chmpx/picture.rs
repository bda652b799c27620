//! The knowledge of one chmpx at one moment, as its shared memory would show it. DUMP, SELFSTATUS, ALLSTATUS and `chmpxstatus`
//! are texts of this and of nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::row::{Row, slot};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The process.
    pub pid: u32,
    /// When it started, in seconds since 1970.
    pub start_time: u64,
    /// Path of the shared memory.
    pub shm: String,
    /// Path of the k2hash file.
    pub k2h: String,
    /// The abstract socket by which processes attach.
    pub socket: String,
    /// GROUP
    pub group: String,
    /// CHMPXIDTYPE, as DUMP writes it.
    pub id_type: String,
    /// `[GLOBAL]` with defaults.
    pub settings: BTreeMap<String, String>,
    /// FILEVERSION that is in force.
    pub fileversion: i32,
    /// DATE, in seconds since 1970.
    pub date: u64,
    /// Server or slave.
    pub is_server: bool,
    /// Records whether merges run by themselves.
    pub automerge: bool,
    /// SUSPENDMERGE
    pub suspended: bool,
    /// Extra copies.
    pub replicas: usize,
    /// Slots that are left of MAXCHMPX as it was at the start.
    pub free: usize,
    /// This node.
    pub own: Row,
    /// All servers.
    pub servers: Vec<Row>,
    /// Servers that answer for keys, by slot.
    pub base: Vec<u64>,
    /// Servers that will answer for keys when the merge is complete, by slot.
    pub pending: Vec<u64>,
    /// Connected slaves, the server before this one in the ring among them.
    pub slaves: Vec<Row>,
    /// Servers with a connection.
    pub linked: Vec<u64>,
    /// Attached processes.
    pub clients: Vec<u32>,
}

impl Picture {
    /// A number of `[GLOBAL]`.
    pub fn number(&self, key: &str) -> i32 {
        self.settings.get(key).map_or(0, |text| k2hdkc_agent::keys::atoi(text))
    }

    /// Checks whether any server merges.
    pub fn is_operating(&self) -> bool {
        self.servers.iter().any(|row| row.status.is_operating())
    }

    /// DELIVERMODE=random
    pub fn is_random(&self) -> bool {
        self.settings.get("DELIVERMODE").is_some_and(|mode| mode == "RANDOM")
    }

    /// A truth value of `[GLOBAL]` as one of two words.
    pub fn word(&self, key: &str, yes: &'static str, no: &'static str) -> &'static str {
        if self.settings.get(key).is_some_and(|text| text == "on") { yes } else { no }
    }

    /// Base and pending slot of a row.
    pub fn slots(&self, row: &Row) -> (u64, u64) {
        if row.id == 0 {
            return (0, 0);
        }
        if row.port < 0 {
            return (u64::MAX, u64::MAX);
        }
        (slot(&self.base, row.id), slot(&self.pending, row.id))
    }

    /// The numbers that the texts give for sockets: they look like those of a real process.
    pub fn sockets(&self, row: &Row) -> Sockets {
        if row.id == self.own.id && row.id != 0 {
            let (own, control) = if self.is_server { (Some(11), Some(12)) } else { (None, Some(11)) };
            return Sockets { peer: None, own, control };
        }
        let place = self.linked.iter().position(|id| *id == row.id);
        let first = if row.port < 0 { 18 } else { 19 };
        Sockets { peer: place.map(|place| first + place), own: None, control: None }
    }

    /// `time<<24 | usec`, as chmpx keeps a moment.
    pub fn moment(stamp: u64) -> u64 {
        (stamp / 1_000_000) << 24 | (stamp % 1_000_000)
    }
}

/// File descriptors of a row, as far as there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sockets {
    /// To that node.
    pub peer: Option<usize>,
    /// The listening one of PORT.
    pub own: Option<usize>,
    /// The listening one of CTLPORT.
    pub control: Option<usize>,
}

/// A socket as a number, -1 for none.
pub fn socket(number: Option<usize>) -> String {
    number.map_or("-1".to_owned(), |number| number.to_string())
}
