//! Trove's `database` containers.

use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::trove::{Environment, IMAGE, Layout};
use k2hdkc_tests::environments::{PATIENCE, keys, ready, say};

const KEYS: usize = 20;

#[test]
fn databases_register_serve_rewrite_their_ini_and_come_back() {
    if !ready() {
        return;
    }
    let mut environment = Environment::start(Layout::Database, 0.05, 3, 1).unwrap();
    let begun = Instant::now();
    let address = |number: u32| environment.ground().identity(number).address;
    let serves = |number: u32| {
        environment.server(number).vm().control("SELFSTATUS").is_ok_and(|text| text.contains("[SERVICE IN]"))
    };
    let well = wait_for(PATIENCE, || (1..=3).all(serves));
    assert!(well, "{}", environment.server(1).database().log());
    say(&format!("3 databases in service after {:.1} s", begun.elapsed().as_secs_f64()));
    assert!((1..=3).all(|number| environment.ground().is_member(number)));

    // A slave that somebody started by hand reads and writes.
    environment.start_slave(100).unwrap();
    let slave = environment.slave(100);
    keys::write_at_last(slave, INI, KEYS, PATIENCE).unwrap();
    assert_eq!(keys::readable(slave, INI, KEYS).unwrap(), KEYS);

    // As dbaas.md 4.3 and 8.1 have it.
    let database = environment.server(1).database();
    assert_eq!(
        database.inspect("{{.Name}} {{.Config.Image}} {{.Config.User}}").unwrap(),
        format!("/database {IMAGE} 1001:1001")
    );
    assert_eq!(
        database.inspect("{{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}}").unwrap(),
        "host unless-stopped"
    );
    let chmpx = database.pid("chmpx").unwrap();
    let process = database.processes().unwrap().into_iter().find(|process| process.pid == chmpx).unwrap();
    assert_eq!(process.user, "database");
    say(&format!("database: chmpx is below {}", database.ancestors(chmpx).unwrap().join(" < ")));

    // The helper was started by nohup, so HUP does nothing to it.
    let helper = database.read("/var/run/antpickax/chmpx-service-helper.pid").unwrap();
    database.exec(&["kill", "-HUP", helper.trim()]).unwrap();
    assert_eq!(database.pids("chmpx"), [chmpx]);

    // The loop rewrites, in the same inode, what anybody else puts there; the copy on the volume follows.
    let inode = database.exec(&["stat", "-c", "%i", INI]).unwrap();
    environment.ground().register(101);
    let newcomer = address(101);
    assert!(wait_for(PATIENCE, || database.read(INI).is_ok_and(|text| text.contains(&newcomer))));
    assert_eq!(database.exec(&["stat", "-c", "%i", INI]).unwrap(), inode);
    let copy = environment.server(1).vm().dir().join("k2hdkc/backup_k2hdkc.ini");
    assert!(wait_for(PATIENCE, || std::fs::read_to_string(&copy).is_ok_and(|text| text.contains(&newcomer))));

    // Frozen, it answers nothing; thawed, it does.
    database.pause().unwrap();
    assert_eq!(database.inspect("{{.State.Paused}}").unwrap(), "true");
    database.unpause().unwrap();

    // Made anew, it has lost what was edited inside, and kept what is on a volume.
    database.exec(&["touch", "/etc/antpickax/edited"]).unwrap();
    let id = database.inspect("{{.Id}}").unwrap();
    let begun = Instant::now();
    environment.server(1).recreate().unwrap();
    assert_ne!(database.inspect("{{.Id}}").unwrap(), id);
    assert!(database.read("/etc/antpickax/edited").is_err());
    assert!(wait_for(PATIENCE, || database.pid("k2hdkc").is_some()), "{}", database.log());
    say(&format!("database made anew runs k2hdkc after {:.1} s", begun.elapsed().as_secs_f64()));

    // A daemon that ends takes its containers with it, and brings them back.
    let begun = Instant::now();
    let vm = environment.server_mut(2).unwrap().vm_mut();
    vm.stop_daemon().unwrap();
    vm.start_daemon().unwrap();
    let database = environment.server(2).database();
    assert!(wait_for(PATIENCE, || database.pid("chmpx").is_some()), "{}", database.log());
    say(&format!("daemon restarted, chmpx runs after {:.1} s", begun.elapsed().as_secs_f64()));

    // An agent beside it finds the daemon, and K2HR3.
    let agent = environment.agent(3, "").unwrap();
    assert!(agent.run(&["--version"]).unwrap().status.success());
}
