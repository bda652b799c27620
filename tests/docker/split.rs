//! A container for each program: the daemon starts what ended, and what it does not, the agent does.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::trove::Layout;
use k2hdkc_tests::environments::{Container, ready, say};

use crate::ring::{LONG, Ring};

const CONTAINERS: &str = "[supervisor.docker]\nchmpx-container = \"chmpx\"\nk2hdkc-container = \"k2hdkc\"\n";

#[test]
fn a_container_for_each_program_follows_and_is_started_again() {
    if !ready() {
        return;
    }
    let ring = Ring::start(Layout::Split, 2, CONTAINERS).unwrap();
    let since = |number: u32| {
        ["chmpx", "k2hdkc"].map(|name| ring.container(number, name).inspect("{{.State.StartedAt}}").unwrap())
    };

    // The file goes into the directory that both share.
    let before = [1, 2].map(since);
    let address = ring.environment.ground().identity(110).address;
    for change in 0..20u32 {
        let listed = change % 2 == 0;
        if listed {
            ring.environment.ground().register(110);
        } else {
            ring.environment.ground().deregister(110);
        }
        for number in [1, 2] {
            let k2hdkc = ring.container(number, "k2hdkc");
            let has = || k2hdkc.read(INI).is_ok_and(|text| text.contains(&address) == listed);
            assert!(wait_for(LONG, has), "change {change}: {}", ring.told(number));
        }
    }
    ring.settled();
    assert_eq!([1, 2].map(since), before, "nothing ended");
    ring.all_readable();

    // A stopped chmpx is started, and its k2hdkc after it.
    let (begun, before) = (Instant::now(), since(2));
    let chmpx = ring.container(2, "chmpx");
    chmpx.docker().run(["kill", chmpx.name()]).unwrap();
    let anew = || since(2).iter().zip(&before).all(|(now, before)| now != before) && ring.pids(2).1.is_some();
    assert!(wait_for(LONG, anew), "{}", ring.told(2));
    ring.settled();
    ring.all_readable();
    say(&format!(
        "docker kill of chmpx: both anew and converged after {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
}

/// Runs both containers of a server without any restart policy: what ends in them is the agent's to start.
fn leave_to_the_agent(ring: &Ring, number: u32) {
    for program in ["chmpx", "k2hdkc"] {
        let container = ring.container(number, program);
        container.docker().run(["update", "--restart", "no", container.name()]).unwrap();
    }
}

/// Tells the simulator in a container, which need not run, what it shall do wrong.
fn faults(container: &Container, text: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("simulator.toml");
    File::options().write(true).create_new(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let to = format!("{}:/simulator.toml", container.name());
    container.docker().run(["cp", path.to_str().unwrap(), &to]).unwrap();
}

#[test]
fn a_program_that_does_not_start_is_tried_less_and_less_often_and_told_with_how_it_ended() {
    if !ready() {
        return;
    }
    let ring = Ring::start(Layout::Split, 1, CONTAINERS).unwrap();
    leave_to_the_agent(&ring, 1);
    let chmpx = ring.container(1, "chmpx");
    faults(&chmpx, "fail-starts = 99\n");
    #[expect(clippy::disallowed_methods, reason = "Docker dates its events by the wall clock")]
    let (begun, since) = (Instant::now(), SystemTime::now());
    chmpx.docker().run(["kill", chmpx.name()]).unwrap();
    let starts = || chmpx.docker().events("start", since, since.elapsed().unwrap()).unwrap();
    assert!(wait_for(LONG, || starts() >= 6), "{}", ring.told(1));
    let took = begun.elapsed();
    // The pauses are 0.2 s, and then twice as long each time; at every look it would be three starts a second.
    assert!(took >= Duration::from_secs(4), "6 starts in {took:?}: {}", ring.told(1));
    let why = "ended with status 1: 'docker logs chmpx' shows the cause";
    assert!(wait_for(LONG, || ring.says(1, why)), "{}", ring.told(1));
    say(&format!("a chmpx that does not start: 6 attempts in {:.1} s", took.as_secs_f64()));

    faults(&chmpx, "");
    ring.settled();
    assert!(!ring.says(1, why));
}

#[test]
fn a_file_that_ends_chmpx_in_its_container_is_rolled_back() {
    if !ready() {
        return;
    }
    let ring = Ring::start(Layout::Split, 2, CONTAINERS).unwrap();
    leave_to_the_agent(&ring, 1);
    let chmpx = ring.container(1, "chmpx");
    faults(&chmpx, "dislike = \"RWTIMEOUT=777\"\n");
    let (k2hdkc, version) = (ring.pids(2).1, ring.agents[&1].fileversion());
    ring.environment.ground().edit_template("RWTIMEOUT           = 10000", "RWTIMEOUT           = 777");
    let rejected = || ring.status(1).is_some_and(|status| status.code() == Some(OutcomeKind::Rejected));
    assert!(wait_for(LONG, rejected), "{}", ring.told(1));
    let line = ring.status(1).unwrap().line().to_owned();
    assert!(line.contains("chmpx ended with status 0"), "{line}");
    ring.settled();
    let inside = chmpx.read(INI).unwrap();
    assert!(!inside.contains("RWTIMEOUT = 777"), "{inside}");
    assert!(ring.agents[&1].fileversion() > version);
    assert!(ring.container(2, "chmpx").read(INI).unwrap().contains("RWTIMEOUT = 777"));
    assert_eq!(ring.pids(2).1, k2hdkc, "only server 1 dislikes it");
    ring.all_readable();
}
