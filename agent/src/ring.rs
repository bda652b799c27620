//! The typed model of a ring's configuration: what one ini file says, in canonical order, so that two files are
//! the same exactly when their rings are equal. DATE, FILEVERSION, order, blanks and comments are not in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::keys::HOST_LISTS;
use crate::names::{PLACEHOLDER_CUK, Port};
use crate::problem::printable;

/// The content of one ini file: the common part and the members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ring {
    /// The common part: `[GLOBAL]`, `[K2HDKC]` and the sections that the operator lets pass.
    pub profile: Profile,
    /// `[SVRNODE]`, sorted.
    pub servers: Vec<Node>,
    /// `[SLVNODE]`, sorted.
    pub slaves: Vec<Node>,
}

/// The part of an ini file that is not about nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// `[GLOBAL]` without FILEVERSION and DATE.
    pub global: BTreeMap<String, String>,
    /// `[K2HDKC]`, keys sorted and repeated ones in their order; absent on a slave node.
    pub k2hdkc: Option<Vec<(String, String)>>,
    /// Sections that neither chmpx nor k2hdkc reads, by name.
    pub extra: Vec<Extra>,
}

/// A section that passes because the settings name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extra {
    /// The text between the brackets.
    pub name: String,
    /// Its keys, in their order.
    pub entries: Vec<(String, String)>,
}

/// Kind of node that an ini file makes of the host that reads it (`MODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// A server node: chmpx and k2hdkc.
    Server,
    /// A slave node: chmpx only.
    Slave,
}

impl Mode {
    /// As it stands behind `MODE =`.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Server => "SERVER",
            Mode::Slave => "SLAVE",
        }
    }

    /// Reads the value of `MODE`, in any case.
    pub fn read(text: &str) -> Option<Self> {
        [Mode::Server, Mode::Slave].into_iter().find(|mode| text.eq_ignore_ascii_case(mode.word()))
    }
}

/// A server or slave node. Ports are resolved: a node without its own has the one of `[GLOBAL]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Host name, address or, on a slave node, a pattern.
    pub name: String,
    /// The control port.
    pub ctlport: Port,
    /// The port of the ring; slave nodes have none.
    pub port: Option<Port>,
    /// Empty where the section has none.
    pub cuk: String,
    /// `CUSTOM_ID_SEED`; empty where the section has none.
    pub seed: String,
    /// Every other key of the section: endpoints, peers, TLS, and what chmpx does not know.
    pub rest: Keys,
}

/// A few keys with their values, sorted by key. Most nodes have one or two, a ring has thousands of nodes, and the
/// smallest tree would take half a kilobyte for each.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys(Vec<(Box<str>, Box<str>)>);

impl Keys {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(own, _)| (**own).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: &str, value: &str) {
        match self.0.binary_search_by(|(own, _)| (**own).cmp(key)) {
            Ok(at) => self.0[at].1 = value.into(),
            Err(at) => self.0.insert(at, (key.into(), value.into())),
        }
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Keys {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(entries: I) -> Self {
        let mut keys = Self::default();
        entries.into_iter().for_each(|(key, value)| keys.insert(key, value));
        keys.0.shrink_to_fit();
        keys
    }
}

/// Identity of a node in two files, by chmpx's own comparison: name, control port, CUK, seed,
/// endpoints and peers, but neither the ring port nor TLS (chmpx 1.0.113, lib/chmstructure.tcc:5649-5668). A node
/// that differs in one of these under the same seed becomes a second row of the same chmpxid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeKey {
    /// [`Node::name`]
    pub name: String,
    /// [`Node::ctlport`]
    pub ctlport: Port,
    /// [`Node::cuk`]
    pub cuk: String,
    /// [`Node::seed`]
    pub seed: String,
    /// Endpoints and peers, in one text.
    #[serde(default)]
    pub hosts: String,
}

impl Node {
    /// Its identity.
    pub fn key(&self) -> NodeKey {
        NodeKey {
            name: self.name.clone(),
            ctlport: self.ctlport,
            cuk: self.cuk.clone(),
            seed: self.seed.clone(),
            hosts: self.hosts(),
        }
    }

    fn hosts(&self) -> String {
        let lists = HOST_LISTS.iter().filter_map(|key| Some(format!("{key}={}", self.rest.get(key)?)));
        lists.collect::<Vec<_>>().join(" ")
    }

    /// Tells whether it is the same host's node as the other, perhaps under other ports or endpoints.
    pub fn is_again(&self, other: &Self) -> bool {
        (&self.name, &self.cuk, &self.seed) == (&other.name, &other.cuk, &other.seed)
    }

    /// The slave node that upstream's templates write when no slave is registered, since chmpx refuses a file
    /// without `[SLVNODE]`.
    pub fn is_placeholder(&self) -> bool {
        self.cuk == PLACEHOLDER_CUK
    }

    /// Address of its control port: its NAME, or, where that is a host name, the first address among its endpoints and
    /// peers. `None` where none of them is an address: no name is looked up.
    pub fn control_address(&self) -> Option<SocketAddr> {
        let own = |ip| SocketAddr::new(ip, self.ctlport.get());
        if let Ok(ip) = self.name.parse() {
            return Some(own(ip));
        }
        let hosts = |key| self.rest.get(key).unwrap_or_default().split(',').map(str::trim);
        let told = hosts("CTLENDPOINTS").find_map(|host| host.parse().ok());
        let bare = |key| hosts(key).find_map(address_in).map(own);
        told.or_else(|| ["REVERSE_PEERS", "ENDPOINTS", "CTLENDPOINTS"].into_iter().find_map(bare))
    }

    /// Name in logs and in `diff`: `name:ctlport`, and the seed where it says more.
    pub fn label(&self) -> String {
        match self.seed.as_str() {
            "" => format!("{}:{}", self.name, self.ctlport),
            seed if seed == self.name => format!("{}:{}", self.name, self.ctlport),
            seed => format!("{}:{} ({})", self.name, self.ctlport, printable(seed, usize::MAX)),
        }
    }
}

impl Ring {
    /// Puts nodes and sections into their canonical order.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.servers.sort();
        self.slaves.sort();
        self.profile.extra.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(k2hdkc) = &mut self.profile.k2hdkc {
            k2hdkc.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self
    }

    /// A `[GLOBAL]` value, or "" where it is absent.
    pub fn global(&self, key: &str) -> &str {
        self.profile.global.get(key).map_or("", String::as_str)
    }

    /// Number of other servers with each key (`REPLICA`; 0 where it is absent, or no number).
    pub fn replicas(&self) -> u32 {
        self.global("REPLICA").parse().unwrap_or(0)
    }

    /// `MODE`, where it is given.
    pub fn mode(&self) -> Option<Mode> {
        Mode::read(self.global("MODE"))
    }

    /// Of a file that cannot be read: no more than what kind of node it is for.
    pub fn unread(mode: Mode) -> Self {
        let global = [("MODE".to_owned(), mode.word().to_owned())].into();
        let profile = Profile { global, ..Profile::default() };
        Self { profile, servers: Vec::new(), slaves: Vec::new() }
    }

    /// The nodes of `mode`.
    pub fn nodes(&self, mode: Mode) -> &[Node] {
        match mode {
            Mode::Server => &self.servers,
            Mode::Slave => &self.slaves,
        }
    }

    /// Servers and slaves together: how many agents ask K2HR3.
    pub fn len(&self) -> usize {
        self.servers.len() + self.slaves.len()
    }

    /// Tells whether it has no node at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The node that the file is for.
    pub fn own(&self) -> Option<&Node> {
        self.candidates(self.mode()?).find(|node| !node.is_placeholder())
    }

    /// Nodes of `mode` that may be the host itself: own control port (any, if none is set) and own CUK.
    ///
    /// A server is found by exact comparison; the CUK of a slave node may be a pattern, and then only chmpx can
    /// tell whether it matches (lib/chmregex.cc:477).
    pub fn candidates(&self, mode: Mode) -> impl Iterator<Item = &Node> {
        let (port, cuk) = (self.global("SELFCTLPORT"), self.global("SELFCUK"));
        self.nodes(mode).iter().filter(move |node| {
            let same_port = port.is_empty() || port == node.ctlport.to_string();
            same_port && (node.cuk == cuk || (mode == Mode::Slave && is_pattern(&node.cuk)))
        })
    }
}

/// Reads the address in `10.0.0.1`, `10.0.0.1:8020` or `[fe80::1]:8020`.
pub(crate) fn address_in(host: &str) -> Option<IpAddr> {
    let bare = host.parse().ok();
    bare.or_else(|| host.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// Tells whether a slave node's NAME or CUK is a regular expression rather than a text.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['[', ']', '(', ')', '{', '}', '*', '+', '?', '|', '^', '$', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, cuk: &str) -> Node {
        Node {
            name: name.to_owned(),
            ctlport: Port::try_from(8021).unwrap(),
            port: None,
            cuk: cuk.to_owned(),
            seed: String::new(),
            rest: Keys::default(),
        }
    }

    #[test]
    fn keys_are_sorted_and_the_last_value_counts() {
        let mut keys: Keys = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        assert_eq!(keys.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        keys.insert("c", "4");
        assert_eq!((keys.get("c"), keys.get("d")), (Some("4"), None));
    }

    #[test]
    fn order_does_not_make_a_ring_another() {
        let one = Ring { servers: vec![node("b", "2"), node("a", "1")], ..Ring::default() };
        let two = Ring { servers: vec![node("a", "1"), node("b", "2")], ..Ring::default() };
        assert_ne!(one, two);
        assert_eq!(one.canonical(), two.canonical());
    }

    #[test]
    fn a_host_finds_itself_by_port_and_cuk() {
        let mut ring = Ring { servers: vec![node("a", "1"), node("b", "2")], ..Ring::default() };
        ring.profile.global.insert("SELFCUK".into(), "2".into());
        assert_eq!(ring.candidates(Mode::Server).map(|n| n.name.as_str()).collect::<Vec<_>>(), ["b"]);
        ring.profile.global.insert("SELFCTLPORT".into(), "8031".into());
        assert_eq!(ring.candidates(Mode::Server).count(), 0);
    }

    #[test]
    fn a_slave_s_cuk_may_be_a_pattern_and_a_server_s_may_not() {
        let mut ring =
            Ring { servers: vec![node("a", ".*")], slaves: vec![node("a", ".*")], ..Ring::default() };
        ring.profile.global.insert("SELFCUK".into(), "x".into());
        assert_eq!(ring.candidates(Mode::Server).count(), 0);
        assert_eq!(ring.candidates(Mode::Slave).count(), 1);
    }

    #[test]
    fn a_label_says_the_seed_only_when_it_says_more() {
        let mut node = node("10.0.0.1", "1");
        assert_eq!(node.label(), "10.0.0.1:8021");
        node.seed = "vm1.example".into();
        assert_eq!(node.label(), "10.0.0.1:8021 (vm1.example)");
    }
}
