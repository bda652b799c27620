//! The commands: what they print, and the exit codes that scripts rely on.

use std::fs;

use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::Node;
use k2hdkc_tests::testbed::{FAST, Testbed};

use super::{following, run, without_stamp};

const COMMANDS: [&str; 9] = ["run", "once", "render", "diff", "check", "status", "join", "leave", "confirm"];

fn fresh(testbed: &Testbed) -> Node {
    testbed.node(testbed.server_plan(11, "")).unwrap()
}

#[test]
fn wrong_usage_is_64() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    for command in COMMANDS {
        let (code, text, errors) = run(&node, &[command, "--no-such-flag"]);
        assert_eq!((code, text.as_str()), (64, ""), "{command}: {errors}");
        assert!(errors.contains("--no-such-flag"), "{command}: {errors}");
    }
    for arguments in [&[][..], &["no-such-command"], &["once", "more"], &["confirm", "a", "b"], &["--config"]]
    {
        assert_eq!(run(&node, arguments).0, 64, "{arguments:?}");
    }
    assert!(!node.ini().exists());
}

#[test]
fn help_and_version_are_0_and_help_tells_the_exit_codes() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    let (code, text, errors) = run(&node, &["--help"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(
        text.contains("Exit status: 0 done; 1 it failed, was refused or is held; 64 usage or configuration.")
    );
    assert!(COMMANDS.iter().all(|command| text.contains(&format!("\n  {command}"))), "{text}");
    let (code, text, _) = run(&node, &["--version"]);
    assert_eq!((code, text.as_str()), (0, concat!("k2hdkc-agent ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn an_unknown_key_is_64_for_every_command_and_every_fault_is_told_with_file_and_line() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    node.write("etc/k2hdkc-agent/agent.toml", "[poll]\n\nintervall = \"5s\"\n").unwrap();
    node.write("etc/k2hdkc-agent/conf.d/10-a.toml", "[polls]\ninterval = \"5s\"\n").unwrap();
    node.write("etc/k2hdkc-agent/conf.d/20-b.toml", "[poll]\nbackoff = \"5 parsecs\"\n").unwrap();
    node.write("etc/k2hdkc-agent/conf.d/30-c.toml", "[ini]\nmode = \"rw\"\n").unwrap();
    for command in COMMANDS {
        let (code, text, errors) = run(&node, &[command]);
        assert_eq!((code, text.as_str()), (64, ""), "{command}: {errors}");
        for fault in [
            "k2hdkc-agent/agent.toml:3: poll.intervall: unknown field `intervall`",
            "conf.d/10-a.toml:1: polls: unknown field `polls`",
            "conf.d/20-b.toml:2: poll.backoff: \"5 parsecs\" is not a length of time",
            "conf.d/30-c.toml:2: ini.mode: \"rw\" is not an octal mode",
        ] {
            assert!(errors.contains(fault), "{command}: {fault}: {errors}");
        }
        assert_eq!(errors.lines().count(), 4, "{command}: {errors}");
    }
}

#[test]
fn a_configuration_that_was_named_must_be_there() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    let (code, _, errors) = run(&node, &["--config", "/no/such.toml", "once"]);
    assert_eq!(code, 64);
    assert!(errors.contains("/no/such.toml"), "{errors}");
}

#[test]
fn what_cannot_be_done_is_1() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    for (arguments, said) in [
        (&["check"][..], "cannot read"),
        (&["status"], ""),
        (&["confirm"], "nothing is held"),
        (&["diff"], ""),
    ] {
        let (code, _, errors) = run(&node, arguments);
        assert!(code == 1 && errors.contains(said), "{arguments:?}: {code} {errors}");
    }
    testbed.lab().set_sickness(Some(Sickness::Status(500)));
    for command in ["once", "render", "diff"] {
        let (code, text, errors) = run(&node, &[command]);
        assert_eq!((code, text.as_str(), errors.lines().count()), (1, "", 1), "{command}: {errors}");
        assert!(errors.contains("K2HR3 answered 500"), "{command}: {errors}");
    }
}

#[test]
fn render_prints_what_once_installs_and_changes_nothing() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    let (code, rendered, errors) = run(&node, &["render"]);
    assert_eq!((code, errors.as_str(), node.ini().exists()), (0, "", false));
    assert!(!node.root().join("var/lib/k2hdkc-agent").exists());
    let (code, text, errors) = run(&node, &["once"]);
    assert_eq!((code, text.lines().count(), errors.as_str()), (0, 1, ""));
    assert!(text.starts_with("installed generation 1: first installation: 3 servers, 1 slaves"), "{text}");
    let installed = node.live().unwrap();
    assert_eq!(without_stamp(&rendered), without_stamp(&installed.text));
    assert_eq!(run(&node, &["render"]).1, installed.text, "and afterwards what is installed");
    testbed.add_server(14);
    assert!(run(&node, &["render"]).1.contains("NAME = 127.0.0.14\n"));
    assert_eq!(node.live().unwrap(), installed);
}

#[test]
fn once_says_unchanged_and_leaves_the_file_alone() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    assert_eq!(run(&node, &["once"]).0, 0);
    let before = node.live().unwrap();
    let (code, text, errors) = run(&node, &["once"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(text.starts_with("unchanged: what is installed is what is wanted"), "{text}");
    assert_eq!(node.live().unwrap(), before);
}

#[test]
fn diff_is_0_without_a_difference_and_1_with_one() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    let (code, text, _) = run(&node, &["diff"]);
    assert!(code == 1 && text.contains("first installation: 3 servers, 1 slaves"), "{code}: {text}");
    assert_eq!(run(&node, &["once"]).0, 0);
    assert_eq!(run(&node, &["diff"]), (0, "no difference\n".to_owned(), String::new()));
    testbed.add_server(14);
    let (code, text, _) = run(&node, &["diff"]);
    let live = "live: chmpx takes it when the file is replaced";
    let expected = format!("+ server 127.0.0.14:8021 (vm14.example)   [{live}]\nin all: {live}\n");
    assert_eq!((code, text), (1, expected));
}

#[test]
fn check_is_0_on_what_is_installed_and_1_with_lines_on_what_is_damaged() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    assert_eq!(run(&node, &["once"]).0, 0);
    let ini = node.ini().display().to_string();
    let good = format!("{ini}: good (3 servers, 1 slaves, FILEVERSION 1)\n");
    assert_eq!(run(&node, &["check"]), (0, good, String::new()));

    let text = node.live().unwrap().text;
    let line_of = |start: &str| text.lines().position(|line| line.starts_with(start)).unwrap() + 1;
    let (mode, port, name) = (line_of("MODE"), line_of("PORT"), line_of("NAME"));
    let damaged: String = text
        .lines()
        .enumerate()
        .map(|(index, line)| match index + 1 {
            n if n == mode => "MODE = MASTER\n".to_owned(),
            n if n == port => "PORT = 40000\n".to_owned(),
            n if n == name => "NAME = \n".to_owned(),
            _ => format!("{line}\n"),
        })
        .collect();
    node.write("damaged.ini", &damaged).unwrap();
    let path = node.root().join("damaged.ini").display().to_string();
    let (code, said, _) = run(&node, &["check", &path]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("{path}:{mode}: refused: MODE is \"MASTER\"")), "{said}");
    assert!(said.contains(&format!("{path}:{port}: harmful: PORT: port \"40000\"")), "{said}");
    assert!(said.contains(&format!("{path}:{name}: refused: a node whose NAME is empty")), "{said}");
    assert!(
        said.ends_with(
            "chmpx would refuse it, and a running chmpx would end (2 servers, 1 slaves, FILEVERSION 1)\n"
        ),
        "{said}"
    );
}

#[test]
fn check_calls_as_many_extra_copies_as_servers_harmful() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    assert_eq!(run(&node, &["once"]).0, 0);
    let here = node.root().display().to_string();
    let text = node.live().unwrap().text.replace("/var/lib/antpickax/k2hdkc/data", &here);
    node.write("many.ini", &text.replace("REPLICA = 1", "REPLICA = 3")).unwrap();
    node.write("all.ini", &text.replace("REPLICA = 1", "REPLICA = 2")).unwrap();
    let path = |name: &str| node.root().join(name).display().to_string();
    let (code, said, _) = run(&node, &["check", &path("many.ini")]);
    assert!(
        code == 1 && said.contains(": harmful: REPLICA 3 with 3 servers: a server that joins"),
        "{code}: {said}"
    );
    assert_eq!(run(&node, &["check", &path("all.ini")]).0, 0);
}

#[test]
fn check_reads_standard_input_and_says_where_a_file_is_no_text() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = fresh(&testbed);
    node.write("short.ini", "[GLOBAL]\n").unwrap();
    let input = fs::File::open(node.root().join("short.ini")).unwrap();
    let output = node.command(&["check", "-"]).unwrap().stdin(input).output().unwrap();
    let (code, said, _) = super::told(output);
    assert!(code == 1 && said.contains("-: refused: [GLOBAL] has no GROUP"), "{code}: {said}");
}

#[test]
fn status_is_0_while_all_is_well_and_its_text_and_json_agree() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    let (code, text, _) = run(&node, &["status"]);
    let json = node.status().unwrap();
    assert_eq!(code, 0, "{text}");
    assert_eq!(json["agent"]["ini"], node.ini().display().to_string());
    assert_eq!(json["generations"]["written"]["fileversion"], 1);
    assert!(text.contains(&format!("running, pid {}", node.pid().unwrap())), "{text}");
    assert!(text.contains(&node.ini().display().to_string()), "{text}");
    node.stop().unwrap();
    let (code, text, _) = run(&node, &["status"]);
    assert!(code == 1 && text.contains("not running; this is what its ledger says"), "{code}: {text}");
}
