use super::*;
use crate::fixtures;
use crate::names::PLACEHOLDER_CUK;

fn wanted(ring: Ring, addresses: &[(&str, &str)]) -> Wanted {
    let addresses = addresses.iter().map(|(name, at)| ((*name).to_owned(), at.parse().unwrap()));
    Wanted { ring: ring.into(), addresses: addresses.collect(), ..Wanted::default() }
}

/// The lines as they would stand in the block.
fn lines(names: &Names) -> Vec<String> {
    names.lines.iter().map(|(address, line)| format!("{address} {}", line.names.join(" "))).collect()
}

fn of(ring: Ring) -> Names {
    names(
        &wanted(ring, &[]),
        Reserved::new(["vm9"], ["http://k2hr3.example"], BTreeSet::new()),
        Listed::Unknown,
    )
}

#[test]
fn every_node_gets_a_name_and_the_placeholder_none() {
    let mut ring = fixtures::ring(&[1, 2], &[1]);
    ring.servers[1].name = "db2.example".into();
    ring.slaves[0].cuk = PLACEHOLDER_CUK.into();
    let wanted = wanted(ring, &[("db2.example", "203.0.113.2")]);
    let names = names(&wanted, Reserved::default(), Listed::Unknown);
    assert_eq!(lines(&names), ["192.0.2.1 server1.example", "203.0.113.2 server2.example db2.example"]);
}

#[test]
fn the_seed_of_the_server_comes_first_whatever_else_is_registered_at_its_address() {
    let mut ring = fixtures::ring(&[1, 2], &[1, 2]);
    ring.slaves[0].name = "192.0.2.1".into();
    ring.slaves[0].seed = "application.example".into();
    ring.slaves[1].name = "::ffff:192.0.2.2".into();
    assert_eq!(lines(&of(ring)), ["192.0.2.1 server1.example", "192.0.2.2 server2.example"]);
}

#[test]
fn a_name_of_the_file_that_must_resolve_comes_behind_the_seed() {
    let mut ring = fixtures::ring(&[1, 2], &[1]);
    ring.slaves[0].name = "app.example".into();
    ring.slaves[0].seed = "app.example".into();
    let wanted = wanted(ring, &[("app.example", "192.0.2.1")]);
    let names = names(&wanted, Reserved::default(), Listed::Unknown);
    assert_eq!(lines(&names), ["192.0.2.1 server1.example app.example", "192.0.2.2 server2.example"]);
}

#[test]
fn two_servers_at_one_address_are_both_found_by_the_address_alone() {
    let mut ring = fixtures::ring(&[1, 2], &[]);
    ring.servers[1].name = "192.0.2.1".into();
    assert_eq!(lines(&of(ring)), ["192.0.2.1 192.0.2.1"]);
}

#[test]
fn a_seed_that_is_no_host_name_is_replaced_by_the_address_itself() {
    for seed in [
        "",
        "10.0.0.1",
        "192.0.2.2",
        "a b",
        "-x",
        "x..y",
        "x.",
        "12345",
        "1.2",
        "0x7f.1",
        "0x7f",
        "a.0X1",
        "2001:db8::1",
        "::ffff:192.0.2.2",
        &"a".repeat(64),
    ] {
        let mut ring = fixtures::ring(&[1], &[]);
        ring.servers[0].seed = seed.to_owned();
        assert_eq!(lines(&of(ring)), ["192.0.2.1 192.0.2.1"], "{seed}");
    }
    for seed in ["vm1.example.com", "1a", "0xyz", "3com.example", "VM1"] {
        let mut ring = fixtures::ring(&[1], &[]);
        ring.servers[0].seed = seed.to_owned();
        assert_eq!(lines(&of(ring)), [format!("192.0.2.1 {seed}")], "{seed}");
    }
}

#[test]
fn a_name_that_means_something_to_this_host_is_left_out_and_told() {
    for (seed, why) in [
        ("localhost", Why::Everywhere),
        ("ip6-localhost", Why::Everywhere),
        ("k2hr3.example", Why::Peer),
        ("K2HR3.Example", Why::Peer),
        ("vm9", Why::Own),
        ("vm9.example", Why::Own),
        ("metadata.google.internal", Why::Service),
    ] {
        let mut ring = fixtures::ring(&[1, 2], &[1]);
        ring.slaves[0].seed = seed.to_owned();
        let address = ring.slaves[0].name.parse().unwrap();
        let names = of(ring);
        assert_eq!(names.lines[&address].names, [address.to_string()], "{seed}");
        assert_eq!(names.left_out, [LeftOut { address, name: seed.to_owned(), why }]);
    }
}

#[test]
fn a_name_has_one_address_the_server_s_before_the_slave_s() {
    let mut ring = fixtures::ring(&[5], &[1, 2]);
    ring.slaves[0].seed = "SERVER5.example".into();
    ring.slaves[0].name = "192.0.2.1".into();
    ring.slaves[1].seed = "app.example".into();
    ring.slaves.push(Node {
        name: "203.0.113.1".into(),
        seed: "App.example".into(),
        ..ring.slaves[1].clone()
    });
    let names = of(ring);
    let expected = [
        "192.0.2.1 192.0.2.1",
        "192.0.2.5 server5.example",
        "198.51.100.2 app.example",
        "203.0.113.1 203.0.113.1",
    ];
    assert_eq!(lines(&names), expected);
    let why: Vec<_> = names.left_out.iter().map(|left_out| left_out.why.text()).collect();
    assert_eq!(why, ["is the name of the member 192.0.2.5", "is the name of the member 198.51.100.2"]);
}

#[test]
fn who_must_not_have_a_name_keeps_it_from_nobody() {
    let mut ring = fixtures::ring(&[1, 2], &[]);
    let own = BTreeSet::from(["192.0.2.2".parse().unwrap()]);
    ring.servers[0].seed = "VM9".into();
    ring.servers[1].seed = "vm9".into();
    let names = names(&wanted(ring, &[]), Reserved::new(["vm9"], [], own), Listed::Unknown);
    assert_eq!(lines(&names), ["192.0.2.1 192.0.2.1", "192.0.2.2 vm9"]);
}

#[test]
fn what_is_the_address_of_no_single_host_gets_no_line() {
    for address in
        ["0.0.0.0", "127.0.0.1", "::1", "::", "224.0.0.1", "255.255.255.255", "169.254.169.254", "fe80::1"]
    {
        let mut ring = fixtures::ring(&[1], &[]);
        ring.servers[0].name = address.into();
        assert_eq!(lines(&of(ring)), [] as [&str; 0], "{address}");
    }
}

#[test]
fn where_ids_are_made_of_names_no_name_is_added() {
    let mut ring = fixtures::ring(&[1, 2], &[1]);
    ring.profile.global.insert("CHMPXIDTYPE".into(), "NAME".into());
    let names = of(ring);
    assert_eq!((names.lines, names.listed), (BTreeMap::new(), Listed::only([])));
}
