//! The marked block in `/etc/hosts`: every node's address with a name, the rest of the file untouched.
//!
//! chmpx looks up names in its main loop and without a working cache: with a lossy resolver a reload of ten
//! servers took over 100 s, with every address in `/etc/hosts` 0.02 to 3 s (chmpx 1.0.113).
//!
//! Not any name will do. Before a merge the servers compare their lists, in which each calls itself by its address and
//! the others by the first name it finds; a name that is neither the CUSTOM_ID_SEED nor the address leaves a joining
//! server at `[ADD][Pending]` for ever (3 of 3 with another name, 0 of 32 with the seed, 0 of 2 with the address).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::membership::Wanted;

const BEGIN: &str =
    "# BEGIN k2hdkc-agent (made from the cluster's roles in K2HR3; edits in here are replaced)";
const END: &str = "# END k2hdkc-agent";

/// Each node's address and the name it gets.
///
/// Empty with CHMPXIDTYPE NAME: there chmpx makes ids of the names it finds, and a new name would change them.
pub fn entries(wanted: &Wanted) -> BTreeMap<IpAddr, String> {
    if matches!(wanted.ring.global("CHMPXIDTYPE").to_ascii_uppercase().as_str(), "" | "NAME") {
        return BTreeMap::new();
    }
    let nodes = wanted.ring.servers.iter().chain(&wanted.ring.slaves).filter(|node| !node.is_placeholder());
    nodes
        .filter_map(|node| match node.name.parse::<IpAddr>() {
            Ok(address) => Some((address, name_for(address, &node.seed))),
            Err(_) => wanted.addresses.get(&node.name).map(|address| (*address, node.name.clone())),
        })
        .filter(|(address, name)| {
            !address.is_unspecified() && (is_host_name(name) || *name == address.to_string())
        })
        .collect()
}

/// The seed is the host's FQDN by convention; where it cannot be a host name, the address is its own name.
fn name_for(address: IpAddr, seed: &str) -> String {
    if is_host_name(seed) && seed.parse::<IpAddr>().is_err() {
        return seed.to_owned();
    }
    address.to_string()
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The file with its block brought up to date; `None` where it is right already.
///
/// Addresses that stand outside the block keep the operator's names: the first line of the file counts.
pub fn updated(present: &str, entries: &BTreeMap<IpAddr, String>) -> Option<String> {
    let (before, after) = around_block(present);
    let elsewhere: BTreeSet<IpAddr> = before.lines().chain(after.lines()).filter_map(address_of).collect();
    let lines: String = entries
        .iter()
        .filter(|(address, _)| !elsewhere.contains(address))
        .map(|(address, name)| format!("{address}\t{name}\n"))
        .collect();
    let block = if lines.is_empty() { String::new() } else { format!("{BEGIN}\n{lines}{END}\n") };
    let gap = if block.is_empty() || before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let next = format!("{before}{gap}{block}{after}");
    (next != present).then_some(next)
}

/// Addresses of nodes to which the operator gave a first name that keeps joins pending, in words.
pub fn unfit(present: &str, entries: &BTreeMap<IpAddr, String>) -> Option<String> {
    let (before, after) = around_block(present);
    let named = before.lines().chain(after.lines()).filter_map(|line| {
        let first = line.split('#').next()?.split_whitespace().nth(1)?;
        Some((address_of(line)?, first))
    });
    let fits = |(address, first): &(IpAddr, &str)| match entries.get(address) {
        Some(name) => name == first || address.to_string() == *first,
        None => true,
    };
    let mut seen = BTreeSet::new();
    let first_lines = named.filter(|(address, _)| seen.insert(*address));
    let (address, first) = first_lines.into_iter().find(|line| !fits(line))?;
    let name = entries.get(&address)?;
    Some(format!(
        "it calls {address} \"{first}\"; chmpx leaves joining servers at [ADD][Pending] unless the first name is \"{name}\" \
         or the address itself"
    ))
}

/// The text before the block and behind it. A block that lost its end mark ends where its lines end to look like
/// ours, so that nothing of the operator's is swallowed.
fn around_block(present: &str) -> (&str, &str) {
    let Some(start) = line_starting(present, "# BEGIN k2hdkc-agent") else { return (present, "") };
    let rest = &present[start..];
    let end = match line_starting(rest, END) {
        Some(end) => end + rest[end..].find('\n').map_or(rest.len() - end, |newline| newline + 1),
        None => first_strange_line(rest),
    };
    (&present[..start], &rest[end..])
}

fn line_starting(text: &str, mark: &str) -> Option<usize> {
    if text.starts_with(mark) {
        return Some(0);
    }
    text.match_indices('\n').map(|(at, _)| at + 1).find(|at| text[*at..].starts_with(mark))
}

fn first_strange_line(block: &str) -> usize {
    let mut at = 0;
    for (index, line) in block.split_inclusive('\n').enumerate() {
        let ours =
            index == 0 || line.split_once('\t').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok());
        if !ours {
            break;
        }
        at += line.len();
    }
    at
}

fn address_of(line: &str) -> Option<IpAddr> {
    let content = line.split('#').next().unwrap_or_default();
    content.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(pairs: &[(&str, &str)]) -> BTreeMap<IpAddr, String> {
        pairs.iter().map(|(address, name)| (address.parse().unwrap(), (*name).to_owned())).collect()
    }

    const OWN: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";

    #[test]
    fn the_block_is_appended_replaced_and_removed_and_the_rest_stays() {
        let one = updated(OWN, &some(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")])).unwrap();
        assert_eq!(one, format!("{OWN}{BEGIN}\n10.0.0.1\tvm1\n10.0.0.2\tvm2\n{END}\n"));
        assert_eq!(updated(&one, &some(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")])), None);
        let more = format!("{one}# operator's\n10.9.9.9 other\n");
        let two = updated(&more, &some(&[("10.0.0.3", "vm3")])).unwrap();
        assert_eq!(two, format!("{OWN}{BEGIN}\n10.0.0.3\tvm3\n{END}\n# operator's\n10.9.9.9 other\n"));
        assert_eq!(updated(&two, &BTreeMap::new()).unwrap(), format!("{OWN}# operator's\n10.9.9.9 other\n"));
    }

    #[test]
    fn an_address_that_the_operator_named_is_left_to_him() {
        let present = "10.0.0.1 mine\n";
        assert_eq!(updated(present, &some(&[("10.0.0.1", "vm1")])), None);
    }

    #[test]
    fn a_first_name_of_the_operator_that_keeps_joins_pending_is_told() {
        let wanted = some(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")]);
        for fit in
            ["", "10.0.0.1 vm1 mine", "10.0.0.1 10.0.0.1\n10.0.0.1 mine", "10.9.9.9 other", "# 10.0.0.1 mine"]
        {
            assert_eq!(unfit(fit, &wanted), None, "{fit}");
        }
        let told = unfit("10.0.0.2 mine vm2\n", &wanted).unwrap();
        assert!(
            told.starts_with("it calls 10.0.0.2 \"mine\"; chmpx leaves joining servers at [ADD][Pending]"),
            "{told}"
        );
    }

    #[test]
    fn a_last_line_without_a_newline_stays_whole() {
        let next = updated("127.0.0.1 localhost", &some(&[("10.0.0.1", "vm1")])).unwrap();
        assert!(next.starts_with("127.0.0.1 localhost\n# BEGIN"), "{next}");
    }

    #[test]
    fn a_block_without_its_end_swallows_nothing() {
        let torn = format!("{OWN}{BEGIN}\n10.0.0.1\tvm1\n10.9.9.9 other\n");
        let next = updated(&torn, &some(&[("10.0.0.2", "vm2")])).unwrap();
        assert_eq!(next, format!("{OWN}{BEGIN}\n10.0.0.2\tvm2\n{END}\n10.9.9.9 other\n"));
    }

    #[test]
    fn a_seed_that_is_no_host_name_is_replaced_by_the_address_itself() {
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        for seed in ["", "10.0.0.1", "a b", "-x", "x..y", &"a".repeat(64)] {
            assert_eq!(name_for(address, seed), "10.0.0.1", "{seed}");
        }
        assert_eq!(name_for(address, "vm1.example.com"), "vm1.example.com");
        assert_eq!(name_for("fe80::1".parse().unwrap(), ""), "fe80::1");
    }

    #[test]
    fn every_node_gets_a_name_and_the_placeholder_none() {
        let mut ring = crate::fixtures::ring(&[1, 2], &[1]);
        ring.servers[1].name = "db2.example".into();
        ring.slaves[0].cuk = crate::ring::PLACEHOLDER_CUK.into();
        let addresses = BTreeMap::from([("db2.example".to_owned(), "203.0.113.2".parse().unwrap())]);
        let wanted = Wanted { ring: ring.into(), addresses, ..Wanted::default() };
        assert_eq!(
            entries(&wanted),
            some(&[("192.0.2.1", "server1.example"), ("203.0.113.2", "db2.example")])
        );
    }

    #[test]
    fn where_ids_are_made_of_names_no_name_is_added() {
        let mut ring = crate::fixtures::ring(&[1, 2], &[1]);
        ring.profile.global.insert("CHMPXIDTYPE".into(), "NAME".into());
        assert_eq!(entries(&Wanted { ring: ring.into(), ..Wanted::default() }), BTreeMap::new());
    }
}
