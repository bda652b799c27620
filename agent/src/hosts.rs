//! The marked block in `/etc/hosts`: every node's address with a name, the rest of the file untouched.
//!
//! chmpx looks up names in its main loop and without a working cache: with a lossy resolver a reload of ten
//! servers took over 100 s, with every address in `/etc/hosts` 0.02 to 3 s (chmpx 1.0.113). chmpx looks up a node that has
//! left the cluster as long as it lists it, so that line stays until then.
//!
//! Not any name will do, and none is taken that means something to this host: see [`names()`] and [`Reserved`]. Pure.

pub(crate) mod names;
mod reserved;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(crate) use names::{LeftOut, Listed, Names, names};
pub(crate) use reserved::{Reserved, Why};

use names::is_host_name;
use reserved::folded;

const BEGIN: &str =
    "# BEGIN k2hdkc-agent (made from the cluster's roles in K2HR3; edits in here are replaced)";
const END: &str = "# END k2hdkc-agent";

/// The next hosts file, with notes for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Update {
    /// The file with its block brought up to date; `None` where it is right already.
    pub next: Option<String>,
    /// Names that were not taken.
    pub left_out: Vec<LeftOut>,
    /// An address to which the operator gave a first name that keeps joins pending, in words.
    pub unfit: Option<String>,
}

/// The bytes of a hosts file as text in which each byte is one character, so that those that are no UTF-8 stay what they are.
pub(crate) fn decoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes of such a text.
pub(crate) fn encoded(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}

/// Brings the block up to date.
///
/// Addresses and names that stand outside the block are the operator's: the first line of the file counts. A line of a node
/// that is no member any more stays as long as chmpx may list it.
pub(crate) fn updated(present: &str, names: &Names) -> Update {
    let (before, block, after) = around_block(present);
    let outside = Outside::of(before.lines().chain(after.lines()));
    let mut left_out = names.left_out.clone();
    let mut lines: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for (address, line) in names.lines.iter().filter(|(address, _)| !outside.addresses.contains(address)) {
        let taken = line.names.iter().filter(|name| outside.names.contains(&folded(name)));
        // This host's own name stands in most hosts files.
        let clash = taken.filter(|_| !names.reserved.is_own(*address));
        left_out.extend(clash.map(|name| LeftOut {
            address: *address,
            name: name.clone(),
            why: Why::Outside,
        }));
        lines.insert(*address, outside.left_of(&line.names, *address));
    }
    let members: BTreeSet<String> = lines.values().flatten().map(|name| folded(name)).collect();
    for (address, kept) in block.lines().filter_map(entry) {
        let known = names.lines.contains_key(&address) || outside.addresses.contains(&address);
        if known || !names.listed.may_have(address, &kept) {
            continue;
        }
        let free = |name: &&str| {
            is_host_name(name)
                && !members.contains(&folded(name))
                && names.reserved.forbids(name, address).is_none()
        };
        let kept: Vec<String> = kept.into_iter().filter(free).map(str::to_owned).collect();
        lines.entry(address).or_insert_with(|| outside.left_of(&kept, address));
    }
    let lines: String =
        lines.iter().map(|(address, names)| format!("{address}\t{}\n", names.join(" "))).collect();
    let block = if lines.is_empty() { String::new() } else { format!("{BEGIN}\n{lines}{END}\n") };
    let gap = if block.is_empty() || before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let next = format!("{before}{gap}{block}{after}");
    let unfit = unfit(before.lines().chain(after.lines()), names);
    Update { next: (next != present).then_some(next), left_out, unfit }
}

/// Addresses and names of the file outside of the block.
struct Outside {
    addresses: BTreeSet<IpAddr>,
    names: BTreeSet<String>,
}

impl Outside {
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let entries: Vec<_> = lines.filter_map(entry).collect();
        let addresses = entries.iter().map(|(address, _)| *address).collect();
        let names = entries.into_iter().flat_map(|(_, names)| names).map(folded).collect();
        Self { addresses, names }
    }

    /// The names that are not in it; the address, where the first of them is, or where there is none.
    fn left_of(&self, names: &[String], address: IpAddr) -> Vec<String> {
        let is_free = |name: &&String| !self.names.contains(&folded(name));
        let first = names.first().filter(is_free).cloned().unwrap_or_else(|| address.to_string());
        std::iter::once(first).chain(names.iter().skip(1).filter(is_free).cloned()).collect()
    }
}

/// A server of which the operator's first name is neither its seed nor its address. In its own list each server calls itself
/// by its address, whatever this host's file has for it.
fn unfit<'a>(outside: impl Iterator<Item = &'a str>, names: &Names) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut first_lines = outside.filter_map(entry).filter(|(address, _)| seen.insert(*address));
    let (address, first, seeds) = first_lines.find_map(|(address, found)| {
        let seeds = names.lines.get(&address)?.servers.as_ref()?;
        let first = *found.first()?;
        let fits = seeds.contains(first) || address.to_string() == first || names.reserved.is_own(address);
        (!fits).then_some((address, first, seeds))
    })?;
    let only = seeds.first().filter(|seed| seeds.len() == 1 && is_host_name(seed));
    let fitting = only.map_or_else(String::new, |seed| format!("\"{seed}\" or "));
    let first = crate::problem::printable(first, 64);
    Some(format!(
        "it calls {address} \"{first}\"; chmpx leaves joining servers at [ADD][Pending] unless the first name is {fitting}\
         the address itself"
    ))
}

/// Address and names of a line.
fn entry(line: &str) -> Option<(IpAddr, Vec<&str>)> {
    let mut words = line.split('#').next()?.split_ascii_whitespace();
    let address = words.next()?;
    let address: IpAddr = address.split('%').next()?.parse().ok()?;
    Some((address.to_canonical(), words.collect()))
}

/// The text before the block, the block, and the text behind it. A block that lost its end mark ends where its lines end to
/// look like ours, so that nothing of the operator's is swallowed.
fn around_block(present: &str) -> (&str, &str, &str) {
    let Some(start) = line_starting(present, "# BEGIN k2hdkc-agent") else { return (present, "", "") };
    let rest = &present[start..];
    let end = match line_starting(rest, END) {
        Some(end) => end + rest[end..].find('\n').map_or(rest.len() - end, |newline| newline + 1),
        None => first_strange_line(rest),
    };
    (&present[..start], &rest[..end], &rest[end..])
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

#[cfg(test)]
mod tests;
