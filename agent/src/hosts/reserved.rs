//! Host names that no member may have in this host's `/etc/hosts`: a tag in K2HR3 is what another VM chose, and whoever
//! has the name gets what is sent to it. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Names that mean the host itself, or a group of addresses, in the files of common distributions; and names that
/// systemd-resolved answers by itself.
const EVERYWHERE: &[&str] = &[
    "localhost",
    "localhost4",
    "localhost6",
    "loopback",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
    "_gateway",
    "_outbound",
    "_localdnsstub",
    "_localdnsproxy",
];

/// Domains of which the same is true.
const LOCAL_DOMAINS: &[&str] = &["localhost", "localdomain", "localdomain4", "localdomain6"];

/// First labels under which clouds and container engines give credentials and configuration to whoever asks.
const SERVICES: &[&str] = &["metadata", "instance-data", "kubernetes", "wpad"];

/// The same, whole.
const ENGINES: &[&str] = &[
    "host.docker.internal",
    "gateway.docker.internal",
    "kubernetes.docker.internal",
    "host.containers.internal",
];

/// Reasons against a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Means the host itself everywhere.
    Everywhere,
    /// Clouds or container engines answer under it.
    Service,
    /// The agent sends requests to it.
    Peer,
    /// Belongs to this host.
    Own,
    /// The hosts file has it outside of the block.
    Outside,
    /// Another member of the cluster has it.
    Member(IpAddr),
}

impl Why {
    /// In words that follow "it".
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Everywhere => "means the host itself, on every host".to_owned(),
            Self::Service => "belongs to a service of clouds or container engines".to_owned(),
            Self::Peer => "is a host to which this agent sends its requests".to_owned(),
            Self::Own => "is the name of this host".to_owned(),
            Self::Outside => "stands in that file already, outside of the agent's block".to_owned(),
            Self::Member(address) => format!("is the name of the member {address}"),
        }
    }
}

/// Names that belong to this host or to those with whom its agent speaks, and the addresses of this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reserved {
    own: BTreeSet<String>,
    peers: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl Reserved {
    /// Of the host's names, the hosts in these addresses and URIs, and the addresses of this host.
    pub(crate) fn new<'a>(
        own: impl IntoIterator<Item = &'a str>,
        peers: impl IntoIterator<Item = &'a str>,
        addresses: BTreeSet<IpAddr>,
    ) -> Self {
        let own = own.into_iter().map(folded).filter(|name| !name.is_empty()).collect();
        let peers =
            peers.into_iter().map(|uri| folded(host_of(uri))).filter(|name| !name.is_empty()).collect();
        Self { own, peers, addresses: addresses.into_iter().map(|address| address.to_canonical()).collect() }
    }

    /// Tells whether an address is this host's.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }

    /// Names the reason for which the member at that address must not have this name; `None` where it may.
    pub(crate) fn forbids(&self, name: &str, address: IpAddr) -> Option<Why> {
        let name = folded(name);
        if is_local(&name) {
            return Some(Why::Everywhere);
        }
        if is_service(&name) {
            return Some(Why::Service);
        }
        if self.peers.contains(&name) {
            return Some(Why::Peer);
        }
        (!self.is_own(address) && self.own.iter().any(|own| is_name_of(own, &name))).then_some(Why::Own)
    }
}

/// As names are compared: without case, and without the dot of the root.
pub(super) fn folded(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn is_local(name: &str) -> bool {
    EVERYWHERE.contains(&name)
        || name.rsplit('.').next().is_some_and(|domain| LOCAL_DOMAINS.contains(&domain))
}

fn is_service(name: &str) -> bool {
    ENGINES.contains(&name) || name.split('.').next().is_some_and(|label| SERVICES.contains(&label))
}

/// A host is reached by its name and by the first label of it; where its name has no domain, each may be its own.
fn is_name_of(own: &str, name: &str) -> bool {
    let short = own.split('.').next().unwrap_or(own);
    name == own || name == short || (short == own && name.split('.').next() == Some(own))
}

/// The host of `http://host:port/path`, of `tcp://[2001:db8::1]:1` or of `host:port`.
fn host_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    // As the WHATWG URL standard ends the host of an HTTP URL, which reqwest follows.
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    if let Some(inner) = authority.strip_prefix('[') {
        return inner.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "192.0.2.66";

    fn reserved() -> Reserved {
        let own = BTreeSet::from(["192.0.2.1".parse().unwrap(), "::ffff:198.51.100.1".parse().unwrap()]);
        let peers = ["http://K2HR3.example.:18080/v1", "tcp://[2001:db8::2]:2376", "docker.example:2376", ""];
        Reserved::new(["vm1", "db.site.example"], peers, own)
    }

    fn at(name: &str, address: &str) -> Option<Why> {
        reserved().forbids(name, address.parse().unwrap())
    }

    #[test]
    fn names_that_mean_something_else_are_nobody_s() {
        for name in [
            "localhost",
            "LocalHost.",
            "localhost.localdomain",
            "localhost4.localdomain4",
            "vm7.localdomain",
            "a.localhost",
            "ip6-localhost",
            "IP6-LOOPBACK",
            "_gateway",
        ] {
            assert_eq!(at(name, OTHER), Some(Why::Everywhere), "{name}");
            assert_eq!(at(name, "192.0.2.1"), Some(Why::Everywhere), "{name} of this host");
        }
        for name in
            ["metadata.google.internal", "METADATA", "metadata.goog.", "instance-data.ec2.internal", "wpad"]
        {
            assert_eq!(at(name, OTHER), Some(Why::Service), "{name}");
        }
    }

    #[test]
    fn the_host_of_k2hr3_and_of_docker_is_no_member_s() {
        for name in ["k2hr3.example", "K2HR3.EXAMPLE", "k2hr3.example.", "docker.example"] {
            assert_eq!(at(name, OTHER), Some(Why::Peer), "{name}");
        }
        assert_eq!(at("k2hr3", OTHER), None, "another name");
        assert_eq!(at("example", OTHER), None);
    }

    #[test]
    fn this_host_s_own_names_are_no_other_member_s() {
        for name in ["vm1", "VM1", "vm1.example.com", "db", "db.site.example", "DB.site.example."] {
            assert_eq!(at(name, OTHER), Some(Why::Own), "{name}");
            assert_eq!(at(name, "192.0.2.1"), None, "{name} of this host");
            assert_eq!(at(name, "198.51.100.1"), None, "{name} of this host");
        }
        for name in ["vm10", "vm10.example.com", "db.other.example", "xdb", "vm2.vm1"] {
            assert_eq!(at(name, OTHER), None, "{name}");
        }
    }

    #[test]
    fn the_host_of_a_uri_is_found_in_every_form() {
        for (uri, host) in [
            ("http://k2hr3:18080", "k2hr3"),
            ("https://k2hr3/v1", "k2hr3"),
            ("http://[2001:db8::1]:80/x", "2001:db8::1"),
            ("tcp://u:p@h:1", "h"),
            ("h:1", "h"),
            ("http://proxy.example?x", "proxy.example"),
            ("http://u:p@proxy.example#x", "proxy.example"),
            ("http://proxy.example\\x", "proxy.example"),
            ("", ""),
        ] {
            assert_eq!(host_of(uri), host, "{uri}");
        }
    }
}
