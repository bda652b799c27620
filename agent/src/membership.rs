//! Answers of K2HR3 to a [`Ring`]: the operator's expanded ini, or the two member lists with a local profile.
//! Both ways give the same model.
//!
//! Pure, and strict where chmpx is lax: a key twice in one section, a control character or an empty identity in
//! what K2HR3 sends is a fault, since K2HR3 pastes members' tags into every member's file unescaped (k2hr3_api 2.0.3:
//! a newline in one `tag` becomes a line of its own). The record of a slave that is no good is left out, for it would
//! stop every change on all nodes; that of a server, or this node's own, refuses the answer.

mod breaks;
mod exclusion;
mod lists;
mod member;
mod sections;
mod words;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use crate::acceptance::placeholders::{self, OF_CUK};
use crate::ini::{self, Section};
use crate::names::Cuk;
use crate::problem::{Fault as _, Note, Problem};
use crate::replicas;
use crate::ring::{Extra, Node, Ring, address_in};
use words::OfAnswer;

pub use lists::{Template, from_members};
pub use member::{Reader, Roles};

/// The content of a good answer: the ring, and the addresses of the names in it, as far as the answer says them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The ring; shared with what is installed as soon as both are equal.
    pub ring: Rc<Ring>,
    /// Address of each NAME that is not an address itself.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Findings that do not forbid it.
    pub notes: Vec<Problem>,
    /// Records that are no good and were left out, each with its member and what to do.
    pub left_out: Vec<Note>,
    /// The `REPLICA` that was asked for, where the servers of the answer have no room for so many copies.
    pub too_many_replicas: Option<u32>,
}

impl Wanted {
    /// Makes the content of an answer, with no more copies of each key than its servers have room for.
    fn of(
        ring: Ring,
        addresses: BTreeMap<String, IpAddr>,
        mut notes: Vec<Problem>,
        left_out: Vec<Note>,
    ) -> Self {
        let too_many_replicas = replicas::is_too_many(&ring).then(|| ring.replicas());
        notes.extend(too_many_replicas.map(|asked| replicas::note(asked, &ring)));
        let ring = Rc::new(replicas::fitted(ring, None));
        Self { ring, addresses, notes, left_out, too_many_replicas }
    }
}

/// Reads the operator's expanded ini.
///
/// The reader's CUK replaces the placeholders; `extra` names the sections that pass besides the four known ones.
///
/// # Errors
///
/// Every fault of the answer, with the member that it comes from. No lines: the text is on no disk.
pub fn from_ini(text: &str, reader: &Reader<'_>, extra: &[String]) -> Result<Wanted, Vec<Problem>> {
    let cuk = reader.cuk;
    if text.trim().is_empty() {
        return Err(vec![OfAnswer::Empty.at(None)]);
    }
    let (text, filled) = without_holes(text);
    let mut document = ini::parse(&text);
    document.sections.iter_mut().filter(|section| !section.is_node()).for_each(|section| fill(section, cuk));
    let (reading, left_out) = sections::read(document, reader)?;
    let (mut ring, mut notes) = (reading.ring, filled);
    notes.extend(reading.problems);
    let (kept, dropped): (Vec<_>, Vec<_>) =
        ring.profile.extra.into_iter().partition(|section| extra.contains(&section.name));
    ring.profile.extra = kept;
    let twice = ring.profile.extra.iter().filter_map(key_twice);
    let twice: Vec<Problem> = twice.collect();
    if !twice.is_empty() {
        return Err(twice);
    }
    for section in dropped {
        notes.push(OfAnswer::SectionLeftOut(&section.name).at(None));
    }
    let addresses = peer_addresses(&ring);
    Ok(Wanted::of(ring, addresses, notes, left_out))
}

/// The text without what no reader of an ini knows: a byte order mark before a line, and the line that a k8s tool should
/// have replaced by its TLS settings. What was left out is noted.
fn without_holes(text: &str) -> (Cow<'_, str>, Vec<Problem>) {
    let mut notes = Vec::new();
    if !text.contains([ini::BYTE_ORDER_MARK]) && !text.contains(placeholders::OF_TLS) {
        return (Cow::Borrowed(text), notes);
    }
    let lines = text.split('\n').map(|line| {
        let mut left = line.trim_start_matches(ini::BYTE_ORDER_MARK);
        if left.len() < line.len() {
            notes.push(OfAnswer::MarkLeftOut(left).at(None));
        }
        if left.trim() == placeholders::OF_TLS {
            notes.push(OfAnswer::TlsLeftOut.at(None));
            left = "";
        }
        left
    });
    (Cow::Owned(lines.collect::<Vec<_>>().join("\n")), notes)
}

/// Puts the reader's CUK where the template wants it: not into a node's section, where a member's record may say the same.
fn fill(section: &mut Section<'_>, cuk: &Cuk) {
    for hole in OF_CUK {
        for entry in section.entries.iter_mut().filter(|entry| entry.value.contains(hole)) {
            entry.value = Cow::Owned(entry.value.replace(hole, cuk.as_str()));
        }
    }
}

fn key_twice(section: &Extra) -> Option<Problem> {
    let differs = |(key, value): &(String, String), at: usize| {
        *key == section.entries[at].0 && *value != section.entries[at].1
    };
    let again = |at: &usize| section.entries[..*at].iter().any(|entry| differs(entry, *at));
    let at = (0..section.entries.len()).find(again)?;
    Some(OfAnswer::KeyTwice { section: &section.name, key: &section.entries[at].0 }.at(None))
}

/// Trove's template names nodes by tag and says their address in REVERSE_PEERS or ENDPOINTS.
pub(crate) fn peer_addresses(ring: &Ring) -> BTreeMap<String, IpAddr> {
    let nodes = ring.servers.iter().chain(&ring.slaves);
    let named = nodes.filter(|node| node.name.parse::<IpAddr>().is_err());
    named.filter_map(|node| Some((node.name.clone(), first_address(node)?))).collect()
}

fn first_address(node: &Node) -> Option<IpAddr> {
    let lists =
        ["REVERSE_PEERS", "ENDPOINTS", "CTLENDPOINTS"].into_iter().filter_map(|key| node.rest.get(key));
    lists.flat_map(|list| list.split(',')).find_map(|host| address_in(host.trim()))
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(crate) const CODES: [&[&str]; 2] = {
    use crate::problem::Coded;
    [<OfAnswer<'_> as Coded>::CODES, <words::Unusable<'_> as Coded>::CODES]
};
