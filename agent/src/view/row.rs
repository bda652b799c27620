//! One node in the table of a chmpx.

use super::fields::Fields;
use super::{NodeStatus, ViewError};
use crate::names::Port;
use crate::ring::Node;

/// One node, as a chmpx sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The host as chmpx resolved it, which need not be NAME as it stands in the file.
    pub name: String,
    /// The control port.
    pub ctlport: Option<Port>,
    /// The port of the ring; slaves have none.
    pub port: Option<Port>,
    /// CUK.
    pub cuk: String,
    /// CUSTOM_ID_SEED.
    pub seed: String,
    /// Endpoints and peers.
    pub hosts: HostLists,
    /// Its id in the ring; ALLSTATUS does not tell.
    pub chmpxid: Option<u64>,
    /// Its status.
    pub status: NodeStatus,
    /// Its place in the ring that is used now; `None` for outside.
    pub base_hash: Option<u64>,
    /// Its place in the ring that the present merge makes; `None` for outside.
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

/// The lists of hosts of a node, each as chmpx prints it: no longer as they stand in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostLists {
    /// ENDPOINTS.
    pub endpoints: String,
    /// CTLENDPOINTS.
    pub ctlendpoints: String,
    /// FORWARD_PEERS.
    pub forward_peers: String,
    /// REVERSE_PEERS.
    pub reverse_peers: String,
}

/// The texts of one row.
pub(super) type RowFields<'a> = Fields<'a, KEYS>;

/// How many keys a row has.
pub(super) const KEYS: usize = 14;

const NAME: usize = 0;
const CTLPORT: usize = 1;
const PORT: usize = 2;
const CUK: usize = 3;
const SEED: usize = 4;
const ENDPOINTS: usize = 5;
const CTLENDPOINTS: usize = 6;
const FORWARD_PEERS: usize = 7;
const REVERSE_PEERS: usize = 8;
const CHMPXID: usize = 9;
const STATUS: usize = 10;
const BASE_HASH: usize = 11;
const PENDING_HASH: usize = 12;
/// Not of the row itself, but beside it wherever the row is one's own.
pub(super) const MODE: usize = 13;

/// The keys of DUMP.
pub(super) const DUMP: &[&str; KEYS] = &[
    "name",
    "ctlport",
    "port",
    "cuk",
    "custom_seed",
    "endpoints",
    "ctlendpoints",
    "forward_peers",
    "reverse_peers",
    "chmpxid",
    "status",
    "base_hash",
    "pending_hash",
    "mode",
];

/// The keys of `chmpxstatus`.
pub(super) const CHMPXSTATUS: &[&str; KEYS] = &[
    "hostname",
    "control port",
    "port",
    "cuk",
    "custom id seed",
    "endpoints",
    "control endpoints",
    "forward peers",
    "reverse peers",
    "chmpxid",
    "status",
    "base hash",
    "pending hash",
    "mode",
];

/// The keys of SELFSTATUS.
pub(super) const SELFSTATUS: &[&str; KEYS] = &[
    "Server Name",
    "Control Port(socket)",
    "Port(socket)",
    "CUK",
    "Custom ID Seed",
    "Endpoints",
    MISSPELT,
    "Forward Peers",
    "Reverse Peers",
    "Internal ID",
    "Server Status",
    "Enable Hash Value",
    "Pending Hash Value",
    "Mode",
];

/// The keys of ALLSTATUS.
pub(super) const ALLSTATUS: &[&str; KEYS] = &[
    "Server Name",
    "Control Port",
    "Port",
    "CUK",
    "Custom ID Seed",
    "Endpoints",
    MISSPELT,
    "Forward Peers",
    "Reverse Peers",
    "",
    "Server Status",
    "Enable Hash Value",
    "Pending Hash Value",
    "",
];

const MISSPELT: &str = "Control Endppoints";

/// The key as this chmpx spells it, should a later one spell it better.
pub(super) fn as_spelt(key: &str) -> &str {
    if key == "Control Endpoints" { MISSPELT } else { key }
}

/// The row that the texts make.
pub(super) fn row(fields: &RowFields<'_>) -> Result<Row, ViewError> {
    let list = |at| fields.get(at).unwrap_or_default().to_owned();
    Ok(Row {
        name: fields.text(NAME)?.to_owned(),
        ctlport: fields.port(CTLPORT)?,
        port: fields.port(PORT)?,
        cuk: fields.text(CUK)?.to_owned(),
        seed: fields.text(SEED)?.to_owned(),
        hosts: HostLists {
            endpoints: list(ENDPOINTS),
            ctlendpoints: list(CTLENDPOINTS),
            forward_peers: list(FORWARD_PEERS),
            reverse_peers: list(REVERSE_PEERS),
        },
        chmpxid: if fields.key(CHMPXID).is_empty() { None } else { Some(fields.hex(CHMPXID)?) },
        status: fields.status(STATUS)?,
        base_hash: fields.hash(BASE_HASH)?,
        pending_hash: fields.hash(PENDING_HASH)?,
    })
}
