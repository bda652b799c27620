//! The parts of an answer that reach the files, and those that may not.

use std::fs;

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::k2hr3::{HostRecord, STOCK_TEMPLATE};
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuks};

use super::{PATIENCE, assert_follows, following, run, without_stamp};

/// The simulator's own template, with values that a test may change as keys of the resource.
fn template(replaced: &[(&str, &str)]) -> String {
    let text = STOCK_TEMPLATE.replace("@ROLE@", "yrn:yahoo:::tenant0:role:mycluster");
    replaced.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    })
}

fn refused_with(node: &Node, fragment: &str) -> bool {
    let status = node.status().unwrap();
    status["outcome"]["code"] == "refused" && status["outcome"]["text"].as_str().unwrap().contains(fragment)
}

#[test]
fn both_sources_give_the_same_file() {
    let testbed = Testbed::open(3, 2).unwrap();
    let plans = [testbed.server_plan(12, ""), testbed.slave_plan(31, "")];
    for plan in plans {
        let texts = ["resource", "membership"].map(|source| {
            let node =
                Node::new(&testbed.roots().join(format!("{}-{source}", plan.cuk)), plan.clone()).unwrap();
            node.write("etc/k2hdkc-agent/agent.toml", &format!("[k2hr3]\nsource = \"{source}\"\n")).unwrap();
            let (code, _, errors) = run(&node, &["once"]);
            assert_eq!((code, errors.as_str()), (0, ""), "{source}");
            assert_eq!((node.cuks(Mode::Server), node.cuks(Mode::Slave)), (cuks(11..=13), cuks(31..=32)));
            without_stamp(&node.live().unwrap().text)
        });
        assert_eq!(texts[0], texts[1], "{}", plan.role);
    }
}

#[test]
fn both_sources_give_the_same_file_where_no_slave_is_registered() {
    let testbed = Testbed::open(3, 0).unwrap();
    let plan = testbed.server_plan(12, "");
    let texts = ["resource", "membership"].map(|source| {
        let node = Node::new(&testbed.roots().join(source), plan.clone()).unwrap();
        node.write("etc/k2hdkc-agent/agent.toml", &format!("[k2hr3]\nsource = \"{source}\"\n")).unwrap();
        assert_eq!(run(&node, &["once"]).0, 0);
        without_stamp(&node.live().unwrap().text)
    });
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].contains("CUK = dummy_cuk\n"));
}

#[test]
fn the_hosts_file_gets_a_block_of_every_node_and_keeps_the_rest() {
    let testbed = Testbed::open(3, 1).unwrap();
    let mut node =
        testbed.node(testbed.server_plan(11, &format!("{FAST}[hosts]\nenabled = true\n"))).unwrap();
    node.write("etc/hosts", "127.0.0.1 localhost\n# mine\n127.0.0.12 other-name\n").unwrap();
    super::start(&mut node);
    testbed.add_server(14);
    assert_follows(&node, &cuks(11..=14));
    let expected = "127.0.0.1 localhost\n# mine\n127.0.0.12 other-name\n\
        # BEGIN k2hdkc-agent (made from the cluster's roles in K2HR3; edits in here are replaced)\n\
        127.0.0.11\tvm11.example\n127.0.0.13\tvm13.example\n127.0.0.14\tvm14.example\n127.0.0.31\tvm31.example\n\
        # END k2hdkc-agent\n";
    assert_eq!(fs::read_to_string(node.root().join("etc/hosts")).unwrap(), expected);
    let strays: Vec<_> =
        fs::read_dir(node.root().join("etc")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!strays.iter().any(|name| name.to_string_lossy().starts_with('.')), "{strays:?}");
    node.stop().unwrap();
}

#[test]
fn the_hosts_file_is_left_alone_where_it_is_not_asked_for() {
    let testbed = Testbed::open(3, 1).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    node.write("etc/hosts", "127.0.0.1 localhost\n").unwrap();
    assert_eq!(run(&node, &["once"]).0, 0);
    assert_eq!(fs::read_to_string(node.root().join("etc/hosts")).unwrap(), "127.0.0.1 localhost\n");
}

#[test]
fn a_section_of_the_operator_s_passes_only_when_the_settings_name_it() {
    let own = "\n[K2HTPDTOR]\nK2HTPDTOR_BCOM_CHMPX = own\nK2HTPDTOR_EXTRA = 3\n";
    let testbed = Testbed::open_with_template(&(template(&[]) + own), 3, 1).unwrap();
    let mut node = following(&testbed, FAST);
    assert!(!node.live().unwrap().text.contains("K2HTPDTOR"));
    let notes = node.status().unwrap()["findings"]["notes"].to_string();
    assert!(
        notes.contains("[K2HTPDTOR] is left out: name it in ini.extra-sections to let it pass"),
        "{notes}"
    );
    let named = format!("{FAST}[ini]\nextra-sections = [\"K2HTPDTOR\"]\n");
    node.swap("etc/k2hdkc-agent/agent.toml", &named).unwrap();
    let passed = || node.live().unwrap().text.contains(own);
    assert!(wait_for(PATIENCE, passed), "{}\n{}", node.live().unwrap().text, node.log());
    assert!(wait_for(PATIENCE, || node.status().unwrap()["findings"]["notes"] == serde_json::json!([])));
    node.stop().unwrap();
}

#[test]
fn more_nodes_than_the_running_chmpx_has_room_for_are_refused_until_there_is_room() {
    let testbed = Testbed::open_with_template(&template(&[("= 256", "= {{= %room% }}")]), 3, 1).unwrap();
    let resource = &testbed.cluster().server_resource;
    testbed.lab().set_key(resource, "room", 6);
    let mut node = following(&testbed, FAST);
    let before = node.live().unwrap();
    testbed.add_server(14);
    assert!(
        wait_for(PATIENCE, || refused_with(&node, "5 nodes, but MAXCHMPX 6 has room for 4")),
        "{}",
        node.log()
    );
    // Raising it in the same answer does not help the chmpx that runs.
    testbed.lab().set_key(resource, "room", 9);
    let room = "5 nodes, but the running chmpx has room for 4 (MAXCHMPX 6 at its start)";
    assert!(wait_for(PATIENCE, || refused_with(&node, room)), "{}", node.log());
    assert_eq!(node.live().unwrap(), before);
    // Raised alone, with a restart of chmpx, it does.
    testbed.remove_server(14);
    let raised = || node.ring().unwrap().unwrap().0.global("MAXCHMPX") == "9";
    assert!(wait_for(PATIENCE, raised), "{}", node.log());
    let told = || node.log().contains("needs a restart of chmpx, then of k2hdkc");
    assert!(wait_for(PATIENCE, told), "{}", node.log());
    testbed.add_server(14);
    assert_follows(&node, &cuks(11..=14));
    node.stop().unwrap();
}

#[test]
fn another_group_mode_or_id_type_is_refused() {
    let replaced = [("= CUSTOM\n", "= {{= %id-type% }}\n")];
    let testbed = Testbed::open_with_template(&template(&replaced), 3, 1).unwrap();
    let resource = &testbed.cluster().server_resource;
    testbed.lab().set_key(resource, "id-type", "CUSTOM");
    let mut node = following(&testbed, FAST);
    let before = node.live().unwrap();
    for (key, other, own, said) in [
        ("cluster-name", "another", "mycluster", "GROUP would change from \"mycluster\" to \"another\""),
        ("chmpx-mode", "SLAVE", "SERVER", "no [SLVNODE] is this host (SELFCTLPORT 8031, SELFCUK cuk-11)"),
        ("id-type", "CUK", "CUSTOM", "CHMPXIDTYPE would change from \"CUSTOM\" to \"CUK\""),
    ] {
        testbed.lab().set_key(resource, key, other);
        assert!(wait_for(PATIENCE, || refused_with(&node, said)), "{key}: {}", node.log());
        assert_eq!(node.live().unwrap(), before, "{key}");
        testbed.lab().set_key(resource, key, own);
        assert!(wait_for(PATIENCE, || run(&node, &["status"]).0 == 0), "{key}: {}", node.log());
    }
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}

#[test]
fn a_slave_that_is_no_good_keeps_no_new_server_out_and_is_told() {
    let testbed = Testbed::open(3, 1).unwrap();
    let slaves = testbed.cluster().slave_role.clone();
    for source in ["resource", "membership"] {
        let mut node = Node::new(&testbed.roots().join(source), testbed.server_plan(11, FAST)).unwrap();
        let settings = format!("[k2hr3]\nsource = \"{source}\"\n");
        node.write("etc/k2hdkc-agent/conf.d/10-source.toml", &settings).unwrap();
        super::start(&mut node);
        testbed
            .lab()
            .register(&slaves, HostRecord { tag: None, ..HostRecord::openstack("127.0.0.77", "cuk-77", "") });
        testbed.lab().register(&slaves, HostRecord::openstack("127.0.0.78", "cuk-78", "vm31.example"));
        testbed.add_server(14);
        assert_follows(&node, &cuks(11..=14));
        let left_out = || {
            node.status()
                .is_ok_and(|status| status["findings"]["left-out"].as_array().map(Vec::len) == Some(2))
        };
        assert!(wait_for(PATIENCE, left_out), "{}", node.log());
        assert_eq!(node.cuks(Mode::Slave), cuks([31]));
        let (code, text, _) = run(&node, &["status"]);
        assert_eq!(code, 1, "{text}");
        let of = "of yrn:yahoo:::tenant0:role:mycluster/slave";
        for said in [
            format!("left out    slave 127.0.0.77 {of} (CUK cuk-77, no tag): "),
            format!(
                "left out    slave 127.0.0.78 {of} (CUK cuk-78, tag \"vm31.example\"): it has the tag of slave 127.0.0.31"
            ),
        ] {
            assert!(text.contains(&said), "{said}: {text}");
        }
        for cuk in ["cuk-77", "cuk-78"] {
            testbed.lab().deregister(&slaves, cuk);
        }
        testbed.remove_server(14);
        let over = || run(&node, &["status"]).0 == 0;
        assert!(wait_for(PATIENCE, over), "{}", run(&node, &["status"]).1);
        node.stop().unwrap();
    }
}
