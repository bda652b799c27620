//! Repairs of what sticks, is swallowed or goes deaf.

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{BY_CHMPX, PATIENCE, Ring};

fn style() -> Style {
    Style { replicas: 1, ..Style::default() }
}

/// Two servers and a slave run, with keys; chmpx runs the merges, and a third server comes whose join sticks so.
fn joined_with(stick: &str) -> Ring {
    let mut ring = Ring::running(style(), BY_CHMPX, 2, 1).unwrap();
    ring.write(100, 60).unwrap();
    ring.add(3).unwrap();
    ring.faults(3, &format!("stick = \"{stick}\"\n")).unwrap();
    ring.tell(&[1, 2, 3], &[100]).unwrap();
    ring.node_mut(3).start().unwrap();
    ring.settled().unwrap();
    ring.all_readable(100, 60).unwrap();
    ring
}

#[test]
fn a_join_that_sticks_at_done_is_cured_by_updatestatus() {
    let ring = joined_with("add-done");
    assert!(
        ring.node(3).log().contains("send chmpx UPDATESTATUS: its join sticks at 0x3121"),
        "{}",
        ring.told(3)
    );
}

#[test]
fn a_join_that_sticks_out_of_service_is_cured_by_servicein() {
    let ring = joined_with("service-out");
    assert!(ring.node(3).log().contains("send chmpx SERVICEIN: its join sticks at 0x11"), "{}", ring.told(3));
}

#[test]
fn a_merge_that_sticks_is_ended_with_both_processes() {
    // Long before it would be ended for the rest of its k2hdkc.
    let ring = joined_with("doing");
    let log = ring.node(3).log();
    let why = "a merge sticks at 0x2121 [SERVICE IN][UP][ADD][Doing][NoSuspend]: chmpx has asked k2hdkc in vain for";
    assert!(log.contains(why) && log.contains("kill chmpx"), "{}", ring.told(3));
}

/// The real one loses some of them (docs/facts.md C29): the agents have k2hdkc stand still until it is asked.
#[test]
fn merges_of_the_agents_do_not_stick_where_chmpx_loses_every_answer_that_comes_at_once() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    ring.write(100, 60).unwrap();
    ring.add(3).unwrap();
    for number in 1..=3 {
        ring.faults(number, "loses-answers = 1.0\n").unwrap();
    }
    ring.tell(&[1, 2, 3], &[100]).unwrap();
    ring.node_mut(3).start().unwrap();
    ring.settled().unwrap();
    ring.all_readable(100, 60).unwrap();
    for number in 1..=3 {
        assert!(!ring.node(number).log().contains("kill chmpx"), "{}", ring.told(number));
    }
}

#[test]
fn a_swallowed_reload_is_written_again_and_nothing_restarts() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    for number in [1, 100] {
        let pid = ring.pid(number, "chmpx").unwrap();
        ring.faults(number, "swallow = 2\n").unwrap();
        let version = ring.node(number).fileversion();
        ring.tell_more(number, &[1, 2], &[100], "RWTIMEOUT = 777").unwrap();
        assert!(
            wait_for(PATIENCE, || ring.node(number).fileversion() >= version + 3),
            "{}",
            ring.told(number)
        );
        ring.settled().unwrap();
        assert_eq!(ring.pid(number, "chmpx"), Some(pid));
        assert!(ring.node(number).log().contains("wrote the same ring again"), "{}", ring.told(number));
    }
}

#[test]
fn a_deaf_chmpx_is_restarted_with_its_k2hdkc() {
    let mut ring = Ring::running(style(), "", 3, 1).unwrap();
    ring.write(100, 60).unwrap();
    for number in [1, 100] {
        let pid = ring.pid(number, "chmpx").unwrap();
        ring.faults(number, "deaf = true\n").unwrap();
        ring.tell_more(number, &[1, 2, 3], &[100], "RWTIMEOUT = 777").unwrap();
        assert!(
            wait_for(PATIENCE, || ring.pid(number, "chmpx").is_some_and(|now| now != pid)),
            "{}",
            ring.told(number)
        );
        ring.faults(number, "").unwrap();
        ring.settled().unwrap();
    }
    ring.all_readable(100, 60).unwrap();
}

#[test]
fn a_silent_chmpx_is_waited_for() {
    let mut ring = Ring::running(style(), "timing.answer-within = \"20s\"", 2, 1).unwrap();
    let pid = ring.pid(1, "chmpx").unwrap();
    ring.faults(1, "silent-ms = 3000\n").unwrap();
    ring.tell_more(1, &[1, 2], &[100], "RWTIMEOUT = 777").unwrap();
    ring.settled().unwrap();
    assert_eq!(ring.pid(1, "chmpx"), Some(pid));
}

#[test]
fn what_killed_processes_left_behind_is_removed() {
    let mut ring = Ring::running(style(), "", 2, 1).unwrap();
    ring.kill(1, "chmpx").unwrap();
    assert!(wait_for(PATIENCE, || !ring.is_settled(1)));
    ring.settled().unwrap();
    let base = ring.node(1).root().join("var/lib/antpickax");
    let left = || {
        std::fs::read_dir(&base).unwrap().flatten().any(|e| e.file_name().to_string_lossy().contains(".bup"))
    };
    assert!(wait_for(PATIENCE, || !left()));
    assert!(ring.node(1).log().contains("remove what killed chmpx processes left behind"));
}
