//! A supervisor that is picked: where Trove's container is, it is Docker, and stays it without the container.

use std::time::Duration;

use k2hdkc_agent::status::Status;
use k2hdkc_agent::supervisor::Kind;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::environments::ready;
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::trove::{Environment, Layout};

use crate::ring::LONG;

const CONFIG: &str = "\
[poll]
interval = \"300ms\"
jitter = 0.0
settle = \"0ms\"
max-settle = \"0ms\"
[supervisor]
kind = \"auto\"
take-over = true
on-exit = \"stop\"
";

fn status(agent: &Node) -> Option<Status> {
    serde_json::from_slice(&agent.run(&["status", "--json"]).ok()?.stdout).ok()
}

fn text(agent: &Node) -> String {
    let told = agent.run(&["status"]).map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&told).into_owned()
}

fn is_docker(agent: &Node) -> bool {
    text(agent).contains("supervisor  docker (picked: the container database (antpickax/k2hdkc-trove")
}

#[test]
fn where_troves_container_is_docker_is_picked_and_stays_while_it_is_made_anew() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Layout::Database, 0.2, 1, 0).unwrap();
    let database = environment.server(1).database();
    assert!(wait_for(LONG, || database.pid("k2hdkc").is_some()), "{}", database.log());

    // A container that is named and not there is waited for; the programs of the host, if there are any, are left alone.
    let named = format!("{CONFIG}[supervisor.docker]\ncontainer = \"gone\"\n");
    let mut agent = environment.agent(1, &named).unwrap();
    agent.start().unwrap();
    // Before the agent listens, the command picks for itself.
    let lacks = || {
        status(&agent)
            .filter(|status| status.agent.pid.is_some() && status.agent.supervisor == "docker")
            .is_some_and(|status| {
                let lack = "no container is called \"gone\"";
                let told = status.processes.is_some_and(|processes| processes.text.contains(lack));
                told && status.agent.picked.is_some_and(|picked| picked.why.contains(lack))
            })
    };
    assert!(wait_for(LONG, lacks), "{}", agent.log());

    // The usual one is there.
    agent.swap("etc/k2hdkc-agent/agent.toml", CONFIG).unwrap();
    assert!(wait_for(LONG, || is_docker(&agent)), "{}", agent.log());
    let picked = status(&agent).unwrap();
    assert_eq!((&*picked.agent.supervisor, picked.agent.picked.unwrap().kind), ("docker", Kind::Docker));
    // What cannot be had is told in both places.
    let never = "supervisor.on-exit = \"stop\" is not possible with containers";
    assert!(text(&agent).contains(never) && agent.log().contains(never), "{}", agent.log());
    let has = || {
        let live = agent.live().map(|live| live.text);
        live.is_ok_and(|live| database.read(INI).is_ok_and(|inside| inside == live))
    };
    assert!(wait_for(LONG, has), "{}", text(&agent));

    // Gone and settings read again: it waits for the container.
    environment.server(1).remove().unwrap();
    agent.swap("etc/k2hdkc-agent/agent.toml", &format!("{CONFIG}timing.resync-interval = \"1s\"\n")).unwrap();
    assert!(
        wait_for(LONG, || text(&agent).contains("there is no container \"database\"")),
        "{}",
        text(&agent)
    );
    assert!(wait_for(LONG, || agent.log().contains("the configuration was read again")), "{}", agent.log());
    assert_eq!(status(&agent).unwrap().agent.supervisor, "docker");
    environment.server(1).create().unwrap();
    assert!(wait_for(LONG, || database.pid("chmpx").is_some()), "{}", database.log());

    // Without an agent, the command picks for itself; and the end of the agent is not one of the processes.
    assert!(agent.stop().unwrap() < Duration::from_secs(10), "{}", agent.log());
    assert!(agent.log().contains("chmpx and k2hdkc are left as they are"), "{}", agent.log());
    assert!(is_docker(&agent), "{}", text(&agent));
}
