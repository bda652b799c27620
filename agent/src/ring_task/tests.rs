//! The task against chmpx processes that are sockets here, and the assignment that it works by.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::chmpx_state::NodeStatus;
use crate::fixtures;
use crate::names::Port;
use crate::ring_change::{Command, Mark, Node};
use crate::settings::Merge;
use crate::supervisor::{NodeSpec, Program};

fn id(n: usize) -> ServerId {
    ServerId::new(&format!("server{n}.example"))
}

/// Server 1 of three.
fn assignment() -> Assignment {
    let ring = fixtures::ring(&[1, 2, 3], &[1]);
    let spec = NodeSpec::of(&ring, Path::new("/etc/antpickax/k2hdkc.ini")).unwrap();
    Assignment::of(&ring, &spec, Merge::default()).unwrap()
}

fn row(name: &str, seed: &str, bits: u32) -> Row {
    Row {
        name: name.into(),
        ctlport: Port::try_from(8021).ok(),
        cuk: String::new(),
        seed: seed.into(),
        chmpxid: None,
        status: NodeStatus::from_bits(bits),
        base_hash: Some(3),
        pending_hash: None,
    }
}

#[test]
fn a_row_is_the_server_of_the_ini_that_it_belongs_to_whatever_its_name() {
    let list = assignment().list(&[row("vm2", "server2.example", 0x21), row("vm9", "gone.example", 0x20)]);
    assert_eq!(list.keys().map(ServerId::as_str).collect::<Vec<_>>(), ["gone.example", "server2.example"]);
    assert_eq!((list[&id(2)].status.bits(), list[&id(2)].slot), (0x21, Some(3)));
}

#[test]
fn a_command_names_a_server_as_the_list_does_and_one_outside_of_the_ini_is_reached_by_its_row() {
    let (assignment, gone) = (assignment(), ServerId::new("gone.example"));
    let rows = [row("vm2", "server2.example", 0x21), row("192.0.2.9", "gone.example", 0x20)];
    let said = |server: &ServerId, rows: &[Row]| {
        assignment.command(&Command::ServiceOut(server.clone()), rows).unwrap().to_string()
    };
    assert_eq!(said(&id(2), &rows), "SERVICEOUT vm2:8021:server2.example");
    assert_eq!(said(&id(2), &[]), "SERVICEOUT 192.0.2.2:8021:server2.example");
    assert_eq!(said(&gone, &rows), "SERVICEOUT 192.0.2.9:8021:gone.example");
    assert_eq!(assignment.command(&Command::ServiceOut(gone.clone()), &[]), None);
    let at = |server: &ServerId, rows: &[Row]| assignment.control_of(server, rows).map(|at| at.to_string());
    assert_eq!(at(&id(3), &[]).as_deref(), Some("192.0.2.3:8021"));
    assert_eq!(at(&gone, &rows).as_deref(), Some("192.0.2.9:8021"));
    assert_eq!(at(&gone, &[]), None);
    assert_eq!(at(&id(1), &[]), Some(assignment.control.to_string()));
}

#[test]
fn slaves_ask_different_servers() {
    let node = |n: usize| {
        let mut ring = fixtures::ring(&[1, 2, 3], &[n]);
        let own = [
            ("MODE", "SLAVE".to_owned()),
            ("SELFCTLPORT", "8031".to_owned()),
            ("SELFCUK", format!("slave-{n}")),
        ];
        ring.profile.global.extend(own.map(|(key, value)| (key.to_owned(), value)));
        let spec = NodeSpec::of(&ring, Path::new("/etc/antpickax/k2hdkc.ini")).unwrap();
        Assignment::of(&ring, &spec, Merge::default()).unwrap().node
    };
    let place = |node: Node| match node {
        Node::Slave(spread) => spread % 3,
        Node::Server(_) => panic!("{node:?}"),
    };
    let places: std::collections::BTreeSet<_> = (1..40).map(node).map(place).collect();
    assert_eq!(places.len(), 3);
}

#[test]
fn the_mark_of_a_freeze_outlives_the_agent() {
    let root = tempfile::tempdir().unwrap();
    let mark = || Facts::new(root.path()).read(&Programs::default(), false).mark;
    let hands = Hands::new(root.path(), root.path());
    assert_eq!(mark(), Mark::Absent);
    for wanted in [Mark::Frozen, Mark::Thawed, Mark::Absent] {
        hands.mark(Program::Chmpx, wanted);
        assert_eq!(mark(), wanted);
    }
    hands.mark(Program::K2hdkc, Mark::Frozen);
    assert_eq!(mark(), Mark::Absent, "a server has none");
}

/// Answers each question by the next of `answers`; nothing at all for an empty one.
async fn chmpx(answers: Vec<&'static str>) -> SocketAddr {
    static LAST: AtomicU8 = AtomicU8::new(0);
    // An ini names no port above 32767, and so none that the kernel would choose.
    let process = std::process::id().to_be_bytes();
    let host = [127, 64 + process[2] % 64, process[3], LAST.fetch_add(1, Ordering::Relaxed) + 1];
    let listener = TcpListener::bind((IpAddr::from(host), 8021)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 100]).await;
            match answer {
                "" => open.push(stream),
                text => stream.write_all(text.as_bytes()).await.unwrap(),
            }
        }
    });
    address
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_ended_looks_no_more() {
    let root = tempfile::tempdir().unwrap();
    let task = RingTask::start(root.path(), root.path(), Waker::default());
    task.assign(Some(assignment()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(task.progress().is_some());
    task.end();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(task.task.is_finished());
}

#[test]
fn a_program_out_of_sight_is_taken_for_running() {
    let root = tempfile::tempdir().unwrap();
    let programs = Programs { hidden: vec![Program::Chmpx], ..Programs::default() };
    let local = Facts::new(root.path()).read(&programs, false);
    assert_eq!((local.chmpx, local.k2hdkc), (Process::Running, Process::Absent));
}

#[test]
fn queues_that_nobody_waits_for_are_not_read_and_count_as_full() {
    let root = tempfile::tempdir().unwrap();
    let own = Some(crate::supervisor::ProcessId { pid: std::process::id(), start_ticks: 0 });
    let programs = Programs { k2hdkc: own, ..Programs::default() };
    let empty = |queues| Facts::new(root.path()).read(&programs, queues).queues_empty;
    assert_eq!((empty(true), empty(false)), (true, false), "this process has no queue");
}

const LIST: &str = crate::chmpx_state::recorded::ALLSTATUS_IN_SERVICE;

#[tokio::test]
async fn a_question_that_is_not_answered_is_asked_once_more_at_once() {
    let address = chmpx(vec!["", LIST]).await;
    let table = survey::ask(address, "LAB", Question::List).await.unwrap();
    assert_eq!((table.rows.len(), table.automerge), (2, None));
    let address = chmpx(vec!["", "", LIST]).await;
    assert_eq!(survey::ask(address, "LAB", Question::List).await, None);
}

#[tokio::test]
async fn the_answer_of_another_ring_is_none() {
    let address = chmpx(vec![LIST, LIST]).await;
    assert_eq!(survey::ask(address, "OTHER", Question::List).await, None);
}

#[tokio::test]
async fn all_are_asked_at_the_same_time_and_who_does_not_answer_is_unknown() {
    let mut assignment = assignment();
    assignment.group = "LAB".into();
    for n in [2, 3] {
        assignment.members.get_mut(&id(n)).unwrap().name = chmpx(vec!["", ""]).await.ip().to_string();
    }
    let begun = Instant::now();
    let round = survey::round(assignment, Vec::new(), vec![id(2), id(3)], Question::List).await;
    assert!(begun.elapsed() < Duration::from_millis(1100), "one after the other would take 1.2 s");
    assert_eq!(round.answers.values().filter(|answer| answer.is_none()).count(), 2);
}
