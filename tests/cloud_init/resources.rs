//! The resources that `cloud-init/dbaas/` offers, and the cloud-config, by what the agent makes of them.

use k2hdkc_agent::bootstrap::{KEYS, Orders, Package, Unit};
use k2hdkc_simulators::k2hr3::Template;
use k2hdkc_simulators::node::Plan;
use k2hdkc_tests::testbed::Testbed;
use serde_json::{Map, Value, json};

use super::each_shell;
use super::vm::Vm;

const TEMPLATE: &str = include_str!("../../cloud-init/dbaas/k2hdkc_dbaas_resource.templ");
const CONFIG: &str = include_str!("../../cloud-init/dbaas/k2hdkc_dbaas_resource_keys.config");
const SERVER: &str = include_str!("../../cloud-init/dbaas/server.json");
const SLAVE: &str = include_str!("../../cloud-init/dbaas/slave.json");
const CLUSTER: &str = include_str!("../../cloud-init/dbaas/cluster.json");
const CLOUD_CONFIG: &str = include_str!("../../cloud-init/cloud-config.yaml");

const README: &str = include_str!("../../cloud-init/README.md");

/// As the command line fills it in, but for the role, which is left to the simulator.
fn template() -> String {
    let role = "yrn:yahoo:::__K2HDKC_DBAAS_CLI_TENANT_NAME__:role:__K2HDKC_DBAAS_CLI_CLUSTER_NAME__";
    let filled =
        TEMPLATE.replace(role, "@ROLE@").replace("__K2HDKC_DBAAS_CLI_DATE__", "Sun Nov 22 01:00:00 UTC 2026");
    assert!(!filled.contains("__K2HDKC"), "the command line knows no other placeholder");
    filled
}

fn keys(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}

/// Renders what a node of that testbed would install, but for the moment at which it was written.
fn rendered(testbed: &Testbed, plan: Plan) -> String {
    let node = testbed.node(plan).unwrap();
    let output = node.run(&["render"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with("DATE = ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_ini_template_gives_both_kinds_of_nodes_what_the_command_lines_own_one_gives_them() {
    let (own, stock) =
        (Testbed::open_with_template(&template(), 3, 2).unwrap(), Testbed::open(3, 2).unwrap());
    for testbed in [&own, &stock] {
        testbed.lab().set_key(&testbed.cluster().resource, "cluster-name", "mycluster");
    }
    assert_eq!(rendered(&own, own.server_plan(11, "")), rendered(&stock, stock.server_plan(11, "")));
    assert_eq!(rendered(&own, own.slave_plan(31, "")), rendered(&stock, stock.slave_plan(31, "")));
}

#[test]
fn chmpx_takes_what_the_template_gives_also_where_there_is_no_slave() {
    let testbed = Testbed::open_with_template(&template(), 2, 0).unwrap();
    let node = testbed.node(testbed.server_plan(11, "")).unwrap();
    assert!(node.run(&["once"]).unwrap().status.success());
    let output = node.run(&["check"]).unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_host_without_a_tag_has_its_address_for_a_seed_and_one_behind_nat_its_other_addresses() {
    let role = "r";
    let template = Template::parse(&template().replace("@ROLE@", role)).unwrap();
    let mut values = keys(CLUSTER);
    values.extend(keys(SERVER));
    let host = |tag: Value, inbound: Value, outbound: Value| json!({"host": "10.0.0.1", "cuk": "c", "tag": tag, "inboundip": inbound, "outboundip": outbound});
    values
        .insert(format!("{role}/server/hosts/ip"), json!({"a": host(Value::Null, Value::Null, Value::Null)}));
    values.insert(
        format!("{role}/slave/hosts/ip"),
        json!({"b": host("vm.example".into(), "10.1.0.1".into(), "10.2.0.1".into())}),
    );
    let text = template.expand(&mut values).unwrap();
    let lines = |section: &str| -> Vec<(String, String)> {
        let own = text.split(section).nth(1).unwrap().split("\n[").next().unwrap();
        let pairs = own.lines().filter_map(|line| line.split_once(" = "));
        pairs.map(|(key, value)| (key.trim().to_owned(), value.to_owned())).collect()
    };
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let server = [("NAME", "10.0.0.1"), ("CUK", "c"), ("PORT", "8020"), ("CTLPORT", "8021")];
    let server = server.into_iter().chain([("CUSTOM_ID_SEED", "10.0.0.1"), ("SSL", "no")]);
    assert_eq!(lines("[SVRNODE]"), server.map(pair).collect::<Vec<_>>());
    let slave = [
        ("NAME", "10.0.0.1"),
        ("CUK", "c"),
        ("CTLPORT", "8031"),
        ("CUSTOM_ID_SEED", "vm.example"),
        ("SSL", "no"),
    ];
    let nat =
        [("CTLENDPOINTS", "10.1.0.1:8031"), ("REVERSE_PEERS", "10.1.0.1"), ("FORWARD_PEERS", "10.2.0.1")];
    assert_eq!(lines("[SLVNODE]"), slave.into_iter().chain(nat).map(pair).collect::<Vec<_>>());
}

#[test]
fn bootstrap_follows_the_keys_and_the_command_lines_file_says_the_same() {
    for (kind, text, packages) in [
        ("SERVER", SERVER, &["k2hdkc-agent", "chmpx", "k2hdkc"][..]),
        ("SLAVE", SLAVE, &["k2hdkc-agent", "chmpx"]),
    ] {
        let mut all = keys(CLUSTER);
        all.extend(keys(text));
        assert_eq!(all["chmpx-mode"], kind);
        let value =
            |key: &str| all.get(key).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        let orders = Orders::read(&KEYS.map(value), true).unwrap();
        let names: Vec<&str> = orders.packages.iter().map(Package::as_str).collect();
        assert_eq!(names, packages);
        assert_eq!(orders.user.unwrap().as_str(), "k2hdkc");
        assert_eq!(orders.units.iter().map(Unit::as_str).collect::<Vec<_>>(), ["k2hdkc-agent.service"]);
        for (word, key) in ["PKG", "PCPKG", "SYSPKG"].iter().zip(KEYS) {
            let line = format!("DATABASE_{kind}_KEY_INI_{word}={}", all[key]);
            assert!(CONFIG.lines().any(|other| other == line), "{line}");
        }
    }
}

#[test]
fn the_cloud_config_installs_again_what_a_mirror_did_not_give() {
    let block = CLOUD_CONFIG.split("    - >-\n").last().unwrap().split("\n  - ").next().unwrap();
    // As YAML folds it.
    let words = block.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        vm.write("outage", "\n\n");
        let ended = vm.shell(&words);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let round = ["apt-get update", "apt-get --yes install k2hdkc-agent"];
        let expected = [&round[..], &["sleep 1"], &round, &["sleep 2"], &round].concat();
        assert_eq!(vm.calls(), expected);
        assert_eq!((vm.shell(&words).code, vm.calls()), (0, vec![]), "it is there");
    });
}

#[test]
fn the_cloud_config_writes_what_the_agent_reads_and_the_token_for_root_alone() {
    let blocks: Vec<&str> = CLOUD_CONFIG.split("  - path: ").skip(1).collect();
    let modes: Vec<(&str, &str)> = blocks
        .iter()
        .map(|block| {
            (block.lines().next().unwrap(), block.split("permissions: ").nth(1).unwrap().get(..6).unwrap())
        })
        .collect();
    let expected = [
        ("/etc/antpickax/k2hr3-role-token", "\"0600\""),
        ("/etc/antpickax/k2hr3-role-name", "\"0644\""),
        ("/etc/antpickax/k2hr3-role-tenant", "\"0644\""),
        ("/etc/antpickax/k2hr3-api-uri", "\"0644\""),
    ];
    assert_eq!(modes, expected);
    assert!(
        CLOUD_CONFIG.starts_with("#cloud-config\n")
            && CLOUD_CONFIG.ends_with("  - [k2hdkc-agent, bootstrap]\n")
    );
}

#[test]
fn the_recipe_for_curl_makes_a_cluster_of_the_name_that_its_first_line_says() {
    let recipe = README.split("```sh\n").find(|block| block.contains("send()")).unwrap();
    let recipe = recipe
        .split("```")
        .next()
        .unwrap()
        .replace("tenant=mytenant cluster=mycluster", "tenant=t7 cluster=c7");
    let root = tempfile::tempdir().unwrap();
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(repository.join("cloud-init"), root.path().join("cloud-init")).unwrap();
    let script = format!("set -eu; U=token; curl() {{ cat >>sent; }}\n{recipe}");
    let output =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(root.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let sent = std::fs::read_to_string(root.path().join("sent")).unwrap();
    let resources: Vec<Value> =
        serde_json::Deserializer::from_str(&sent).into_iter().map(|sent| sent.unwrap()).collect();
    let names: Vec<&str> = resources.iter().map(|sent| sent["resource"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["c7", "c7/server", "c7/slave"]);
    assert_eq!(resources[0]["resource"]["keys"]["cluster-name"], "c7");
    let text = resources[0]["resource"]["data"].as_str().unwrap();
    assert!(text.contains("yrn:yahoo:::t7:role:c7/server/hosts/ip") && !text.contains("__K2HDKC"), "{text}");
    assert!(!sent.contains("mycluster") && !sent.contains("mytenant"), "{sent}");
}
