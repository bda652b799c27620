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
