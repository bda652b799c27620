//! One container for each program: the daemon starts what ended, and what it does not, the agent does.

use std::time::Instant;

use k2hdkc_sandbox::node::wait_for;
use k2hdkc_sandbox::worlds::systemd::INI;
use k2hdkc_sandbox::worlds::trove::Layout;
use k2hdkc_sandbox::worlds::{ready, say};

use crate::ring::{LONG, Ring};

const CONTAINERS: &str = "[target.docker]\nchmpx-container = \"chmpx\"\nk2hdkc-container = \"k2hdkc\"\n";

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
    let address = ring.world.ground().identity(110).address;
    for change in 0..20u32 {
        let listed = change % 2 == 0;
        if listed {
            ring.world.ground().register(110);
        } else {
            ring.world.ground().deregister(110);
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
