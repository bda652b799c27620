use proptest::prelude::*;

use super::recorded::*;
use super::*;
use crate::names::Port;

mod damaged;

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
        cuk: format!("cuk-{n}"),
        seed: format!("node{n}"),
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
    row(2, ID_2, SLAVE, None)
}

fn slave() -> Row {
    Row { ctlport: Some(port(30031)), ..row(3, ID_3, SLAVE, None) }
}

fn without_k2hdkc() -> ChmpxState {
    ChmpxState {
        fileversion: Some(1),
        pid: 14578,
        automerge: true,
        automerge_suspended: false,
        merge_timeout: 0,
        capacity: Some(256),
        own: row(1, ID_1, SUSPENDED, None),
        servers: servers(SUSPENDED, [None; 2]),
        slaves: vec![peer(), slave()],
    }
}

fn in_service() -> ChmpxState {
    ChmpxState {
        own: row(1, ID_1, IN_SERVICE, Some(0)),
        servers: servers(IN_SERVICE, [Some(0), Some(1)]),
        ..without_k2hdkc()
    }
}

#[test]
fn a_server_s_dump_lists_servers_and_slaves() {
    assert_eq!(dump(DUMP_WITHOUT_K2HDKC), Ok(without_k2hdkc()));
    assert_eq!(dump(DUMP_IN_SERVICE), Ok(in_service()));
}

#[test]
fn a_slave_s_own_row_takes_a_place_in_the_table_and_is_in_neither_list() {
    let view = ChmpxState { pid: 14620, own: slave(), slaves: vec![], ..without_k2hdkc() };
    assert_eq!(dump(DUMP_SLAVE), Ok(view));
}

#[test]
fn chmpxstatus_tells_the_same_as_dump() {
    assert_eq!(chmpxstatus(CHMPXSTATUS_IN_SERVICE), Ok(in_service()));
}

#[test]
fn the_capacity_stays_when_a_reload_changes_the_number() {
    let view = dump(&DUMP_IN_SERVICE.replace("chmpx_count        = 256", "chmpx_count        = 8")).unwrap();
    assert_eq!(view.capacity, Some(256));
    let text = CHMPXSTATUS_IN_SERVICE.replace("free chmpx area count", "some other count");
    assert_eq!(chmpxstatus(&text).unwrap().capacity, None);
}

#[test]
fn a_fileversion_that_wrapped_is_none() {
    let negative = DUMP_SLAVE.replace("cfg_revision       = 1\n", "cfg_revision       = -1294967296\n");
    assert_eq!(dump(&negative).unwrap().fileversion, None);
}

#[test]
fn what_an_operator_wrote_does_not_confuse_the_blocks() {
    for cuk in ["{", "}", "a = b", "[0] = {", "SAFE -> [SERVICE IN]", "}{"] {
        let named = |text: &str| text.replace("cuk-1", cuk);
        assert_eq!(dump(&named(DUMP_IN_SERVICE)).unwrap().servers[0].cuk, cuk);
        assert_eq!(chmpxstatus(&named(CHMPXSTATUS_IN_SERVICE)).unwrap().own.cuk, cuk);
        assert_eq!(all_status(&named(ALLSTATUS_IN_SERVICE)).unwrap().servers[0].cuk, cuk);
    }
}

#[test]
fn allstatus_tells_the_servers_without_their_ids() {
    let told = |view: ChmpxState| {
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
}
