use super::*;
use crate::fixtures::text;

/// Findings on a changed good file: severity and text of everything but notes.
fn after(mode: Mode, from: &str, to: &str) -> Vec<(Severity, String)> {
    let good = text(mode, &[1, 2], &[1]);
    assert!(good.contains(from), "{from}");
    found(&good.replace(from, to), &Host::default())
}

fn found(text: &str, host: &Host) -> Vec<(Severity, String)> {
    let reading = read(&crate::ini::parse(text), host);
    let (bad, _) = crate::problem::split(reading.problems);
    bad.into_iter().map(|problem| (problem.severity, problem.text)).collect()
}

fn one(mode: Mode, from: &str, to: &str, severity: Severity, word: &str) {
    let found = after(mode, from, to);
    let expected = found.len() == 1 && found[0].0 == severity && found[0].1.contains(word);
    assert!(expected, "{from} -> {to}: expected one {severity:?} with \"{word}\", found {found:?}");
}

#[test]
fn good_files_have_no_fault() {
    for mode in [Mode::Server, Mode::Slave] {
        let reading = read(&crate::ini::parse(&text(mode, &[1, 2], &[1])), &Host::default());
        assert_eq!(reading.problems, []);
        assert!(reading.loads());
        assert_eq!((reading.ring.servers.len(), reading.ring.slaves.len()), (2, 1));
        assert_eq!((reading.ring.mode(), reading.fileversion), (Some(mode), Some(1)));
    }
}

#[test]
fn what_chmpx_refuses_is_refused() {
    for (from, to, word) in [
        ("GROUP = mycluster\n", "", "no GROUP"),
        ("FILEVERSION = 1\n", "", "no FILEVERSION"),
        ("DELIVERMODE = hash\n", "", "no DELIVERMODE"),
        ("DELIVERMODE = hash", "DELIVERMODE = ring", "DELIVERMODE is \"ring\""),
        ("MODE = SERVER", "MODE = MASTER", "MODE is \"MASTER\""),
        ("CHMPXIDTYPE = CUSTOM", "CHMPXIDTYPE = UUID", "CHMPXIDTYPE is \"UUID\""),
        ("AUTOMERGE = on", "AUTOMERGE = true", "AUTOMERGE is \"true\""),
        ("AUTOMERGE = on", "SOCKTHREADCNT = -1", "refuses less than 0"),
        ("AUTOMERGE = on", "MAXSOCKPOOL = 0", "refuses less than 1"),
        ("NAME = 192.0.2.2", "NAME = db[1-", "a '[' without ']'"),
        ("AUTOMERGE = on", "MAXSOCKPOOL = abc", "refuses less than 1"),
        ("AUTOMERGE = on", "SOCKTHREADCNT = 3000000000", "refuses less than 0"),
        ("SELFCTLPORT = 8021\n", "", "no [SVRNODE] is this host"),
        ("SELFCUK = cuk-1", "SELFCUK = cuk-7", "no [SVRNODE] is this host"),
        ("SELFCTLPORT = 8021", "SELFCTLPORT = 8022", "no [SVRNODE] is this host"),
    ] {
        one(Mode::Server, from, to, Severity::Refused, word);
    }
    let no_slaves = text(Mode::Server, &[1], &[]);
    assert_eq!(
        found(&no_slaves, &Host::default()),
        [(Severity::Refused, "there is no [SLVNODE]".to_owned())]
    );
    let no_servers = found(&text(Mode::Slave, &[], &[1]), &Host::default());
    assert_eq!(no_servers, [(Severity::Refused, "there is no [SVRNODE]".to_owned())]);
}

#[test]
fn what_chmpx_takes_to_somebody_s_harm_is_harmful() {
    for (from, to, word) in [
        ("MAXCHMPX = 256", "MAXCHMPX = 0", "below 1 chmpx or its clients crash"),
        ("REPLICA = 1", "REPLICA = -1", "below 0 chmpx or its clients crash"),
        ("AUTOMERGE = on", "MQRETRYCNT = 0", "below 1 chmpx or its clients crash"),
        ("AUTOMERGE = on", "K2HMASKBIT = 28", "more than 27 is not good"),
        ("AUTOMERGE = on", "MQPERATTACH = 9\nMAXMQCLIENT = 8", "k2hdkc cannot attach"),
        ("MAXCHMPX = 256", "MAXCHMPX = 3", "3 nodes, but MAXCHMPX 3 has room for 2"),
        ("REPLICA = 1", "REPLICA = 1x", "which chmpx reads as 1"),
        ("REPLICA = 1", "REPLICA = 4294967297", "which chmpx reads as 1"),
        ("NAME = 192.0.2.2", "NAME = 192.0.2.2,,192.0.2.3", "a server of the empty name"),
        ("GROUP = mycluster", "GROUP = ", "GROUP is empty"),
        ("GROUP = mycluster", "GROUP = a/b", "has a '/'"),
        ("CUK = cuk-2", "CUK = ", "CUK is empty"),
        ("SELFCUK = cuk-1", "SELFCUK = cuk-1\nSELFCUK = cuk-2", "stands in line"),
        ("GROUP = mycluster", "GROUP = %%CLUSTER_NAME%%", "GROUP is still the placeholder %%CLUSTER_NAME%%"),
        ("MAXTHREAD = 20", "MAXTHREAD = 20\nSVRNODEINI = %%INI%%", "SVRNODEINI is still the placeholder"),
        ("NAME = 192.0.2.2\n", "NAME = 192.0.2.2\nENDPOINTS = a,b,c,d,e\n", "more than the four hosts"),
        ("NAME = 192.0.2.2\n", "NAME = 192.0.2.2\nENDPOINTS = a b\n", "which is not a host"),
        (
            "K2HTYPE = file\nK2HFILE = /data/k2hdkc.k2h",
            "K2HTYPE = file",
            "without K2HFILE keeps its data in memory",
        ),
        ("K2HTYPE = file", "K2HTYPE = ", "K2HTYPE is empty"),
        ("K2HINIT = no", "K2HINIT = true", "K2HINIT is \"true\""),
        ("MAXTHREAD = 20", "MAXTHREAD = 0", "MAXTHREAD is 0"),
        ("MAXTHREAD = 20", "MAXTHREAD = 2\nMINTHREAD = 3", "MINTHREAD 3 is more than MAXTHREAD 2"),
        ("MAXTHREAD = 20", "PASSPHRASES = ", "PASSPHRASES is empty"),
        ("K2HTYPE = file\nK2HFILE = /data/k2hdkc.k2h", "K2HTYPE = mem", "a memory database with"),
        ("K2HTYPE = file", "K2HTYPE = temp", "a temporary database with"),
        ("K2HTYPE = file", "K2HTYPE = disk", "is not known"),
        ("MAXTHREAD = 20", "PASSPHRASES = a\nPASSFILE = /b", "PASSPHRASES and PASSFILE"),
        ("MAXTHREAD = 20", "MAXTHREAD = 20\nmaxthread = 2", "[K2HDKC]: MAXTHREAD stands twice"),
        ("MAXTHREAD = 20\n", "MAXTHREAD = 20\n[K2HDKC]\n", "a second [K2HDKC]"),
        ("[K2HDKC]", "[OTHER]", "a server node without [K2HDKC]"),
        ("[K2HDKC]", "[k2hdkc]", "is not [K2HDKC]"),
    ] {
        let found = after(Mode::Server, from, to);
        let hit = found.iter().any(|(severity, text)| *severity == Severity::Harmful && text.contains(word));
        assert!(hit, "{from} -> {to}: {found:?}");
    }
    one(Mode::Slave, "\nCUK = slave-1\n", "\nCUK = slave-9\n", Severity::Harmful, "a running chmpx goes on");
}

/// Upstream's own test ring is one server and one slave with MAXCHMPX 2; the others were tried on the real one, too.
#[test]
fn the_table_needs_rows_for_the_servers_that_connect_besides_those_of_the_nodes() {
    for (servers, slaves, most, room) in [
        (&[1][..], &[1][..], 2, true),
        (&[1], &[1], 1, false),
        (&[1], &[1, 2], 2, false),
        (&[1, 2], &[1], 4, true),
        (&[1, 2], &[1], 3, false),
        (&[1, 2, 3], &[1], 6, true),
        (&[1, 2, 3], &[1], 5, false),
    ] {
        let text =
            text(Mode::Server, servers, slaves).replace("MAXCHMPX = 256", &format!("MAXCHMPX = {most}"));
        let told = found(&text, &Host::default());
        assert_eq!(
            told.is_empty(),
            room,
            "{} servers, {} slaves, {most}: {told:?}",
            servers.len(),
            slaves.len()
        );
    }
    let alone = text(Mode::Server, &[1, 2, 3], &[1]).replace("CUK = slave-1", "CUK = dummy_cuk");
    for (most, room) in [(5, true), (4, false)] {
        let told = found(&alone.replace("MAXCHMPX = 256", &format!("MAXCHMPX = {most}")), &Host::default());
        assert_eq!(told.is_empty(), room, "three servers, and {most}: {told:?}");
    }
}

#[test]
fn ports_and_names_are_examined_where_they_count() {
    let ports = after(
        Mode::Server,
        "PORT = 8020\nCTLPORT = 8021\nCUK = cuk-2",
        "PORT = 40000\nCTLPORT = 0\nCUK = cuk-2",
    );
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert!(ports.iter().all(|(severity, text)| *severity == Severity::Harmful && text.contains("32767")));
    let good = text(Mode::Server, &[1, 2], &[1]);
    let nameless = found(&good.replace("NAME = 192.0.2.2\n", ""), &Host::default());
    assert_eq!(nameless, [(Severity::Harmful, "a node without NAME: chmpx drops the section".to_owned())]);
    let homeless = good.replace("PORT = 8020\nCTLPORT = 8021\nSELF", "SELF").replace("CTLPORT = 8031\n", "");
    let homeless = found(&homeless, &Host::default());
    assert_eq!(
        homeless,
        [(Severity::Refused, "198.51.100.1: neither the section nor [GLOBAL] has CTLPORT".to_owned())]
    );
}

#[test]
fn ids_are_needed_by_the_kind_of_id() {
    let custom = after(Mode::Server, "CUSTOM_ID_SEED = server2.example\n", "");
    assert_eq!(
        custom,
        [(Severity::Refused, "192.0.2.2: CHMPXIDTYPE CUSTOM needs CUSTOM_ID_SEED".to_owned())]
    );
    let cuk = text(Mode::Server, &[1, 2], &[1]).replace("= CUSTOM", "= CUK").replace("CUK = cuk-2\n", "");
    assert_eq!(found(&cuk, &Host::default())[0].1, "192.0.2.2: CHMPXIDTYPE CUK needs CUK");
    let ends = text(Mode::Server, &[1], &[1]).replace("= CUSTOM", "= CTLEPS");
    let ends = found(&ends, &Host::default());
    assert_eq!(ends.iter().filter(|(severity, _)| *severity == Severity::Refused).count(), 3, "{ends:?}");
    let same = text(Mode::Server, &[1, 2], &[1])
        .replace("= CUSTOM", "= CUK")
        .replace("CUK = slave-1", "CUK = cuk-2");
    assert!(found(&same, &Host::default())[0].1.contains("CUK cuk-2 is that of"));
    let long = "x".repeat(2048);
    let long = after(Mode::Server, "CUSTOM_ID_SEED = server2.example", &format!("CUSTOM_ID_SEED = {long}"));
    assert!(long[0].1.contains("longer than the 2047 bytes"), "{long:?}");
}

#[test]
fn one_name_may_be_many_and_still_not_two_of_the_same() {
    let good = text(Mode::Server, &[1, 2], &[1]);
    let range = good.replace("NAME = 192.0.2.2", "NAME = 192.0.2.[1-3]");
    let found = found(&range, &Host::default());
    assert_eq!(found.len(), 1);
    assert!(found[0].1.starts_with("192.0.2.1:8021 is the address of two nodes (CUK"), "{found:?}");
}

#[test]
fn sections_that_chmpx_merges_are_judged_as_one() {
    let good = text(Mode::Server, &[1, 2], &[1]);
    let stale = "[SVRNODE]\nNAME = 192.0.2.1\nPORT = 8020\nCTLPORT = 8021\nCUK = old\n[SLVNODE]";
    let taken_over = found(&good.replace("[SLVNODE]", stale), &Host::default());
    assert!(taken_over[0].1.contains("(CUK cuk-1 there, old here)"), "{taken_over:?}");
    assert_eq!(taken_over[1].0, Severity::Refused, "the later CUK counts, and this host is gone");
    let partial = "[SVRNODE]\nNAME = 192.0.2.1\nCTLPORT = 8021\n[SLVNODE]";
    let partial = found(&good.replace("[SLVNODE]", partial), &Host::default());
    assert!(partial.len() == 1 && partial[0].0 == Severity::Harmful, "{partial:?}");
}

#[test]
fn a_placeholder_that_was_left_in_is_told() {
    let found = after(Mode::Server, "SELFCUK = cuk-1", "SELFCUK = __SELF_INSTANCE_ID__");
    assert!(
        found
            .iter()
            .any(|(_, text)| text.starts_with("SELFCUK is still the placeholder __SELF_INSTANCE_ID__:"))
    );
}

#[test]
fn addresses_of_this_host_decide_who_is_self() {
    let good = text(Mode::Server, &[1, 2], &[1]);
    let host =
        |address: &str| Host { addresses: Some(BTreeSet::from([address.parse().unwrap()])), files: None };
    assert_eq!(found(&good, &host("192.0.2.1")), []);
    assert!(found(&good, &host("192.0.2.2"))[0].1.contains("no [SVRNODE] is this host"));
    let natted = good.replace("NAME = 192.0.2.1\n", "NAME = 192.0.2.1\nFORWARD_PEERS = 10.0.0.5\n");
    assert!(
        found(&natted, &host("10.0.0.5"))[0].1.contains("no [SVRNODE]"),
        "peers do not count for a server"
    );
    let range = good.replace("NAME = 192.0.2.1\n", "NAME = 192.0.2.[3-4]\n");
    assert_eq!(found(&range, &host("192.0.2.4")), []);
    assert!(found(&range, &host("192.0.2.5"))[0].1.contains("no [SVRNODE]"));
    let socket = good.replace("NAME = 192.0.2.1\n", "NAME = 192.0.2.1:80\n");
    let socket = found(&socket, &host("192.0.2.1"));
    assert!(socket[0].1.starts_with("NAME \"192.0.2.1:80\" is not a host: "), "{socket:?}");
    assert!(socket[1].1.contains("no [SVRNODE]"));
    assert_eq!(found(&good.replace("NAME = 192.0.2.1\n", "NAME = localhost\n"), &host("10.0.0.5")), []);
    let loopback = good.replace("NAME = 192.0.2.1\n", "NAME = 127.0.0.5\n");
    assert_eq!(found(&loopback, &host("192.0.2.9")), [], "all of 127/8 may be this host");
}

#[test]
fn a_name_that_no_resolver_takes_is_harmful_on_servers_and_slaves() {
    for name in
        ["my vm", "http://192.0.2.52", "192.0.2.520", "192.0.2.52/24", "\u{a0}192.0.2.2", &"a".repeat(64)]
    {
        for from in ["NAME = 192.0.2.2\n", "NAME = 198.51.100.1\n"] {
            let found = after(Mode::Server, from, &format!("NAME = {name}\n"));
            let expected =
                found.len() == 1 && found[0].0 == Severity::Harmful && found[0].1.contains("is not a host: ");
            assert!(expected, "{name}: {found:?}");
        }
    }
    for list in ["http://192.0.2.2:8020", "192.0.2.520:8020", "192.0.2.2/24"] {
        let to = format!("NAME = 192.0.2.2\nENDPOINTS = {list}\n");
        let found = after(Mode::Server, "NAME = 192.0.2.2\n", &to);
        assert!(found.len() == 1 && found[0].1.contains("which is not a host: "), "{list}: {found:?}");
    }
    assert_eq!(after(Mode::Server, "NAME = 198.51.100.1\n", "NAME = .*\n"), [], "a slave's pattern");
}

#[test]
fn the_file_of_the_keys_must_be_one_in_a_directory() {
    use FileKind::{Dir, File, Missing};
    let good = text(Mode::Server, &[1, 2], &[1]);
    for (file, kinds, word) in [
        ("/data/k2hdkc.k2h", &[("/data", Dir), ("/data/k2hdkc.k2h", Missing)][..], ""),
        ("/data/k2hdkc.k2h", &[("/data", Dir), ("/data/k2hdkc.k2h", File)], ""),
        ("/data/k2hdkc.k2h", &[], ""),
        ("/var/lib/antpickax/k2hdkc/k", &[("/var/lib/antpickax/k2hdkc", Missing)], ""),
        ("/data/k2hdkc.k2h", &[("/data", Dir), ("/data/k2hdkc.k2h", Dir)], "is a directory"),
        ("/data/k2hdkc.k2h", &[("/", Dir), ("/data", Missing)], "lies in no directory: make /data"),
        ("/data/k2hdkc.k2h", &[("/data", File)], "lies below /data, which is a file"),
        ("/data/a/b.k2h", &[("/data", File), ("/data/a", Missing)], "lies below /data, which is a file"),
        ("k2hdkc.k2h", &[], "is no absolute path"),
    ] {
        let files = kinds.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
        let host = Host { files: Some(files), addresses: None };
        let found = found(&good.replace("/data/k2hdkc.k2h", file), &host);
        let right = if word.is_empty() { found.is_empty() } else { found[0].1.contains(word) };
        assert!(right, "{file} {kinds:?}: {found:?}");
    }
    let ring = read(&crate::ini::parse(&good), &Host::default()).ring;
    assert_eq!(database_paths(&ring).into_iter().collect::<Vec<_>>(), ["/", "/data", "/data/k2hdkc.k2h"]);
}

#[test]
fn notes_do_not_keep_a_file_from_being_installed() {
    let mut noted = text(Mode::Slave, &[1], &[1])
        .replace("REPLICA = 1", "REPLICA = 1\nREPLCA = 2\nMAXHISTLOG = -5\nssl = on");
    noted.push_str("NOTE = %%X%%\n[K2HDKC]\nK2HTYPE = mem\n");
    let reading = read(&crate::ini::parse(&noted), &Host::default());
    let texts: Vec<_> = reading.problems.iter().map(ToString::to_string).collect();
    assert!(reading.problems.iter().all(|problem| !problem.forbids()), "{texts:?}");
    assert_eq!(texts.len(), 6, "{texts:?}");
    assert!(texts.iter().any(|text| text.ends_with("the key ssl (it minds capitals: SSL)")), "{texts:?}");
}

/// Every TLS rule, by what it adds to `[GLOBAL]`, to the server and to the slave section.
#[test]
fn tls_rules_are_chmpx_s() {
    let server = "SSL = yes\nSERVER_CERT = /c\nSERVER_PRIKEY = /k\n";
    let client = "SLAVE_CERT = /c\nSLAVE_PRIKEY = /k\n";
    let verify = format!("{server}SSL_VERIFY_PEER = on\n{client}");
    let long = format!("SLAVE_PRIKEY = /{}\n", "k".repeat(1024));
    for (global, server, slave, word) in [
        ("", server, "", ""),
        ("", server, long.as_str(), "SLAVE_PRIKEY is longer than 1023 bytes"),
        ("SSL = no\n", "", "", ""),
        ("CAPATH = /ca\n", server, "", ""),
        ("SERVER_CERT = NULL\n", "", "", ""),
        ("", verify.as_str(), client, ""),
        ("", "SSL = yes\n", "", "without SERVER_CERT"),
        ("", "SSL = yes\nSERVER_CERT = /c\n", "", "without SERVER_PRIKEY"),
        ("", "SERVER_CERT = /c\n", "", "SERVER_CERT is set while SSL is off"),
        ("", "SERVER_PRIKEY = /k\n", "", "SERVER_PRIKEY is set while SSL is off"),
        ("SERVER_CERT = /c\n", "", "", "[GLOBAL]: SERVER_CERT is set while SSL is off"),
        ("SSL_VERIFY_PEER = on\n", "", "", "SSL_VERIFY_PEER is on while SSL is off"),
        ("SSL_MIN_VER = TLSV1.2\n", server, "", "SSL_MIN_VER is set while SSL is off"),
        ("SSL_MIN_VER = TLS\n", server, "", "DEFAULT"),
        ("SSL_MIN_VER =\n", server, "", ""),
        ("NSSDB_DIR = /c\n", server, "", "NSSDB_DIR \"/c\" is not a directory"),
        ("NSSDB_DIR = \n", server, "", "NSSDB_DIR \"\" is not a directory"),
        ("NSSDB_DIR = /ca\n", server, "", "NSSDB_DIR is set while SSL is off"),
        ("", "SSL = no\n", "SERVER_CERT = /none\nSLAVE_PRIKEY = /none\n", ""),
        ("", "SSL = maybe\n", "", "SSL is \"maybe\""),
        ("", "SSL_VERIFY_PEER = on\n", "", "SSL_VERIFY_PEER is on while SSL is off"),
        ("CAPATH = /ca\n", "", "", "CAPATH is set while no server has SSL"),
        ("", "", "CAPATH = /ca\n", "198.51.100.1: CAPATH is set while no server has SSL"),
        ("", server, client, "while no server has SSL_VERIFY_PEER"),
        ("", verify.as_str(), "", "so SLAVE_CERT and SLAVE_PRIKEY are needed here"),
        ("", "SSL = yes\nSERVER_CERT = /ca\nSERVER_PRIKEY = /k\n", "", "SERVER_CERT /ca does not exist"),
        ("", "SSL = yes\nSERVER_CERT = /none\nSERVER_PRIKEY = /k\n", "", "SERVER_CERT /none does not exist"),
    ] {
        let text = text(Mode::Server, &[1], &[1])
            .replace("GROUP", &format!("{global}GROUP"))
            .replace("SSL = no\n    \n[SLVNODE]\n", &format!("{server}[SLVNODE]\n{slave}"));
        let document = crate::ini::parse(&text);
        let kind = |path: &String| match path.as_str() {
            "/c" | "/k" => FileKind::File,
            "/ca" => FileKind::Dir,
            _ => FileKind::Missing,
        };
        let files = paths(&read(&document, &Host::default()).ring)
            .into_iter()
            .map(|path| (path.clone(), kind(&path)))
            .collect();
        let found = found(&text, &Host { files: Some(files), addresses: None });
        let right =
            if word.is_empty() { found.is_empty() } else { found.iter().any(|(_, t)| t.contains(word)) };
        assert!(right, "[{global}] [{server}] [{slave}]: expected \"{word}\", found {found:?}");
    }
}
