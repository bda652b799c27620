//! The local node as the installed ini describes it: the part that a supervisor needs. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::names::Port;
use crate::ring::{Mode, Node, Ring};

/// The local node in the words of the installed ini.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Path of the ini.
    pub ini: PathBuf,
    /// MODE: server or slave.
    pub mode: Mode,
    /// GROUP.
    pub group: String,
    /// Control port of the local chmpx: its own address, and SELFCTLPORT.
    pub control: SocketAddr,
    /// Name of this node in SERVICEOUT: host, control port, and the source of its id.
    pub own: (String, Port, String),
    /// Section of this node in the ini.
    pub section: Option<Node>,
    /// Control ports of the other servers, the next one in the ring first. Servers with a host name are absent: nothing here
    /// asks a resolver.
    pub others: Vec<SocketAddr>,
    /// True if `others` has the order of the ring. chmpx orders servers by seed where the ids come from seeds, else by ids that
    /// only chmpx knows (lib/chmstructure.tcc:1943-1976).
    pub in_order: bool,
    /// Longest time until the others list this node: they update their file at their next poll of K2HR3.
    pub known_after: Duration,
    /// SELFCTLPORT, if set; the names of chmpx's files contain it.
    pub selfctlport: Option<Port>,
    /// Largest number of queues of chmpx and its clients (MAXMQSERVER + MAXMQCLIENT).
    pub queues: u32,
    /// Database file of k2hdkc (K2HFILE), if it has one.
    pub database: Option<PathBuf>,
}

impl NodeSpec {
    /// Describes a node whose ini is missing or unreadable. The path is enough to find the processes and to stop them; the
    /// mode is server, so that a k2hdkc is found as well.
    pub fn unread(ini: &Path) -> Self {
        Self {
            ini: ini.to_owned(),
            mode: Mode::Server,
            group: String::new(),
            control: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            own: (String::new(), Port::LEAST, String::new()),
            section: None,
            others: Vec::new(),
            in_order: false,
            known_after: Duration::ZERO,
            selfctlport: None,
            queues: 0,
            database: None,
        }
    }

    /// Returns the control port that the ini gives the node: a chmpx that runs may have been started with another one, which
    /// `control` has then. 0 for an unread ini.
    pub fn file_ctlport(&self) -> u16 {
        self.section.as_ref().map_or(0, |section| control_port(self.selfctlport, section))
    }

    /// Reads the spec from the installed ring; `None` if the ini does not identify the local node.
    pub fn of(ring: &Ring, ini: &Path) -> Option<Self> {
        let mode = ring.mode().unwrap_or(Mode::Slave);
        let own = ring.candidates(mode).find(|node| !node.is_placeholder())?;
        let address = own.name.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let number = |key: &str, default: u32| ring.global(key).parse().unwrap_or(default);
        let selfctlport = Port::try_from(ring.global("SELFCTLPORT")).ok();
        let id = match ring.global("CHMPXIDTYPE").to_ascii_uppercase().as_str() {
            "CUSTOM" => own.seed.clone(),
            "CTLENDPOINTS" | "CTLEPS" => own.rest.get("CTLENDPOINTS").unwrap_or_default().to_owned(),
            _ => own.cuk.clone(),
        };
        let k2hdkc = ring.profile.k2hdkc.as_deref().unwrap_or_default();
        let file =
            k2hdkc.iter().rev().find(|(key, _)| key == "K2HFILE").map(|(_, value)| PathBuf::from(value));
        Some(Self {
            ini: ini.to_owned(),
            mode,
            group: ring.global("GROUP").to_owned(),
            control: SocketAddr::new(address, control_port(selfctlport, own)),
            own: (own.name.clone(), own.ctlport, id),
            section: Some(own.clone()),
            others: others(ring, own),
            in_order: ring.global("CHMPXIDTYPE").eq_ignore_ascii_case("CUSTOM"),
            known_after: Duration::ZERO,
            selfctlport,
            queues: number("MAXMQSERVER", 1) + number("MAXMQCLIENT", 8192),
            database: file,
        })
    }
}

/// Returns the control port that the ini gives the node of that section.
fn control_port(selfctlport: Option<Port>, section: &Node) -> u16 {
    selfctlport.unwrap_or(section.ctlport).get()
}

/// Control ports of the other servers in the order of their seeds, from the one behind `own`.
fn others(ring: &Ring, own: &Node) -> Vec<SocketAddr> {
    let mut others: Vec<_> = ring.servers.iter().filter(|node| !std::ptr::eq(*node, own)).collect();
    others.sort_by_key(|node| (node.seed <= own.seed, &node.seed));
    others.into_iter().filter(|node| !node.is_placeholder()).filter_map(Node::control_address).collect()
}
