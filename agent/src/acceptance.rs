//! The rules of chmpx: a document of the dialect becomes a [`Ring`], and everything that chmpx would refuse, take
//! with harm to others, or ignore is reported, all of it at once and with its line.
//!
//! Pure. Facts about the host (which files exist, which addresses are its own) are an argument, [`Host`].
//! Every rule is chmpx 1.0.113's (lib/chmconf.cc:733-2640) unless its text says k2hdkc.

mod address;
mod hostname;
mod k2hdkc;
mod nodes;
mod own;
pub mod placeholders;
mod repeated;
#[cfg(test)]
mod tests;
mod tls;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ini::{Document, Entry, Kind};
use crate::keys::{self, Below, Value, atoi, is_unset};
use crate::names::Port;
use crate::problem::{Fault as _, Problem, Severity};
use crate::ring::{Extra, Mode, Profile, Ring};
use tls::{Values, View};
use words::{BadGroup, Wrong};

/// Facts about the host, for the rules that depend on it. A `None` is not examined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Kind of file at each path that [`paths`] named.
    pub files: Option<BTreeMap<String, FileKind>>,
    /// The addresses of the network interfaces.
    pub addresses: Option<BTreeSet<IpAddr>>,
}

/// Kind of file at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// No file, or a device, a socket and the like.
    Missing,
}

impl Host {
    /// Kind of file at `path`; `None` where the agent did not look.
    pub fn kind(&self, path: &str) -> Option<FileKind> {
        self.files.as_ref()?.get(path).copied()
    }
}

/// A document as chmpx would understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The ring, in canonical order; where keys are missing or wrong, as much of it as could be read.
    pub ring: Ring,
    /// `FILEVERSION`, as a running chmpx would report it in `cfg_revision`.
    pub fileversion: Option<u32>,
    /// All findings, by line.
    pub problems: Vec<Problem>,
}

impl Reading {
    /// Tells whether chmpx would load the file.
    pub fn loads(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity < Severity::Refused)
    }
}

/// The paths whose existence chmpx or k2hdkc will demand, for [`Host::files`].
pub fn paths(ring: &Ring) -> BTreeSet<String> {
    let of_chmpx = |key: &str| keys::global(key).is_some_and(|key| key.value == Value::Path);
    let global = ring.profile.global.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let nodes = ring.servers.iter().chain(&ring.slaves).flat_map(|node| node.rest.iter());
    let k2hdkc = ring.profile.k2hdkc.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let named = global.chain(nodes).filter(|(key, _)| of_chmpx(key));
    let named = named.chain(k2hdkc.filter(|(key, _)| keys::K2HDKC_FILES.contains(key)));
    named.filter(|(_, path)| !is_unset(path)).map(|(_, path)| path.to_owned()).collect()
}

/// The file of the keys and the directories above it. Apart from [`paths`], since a directory that is missing may be made
/// before k2hdkc starts: a caller who does so leaves it out of [`Host::files`].
pub fn database_paths(ring: &Ring) -> BTreeSet<String> {
    k2hdkc::places(ring).collect()
}

/// Names the reason for which chmpx cannot look up a NAME that is no pattern; `None` where it can.
pub fn no_host(name: &str) -> Option<&'static str> {
    address::wrong(name)
}

/// Reads a document by chmpx's rules.
pub fn read(document: &Document<'_>, host: &Host) -> Reading {
    let mut problems = document.problems.clone();
    let global = merge_global(document, &mut problems);
    problems.extend(global.iter().filter_map(|(key, (value, line))| global_value(key, value, *line)));
    problems.extend(required(&global));
    problems.extend(queues(&global));
    problems.extend(placeholders::in_global(&global));
    problems.extend(placeholders::elsewhere(document));
    let servers = nodes::collect(document, Kind::Server, &global, &mut problems);
    let slaves = nodes::collect(document, Kind::Slave, &global, &mut problems);
    let k2hdkc = k2hdkc::read(document, host, &mut problems);
    let view = View { label: "[GLOBAL]", line: 1, mode: Mode::Server, own: &global, global: &global };
    problems.extend(tls::examine(&view, &views(&servers), &views(&slaves), host));
    let id_type = text(&global, "CHMPXIDTYPE").to_ascii_uppercase();
    let ring = Ring {
        profile: Profile { global: model_globals(&global), k2hdkc, extra: extras(document) },
        servers: nodes::model(&servers, Mode::Server, &id_type, &mut problems),
        slaves: nodes::model(&slaves, Mode::Slave, &id_type, &mut problems),
    }
    .canonical();
    problems.extend(nodes::duplicates(&ring));
    problems.extend(capacity(&ring));
    // A node whose port chmpx cannot use is not in the model, and was told already.
    if (servers.len(), slaves.len()) == (ring.servers.len(), ring.slaves.len()) {
        problems.extend(own::examine(&ring, host));
    }
    problems.extend(k2hdkc::belongs(&ring));
    problems.sort_by_key(|problem| (problem.line.is_none(), problem.line));
    let fileversion = global.get("FILEVERSION").and_then(|(value, _)| value.parse().ok());
    Reading { ring, fileversion, problems }
}

fn views<'a>(nodes: &'a [nodes::Raw<'_>]) -> Vec<View<'a>> {
    nodes.iter().map(nodes::Raw::view).collect()
}

/// Repeated `[GLOBAL]` sections are one to chmpx, and the last value of a key counts.
fn merge_global<'a>(document: &'a Document<'a>, problems: &mut Vec<Problem>) -> Values<'a> {
    let mut merged = Values::new();
    for section in document.sections.iter().filter(|section| section.kind == Kind::Global) {
        repeated::take(section, &mut merged, problems);
    }
    merged
}

fn text<'a>(values: &Values<'a>, key: &str) -> &'a str {
    values.get(key).map_or("", |(value, _)| *value)
}

fn global_value(name: &str, value: &str, line: usize) -> Option<Problem> {
    match keys::global(name) {
        Some(key) => one_value(name, value, key.value).map(|wrong| wrong.at(line)),
        None => Some(unknown("[GLOBAL]", name, line)),
    }
}

/// A key that chmpx passes over: it minds the case of letters.
fn unknown(label: &str, key: &str, line: usize) -> Problem {
    if let Some(hole) = placeholders::within(key) {
        return Wrong::PlaceholderKey { label, hole }.at(line);
    }
    let capitals = key.to_ascii_uppercase();
    let meant = capitals != key && (keys::global(&capitals).is_some() || nodes::knows(&capitals));
    Wrong::UnknownKey { label, key, capitals: meant.then_some(capitals) }.at(line)
}

fn one_value<'a>(key: &'a str, value: &'a str, kind: Value) -> Option<Wrong<'a>> {
    match kind {
        Value::Text | Value::Path => None,
        Value::Word(words) if words.iter().any(|word| word.eq_ignore_ascii_case(value)) => None,
        Value::Word(known) => Some(Wrong::UnknownWord { key, value, known }),
        Value::Port => {
            let wrong = Port::try_from(value).err()?;
            Some(Wrong::BadPort { label: None, key, wrong })
        }
        Value::Number { least, most, below } => number(key, value, (least, most), below),
    }
}

/// chmpx never refuses a number for its text, so what counts is what `atoi` makes of it.
fn number<'a>(key: &'a str, value: &'a str, (least, most): (i32, i32), below: Below) -> Option<Wrong<'a>> {
    let read = atoi(value);
    if read < least {
        return Some(Wrong::TooSmall { key, read, least, below });
    }
    if read > most {
        return Some(Wrong::TooLarge { key, read, most, below });
    }
    let odd = value.parse::<i64>().ok() != Some(i64::from(read));
    odd.then_some(Wrong::ReadOtherwise { key, value, read })
}

/// A client attaches with MQPERATTACH queues at once, out of MAXMQCLIENT.
fn queues(global: &Values<'_>) -> Option<Problem> {
    let (each, line) = global.get("MQPERATTACH")?;
    let (all, _) = global.get("MAXMQCLIENT")?;
    (atoi(each) > atoi(all)).then(|| Wrong::TooManyQueues { each, all }.at(*line))
}

fn required(global: &Values<'_>) -> Vec<Problem> {
    let mut problems: Vec<_> = ["GROUP", "FILEVERSION", "DELIVERMODE"]
        .into_iter()
        .filter(|key| !global.contains_key(*key))
        .map(|key| Wrong::NoKey(key).at(None))
        .collect();
    if let Some((group, line)) = global.get("GROUP") {
        problems.extend(group_name(group).map(|bad| Wrong::BadGroup(bad).at(*line)));
    }
    problems
}

/// GROUP becomes part of the names of a message queue and of files, which end at 255 bytes.
fn group_name(group: &str) -> Option<BadGroup> {
    match group {
        "" => Some(BadGroup::Empty),
        _ if group.contains('/') => Some(BadGroup::Slash),
        _ if group.len() > 238 => Some(BadGroup::Long),
        _ => None,
    }
}

fn model_globals(global: &Values<'_>) -> BTreeMap<String, String> {
    let kept = global.iter().filter(|(key, _)| !["FILEVERSION", "DATE"].contains(key));
    kept.map(|(key, (value, _))| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn extras(document: &Document<'_>) -> Vec<Extra> {
    let pair = |entry: &Entry<'_>| (entry.key.to_string(), entry.value.to_string());
    let others = document.sections.iter().filter(|section| section.kind == Kind::Other);
    others.map(|s| Extra { name: s.name.to_owned(), entries: s.entries.iter().map(pair).collect() }).collect()
}

/// Every node needs a row of the table that chmpx sizes at its start.
fn capacity(ring: &Ring) -> Option<Problem> {
    let most: usize = ring.global("MAXCHMPX").parse().unwrap_or(DEFAULT_MAXCHMPX);
    beyond(ring, most).map(|nodes| Wrong::NoRoom { nodes, most, room: room(ring, most) }.at(None))
}

/// Counts the nodes, where they are more than a table of so many rows has room for. No process connects as the
/// placeholder slave.
pub fn beyond(ring: &Ring, rows: usize) -> Option<usize> {
    let nodes = servers(ring) + ring.slaves.iter().filter(|slave| !slave.is_placeholder()).count();
    (nodes > room(ring, rows)).then_some(nodes)
}

/// Counts the nodes for which a table of so many rows has room: a server and a connected slave take one row each,
/// a server has the one before it in the ring as a slave as well, and one that joins has to connect before that one has
/// moved on (docs/facts.md C20).
pub fn room(ring: &Ring, rows: usize) -> usize {
    rows.saturating_sub(servers(ring).saturating_sub(1).min(2))
}

/// Counts the servers that chmpx makes of the ring: a NAME may stand for several.
pub fn servers(ring: &Ring) -> usize {
    nodes::servers(ring)
}

/// `MAXCHMPX` where the file does not say it.
pub const DEFAULT_MAXCHMPX: usize = 1024;

/// The codes of the faults of this module.
#[cfg(test)]
pub(crate) const CODES: [&[&str]; 3] = {
    use crate::problem::Coded;
    [<Wrong<'_> as Coded>::CODES, k2hdkc::CODES, tls::CODES]
};
