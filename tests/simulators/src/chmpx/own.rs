//! The way in which a node finds itself: control port, CUK and a NAME of this host (docs/facts.md C12, C15).
//!
//! Every loopback address is this host, so that a whole cluster fits on one machine. A slave's NAME and CUK may be
//! patterns; of these only those that match everything are understood.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k2hdkc_agent::keys::atoi;
use k2hdkc_agent::machine;
use k2hdkc_agent::ring::{Mode, Node, Ring, is_pattern};

use crate::simulators::arguments::Arguments;

/// The identity of this process before it reads any file.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// `-ctlport`, which overrides SELFCTLPORT.
    pub ctlport: Option<i32>,
    /// `-cuk`, which overrides SELFCUK.
    pub cuk: Option<String>,
    /// The addresses of the interfaces, looked up once.
    pub addresses: BTreeSet<IpAddr>,
}

impl Identity {
    /// Returns the identity of a program with those arguments, on this host.
    pub fn of(arguments: &Arguments) -> Self {
        let addresses = machine::host(BTreeSet::new()).addresses.unwrap_or_default();
        Self { ctlport: arguments.ctlport, cuk: arguments.cuk.clone(), addresses }
    }

    /// Checks whether a NAME is this host.
    pub fn is_here(&self, name: &str) -> bool {
        let Ok(address) = name.parse::<IpAddr>() else { return name == "localhost" };
        address.is_loopback() || self.addresses.contains(&address)
    }

    /// SELFCTLPORT of a file, or what overrides it.
    pub fn ctlport(&self, ring: &Ring) -> Option<i32> {
        let said = ring.global("SELFCTLPORT");
        self.ctlport.or_else(|| (!said.is_empty()).then(|| atoi(said)))
    }
}

/// The own node and whether it is a server; an error where MODE contradicts that, which refuses the file.
pub fn find(ring: &Ring, identity: &Identity) -> Result<(Option<Node>, bool), String> {
    let server = ring.servers.iter().find(|node| is_server(node, ring, identity));
    match (ring.mode(), server) {
        (Some(Mode::Server), None) => {
            Err("\"MODE\" is server, but self is not found in the server list".to_owned())
        }
        (Some(Mode::Slave), Some(_)) => {
            Err("\"MODE\" is slave, but self is found in the server list".to_owned())
        }
        (Some(Mode::Server) | None, Some(node)) => Ok((Some(node.clone()), true)),
        (Some(Mode::Slave) | None, None) => {
            let slave = ring.slaves.iter().find(|node| is_slave(node, ring, identity));
            Ok((slave.map(|node| plain_slave(node, ring, identity)), false))
        }
    }
}

fn is_server(node: &Node, ring: &Ring, identity: &Identity) -> bool {
    let cuk = identity.cuk.as_deref().unwrap_or(ring.global("SELFCUK"));
    identity.ctlport(ring) == Some(i32::from(node.ctlport.get()))
        && node.cuk == cuk
        && identity.is_here(&node.name)
}

fn is_slave(node: &Node, ring: &Ring, identity: &Identity) -> bool {
    let cuk = identity.cuk.as_deref().unwrap_or(ring.global("SELFCUK"));
    let same_port = identity.ctlport(ring).is_none_or(|port| port == i32::from(node.ctlport.get()));
    same_port && matches(&node.cuk, cuk) && (is_pattern(&node.name) || identity.is_here(&node.name))
}

/// A node found by a pattern is called by its address.
fn plain_slave(node: &Node, ring: &Ring, identity: &Identity) -> Node {
    let first = identity.addresses.iter().find(|address| address.is_ipv4() && !address.is_loopback());
    let name = match first {
        Some(address) if is_pattern(&node.name) => address.to_string(),
        None if is_pattern(&node.name) => "127.0.0.1".to_owned(),
        _ => node.name.clone(),
    };
    let cuk = identity.cuk.as_deref().unwrap_or(ring.global("SELFCUK")).to_owned();
    Node { name, cuk: if is_pattern(&node.cuk) { cuk } else { node.cuk.clone() }, ..node.clone() }
}

/// Checks whether a text is what a slave section says, which may be "anything".
pub fn matches(pattern: &str, text: &str) -> bool {
    pattern == text || [".*", "[.]*"].contains(&pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx::fixtures::{identity, ring};

    #[test]
    fn a_server_is_found_by_port_and_cuk_and_arguments_come_before_the_file() {
        let (own, is_server) = find(&ring(&[1, 2], &[1]), &identity()).unwrap();
        assert_eq!((own.unwrap().cuk, is_server), ("cuk-1".to_owned(), true));
        let second = Identity { cuk: Some("cuk-2".to_owned()), ..identity() };
        assert_eq!(find(&ring(&[1, 2], &[1]), &second).unwrap().0.unwrap().cuk, "cuk-2");
        let nobody = Identity { ctlport: Some(9), ..identity() };
        assert!(find(&ring(&[1, 2], &[1]), &nobody).is_err());
    }

    #[test]
    fn a_slave_may_be_found_by_a_pattern_or_not_at_all() {
        let mut slave = ring(&[1], &[1]);
        slave.profile.global.insert("MODE".into(), "SLAVE".into());
        slave.profile.global.insert("SELFCUK".into(), "me".into());
        slave.profile.global.insert("SELFCTLPORT".into(), "8031".into());
        assert_eq!(find(&slave, &identity()).unwrap(), (None, false));
        ".*".clone_into(&mut slave.slaves[0].cuk);
        ".*".clone_into(&mut slave.slaves[0].name);
        assert_eq!(find(&slave, &identity()).unwrap().0.unwrap().cuk, "me");
    }
}
