//! A supervisor that cannot be reached: the file is installed, and nobody says that it is more than that.

use std::os::unix::net::UnixListener;

use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed};

use super::{PATIENCE, run, told};

/// A node whose settings name Docker, at that socket below its root where there is one.
fn with_docker(testbed: &Testbed, socket: Option<&str>) -> Node {
    let node = testbed.node(testbed.server_plan(11, FAST)).unwrap();
    let socket = socket.map_or_else(String::new, |socket| {
        format!("[supervisor.docker]\nsocket = \"{}\"\n", node.root().join(socket).display())
    });
    let text = format!("[supervisor]\nkind = \"docker\"\n{socket}");
    node.write("etc/k2hdkc-agent/conf.d/50-docker.toml", &text).unwrap();
    node
}

/// The first `once`, the second, and `diff`: none of them succeeds, and each says why.
fn fails_with(node: &Node, host: &str, why: &str) {
    for (command, said) in [
        ("once", "installed generation 1"),
        ("once", "unchanged: what is installed is what is wanted"),
        ("diff", ""),
    ] {
        let (code, text, errors) =
            told(node.command(&[command]).unwrap().env("DOCKER_HOST", host).output().unwrap());
        assert_eq!(code, 1, "{command}: {text} {errors}");
        assert!(text.starts_with(said) && !text.contains("no difference"), "{command}: {text} {errors}");
        let line = errors.lines().find(|line| line.contains("not known whether chmpx has the file: "));
        assert!(line.is_some_and(|line| line.contains(why)), "{command}: {errors}");
    }
}

#[test]
fn commands_do_not_succeed_where_the_docker_daemon_has_no_socket_no_way_or_no_answer() {
    let testbeds = [(); 3].map(|()| Testbed::open(3, 1).unwrap());
    let gone = with_docker(&testbeds[0], Some("gone.sock"));
    fails_with(&gone, "", "gone.sock cannot be reached");
    let ssh = with_docker(&testbeds[1], None);
    fails_with(&ssh, "ssh://root@192.0.2.9", "ssh://root@192.0.2.9 is no socket of this host");
    let wedged = with_docker(&testbeds[2], Some("wedged.sock"));
    // The kernel takes connections on its behalf, and nothing ever comes over them.
    let _listens = UnixListener::bind(wedged.root().join("wedged.sock")).unwrap();
    fails_with(&wedged, "", "did not answer within");
}

#[test]
fn commands_do_not_succeed_where_a_daemon_that_may_have_the_processes_does_not_answer_and_nothing_was_picked()
{
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed
        .node(testbed.server_plan(11, "[supervisor]\nkind = \"auto\"\nprocess.chmpx = \"/no/chmpx\"\n"))
        .unwrap();
    fails_with(&node, "ssh://root@192.0.2.9", "ssh://root@192.0.2.9");
}

#[test]
fn the_agent_calls_nothing_applied_that_it_has_put_before_nobody() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = with_docker(&testbed, Some("gone.sock"));
    node.start().unwrap();
    let held = || node.status().is_ok_and(|status| status["processes"]["state"] == "held");
    assert!(wait_for(PATIENCE, held), "{}", node.log());
    let status = node.status().unwrap();
    assert_eq!(
        (&status["generations"]["written"]["fileversion"], &status["generations"]["applied"]),
        (&1.into(), &serde_json::Value::Null)
    );
    let (code, text, _) = run(&node, &["status"]);
    assert!(code == 1 && text.contains("applied     none yet"), "{code}: {text}");
    node.stop().unwrap();
}
