use proptest::prelude::*;

use super::recorded::*;
use super::*;
use crate::names::Port;

mod damaged;
mod short_answers;

const ID_1: u64 = 0xa0e4_3ff5_1752_5386;
const ID_2: u64 = 0xa0e4_3adc_1752_5386;
const ID_3: u64 = 0xa0e4_3c8f_1752_5386;

const SUSPENDED: u32 = 0x10011;
const IN_SERVICE: u32 = 0x21;
const SLAVE: u32 = 0x1;

fn port(number: u16) -> Port {
    Port::try_from(number).unwrap()
}

fn row(n: u8, chmpxid: u64, status: u32, hash: Option<u64>) -> Row {
    Row {
        name: format!("10.77.0.{n}"),
        ctlport: Some(port(30021)),
        port: Some(port(30020)),
        cuk: format!("cuk-{n}"),
        seed: format!("node{n}"),
        hosts: HostLists::default(),
        chmpxid: Some(chmpxid),
        status: NodeStatus::from_bits(status),
        base_hash: hash,
        pending_hash: hash,
    }
}

fn servers(status: u32, hashes: [Option<u64>; 2]) -> Vec<Row> {
    vec![row(1, ID_1, status, hashes[0]), row(2, ID_2, status, hashes[1])]
}

/// Server 2 as it is connected to server 1.
fn peer() -> Row {
    Row { port: None, ..row(2, ID_2, SLAVE, None) }
}

fn slave() -> Row {
    Row { port: None, ctlport: Some(port(30031)), ..row(3, ID_3, SLAVE, None) }
}

fn without_k2hdkc() -> View {
    View {
        fileversion: Some(1),
        pid: 14578,
        started: 1_795_314_319,
        group: "LAB".into(),
        mode: Mode::Server,
        automerge: true,
        automerge_suspended: false,
        domerge: true,
        replicas: 1,
        maxchmpx: 256,
        capacity: Some(256),
        operating: false,
        own: row(1, ID_1, SUSPENDED, None),
        servers: servers(SUSPENDED, [None; 2]),
        slaves: vec![peer(), slave()],
        clients: Some(vec![]),
    }
}

fn in_service() -> View {
    View {
        own: row(1, ID_1, IN_SERVICE, Some(0)),
        servers: servers(IN_SERVICE, [Some(0), Some(1)]),
        clients: Some(vec![14647]),
        ..without_k2hdkc()
    }
}

#[test]
fn a_server_s_dump_tells_both_lists_and_who_has_joined() {
    assert_eq!(dump(DUMP_WITHOUT_K2HDKC), Ok(without_k2hdkc()));
    assert_eq!(dump(DUMP_IN_SERVICE), Ok(in_service()));
}

#[test]
fn a_slave_s_own_row_takes_a_place_in_the_table_and_is_in_neither_list() {
    let view = View {
        pid: 14620,
        started: 1_795_314_320,
        mode: Mode::Slave,
        own: slave(),
        slaves: vec![],
        ..without_k2hdkc()
    };
    assert_eq!(dump(DUMP_SLAVE), Ok(view));
}

#[test]
fn chmpxstatus_tells_the_same_as_dump() {
    assert_eq!(chmpxstatus(CHMPXSTATUS_IN_SERVICE), Ok(in_service()));
}

#[test]
fn the_capacity_stays_when_a_reload_changes_the_number() {
    let view = dump(&DUMP_IN_SERVICE.replace("chmpx_count        = 256", "chmpx_count        = 8")).unwrap();
    assert_eq!((view.maxchmpx, view.capacity), (8, Some(256)));
    let text = CHMPXSTATUS_IN_SERVICE.replace("free chmpx area count", "some other count");
    assert_eq!(chmpxstatus(&text).unwrap().capacity, None);
}

#[test]
fn a_fileversion_that_wrapped_is_none() {
    let negative = DUMP_SLAVE.replace("cfg_revision       = 1\n", "cfg_revision       = -1294967296\n");
    assert_eq!(dump(&negative).unwrap().fileversion, None);
}

#[test]
fn several_processes_may_have_joined() {
    let one = "  [0] pid                                   = 14647\n";
    let two = CHMPXSTATUS_IN_SERVICE.replace(one, &format!("{one}  [1] pid      = 9\n"));
    assert_eq!(chmpxstatus(&two).unwrap().clients, Some(vec![14647, 9]));
    let one = "  [0] = {\n    prev = 0\n    next = 0\n    pid  = 14647\n  }\n";
    let two = DUMP_IN_SERVICE.replace(one, &format!("{one}{}", one.replace("14647", "9")));
    assert_eq!(dump(&two).unwrap().clients, Some(vec![14647, 9]));
    let none = DUMP_SLAVE.replace("client_pids          = 0\n", "");
    assert_eq!(dump(&none).unwrap().clients, None);
}

#[test]
fn what_an_operator_wrote_does_not_confuse_the_blocks() {
    for cuk in ["{", "}", "a = b", "[0] = {", "SAFE -> [SERVICE IN]", "}{"] {
        let named = |text: &str| text.replace("cuk-1", cuk);
        assert_eq!(dump(&named(DUMP_IN_SERVICE)).unwrap().servers[0].cuk, cuk);
        assert_eq!(chmpxstatus(&named(CHMPXSTATUS_IN_SERVICE)).unwrap().own.cuk, cuk);
        assert_eq!(all_status(&named(ALLSTATUS_IN_SERVICE)).unwrap().servers[0].cuk, cuk);
        assert_eq!(self_status(&named(SELFSTATUS_IN_SERVICE)).unwrap().own.cuk, cuk);
    }
}

#[test]
fn host_lists_are_kept_as_they_are_printed() {
    let hosts = HostLists {
        endpoints: "192.0.2.1:8020".into(),
        ctlendpoints: "192.0.2.1:8021".into(),
        forward_peers: "a,b".into(),
        reverse_peers: "c".into(),
    };
    let text = DUMP_IN_SERVICE
        .replace(" endpoints        = ", " endpoints        = 192.0.2.1:8020")
        .replace(" ctlendpoints     = ", " ctlendpoints     = 192.0.2.1:8021")
        .replace(" forward_peers    = ", " forward_peers    = a,b")
        .replace(" reverse_peers    = ", " reverse_peers    = c");
    assert_eq!(dump(&text).unwrap().own.hosts, hosts);
    let text = ALLSTATUS_IN_SERVICE.replace("Control Endppoints = ", "Control Endpoints = 192.0.2.1:8021");
    assert_eq!(all_status(&text).unwrap().servers[1].hosts.ctlendpoints, "192.0.2.1:8021");
}

#[test]
fn selfstatus_tells_the_own_row_with_its_id() {
    let told = |mode, own| Ok(SelfStatus { group: Some("LAB".into()), mode, own });
    assert_eq!(self_status(SELFSTATUS_WITHOUT_K2HDKC), told(Mode::Server, without_k2hdkc().own));
    assert_eq!(self_status(SELFSTATUS_IN_SERVICE), told(Mode::Server, in_service().own));
    assert_eq!(self_status(SELFSTATUS_SLAVE), told(Mode::Slave, slave()));
}

#[test]
fn chmpxstatus_self_tells_the_own_row_without_the_group() {
    let told = |mode, own| Ok(SelfStatus { group: None, mode, own });
    assert_eq!(chmpxstatus_self(CHMPXSTATUS_SELF_SERVER), told(Mode::Server, in_service().own));
    assert_eq!(chmpxstatus_self(CHMPXSTATUS_SELF_SLAVE), told(Mode::Slave, slave()));
}

#[test]
fn allstatus_tells_the_servers_without_their_ids() {
    let told = |view: View| {
        let servers = view.servers.into_iter().map(|row| Row { chmpxid: None, ..row }).collect();
        Ok(AllStatus { group: "LAB".into(), servers })
    };
    assert_eq!(all_status(ALLSTATUS_WITHOUT_K2HDKC), told(without_k2hdkc()));
    assert_eq!(all_status(ALLSTATUS_SLAVE), told(without_k2hdkc()));
    assert_eq!(all_status(ALLSTATUS_IN_SERVICE), told(in_service()));
}

#[test]
fn a_server_that_has_no_room_in_the_table_is_a_row_without_a_name() {
    let ghost = "No.3\n  Server Name          = \n    Port               = 0\n    Control Port       = 0\n    \
                 CUK                = \n    Custom ID Seed     = \n    \
                 Server Status      = 0x0(SAFE -> [SLAVE][DOWN][n/a][Nothing][NoSuspend])\n    \
                 Enable Hash Value  = 0x0\n    Pending Hash Value = 0x0\n";
    let told = all_status(&format!("{ALLSTATUS_IN_SERVICE}{ghost}")).unwrap();
    let row = &told.servers[2];
    assert_eq!((row.name.as_str(), row.ctlport, row.status.bits()), ("", None, 0));
}

/// An answer with so many servers, made of the recorded one.
fn large(servers: usize) -> String {
    let (head, rest) = DUMP_IN_SERVICE.split_once("    [1] = {\n      prev = 0x87e8\n").unwrap();
    let (second, tail) = rest.split_once("  }\n  chmpx_slave_count").unwrap();
    let head = head.replace("chmpx_server_count = 2", &format!("chmpx_server_count = {servers}"));
    let rows: String =
        (1..servers).map(|n| format!("    [{n}] = {{\n      prev = 0x87e8\n{second}")).collect();
    format!("{head}{rows}  }}\n  chmpx_slave_count{tail}")
}

#[test]
fn a_ring_of_a_thousand_servers_is_read_whole() {
    let view = dump(&large(1000)).unwrap();
    assert_eq!(view.servers.len(), 1000);
    assert_eq!(view.servers[999], in_service().servers[1]);
    assert_eq!(view.slaves, in_service().slaves);
}
