//! When a change is installed: additions within a second and together, removals once they were seen again, and
//! what was gone for a blink not at all.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::k2hr3::{Illness, Sickness};
use k2hdkc_simulators::node::{FILE_SOURCE, Node, wait_for};
use k2hdkc_simulators::raw_http;
use k2hdkc_tests::testbed::{Testbed, address, cuk, cuks};

const PATIENCE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

/// Ten questions a second, with the rests that hold by default.
fn polling(guard: &str) -> String {
    format!(
        "[poll]\ninterval = \"100ms\"\nmax-interval = \"100ms\"\njitter = 0.0\nbackoff = \"100ms\"\n\
         max-backoff = \"100ms\"\n[guard]\n{guard}"
    )
}

/// An agent that follows servers 11 to `last`.
fn following(testbed: &Testbed, last: u8, config: &str) -> Node {
    let mut node = testbed.node(testbed.server_plan(11, config)).unwrap();
    node.start().unwrap();
    let first = wait_for(PATIENCE, || node.cuks(Mode::Server) == cuks(11..=last));
    assert!(first, "{}", node.log());
    node
}

/// When the live file had these servers.
fn when_installed(node: &Node, servers: &[String]) -> Instant {
    assert!(wait_for(PATIENCE, || node.cuks(Mode::Server) == servers), "not {servers:?}:\n{}", node.log());
    Instant::now()
}

/// When the first poll after `since` was answered.
fn first_poll(testbed: &Testbed, since: Instant) -> Instant {
    assert!(wait_for(PATIENCE, || !testbed.polls_since(since).is_empty()));
    testbed.polls_since(since)[0].at
}

fn waiting(node: &Node) -> Vec<String> {
    let status = node.status().unwrap();
    let name = |absence: &serde_json::Value| absence["node"]["cuk"].as_str().unwrap().to_owned();
    status["waiting"].as_array().unwrap().iter().map(name).collect()
}

/// A ring of servers 11 to `last` for the file source.
fn source(last: u8, number: u32) -> String {
    let server = |n| format!("[SVRNODE]\nNAME = 127.0.0.{n}\nCUK = cuk-{n}\nCUSTOM_ID_SEED = vm{n}\n");
    let servers: String = (11..=last).map(server).collect();
    format!(
        "[GLOBAL]\nFILEVERSION = 1\nDATE = x\nGROUP = g\nMODE = SERVER\nCHMPXIDTYPE = CUSTOM\nDELIVERMODE = hash\n\
         MAXCHMPX = 256\nREPLICA = 1\nPORT = 8020\nCTLPORT = 8021\nSELFCTLPORT = 8021\nSELFCUK = cuk-11\n\
         RETRYCNT = {}\n{servers}[SLVNODE]\nNAME = 127.0.0.99\nCTLPORT = 8031\nCUK = cuk-99\nCUSTOM_ID_SEED = vm99\n\
         [K2HDKC]\nK2HTYPE = mem\n",
        1000 + number
    )
}

#[test]
fn two_hundred_changes_in_a_moment_are_at_most_three_replacements_and_the_last_is_soon() {
    const CHANGES: u32 = 200;
    let testbed = Testbed::open(1, 1).unwrap();
    let mut node = testbed.node(testbed.server_plan(11, "")).unwrap();
    node.write("etc/k2hdkc-agent/conf.d/10-source.toml", FILE_SOURCE).unwrap();
    node.give(&source(12, 0)).unwrap();
    node.start().unwrap();
    when_installed(&node, &cuks(11..=12));
    assert_eq!(node.fileversion(), 1);

    let start = Instant::now();
    for number in 1..=CHANGES {
        // Spread evenly; a late one is not waited for.
        let due = start + Duration::from_millis(u64::from(number) * 6 - 6);
        wait_for(PATIENCE, || Instant::now() >= due);
        let grown = u8::try_from(number / 4).unwrap();
        node.give(&source(12 + grown, number)).unwrap();
    }
    let last_change = Instant::now();
    assert!(last_change - start < Duration::from_millis(1400), "{:?}", last_change - start);
    let installed = when_installed(&node, &cuks(11..=62));
    let ring = node.ring().unwrap().unwrap().0;
    assert_eq!(ring.global("RETRYCNT"), "1200", "the last of the changes");
    assert!(installed - last_change < SECOND, "{:?}\n{}", installed - last_change, node.log());
    let replacements = node.fileversion() - 1;
    assert!((1..=3).contains(&replacements), "{replacements} replacements:\n{}", node.log());
    node.stop().unwrap();
}

#[test]
fn an_addition_is_installed_within_a_second_of_the_answer_that_shows_it() {
    let testbed = Testbed::open(2, 1).unwrap();
    let mut node = following(&testbed, 12, &polling(""));
    for added in 13..=15 {
        let changed = Instant::now();
        testbed.add_server(added);
        let answered = first_poll(&testbed, changed);
        let installed = when_installed(&node, &cuks(11..=added));
        assert!(installed - answered < SECOND, "{:?}\n{}", installed - answered, node.log());
    }
    assert_eq!(node.fileversion(), 4, "one replacement each");
    node.stop().unwrap();
}

#[test]
fn an_addition_does_not_wait_for_an_end_of_the_changes() {
    // Someone joins every 100 ms: each restarts the rest, so only its bound installs anything.
    let testbed = Testbed::open(2, 1).unwrap();
    let mut node = following(&testbed, 12, &polling(""));
    let start = Instant::now();
    let mut seen = None;
    for (step, added) in (13..=52).enumerate() {
        testbed.add_server(added);
        let due = start + Duration::from_millis(100) * u32::try_from(step + 1).unwrap();
        let installed = wait_for(due.saturating_duration_since(Instant::now()), || node.fileversion() > 1);
        if installed {
            seen = Some(start.elapsed());
            break;
        }
    }
    let seen = seen.unwrap_or_else(|| panic!("nothing within 4 s:\n{}", node.log()));
    assert!(seen < Duration::from_millis(1200), "{seen:?}");
    node.stop().unwrap();
}

#[test]
fn a_removal_waits_for_its_number_of_answers() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, 13, &polling("removal-polls = 12\nremoval-for = \"0ms\"\n"));
    let removed = Instant::now();
    testbed.remove_server(13);
    when_installed(&node, &cuks(11..=12));
    let answers = testbed.polls_since(removed).len();
    assert!((12..=16).contains(&answers), "{answers} answers");
    node.stop().unwrap();
}

#[test]
fn a_removal_waits_for_its_time() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, 13, &polling("removal-polls = 2\nremoval-for = \"2s\"\n"));
    let removed = Instant::now();
    testbed.remove_server(13);
    let answered = first_poll(&testbed, removed);
    let installed = when_installed(&node, &cuks(11..=12));
    let waited = installed - answered;
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(3), "{waited:?}");
    node.stop().unwrap();
}

#[test]
fn the_wait_of_a_removal_goes_on_over_a_restart_of_the_agent() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, 13, &polling("removal-polls = 2\nremoval-for = \"2s\"\n"));
    let removed = Instant::now();
    testbed.remove_server(13);
    assert!(wait_for(PATIENCE, || waiting(&node) == cuks([13])), "{}", node.log());
    node.stop().unwrap();
    node.start().unwrap();
    let installed = when_installed(&node, &cuks(11..=12));
    let waited = installed - removed;
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_millis(3500), "{waited:?}");
    node.stop().unwrap();
}

#[test]
fn additions_go_through_while_a_removal_waits() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, 13, &polling("removal-polls = 2\nremoval-for = \"3s\"\n"));
    let removed = Instant::now();
    testbed.remove_server(13);
    testbed.add_server(14);
    testbed.add_slave(32);
    let added = when_installed(&node, &cuks(11..=14));
    assert!(added - removed < Duration::from_millis(1200), "{:?}", added - removed);
    assert_eq!(node.cuks(Mode::Slave), cuks([31, 32]));
    assert!(wait_for(PATIENCE, || waiting(&node) == cuks([13])), "{}", node.log());
    let gone = when_installed(&node, &cuks([11, 12, 14]));
    assert!(gone - removed >= Duration::from_secs(3), "{:?}", gone - removed);
    assert_eq!(node.fileversion(), 3, "one replacement for what came, one for what went");
    node.stop().unwrap();
}

#[test]
fn a_host_that_is_missing_in_one_answer_stays() {
    let testbed = Testbed::open(3, 2).unwrap();
    // Slow enough that the status between two answers can be read.
    let config = polling("").replace("\"100ms\"", "\"400ms\"");
    let mut node = following(&testbed, 13, &config);
    let before = node.live().unwrap();
    for missing in [12, 31] {
        let sickness = Sickness::WithoutHost { cuk: cuk(missing) };
        testbed.lab().set_illness(Some(Illness::from(sickness).for_answers(1)));
        assert!(wait_for(PATIENCE, || waiting(&node) == cuks([missing])), "{}", node.log());
        assert!(wait_for(PATIENCE, || waiting(&node).is_empty()), "{}", node.log());
        assert_eq!(node.live().unwrap(), before);
    }
    node.stop().unwrap();
}

#[test]
fn the_only_slave_that_is_missing_in_one_answer_stays_and_nobody_stands_in_for_it() {
    let testbed = Testbed::open(3, 1).unwrap();
    let config = polling("").replace("\"100ms\"", "\"400ms\"");
    let mut node = following(&testbed, 13, &config);
    let before = node.live().unwrap();
    let sickness = Sickness::WithoutHost { cuk: cuk(31) };
    testbed.lab().set_illness(Some(Illness::from(sickness).for_answers(1)));
    assert!(wait_for(PATIENCE, || waiting(&node) == cuks([31])), "{}", node.log());
    assert!(wait_for(PATIENCE, || waiting(&node).is_empty()), "{}", node.log());
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}

#[test]
fn a_host_that_registers_again_is_not_noticed() {
    let testbed = Testbed::open(3, 1).unwrap();
    let config = polling("").replace("\"100ms\"", "\"400ms\"");
    let mut node = following(&testbed, 13, &config);
    let before = node.live().unwrap();
    testbed.lab().set_sickness(Some(Sickness::BlinkOnReregister));
    register_again(&testbed, 12);
    assert!(wait_for(PATIENCE, || waiting(&node) == cuks([12])), "{}", node.log());
    assert!(wait_for(PATIENCE, || waiting(&node).is_empty()), "{}", node.log());
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}

/// As the VM's own registration does it, from its own address.
fn register_again(testbed: &Testbed, number: u8) {
    let (role, token) = (&testbed.cluster().server_role, &testbed.cluster().server_token);
    let path = format!("/v1/role/{role}?cuk={}&tag=vm{number}.example&extra=openstack-auto-v1", cuk(number));
    let request =
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nx-auth-token: R={token}\r\nContent-Length: 0\r\n\r\n");
    let from: IpAddr = address(number).parse().unwrap();
    let response = testbed.block_on(raw_http::exchange(testbed.address(), from, request.as_bytes())).unwrap();
    assert_eq!(response.status, 201, "{response:?}");
}
