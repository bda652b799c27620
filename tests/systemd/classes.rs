//! Each kind of change and what it takes: `diff` says it before it happens, and then exactly that happens.

use std::time::Instant;

use k2hdkc_agent::process_status::State;
use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::changes::{CHMPX, Ends, K2HDKC, LIVE, missing};
use k2hdkc_tests::environments::systemd::{Environment, INI, Node, Shape};
use k2hdkc_tests::environments::{Ground, ready, say};

use crate::ring::{LONG, all_readable, config, is_settled, pids, running, settled, status, told};

const SERVERS: [u32; 2] = [1, 2];
const SLAVE: u32 = 100;

const NOT_HERE: &str = "not restarted by the agent: supervisor.restarts is \"servers\"";

/// A change of what K2HR3 says.
struct Change<'a> {
    name: &'a str,
    make: &'a dyn Fn(&Ground),
    /// The words of `diff` about it on server 1 and on the slave, besides other things.
    server: &'a [&'a str],
    slave: &'a [&'a str],
    ends: Ends,
    /// The content of the servers' files then.
    text: &'a str,
}

fn diff(node: &Node) -> String {
    let output = node.output(&["k2hdkc-agent", "diff"]).unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Makes the change while no agent runs, looks, and lets it happen. The slave's chmpx is left as it is.
fn happens(environment: &Environment, change: &Change<'_>) {
    let agent = "k2hdkc-agent.service";
    for node in environment.nodes() {
        node.systemctl(&["stop", agent]).unwrap();
    }
    (change.make)(environment.ground());
    for (number, lines) in [(1, change.server), (SLAVE, change.slave)] {
        let said = diff(environment.node(number));
        assert_eq!(missing(&said, lines), None, "{said}");
    }
    let before = SERVERS.map(|number| pids(environment.node(number)));
    let slave = environment.node(SLAVE).pid("chmpx");

    let begun = Instant::now();
    for node in environment.nodes() {
        node.systemctl(&["start", agent]).unwrap();
    }
    if change.server.iter().any(|line| line.contains("is held")) {
        for node in SERVERS.map(|number| environment.node(number)) {
            let held = || status(node).is_some_and(|status| status.code() == Some(OutcomeKind::Held));
            assert!(wait_for(LONG, held), "{}", told(node));
        }
        for node in SERVERS.map(|number| environment.node(number)) {
            node.exec(&["k2hdkc-agent", "confirm"]).unwrap();
        }
    }
    for (number, before) in SERVERS.into_iter().zip(before) {
        let node = environment.node(number);
        let expected = || change.ends.are_seen(before, pids(node));
        let has = || node.read(INI).is_ok_and(|text| text.contains(change.text));
        assert!(wait_for(LONG, || has() && expected() && is_settled(node, 2)), "{}", told(node));
        assert!(expected(), "{before:?} {}", told(node));
        let (chmpx, k2hdkc) = pids(node);
        let [chmpx, k2hdkc] = [chmpx, k2hdkc].map(|pid| node.started(pid.unwrap()).unwrap());
        assert!(chmpx < k2hdkc, "{}", told(node));
    }
    assert_eq!(environment.node(SLAVE).pid("chmpx"), slave, "{}", told(environment.node(SLAVE)));
    say(&format!(
        "{}: {:?} of 2 servers' processes ended, settled after {:.1} s",
        change.name,
        change.ends,
        begun.elapsed().as_secs_f64()
    ));
}

/// The slave's chmpx waits for its operator, who ends it; the agent starts the next one.
fn by_hand(environment: &Environment) {
    let node = environment.node(SLAVE);
    let held = || {
        status(node).and_then(|status| status.processes).is_some_and(|processes| {
            processes.state == State::Held && processes.text.contains("supervisor.restarts forbids it")
        })
    };
    assert!(wait_for(LONG, held), "{}", told(node));
    let before = node.kill("chmpx", "HUP").unwrap();
    node.runs("chmpx", before.first().copied(), LONG).unwrap();
}

#[test]
fn each_change_takes_what_diff_says_and_nothing_more() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Shape::Direct, 0.1, 2, 1).unwrap();
    running(&environment, &config("timing.restart-stagger = \"1s\"\n"), 2);
    let ground = environment.ground();
    let [first, second] = SERVERS.map(|number| ground.identity(number).address);
    let (slave, more) = (ground.identity(SLAVE).address, ground.identity(110).address);

    happens(
        &environment,
        &Change {
            name: "one more slave",
            make: &|ground| ground.register(110),
            server: &[&format!("+ slave {more}:8031 (node110)   [live: "), LIVE],
            slave: &[&format!("+ slave {more}:8031 (node110)   [live: "), LIVE],
            ends: Ends::Neither,
            text: &more,
        },
    );
    settled(&environment, 2);
    all_readable(&environment);

    happens(
        &environment,
        &Change {
            name: "[K2HDKC] MAXTHREAD",
            make: &|ground| ground.edit_template("MAXTHREAD           = 20", "MAXTHREAD           = 30"),
            server: &["[K2HDKC] MAXTHREAD: \"20\" -> \"30\"   [needs a restart of k2hdkc]", K2HDKC],
            slave: &["no difference"],
            ends: Ends::K2hdkc,
            text: "MAXTHREAD = 30\n",
        },
    );
    settled(&environment, 2);
    all_readable(&environment);

    happens(
        &environment,
        &Change {
            name: "CTLPORT of the slaves",
            make: &|ground| ground.set_key("chmpx-slave-ctlport", 8131),
            server: &[&format!("- slave {slave}:8031"), &format!("+ slave {slave}:8131"), LIVE],
            slave: &[
                &format!("slave {slave}:8131 (node100) CTLPORT: 8031 -> 8131   [needs a restart of chmpx]"),
                "in all: needs a restart of chmpx",
                NOT_HERE,
            ],
            ends: Ends::Neither,
            text: "CTLPORT = 8131\n",
        },
    );
    by_hand(&environment);
    settled(&environment, 2);
    all_readable(&environment);

    happens(
        &environment,
        &Change {
            name: "PORT of the servers",
            make: &|ground| ground.set_key("chmpx-server-port", 8120),
            server: &[
                "[GLOBAL] PORT: \"8020\" -> \"8120\"   [needs a restart of chmpx, then of k2hdkc]",
                &format!("server {first}:8021 (node1) PORT: 8020 -> 8120   [needs a restart of chmpx, then"),
                &format!("{CHMPX}, at once: "),
                "k2hdkc-agent: nothing changed, the answer is held: ",
            ],
            slave: &[
                &format!("server {second}:8021 (node2) PORT: 8020 -> 8120   [needs a restart of chmpx]"),
                NOT_HERE,
            ],
            ends: Ends::Both,
            text: "PORT = 8120\n",
        },
    );
    by_hand(&environment);
    settled(&environment, 2);
    all_readable(&environment);

    happens(
        &environment,
        &Change {
            name: "CTLPORT of the servers",
            make: &|ground| ground.set_key("chmpx-server-ctlport", 8121),
            server: &[
                "[GLOBAL] SELFCTLPORT: \"8021\" -> \"8121\"   [needs a restart of chmpx, then of k2hdkc]",
                &format!(
                    "server {first}:8121 (node1) CTLPORT: 8021 -> 8121   [needs a restart of chmpx, then"
                ),
                &format!("- server {second}:8021 (node2)   [live: "),
                &format!("+ server {second}:8121 (node2)   [live: "),
                &format!("{CHMPX}, at once: "),
                "k2hdkc-agent: nothing changed, the answer is held: ",
            ],
            slave: &[&format!("- server {second}:8021 (node2)   [live: "), LIVE],
            ends: Ends::Both,
            text: "SELFCTLPORT = 8121\n",
        },
    );
    settled(&environment, 2);
    all_readable(&environment);
}
