//! What differs between what is installed and what is wanted, and what the processes must do about each
//! difference. Pure: `diff` prints a plan, `apply` executes it, and both mean the same.

use serde::Serialize;

use crate::acceptance::keys::{self, Effect, HOST_LISTS, SECRET};
use crate::ring::{Mode, Node, Ring};

/// What it takes until the processes run what is wanted, from nothing to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing differs.
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

impl Class {
    /// What it means, in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Class::Nothing => "nothing to do",
            Class::FileOnly => "the file only; no process reads the difference",
            Class::Reload => "live: chmpx takes it when the file is replaced",
            Class::RestartK2hdkc => "needs a restart of k2hdkc",
            Class::RestartChmpx => "needs a restart of chmpx, then of k2hdkc",
            Class::Impossible => "no running ring can follow",
        }
    }
}

/// One difference and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it takes.
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
}

/// Compares the installed ring, if there is one, with the wanted one.
pub fn plan(installed: Option<&Ring>, wanted: &Ring) -> Plan {
    let changes = match installed {
        None => vec![first(wanted)],
        Some(installed) => {
            let mut changes = globals(installed, wanted);
            for mode in [Mode::Server, Mode::Slave] {
                changes.extend(nodes(installed.nodes(mode), wanted.nodes(mode), mode));
            }
            changes.extend(k2hdkc(installed, wanted));
            changes.extend(extras(installed, wanted));
            changes
        }
    };
    let class = changes.iter().map(|change| change.class).max().unwrap_or(Class::Nothing);
    Plan { class, changes }
}

fn first(wanted: &Ring) -> Change {
    let (servers, slaves) = (wanted.servers.len(), wanted.slaves.len());
    let text = format!("first installation: {servers} servers, {slaves} slaves");
    Change { class: Class::Reload, text }
}

fn globals(old: &Ring, new: &Ring) -> Vec<Change> {
    let (old, new) = (&old.profile.global, &new.profile.global);
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    differing
        .map(|name| {
            let class = keys::global(name).map_or(Class::FileOnly, |key| class_of(key.change));
            let (old, new) = (old.get(name), new.get(name));
            Change { class, text: format!("[GLOBAL] {name}: {} -> {}", shown(old), shown(new)) }
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

fn shown(value: Option<&String>) -> String {
    value.map_or_else(|| "(absent)".to_owned(), |value| format!("\"{value}\""))
}

/// Both lists are sorted, so one walk pairs the nodes that are the same to chmpx.
fn nodes(old: &[Node], new: &[Node], mode: Mode) -> Vec<Change> {
    let word = if mode == Mode::Server { "server" } else { "slave" };
    let index = |nodes: &[Node]| -> std::collections::BTreeMap<_, _> {
        nodes.iter().enumerate().map(|(at, node)| (node.key(), at)).collect()
    };
    let (old_at, new_at) = (index(old), index(new));
    let mut changes = Vec::new();
    for (key, at) in &old_at {
        match new_at.get(key) {
            None => {
                changes.push(Change { class: Class::Reload, text: format!("- {word} {}", old[*at].label()) })
            }
            Some(now) => changes.extend(same_node(&old[*at], &new[*now], word)),
        }
    }
    let added = new_at.iter().filter(|(key, _)| !old_at.contains_key(key));
    changes.extend(
        added.map(|(_, at)| Change { class: Class::Reload, text: format!("+ {word} {}", new[*at].label()) }),
    );
    changes
}

/// Differences that chmpx does not see by itself: ring port and TLS are read when a node is first listed, and
/// other host lists make a second row for the same node.
fn same_node(old: &Node, new: &Node, word: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    let label = new.label();
    if old.port != new.port {
        let show =
            |port: Option<crate::names::Port>| port.map_or("(absent)".to_owned(), |port| port.to_string());
        let text = format!("{word} {label} PORT: {} -> {}", show(old.port), show(new.port));
        changes.push(Change { class: Class::RestartChmpx, text });
    }
    let names: std::collections::BTreeSet<_> = old.rest.keys().chain(new.rest.keys()).collect();
    for name in names.into_iter().filter(|name| old.rest.get(*name) != new.rest.get(*name)) {
        let read = HOST_LISTS.contains(&name.as_str()) || keys::global(name).is_some();
        let class = if read { Class::RestartChmpx } else { Class::FileOnly };
        let (old, new) = (old.rest.get(name), new.rest.get(name));
        changes
            .push(Change { class, text: format!("{word} {label} {name}: {} -> {}", shown(old), shown(new)) });
    }
    changes
}

fn k2hdkc(old: &Ring, new: &Ring) -> Vec<Change> {
    let (old, new) = (old.profile.k2hdkc.as_deref(), new.profile.k2hdkc.as_deref());
    match (old, new) {
        (Some(old), Some(new)) => k2hdkc_keys(old, new),
        (None, None) => Vec::new(),
        (old, _) => {
            let text = if old.is_some() { "- [K2HDKC]" } else { "+ [K2HDKC]" };
            vec![Change { class: Class::RestartK2hdkc, text: text.to_owned() }]
        }
    }
}

fn k2hdkc_keys(old: &[(String, String)], new: &[(String, String)]) -> Vec<Change> {
    let names: std::collections::BTreeSet<_> = old.iter().chain(new).map(|(key, _)| key).collect();
    let values = |entries: &[(String, String)], name: &str| -> Vec<String> {
        entries.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    };
    let differing = names.into_iter().filter(|name| values(old, name) != values(new, name));
    differing
        .map(|name| {
            let show = |entries| match values(entries, name) {
                values if values.is_empty() => "(absent)".to_owned(),
                _ if SECRET.contains(&name.as_str()) => "***".to_owned(),
                values => format!("\"{}\"", values.join("\", \"")),
            };
            let text = format!("[K2HDKC] {name}: {} -> {}", show(old), show(new));
            Change { class: Class::RestartK2hdkc, text }
        })
        .collect()
}

fn extras(old: &Ring, new: &Ring) -> Vec<Change> {
    if old.profile.extra == new.profile.extra {
        return Vec::new();
    }
    let names: std::collections::BTreeSet<_> =
        old.profile.extra.iter().chain(&new.profile.extra).map(|extra| extra.name.as_str()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join("], [");
    vec![Change {
        class: Class::FileOnly,
        text: format!("sections that no process of the ring reads: [{names}]"),
    }]
}
