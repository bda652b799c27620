//! The simulators' texts beside those of a real chmpx 1.0.113 in the same ring: two servers, one slave, one k2hdkc each.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::{Node, Stage, Style};

/// The longest wait for a calm moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// The values that differ from run to run and from host to host, by the name before the `=`.
const VARIES: &[&str] = &[
    "pid",
    "start_time",
    "chmpx process id",
    "process start time",
    "Shared memory file path",
    "chmpx shared memory file path",
    "k2hash file path",
    "Shared memory file Object",
    "Configuration object",
    "K2HASH Object",
    "cfg_date",
    "configuration file date",
    "prev",
    "next",
    "same",
    "chmpx_self",
    "chmpx_servers",
    "chmpx_slaves",
    "chmpx_frees",
    "sock",
    "sockets",
    "sock_frees",
    "sock_free_count",
    "free sock area count",
    "last_status_time",
    "last status update time",
    "Last Update",
    "chmpx_msgs",
    "activated_msgs",
    "free_msgs",
    "free_pids",
    "client_pids",
    "last_msgid_chmpx",
    "last_msgid_activated",
    "last random msgid used by chmpx process",
    "last activated msgid",
    "total send message count",
    "total receive message count",
    "total body size",
    "minimum body size",
    "maximum body size",
];

/// Server 1 and 2 and slave 103, which is node 3 of the recordings.
struct Lab {
    first: Node,
    second: Node,
    slave: Node,
}

impl Lab {
    fn start() -> Self {
        let stage = Stage::new(Style::default()).unwrap();
        let mut lab = Self {
            first: stage.node(1).unwrap(),
            second: stage.node(2).unwrap(),
            slave: stage.node(103).unwrap(),
        };
        let server = include_str!("../recorded/simulator/config-server-node1.ini");
        let slave = include_str!("../recorded/simulator/config-slave-node3.ini");
        let here = |text: &str| lab.here(text);
        lab.first.push(&here(server)).unwrap();
        lab.second.push(&here(&server.replace("SELFCUK         = cuk-1", "SELFCUK = cuk-2"))).unwrap();
        lab.slave.push(&here(slave)).unwrap();
        for node in [&mut lab.first, &mut lab.second, &mut lab.slave] {
            node.start_chmpx().unwrap();
        }
        lab.wait(0x10011);
        lab
    }

    fn join(&mut self) {
        self.first.start_k2hdkc(&[]).unwrap();
        assert!(self.first.sees(1, 0x21));
        self.second.start_k2hdkc(&[]).unwrap();
        self.wait(0x21);
    }

    fn wait(&self, status: u64) {
        let nodes = [&self.first, &self.second, &self.slave];
        let all = || nodes.iter().all(|node| [1, 2].iter().all(|n| node.status_of(*n) == status));
        assert!(wait_for(Duration::from_secs(15), all), "{:?}", self.slave.statuses());
    }

    /// A text of the recordings with the addresses and ports of this stage.
    fn here(&self, text: &str) -> String {
        let nodes = [("10.77.0.1", &self.first), ("10.77.0.2", &self.second), ("10.77.0.3", &self.slave)];
        let text = nodes.iter().fold(text.to_owned(), |text, (name, node)| text.replace(name, &node.address));
        text.replace("30020", "8020").replace("30021", "8021").replace("30031", "8021")
    }

    /// Asks in a calm moment: a connection that has just been made anew is counted beside the one before it.
    fn assert_like(&self, ask: impl Fn() -> String, recorded: &str) {
        let lines = |text: &str| text.lines().map(plain).collect::<Vec<_>>();
        let recorded = lines(&self.here(recorded));
        let mut text = Vec::new();
        wait_for(PATIENCE, || {
            text = lines(&ask());
            text == recorded
        });
        for (number, (line, wanted)) in text.iter().zip(&recorded).enumerate() {
            assert_eq!(line, wanted, "line {}", number + 1);
        }
        assert_eq!(text.len(), recorded.len(), "lines");
    }
}

/// A line without what varies in it; whether a list is there or not does not.
fn plain(line: &str) -> String {
    let lists = ["chmpx_msgs", "activated_msgs", "client_pids", "chmpx_servers", "chmpx_slaves"];
    match line.split_once('=') {
        Some((name, value)) if VARIES.contains(&name.trim()) => {
            let empty = value.trim() == "0" && lists.contains(&name.trim());
            format!("{name}= {}", if empty { "0" } else { "?" })
        }
        _ if line.contains("] pid  ") => "client pid".to_owned(),
        _ => line.trim_end().to_owned(),
    }
}

#[test]
fn a_slave_and_servers_without_k2hdkc_look_as_recorded() {
    let lab = Lab::start();
    let slave = |command: &str| lab.slave.ask(command).unwrap();
    lab.assert_like(|| slave("ALLSTATUS"), include_str!("../recorded/simulator/allstatus-slave.txt"));
    lab.assert_like(|| slave("SELFSTATUS"), include_str!("../recorded/simulator/selfstatus-slave.txt"));
    lab.assert_like(|| slave("DUMP"), include_str!("../recorded/simulator/dump-slave.txt"));
    let own = || String::from_utf8(lab.slave.chmpxstatus(&["-self"]).unwrap().stdout).unwrap();
    lab.assert_like(own, include_str!("../recorded/simulator/chmpxstatus-self-slave.txt"));
}

#[test]
fn a_server_in_service_looks_as_recorded() {
    let mut lab = Lab::start();
    lab.join();
    let server = |command: &str| lab.first.ask(command).unwrap();
    lab.assert_like(|| server("ALLSTATUS"), include_str!("../recorded/simulator/allstatus-server.txt"));
    lab.assert_like(|| server("SELFSTATUS"), include_str!("../recorded/simulator/selfstatus-server.txt"));
    lab.assert_like(|| server("DUMP"), include_str!("../recorded/simulator/dump-server.txt"));
    let status =
        |arguments: &[&str]| String::from_utf8(lab.first.chmpxstatus(arguments).unwrap().stdout).unwrap();
    lab.assert_like(|| status(&["-self"]), include_str!("../recorded/simulator/chmpxstatus-self-server.txt"));
    lab.assert_like(|| status(&[]), include_str!("../recorded/simulator/chmpxstatus-server.txt"));
}

/// Request, then the answers of a server and of a slave; "" is an answer that is not compared.
const ANSWERS: &[(&str, &str, &str)] = &[
    (
        "VERSION",
        "Version 1.0.113 (commit: 84192b9) with OpenSSL\n",
        "Version 1.0.113 (commit: 84192b9) with OpenSSL\n",
    ),
    ("VERSION\nALLSTATUS\n", "Version 1.0.113 (commit: 84192b9) with OpenSSL\n", ""),
    ("version\r\n", "Version 1.0.113 (commit: 84192b9) with OpenSSL\n", ""),
    ("VERSION\0", "Version 1.0.113 (commit: 84192b9) with OpenSSL\n", ""),
    ("  VERSION", "Unknown command()\n", "Unknown command()\n"),
    ("\n", "Unknown command()\n", ""),
    ("FOOBAR x y", "Unknown command(FOOBAR)\n", "Unknown command(FOOBAR)\n"),
    ("STATUS", "Unknown command(STATUS)\n", ""),
    ("ABORTMERGE", "SUCCEED\n", ""),
    ("COMPMERGE", "SUCCEED\n", ""),
    ("MERGE", "SUCCEED\n", "SUCCEED: There no server on RING.\n"),
    ("UPDATESTATUS", "SUCCEED\n", "ERROR: The command can not be executed on the slave node.\n"),
    ("SUSPENDMERGE", "SUCCEED\n", "ERROR: The command can not be executed on the slave node.\n"),
    ("NOSUSPENDMERGE", "SUCCEED\n", "ERROR: The command can not be executed on the slave node.\n"),
    (
        "SERVICEIN",
        "ERROR: Could not change status, because status is not allowed.\n",
        "ERROR: The command can not be executed on the slave node.\n",
    ),
    (
        "SERVICEOUT",
        "ERROR: SERVICEOUT command must have parameter as server/ctlport.(ex: \"SERVICEOUT servername.fqdn:ctlport\")\n",
        "",
    ),
    (
        "SERVICEOUT 10.77.0.2:30021",
        "ERROR: SERVICEOUT command must have parameter as server/ctlport.(ex: \"SERVICEOUT servername.fqdn:ctlport\")\n",
        "",
    ),
    (
        "SERVICEOUT 10.9.9.9:30021:nosuch",
        "ERROR: There is no such as server.\n",
        "ERROR: There is no such as server.\n",
    ),
    (
        "SERVICEOUT 10.77.0.2:30021:node2",
        "ERROR: Could not change status, because status is not allowed.\n",
        "ERROR: Could not change status, because status is not allowed.\n",
    ),
    ("TRACE", "ERROR: TRACE command must have parameter as enable/disable.(ex: \"TRACE enable\")\n", ""),
    ("TRACE enable", "SUCCEED\n", ""),
    ("TRACE bogus", "SUCCEED\n", ""),
    ("TRACE off", "ERROR: TRACE is already enabled/disabled.\n", ""),
    ("TRACEVIEW", "ERROR: There is no matched trace log now.\n", ""),
    (
        "TRACEVIEW DIR=BAD",
        "ERROR: TRACEVIEW command parameter is \"TRACEVIEW [DIR=IN/OUT/ALL] [DEV=SOCK/MQ/ALL] [COUNT]\"\n",
        "",
    ),
    (
        "TRACEVIEW 999999",
        "ERROR: TRACEVIEW command parameter is \"TRACEVIEW [DIR=IN/OUT/ALL] [DEV=SOCK/MQ/ALL] [COUNT]\"\n",
        "",
    ),
];

#[test]
fn commands_are_answered_as_recorded() {
    let lab = Lab::start();
    for (request, server, slave) in ANSWERS {
        let request = lab.here(request);
        assert_eq!(lab.first.ask(&request).unwrap(), *server, "{request:?} to a server");
        if !slave.is_empty() {
            assert_eq!(lab.slave.ask(&request).unwrap(), *slave, "{request:?} to a slave");
        }
    }
    let long = lab.first.ask(&"X".repeat(8191)).unwrap();
    assert_eq!(long.len(), 8191 + "Unknown command()\n".len());
}

#[test]
fn suspending_merges_is_told_to_the_whole_ring_and_seen_in_dump() {
    let lab = Lab::start();
    lab.first.ask("SUSPENDMERGE").unwrap();
    assert!(wait_for(Duration::from_secs(5), || lab.second.dumped("suspend automerge") == "yes"));
    lab.second.ask("NOSUSPENDMERGE").unwrap();
    assert!(wait_for(Duration::from_secs(5), || lab.first.dumped("suspend automerge") == "no"));
}
