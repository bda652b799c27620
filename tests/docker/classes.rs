//! Each kind of change and what it takes in Trove's container: `diff` says it before it happens, and then exactly that happens.
//! A chmpx is not started by the agent there: the agent ends it, and its helper starts the next one on the new file.

use std::time::Instant;

use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::changes::{CHMPX, Ends, K2HDKC, LIVE, missing};
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::trove::Layout;
use k2hdkc_tests::environments::{Ground, ready, say};

use crate::ring::{LONG, Ring};

const SERVERS: [u32; 2] = [1, 2];

/// A change of what K2HR3 says.
struct Change<'a> {
    name: &'a str,
    make: &'a dyn Fn(&Ground),
    /// The words of `diff` about it on server 1, besides other things.
    says: &'a [&'a str],
    ends: Ends,
    /// The content of the files in the containers then.
    text: &'a str,
}

fn diff(ring: &Ring, number: u32) -> String {
    let output = ring.agents[&number].run(&["diff"]).unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Makes the change while no agent runs, looks, and lets it happen.
fn happens(ring: &mut Ring, change: &Change<'_>) {
    for agent in ring.agents.values_mut() {
        agent.stop().unwrap();
    }
    (change.make)(ring.environment.ground());
    let said = diff(ring, 1);
    assert_eq!(missing(&said, change.says), None, "{said}");
    let before = SERVERS.map(|number| ring.pids(number));

    let begun = Instant::now();
    for agent in ring.agents.values_mut() {
        agent.start().unwrap();
    }
    if change.says.iter().any(|line| line.contains("is held")) {
        for number in SERVERS {
            let held = || ring.status(number).is_some_and(|status| status.code() == Some(OutcomeKind::Held));
            assert!(wait_for(LONG, held), "{}", ring.told(number));
        }
        for number in SERVERS {
            assert!(ring.agents[&number].run(&["confirm"]).unwrap().status.success());
        }
    }
    for (number, before) in SERVERS.into_iter().zip(before) {
        let database = ring.container(number, "chmpx");
        let expected = || change.ends.are_seen(before, ring.pids(number));
        let has = || database.read(INI).is_ok_and(|text| text.contains(change.text));
        assert!(wait_for(LONG, || has() && ring.is_settled(number) && expected()), "{}", ring.told(number));
        let (chmpx, k2hdkc) = ring.pids(number);
        let [chmpx, k2hdkc] = [chmpx, k2hdkc].map(|pid| database.started(pid.unwrap()).unwrap());
        assert!(chmpx < k2hdkc, "{}", ring.told(number));
    }
    say(&format!(
        "{}: {:?} of 2 containers' processes ended, settled after {:.1} s",
        change.name,
        change.ends,
        begun.elapsed().as_secs_f64()
    ));
}

/// No agent cares for the slave: its chmpx is started anew on the new file, as its operator does it.
fn slave_by_hand(ring: &Ring) {
    let slave = ring.environment.slave(100);
    slave.kill("chmpx", "HUP").unwrap();
    assert!(wait_for(LONG, || slave.pid("chmpx").is_none()));
    ring.environment.start_slave(100).unwrap();
}

#[test]
fn each_change_takes_what_diff_says_and_nothing_more() {
    if !ready() {
        return;
    }
    let mut ring =
        Ring::start(Layout::Database, 2, "take-over = true\ntiming.restart-stagger = \"1s\"\n").unwrap();
    let [first, second, more] = [1, 2, 110].map(|number| ring.environment.ground().identity(number).address);

    happens(
        &mut ring,
        &Change {
            name: "one more slave",
            make: &|ground| ground.register(110),
            says: &[&format!("+ slave {more}:8031 (node110)   [live: "), LIVE],
            ends: Ends::Neither,
            text: &more,
        },
    );
    ring.all_readable();

    happens(
        &mut ring,
        &Change {
            name: "[K2HDKC] MAXTHREAD",
            make: &|ground| ground.edit_template("MAXTHREAD           = 20", "MAXTHREAD           = 30"),
            says: &["[K2HDKC] MAXTHREAD: \"20\" -> \"30\"   [needs a restart of k2hdkc]", K2HDKC],
            ends: Ends::K2hdkc,
            text: "MAXTHREAD = 30\n",
        },
    );
    ring.all_readable();

    happens(
        &mut ring,
        &Change {
            name: "PORT of the servers",
            make: &|ground| ground.set_key("chmpx-server-port", 8120),
            says: &[
                "[GLOBAL] PORT: \"8020\" -> \"8120\"   [needs a restart of chmpx, then of k2hdkc]",
                &format!("server {first}:8021 (node1) PORT: 8020 -> 8120   [needs a restart of chmpx, then"),
                &format!("{CHMPX}, at once: "),
                "k2hdkc-agent: nothing changed, the answer is held: ",
            ],
            ends: Ends::Both,
            text: "PORT = 8120\n",
        },
    );
    slave_by_hand(&ring);
    ring.all_readable();

    happens(
        &mut ring,
        &Change {
            name: "CTLPORT of the servers",
            make: &|ground| ground.set_key("chmpx-server-ctlport", 8121),
            says: &[
                "[GLOBAL] SELFCTLPORT: \"8021\" -> \"8121\"   [needs a restart of chmpx, then of k2hdkc]",
                &format!(
                    "server {first}:8121 (node1) CTLPORT: 8021 -> 8121   [needs a restart of chmpx, then"
                ),
                &format!("- server {second}:8021 (node2)   [live: "),
                &format!("+ server {second}:8121 (node2)   [live: "),
                &format!("{CHMPX}, at once: "),
                "k2hdkc-agent: nothing changed, the answer is held: ",
            ],
            ends: Ends::Both,
            text: "SELFCTLPORT = 8121\n",
        },
    );
    ring.all_readable();
}
