//! Connections to the control port that swallow a reload, or end the process (docs/facts.md C18).

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};

use k2hdkc_simulators::simulators::stage::CTLPORT;
use nix::sys::signal::Signal;

use super::{PATIENCE, Solo};

/// Connects from `from` while chmpx stands still and the file is replaced; returns which FILEVERSION is in force then.
fn connect_at_the_wrong_moment(number: u32, from: &str) -> (Solo, bool) {
    let solo = Solo::start(number);
    solo.node.signal("chmpx", Signal::SIGSTOP).unwrap();
    let address: IpAddr = solo.node.address.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        socket.connect(SocketAddr::new(address, CTLPORT)).await.unwrap()
    });
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"VERSION").unwrap();
    solo.node.push(&solo.ini(2)).unwrap();
    solo.node.signal("chmpx", Signal::SIGCONT).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("Version"), "nobody is turned away: {answer}");
    assert!(solo.logs("is deleted(1024)"));
    let lost = solo.logs("but it is not changed.");
    (solo, lost)
}

#[test]
fn on_a_slave_any_connection_may_swallow_a_reload_and_the_next_one_cures_it() {
    let (solo, lost) = connect_at_the_wrong_moment(100, "127.0.0.1");
    assert!(lost);
    // On a slave the question itself reads the file, so it is asked only once.
    assert_eq!(solo.revision(), "1");
    solo.node.push(&solo.ini(3)).unwrap();
    assert!(solo.node.shows(3), "{}", solo.node.log("chmpx"));
}

#[test]
fn on_a_server_a_stranger_s_connection_does() {
    let (solo, lost) = connect_at_the_wrong_moment(0, "127.99.99.99");
    assert!(lost);
    assert!(solo.logs("Denied 127.99.99.99"));
    assert_eq!(solo.revision(), "1");
}

#[test]
fn on_a_server_a_local_connection_does_not() {
    let solo = Solo::start(0);
    for fileversion in 2..12 {
        solo.node.signal("chmpx", Signal::SIGSTOP).unwrap();
        solo.node.push(&solo.ini(fileversion)).unwrap();
        solo.node.signal("chmpx", Signal::SIGCONT).unwrap();
        assert!(solo.node.has_loaded(fileversion));
    }
}

#[test]
fn chmpxstatus_never_does_and_even_answers_for_a_process_that_stands_still() {
    let solo = Solo::start(100);
    solo.node.signal("chmpx", Signal::SIGSTOP).unwrap();
    assert!(solo.node.shows(1));
    solo.node.push(&solo.ini(2)).unwrap();
    assert!(solo.node.shows(1));
    solo.node.signal("chmpx", Signal::SIGCONT).unwrap();
    assert!(solo.node.shows(2));
}

#[test]
fn a_connection_ends_a_slave_whose_file_is_bad_at_that_moment() {
    let mut solo = Solo::start(100);
    std::fs::remove_file(solo.node.conf()).unwrap();
    assert!(solo.logs("then no more watching it."));
    solo.node.push("garbage\n").unwrap();
    let _ = solo.node.ask("VERSION");
    let status = solo.node.ended("chmpx", PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}
