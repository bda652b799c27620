//! What differs between what is installed and what is wanted, and what the processes must do about each
//! difference. Pure: `diff` prints a plan, `apply` executes it, and both mean the same.

mod differs;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::keys::{self, Effect, HOST_LISTS, SECRET};
use crate::ring::{Mode, Node, NodeKey, Ring};
pub use differs::differs;

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
    /// What it means on a server or a slave, in words.
    pub fn meaning(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Class::Nothing, _) => "nothing to do",
            (Class::FileOnly, _) => "the file only; no process reads the difference",
            (Class::Reload, _) => "live: chmpx takes it when the file is replaced",
            (Class::RestartK2hdkc, _) => "needs a restart of k2hdkc",
            (Class::RestartChmpx, Mode::Server) => "needs a restart of chmpx, then of k2hdkc",
            (Class::RestartChmpx, Mode::Slave) => "needs a restart of chmpx",
            (Class::Impossible, _) => "no running ring can follow",
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
    /// For which kind of node: a slave has no k2hdkc.
    pub mode: Mode,
    /// Whether this server cannot wait for its turn: other servers would not find it, or it lists itself twice.
    pub at_once: bool,
}

impl Plan {
    /// A change and what it takes, in one line.
    pub fn line(&self, change: &Change) -> String {
        format!("{}   [{}]", change.text, change.class.meaning(self.mode))
    }

    /// What all of it takes, in one line.
    pub fn meaning(&self) -> String {
        let meaning = self.class.meaning(self.mode);
        if self.at_once {
            return format!("{meaning}, at once: servers of the old and of the new ports do not meet");
        }
        meaning.to_owned()
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
    if old.ctlport != new.ctlport {
        let text = format!("{word} {label} CTLPORT: {} -> {}", old.ctlport, new.ctlport);
        changes.push(Change { class: Class::RestartChmpx, text });
    }
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
        let nothing = Plan { class: Class::Nothing, changes: Vec::new(), mode: Mode::Server, at_once: false };
        assert_eq!(changed(|_| ()), nothing);
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

    fn port(port: u16) -> crate::names::Port {
        crate::names::Port::try_from(port).unwrap()
    }

    fn lines(plan: &Plan) -> Vec<String> {
        plan.changes.iter().map(|change| plan.line(change)).collect()
    }

    #[test]
    fn under_another_control_port_the_own_server_is_the_same_and_another_one_is_new() {
        let plan = changed(|ring| {
            ring.profile.global.insert("SELFCTLPORT".into(), "8121".into());
            ring.servers.iter_mut().for_each(|node| node.ctlport = port(8121));
        });
        assert_eq!(
            lines(&plan),
            [
                "[GLOBAL] SELFCTLPORT: \"8021\" -> \"8121\"   [needs a restart of chmpx, then of k2hdkc]",
                "server 192.0.2.1:8121 (server1.example) CTLPORT: 8021 -> 8121   [needs a restart of chmpx, then of k2hdkc]",
                "- server 192.0.2.2:8021 (server2.example)   [live: chmpx takes it when the file is replaced]",
                "+ server 192.0.2.2:8121 (server2.example)   [live: chmpx takes it when the file is replaced]",
            ]
        );
        assert_eq!((plan.class, plan.at_once), (Class::RestartChmpx, true));
        assert!(plan.meaning().starts_with("needs a restart of chmpx, then of k2hdkc, at once: "));
    }

    #[test]
    fn a_ring_port_is_changed_in_turn_where_it_is_the_own_one_and_at_once_where_it_is_everybodys() {
        let own = changed(|ring| ring.servers[0].port = Some(port(8120)));
        assert_eq!((own.class, own.at_once), (Class::RestartChmpx, false));
        let all = changed(|ring| ring.servers.iter_mut().for_each(|node| node.port = Some(port(8120))));
        assert_eq!((all.class, all.at_once), (Class::RestartChmpx, true));
        let other = changed(|ring| ring.servers[1].port = Some(port(8120)));
        assert_eq!((other.class, other.at_once), (Class::RestartChmpx, false), "it lists the old one");
    }

    #[test]
    fn a_slave_s_own_control_port_takes_its_chmpx_and_those_of_others_nothing() {
        let old = {
            let mut ring = ring(&[1, 2], &[1, 2]);
            for (key, value) in [("MODE", "SLAVE"), ("SELFCTLPORT", "8031"), ("SELFCUK", "slave-1")] {
                ring.profile.global.insert(key.into(), value.into());
            }
            ring.profile.k2hdkc = None;
            ring
        };
        let mut new = old.clone();
        new.profile.global.insert("SELFCTLPORT".into(), "8131".into());
        new.slaves.iter_mut().for_each(|node| node.ctlport = port(8131));
        let plan = plan(Some(&old), &new);
        assert_eq!(
            lines(&plan)[1..],
            [
                "slave 198.51.100.1:8131 (slave1.example) CTLPORT: 8031 -> 8131   [needs a restart of chmpx]",
                "- slave 198.51.100.2:8031 (slave2.example)   [live: chmpx takes it when the file is replaced]",
                "+ slave 198.51.100.2:8131 (slave2.example)   [live: chmpx takes it when the file is replaced]",
            ]
        );
        assert_eq!((plan.class, plan.at_once), (Class::RestartChmpx, false));
        let mut servers = old.clone();
        servers.servers.iter_mut().for_each(|node| node.ctlport = port(8121));
        assert_eq!(super::plan(Some(&old), &servers).class, Class::Reload, "servers come and go");
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
        let modes = [Mode::Server, Mode::Slave];
        assert!(all.iter().all(|class| modes.iter().all(|mode| !class.meaning(*mode).is_empty())));
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
