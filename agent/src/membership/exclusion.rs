//! Records of which chmpx takes one at most: two of one address and control port become one node, of which the later keys
//! count, and two of one id get the same chmpxid (C7).

use std::collections::BTreeMap;

use super::member::{Member, Reader};
use super::words::{Unusable, Why};
use crate::ring::Mode;

/// The address and the id that a record takes for itself alone.
pub(super) struct Claim<'a> {
    pub(super) member: Member<'a>,
    pub(super) ctlport: String,
    /// Source of its chmpxid; empty where that is its address.
    pub(super) id: &'a str,
}

/// A record that cannot stand beside another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excluded {
    /// Its place among the claims.
    pub(super) at: usize,
    pub(super) why: Why,
}

/// The records that must go so that no two exclude each other. Servers stay before slaves, and what is installed before what
/// is new (`called` is what an id is made of): whoever registers with the tag of another one does not push that one out. Every node that has the same file
/// installed decides alike; where nothing is, by the order of the answer, which is the same for all.
pub(super) fn excluded(claims: &[Claim<'_>], called: &str, reader: &Reader<'_>) -> Vec<Excluded> {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|at| {
        let member = claims[*at].member;
        let whole = !member.host.is_empty() && !member.cuk.is_empty() && !member.tag.is_empty();
        (member.mode == Mode::Slave, !reader.is_installed(member), !whole)
    });
    let mut addresses: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    let mut excluded = Vec::new();
    for at in order {
        let Claim { member, ctlport, id } = &claims[at];
        let address = (member.mode.word(), member.host, ctlport.as_str());
        let with_id = Some(*id).filter(|id| !id.is_empty());
        let other = addresses.get(&address).map(|other| ("address", *other));
        let other = other.or_else(|| Some((called, *ids.get(with_id?)?)));
        if let Some((what, other)) = other {
            let other = reader.describe(claims[other].member);
            let why = Unusable::Excluded { called: what, other }.into();
            excluded.push(Excluded { at, why });
            continue;
        }
        if !member.host.is_empty() {
            addresses.insert(address, at);
        }
        ids.extend(with_id.map(|id| (id, at)));
    }
    excluded
}
