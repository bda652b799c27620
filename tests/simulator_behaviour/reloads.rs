//! The effects of a change of the file, case by case as it was measured.

use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::time::UNIX_EPOCH;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::signal::Signal;

use super::{PATIENCE, Solo};

const UNCHANGED: &str = "but it is not changed.";

#[test]
fn every_rename_is_heard_however_quickly_they_follow_each_other() {
    let solo = Solo::start(0);
    for fileversion in 2..60 {
        solo.node.push(&solo.ini(fileversion)).unwrap();
    }
    assert!(solo.node.has_loaded(59), "{}", solo.node.log("chmpx"));
    solo.node.push(&solo.ini(60)).unwrap();
    assert!(solo.node.has_loaded(60));
}

#[test]
fn an_exchange_is_heard() {
    let solo = Solo::start(0);
    for fileversion in 2..5 {
        solo.node.put("next.ini", &solo.ini(fileversion)).unwrap();
        let next = solo.node.root().join("next.ini");
        renameat2(AT_FDCWD, &next, AT_FDCWD, &solo.node.conf(), RenameFlags::RENAME_EXCHANGE).unwrap();
        assert!(solo.node.has_loaded(fileversion), "{}", solo.node.log("chmpx"));
    }
}

#[test]
fn a_section_that_is_appended_in_one_write_is_a_new_server_that_is_down() {
    let solo = Solo::start(0);
    let mut file = File::options().append(true).open(solo.node.conf()).unwrap();
    let section =
        "[SVRNODE]\nNAME = 127.9.9.9\nPORT = 8020\nCTLPORT = 8021\nCUK = cuk-9\nCUSTOM_ID_SEED = node9\n";
    file.write_all(section.as_bytes()).unwrap();
    assert!(solo.node.sees(9, 0x10), "{}", solo.node.log("chmpx"));
}

#[test]
fn a_file_that_does_not_load_ends_it_with_exit_code_0() {
    let broken: [fn(&str) -> String; 7] = [
        |_| String::new(),
        |_| "@@@@ garbage\n".to_owned(),
        |good| good.replace("[SLVNODE]", "[OTHER]"),
        |good| good.replace("[SVRNODE]", "[OTHER]"),
        |good| good.replace("DOMERGE = on", "SSL = maybe"),
        |good| good.replace("\nCUK = cuk-0\n", "\nCUK = cuk-7\n"),
        |good| good.replace("MODE = SERVER", "MODE = SLAVE"),
    ];
    for (number, broken) in broken.iter().enumerate() {
        let mut solo = Solo::start(0);
        solo.node.push(&broken(&solo.ini(2))).unwrap();
        let status = solo.node.ended("chmpx", PATIENCE);
        assert!(status.is_some_and(|status| status.success()), "{number}: {status:?}");
        let log = solo.node.log("chmpx");
        assert!(log.contains("thus this is fatal error.") && log.contains(UNCHANGED), "{log}");
        assert!(!solo.node.root().join("var/lib/antpickax/LAB-8021.chmpx").exists(), "its files are gone");
    }
}

#[test]
fn a_write_in_two_pieces_ends_it() {
    let mut solo = Solo::start(0);
    let ini = solo.ini(2);
    let mut file = File::options().write(true).truncate(true).open(solo.node.conf()).unwrap();
    file.write_all(&ini.as_bytes()[..100]).unwrap();
    let status = solo.node.ended("chmpx", PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

#[test]
fn what_does_not_count_is_read_and_found_unchanged() {
    let solo = Solo::start(0);
    let cases = [
        ("[GLOBAL]\n", "# a comment\n[GLOBAL]\n"),
        ("[GLOBAL]\n", "[GLOBAL]\nNOBODY = knows\n[NEW]\nA = b\n[GLOBAL]\n"),
        ("[GLOBAL]\n", "[GLOBAL]\nDATE = Sun, 22 Nov 2026 00:00:00 +0000\nK2HMASKBIT = 5\n"),
    ];
    for (times, (from, to)) in (1..).zip(cases) {
        solo.node.push(&solo.ini(1).replacen(from, to, 1)).unwrap();
        let heard = wait_for(PATIENCE, || solo.node.log("chmpx").matches(UNCHANGED).count() == times);
        assert!(heard, "{to}: {}", solo.node.log("chmpx"));
    }
}

#[test]
fn a_touch_is_nothing() {
    let solo = Solo::start(0);
    let file = File::open(solo.node.conf()).unwrap();
    // Both times, as touch does: of a new time of change alone the kernel tells as of a write.
    let times = FileTimes::new().set_accessed(UNIX_EPOCH).set_modified(UNIX_EPOCH);
    file.set_times(times).unwrap();
    drop(file);
    solo.node.push(&solo.ini(2)).unwrap();
    assert!(solo.node.has_loaded(2));
    assert_eq!(solo.node.log("chmpx").matches("CheckNotifyEvent").count(), 1, "{}", solo.node.log("chmpx"));
}

#[test]
fn a_file_that_is_away_for_a_moment_is_watched_again_and_one_that_is_away_for_long_never() {
    let solo = Solo::start(0);
    fs::remove_file(solo.node.conf()).unwrap();
    assert!(solo.logs("is deleted(1024)"));
    solo.node.put("chmpx.ini", &solo.ini(2)).unwrap();
    assert!(solo.node.has_loaded(2));
    solo.node.push(&solo.ini(3)).unwrap();
    assert!(solo.node.has_loaded(3));
    fs::rename(solo.node.conf(), solo.node.root().join("away.ini")).unwrap();
    assert!(solo.logs("is moved(2048)"));
    solo.node.push(&solo.ini(4)).unwrap();
    assert!(solo.node.has_loaded(4));
    fs::remove_file(solo.node.conf()).unwrap();
    assert!(solo.logs("then no more watching it."));
    solo.node.put("chmpx.ini", &solo.ini(5)).unwrap();
    solo.node.push(&solo.ini(6)).unwrap();
    assert!(solo.ignores(6));
    assert_eq!(solo.revision(), "4");
}

#[test]
fn a_rename_is_not_heard_while_the_old_inode_lives_on() {
    let solo = Solo::start(0);
    let backup = solo.node.root().join("backup.ini");
    fs::hard_link(solo.node.conf(), &backup).unwrap();
    solo.node.push(&solo.ini(2)).unwrap();
    assert!(solo.ignores(2));
    fs::remove_file(&backup).unwrap();
    assert!(solo.node.has_loaded(2));
    let reader = File::open(solo.node.conf()).unwrap();
    solo.node.push(&solo.ini(3)).unwrap();
    assert!(solo.ignores(3));
    drop(reader);
    assert!(solo.node.has_loaded(3));
}

#[test]
fn a_symlink_that_is_swapped_is_not_heard_and_its_target_is() {
    let mut solo = Solo::start(0);
    solo.node.end("chmpx", Signal::SIGHUP).unwrap();
    let (conf, link) = (solo.node.conf(), solo.node.root().join("link"));
    for (name, fileversion) in [("a.ini", 2), ("b.ini", 3)] {
        solo.node.put(name, &solo.ini(fileversion)).unwrap();
    }
    fs::remove_file(&conf).unwrap();
    std::os::unix::fs::symlink("a.ini", &conf).unwrap();
    solo.node.start_chmpx().unwrap();
    std::os::unix::fs::symlink("b.ini", &link).unwrap();
    fs::rename(&link, &conf).unwrap();
    assert!(solo.ignores(3));
    solo.node.put("c.ini", &solo.ini(4)).unwrap();
    fs::rename(solo.node.root().join("c.ini"), solo.node.root().join("a.ini")).unwrap();
    assert!(solo.node.has_loaded(3), "the path is read, wherever it leads now");
}

#[test]
fn of_changes_during_a_pause_the_last_one_counts() {
    let solo = Solo::start(0);
    solo.node.signal("chmpx", Signal::SIGSTOP).unwrap();
    solo.node.push(&solo.ini(2)).unwrap();
    solo.node.push(&solo.ini(3)).unwrap();
    solo.node.signal("chmpx", Signal::SIGCONT).unwrap();
    assert!(solo.node.has_loaded(3));
}

#[test]
fn group_and_kind_of_id_are_not_changed_by_a_reload_and_the_process_goes_on() {
    let solo = Solo::start(0);
    solo.node.push(&solo.ini(2).replace("GROUP = LAB", "GROUP = LAB2")).unwrap();
    assert!(solo.logs("Could not change groupname(LAB -> LAB2)."));
    assert_eq!((solo.node.dumped("group"), solo.revision()), ("LAB".to_owned(), "1".to_owned()));
}

#[test]
fn replicas_and_automerge_are_taken_live_and_slots_are_not() {
    let solo = Solo::start(0);
    let ini = solo.ini(2).replace("REPLICA = 0", "REPLICA = 2").replace("AUTOMERGE = on", "AUTOMERGE = off");
    solo.node.push(&ini.replace("MAXCHMPX = 64", "MAXCHMPX = 128")).unwrap();
    assert!(solo.node.has_loaded(2));
    let dumped = |name| solo.node.dumped(name);
    assert_eq!((dumped("replica_count"), dumped("automerge in conf")), ("2".to_owned(), "no".to_owned()));
    assert_eq!((dumped("chmpx_count"), dumped("chmpx_free_count")), ("128".to_owned(), "62".to_owned()));
}

#[test]
fn servers_that_have_no_slot_left_are_rows_without_a_name() {
    let solo = Solo::styled(0, Style { global: "MAXCHMPX = 2".to_owned(), ..Style::default() });
    solo.node.push(&solo.stage.ini(0, 2, &[0, 1, 2, 3], &[100])).unwrap();
    assert!(solo.node.has_loaded(2));
    let rows = solo.node.statuses();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows.iter().filter(|row| **row == (String::new(), 0)).count(), 2, "{rows:?}");
}

#[test]
fn a_slave_for_which_there_is_no_slot_is_refused_again_and_again() {
    let mut solo = Solo::styled(0, Style { global: "MAXCHMPX = 2".to_owned(), ..Style::default() });
    let mut slave = solo.stage.node(100).unwrap();
    slave.push(&solo.stage.ini(100, 1, &[0], &[100])).unwrap();
    slave.start_chmpx().unwrap();
    let refused = || solo.node.log("chmpx").matches("No more free CHMPXLIST.").count();
    assert!(wait_for(PATIENCE, || refused() > 2), "{}", solo.node.log("chmpx"));
    assert_eq!((slave.status_of(0), solo.node.dumped("chmpx_slave_count")), (0x10, "0".to_owned()));
    assert!(solo.node.end("chmpx", Signal::SIGHUP).unwrap().success());
}

#[test]
fn a_slave_that_is_not_in_its_new_file_goes_on() {
    let mut solo = Solo::start(100);
    solo.node.push(&solo.stage.ini(100, 2, &[0], &[])).unwrap();
    assert!(solo.node.shows(2));
    assert!(solo.node.end("chmpx", Signal::SIGHUP).unwrap().success());
    assert!(solo.node.start_chmpx().is_err(), "but it does not start again");
}
