//! When a node is not registered, and what its operator is told.

use k2hdkc_simulators::k2hr3::HostRecord;
use k2hdkc_simulators::node::Node;
use k2hdkc_tests::testbed::{Testbed, address};

use super::{PATIENCE, assert_joins, calls, newcomer, records, run};

fn refused(testbed: &Testbed, node: &Node) -> String {
    let (code, text, errors) = run(node, &["join", "--timeout", "500ms"]);
    assert_eq!((code, text.as_str()), (1, ""), "{errors}");
    assert_eq!(calls(testbed, None, "PUT"), 0, "{errors}");
    errors
}

#[test]
fn who_it_is_must_be_known_and_fit_for_k2hr3() {
    let testbed = Testbed::open(0, 1).unwrap();
    for (path, text, said) in [
        ("etc/antpickax/k2hr3-cuk", "a b", "k2hr3-cuk: a CUK has a blank in it"),
        ("etc/antpickax/k2hr3-role-name", "mycluster/server", "is not a role YRN"),
        ("etc/antpickax/k2hr3-role-token", "", "to register takes a role token: put one into "),
        (
            "etc/antpickax/k2hr3-role-token",
            "R=81f0",
            "k2hr3-role-token: the role token is not 64 hexadecimal digits",
        ),
        ("etc/k2hdkc-agent/conf.d/60-role.toml", ROLE, "and the token is of that one: correct one of them"),
        ("etc/k2hdkc-agent/conf.d/60-role.toml", STRANGE, "is neither the server nor the slave role"),
        ("etc/k2hdkc-agent/conf.d/60-file.toml", FILE, "knows no role"),
    ] {
        let node = newcomer(&testbed, 11, "");
        node.write(path, text).unwrap();
        let errors = refused(&testbed, &node);
        assert!(errors.contains(said), "{path} {text}: {errors}");
        std::fs::remove_dir_all(node.root()).unwrap();
    }
}

const ROLE: &str = "[k2hr3]\nrole = \"yrn:yahoo:::tenant0:role:mycluster/slave\"\n";
const STRANGE: &str = "[k2hr3]\nserver-role = \"yrn:yahoo:::tenant0:role:a/b\"\n";
const FILE: &str = "[k2hr3]\nsource = \"file\"\nfile = \"/source.ini\"\n";

#[test]
fn an_empty_cuk_is_none_and_is_waited_for() {
    let testbed = Testbed::open(0, 1).unwrap();
    let node = newcomer(&testbed, 11, "");
    node.write("etc/antpickax/k2hr3-cuk", "\n").unwrap();
    node.write("var/lib/cloud/data/instance-id", "").unwrap();
    let errors = refused(&testbed, &node);
    assert!(
        errors.contains("instance-id (K2HR3's user-data or cloud-init writes it; or set k2hr3.cuk)"),
        "{errors}"
    );
}

#[test]
fn a_tag_that_would_spoil_the_file_of_every_member_is_refused_by_the_configuration() {
    let testbed = Testbed::open(0, 1).unwrap();
    let node = newcomer(&testbed, 11, "");
    node.write("etc/k2hdkc-agent/conf.d/60-tag.toml", "[join]\ntag = \"a\\nSSL = yes\"\n").unwrap();
    let (code, _, errors) = run(&node, &["join"]);
    assert!(
        code == 64 && errors.contains("join.tag: a tag has a blank, a quote or a control character"),
        "{errors}"
    );
}

#[test]
fn beside_a_stale_record_of_its_own_address_nobody_is_registered_until_it_is_gone() {
    let testbed = Testbed::open(1, 1).unwrap();
    let role = testbed.cluster().server_role.clone();
    testbed.lab().register(&role, HostRecord::openstack(address(12), "old-cuk", "vm-old.example"));
    let mut node = newcomer(&testbed, 12, "");
    let errors = refused(&testbed, &node);
    assert!(
        errors.contains("has this node's address already with CUK old-cuk: a VM that had the address"),
        "{errors}"
    );
    assert!(errors.contains(&format!("DELETE /v1/role/{role}?cuk=")), "{errors}");
    node.start().unwrap();
    let told = || node.log().contains("already with CUK old-cuk");
    assert!(k2hdkc_simulators::node::wait_for(PATIENCE, told), "{}", node.log());
    assert_eq!((calls(&testbed, None, "PUT"), records(&testbed, 12).len()), (0, 1));
    testbed.lab().deregister(&role, "old-cuk");
    assert_joins(&testbed, &node, 12);
}

#[test]
fn a_cuk_that_is_registered_under_another_address_is_told_and_not_taken_from_there() {
    let testbed = Testbed::open(1, 1).unwrap();
    let role = testbed.cluster().server_role.clone();
    testbed.lab().register(&role, HostRecord::openstack(address(99), "cuk-12", "vm12.example"));
    let node = newcomer(&testbed, 12, "");
    let errors = refused(&testbed, &node);
    assert!(
        errors.contains("under the address 127.0.0.99, which is not the one it comes from now"),
        "{errors}"
    );
}

#[test]
fn a_copy_of_a_disk_is_told_from_its_original_which_stays_in_the_role() {
    let testbed = Testbed::open(2, 1).unwrap();
    let node = newcomer(&testbed, 13, "");
    // The disk of the second server, in a VM of its own.
    node.write("etc/antpickax/k2hr3-cuk", "cuk-12").unwrap();
    let errors = refused(&testbed, &node);
    let file = node.root().join("etc/antpickax/k2hr3-cuk");
    let told = format!(
        "this disk is a copy of that node's, whose CUK it has (cuk-12), and cloud-init calls this VM cuk-13; leave that host \
         in the role, and remove {} on this one",
        file.display()
    );
    assert!(errors.contains(&told) && !errors.contains("remove that host"), "{errors}");

    std::fs::remove_file(file).unwrap();
    assert_eq!(run(&node, &["join", "--timeout", "20s"]).0, 0);
    assert_eq!((records(&testbed, 12).len(), records(&testbed, 13).len()), (1, 1));
}

#[test]
fn a_reboot_without_a_datasource_makes_no_other_node_of_a_member() {
    let testbed = Testbed::open(1, 1).unwrap();
    let node = newcomer(&testbed, 12, "");
    // As a VM whose own user-data names no CUK.
    std::fs::remove_file(node.root().join("etc/antpickax/k2hr3-cuk")).unwrap();
    assert_eq!(run(&node, &["join", "--timeout", "20s"]).0, 0);
    let puts = calls(&testbed, None, "PUT");
    for id in ["iid-datasource-none", "nocloud", ""] {
        node.write("var/lib/cloud/data/instance-id", id).unwrap();
        let (code, text, errors) = run(&node, &["join", "--timeout", "20s"]);
        assert!(code == 0 && text.contains("this node is a member of "), "{id}: {text}{errors}");
    }
    assert_eq!((calls(&testbed, None, "PUT"), records(&testbed, 12).len()), (puts, 1));

    // A host that was never a member has no identity then.
    let other = newcomer(&testbed, 13, "");
    std::fs::remove_file(other.root().join("etc/antpickax/k2hr3-cuk")).unwrap();
    other.write("var/lib/cloud/data/instance-id", "iid-datasource-none").unwrap();
    let (code, _, errors) = run(&other, &["join", "--timeout", "500ms"]);
    assert!(code == 1 && errors.contains("which is no identity: cloud-init calls every VM so"), "{errors}");
    assert_eq!(calls(&testbed, None, "PUT"), puts);
}

#[test]
fn a_member_that_is_called_otherwise_by_now_is_not_told_to_remove_its_own_record() {
    let testbed = Testbed::open(1, 1).unwrap();
    let node = newcomer(&testbed, 12, "");
    assert_eq!(run(&node, &["join", "--timeout", "20s"]).0, 0);
    let puts = calls(&testbed, None, "PUT");
    node.write("etc/antpickax/k2hr3-cuk", "i-0a1b").unwrap();
    let (code, _, errors) = run(&node, &["join", "--timeout", "500ms"]);
    let told = "has this host already, by CUK cuk-12, as which it joined; by now it is called i-0a1b";
    assert!(code == 1 && errors.contains(told) && !errors.contains("DELETE /v1"), "{errors}");
    assert!(errors.contains("To go on as before, write cuk-12 into "), "{errors}");
    assert_eq!(calls(&testbed, None, "PUT"), puts);
}

#[test]
fn beside_a_member_with_its_tag_nobody_is_registered_until_that_one_is_gone() {
    for slave in [false, true] {
        let testbed = Testbed::open(1, 1).unwrap();
        let cluster = testbed.cluster();
        let role = if slave { cluster.slave_role.clone() } else { cluster.server_role.clone() };
        testbed.lab().register(&role, HostRecord::openstack(address(77), "cuk-77", "VM12.example"));
        let mut node = newcomer(&testbed, 12, "");
        let errors = refused(&testbed, &node);
        let said = format!("the tag of this node is that of {} (CUK cuk-77) in the roles", address(77));
        assert!(errors.contains(&said) && errors.contains("Set join.tag to a name of its own"), "{errors}");
        node.start().unwrap();
        assert!(k2hdkc_simulators::node::wait_for(PATIENCE, || node.log().contains(&said)), "{}", node.log());
        assert_eq!((calls(&testbed, None, "PUT"), records(&testbed, 12).len()), (0, 0));
        testbed.lab().deregister(&role, "cuk-77");
        assert_joins(&testbed, &node, 12);
    }
}

#[test]
fn a_tag_that_every_such_host_has_is_refused_by_the_configuration_and_by_the_command() {
    let testbed = Testbed::open(0, 1).unwrap();
    for (tag, said) in [
        ("localhost", "is a name that every host has for itself"),
        (".example.com", "begins with a dot: the host's own name is missing"),
        ("", "a tag is empty"),
    ] {
        let node = newcomer(&testbed, 11, "");
        let own = node.root().join("etc/k2hdkc-agent/conf.d/50-join.toml");
        let text = std::fs::read_to_string(&own).unwrap().replace("tag = \"vm11.example\"\n", "");
        node.write("etc/k2hdkc-agent/conf.d/50-join.toml", &text).unwrap();
        node.write("etc/k2hdkc-agent/conf.d/60-tag.toml", &format!("[join]\ntag = \"{tag}\"\n")).unwrap();
        let (code, _, errors) = run(&node, &["join"]);
        assert!(code == 64 && errors.contains(said), "{tag}: {errors}");
        std::fs::remove_file(node.root().join("etc/k2hdkc-agent/conf.d/60-tag.toml")).unwrap();
        node.write("etc/antpickax/k2hr3-tag-param", &format!("tag=\"{tag}\"\n")).unwrap();
        let errors = refused(&testbed, &node);
        assert!(errors.contains(said), "{tag}: {errors}");
        std::fs::remove_dir_all(node.root()).unwrap();
    }
}

#[test]
fn what_status_says_of_a_stale_record_is_over_when_that_is_gone() {
    let testbed = Testbed::open(2, 1).unwrap();
    let role = testbed.cluster().server_role.clone();
    let mut node = newcomer(&testbed, 11, "");
    testbed.lab().register(&role, HostRecord::openstack(address(11), "old-cuk", "vm-old.example"));
    node.start().unwrap();
    let says =
        |node: &Node| run(node, &["status"]).1.contains("has this node's address also with CUK old-cuk");
    assert!(k2hdkc_simulators::node::wait_for(PATIENCE, || says(&node)), "{}", node.log());
    testbed.lab().deregister(&role, "old-cuk");
    assert!(k2hdkc_simulators::node::wait_for(PATIENCE, || !says(&node)), "{}", run(&node, &["status"]).1);
    assert_eq!(calls(&testbed, None, "PUT"), 0);
}
