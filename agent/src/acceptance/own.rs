//! The host in its own file: the rule that most often ends a chmpx, since it depends on the file
//! *and* on the host (chmpx 1.0.113, lib/chmconf.cc:2324-2347 for servers, 733-957 for slaves).
//!
//! chmpx resolves names; this module does not, so a name other than an address may or may not be this host.

use super::Host;
use super::nodes::names_of;
use super::words::{NotSelf, Wrong};
use crate::keys::atoi;
use crate::problem::{Fault as _, Problem};
use crate::ring::{Mode, Node, Ring, is_pattern};

/// Answers whether a name is this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    No,
    /// Only a resolver can tell, or nobody looked at the interfaces.
    Perhaps,
    Yes,
}

/// The host must be among the servers exactly when MODE says so, and a slave among the slaves.
pub(super) fn examine(ring: &Ring, host: &Host) -> Option<Problem> {
    let server = as_server(ring, host);
    let own = || format!("SELFCTLPORT {}, SELFCUK {}", shown(ring, "SELFCTLPORT"), shown(ring, "SELFCUK"));
    let not_self = |how| Some(Wrong::Self_(how, &own()).at(None));
    match ring.mode() {
        Some(Mode::Server) if server == Is::No => not_self(NotSelf::NoServer),
        Some(Mode::Slave) if server == Is::Yes => not_self(NotSelf::SlaveIsServer),
        // A CUK is nobody else's: if it stands among the servers, so does this host.
        Some(Mode::Slave) if server == Is::Perhaps && !ring.global("SELFCUK").is_empty() => {
            not_self(NotSelf::SlaveHasServersCuk)
        }
        Some(Mode::Slave) => missing_slave(ring, host, &own()),
        None if server == Is::No => missing_slave(ring, host, &own()),
        Some(Mode::Server) | None => None,
    }
}

/// A server is found by name, control port and CUK, all exact; without SELFCTLPORT none is.
fn as_server(ring: &Ring, host: &Host) -> Is {
    if ring.global("SELFCTLPORT").is_empty() {
        return Is::No;
    }
    let (port, cuk) = (atoi(ring.global("SELFCTLPORT")), ring.global("SELFCUK"));
    let same = ring.servers.iter().filter(|node| i32::from(node.ctlport.get()) == port && node.cuk == cuk);
    same.flat_map(|node| names_of(node).into_iter().map(|name| is_self(&name, host)).collect::<Vec<_>>())
        .max()
        .unwrap_or(Is::No)
}

/// A slave may also be found by a pattern or by one of its FORWARD_PEERS; it is needed when chmpx starts, with a
/// seed where ids are made of seeds.
fn missing_slave(ring: &Ring, host: &Host, who: &str) -> Option<Problem> {
    let mut own = ring.candidates(Mode::Slave).filter(|node| may_be_slave(node, host)).peekable();
    if own.peek().is_none() {
        return Some(Wrong::Self_(NotSelf::NoSlave, who).at(None));
    }
    let seedless =
        ring.global("CHMPXIDTYPE").eq_ignore_ascii_case("CUSTOM") && own.all(|node| node.seed.is_empty());
    seedless.then(|| Wrong::NoSeed.at(None))
}

fn may_be_slave(node: &Node, host: &Host) -> bool {
    let peers = node.rest.get("FORWARD_PEERS").unwrap_or_default();
    let names = std::iter::once(node.name.as_str()).chain(peers.split(',').map(str::trim));
    names.filter(|name| !name.is_empty()).any(|name| is_pattern(name) || is_self(name, host) > Is::No)
}

/// Loopback addresses other than 127.0.0.1 are no host to chmpx. They pass here, since a whole cluster can be
/// tried out on one machine with them, and no member of a real one has them.
fn is_self(name: &str, host: &Host) -> Is {
    if name == "localhost" {
        return Is::Yes;
    }
    let Ok(address) = name.parse::<std::net::IpAddr>() else {
        // `10.0.0.1:80` is neither an address nor a name.
        return if name.contains(':') { Is::No } else { Is::Perhaps };
    };
    match &host.addresses {
        _ if address.is_loopback() => Is::Perhaps,
        None => Is::Perhaps,
        Some(own) if own.contains(&address) => Is::Yes,
        Some(_) => Is::No,
    }
}

fn shown<'a>(ring: &'a Ring, key: &str) -> &'a str {
    match ring.global(key) {
        "" => "not set",
        value => value,
    }
}
