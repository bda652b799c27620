//! Names of each member's address. Pure.
//!
//! A server's CUSTOM_ID_SEED comes first, whatever else is registered at its address: before a merge the servers compare
//! their lists, in which each calls itself by its address and the others by the first name it finds, and a name that is
//! neither the CUSTOM_ID_SEED nor the address leaves a joining server at `[ADD][Pending]` for ever (3 of 3 with another
//! name, 0 of 32 with the seed, 0 of 2 with the address). So the address is its own name wherever the seed will not do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::reserved::{Reserved, Why, folded};
use crate::membership::Wanted;
use crate::ring::{Node, Ring};

/// The content of the block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// The lines of the block.
    pub lines: BTreeMap<IpAddr, Line>,
    /// Names that no member has, and why.
    pub reserved: Reserved,
    /// Names that were not taken.
    pub left_out: Vec<LeftOut>,
    /// Former members that keep their line.
    pub listed: Listed,
}

/// The names of one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// In their order; never empty. The first is what chmpx finds.
    pub names: Vec<String>,
    /// Seeds of the servers at this address, where there are any: what chmpx compares their name with.
    pub servers: Option<BTreeSet<String>>,
}

/// A name that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The address that it was meant for.
    pub address: IpAddr,
    /// The name.
    pub name: String,
    /// The reason.
    pub why: Why,
}

/// Nodes that chmpx still lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Unknown: every line stays.
    #[default]
    Unknown,
    /// The names and seeds of these.
    Only(BTreeSet<String>),
}

impl Listed {
    /// Of the names, addresses and seeds of the nodes in chmpx's own table.
    pub(crate) fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Only(names.into_iter().filter(|name| !name.is_empty()).map(folded).collect())
    }

    /// Tells whether a node with that address or one of these names may still be in it.
    pub(super) fn may_have(&self, address: IpAddr, names: &[&str]) -> bool {
        match self {
            Self::Unknown => true,
            Self::Only(listed) => {
                listed.contains(&address.to_string())
                    || names.iter().any(|name| listed.contains(&folded(name)))
            }
        }
    }
}

/// Names that an address claims.
#[derive(Debug, Default)]
struct Claims {
    /// Seeds of servers.
    servers: BTreeSet<String>,
    /// `true` where a server has the address.
    serves: bool,
    /// Seeds of slaves.
    slaves: BTreeSet<String>,
    /// NAMEs of the file that must resolve.
    needed: BTreeSet<String>,
}

/// The names of all members.
///
/// Without a line with CHMPXIDTYPE NAME: there chmpx makes ids of the names it finds, and a new name would change them.
pub(crate) fn names(wanted: &Wanted, reserved: Reserved, listed: Listed) -> Names {
    if matches!(wanted.ring.global("CHMPXIDTYPE").to_ascii_uppercase().as_str(), "" | "NAME") {
        return Names { reserved, listed: Listed::only([]), ..Names::default() };
    }
    let claims = claims(&wanted.ring, &wanted.addresses);
    let owners = owners(&claims, &reserved);
    let mut left_out = Vec::new();
    let mut may_have = |name: &str, address: IpAddr| {
        let another =
            || owners.get(&folded(name)).filter(|owner| **owner != address).map(|at| Why::Member(*at));
        let why = reserved.forbids(name, address).or_else(another);
        let allowed = why.is_none();
        left_out.extend(why.map(|why| LeftOut { address, name: name.to_owned(), why }));
        allowed
    };
    let lines = claims.into_iter().map(|(address, claims)| {
        let first = claims.first().filter(|name| may_have(name, address));
        let mut names = vec![first.map_or_else(|| address.to_string(), str::to_owned)];
        for name in &claims.needed {
            if names.iter().all(|have| folded(have) != folded(name)) && may_have(name, address) {
                names.push(name.clone());
            }
        }
        (address, Line { names, servers: claims.serves.then_some(claims.servers) })
    });
    let lines = lines.collect();
    Names { lines, reserved, left_out, listed }
}

/// Owner of each name: a server before a slave, since chmpx wants it only of servers, and else the lowest address.
fn owners(claims: &BTreeMap<IpAddr, Claims>, reserved: &Reserved) -> BTreeMap<String, IpAddr> {
    let firm = claims
        .iter()
        .flat_map(|(at, claims)| claims.servers.iter().chain(&claims.needed).map(move |name| (name, *at)));
    let others = claims.iter().flat_map(|(at, claims)| claims.slaves.iter().map(move |name| (name, *at)));
    let mut owners = BTreeMap::new();
    for (name, address) in
        firm.chain(others).filter(|(name, address)| reserved.forbids(name, *address).is_none())
    {
        owners.entry(folded(name)).or_insert(address);
    }
    owners
}

fn claims(ring: &Ring, addresses: &BTreeMap<String, IpAddr>) -> BTreeMap<IpAddr, Claims> {
    let mut claims: BTreeMap<IpAddr, Claims> = BTreeMap::new();
    let servers = ring.servers.iter().map(|node| (node, true));
    let members = servers.chain(ring.slaves.iter().map(|node| (node, false)));
    for (node, is_server) in members.filter(|(node, _)| !node.is_placeholder()) {
        let Some((address, needed)) = address_of(node, addresses) else { continue };
        let claim = claims.entry(address).or_default();
        claim.needed.extend(needed.filter(|name| is_host_name(name)).map(str::to_owned));
        claim.serves |= is_server;
        if !node.seed.is_empty() {
            let seeds = if is_server { &mut claim.servers } else { &mut claim.slaves };
            seeds.insert(node.seed.clone());
        }
    }
    claims
}

/// Address of a node, and its NAME where that is no address. `None` for a NAME that is no single host.
fn address_of<'a>(node: &'a Node, addresses: &BTreeMap<String, IpAddr>) -> Option<(IpAddr, Option<&'a str>)> {
    let (address, needed) = match node.name.parse::<IpAddr>() {
        Ok(address) => (address, None),
        Err(_) => (*addresses.get(&node.name)?, Some(node.name.as_str())),
    };
    let address = address.to_canonical();
    is_a_host(address).then_some((address, needed))
}

/// Excludes the unspecified address, the broadcast address, those of this very host or of its link (where clouds serve their metadata).
fn is_a_host(address: IpAddr) -> bool {
    if address.is_unspecified() || address.is_multicast() {
        return false;
    }
    match address {
        IpAddr::V4(v4) => !v4.is_broadcast() && !v4.is_link_local() && v4 != std::net::Ipv4Addr::LOCALHOST,
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
    }
}

impl Claims {
    /// The name that chmpx is to find; `None` where only the address will do, as for two servers at one.
    fn first(&self) -> Option<&str> {
        let mut servers = self.servers.iter();
        let first = match (servers.next(), servers.next()) {
            (Some(only), None) => Some(only),
            (None, _) if !self.serves => self.slaves.iter().find(|name| is_host_name(name)),
            (Some(_), Some(_)) | (None, _) => None,
        };
        first.map(String::as_str).filter(|name| is_host_name(name))
    }
}

/// Tells whether resolvers take it for the name of a host, and not for an address in one of its forms (`1.2`, `0x7f.1`).
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label) && !is_number(text.rsplit('.').next().unwrap_or_default())
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    hex.map_or_else(
        || label.bytes().all(|b| b.is_ascii_digit()),
        |digits| digits.bytes().all(|b| b.is_ascii_hexdigit()),
    )
}

#[cfg(test)]
mod tests;
