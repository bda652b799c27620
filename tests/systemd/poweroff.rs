//! A host that goes down where chmpx and k2hdkc are in no unit: nobody but the agent ends them in order.

use std::time::{Duration, Instant};

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::systemd::{Environment, Shape};
use k2hdkc_tests::environments::{ready, say, settings};

use crate::ring::{LONG, settled};

/// chmpx blocks SIGTERM, and systemd waits so long before it kills what is left at a shutdown.
const KILLED_AFTER: Duration = Duration::from_secs(90);

#[test]
fn before_the_host_goes_down_the_agent_ends_what_it_has_started_and_at_its_own_restart_it_does_not() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Shipped, 0.1, 1, 0).unwrap();
    let node = environment.node(1);
    node.start_agent(&settings("process", "process.user = \"k2hdkc\"\n")).unwrap();
    settled(&environment, 1);
    let leftovers = "find /var/lib/antpickax -name '*.chmpx'";
    assert_ne!(
        node.exec(&["sh", "-c", leftovers]).unwrap(),
        "",
        "chmpx has its memory in a file while it runs"
    );
    let pids = || (node.pid("chmpx").unwrap(), node.pid("k2hdkc").unwrap());
    let before = pids();
    node.systemctl(&["restart", "k2hdkc-agent.service"]).unwrap();
    settled(&environment, 1);
    assert_eq!(pids(), before);

    let begun = Instant::now();
    // What it answers is cut off with everything else.
    let _ = node.output(&["systemctl", "poweroff"]);
    assert!(wait_for(LONG, || !node.is_running()), "{}", node.log());
    let took = begun.elapsed();
    node.start().unwrap();
    assert!(wait_for(LONG, || node.booted().unwrap_or(false)));
    assert_eq!(node.exec(&["sh", "-c", leftovers]).unwrap(), "", "chmpx has removed it at its own end");
    assert!(took < KILLED_AFTER);
    say(&format!(
        "a host with supervisor process went down in {:.1} s, its chmpx and k2hdkc in order",
        took.as_secs_f64()
    ));
}
