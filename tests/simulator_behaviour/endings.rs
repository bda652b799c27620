//! Signals, ends, starts and what they leave behind.

use std::os::unix::process::ExitStatusExt as _;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::{Node, Stage, Style};
use nix::sys::signal::Signal;

use super::{MOMENT, PATIENCE, Solo};

fn files(node: &Node) -> Vec<String> {
    let entries = std::fs::read_dir(node.root().join("var/lib/antpickax")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn only_hup_and_int_end_it_and_leave_nothing() {
    for signal in [Signal::SIGHUP, Signal::SIGINT] {
        let mut solo = Solo::start(0);
        for ignored in [Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGUSR2, Signal::SIGALRM, Signal::SIGPIPE] {
            solo.node.signal("chmpx", ignored).unwrap();
        }
        assert_eq!(solo.node.ended("chmpx", MOMENT), None);
        assert!(solo.node.ask("VERSION").unwrap().starts_with("Version"));
        let status = solo.node.end("chmpx", signal).unwrap();
        assert_eq!((status.code(), files(&solo.node)), (Some(0), Vec::new()));
    }
}

#[test]
fn usr1_turns_the_level_of_the_log_and_says_so() {
    let solo = Solo::start(0);
    solo.node.signal("chmpx", Signal::SIGUSR1).unwrap();
    assert!(solo.logs("MESSAGE: Caught signal SIGUSR1, bumpup the logging level to DMP."));
    solo.node.signal("chmpx", Signal::SIGUSR1).unwrap();
    assert!(solo.logs("bumpup the logging level to SLT."));
}

#[test]
fn a_killed_one_leaves_its_files_and_the_next_moves_them_away() {
    let mut solo = Solo::start(0);
    assert_eq!(solo.node.end("chmpx", Signal::SIGKILL).unwrap().signal(), Some(9));
    assert_eq!(files(&solo.node), ["LAB-8021.chmpx", "LAB-8021.k2h"]);
    assert_eq!(solo.node.chmpxstatus(&["-self"]).unwrap().status.code(), Some(1), "nobody holds the lock");
    solo.node.start_chmpx().unwrap();
    assert_eq!(files(&solo.node), ["LAB-8021.chmpx", "LAB-8021.chmpx.bup", "LAB-8021.k2h"]);
    assert_eq!(solo.node.chmpxstatus(&["-self"]).unwrap().status.code(), Some(0));
}

#[test]
fn hup_right_after_its_k2hdkc_is_sigsegv_and_a_moment_later_it_is_not() {
    for later in [false, true] {
        let mut solo = Solo::start(0);
        solo.node.start_k2hdkc(&[]).unwrap();
        assert!(solo.node.sees(0, 0x21), "{}", solo.node.log("chmpx"));
        solo.node.end("k2hdkc", Signal::SIGTERM).unwrap();
        if later {
            assert!(solo.node.sees(0, 0x10021));
        }
        let status = solo.node.end("chmpx", Signal::SIGHUP).unwrap();
        let expected = if later { (Some(0), None) } else { (None, Some(11)) };
        assert_eq!((status.code(), status.signal()), expected);
    }
}

#[test]
fn a_second_instance_takes_the_memory_of_the_first_which_lives_on() {
    let mut solo = Solo::start(0);
    let mut second = solo.node.command("chmpx", &[]).spawn().unwrap();
    let pid = || {
        let text = String::from_utf8(solo.node.chmpxstatus(&[]).unwrap().stdout).unwrap();
        text.lines().next().and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
    };
    assert!(wait_for(PATIENCE, || pid() == Some(second.id())), "the memory is the second one's");
    assert!(files(&solo.node).contains(&"LAB-8021.chmpx.bup".to_owned()));
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(solo.node.ask("VERSION").unwrap().starts_with("Version"), "the first one answers");
    assert!(solo.node.end("chmpx", Signal::SIGHUP).unwrap().success());
}

#[test]
fn what_a_start_refuses_is_exit_code_1_and_a_sentence_on_stdout() {
    let solo = Solo::start(0);
    let stage = &solo.stage;
    let good = stage.ini(1, 1, &[0, 1], &[100]);
    let slave = stage.ini(101, 1, &[0, 1], &[100]);
    for ini in [
        String::new(),
        good.replace("GROUP = LAB", "GROUP = a/b"),
        good.replace("GROUP = LAB", "GROUP ="),
        good.replace("DOMERGE = on", "MAXQPERSERVERMQ = 0"),
        slave,
    ] {
        let node = stage.node(if ini.contains("SLAVE") { 101 } else { 1 }).unwrap();
        node.push(&ini).unwrap();
        let output = node.command("chmpx", &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{ini}");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("ERROR: Could not initialize process."));
    }
    for (line, signal) in [("MAXCHMPX = 0", 11), ("MQPERATTACH = 0", 8)] {
        let node = stage.node(1).unwrap();
        node.push(&good.replace("DOMERGE = on", line)).unwrap();
        assert_eq!(node.command("chmpx", &[]).status().unwrap().signal(), Some(signal), "{line}");
    }
}

#[test]
fn a_port_that_somebody_else_has_is_exit_code_1() {
    let stage = Stage::new(Style::default()).unwrap();
    let node = stage.node(0).unwrap();
    node.push(&stage.ini(0, 1, &[0], &[100])).unwrap();
    let _busy = std::net::TcpListener::bind((node.address.as_str(), 8021)).unwrap();
    assert_eq!(node.command("chmpx", &[]).output().unwrap().status.code(), Some(1));
}

#[test]
fn k2hdkc_does_not_start_without_its_section_its_directory_or_chmpx() {
    let mut solo = Solo::start(0);
    let start = |node: &Node| node.command("k2hdkc", &[]).output().unwrap();
    solo.node.push(&solo.ini(1).replace("[K2HDKC]", "[OTHER]")).unwrap();
    assert_eq!(start(&solo.node).status.code(), Some(1));
    solo.node.push(&solo.ini(1).replace("/data/", "/nowhere/")).unwrap();
    assert_eq!(start(&solo.node).status.code(), Some(1));
    solo.node.push(&solo.ini(1)).unwrap();
    solo.node.end("chmpx", Signal::SIGHUP).unwrap();
    let output = start(&solo.node);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Failed to initialize control main object"), "{text}");
}

#[test]
fn k2hdkc_without_its_chmpx_ends_at_once_or_when_chmpx_is_back() {
    let mut patient = Solo::start(0);
    patient.node.start_k2hdkc(&["-no_giveup_rejoin"]).unwrap();
    assert!(patient.node.sees(0, 0x21));
    assert!(patient.node.end("chmpx", Signal::SIGHUP).unwrap().success());
    assert!(wait_for(PATIENCE, || patient.node.log("k2hdkc").contains("chmpx is gone")));
    patient.node.signal("k2hdkc", Signal::SIGTERM).unwrap();
    assert_eq!(patient.node.ended("k2hdkc", MOMENT), None);
    patient.node.start_chmpx().unwrap();
    assert!(patient.node.ended("k2hdkc", PATIENCE).is_some_and(|status| status.success()));

    let mut hasty = Solo::start(0);
    hasty.node.start_k2hdkc(&[]).unwrap();
    assert!(hasty.node.sees(0, 0x21));
    assert!(hasty.node.end("chmpx", Signal::SIGHUP).unwrap().success());
    assert!(hasty.node.end("k2hdkc", Signal::SIGTERM).unwrap().success());
}

#[test]
fn chmpxstatus_waits_for_what_it_is_told() {
    let mut solo = Solo::start(0);
    let wait = |solo: &Solo, words: &str| {
        let mut arguments = vec!["-self", "-wait", "-timeout", "5"];
        arguments.extend(words.split(' '));
        let output = solo.node.chmpxstatus(&arguments).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(wait(&solo, "-live up -ring serviceout -suspend"), (Some(0), "SUCCEED\n".to_owned()));
    let vain = solo.node.chmpxstatus(&["-wait", "-live", "up", "-ring", "slave", "-timeout", "0"]).unwrap();
    assert_eq!((vain.status.code(), vain.stdout), (Some(1), b"FAILED\n".to_vec()));
    solo.node.start_k2hdkc(&[]).unwrap();
    assert_eq!(wait(&solo, "-live up -ring servicein -nosuspend"), (Some(0), "SUCCEED\n".to_owned()));
    solo.node.end("k2hdkc", Signal::SIGTERM).unwrap();
    assert!(solo.node.sees(0, 0x10021));
    solo.node.end("chmpx", Signal::SIGHUP).unwrap();
    assert_eq!(wait(&solo, "-live down"), (Some(0), "SUCCEED\n".to_owned()));
}
