//! A container for each program.

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::trove::{Environment, Layout};
use k2hdkc_tests::environments::{PATIENCE, ready, say};

#[test]
fn a_container_for_each_program_shares_what_they_meet_in() {
    if !ready() {
        return;
    }
    let mut environment = Environment::start(Layout::Split, 0.1, 2, 0).unwrap();
    let serves = |number: u32| {
        environment.server(number).vm().control("SELFSTATUS").is_ok_and(|text| text.contains("[SERVICE IN]"))
    };
    let well = wait_for(PATIENCE, || (1..=2).all(serves));
    assert!(
        well,
        "{} {:?}",
        environment.server(1).container("k2hdkc").log(),
        environment.server(1).vm().control("SELFSTATUS")
    );
    let server = environment.server(1);
    let (chmpx, k2hdkc) = (server.container("chmpx"), server.container("k2hdkc"));
    assert_eq!((chmpx.pid("chmpx"), chmpx.pid("k2hdkc")), (Some(1), None));
    assert_eq!((k2hdkc.pid("chmpx"), k2hdkc.pid("k2hdkc")), (None, Some(1)));
    chmpx.exec(&["touch", "/dev/shm/shared"]).unwrap();
    k2hdkc.exec(&["test", "-e", "/dev/shm/shared"]).unwrap();
    let shared = server.shared_etc();

    // A rename on the VM is seen inside: the directory is what is shared, not the file.
    let text = std::fs::read_to_string(shared.join("k2hdkc.ini")).unwrap();
    let next = text.replacen("FILEVERSION         = 1\n", "FILEVERSION         = 7\n", 1);
    let parked = shared.join("next");
    std::io::Write::write_all(
        &mut std::fs::File::options().write(true).create(true).truncate(true).open(&parked).unwrap(),
        next.as_bytes(),
    )
    .unwrap();
    std::fs::rename(&parked, shared.join("k2hdkc.ini")).unwrap();
    let is_seven = |line: &str| {
        line.split_once('=').is_some_and(|(key, value)| key.trim() == "cfg_revision" && value.trim() == "7")
    };
    let loaded = || server.vm().control("DUMP").is_ok_and(|text| text.lines().any(is_seven));
    assert!(wait_for(PATIENCE, loaded), "{}", chmpx.log());

    // chmpx as the first process of its container still ends by HUP, and Docker starts it again.
    let started = chmpx.inspect("{{.State.StartedAt}}").unwrap();
    chmpx.kill("chmpx", "HUP").unwrap();
    assert!(wait_for(PATIENCE, || chmpx.inspect("{{.State.StartedAt}}").is_ok_and(|now| now != started)
        && chmpx.pid("chmpx").is_some()));

    // A daemon that is killed is followed by one that answers. Its containers did not come back by themselves here.
    let vm = environment.server_mut(2).unwrap().vm_mut();
    vm.kill_daemon().unwrap();
    let took = vm.start_daemon().unwrap();
    say(&format!("daemon killed, the next one answers after {:.1} s", took.as_secs_f64()));
}
