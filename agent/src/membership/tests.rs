//! What answers become a ring, and who is left out of it.

use super::*;
use crate::answer::HostRecord;
use crate::fixtures;
use crate::names::Port;
use crate::ring::Mode;
use crate::settings::Naming;

fn cuk() -> Cuk {
    Cuk::try_from("cuk-1").unwrap()
}

/// Server number 1, or whoever has that CUK, with these rings.
fn reader<'a>(cuk: &'a Cuk, installed: Option<&'a Ring>) -> Reader<'a> {
    let roles = Roles { server: "c/server".into(), slave: "c/slave".into() };
    Reader { cuk, roles, installed }
}

fn from_ini(text: &str, extra: &[String]) -> Result<Wanted, Vec<Problem>> {
    super::from_ini(text, &reader(&cuk(), None), extra)
}

fn from_members(
    servers: &[HostRecord],
    slaves: &[HostRecord],
    template: &Template,
    mode: Mode,
) -> Result<Wanted, Vec<Problem>> {
    super::from_members(servers, slaves, template, mode, &reader(&cuk(), None))
}

fn record(n: usize) -> HostRecord {
    HostRecord {
        host: format!("192.0.2.{n}"),
        cuk: Some(format!("cuk-{n}")),
        tag: Some(format!("server{n}.example")),
        ..HostRecord::default()
    }
}

fn template() -> Template {
    let port = |n: u16| Port::try_from(n).unwrap();
    let global = fixtures::ring(&[1], &[1]).profile.global;
    let named = ["GROUP", "MODE", "PORT", "CTLPORT", "SELFCTLPORT", "SELFCUK"];
    Template {
        global: global.into_iter().filter(|(key, _)| !named.contains(&key.as_str())).collect(),
        k2hdkc: fixtures::ring(&[1], &[1]).profile.k2hdkc.unwrap().into_iter().collect(),
        group: "mycluster".into(),
        naming: Naming::Address,
        peers: false,
        server_port: port(8020),
        server_ctlport: port(8021),
        slave_ctlport: port(8031),
    }
}

fn slave_record(n: usize) -> HostRecord {
    HostRecord {
        host: format!("198.51.100.{n}"),
        cuk: Some(format!("slave-{n}")),
        tag: Some(format!("slave{n}.example")),
        ..HostRecord::default()
    }
}

#[test]
fn both_sources_make_the_same_ring() {
    let text = fixtures::text(Mode::Server, &[1, 2], &[1]).replace("cuk-1\nRW", "__SELF_INSTANCE_ID__\nRW");
    let ini = from_ini(&text, &[]).unwrap();
    let members =
        from_members(&[record(2), record(1)], &[slave_record(1)], &template(), Mode::Server).unwrap();
    assert_eq!(ini.ring, members.ring);
    assert_eq!(*ini.ring, fixtures::ring(&[1, 2], &[1]));
}

#[test]
fn both_placeholders_become_the_cuk() {
    for hole in OF_CUK {
        let text =
            fixtures::text(Mode::Server, &[1], &[1]).replace("SELFCUK = cuk-1", &format!("SELFCUK = {hole}"));
        assert_eq!(from_ini(&text, &[]).unwrap().ring.global("SELFCUK"), "cuk-1");
    }
}

#[test]
fn what_chmpx_would_take_wrongly_refuses_the_whole_answer() {
    let good = fixtures::text(Mode::Server, &[1, 2], &[1]);
    for (from, to, word) in [
        ("REPLICA = 1", "REPLICA = 1\nREPLICA = 2", "stands already"),
        ("SSL = no", "SSL = no\nSSL = yes", "stands already"),
        ("NAME = 192.0.2.2", "NAME = ", "NAME is empty"),
        ("CUK = cuk-2", "CUK = ", "CUK is empty"),
        ("CUSTOM_ID_SEED = server2.example", "CUSTOM_ID_SEED = ", "CUSTOM_ID_SEED is empty"),
        ("server2.example", "server2\u{1}example", "control character"),
        ("CUSTOM_ID_SEED = server2.example", "", "needs CUSTOM_ID_SEED"),
        ("[SLVNODE]", "[OTHER]", "no [SLVNODE]"),
    ] {
        let faults = from_ini(&good.replace(from, to), &[]).unwrap_err();
        assert!(faults.iter().any(|fault| fault.to_string().contains(word)), "{word}: {faults:?}");
    }
    assert!(from_ini(" \n", &[]).unwrap_err()[0].text.contains("empty"));
}

/// A file as the templates of the k8s tools make it, with these lines where the tool writes its TLS settings.
fn of_a_k8s_tool(settings: &str) -> String {
    fixtures::text(Mode::Server, &[1, 2], &[1])
        .replace("SSL = no\n", "")
        .replace("DATE = x", "DATE = %%FILE_DOWNLOAD_DATE%%")
        .replace("SELFCUK = cuk-1", "SELFCUK = %%SELF_CONTAINER_CUK%%")
        .replace("AUTOMERGE = on\n", &format!("AUTOMERGE = on\nSSL = no\n{settings}\n"))
}

#[test]
fn the_last_of_the_k8s_tools_two_ssl_lines_counts_and_is_noted() {
    let tls = "SSL = on\nSSL_VERIFY_PEER = on\nCAPATH = /ca.crt\nSERVER_CERT = /server.crt\n\
               SERVER_PRIKEY = /server.key\nSLAVE_CERT = /client.crt\nSLAVE_PRIKEY = /client.key";
    for (settings, counts, word) in
        [("SSL = no\n\n\n\n\n\n", "no", "says the same"), (tls, "on", "the last one, \"on\", counts")]
    {
        let wanted = from_ini(&of_a_k8s_tool(settings), &[]).unwrap();
        assert_eq!((wanted.ring.global("SSL"), wanted.ring.global("SELFCUK")), (counts, "cuk-1"));
        assert_eq!(wanted.notes.len(), 1, "{:?}", wanted.notes);
        assert!(wanted.notes[0].text.contains(word), "{:?}", wanted.notes);
    }
}

#[test]
fn a_tls_placeholder_that_nobody_replaced_is_left_out_and_noted() {
    let wanted = from_ini(&of_a_k8s_tool(" %%CHMPX_SSL_SETTING%%"), &[]).unwrap();
    assert_eq!(wanted.ring.global("SSL"), "no");
    assert!(wanted.ring.profile.global.keys().all(|key| !key.contains('%')), "{:?}", wanted.ring);
    assert!(wanted.notes[0].text.starts_with("%%CHMPX_SSL_SETTING%% was not replaced"), "{:?}", wanted.notes);
    let other = of_a_k8s_tool("SSL = no").replace("mycluster", "%%K2HDKC_DBAAS_CLUSTER_NAME%%");
    let faults = from_ini(&other, &[]).unwrap_err();
    assert!(faults[0].text.starts_with("GROUP is still the placeholder %%K2HDKC_DBAAS_"), "{faults:?}");
}

#[test]
fn a_byte_order_mark_before_the_resource_is_left_out_and_noted() {
    let good = fixtures::text(Mode::Server, &[1, 2], &[1]);
    let (_, from_global) = good.split_once('\n').unwrap();
    let marked = format!("\u{feff}{from_global}").replace("[K2HDKC]", "\u{feff}[K2HDKC]");
    let wanted = from_ini(&marked, &[]).unwrap();
    assert_eq!(*wanted.ring, fixtures::ring(&[1, 2], &[1]));
    assert_eq!(wanted.notes.len(), 2, "{:?}", wanted.notes);
    assert!(
        wanted.notes[0].to_string().starts_with("a byte order mark (U+FEFF) before \"[GLOBAL]\""),
        "{:?}",
        wanted.notes
    );
}

#[test]
fn a_node_that_is_no_member_is_told_so_first() {
    let faults = from_ini(&fixtures::text(Mode::Server, &[2, 3], &[1]), &[]).unwrap_err();
    assert!(faults[0].text.starts_with("this node (CUK cuk-1) is not a member"), "{faults:?}");
    assert!(faults[1].text.starts_with("MODE is SERVER"), "{faults:?}");
}

#[test]
fn foreign_sections_pass_only_by_name() {
    let text = format!("{}[K2HTPDTOR]\nA = b\n", fixtures::text(Mode::Server, &[1, 2], &[1]));
    let dropped = from_ini(&text, &[]).unwrap();
    assert_eq!(dropped.ring.profile.extra, []);
    assert!(dropped.notes.iter().any(|note| note.text.contains("[K2HTPDTOR] is left out")));
    let kept = from_ini(&text, &["K2HTPDTOR".to_owned()]).unwrap();
    assert_eq!(kept.ring.profile.extra[0].entries, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(kept.notes, []);
    let twice = from_ini(&format!("{text}A = c\n"), &["K2HTPDTOR".to_owned()]).unwrap_err();
    assert_eq!(twice[0].text, "[K2HTPDTOR]: A stands twice, with another value");
}

/// A server record with a fault, as the lists show it beside a good one.
fn broken(change: &dyn Fn(&mut HostRecord)) -> String {
    let mut bad = record(2);
    change(&mut bad);
    let peers = Template { peers: true, ..template() };
    from_members(&[record(1), bad], &[], &peers, Mode::Server).unwrap_err()[0].text.clone()
}

#[test]
fn a_server_that_cannot_be_a_node_refuses_the_list_and_is_named() {
    assert!(broken(&|r| r.cuk = None).starts_with(
        "server 192.0.2.2 of c/server (no CUK, tag \"server2.example\"): a CUK is empty; no node of the cluster takes any \
         change before that record is mended or removed in K2HR3"
    ));
    assert!(broken(&|r| r.cuk = Some("a b".into())).contains("has a blank"));
    assert!(
        broken(&|r| r.tag = None).contains("(CUK cuk-2, no tag): its tag \"\" cannot be a CUSTOM_ID_SEED")
    );
    assert!(broken(&|r| r.tag = Some("a\n[SVRNODE]".into())).contains("tag \"a\\n[SVRNODE]\" cannot"));
    assert!(broken(&|r| r.tag = Some("a\u{202e}b".into())).contains("tag \"a\\u{202e}b\" cannot"));
    assert!(broken(&|r| r.tag = Some("x".repeat(2048))).contains("longer than chmpx can hold"));
    assert!(broken(&|r| r.host = " ".into()).contains("server without an address of c/server (CUK cuk-2, "));
    assert!(
        broken(&|r| r.host = "192.0.2.520".into())
            .contains("NAME would be \"192.0.2.520\", which is not a host")
    );
    assert!(broken(&|r| r.inbound = Some("x".into())).contains("inboundip \"x\" is not an address"));
    assert!(broken(&|r| r.outbound = Some("x".into())).contains("outboundip"));
    assert!(
        broken(&|r| r.tag = Some("server1.example".into())).contains("it has the tag of server 192.0.2.1")
    );
    assert!(
        broken(&|r| r.host = "192.0.2.1".into())
            .contains("it has the address of server 192.0.2.1 of c/server (CUK")
    );
    let empty = from_members(&[], &[], &template(), Mode::Server).unwrap_err();
    assert_eq!(empty[0].text, "the server role has no member");
}

/// Slave number `n` with another tag, CUK and address.
fn slave(n: usize, host: &str, cuk: &str, tag: &str) -> HostRecord {
    let (cuk, tag) = (Some(cuk.to_owned()), Some(tag.to_owned()));
    HostRecord { host: host.to_owned(), cuk, tag, ..slave_record(n) }
}

/// The ini that upstream's template makes of these records.
fn expanded(servers: &[HostRecord], slaves: &[HostRecord]) -> String {
    let mut text = fixtures::text(Mode::Server, &[], &[]);
    let k2hdkc = text.split_off(text.find("[K2HDKC]").unwrap());
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    for (kind, ports, records) in
        [("SVRNODE", "PORT = 8020\nCTLPORT = 8021", servers), ("SLVNODE", "CTLPORT = 8031", slaves)]
    {
        for r in records {
            let (cuk, tag) = (some(&r.cuk), some(&r.tag));
            let host = &r.host;
            text.push_str(&format!(
                "[{kind}]\nNAME = {host}\n{ports}\nCUK = {cuk}\nCUSTOM_ID_SEED = {tag}\nSSL = no\n"
            ));
        }
    }
    text + &k2hdkc
}

/// What both sources make of the records, with that ring installed.
fn both(
    servers: &[HostRecord],
    slaves: &[HostRecord],
    reader: &Reader<'_>,
) -> [Result<Wanted, Vec<Problem>>; 2] {
    [
        super::from_ini(&expanded(servers, slaves), reader, &[]),
        super::from_members(servers, slaves, &template(), Mode::Server, reader),
    ]
}

#[test]
fn a_slave_that_is_no_good_is_left_out_and_told_and_the_rest_is_installed() {
    let own = cuk();
    let reader = reader(&own, None);
    for (bad, who, why) in [
        (slave(2, "198.51.100.2", "s2", ""), "slave 198.51.100.2 of c/slave (CUK s2, no tag)", ""),
        (
            slave(2, "198.51.100.2", "", "vm2"),
            "slave 198.51.100.2 of c/slave (no CUK, tag \"vm2\")",
            "CUK is empty",
        ),
        (slave(2, "my vm", "s2", "vm2"), "slave my vm of c/slave (CUK s2, tag \"vm2\")", ""),
        (slave(2, "198.51.100.2", "s2", "vm\u{1}2"), "tag \"vm\\u{1}2\")", ""),
        (slave(2, "198.51.100.2", "s2", &"x".repeat(2048)), "(CUK s2, tag \"xxxxxxxx", "longer than"),
        (
            slave(2, "198.51.100.2", "s2", "server1.example"),
            "slave 198.51.100.2",
            "of server 192.0.2.1 of c/server",
        ),
        (
            slave(2, "198.51.100.2", "s2", "slave1.example"),
            "slave 198.51.100.2",
            "of slave 198.51.100.1 of c/slave",
        ),
        (
            slave(2, "198.51.100.1", "s2", "vm2"),
            "slave 198.51.100.1 of c/slave (CUK s2",
            "it has the address of slave",
        ),
    ] {
        for wanted in both(&[record(1), record(2)], &[slave_record(1), bad.clone()], &reader) {
            let wanted = wanted.unwrap();
            assert_eq!(*wanted.ring, fixtures::ring(&[1, 2], &[1]), "{who}");
            assert_eq!(wanted.left_out.len(), 1, "{:?}", wanted.left_out);
            let text = &wanted.left_out[0];
            assert!(
                text.text.contains(who)
                    && text.text.contains(why)
                    && text.text.ends_with("in K2HR3, or remove it"),
                "{text}"
            );
        }
    }
}

#[test]
fn where_no_slave_is_left_the_placeholder_stands_in() {
    let own = cuk();
    let bad = [slave(1, "198.51.100.1", "s1", ""), slave(2, "198.51.100.2", "", "vm2")];
    for wanted in both(&[record(1)], &bad, &reader(&own, None)) {
        let wanted = wanted.unwrap();
        assert_eq!((wanted.ring.slaves.len(), wanted.left_out.len()), (1, 2));
        assert!(wanted.ring.slaves[0].is_placeholder());
        assert_eq!(wanted.ring.slaves[0].ctlport.get(), 8031);
    }
}

#[test]
fn installed_slaves_that_all_lose_their_tags_stop_nobody_else() {
    let (own, installed) = (cuk(), fixtures::ring(&[1], &[1, 2]));
    let bad = [slave(1, "198.51.100.1", "slave-1", ""), slave(2, "198.51.100.2", "slave-2", "")];
    for wanted in both(&[record(1), record(2)], &bad, &reader(&own, Some(&installed))) {
        let wanted = wanted.unwrap();
        assert_eq!((wanted.ring.servers.len(), wanted.left_out.len()), (2, 2));
        assert!(wanted.ring.slaves[0].is_placeholder());
    }
    // Each in its own way, or only in the lists, where no template can be what is wrong.
    let installed = fixtures::ring(&[1], &[1, 2, 3]);
    let three = [bad[0].clone(), bad[1].clone(), slave(3, "198.51.100.3", "", "slave3.example")];
    let alike = [bad[0].clone(), bad[1].clone(), slave(3, "198.51.100.3", "slave-3", "")];
    let reader = reader(&own, Some(&installed));
    let [ini, lists] = both(&[record(1), record(2)], &three, &reader);
    let [_, of_alike] = both(&[record(1), record(2)], &alike, &reader);
    for wanted in [ini, lists, of_alike] {
        assert_eq!(wanted.unwrap().left_out.len(), 3);
    }
}

#[test]
fn what_the_template_does_to_all_slaves_is_no_fault_of_theirs() {
    let own = cuk();
    let installed = |n: usize| fixtures::ring(&[1], &(1..=n).collect::<Vec<_>>());
    let with = |count: usize, change: &dyn Fn(&str) -> String| {
        let slaves: Vec<_> = (1..=count).map(slave_record).collect();
        (count, change(&expanded(&[record(1)], &slaves)))
    };
    let port = |text: &str| text.replace("CTLPORT = 8031", "CTLPORT = 40000");
    let twice = |text: &str| text.replace("CTLPORT = 8031", "CTLPORT = 8031\nCTLPORT = 8032");
    let without_cuk = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("CUK = slave"));
        lines.map(|line| format!("{line}\n")).collect::<String>().replace("TYPE = CUSTOM", "TYPE = CUK")
    };
    let without_tag =
        |text: &str| (1..=3).fold(text.to_owned(), |text, n| text.replace(&format!("slave{n}.example"), ""));
    for ((count, text), word) in [
        (with(1, &port), "32767"),
        (with(2, &port), "32767"),
        (with(2, &twice), "stands already"),
        (with(2, &without_cuk), "CHMPXIDTYPE CUK needs CUK"),
        (with(3, &without_tag), "CUSTOM_ID_SEED is empty"),
    ] {
        let installed = installed(count);
        let faults = super::from_ini(&text, &reader(&own, Some(&installed)), &[]).unwrap_err();
        assert!(faults[0].text.contains(word), "{faults:?}");
    }
    // A lone slave's record is what is wrong, whichever way it shows.
    for tag in ["", "vm1\nCTLPORT = 99999", "vm1\nSSL = on"] {
        let text = expanded(&[record(1)], &[slave(1, "198.51.100.1", "slave-1", tag)]);
        let installed = installed(1);
        let wanted = super::from_ini(&text, &reader(&own, Some(&installed)), &[]).unwrap();
        assert_eq!(wanted.left_out.len(), 1, "{tag:?}");
    }
}

#[test]
fn who_is_installed_is_not_pushed_out_by_a_newcomer_with_its_tag_or_address() {
    let (own, installed) = (cuk(), fixtures::ring(&[1, 2], &[5]));
    let old = slave_record(5);
    for new in [slave(2, "198.51.100.2", "s2", "slave5.example"), slave(2, "198.51.100.5", "s2", "vm2")] {
        for slaves in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
            for wanted in both(&[record(1), record(2)], &slaves, &reader(&own, Some(&installed))) {
                let wanted = wanted.unwrap();
                assert_eq!(*wanted.ring, installed);
                assert!(wanted.left_out[0].text.contains("(CUK s2, "), "{:?}", wanted.left_out);
            }
        }
    }
}

#[test]
fn a_node_never_leaves_itself_out() {
    let own = Cuk::try_from("s2").unwrap();
    for bad in [slave(2, "198.51.100.2", "s2", "server1.example"), slave(2, "198.51.100.2", "s2", "")] {
        for refused in both(&[record(1)], &[slave_record(1), bad.clone()], &reader(&own, None)) {
            let texts: Vec<String> = refused.unwrap_err().into_iter().map(|fault| fault.text).collect();
            let told = |text: &String| {
                text.starts_with("this node's own record, slave 198.51.100.2 of c/slave (CUK s2, ")
                    && text.ends_with("the other nodes leave it out")
            };
            assert!(texts.iter().any(told), "{texts:?}");
        }
    }
}

#[test]
fn a_tag_that_breaks_the_text_is_refused_by_the_name_of_its_member_and_never_by_a_line() {
    for (tag, word) in [
        ("vm77\nREPLICA = 0\n[GLOBAL]", "a [GLOBAL] comes behind its section"),
        ("vm77\n[GLOBAL]\nRETRYCNT = 1", "a [GLOBAL] comes behind its section"),
        ("vm77\n[K2HDKC]\nK2HTYPE = mem", "a [K2HDKC] comes behind its section"),
        ("vm77\n[SVRNODE]", "the [SVRNODE] sections are not in one run, a [SLVNODE] comes between them"),
        (
            "vm77\n[SVRNODE]\nNAME = 192.0.2.1\nCTLPORT = 8021\nCUK = x\nCUSTOM_ID_SEED = x",
            "or that of server 192.0.2.2",
        ),
        (
            "vm77\n[SVRNODE]\nNAME = 192.0.2.66\nPORT = 8020\nCTLPORT = 8021\nCUK = evil\n\
             CUSTOM_ID_SEED = evil.example",
            "the [SVRNODE] sections are not in one run",
        ),
        ("vm77\nSSL = no\n[K2HTPDTOR]\nA = b", "the [SLVNODE] sections are not in one run, a [K2HTPDTOR]"),
    ] {
        let bad = slave(77, "198.51.100.77", "s77", tag);
        let text = expanded(&[record(1), record(2)], &[slave_record(1), bad, slave_record(78)]);
        let faults = from_ini(&text, &[]).unwrap_err();
        assert!(faults[0].text.contains(word), "{tag:?}: {faults:?}");
        let named = "slave 198.51.100.77 of c/slave (CUK s77, tag \"vm77\"): ";
        assert!(faults[0].text.starts_with(named), "{tag:?}: {faults:?}");
        assert!(faults[0].text.ends_with("mended or removed in K2HR3"), "{tag:?}: {faults:?}");
        assert!(
            faults.iter().all(|fault| fault.line.is_none() && !fault.text.contains("line 1")),
            "{faults:?}"
        );
    }
    // The lists keep a tag in its place.
    let bad = slave(77, "198.51.100.77", "s77", "vm77\nREPLICA = 0\n[GLOBAL]");
    let wanted = from_members(&[record(1)], &[slave_record(1), bad], &template(), Mode::Server).unwrap();
    assert!(
        wanted.left_out[0].text.contains("tag \"vm77\\nREPLICA = 0\\n[GLOBAL]\")"),
        "{:?}",
        wanted.left_out
    );
}

#[test]
fn a_finding_about_the_resource_itself_tells_its_section_and_no_line() {
    let text = fixtures::text(Mode::Server, &[1, 2], &[1]);
    let faults = from_ini(&text.replace("MODE = SERVER", "MODE = MASTER"), &[]).unwrap_err();
    let text_of = "MODE is \"MASTER\"; chmpx knows SERVER, SLAVE (in [GLOBAL] of the resource in K2HR3)";
    assert_eq!(faults, [Problem { code: "unknown-word", ..Problem::refused(None, text_of) }]);
    let noted = from_ini(&text.replace("REPLICA = 1", "REPLICA = 1\nREPLCA = 2"), &[]).unwrap();
    let text_of = "[GLOBAL]: chmpx does not know the key REPLCA (in the resource in K2HR3)";
    assert_eq!(noted.notes, [Problem { code: "unknown-key", ..Problem::note(None, text_of) }]);
}

#[test]
fn the_placeholder_in_a_member_s_record_is_not_filled_with_the_cuk_of_whoever_reads_it() {
    let own = cuk();
    let bad = slave(2, "198.51.100.2", "__SELF_INSTANCE_ID__", "vm2");
    for wanted in both(&[record(1)], &[slave_record(1), bad], &reader(&own, None)) {
        let ring = wanted.unwrap().ring;
        assert!(ring.slaves.iter().all(|node| node.cuk != "cuk-1"), "{ring:?}");
    }
}

#[test]
fn an_empty_slave_role_becomes_the_placeholder_that_chmpx_needs() {
    let wanted = from_members(&[record(1)], &[], &template(), Mode::Server).unwrap();
    assert_eq!(wanted.ring.slaves.len(), 1);
    assert!(wanted.ring.slaves[0].is_placeholder());
    let slave = from_members(&[record(1)], &[slave_record(1)], &template(), Mode::Slave).unwrap();
    assert_eq!((slave.ring.global("CTLPORT"), &slave.ring.profile.k2hdkc), ("8031", &None));
    assert!(!slave.ring.profile.global.contains_key("PORT"));
}

#[test]
fn tags_may_name_nodes_and_their_addresses_are_kept_for_the_hosts_file() {
    let tags = Template { naming: Naming::Tag, peers: true, ..template() };
    let mut natted = record(1);
    natted.inbound = Some("203.0.113.1".into());
    natted.outbound = Some("203.0.113.2".into());
    let wanted = from_members(&[natted], &[slave_record(1)], &tags, Mode::Server).unwrap();
    let server = &wanted.ring.servers[0];
    assert_eq!(server.name, "server1.example");
    assert_eq!(wanted.addresses["server1.example"], "192.0.2.1".parse::<IpAddr>().unwrap());
    let list = |key: &str| server.rest.get(key).unwrap();
    assert_eq!(
        [list("ENDPOINTS"), list("CTLENDPOINTS"), list("REVERSE_PEERS"), list("FORWARD_PEERS")],
        ["203.0.113.1:8020", "203.0.113.1:8021", "203.0.113.1", "203.0.113.2"]
    );
}

#[test]
fn an_ini_with_names_tells_their_addresses_in_its_peers() {
    let text = fixtures::text(Mode::Server, &[1, 300], &[1])
        .replace("NAME = server300.example", "NAME = server300.example\nENDPOINTS = 203.0.113.9:8020");
    let wanted = from_ini(&text, &[]).unwrap();
    assert_eq!(
        wanted.addresses,
        BTreeMap::from([("server300.example".into(), "203.0.113.9".parse().unwrap())])
    );
}

/// The sections of an ini, each with its text.
fn parts(text: &str) -> Vec<String> {
    text.split_inclusive('\n').fold(Vec::new(), |mut parts, line| {
        match parts.last_mut() {
            Some(part) if !line.starts_with('[') => part.push_str(line),
            _ => parts.push(line.to_owned()),
        }
        parts
    })
}

#[test]
fn a_server_s_tag_that_opens_a_slave_s_section_is_refused_with_its_name() {
    let mut bad = record(2);
    bad.tag = Some("x\n[SLVNODE]\nNAME = 198.51.100.9\nCTLPORT = 8031\nCUK = evil".into());
    let text = expanded(&[record(1), bad, record(3)], &[slave_record(1)]);
    let faults = from_ini(&text, &[]).unwrap_err();
    let who = "or that of server 192.0.2.2 of c/server (CUK cuk-2, tag \"x\"), or the template";
    assert!(faults[0].text.contains(who), "{faults:?}");
}

#[test]
fn a_template_may_put_its_sections_in_any_order_of_runs() {
    let text = fixtures::text(Mode::Server, &[1, 2], &[1, 2]);
    let parts = parts(&text);
    let pick = |kind: &str| parts.iter().filter(|part| part.starts_with(kind)).cloned().collect::<String>();
    let [global, servers, slaves, k2hdkc] = ["[GLOBAL]", "[SVRNODE]", "[SLVNODE]", "[K2HDKC]"].map(pick);
    let other = "[K2HTPDTOR]\nA = b\n".to_owned();
    for order in [
        [&global, &servers, &slaves, &other, &k2hdkc],
        [&global, &slaves, &servers, &k2hdkc, &other],
        [&global, &k2hdkc, &servers, &slaves, &other],
        [&global, &servers, &k2hdkc, &slaves, &other],
        [&global, &slaves, &k2hdkc, &other, &servers],
        [&servers, &slaves, &k2hdkc, &global, &other],
    ] {
        let text: String = order.into_iter().map(String::as_str).collect();
        assert_eq!(*from_ini(&text, &[]).unwrap().ring, fixtures::ring(&[1, 2], &[1, 2]), "{text}");
    }
}

#[test]
fn a_bad_record_whose_stand_in_chmpx_would_refuse_is_refused_itself() {
    for kind in ["CTLENDPOINTS", "CTLEPS"] {
        let bad = slave(1, "198.51.100.1", "", "slave1.example");
        let text = expanded(&[record(1), record(2)], &[bad])
            .replace("CHMPXIDTYPE = CUSTOM", &format!("CHMPXIDTYPE = {kind}"))
            .replace("PORT = 8020\n", "PORT = 8020\nENDPOINTS = 192.0.2.9:8020\n");
        let text = (1..=2).fold(text, |text, n| {
            let own = format!("CTLENDPOINTS = 192.0.2.{n}:8021\nCUK = cuk-{n}\n");
            text.replace(&format!("CUK = cuk-{n}\nCUSTOM"), &format!("{own}CUSTOM"))
        });
        let faults: Vec<String> =
            from_ini(&text, &[]).unwrap_err().into_iter().map(|fault| fault.text).collect();
        assert!(
            faults[0].starts_with("slave 198.51.100.1 of c/slave (no CUK, tag \"slave1.example\"): "),
            "{faults:?}"
        );
        let why = format!("takes no stand-in: 127.0.0.1: CHMPXIDTYPE {kind} needs CTLENDPOINTS");
        assert!(faults.iter().any(|fault| fault.contains(&why)), "{faults:?}");
    }
}

#[test]
fn a_record_that_calls_itself_the_stand_in_is_left_out_like_any_other() {
    let own = cuk();
    let bad = slave(2, "198.51.100.2", crate::names::PLACEHOLDER_CUK, "");
    for wanted in both(&[record(1), record(2)], &[slave_record(1), bad], &reader(&own, None)) {
        assert_eq!(*wanted.unwrap().ring, fixtures::ring(&[1, 2], &[1]));
    }
}

/// What members may have chosen, and what a text breaks on.
const ODD: [&str; 27] = [
    "",
    "a",
    "server1.example",
    "slave1.example",
    "SLAVE1.example",
    "localhost",
    "x y",
    "\u{1}",
    "v\n[GLOBAL]",
    "v\n[SLVNODE]",
    "v\n[SVRNODE]",
    "v\n[SVRNODE]\nNAME = 192.0.2.9",
    "v\n[SLVNODE]\nNAME = 198.51.100.1\nCUK = q",
    "v\n[SVRNODE]\nNAME = 192.0.2.66\nPORT = 8020\nCTLPORT = 8021\nCUK = e\nCUSTOM_ID_SEED = e",
    "v\nCTLPORT = 99999",
    "v\nSSL = on",
    "v\n[K2HDKC]",
    "v\nCTLENDPOINTS = 1.2.3.4:5",
    "__SELF_INSTANCE_ID__",
    "%%A%%",
    "v\n[]",
    "v\n]",
    "v\nNAME",
    "v\n= b",
    "cuk-1",
    crate::names::PLACEHOLDER_CUK,
    "v\n[SLVNODE]\nNAME = 127.0.0.1\nCUK = dummy_cuk\nCTLPORT = 8031",
];

const HOSTS: [&str; 11] = [
    "192.0.2.1",
    "192.0.2.2",
    "198.51.100.1",
    "198.51.100.2",
    "127.0.0.1",
    "",
    "my vm",
    "[x",
    "a[1-3]",
    "198.51.100.1,198.51.100.2",
    "192.0.2.520",
];

fn damaged(mut record: HostRecord, rng: &mut fastrand::Rng) -> HostRecord {
    let mut one = |of: &[&str]| of[rng.usize(..of.len())].to_owned();
    let (tag, cuk, host) = (one(&ODD), one(&ODD), one(&HOSTS));
    if rng.u8(..3) == 0 {
        record.tag = Some(tag);
    }
    if rng.u8(..4) == 0 {
        record.cuk = Some(cuk);
    }
    if rng.u8(..6) == 0 {
        record.host = host;
    }
    record
}

#[test]
fn whatever_members_chose_reading_ends_and_keeps_this_server_and_a_slave() {
    let (own, installed) = (cuk(), fixtures::ring(&[1, 2], &[1, 2, 3]));
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..1500 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let kind = ["CUSTOM", "CUK", "NAME", "CTLENDPOINTS", "CTLEPS", ""][rng.usize(..6)];
        let mut servers = vec![record(1)];
        servers.extend(
            (2..=rng.usize(1..4)).map(
                |n| {
                    if rng.u8(..3) > 0 { record(n) } else { damaged(record(n), &mut rng) }
                },
            ),
        );
        let slaves: Vec<_> = (1..=rng.usize(0..4)).map(|n| damaged(slave_record(n), &mut rng)).collect();
        let mut text =
            expanded(&servers, &slaves).replace("CHMPXIDTYPE = CUSTOM", &format!("CHMPXIDTYPE = {kind}"));
        if kind.starts_with("CTL") {
            text = servers.iter().fold(text, |text, server| {
                let at = format!("NAME = {}\nPORT", server.host);
                let ends = format!("ENDPOINTS = {0}:8020\nCTLENDPOINTS = {0}:8021", server.host);
                text.replace(&at, &format!("{ends}\n{at}"))
            });
        }
        let installed = rng.bool().then_some(&installed);
        let reader = reader(&own, installed);
        let lists = super::from_members(&servers, &slaves, &template(), Mode::Server, &reader);
        for read in [super::from_ini(&text, &reader, &[]), lists] {
            let Ok(wanted) = read else {
                refused += 1;
                continue;
            };
            taken += 1;
            assert!(wanted.ring.servers.iter().any(|node| node.cuk == "cuk-1"), "{seed}: {text}");
            assert!(!wanted.ring.slaves.is_empty(), "{seed}: {text}");
            assert!(wanted.left_out.iter().all(|note| note.text.starts_with("slave ")), "{seed}: {text}");
        }
    }
    assert!(taken > 200 && refused > 200, "{taken} {refused}");
}
