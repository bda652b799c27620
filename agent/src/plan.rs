//! What differs between what is installed and what is wanted, and what the processes must do about each
//! difference. Pure: `diff` prints a plan, `apply` executes it, and both mean the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::acceptance::keys::{self, Effect, HOST_LISTS, SECRET};
use crate::ring::{Mode, Node, NodeKey, Ring};

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
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    differing
        .map(|name| {
            let class = keys::global(name).map_or(Class::FileOnly, |key| class_of(key.change));
            let show = |keys: &BTreeMap<String, String>| match keys.get(name) {
                Some(_) if SECRET.contains(&name.as_str()) => "***".to_owned(),
                value => shown(value.map(String::as_str)),
            };
            Change { class, text: format!("[GLOBAL] {name}: {} -> {}", show(old), show(new)) }
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

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "(absent)".to_owned(), |value| format!("\"{value}\""))
}

/// Both lists are sorted, so one walk pairs the nodes that are the same to chmpx.
fn nodes(old: &[Node], new: &[Node], mode: Mode) -> Vec<Change> {
    let word = if mode == Mode::Server { "server" } else { "slave" };
    let index = |nodes: &[Node]| -> BTreeMap<_, _> {
        let named = |node: &Node| NodeKey { hosts: String::new(), ..node.key() };
        nodes.iter().enumerate().map(|(at, node)| (named(node), at)).collect()
    };
    let (old_at, new_at) = (index(old), index(new));
    let mut changes = Vec::new();
    for (key, at) in &old_at {
        match new_at.get(key) {
            None => {
                changes.push(Change { class: Class::Reload, text: format!("- {word} {}", old[*at].label()) });
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
    if old.rest == new.rest {
        return changes;
    }
    let names: BTreeSet<&str> = old.rest.iter().chain(new.rest.iter()).map(|(key, _)| key).collect();
    for name in names.into_iter().filter(|name| old.rest.get(name) != new.rest.get(name)) {
        let read = HOST_LISTS.contains(&name) || keys::global(name).is_some();
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
                values if values.is_empty() => "(absent)".to_owned(),
                _ if SECRET.contains(&name.as_str()) => "***".to_owned(),
                values => format!("\"{}\"", values.join("\", \"")),
            };
            let mut text = format!("[K2HDKC] {name}: {} -> {}", show(old), show(new));
            if PLACES.contains(&name.to_ascii_uppercase().as_str()) {
                text.push_str(" (the keys do not move: k2hdkc is not restarted for it)");
            }
            Change { class: Class::RestartK2hdkc, text }
        })
        .collect()
}

fn extras(old: &Ring, new: &Ring) -> Vec<Change> {
    if old.profile.extra == new.profile.extra {
        return Vec::new();
    }
    let names: BTreeSet<_> =
        old.profile.extra.iter().chain(&new.profile.extra).map(|extra| extra.name.as_str()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join("], [");
    vec![Change {
        class: Class::FileOnly,
        text: format!("sections that no process of the ring reads: [{names}]"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::ring;
    use proptest::prelude::*;

    fn changed(change: impl FnOnce(&mut Ring)) -> Plan {
        let old = ring(&[1, 2], &[1]);
        let mut new = old.clone();
        change(&mut new);
        plan(Some(&old), &new.canonical())
    }

    fn global(key: &str, value: &str) -> Class {
        changed(|ring| drop(ring.profile.global.insert(key.to_owned(), value.to_owned()))).class
    }

    #[test]
    fn equal_rings_need_nothing() {
        assert_eq!(changed(|_| ()), Plan { class: Class::Nothing, changes: Vec::new() });
    }

    #[test]
    fn a_first_file_is_told_by_its_size() {
        let plan = plan(None, &ring(&[1, 2], &[1]));
        assert_eq!(plan.changes[0].text, "first installation: 2 servers, 1 slaves");
        assert_eq!(plan.class, Class::Reload);
    }

    #[test]
    fn members_come_and_go_live() {
        let plan = changed(|ring| {
            ring.servers.push(crate::fixtures::server(3));
            ring.slaves = vec![crate::fixtures::slave(2)];
        });
        let texts: Vec<_> = plan.changes.iter().map(|change| change.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "+ server 192.0.2.3:8021 (server3.example)",
                "- slave 198.51.100.1:8031 (slave1.example)",
                "+ slave 198.51.100.2:8031 (slave2.example)",
            ]
        );
        assert_eq!(plan.class, Class::Reload);
    }

    #[test]
    fn each_key_takes_what_was_measured() {
        assert_eq!(global("REPLICA", "2"), Class::Reload);
        assert_eq!(global("SOCKTHREADCNT", "4"), Class::Reload);
        assert_eq!(global("NO_SUCH_KEY", "4"), Class::FileOnly);
        for key in ["PORT", "SELFCTLPORT", "MAXCHMPX", "SSL", "K2HMASKBIT", "MQPERATTACH", "DELIVERMODE"] {
            assert_eq!(global(key, "7"), Class::RestartChmpx, "{key}");
        }
        for key in ["GROUP", "MODE", "CHMPXIDTYPE"] {
            assert_eq!(global(key, "other"), Class::Impossible, "{key}");
        }
    }

    #[test]
    fn k2hdkc_reads_its_section_once() {
        let plan = changed(|ring| {
            if let Some(k2hdkc) = &mut ring.profile.k2hdkc {
                k2hdkc.push(("PASSPHRASES".into(), "secret".into()));
            }
        });
        assert_eq!(plan.class, Class::RestartK2hdkc);
        assert_eq!(plan.changes[0].text, "[K2HDKC] PASSPHRASES: (absent) -> ***");
        assert_eq!(changed(|ring| ring.profile.k2hdkc = None).changes[0].text, "- [K2HDKC]");
        let more = changed(|ring| {
            if let Some(k2hdkc) = &mut ring.profile.k2hdkc {
                k2hdkc.retain(|(key, _)| key != "MAXTHREAD");
            }
        });
        assert_eq!(more.changes[0].text, "[K2HDKC] MAXTHREAD: \"20\" -> (absent)");
        let place = changed(|ring| {
            if let Some(k2hdkc) = &mut ring.profile.k2hdkc {
                k2hdkc.retain(|(key, _)| key != "K2HFILE");
            }
        });
        assert!(place.changes[0].text.ends_with("(the keys do not move: k2hdkc is not restarted for it)"));
    }

    #[test]
    fn a_listed_node_s_port_tls_and_hosts_need_a_restart_to_be_seen() {
        let port = changed(|ring| ring.servers[0].port = Some(crate::names::Port::LEAST));
        assert_eq!(port.changes[0].text, "server 192.0.2.1:8021 (server1.example) PORT: 8020 -> 1");
        assert_eq!(port.class, Class::RestartChmpx);
        for key in ["SSL", "ENDPOINTS", "FORWARD_PEERS"] {
            let plan = changed(|ring| ring.servers[0].rest.insert(key, "x"));
            assert_eq!(plan.class, Class::RestartChmpx, "{key}");
        }
        let unknown = changed(|ring| ring.servers[0].rest.insert("NOTE", "x"));
        assert_eq!(unknown.class, Class::FileOnly);
    }

    #[test]
    fn foreign_sections_concern_no_process() {
        let extra = crate::ring::Extra { name: "K2HTPDTOR".into(), entries: Vec::new() };
        let plan = changed(|ring| ring.profile.extra.push(extra));
        assert_eq!(plan.class, Class::FileOnly);
        assert!(plan.changes[0].text.contains("[K2HTPDTOR]"));
    }

    #[test]
    fn every_class_has_its_words() {
        let all = [
            Class::Nothing,
            Class::FileOnly,
            Class::Reload,
            Class::RestartK2hdkc,
            Class::RestartChmpx,
            Class::Impossible,
        ];
        assert!(all.iter().all(|class| !class.meaning().is_empty()));
        assert!(all.is_sorted(), "from least to most");
    }

    proptest! {
        #[test]
        fn a_plan_names_exactly_the_members_that_differ(
            old in proptest::collection::btree_set(1usize..30, 0..10),
            new in proptest::collection::btree_set(1usize..30, 0..10),
        ) {
            let list = |set: &BTreeSet<usize>| set.iter().copied().collect::<Vec<_>>();
            let plan = plan(Some(&ring(&list(&old), &[1])), &ring(&list(&new), &[1]));
            prop_assert_eq!(plan.changes.len(), old.symmetric_difference(&new).count());
            prop_assert_eq!(plan.class == Class::Nothing, old == new);
        }
    }
}
