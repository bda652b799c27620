//! One node in the table of a chmpx.

use super::fields::Fields;
use super::{NodeStatus, ViewError};
use crate::names::Port;
use crate::ring::Node;

/// One node in the table of a chmpx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Host as chmpx resolved it; NAME in the file may differ.
    pub name: String,
    /// Control port.
    pub ctlport: Option<Port>,
    /// CUK.
    pub cuk: String,
    /// CUSTOM_ID_SEED.
    pub seed: String,
    /// Id in the ring; ALLSTATUS has none.
    pub chmpxid: Option<u64>,
    /// Status in the ring.
    pub status: NodeStatus,
    /// Slot in the present ring; `None` outside of it.
    pub base_hash: Option<u64>,
    /// Slot in the ring after the present merge; `None` outside of it.
    pub pending_hash: Option<u64>,
}

impl Row {
    /// Returns true for the row of that node of the file, by the key from which chmpx makes its id. Under another control port
    /// it is another row to chmpx, also of the same seed: the old one stays listed when the port has changed.
    pub fn is_of(&self, node: &Node) -> bool {
        if !node.seed.is_empty() {
            return self.seed == node.seed && self.ctlport.is_none_or(|ctlport| ctlport == node.ctlport);
        }
        let same_port = self.ctlport == Some(node.ctlport);
        same_port && self.cuk == node.cuk && (self.name == node.name || !node.cuk.is_empty())
    }
}

/// Texts of one row.
pub(super) type RowFields<'a> = Fields<'a, KEYS>;

/// Number of keys of a row.
pub(super) const KEYS: usize = 9;

const NAME: usize = 0;
const CTLPORT: usize = 1;
const CUK: usize = 2;
const SEED: usize = 3;
const CHMPXID: usize = 4;
const STATUS: usize = 5;
const BASE_HASH: usize = 6;
const PENDING_HASH: usize = 7;
/// Position of the mode, which stands beside chmpx's own row.
pub(super) const MODE: usize = 8;

/// Keys of DUMP.
pub(super) const DUMP: &[&str; KEYS] =
    &["name", "ctlport", "cuk", "custom_seed", "chmpxid", "status", "base_hash", "pending_hash", "mode"];

/// Keys of `chmpxstatus`.
pub(super) const CHMPXSTATUS: &[&str; KEYS] = &[
    "hostname",
    "control port",
    "cuk",
    "custom id seed",
    "chmpxid",
    "status",
    "base hash",
    "pending hash",
    "mode",
];

/// Keys of ALLSTATUS.
pub(super) const ALLSTATUS: &[&str; KEYS] = &[
    "Server Name",
    "Control Port",
    "CUK",
    "Custom ID Seed",
    "",
    "Server Status",
    "Enable Hash Value",
    "Pending Hash Value",
    "",
];

/// Makes the row of the texts.
///
/// # Errors
///
/// A key is missing or unreadable.
pub(super) fn row(fields: &RowFields<'_>) -> Result<Row, ViewError> {
    Ok(Row {
        name: fields.text(NAME)?.to_owned(),
        ctlport: fields.port(CTLPORT)?,
        cuk: fields.text(CUK)?.to_owned(),
        seed: fields.text(SEED)?.to_owned(),
        chmpxid: if fields.key(CHMPXID).is_empty() { None } else { Some(fields.hex(CHMPXID)?) },
        status: fields.status(STATUS)?,
        base_hash: fields.hash(BASE_HASH)?,
        pending_hash: fields.hash(PENDING_HASH)?,
    })
}
