//! From a VM that K2HR3 does not know to a member of its role, and back into it when the membership was lost.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod fifty;
mod losses;
mod refusals;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use k2hdkc_agent::ledger::Store;
use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::k2hr3::HostRecord;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, address, cuk, cuks};

/// For what must happen some time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server node that registers itself, from its own address; nothing runs yet.
pub(crate) fn newcomer(testbed: &Testbed, number: u8, more: &str) -> Node {
    let node = testbed.node(testbed.server_plan(number, FAST)).unwrap();
    let join = format!(
        "[k2hr3]\nsource-address = \"{}\"\n[join]\nenabled = true\ntag = \"vm{number}.example\"\n\
         confirm-polls = 3\nconfirm-for = \"300ms\"\n{more}",
        address(number)
    );
    node.write("etc/k2hdkc-agent/conf.d/50-join.toml", &join).unwrap();
    node
}

/// The server role's records of that node.
pub(crate) fn records(testbed: &Testbed, number: u8) -> Vec<HostRecord> {
    let members = testbed.lab().members(&testbed.cluster().server_role);
    members.into_iter().filter(|member| member.host == address(number)).collect()
}

/// Counts how often that node, or any, has called below `/v1/role/` by this method.
pub(crate) fn calls(testbed: &Testbed, number: Option<u8>, method: &str) -> usize {
    let by = |peer: std::net::IpAddr| number.is_none_or(|number| peer.to_string() == address(number));
    let requests = testbed.lab().requests().into_iter();
    requests.filter(|r| r.method == method && r.path.starts_with("/v1/role/") && by(r.peer)).count()
}

/// Waits until the node is a member, and follows the cluster that it is in.
pub(crate) fn assert_joins(testbed: &Testbed, node: &Node, number: u8) {
    let joined = || !records(testbed, number).is_empty() && node.cuks(Mode::Server).contains(&cuk(number));
    assert!(wait_for(PATIENCE, joined), "{}", node.log());
    let told = || node.status().is_ok_and(|status| status["registration"]["good"] == true);
    assert!(wait_for(PATIENCE, told), "{}", node.log());
}

/// Exit status, standard output and standard error.
pub(crate) fn run(node: &Node, arguments: &[&str]) -> (i32, String, String) {
    let output = node.run(arguments).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Neither the log nor a text may show the role token.
pub(crate) fn assert_keeps_secret(testbed: &Testbed, text: &str) {
    assert!(!text.contains(&testbed.cluster().server_token), "{text}");
}

#[test]
fn a_vm_that_k2hr3_does_not_know_becomes_a_member_before_it_asks_who_is_one() {
    let testbed = Testbed::open(0, 1).unwrap();
    let mut node = newcomer(&testbed, 11, "");
    node.start().unwrap();
    assert_joins(&testbed, &node, 11);
    assert_eq!(records(&testbed, 11), [HostRecord::openstack(address(11), cuk(11), "vm11.example")]);
    assert_eq!(node.cuks(Mode::Server), cuks([11]));
    let requests = testbed.lab().requests();
    let first = |wanted: &dyn Fn(&str, &str) -> bool| {
        requests.iter().position(|request| wanted(&request.method, &request.path)).unwrap()
    };
    let put = first(&|method, _| method == "PUT");
    let poll = first(&|method, path| method == "GET" && !path.contains("keyname="));
    assert!(put < poll, "it asks for the file before it is in it: {requests:?}");
    assert!(requests[put].path.contains("&extra=openstack-auto-v1&tag=%22vm11.example%22"), "{requests:?}");
    let (_, text, _) = run(&node, &["status"]);
    assert!(
        text.contains("role        this node is a member of yrn:yahoo:::tenant0:role:mycluster/server\n")
    );
    assert_eq!(calls(&testbed, None, "PUT"), 1);
    assert_keeps_secret(&testbed, &node.log());
}

#[test]
fn a_member_is_never_registered_again_not_at_a_reboot_and_not_by_the_command() {
    let testbed = Testbed::open(1, 1).unwrap();
    let mut node = newcomer(&testbed, 11, "");
    for _ in 0..2 {
        node.start().unwrap();
        assert_joins(&testbed, &node, 11);
        let polls = testbed.lab().requests().len();
        assert!(wait_for(PATIENCE, || testbed.lab().requests().len() > polls + 10));
        let (code, text, errors) = run(&node, &["join"]);
        assert_eq!((code, errors.as_str()), (0, ""), "{text}");
        assert!(text.starts_with("this node is a member of yrn:"), "{text}");
        node.stop().unwrap();
    }
    assert_eq!(calls(&testbed, None, "PUT"), 0);
}

#[test]
fn the_command_registers_without_an_agent_and_says_so_once() {
    let testbed = Testbed::open(0, 1).unwrap();
    let node = newcomer(&testbed, 11, "");
    let (code, text, errors) = run(&node, &["join", "--timeout", "10s"]);
    assert_eq!((code, text.lines().count()), (0, 1), "{text}{errors}");
    assert_eq!((records(&testbed, 11).len(), calls(&testbed, None, "PUT")), (1, 1));
    assert_keeps_secret(&testbed, &format!("{text}{errors}"));
}

#[test]
fn it_joins_as_soon_as_the_user_data_has_written_its_files() {
    let testbed = Testbed::open(0, 1).unwrap();
    let mut node = newcomer(&testbed, 11, "");
    node.write("etc/k2hdkc-agent/conf.d/60-slow.toml", "[poll]\nbackoff = \"1h\"\nmax-backoff = \"1h\"\n")
        .unwrap();
    let (role, token) = (node.plan().role.clone(), node.plan().token.clone().unwrap());
    for file in ["k2hr3-role-name", "k2hr3-role-token"] {
        std::fs::remove_file(node.root().join("etc/antpickax").join(file)).unwrap();
    }
    node.start().unwrap();
    let waits = || node.log().contains("k2hr3-role-name (K2HR3's user-data or cloud-init writes it");
    assert!(wait_for(PATIENCE, waits), "{}", node.log());
    node.write("etc/antpickax/k2hr3-role-token", &token).unwrap();
    node.write("etc/antpickax/k2hr3-role-name", &role).unwrap();
    assert_joins(&testbed, &node, 11);
}

#[test]
fn where_somebody_else_registers_the_nodes_the_agent_does_not() {
    let testbed = Testbed::open(1, 1).unwrap();
    let mut node = newcomer(&testbed, 12, "");
    node.write("etc/k2hdkc-agent/conf.d/60-off.toml", "[join]\nenabled = false\n").unwrap();
    node.start().unwrap();
    let begun = std::time::Instant::now();
    let asks = || testbed.polls_since(begun).len() > 10;
    assert!(wait_for(PATIENCE, asks), "{}", node.log());
    let of_roles = ["HEAD", "PUT"].map(|method| calls(&testbed, None, method));
    assert_eq!(of_roles, [0, 0]);
    assert_eq!(node.status().unwrap()["registration"], serde_json::Value::Null);
}

/// As the agent at its start has the ledger, and no socket yet.
#[test]
fn a_join_beside_an_agent_that_is_just_starting_waits_until_it_hears_or_has_gone() {
    let testbed = Testbed::open(0, 1).unwrap();
    let node = newcomer(&testbed, 11, "");
    let hold = || Store::open(&node.root().join("var/lib/k2hdkc-agent"), 1).unwrap();
    let store = hold();
    let mut joins = node.command(&["join"]).unwrap().stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(joins.stderr.take().unwrap()).lines();
    let told = said.next().unwrap().unwrap();
    assert!(told.ends_with("another agent has the ledger, and does not answer yet; retrying"), "{told}");
    assert_eq!(calls(&testbed, None, "PUT"), 0);
    drop(store);
    assert!(joins.wait().unwrap().success(), "{:?}", said.collect::<Vec<_>>());
    assert_eq!(records(&testbed, 11).len(), 1);

    let _store = hold();
    let (code, _, errors) = run(&node, &["join", "--timeout", "300ms"]);
    assert!(code == 1 && errors.contains("another k2hdkc-agent (pid "), "{errors}");
}
