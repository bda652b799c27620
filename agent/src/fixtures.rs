//! Rings and ini texts that the tests of several modules share. Addresses are of a documentation network.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::acceptance::{self, Host, Reading};
use crate::chmpx_state::{ChmpxState, NodeStatus, Row};
use crate::clock::{BootTime, Clock, Now, Timestamp};
use crate::ini;
use crate::names::Port;
use crate::report::{Outcome, OutcomeKind, Report};
use crate::ring::{Mode, Node, Ring};
use crate::status::LastOutcome;

/// CUK of server number `n`.
pub(crate) fn cuk(n: usize) -> String {
    format!("cuk-{n}")
}

/// Server number `n`, 1 to 60000.
pub(crate) fn server(n: usize) -> Node {
    node(n, "192.0.2", Some(8020), 8021, "server")
}

/// Slave number `n`.
pub(crate) fn slave(n: usize) -> Node {
    node(n, "198.51.100", None, 8031, "slave")
}

fn node(n: usize, net: &str, port: Option<u16>, ctlport: u16, kind: &str) -> Node {
    let name = if n < 255 { format!("{net}.{n}") } else { format!("{kind}{n}.example") };
    let cuk = if kind == "server" { cuk(n) } else { format!("{kind}-{n}") };
    Node {
        name,
        ctlport: Port::try_from(ctlport).unwrap(),
        port: port.map(|port| Port::try_from(port).unwrap()),
        cuk,
        seed: format!("{kind}{n}.example"),
        rest: [("SSL", "no")].into_iter().collect(),
    }
}

/// The ring of those servers and slaves, as server number 1 has it.
pub(crate) fn ring(servers: &[usize], slaves: &[usize]) -> Ring {
    let mut ring = read(&text(Mode::Server, &[1], &[1])).ring;
    ring.servers = servers.iter().map(|n| server(*n)).collect();
    ring.slaves = slaves.iter().map(|n| slave(*n)).collect();
    ring.canonical()
}

/// What the chmpx of server number 1 says on that ring, where all is well.
pub(crate) fn view(ring: &Ring, fileversion: u32) -> ChmpxState {
    let rows: Vec<Row> =
        ring.servers.iter().enumerate().map(|(place, node)| row(node, place as u64)).collect();
    let own = ring.servers.iter().position(|node| node.cuk == ring.global("SELFCUK"));
    ChmpxState {
        fileversion: Some(fileversion),
        pid: 7,
        automerge: true,
        automerge_suspended: false,
        merge_timeout: 0,
        capacity: Some(256),
        own: rows[own.unwrap()].clone(),
        servers: rows,
        slaves: Vec::new(),
    }
}

fn row(node: &Node, place: u64) -> Row {
    Row {
        name: node.name.clone(),
        ctlport: Some(node.ctlport),
        cuk: node.cuk.clone(),
        seed: node.seed.clone(),
        chmpxid: Some(place + 1),
        status: NodeStatus::HEALTHY,
        base_hash: Some(place),
        pending_hash: Some(place),
    }
}

/// What chmpx's rules make of a text.
pub(crate) fn read(text: &str) -> Reading {
    acceptance::read(&ini::parse(text), &Host::default())
}

/// An ini as the DBaaS templates expand to, with this node's CUK in it.
pub(crate) fn text(mode: Mode, servers: &[usize], slaves: &[usize]) -> String {
    let (ports, own) = match mode {
        Mode::Server => ("PORT = 8020\nCTLPORT = 8021\nSELFCTLPORT = 8021", "cuk-1"),
        Mode::Slave => ("CTLPORT = 8031\nSELFCTLPORT = 8031", "slave-1"),
    };
    let mode_word = mode.word();
    let mut text = format!(
        "# head\n[GLOBAL]\nFILEVERSION = 1\nDATE = x\nGROUP = mycluster\nMODE = {mode_word}\nCHMPXIDTYPE = CUSTOM\n\
         DELIVERMODE = hash\nMAXCHMPX = 256\nREPLICA = 1\n{ports}\nSELFCUK = {own}\nRWTIMEOUT = 10000\nAUTOMERGE = on\n\n"
    );
    let mut section = |name: &str, node: &Node| {
        let port = node.port.map_or(String::new(), |port| format!("PORT = {port}\n"));
        text.push_str(&format!(
            "[{name}]\nNAME = {}\n{port}CTLPORT = {}\nCUK = {}\nCUSTOM_ID_SEED = {}\nSSL = no\n    \n",
            node.name, node.ctlport, node.cuk, node.seed
        ));
    };
    for n in servers {
        section("SVRNODE", &server(*n));
    }
    for n in slaves {
        section("SLVNODE", &slave(*n));
    }
    if mode == Mode::Server {
        text.push_str("[K2HDKC]\nK2HTYPE = file\nK2HFILE = /data/k2hdkc.k2h\nK2HINIT = no\nMAXTHREAD = 20\n");
    }
    text
}

/// A pass with that outcome, which ended at that millisecond and asked nobody.
pub(crate) fn report(ms: u64, outcome: Outcome) -> Report {
    Report {
        at: Timestamp(ms),
        reasons: "timer".into(),
        asked: None,
        outcome,
        plan: None,
        waiting: Vec::new(),
        notes: Vec::new(),
        left_out: Vec::new(),
        processes: None,
        ring: None,
        step: None,
    }
}

/// The outcome of a pass, as the status has it.
pub(crate) fn outcome(code: OutcomeKind, text: &str) -> LastOutcome {
    LastOutcome {
        code,
        text: text.to_owned(),
        details: Vec::new(),
        reasons: String::new(),
        since: Timestamp(0),
    }
}

/// That many milliseconds after a boot that is the same in all tests.
pub(crate) fn boot_time(ms: u64) -> BootTime {
    at("00000000000000000000000000000001", ms)
}

/// The same after another one.
pub(crate) fn other_boot_time(ms: u64) -> BootTime {
    at("00000000000000000000000000000002", ms)
}

fn at(boot: &str, ms: u64) -> BootTime {
    serde_json::from_value(serde_json::json!({ "boot": boot, "ms": ms })).unwrap()
}

/// Both clocks of a host whose time is tokio's, and which a test sets as an operator, NTP or a reboot would.
#[derive(Clone)]
pub(crate) struct Clocks {
    born: Instant,
    wall: Rc<Cell<Timestamp>>,
    boot: Rc<Cell<BootTime>>,
}

impl Clocks {
    /// Up for a day.
    pub(crate) fn new() -> Self {
        let wall = Rc::new(Cell::new(Timestamp::now()));
        Self { born: Instant::now(), wall, boot: Rc::new(Cell::new(boot_time(86_400_000))) }
    }

    /// Steps the wall clock, and nothing else.
    pub(crate) fn step(&self, time: Duration) {
        self.wall.set(self.wall.get().after(time));
    }

    /// Sets the wall clock back, and nothing else.
    pub(crate) fn set_back(&self, time: Duration) {
        self.wall.set(self.wall.get().before(time));
    }

    /// The host sleeps: tokio's time stands still, the two clocks go on.
    pub(crate) fn sleep(&self, time: Duration) {
        self.step(time);
        self.boot.set(self.boot.get().after(time));
    }

    /// Another boot, which has lasted longer than the one before.
    pub(crate) fn reboot(&self) {
        self.boot.set(other_boot_time(10 * 86_400_000));
    }

    /// What the agent reads.
    pub(crate) fn clock(&self) -> Clock {
        let clocks = self.clone();
        Clock::by(move || {
            let time = clocks.born.elapsed();
            Now { wall: clocks.wall.get().after(time), boot: clocks.boot.get().after(time) }
        })
    }
}

/// Writes a program that is a script. Another program writes it: a child that another test forks meanwhile may inherit what
/// this one has open for writing, and then the script cannot be run ("text file busy").
pub(crate) fn script(path: &std::path::Path, text: &str, mode: u32) {
    let words = format!("printf %s \"$1\" > \"$0\" && chmod {mode:o} \"$0\"");
    let written = std::process::Command::new("/bin/sh").args(["-c", &words]).arg(path).arg(text).status();
    assert!(written.unwrap().success());
}
