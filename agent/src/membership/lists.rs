//! The two member lists of K2HR3 with a local profile. This way is immune to what a tag does to a text.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Wanted;
use super::exclusion::{Claim, excluded};
use super::member::{Member, Reader};
use super::words::{OfAnswer, Unusable, Why};
use crate::acceptance;
use crate::answer::HostRecord;
use crate::names::{Cuk, LONGEST_ID, PLACEHOLDER_CUK, Port};
use crate::problem::{Fault as _, Problem, is_unseen};
use crate::ring::{Keys, Mode, Node, Profile, Ring};
use crate::settings::Naming;

/// Template by which the membership source makes an ini of two member lists. See `[profile]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Keys of `[GLOBAL]` besides GROUP, MODE, the ports and SELFCUK.
    pub global: BTreeMap<String, String>,
    /// Keys of `[K2HDKC]`.
    pub k2hdkc: BTreeMap<String, String>,
    /// `GROUP`.
    pub group: String,
    /// NAME from the address or from the tag.
    pub naming: Naming,
    /// `true` where nodes get endpoints and peers from their inbound and outbound address, as in Trove's template.
    pub peers: bool,
    /// PORT of server nodes.
    pub server_port: Port,
    /// CTLPORT of server nodes.
    pub server_ctlport: Port,
    /// CTLPORT of slave nodes.
    pub slave_ctlport: Port,
}

/// Makes the ring of the two member lists, without the slaves that cannot become a node.
///
/// # Errors
///
/// Every other member that cannot.
pub fn from_members(
    servers: &[HostRecord],
    slaves: &[HostRecord],
    template: &Template,
    mode: Mode,
    reader: &Reader<'_>,
) -> Result<Wanted, Vec<Problem>> {
    let of = |mode| move |record| (record, mode);
    let records = servers.iter().map(of(Mode::Server)).chain(slaves.iter().map(of(Mode::Slave)));
    let (nodes, unusable) = sorted(records, template, reader);
    let (without, refused): (Vec<_>, Vec<_>) =
        unusable.into_iter().partition(|(member, _)| reader.can_do_without(*member));
    let mut faults: Vec<Problem> = refused.iter().map(|(member, why)| reader.refusal(*member, why)).collect();
    if servers.is_empty() {
        faults.push(OfAnswer::NoServers.at(None));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let left_out = without.iter().map(|(member, why)| reader.left_out(*member, why)).collect();
    let mut ring = Ring { profile: profile(template, mode, reader.cuk), ..Ring::default() };
    let mut addresses = BTreeMap::new();
    for (record, mode, node) in nodes {
        let address = record.host.parse().ok().filter(|_| node.name != record.host);
        addresses.extend(address.map(|address| (node.name.clone(), address)));
        match mode {
            Mode::Server => ring.servers.push(node),
            Mode::Slave => ring.slaves.push(node),
        }
    }
    if ring.slaves.is_empty() {
        ring.slaves.push(placeholder(template));
    }
    Ok(Wanted::of(ring.canonical(), addresses, Vec::new(), left_out))
}

/// A record with what became of it.
type Made<'a> = (&'a HostRecord, Mode, Node);

/// The records that can be nodes beside each other, and the others with the reason.
fn sorted<'a>(
    records: impl Iterator<Item = (&'a HostRecord, Mode)>,
    template: &Template,
    reader: &Reader<'_>,
) -> (Vec<Made<'a>>, Vec<(Member<'a>, Why)>) {
    let (mut nodes, mut unusable) = (Vec::new(), Vec::new());
    for (record, mode) in records {
        match node(record, template, mode) {
            Ok(node) => nodes.push((record, mode, node)),
            Err(why) => unusable.push((record.member(mode), why.into())),
        }
    }
    let id_type = template.global.get("CHMPXIDTYPE").map_or("", String::as_str);
    let called = ["CUSTOM", "CUK"].into_iter().position(|kind| id_type.eq_ignore_ascii_case(kind));
    let called = called.map_or("", |at| ["tag", "CUK"][at]);
    let claims = nodes.iter().map(|(_, mode, node): &Made<'_>| Claim {
        member: Member { mode: *mode, host: &node.name, cuk: &node.cuk, tag: &node.seed },
        ctlport: node.ctlport.to_string(),
        id: match called {
            "CUK" => &node.cuk,
            "tag" => &node.seed,
            _ => "",
        },
    });
    let gone = excluded(&claims.collect::<Vec<_>>(), called, reader);
    unusable.extend(gone.iter().map(|gone| {
        let (record, mode, _) = &nodes[gone.at];
        (record.member(*mode), gone.why.clone())
    }));
    let mut at = 0;
    nodes.retain(|_| {
        at += 1;
        gone.iter().all(|gone| gone.at != at - 1)
    });
    (nodes, unusable)
}

impl HostRecord {
    fn member(&self, mode: Mode) -> Member<'_> {
        let (cuk, tag) = (self.cuk.as_deref(), self.tag.as_deref());
        Member { mode, host: &self.host, cuk: cuk.unwrap_or_default(), tag: tag.unwrap_or_default() }
    }
}

fn profile(template: &Template, mode: Mode, cuk: &Cuk) -> Profile {
    let mut global = template.global.clone();
    let ctlport = match mode {
        Mode::Server => template.server_ctlport,
        Mode::Slave => template.slave_ctlport,
    };
    global.insert("GROUP".to_owned(), template.group.clone());
    global.insert("MODE".to_owned(), mode.word().to_owned());
    global.insert("CTLPORT".to_owned(), ctlport.to_string());
    global.insert("SELFCTLPORT".to_owned(), ctlport.to_string());
    global.insert("SELFCUK".to_owned(), cuk.to_string());
    if mode == Mode::Server {
        global.insert("PORT".to_owned(), template.server_port.to_string());
    }
    let k2hdkc = template.k2hdkc.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Profile { global, k2hdkc: (mode == Mode::Server).then_some(k2hdkc), extra: Vec::new() }
}

/// The node of a record, or the reason against it.
fn node<'a>(record: &'a HostRecord, template: &Template, mode: Mode) -> Result<Node, Unusable<'a>> {
    let cuk = Cuk::of_record(record.cuk.as_deref().unwrap_or_default()).map_err(Unusable::Cuk)?;
    let tag = record.tag.as_deref();
    let seed = one_word(tag).ok_or(Unusable::TagNotOneWord(tag.unwrap_or_default()))?;
    if seed.len() >= LONGEST_ID {
        return Err(Unusable::TagTooLong);
    }
    let host = one_word(Some(&record.host)).ok_or(Unusable::HostNotOneWord)?;
    let name = if template.naming == Naming::Address { host } else { seed };
    if let Some(wrong) = acceptance::no_host(name) {
        return Err(Unusable::NameNoHost { name, wrong });
    }
    let (port, ctlport) = match mode {
        Mode::Server => (Some(template.server_port), template.server_ctlport),
        Mode::Slave => (None, template.slave_ctlport),
    };
    let mut rest: Keys = [("SSL", "no")].into_iter().collect();
    if template.peers {
        peers(record, port, ctlport, &mut rest)?;
    }
    Ok(Node { name: name.to_owned(), ctlport, port, cuk: cuk.to_string(), seed: seed.to_owned(), rest })
}

/// Endpoints and peers as Trove's template writes them: reached at the inbound address, coming from the outbound.
fn peers<'a>(
    record: &'a HostRecord,
    port: Option<Port>,
    ctlport: Port,
    keys: &mut Keys,
) -> Result<(), Unusable<'a>> {
    if let Some(inbound) = filled(record.inbound.as_deref()) {
        let address = address("inboundip", inbound)?;
        let at = |port: Port| std::net::SocketAddr::new(address, port.get()).to_string();
        if let Some(port) = port {
            keys.insert("ENDPOINTS", &at(port));
        }
        keys.insert("CTLENDPOINTS", &at(ctlport));
        keys.insert("REVERSE_PEERS", &address.to_string());
    }
    if let Some(outbound) = filled(record.outbound.as_deref()) {
        let address = address("outboundip", outbound)?;
        keys.insert("FORWARD_PEERS", &address.to_string());
    }
    Ok(())
}

fn address<'a>(field: &'static str, text: &'a str) -> Result<IpAddr, Unusable<'a>> {
    text.parse().map_err(|_| Unusable::NotAnAddress { field, text })
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn one_word(text: Option<&str>) -> Option<&str> {
    filled(text).filter(|text| !text.chars().any(|c| c == ' ' || is_unseen(c)))
}

/// chmpx refuses a file without `[SLVNODE]`, so an empty slave role becomes the node that upstream writes.
fn placeholder(template: &Template) -> Node {
    Node {
        name: "127.0.0.1".to_owned(),
        ctlport: template.slave_ctlport,
        port: None,
        cuk: PLACEHOLDER_CUK.to_owned(),
        seed: String::new(),
        rest: [("SSL", "no")].into_iter().collect(),
    }
}
