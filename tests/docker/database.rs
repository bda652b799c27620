//! Trove's container: followed without a death of chmpx, and kept through all that Docker does to it.

use std::time::{Duration, Instant, SystemTime};

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::{by_events, ready, say, settings};

use crate::race;
use crate::ring::{LONG, Ring, TAKES_OVER};

#[test]
fn a_database_follows_without_a_death_and_is_kept_through_kills_pauses_and_new_containers() {
    if !ready() {
        return;
    }
    let mut ring = Ring::unattended_with_keys(2).unwrap();
    race::run(&mut ring);
    ring.all_readable();

    // Where nothing comes or goes, nothing is run inside but once a minute.
    #[expect(clippy::disallowed_methods, reason = "Docker dates its events by the wall clock")]
    let now = SystemTime::now();
    let quiet = Duration::from_secs(8);
    let run = ring.environment.server(1).vm().docker().events("exec_create", now, quiet).unwrap();
    assert!(run <= 1, "{run} programs were run inside within {quiet:?}: {}", ring.told(1));
    let address = ring.environment.ground().identity(110).address;

    // chmpx -9 inside: its helper starts another, and the agent sees to it that k2hdkc is younger.
    // Nothing but an event tells the agent of it.
    let often = settings("docker", TAKES_OVER);
    ring.configure(2, &by_events(&often));
    let logged = ring.agents[&2].log().len();
    let (begun, before) = (Instant::now(), ring.pids(2));
    ring.environment.server(2).database().kill("chmpx", "KILL").unwrap();
    let told = || ring.agents[&2].log().get(logged..).is_some_and(|log| log.contains("process-ended"));
    assert!(wait_for(LONG, told), "{}", ring.told(2));
    say(&format!("kill -9 of chmpx: told by an event after {:.2} s", begun.elapsed().as_secs_f64()));
    let anew = || {
        let now = ring.pids(2);
        now.0.is_some() && now.1.is_some() && now.0 != before.0 && now.1 != before.1
    };
    assert!(wait_for(LONG, anew), "{}", ring.told(2));
    ring.settled();
    ring.all_readable();
    say(&format!("kill -9 of chmpx: both anew and converged after {:.1} s", begun.elapsed().as_secs_f64()));
    ring.configure(2, &often);

    // Frozen, it is left alone; thawed, it goes on with the same processes.
    let before = ring.pids(1);
    let database = ring.environment.server(1).database();
    database.pause().unwrap();
    assert!(wait_for(LONG, || ring.says(1, "is paused")), "{}", ring.told(1));
    ring.environment.ground().register(110);
    database.unpause().unwrap();
    let has = || database.read(INI).is_ok_and(|text| text.contains(&address));
    assert!(wait_for(LONG, has), "{}", ring.told(1));
    ring.settled();
    assert_eq!(ring.pids(1), before);

    // Made anew, its loop is told again, and it comes back into the ring.
    let begun = Instant::now();
    ring.environment.server(2).recreate().unwrap();
    assert!(wait_for(LONG, || ring.is_neutralised(2)), "{}", ring.told(2));
    say(&format!("a new container is told after {:.1} s", begun.elapsed().as_secs_f64()));
    assert!(wait_for(LONG, || ring.pids(2).1.is_some()), "{}", ring.told(2));
    ring.settled();
    ring.all_readable();
    assert!(ring.is_neutralised(2));
    say(&format!("a new container has converged after {:.1} s", begun.elapsed().as_secs_f64()));

    // A daemon that ends is waited for.
    let begun = Instant::now();
    ring.environment.server_mut(1).unwrap().vm_mut().stop_daemon().unwrap();
    assert!(wait_for(LONG, || ring.says(1, "Docker daemon")), "{}", ring.told(1));
    ring.environment.server_mut(1).unwrap().vm_mut().start_daemon().unwrap();
    assert!(wait_for(LONG, || ring.pids(1).1.is_some()), "{}", ring.told(1));
    ring.settled();
    ring.all_readable();
    say(&format!("a daemon that was restarted: converged after {:.1} s", begun.elapsed().as_secs_f64()));
}

#[test]
fn a_loop_that_may_not_be_taken_over_is_told_and_the_file_is_left_to_it() {
    if !ready() {
        return;
    }
    let mut ring = Ring::alone().unwrap();
    ring.employ(1, "").unwrap();
    assert!(wait_for(LONG, || ring.says(1, "or set supervisor.take-over = true")), "{}", ring.told(1));

    // From the next change on the two files differ, and the loop's stays.
    ring.environment.ground().register(110);
    assert!(wait_for(LONG, || ring.says(1, "is another one, and stays so")), "{}", ring.told(1));
    let (database, address) =
        (ring.environment.server(1).database(), ring.environment.ground().identity(110).address);
    let has = || database.read(INI).is_ok_and(|text| text.contains(&address));
    assert!(wait_for(LONG, has), "{}", ring.told(1));
    let live = ring.agents[&1].live().unwrap().text;
    assert!(live.contains(&address) && live != database.read(INI).unwrap());
    assert!(!ring.is_neutralised(1));
}
