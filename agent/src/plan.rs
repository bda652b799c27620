//! Differences between the installed ring and the wanted one, and what the processes must do about each
//! difference. Pure: `diff` prints a plan, and the pass demands the restarts that it names.

mod differs;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::keys::{self, Effect, HOST_LISTS, SECRET};
use crate::names::Port;
use crate::problem::{Coded as _, Note};
use crate::ring::{Mode, Node, NodeKey, Ring};
use words::{Difference, Shown};

pub use differs::differs;

/// Effort until the processes run the wanted ring, from nothing to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// No difference.
    Nothing,
    /// Only text that no process reads.
    FileOnly,
    /// chmpx takes it when the file is replaced; nobody notices.
    Reload,
    /// k2hdkc reads its section once: it must be started again.
    RestartK2hdkc,
    /// chmpx, and k2hdkc after it, must be started again (on a server never chmpx alone).
    RestartChmpx,
    /// No running ring can follow.
    Impossible,
}

/// A difference and its effort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The effort.
    pub class: Class,
    /// The difference in one line, secrets masked.
    pub text: String,
}

/// Every difference, and the most that any of them takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The most that any change takes.
    pub class: Class,
    /// The changes, in the order of the file.
    pub changes: Vec<Change>,
    /// For which kind of node: a slave has no k2hdkc.
    pub mode: Mode,
    /// `true` where this server cannot wait for its turn: other servers would not find it, or it lists itself twice.
    pub at_once: bool,
}

impl Plan {
    /// The change for `status`, with its class as the code.
    pub fn note(&self, change: &Change) -> Note {
        Note { code: change.class.code().to_owned(), text: self.line(change) }
    }
}

/// Compares the installed ring, if there is one, with the wanted one.
pub fn plan(installed: Option<&Ring>, wanted: &Ring) -> Plan {
    let changes = match installed {
        None => vec![first(wanted)],
        Some(installed) => {
            let mut changes = globals(installed, wanted);
            for mode in [Mode::Server, Mode::Slave] {
                changes.extend(nodes(installed, wanted, mode));
            }
            changes.extend(k2hdkc(installed, wanted));
            changes.extend(extras(installed, wanted));
            changes
        }
    };
    let class = changes.iter().map(|change| change.class).max().unwrap_or(Class::Nothing);
    let mode = wanted.mode().unwrap_or(Mode::Slave);
    let at_once = installed.is_some_and(|installed| is_at_once(installed, wanted));
    Plan { class, changes, mode, at_once }
}

/// A chmpx that reloads another control port or other endpoints of its own has two rows of one chmpxid, and one whose ring
/// port changed together with another server's finds that one nowhere until both are new. A leave and a join in turn
/// would need the ring that there is not.
fn is_at_once(old: &Ring, new: &Ring) -> bool {
    let (Some(was), Some(own), Some(Mode::Server)) = (old.own(), new.own(), new.mode()) else { return false };
    if !own.is_again(was) {
        return false;
    }
    let moved = |node: &Node| old.servers.iter().any(|old| node.is_again(old) && node.port != old.port);
    let others = new.servers.iter().filter(|node| !node.is_again(own));
    own.key() != was.key() || (own.port != was.port && others.into_iter().any(moved))
}

fn first(wanted: &Ring) -> Change {
    let (servers, slaves) = (wanted.servers.len(), wanted.slaves.len());
    Difference::First { servers, slaves }.change(Class::Reload)
}

fn globals(old: &Ring, new: &Ring) -> Vec<Change> {
    let (old, new) = (&old.profile.global, &new.profile.global);
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    differing
        .map(|name| {
            let class = keys::global(name).map_or(Class::FileOnly, |key| class_of(key.change));
            let show = |keys: &BTreeMap<String, String>| match keys.get(name) {
                Some(_) if SECRET.contains(&name.as_str()) => Shown::Secret,
                value => Shown::of(value),
            };
            Difference::Global { key: name, values: [show(old), show(new)] }.change(class)
        })
        .collect()
}

fn class_of(effect: Effect) -> Class {
    match effect {
        Effect::None => Class::FileOnly,
        Effect::Live => Class::Reload,
        Effect::Restart => Class::RestartChmpx,
        Effect::Fixed => Class::Impossible,
    }
}

/// Nodes are paired that are the same to chmpx. Under another control port a node is another one to all but itself: its
/// own chmpx is to be started under it.
fn nodes(old: &Ring, new: &Ring, mode: Mode) -> Vec<Change> {
    let word = if mode == Mode::Server { "server" } else { "slave" };
    let own = new.own().zip(old.own()).filter(|(own, was)| new.mode() == Some(mode) && own.is_again(was));
    let index = |nodes: &[Node]| -> BTreeMap<_, _> {
        let named = |node: &Node| {
            let ctlport = own.filter(|(own, was)| node == *own || node == *was).map(|(own, _)| own.ctlport);
            NodeKey { hosts: String::new(), ctlport: ctlport.unwrap_or(node.ctlport), ..node.key() }
        };
        nodes.iter().enumerate().map(|(at, node)| (named(node), at)).collect()
    };
    let (old, new) = (old.nodes(mode), new.nodes(mode));
    let (old_at, new_at) = (index(old), index(new));
    let mut changes = Vec::new();
    for (key, at) in &old_at {
        match new_at.get(key) {
            None => {
                changes.push(Difference::Gone { word, label: old[*at].label() }.change(Class::Reload));
            }
            Some(now) => changes.extend(same_node(&old[*at], &new[*now], word)),
        }
    }
    let added = new_at.iter().filter(|(key, _)| !old_at.contains_key(key));
    changes
        .extend(added.map(|(_, at)| Difference::New { word, label: new[*at].label() }.change(Class::Reload)));
    changes
}

/// Differences that chmpx does not see by itself: ring port and TLS are read when a node is first listed, and
/// other host lists make a second row for the same node.
fn same_node(old: &Node, new: &Node, word: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    let label = new.label();
    let of_key = |key, values: [Shown; 2], class: Class| {
        Difference::Node { word, label: label.clone(), key, values }.change(class)
    };
    if old.ctlport != new.ctlport {
        let values = [old, new].map(|node| Shown::Number(node.ctlport.get()));
        changes.push(of_key("CTLPORT", values, Class::RestartChmpx));
    }
    if old.port != new.port {
        let shown = |port: Option<Port>| port.map_or(Shown::Absent, |port| Shown::Number(port.get()));
        changes.push(of_key("PORT", [old, new].map(|node| shown(node.port)), Class::RestartChmpx));
    }
    if old.rest == new.rest {
        return changes;
    }
    let names: BTreeSet<&str> = old.rest.iter().chain(new.rest.iter()).map(|(key, _)| key).collect();
    for name in names.into_iter().filter(|name| old.rest.get(name) != new.rest.get(name)) {
        let read = HOST_LISTS.contains(&name) || keys::global(name).is_some();
        let class = if read { Class::RestartChmpx } else { Class::FileOnly };
        changes.push(of_key(name, [old, new].map(|node| Shown::of(node.rest.get(name))), class));
    }
    changes
}

fn k2hdkc(old: &Ring, new: &Ring) -> Vec<Change> {
    let (old, new) = (old.profile.k2hdkc.as_deref(), new.profile.k2hdkc.as_deref());
    match (old, new) {
        (Some(old), Some(new)) => k2hdkc_keys(old, new),
        (None, None) => Vec::new(),
        (old, _) => {
            vec![Difference::K2hdkc { gone: old.is_some() }.change(Class::RestartK2hdkc)]
        }
    }
}

/// Keys that say where a k2hdkc has its database.
const PLACES: [&str; 2] = ["K2HTYPE", "K2HFILE"];

fn k2hdkc_keys(old: &[(String, String)], new: &[(String, String)]) -> Vec<Change> {
    let names: BTreeSet<_> = old.iter().chain(new).map(|(key, _)| key).collect();
    let values = |entries: &[(String, String)], name: &str| -> Vec<String> {
        entries.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    };
    let differing = names.into_iter().filter(|name| values(old, name) != values(new, name));
    differing
        .map(|name| {
            let show = |entries| match values(entries, name) {
                values if values.is_empty() => Shown::Absent,
                _ if SECRET.contains(&name.as_str()) => Shown::Secret,
                values => Shown::Texts(values),
            };
            let moves = PLACES.contains(&name.to_ascii_uppercase().as_str());
            let values = [show(old), show(new)];
            Difference::K2hdkcKey { key: name, values, moves }.change(Class::RestartK2hdkc)
        })
        .collect()
}

fn extras(old: &Ring, new: &Ring) -> Vec<Change> {
    if old.profile.extra == new.profile.extra {
        return Vec::new();
    }
    let names: BTreeSet<_> =
        old.profile.extra.iter().chain(&new.profile.extra).map(|extra| extra.name.as_str()).collect();
    vec![Difference::Extras(names.into_iter().collect()).change(Class::FileOnly)]
}
