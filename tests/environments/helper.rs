//! Units with a service helper in between, and the incumbent's timer.

use std::time::{Duration, Instant};

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, INI, Shape};
use k2hdkc_tests::environments::{PATIENCE, ready, say};

const RUN: &str = "/var/run/antpickax";

#[test]
fn a_helper_keeps_chmpx_behind_sudo_and_only_hup_ends_it() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Helper, 0.1, 1, 0).unwrap();
    let node = environment.node(1);
    node.systemctl(&["start", "chmpx.service", "k2hdkc.service"]).unwrap();
    // It waits for an ini, and the unit is active meanwhile.
    assert_eq!((node.state("chmpx.service"), node.pid("chmpx")), ("active".to_owned(), None));
    let begun = Instant::now();
    node.fetch_ini().unwrap();
    let chmpx = node.runs("chmpx", None, PATIENCE).unwrap();
    let k2hdkc = node.runs("k2hdkc", None, PATIENCE).unwrap();
    say(&format!("helpers: k2hdkc {:.1} s after the ini", begun.elapsed().as_secs_f64()));
    assert!(k2hdkc > chmpx);

    // The pid file has the number of sudo; the program is further down.
    let helper = node.main_pid("chmpx.service");
    let noted: u32 = node.read(&format!("{RUN}/chmpx.pid")).unwrap().trim().parse().unwrap();
    assert_eq!(node.read(&format!("{RUN}/chmpx-service-helper.pid")).unwrap().trim(), helper.to_string());
    let processes = node.processes().unwrap();
    let find = |pid: u32| processes.iter().find(|process| process.pid == pid).unwrap();
    assert_eq!((find(noted).comm.as_str(), find(noted).parent), ("sudo", helper));
    let ancestors = node.ancestors(chmpx).unwrap();
    say(&format!("helpers: chmpx is below {}", ancestors.join(" < ")));
    assert_eq!(ancestors[0], "sudo");
    assert_eq!(find(chmpx).user, "k2hdkc");

    // TERM does nothing to it, HUP ends it, and the helper starts another; systemd has not restarted anything.
    node.kill("chmpx", "TERM").unwrap();
    assert!(node.control("VERSION").unwrap().contains("Version 1.0"));
    assert_eq!(node.pids("chmpx"), [chmpx]);
    let begun = Instant::now();
    node.kill("chmpx", "HUP").unwrap();
    node.runs("chmpx", Some(chmpx), PATIENCE).unwrap();
    say(&format!("helpers: the next chmpx {:.1} s after HUP", begun.elapsed().as_secs_f64()));
    assert_eq!(
        (node.main_pid("chmpx.service"), node.show("chmpx.service", "NRestarts")),
        (helper, "0".into())
    );
    assert_eq!(node.pids("k2hdkc"), [k2hdkc]);

    // HUP to what the pid file names ends it as well: sudo hands it on.
    let before = node.pid("chmpx");
    node.exec(&["sh", "-c", &format!("kill -HUP $(cat {RUN}/chmpx.pid)")]).unwrap();
    node.runs("chmpx", before, PATIENCE).unwrap();

    // The helper's own end stops the program, and systemd starts the helper again.
    node.exec(&["kill", "-TERM", &helper.to_string()]).unwrap();
    assert!(wait_for(PATIENCE, || ![0, helper].contains(&node.main_pid("chmpx.service"))));
    node.systemctl(&["stop", "chmpx.service"]).unwrap();
    assert_eq!((node.state("chmpx.service").as_str(), node.pid("chmpx")), ("inactive", None));
}

#[test]
fn the_incumbents_timer_kills_chmpx_by_writing_in_place() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Helper, 0.05, 1, 0).unwrap();
    let node = environment.node(1);
    node.systemctl(&["start", "chmpx.service", "k2hr3-get-resource.timer"]).unwrap();
    node.runs("chmpx", None, PATIENCE).unwrap();
    let inode = || node.exec(&["stat", "-c", "%i", INI]).unwrap();
    let (first, rounds) = (inode(), 10);
    let mut died = 0;
    for round in 0..rounds {
        assert!(wait_for(PATIENCE, || node.chmpxstatus().is_ok()));
        let before = node.pid("chmpx").unwrap();
        let host = environment.ground().identity(100).address;
        if round % 2 == 0 {
            environment.ground().register(100);
        } else {
            environment.ground().deregister(100);
        }
        let follows = || node.read(INI).is_ok_and(|text| text.contains(&host) == (round % 2 == 0));
        assert!(wait_for(PATIENCE, follows), "{}", node.journal("k2hr3-get-resource.service"));
        // Dead, or alive with the new file: one of the two is seen.
        let loaded = || {
            let text = node.exec(&["chmpxstatus", "-conf", INI]).unwrap_or_default();
            text.contains("[SLAVE") && text.contains(&host)
        };
        let ended = || node.pid("chmpx") != Some(before);
        let seen = wait_for(Duration::from_secs(3), || ended() || (round % 2 == 0 && loaded()));
        died += usize::from(seen && ended());
        node.runs("chmpx", None, PATIENCE).unwrap();
    }
    say(&format!("the incumbent: {died} of {rounds} changes ended chmpx"));
    assert_eq!(inode(), first, "it writes in place");
    assert!(died > 0);
}
