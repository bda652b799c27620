//! `[SVRNODE]` and `[SLVNODE]`: the keys that each needs, and what two of them must not share.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::tls::{Values, View};
use super::words::Wrong;
use super::{address, hostname};
use crate::ini::{Document, Kind};
use crate::keys::{HOST_LISTS, NODE_REST};
use crate::names::{LONGEST_ID, Port};
use crate::problem::{Fault as _, Problem};
use crate::ring::{Mode, Node, Ring, is_pattern};

/// The keys that are fields of a [`Node`]; the others are its rest.
const NAMED: [&str; 5] = ["NAME", "PORT", "CTLPORT", "CUK", "CUSTOM_ID_SEED"];

/// A section before it is a [`Node`].
pub(super) struct Raw<'a> {
    line: usize,
    mode: Mode,
    values: Values<'a>,
    global: &'a Values<'a>,
}

impl Raw<'_> {
    /// Its TLS view.
    pub(super) fn view(&self) -> View<'_> {
        View { label: self.label(), line: self.line, mode: self.mode, own: &self.values, global: self.global }
    }

    fn label(&self) -> &str {
        self.own("NAME").unwrap_or("a node")
    }

    fn own(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| *value)
    }

    fn line_of(&self, key: &str) -> usize {
        self.values.get(key).map_or(self.line, |(_, line)| *line)
    }

    fn inherited(&self, key: &str) -> Option<&str> {
        self.own(key).or_else(|| self.global.get(key).map(|(value, _)| *value))
    }
}

/// The nodes of one kind as chmpx has them before it looks at any of their keys: sections without NAME are
/// dropped, and sections with the same text in NAME and CTLPORT are one, of which the later keys count
/// (chmpx 1.0.113, lib/chmconf.cc:1381-1386, lib/chmutil.cc:73).
pub(super) fn collect<'a>(
    document: &'a Document<'a>,
    kind: Kind,
    global: &'a Values<'a>,
    problems: &mut Vec<Problem>,
) -> Vec<Raw<'a>> {
    let mut nodes: Vec<Raw<'a>> = Vec::new();
    let mut places: HashMap<(&str, Option<&str>), usize> = HashMap::new();
    for section in document.sections.iter().filter(|section| section.kind == kind) {
        let mut values = Values::new();
        super::repeated::take(section, &mut values, problems);
        let Some((name, _)) = values.get("NAME").copied() else {
            problems.push(Wrong::NoName.at(section.line));
            continue;
        };
        let ctlport = values.get("CTLPORT").map(|(port, _)| *port);
        match places.entry((name, ctlport)) {
            Slot::Occupied(place) => {
                let first = &mut nodes[*place.get()];
                problems.push(twice(first, name, &values, section.line));
                first.values.extend(values);
            }
            Slot::Vacant(place) => {
                place.insert(nodes.len());
                let mode = if kind == Kind::Server { Mode::Server } else { Mode::Slave };
                nodes.push(Raw { line: section.line, mode, values, global });
            }
        }
    }
    nodes
}

fn twice(first: &Raw<'_>, name: &str, second: &Values<'_>, line: usize) -> Problem {
    let cuk = |values: &Values<'_>| values.get("CUK").map_or("none", |(cuk, _)| *cuk).to_owned();
    let (first, second, at) = (cuk(&first.values), cuk(second), first.line);
    Wrong::OneOfTwo { name, line: at, first: &first, second: &second }.at(line)
}

/// The nodes with the problems of each; and one problem more where there is none.
pub(super) fn model(raws: &[Raw<'_>], mode: Mode, id_type: &str, problems: &mut Vec<Problem>) -> Vec<Node> {
    if raws.is_empty() {
        let section = if mode == Mode::Server { "[SVRNODE]" } else { "[SLVNODE]" };
        problems.push(Wrong::NoSection(section).at(None));
    }
    raws.iter().filter_map(|raw| node(raw, mode, id_type, problems)).collect()
}

fn node(raw: &Raw<'_>, mode: Mode, id_type: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    problems.extend(name_problem(raw, mode));
    problems.extend(id_problems(raw, mode, id_type));
    problems.extend(list_problems(raw));
    problems.extend(other_keys(raw, mode));
    let port = match mode {
        Mode::Server => port_of(raw, "PORT", problems),
        Mode::Slave => None,
    };
    let ctlport = port_of(raw, "CTLPORT", problems)?;
    let text = |key: &str| raw.own(key).unwrap_or_default().to_owned();
    let rest = raw.values.iter().filter(|(key, _)| !NAMED.contains(key));
    Some(Node {
        name: raw.own("NAME").filter(|name| !name.is_empty())?.to_owned(),
        ctlport,
        port,
        cuk: text("CUK"),
        seed: text("CUSTOM_ID_SEED"),
        rest: rest.map(|(key, (value, _))| (*key, *value)).collect(),
    })
}

/// The port of the section, or that of `[GLOBAL]`; chmpx refuses a node that has neither.
fn port_of(raw: &Raw<'_>, key: &str, problems: &mut Vec<Problem>) -> Option<Port> {
    let Some(text) = raw.inherited(key) else {
        problems.push(Wrong::NoPort { label: raw.label(), key }.at(raw.line));
        return None;
    };
    match Port::try_from(text) {
        Ok(port) => Some(port),
        Err(wrong) => {
            problems.push(Wrong::BadPort { label: Some(raw.label()), key, wrong }.at(raw.line_of(key)));
            None
        }
    }
}

fn name_problem(raw: &Raw<'_>, mode: Mode) -> Option<Problem> {
    let (name, line) = (raw.label(), raw.line_of("NAME"));
    match mode {
        _ if name.is_empty() => return Some(Wrong::EmptyName { server: mode == Mode::Server }.at(line)),
        Mode::Server if hostname::has_empty_part(name) => return Some(Wrong::EmptyPart(name).at(line)),
        // chmpx compares it as a regular expression, and looks nothing up.
        Mode::Slave if is_pattern(name) => return None,
        Mode::Slave => return no_host(name, name, line),
        Mode::Server => {}
    }
    match hostname::expand(name) {
        Err(wrong) => Some(Wrong::BadRange { name, wrong }.at(line)),
        Ok(hosts) => hosts.iter().find_map(|host| no_host(name, host, line)),
    }
}

fn no_host(name: &str, host: &str, line: usize) -> Option<Problem> {
    let wrong = address::wrong(host)?;
    Some(Wrong::NameNoHost { name, host, wrong }.at(line))
}

/// The key that the chmpxid is made of must be there, not empty, and short enough for chmpx's buffer.
fn id_problems(raw: &Raw<'_>, mode: Mode, id_type: &str) -> Vec<Problem> {
    let needed: &[&str] = match (id_type, mode) {
        ("CUK", _) => &["CUK"],
        ("CUSTOM", Mode::Server) => &["CUSTOM_ID_SEED"],
        ("CTLENDPOINTS" | "CTLEPS", Mode::Server) => &["ENDPOINTS", "CTLENDPOINTS"],
        ("CTLENDPOINTS" | "CTLEPS", Mode::Slave) => &["CTLENDPOINTS"],
        _ => &[],
    };
    let mut problems: Vec<_> = needed.iter().filter_map(|key| missing_id(raw, key, id_type)).collect();
    for key in ["CUK", "CUSTOM_ID_SEED"] {
        let Some(value) = raw.own(key) else { continue };
        let line = raw.line_of(key);
        let identifies = match key {
            "CUK" => raw.global.get("SELFCUK").is_some_and(|(own, _)| !own.is_empty()),
            _ => id_type == "CUSTOM",
        };
        if value.is_empty() && identifies && !needed.contains(&key) {
            problems.push(Wrong::EmptyId { label: raw.label(), key }.at(line));
        }
        if value.len() >= LONGEST_ID {
            problems.push(Wrong::LongId { label: raw.label(), key }.at(line));
        }
    }
    problems
}

fn missing_id(raw: &Raw<'_>, key: &str, id_type: &str) -> Option<Problem> {
    let label = raw.label();
    match raw.own(key) {
        None => Some(Wrong::NoId { label, key, id_type }.at(raw.line)),
        Some("") => Some(Wrong::EmptyNeededId { label, key, id_type }.at(raw.line_of(key))),
        Some(_) => None,
    }
}

/// chmpx keeps the first four hosts of a list and skips what it cannot read.
fn list_problems(raw: &Raw<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in HOST_LISTS {
        let Some(list) = raw.own(key) else { continue };
        let hosts = list.split(',').map(str::trim).filter(|host| !host.is_empty());
        if hosts.clone().count() > 4 {
            problems.push(Wrong::ManyHosts { label: raw.label(), key }.at(raw.line_of(key)));
        }
        for host in hosts {
            let Some(wrong) = address::wrong(address::host_of(host)) else { continue };
            problems.push(Wrong::ListNoHost { label: raw.label(), key, host, wrong }.at(raw.line_of(key)));
        }
    }
    problems
}

/// Tells whether chmpx knows the key in a node's section.
pub(super) fn knows(key: &str) -> bool {
    NAMED.contains(&key) || NODE_REST.contains(&key)
}

fn other_keys(raw: &Raw<'_>, mode: Mode) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, (value, line)) in &raw.values {
        if !knows(key) {
            problems.push(super::unknown(raw.label(), key, *line));
        } else if mode == Mode::Server && ["SSL", "SSL_VERIFY_PEER"].contains(key) {
            problems.extend(super::global_value(key, value, *line));
        }
    }
    problems
}

/// Counts the servers that chmpx makes of the ring: a server's NAME may stand for several.
pub(super) fn servers(ring: &Ring) -> usize {
    let names = |node: &Node| if hostname::is_plain(&node.name) { 1 } else { names_of(node).len().max(1) };
    ring.servers.iter().map(names).sum()
}

/// Two nodes at one address, or that get the same chmpxid.
pub(super) fn duplicates(ring: &Ring) -> Vec<Problem> {
    let mut problems = Vec::new();
    for mode in [Mode::Server, Mode::Slave] {
        problems.extend(same_address(ring.nodes(mode)));
    }
    if ring.global("CHMPXIDTYPE").eq_ignore_ascii_case("CUSTOM") {
        let nodes = ring.servers.iter().chain(&ring.slaves);
        problems.extend(same_id(nodes.clone(), "CUSTOM_ID_SEED", |node| &node.seed));
    } else if ring.global("CHMPXIDTYPE").eq_ignore_ascii_case("CUK") {
        problems.extend(same_id(ring.servers.iter().chain(&ring.slaves), "CUK", |node| &node.cuk));
    }
    problems
}

fn same_address(nodes: &[Node]) -> Vec<Problem> {
    let mut seen: HashMap<(Cow<'_, str>, Port), &Node> = HashMap::with_capacity(nodes.len());
    let mut problems = Vec::new();
    for node in nodes {
        for name in names_of(node) {
            match seen.entry((name, node.ctlport)) {
                Slot::Vacant(slot) => drop(slot.insert(node)),
                Slot::Occupied(slot) => {
                    let (name, _) = slot.key();
                    let cuks = [slot.get().cuk.as_str(), node.cuk.as_str()];
                    problems.push(Wrong::OneAddress { name, ctlport: node.ctlport.get(), cuks }.at(None));
                }
            }
        }
    }
    problems
}

/// The names that a node stands for; none for a slave's pattern, which only chmpx can match.
pub(super) fn names_of(node: &Node) -> Vec<Cow<'_, str>> {
    if hostname::is_plain(&node.name) {
        return vec![Cow::Borrowed(&node.name)];
    }
    let expanded = hostname::expand(&node.name).unwrap_or_default();
    expanded.into_iter().filter(|name| !is_pattern(name)).map(Cow::Owned).collect()
}

fn same_id<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    key: &str,
    id: impl Fn(&'a Node) -> &'a String,
) -> Vec<Problem> {
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    let mut problems = Vec::new();
    for node in nodes.filter(|node| !id(node).is_empty()) {
        match seen.entry(id(node)) {
            Slot::Vacant(slot) => drop(slot.insert(node)),
            Slot::Occupied(slot) => {
                let address = |node: &Node| format!("{}:{}", node.name, node.ctlport);
                let nodes = [address(slot.get()), address(node)];
                problems.push(Wrong::OneId { key, id: id(node), nodes }.at(None));
            }
        }
    }
    problems
}
