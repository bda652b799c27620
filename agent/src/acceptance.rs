//! What chmpx accepts: a document of the dialect becomes a [`Ring`], and everything that chmpx would refuse, take
//! to somebody's harm, or ignore is reported, all of it at once and with its line.
//!
//! Pure. Facts about the host (which files exist, which addresses are its own) are an argument, [`Host`].
//! Every rule is chmpx 1.0.113's (lib/chmconf.cc:733-2640) unless its text says k2hdkc.

mod hostname;
mod k2hdkc;
pub mod keys;
mod nodes;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ini::{Document, Entry, Kind, Section};
use crate::names::Port;
use crate::problem::{Problem, Severity};
use crate::ring::{Extra, Mode, Profile, Ring};
use keys::{Below, Value, is_unset};
use tls::{Values, View};

/// What must be known of the host for the rules that depend on it. A `None` is not examined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// What stands at each path that [`paths`] named.
    pub files: Option<BTreeMap<String, FileKind>>,
    /// The addresses of the network interfaces.
    pub addresses: Option<BTreeSet<IpAddr>>,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// Nothing, or something else.
    Missing,
}

impl Host {
    /// What stands at `path`; `None` where nobody looked.
    pub fn kind(&self, path: &str) -> Option<FileKind> {
        self.files.as_ref()?.get(path).copied()
    }

    /// Whether `name` may be this host: certainly not only if it is an address that no interface has.
    fn may_be(&self, name: &str) -> bool {
        match (&self.addresses, name.parse::<IpAddr>()) {
            (Some(own), Ok(address)) => address.is_loopback() || own.contains(&address),
            _ => true,
        }
    }
}

/// A document as chmpx would understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The ring, in canonical order; where keys are missing or wrong, as much of it as could be read.
    pub ring: Ring,
    /// `FILEVERSION`, as a running chmpx would report it in `cfg_revision`.
    pub fileversion: Option<u32>,
    /// Everything that is wrong, by line.
    pub problems: Vec<Problem>,
}

impl Reading {
    /// Whether chmpx would load the file.
    pub fn loads(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity < Severity::Refused)
    }
}

/// The paths whose existence chmpx will demand, for [`Host::files`].
pub fn paths(document: &Document) -> BTreeSet<String> {
    let is_path = |key: &str| keys::global(key).is_some_and(|known| known.value == Value::Path);
    let read_by_chmpx =
        |section: &&Section| matches!(section.kind, Kind::Global | Kind::Server | Kind::Slave);
    let entries = document.sections.iter().filter(read_by_chmpx).flat_map(|section| &section.entries);
    entries.filter(|e| is_path(&e.key) && !is_unset(&e.value)).map(|e| e.value.clone()).collect()
}

/// Reads a document by chmpx's rules.
pub fn read(document: &Document, host: &Host) -> Reading {
    let mut problems = document.problems.clone();
    let global = merge_global(document, &mut problems);
    problems.extend(global.iter().flat_map(|(key, (value, line))| global_value(key, value, *line)));
    problems.extend(required(&global));
    let of = |kind| nodes::collect(document, kind, &global);
    let (servers, slaves) = (of(Kind::Server), of(Kind::Slave));
    let k2hdkc = k2hdkc::read(document, &mut problems);
    let view = View { label: "[GLOBAL]".to_owned(), line: 1, own: &global, global: &global };
    problems.extend(tls::examine(&view, &views(&servers, &global), &views(&slaves, &global), host));
    let id_type = text(&global, "CHMPXIDTYPE").to_ascii_uppercase();
    let ring = Ring {
        profile: Profile { global: model_globals(&global), k2hdkc, extra: extras(document) },
        servers: nodes::model(&servers, Mode::Server, &id_type, &mut problems),
        slaves: nodes::model(&slaves, Mode::Slave, &id_type, &mut problems),
    }
    .canonical();
    problems.extend(nodes::duplicates(&ring));
    problems.extend(capacity(&ring));
    problems.extend(self_present(&ring, host));
    problems.extend(k2hdkc::belongs(&ring));
    problems.sort_by_key(|problem| (problem.line.is_none(), problem.line));
    let fileversion = global.get("FILEVERSION").and_then(|(value, _)| value.parse().ok());
    Reading { ring, fileversion, problems }
}

fn views<'a>(nodes: &'a [nodes::Raw<'_>], global: &'a Values) -> Vec<View<'a>> {
    nodes.iter().map(|node| node.view(global)).collect()
}

/// Repeated `[GLOBAL]` sections are one to chmpx, and the last value of a key counts.
fn merge_global(document: &Document, problems: &mut Vec<Problem>) -> Values {
    let mut merged = Values::new();
    for section in document.sections.iter().filter(|section| section.kind == Kind::Global) {
        take_entries(&section.entries, "[GLOBAL]", &mut merged, problems);
    }
    merged
}

/// Adds the entries of one section; a key that is there already is overwritten, and told.
fn take_entries(entries: &[Entry], section: &str, into: &mut Values, problems: &mut Vec<Problem>) {
    for entry in entries {
        let old = into.insert(entry.key.clone(), (entry.value.clone(), entry.line));
        if let Some((_, line)) = old {
            let text =
                format!("{section}: {} stands in line {line} already; chmpx takes the last", entry.key);
            problems.push(Problem::harmful(entry.line, text));
        }
    }
}

fn text<'a>(values: &'a Values, key: &str) -> &'a str {
    values.get(key).map_or("", |(value, _)| value.as_str())
}

fn global_value(name: &str, value: &str, line: usize) -> Option<Problem> {
    match keys::global(name) {
        Some(key) => one_value(name, value, key.value, line),
        None => Some(Problem::note(line, format!("[GLOBAL]: chmpx does not know the key {name}"))),
    }
}

fn one_value(name: &str, value: &str, kind: Value, line: usize) -> Option<Problem> {
    match kind {
        Value::Text | Value::Path => None,
        Value::Word(words) if words.iter().any(|word| word.eq_ignore_ascii_case(value)) => None,
        Value::Word(words) => {
            let text = format!("{name} is \"{value}\"; chmpx knows {}", words.join(", "));
            Some(Problem::refused(line, text))
        }
        Value::Port => {
            let wrong = Port::try_from(value).err()?;
            Some(Problem::harmful(line, format!("{name}: {wrong}")))
        }
        Value::Number { least, most, below } => number(name, value, (least, most), below, line),
    }
}

fn number(name: &str, value: &str, (least, most): (i64, i64), below: Below, line: usize) -> Option<Problem> {
    let Ok(number) = value.parse::<i64>() else {
        let text = format!("{name} is \"{value}\", not a number; chmpx reads what stands before it, or 0");
        return Some(Problem::harmful(line, text));
    };
    match () {
        () if number > most => {
            Some(Problem::harmful(line, format!("{name} is {number}; chmpx's most is {most}")))
        }
        () if number >= least => None,
        () => Some(too_small(name, number, least, below, line)),
    }
}

fn too_small(name: &str, number: i64, least: i64, below: Below, line: usize) -> Problem {
    match below {
        Below::Refused => {
            Problem::refused(line, format!("{name} is {number}; chmpx refuses less than {least}"))
        }
        Below::Fatal => Problem::harmful(
            line,
            format!("{name} is {number}; chmpx crashes or does not start below {least}"),
        ),
        Below::Raised => Problem::note(line, format!("{name} is {number}; chmpx takes its default instead")),
    }
}

fn required(global: &Values) -> Vec<Problem> {
    let mut problems: Vec<_> = ["GROUP", "FILEVERSION", "DELIVERMODE"]
        .into_iter()
        .filter(|key| !global.contains_key(*key))
        .map(|key| Problem::refused(None, format!("[GLOBAL] has no {key}")))
        .collect();
    if let Some((group, line)) = global.get("GROUP") {
        problems.extend(group_name(group).map(|text| Problem::harmful(*line, format!("GROUP {text}"))));
    }
    if let Some((cuk, line)) = global.get("SELFCUK") {
        if crate::membership::PLACEHOLDERS.iter().any(|placeholder| cuk.contains(placeholder)) {
            problems.push(Problem::harmful(*line, format!("SELFCUK is still the placeholder {cuk}")));
        }
    }
    problems
}

/// GROUP becomes part of the names of a message queue and of files, which end at 255 bytes.
fn group_name(group: &str) -> Option<&'static str> {
    match group {
        "" => Some("is empty; chmpx does not start"),
        _ if group.contains('/') => Some("has a '/' in it; chmpx does not start"),
        _ if group.len() > 230 => Some("is longer than 230 bytes; chmpx does not start"),
        _ => None,
    }
}

fn model_globals(global: &Values) -> BTreeMap<String, String> {
    let kept = global.iter().filter(|(key, _)| !["FILEVERSION", "DATE"].contains(&key.as_str()));
    kept.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
}

fn extras(document: &Document) -> Vec<Extra> {
    let pair = |entry: &Entry| (entry.key.clone(), entry.value.clone());
    let others = document.sections.iter().filter(|section| section.kind == Kind::Other);
    others.map(|s| Extra { name: s.name.clone(), entries: s.entries.iter().map(pair).collect() }).collect()
}

/// Servers and slaves need one slot each, and chmpx one more, in the table that it sizes at its start.
fn capacity(ring: &Ring) -> Option<Problem> {
    let most: usize = ring.global("MAXCHMPX").parse().unwrap_or(DEFAULT_MAXCHMPX);
    let text = format!("{} nodes, but MAXCHMPX {most} has room for {}", ring.len(), most.saturating_sub(1));
    (ring.len() + 1 > most).then(|| Problem::harmful(None, text))
}

/// `MAXCHMPX` where the file does not say it.
pub const DEFAULT_MAXCHMPX: usize = 1024;

/// The host must be among the servers exactly when MODE says so, and a slave among the slaves.
fn self_present(ring: &Ring, host: &Host) -> Option<Problem> {
    let local = |mode| ring.candidates(mode).any(|node| is_local(node, host));
    let who = format!(
        "SELFCTLPORT {}, SELFCUK {}",
        shown(ring.global("SELFCTLPORT")),
        shown(ring.global("SELFCUK"))
    );
    match ring.mode()? {
        Mode::Server if !local(Mode::Server) => {
            Some(Problem::refused(None, format!("MODE is SERVER, but no [SVRNODE] is this host ({who})")))
        }
        Mode::Slave if local(Mode::Server) => {
            Some(Problem::refused(None, format!("MODE is SLAVE, but a [SVRNODE] is this host ({who})")))
        }
        Mode::Slave if !local(Mode::Slave) => Some(Problem::harmful(
            None,
            format!("no [SLVNODE] is this host ({who}): a running chmpx goes on, a starting one exits"),
        )),
        Mode::Server | Mode::Slave => None,
    }
}

fn is_local(node: &crate::ring::Node, host: &Host) -> bool {
    let peers = node.rest.get("FORWARD_PEERS").map_or("", String::as_str);
    host.may_be(&node.name)
        || peers.split(',').map(str::trim).any(|peer| !peer.is_empty() && host.may_be(peer))
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "not set" } else { value }
}
