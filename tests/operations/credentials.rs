//! The identity of the node, and its proof to K2HR3.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k2hdkc_agent::clock::Clock;
use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::k2hr3::Request;
use k2hdkc_simulators::node::{Node, Plan, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuks};

use super::{PATIENCE, SELDOM, SOON, following, start};

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
const TOKEN: &str = "etc/antpickax/k2hr3-role-token";
const KEPT: &str = "var/lib/k2hdkc-agent/address-token.json";
const UNKNOWN_TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A node that is not started, without a token, which comes from the address with which it is registered.
fn without_token(testbed: &Testbed, auth: &str) -> Node {
    let from = format!("[k2hr3]\nsource-address = \"{OWN}\"\nauth = \"{auth}\"\n");
    let plan = Plan { token: None, ..testbed.server_plan(11, &FAST.replace("[k2hr3]\n", &from)) };
    testbed.node(plan).unwrap()
}

/// Requests for a token.
fn minting(testbed: &Testbed) -> Vec<Request> {
    let requests = testbed.lab().requests().into_iter();
    requests.filter(|request| request.path.starts_with("/v1/role/token/")).collect()
}

fn wait_for_polls(testbed: &Testbed, count: usize) -> Vec<Request> {
    let since = Instant::now();
    assert!(wait_for(PATIENCE, || testbed.polls_since(since).len() >= count));
    testbed.polls_since(since)
}

fn kept_token(node: &Node) -> String {
    let kept: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(node.root().join(KEPT)).unwrap()).unwrap();
    kept["token"].as_str().unwrap().to_owned()
}

#[test]
fn with_a_role_token_nothing_else_is_told() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let path = format!("/v1/resource/{}", testbed.cluster().server_resource);
    for poll in wait_for_polls(&testbed, 3) {
        assert_eq!((poll.path.as_str(), poll.status), (path.as_str(), 304));
    }
    assert_eq!(minting(&testbed), []);
    node.stop().unwrap();
}

#[test]
fn without_a_token_the_source_address_speaks() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = without_token(&testbed, "auto");
    start(&mut node);
    for poll in wait_for_polls(&testbed, 3) {
        assert_eq!((poll.peer, poll.status), (OWN, 304));
        assert!(
            poll.path.ends_with("?role=yrn%3Ayahoo%3A%3A%3Atenant0%3Arole%3Amycluster%2Fserver&cuk=cuk-11"),
            "{poll:?}"
        );
    }
    assert_eq!(minting(&testbed), []);
    node.stop().unwrap();
}

#[test]
fn where_the_token_is_refused_the_source_address_is_next() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = without_token(&testbed, "auto");
    node.write(TOKEN, UNKNOWN_TOKEN).unwrap();
    let since = Instant::now();
    start(&mut node);
    let statuses: Vec<u16> = testbed.polls_since(since).iter().map(|poll| poll.status).collect();
    assert_eq!(statuses[..2], [401, 200]);
    node.stop().unwrap();
}

#[test]
fn a_new_token_is_used_as_soon_as_it_is_there() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = testbed
        .node(Plan { token: Some(UNKNOWN_TOKEN.to_owned()), ..testbed.server_plan(11, SELDOM) })
        .unwrap();
    let since = Instant::now();
    node.start().unwrap();
    assert!(
        wait_for(PATIENCE, || testbed.polls_since(since).iter().any(|poll| poll.status == 401)),
        "{}",
        node.log()
    );
    node.swap(TOKEN, &testbed.cluster().server_token).unwrap();
    let followed = wait_for(SOON, || node.cuks(Mode::Server) == cuks(11..=13));
    assert!(followed, "{:#?}\n{}", testbed.polls_since(since), node.log());
    node.stop().unwrap();
}

#[test]
fn user_data_that_comes_after_the_start_is_taken_at_once() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = testbed.node(testbed.server_plan(11, SELDOM)).unwrap();
    let names = ["k2hr3-api-uri", "k2hr3-role-name", "k2hr3-cuk", "k2hr3-role-token"];
    let texts = names.map(|name| fs::read_to_string(node.root().join("etc/antpickax").join(name)).unwrap());
    for name in names {
        fs::remove_file(node.root().join("etc/antpickax").join(name)).unwrap();
    }
    fs::remove_file(node.root().join("var/lib/cloud/data/instance-id")).unwrap();
    node.start().unwrap();
    let missing = || node.log().contains("waiting for") && node.log().contains("k2hr3-api-uri");
    assert!(wait_for(PATIENCE, missing), "{}", node.log());
    for (name, text) in names.iter().zip(&texts) {
        node.write(&format!("etc/antpickax/{name}"), text).unwrap();
    }
    let followed = wait_for(SOON, || node.cuks(Mode::Server) == cuks(11..=13));
    assert!(followed, "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn user_data_whose_directory_comes_after_the_start_is_taken_at_once_too() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = testbed.node(testbed.server_plan(11, SELDOM)).unwrap();
    let (own, away) = (node.root().join("etc/antpickax"), node.root().join("away"));
    fs::rename(&own, &away).unwrap();
    node.start().unwrap();
    assert!(wait_for(PATIENCE, || node.log().contains("waiting for")), "{}", node.log());
    fs::rename(&away, &own).unwrap();
    let followed = wait_for(SOON, || node.cuks(Mode::Server) == cuks(11..=13));
    assert!(followed, "{}", node.log());
    node.stop().unwrap();
}

#[test]
fn an_address_token_is_made_once_and_kept_privately_over_a_restart() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = without_token(&testbed, "address-token");
    start(&mut node);
    wait_for_polls(&testbed, 5);
    let token = kept_token(&node);
    assert_eq!(node.root().join(KEPT).metadata().unwrap().mode() & 0o7777, 0o600);
    node.stop().unwrap();
    start(&mut node);
    for poll in wait_for_polls(&testbed, 5) {
        assert_eq!((poll.peer, poll.path.contains('?')), (OWN, false), "asked with the token: {poll:?}");
    }
    assert_eq!(kept_token(&node), token);
    let made: Vec<_> = minting(&testbed)
        .iter()
        .map(|request| (request.status, request.path.contains("?cuk=cuk-11")))
        .collect();
    assert_eq!(made, [(200, true)]);
    node.stop().unwrap();
}

#[test]
fn an_address_token_whose_age_is_not_known_is_renewed_with_itself() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = without_token(&testbed, "address-token");
    start(&mut node);
    node.stop().unwrap();
    let now = Clock::of_host().now();
    let (of_this_boot, of_the_wall) = (serde_json::json!(now.boot), serde_json::json!(now.wall));
    let mut of_another = of_this_boot.clone();
    of_another["boot"] = "00000000-0000-0000-0000-000000000001".into();
    for (obtained_at, renewed) in [(of_this_boot, false), (of_another, true), (of_the_wall, true)] {
        let token = kept_token(&node);
        node.write(KEPT, &serde_json::json!({"token": token, "obtained_at": obtained_at}).to_string())
            .unwrap();
        start(&mut node);
        wait_for_polls(&testbed, 3);
        node.stop().unwrap();
        assert_eq!(kept_token(&node) != token, renewed, "{obtained_at}");
    }
    // The first one by the address, the others with the one before.
    let made: Vec<_> =
        minting(&testbed).iter().map(|request| (request.status, request.path.contains('?'))).collect();
    assert_eq!(made, [(200, true), (200, false), (200, false)]);
}

#[test]
fn an_address_token_that_expired_after_all_gives_way_to_the_bare_address() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = without_token(&testbed, "address-token");
    start(&mut node);
    let before = node.live().unwrap();
    let since = Instant::now();
    testbed.lab().advance_clock(Duration::from_hours(25));
    let by_address =
        || testbed.polls_since(since).iter().any(|poll| poll.path.contains("?role=") && poll.status < 400);
    assert!(wait_for(PATIENCE, by_address), "{}", node.log());
    assert!(testbed.polls_since(since).iter().any(|poll| poll.status == 401));
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}

#[test]
fn no_token_is_in_the_log_the_status_the_arguments_or_the_state() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut secrets = vec![testbed.cluster().server_token.clone(), UNKNOWN_TOKEN.to_owned()];
    let trace = FAST.replace("level = \"debug\"", "level = \"trace\"");

    let mut refused = testbed
        .node(Plan { token: Some(UNKNOWN_TOKEN.to_owned()), ..testbed.server_plan(12, &trace) })
        .unwrap();
    let mut node = without_token(&testbed, "address-token");
    node.write("etc/k2hdkc-agent/conf.d/50-log.toml", "[log]\nlevel = \"trace\"\n").unwrap();
    start(&mut node);
    secrets.push(kept_token(&node));
    node.write("etc/k2hdkc-agent/conf.d/60-auth.toml", "[k2hr3]\nauth = \"auto\"\n").unwrap();
    node.write(TOKEN, &testbed.cluster().server_token).unwrap();
    // K2HR3 says the token that it refuses.
    refused.start().unwrap();
    assert!(wait_for(PATIENCE, || refused.log().contains("token(***) is not existed")), "{}", refused.log());
    wait_for_polls(&testbed, 10);

    for node in [&mut node, &mut refused] {
        let cmdline = fs::read(format!("/proc/{}/cmdline", node.pid().unwrap())).unwrap();
        let environment = fs::read(format!("/proc/{}/environ", node.pid().unwrap())).unwrap();
        let mut texts = vec![("cmdline".into(), cmdline), ("environ".into(), environment)];
        for arguments in [&["status"][..], &["status", "--json"], &["-vv", "render"], &["-vv", "diff"]] {
            let output = node.run(arguments).unwrap();
            texts.push((format!("{arguments:?}").into(), [output.stdout, output.stderr].concat()));
        }
        let meant = [node.root().join(TOKEN), node.root().join(KEPT)];
        let files = files_below(node.root()).into_iter().filter(|path| !meant.contains(path));
        texts.extend(files.map(|path| (path.clone(), fs::read(&path).unwrap())));
        assert!(texts.iter().any(|(path, _)| path.ends_with("agent.log")), "{texts:?}");
        for (place, text) in texts {
            let text = String::from_utf8_lossy(&text).into_owned();
            let found: Vec<_> = secrets.iter().filter(|secret| text.contains(&secret[..16])).collect();
            assert!(found.is_empty(), "{}: {found:?}", place.display());
        }
        node.stop().unwrap();
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.metadata().unwrap() {
            metadata if metadata.is_dir() => files_below(&path),
            metadata if metadata.is_file() => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_token_that_everybody_may_read_is_noted() {
    use std::os::unix::fs::PermissionsExt as _;
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    assert_eq!(node.status().unwrap()["findings"]["notes"], serde_json::json!([]));
    fs::set_permissions(node.root().join(TOKEN), fs::Permissions::from_mode(0o644)).unwrap();
    let noted = || {
        node.status().unwrap()["findings"]["notes"]
            .to_string()
            .contains("can be read by every user of this host (mode 0644)")
    };
    assert!(wait_for(PATIENCE, noted), "{}", node.status().unwrap());
    node.stop().unwrap();
}

#[test]
fn a_token_that_is_a_link_to_nothing_is_told_and_an_identity_that_is_one_is_not_replaced_by_another() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = without_token(&testbed, "auto");
    std::os::unix::fs::symlink("..data/token", node.root().join(TOKEN)).unwrap();
    start(&mut node);
    let text = super::run(&node, &["status"]).1;
    assert!(
        text.contains("k2hr3-role-token is a symbolic link to ..data/token, which is not there"),
        "{text}"
    );
    node.stop().unwrap();
    let cuk = node.root().join("etc/antpickax/k2hr3-cuk");
    fs::remove_file(&cuk).unwrap();
    std::os::unix::fs::symlink("..data/cuk", &cuk).unwrap();
    node.write("var/lib/cloud/data/instance-id", "i-another\n").unwrap();
    let (code, _, errors) = super::run(&node, &["once"]);
    assert!(
        code == 1 && errors.contains("k2hr3-cuk is a symbolic link to ..data/cuk, which is not there"),
        "{errors}"
    );
}
