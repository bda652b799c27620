//! A supervisor that is picked: where chmpx is a unit, it is systemd.

use k2hdkc_agent::process_status::State;
use k2hdkc_agent::supervisor::{Choice, Kind};
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::ready;
use k2hdkc_tests::environments::systemd::{Environment, Shape};

use crate::ring::{LONG, config, pids, settled, status, told};

#[test]
fn where_chmpx_is_a_unit_systemd_is_picked_also_a_masked_one_and_its_remedy_is_told() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Direct, 0.1, 1, 0).unwrap();
    let node = environment.node(1);
    node.systemctl(&["mask", "--runtime", "chmpx.service"]).unwrap();
    let auto = config("").replace("kind = \"systemd\"", "kind = \"auto\"");
    node.start_agent(&auto).unwrap();
    let held = || {
        status(node).and_then(|status| status.processes).is_some_and(|processes| {
            processes.state == State::Held && processes.text.contains("systemctl unmask chmpx.service")
        })
    };
    assert!(wait_for(LONG, held), "{}", told(node));
    let picked = || status(node).and_then(|status| Some((status.agent.supervisor, status.agent.picked?)));
    let why = "systemd has the unit chmpx.service, which is masked".to_owned();
    let masked = ("systemd".to_owned(), Choice { kind: Kind::Systemd, why });
    assert_eq!(picked(), Some(masked.clone()));

    // What was picked stays with its reason, and becomes what it is there for.
    node.systemctl(&["unmask", "--runtime", "chmpx.service"]).unwrap();
    settled(&environment, 1);
    assert_eq!(picked(), Some(masked));
    let log = node.journal("k2hdkc-agent.service");
    assert_eq!(
        log.matches("supervisor: systemd (picked: systemd has the unit chmpx.service").count(),
        1,
        "{log}"
    );

    // A command beside it, or without one, picks for itself.
    assert_eq!(node.exec(&["k2hdkc-agent", "diff"]).unwrap().trim(), "no difference");
    node.systemctl(&["stop", "k2hdkc-agent.service"]).unwrap();
    let once = node.exec(&["k2hdkc-agent", "once"]).unwrap();
    assert!(once.contains("unchanged"), "{once}");
    let asleep = node.output(&["k2hdkc-agent", "status"]).unwrap();
    let asleep = String::from_utf8_lossy(&asleep.stdout).into_owned();
    assert!(
        asleep.contains("supervisor  systemd (picked: systemd has the unit chmpx.service)\n"),
        "{asleep}"
    );
    assert!(pids(node).0.is_some() && pids(node).1.is_some());
}
