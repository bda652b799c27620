//! Restarts of the agent, and restarts of the processes that a changed key takes.

use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring, processes_of};

/// Longest wait of a request: a server that comes back has the slaves stand still for the copy.
const WAITS_FOR: Duration = Duration::from_secs(10);

fn style() -> Style {
    Style { replicas: 1, ..Style::default() }
}

/// Lists the chmpx and k2hdkc of a node by their command lines. An agent asks by `chmpxstatus` at any time.
fn programs(ring: &Ring, number: u32) -> Vec<String> {
    let found = processes_of(ring.node(number).root());
    let lines = found.iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok());
    lines.map(|line| line.replace('\0', " ")).filter(|line| !line.contains("/chmpxstatus ")).collect()
}

#[test]
fn the_processes_outlive_the_agent_and_the_next_one_takes_them_over() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    let pids = |ring: &Ring, number| (ring.pid(number, "chmpx"), ring.pid(number, "k2hdkc"));
    for number in [1, 100] {
        let before = pids(&ring, number);
        ring.node_mut(number).stop().unwrap();
        assert!(ring.node(number).log().contains("chmpx and k2hdkc are left as they are"));
        ring.node_mut(number).start().unwrap();
        ring.settled().unwrap();
        assert_eq!(pids(&ring, number), before);
        let running = if number == 1 { 2 } else { 1 };
        let found = programs(&ring, number);
        assert_eq!(found.len(), running, "no second instance: {found:?}");
    }
    assert!(ring.node(1).log().contains("chmpx runs already and is taken over"));
    // The end of an adopted process is seen as well.
    let pid = ring.kill(1, "k2hdkc").unwrap();
    assert!(wait_for(PATIENCE, || ring.pid(1, "k2hdkc").is_some_and(|now| now != pid)), "{}", ring.told(1));
}

#[test]
fn an_agent_that_is_told_to_end_in_the_middle_of_a_restart_brings_both_back_first() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    for moment in ["stop k2hdkc", "start chmpx"] {
        ring.settled().unwrap();
        let seen = ring.node(2).log().len();
        ring.kill(2, "chmpx").unwrap();
        let begun = || ring.node(2).log()[seen..].contains(moment);
        assert!(wait_for(PATIENCE, begun), "{}", ring.told(2));
        ring.node_mut(2).stop().unwrap();
        assert_eq!(programs(&ring, 2).len(), 2, "{moment}: {}", ring.node(2).log());
        ring.node_mut(2).start().unwrap();
    }
    ring.settled().unwrap();
}

#[test]
fn a_second_chmpx_that_somebody_starts_is_told_and_not_touched() {
    let ring = Ring::running(style(), "", 2, 1).unwrap();
    let root = ring.node(1).root().to_owned();
    let mut stranger = std::process::Command::new(root.join("bin/chmpx"))
        .arg("-conf")
        .arg(ring.node(1).ini())
        .env("K2HDKC_SIMULATOR_ROOT", &root)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let told = || ring.processes(1).is_some_and(|s| s.text.contains("several chmpx run with this ini"));
    let seen = wait_for(PATIENCE, told);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(seen, "{}", ring.told(1));
}

#[test]
fn a_key_of_k2hdkc_restarts_k2hdkc_alone() {
    let mut ring = Ring::running(style(), "timing.restart-stagger = \"1s\"", 3, 1).unwrap();
    ring.write(100, 60).unwrap();
    let (chmpx, k2hdkc) = (ring.pid(2, "chmpx"), ring.pid(2, "k2hdkc"));
    let ini = std::fs::read_to_string(ring.node(2).root().join("source.ini")).unwrap();
    let ini = ini.replace("[K2HDKC]\n", "[K2HDKC]\nMAXTHREAD = 7\n");
    ring.node(2).give(&ini).unwrap();
    let diff = String::from_utf8(ring.node(2).run(&["diff"]).unwrap().stdout).unwrap();
    assert!(wait_for(PATIENCE, || ring.pid(2, "k2hdkc") != k2hdkc), "{}", ring.told(2));
    ring.settled().unwrap();
    assert_eq!(ring.pid(2, "chmpx"), chmpx);
    let log = ring.node(2).log();
    let order = ["stop k2hdkc", "start k2hdkc"];
    let places: Vec<_> = order.iter().map(|text| log.rfind(text)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {diff}\n{}", ring.told(2));
    ring.all_readable(100, 60).unwrap();
}

#[test]
fn another_database_is_held_and_told_and_no_key_stays_behind() {
    let ring = Ring::running(style(), "timing.restart-stagger = \"1s\"", 2, 1).unwrap();
    ring.write(100, 60).unwrap();
    let before = (ring.pid(2, "chmpx"), ring.pid(2, "k2hdkc"));
    let ini = std::fs::read_to_string(ring.node(2).root().join("source.ini")).unwrap();
    ring.node(2).give(&ini.replace("/data/keys.k2h", "/data/other.k2h")).unwrap();
    let held = || ring.processes(2).is_some_and(|s| s.text.contains("names another database"));
    assert!(wait_for(PATIENCE, held), "{}", ring.told(2));
    assert!(!ring.node(2).run(&["status"]).unwrap().status.success());
    // The file is followed all the same.
    ring.node(2)
        .give(&ini.replace("/data/keys.k2h", "/data/other.k2h").replace("MQACK = no", "MQACK = yes"))
        .unwrap();
    let mqack = || std::fs::read_to_string(ring.node(2).ini()).is_ok_and(|live| live.contains("MQACK = yes"));
    assert!(wait_for(PATIENCE, mqack), "{}", ring.told(2));
    // What is taken back is as if it had never been said.
    ring.node(2).give(&ini).unwrap();
    assert!(wait_for(PATIENCE, || ring.is_settled(2) && !mqack()), "{}", ring.told(2));
    assert_eq!((ring.pid(2, "chmpx"), ring.pid(2, "k2hdkc")), before);
    ring.all_readable(100, 60).unwrap();
}

#[test]
fn a_key_of_chmpx_rolls_through_the_servers_without_a_key_unreadable_and_waits_on_slaves() {
    let ring = Ring::running(style(), "timing.restart-stagger = \"2s\"", 3, 1).unwrap();
    ring.write(100, 60).unwrap();
    let before: Vec<_> = (1..=3).map(|number| ring.pid(number, "chmpx")).collect();
    let slave = ring.pid(100, "chmpx");
    for number in [1, 2, 3, 100] {
        ring.tell_more(number, &[1, 2, 3], &[100], "MAXHISTLOG = 7").unwrap();
    }
    let mut worst = 60;
    let all = |ring: &Ring| {
        (1..=3).all(|n| ring.pid(n, "chmpx").is_some_and(|pid| Some(pid) != before[n as usize - 1]))
    };
    assert!(
        wait_for(PATIENCE, || {
            worst = worst.min(ring.served(100, 60, WAITS_FOR));
            all(&ring)
        }),
        "{}",
        ring.told(3)
    );
    for number in 1..=3 {
        assert!(wait_for(PATIENCE, || ring.is_settled(number)), "{}", ring.told(number));
    }
    ring.all_readable(100, 60).unwrap();
    assert_eq!(worst, 60, "keys that were not served meanwhile");
    let held = ring.processes(100).unwrap();
    assert!(held.text.contains("supervisor.restarts forbids it"), "{}", held.text);
    assert_eq!(ring.pid(100, "chmpx"), slave);
}
