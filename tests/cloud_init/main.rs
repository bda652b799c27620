//! The user-data of `cloud-init/`: on VMs whose programs are scripts that write down how they were called, in every shell that
//! is here, as K2HR3 hands it out.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod faults;
mod mirror;
mod programs;
mod resources;
mod vm;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use k2hdkc_tests::testbed::{Testbed, cuk};

use k2hdkc_simulators::k2hr3::{Template, USER_DATA};
use serde_json::{Map, Value};

use mirror::{Mirror, SHA256};
use vm::{Vm, put, shells, user_data};

/// All that installs by apt has before its words.
const APT: &str = "apt-get --quiet --yes --no-install-recommends --option DPkg::Lock::Timeout=300 --option \
                   Dpkg::Options::=--force-confold";

fn each_shell(test: impl Fn(&Testbed, &Path)) {
    for shell in shells() {
        test(&Testbed::open(2, 0).unwrap(), &shell);
    }
}

fn set_key(testbed: &Testbed, key: &str, value: &str) {
    testbed.lab().set_key(&testbed.cluster().server_resource, key, value);
}

/// The package comes from there.
fn point_to(testbed: &Testbed, mirror: &Mirror, sha256: &str) {
    set_key(testbed, "k2hdkc-agent-package-url", &mirror.url());
    set_key(testbed, "k2hdkc-agent-package-sha256", sha256);
}

/// Lists the steps of every boot once the program is there.
fn started() -> [String; 3] {
    [
        "k2hdkc-agent bootstrap",
        "systemctl enable --quiet k2hdkc-agent.service",
        "systemctl start --no-block k2hdkc-agent.service",
    ]
    .map(str::to_owned)
}

/// The five values as K2HR3 gives them, in the order in which the script reads them.
fn values(testbed: &Testbed) -> Map<String, Value> {
    let values = [
        ("ROLE_NAME", testbed.cluster().server_role.clone()),
        ("ROLE_TENANT", "yrn:yahoo:::tenant0".to_owned()),
        ("ROLE_TOKEN", testbed.cluster().server_token.clone()),
        ("API_HOST_URI", format!("http://{}", testbed.address())),
        ("ERROR_MSG", String::new()),
    ];
    values.into_iter().map(|(name, value)| (format!("K2HR3_{name}"), Value::from(value))).collect()
}

#[test]
fn the_template_is_one_for_the_engine_of_resources_as_well_and_has_no_other_statement() {
    let testbed = Testbed::open(0, 0).unwrap();
    let template = Template::parse(USER_DATA).unwrap();
    let names: Vec<String> = template.variables().into_iter().collect();
    let mut values = values(&testbed);
    let mut expected: Vec<String> = values.keys().cloned().collect();
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(template.expand(&mut values).unwrap(), user_data(&testbed));
}

#[test]
fn the_script_is_ascii_and_no_shell_nor_shellcheck_has_anything_against_it() {
    let testbed = Testbed::open(0, 0).unwrap();
    let script = user_data(&testbed);
    assert!(script.is_ascii(), "K2HR3 declares it so");
    let path = testbed.roots().join("k2hr3-init.sh");
    put(&path, &script);
    for words in ["dash -n", "busybox ash -n", "bash -n", "shellcheck --shell=sh"] {
        let mut words = words.split(' ');
        let output = Command::new(words.next().unwrap()).args(words).arg(&path).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn the_identity_is_written_as_upstream_names_it_with_the_token_for_root_alone() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        let ended = vm.run(&[]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let role = &testbed.cluster().server_role;
        let (api_uri, token) = (format!("http://{}", testbed.address()), &testbed.cluster().server_token);
        let files = [
            ("k2hr3-api-uri", api_uri.as_str(), 0o644),
            ("k2hr3-apiarg", "cuk=8f7d-11", 0o644),
            ("k2hr3-cuk", "8f7d-11", 0o644),
            ("k2hr3-cuk-param", "cuk=8f7d-11", 0o644),
            ("k2hr3-extra-param", "extra=openstack-auto-v1", 0o644),
            ("k2hr3-role-name", role, 0o644),
            ("k2hr3-role-tenant", "yrn:yahoo:::tenant0", 0o644),
            ("k2hr3-role-token", token, 0o600),
            ("k2hr3-tag-param", "tag=vm11.novalocal", 0o644),
        ];
        assert_eq!(vm.names("etc/antpickax"), files.map(|(name, ..)| name));
        for (name, text, mode) in files {
            let path = format!("etc/antpickax/{name}");
            assert_eq!((vm.read(&path).as_str(), vm.mode(&path)), (text, mode), "{name}");
        }
        assert_eq!(vm.mode("etc/antpickax"), 0o755);
        assert!(vm.names("tmp").is_empty(), "nothing is left behind");
    });
}

#[test]
fn a_directory_that_is_made_can_be_entered_by_chmpx_under_every_umask() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).with_umask("077");
        assert_eq!(vm.run(&[]).code, 0);
        let modes = ["", "/k2hr3-role-name", "/k2hr3-role-token"];
        assert_eq!(modes.map(|path| vm.mode(&format!("etc/antpickax{path}"))), [0o755, 0o644, 0o600]);
    });
}

#[test]
fn a_token_that_was_replaced_stays_where_the_script_runs_again_for_the_same_node() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        assert_eq!(vm.run(&[]).code, 0);
        // By now the one of the user-data is dead.
        let (path, dead) = ("etc/antpickax/k2hr3-role-token", "0".repeat(64));
        let script = vm.read("k2hr3-init.sh");
        vm.write("k2hr3-init.sh", &script.replace(&testbed.cluster().server_token, &dead));
        let newer = testbed.lab().make_token(&testbed.cluster().server_role, 86_400).unwrap();
        let left = |token: &str, cuk: &str| {
            vm.write(path, token);
            vm.write("etc/antpickax/k2hr3-cuk", cuk);
            // It asks K2HR3 where this comes from.
            std::fs::remove_file(vm.path("bin/k2hdkc-agent")).unwrap();
        };
        let kept = "k2hr3-role-token has another token than the user-data, and keeps it; remove it to have";
        left(&format!("{newer}\n"), "8f7d-11");
        set_permissions(vm.path(path), Permissions::from_mode(0o644)).unwrap();
        let ended = vm.run(&[]);
        assert_eq!((ended.code, ended.said.matches(kept).count()), (0, 1), "{}", ended.said);
        assert_eq!((vm.read(path).trim_end(), vm.mode(path)), (newer.as_str(), 0o600));

        for (token, cuk) in [(newer.as_str(), "of-another-vm"), ("torn", "8f7d-11"), ("", "8f7d-11")] {
            left(token, cuk);
            let ended = vm.run(&[]);
            assert!(ended.last.contains("it answered 401") && !ended.said.contains(kept), "{}", ended.said);
            assert_eq!(vm.read(path), dead);
            vm.write("bin/k2hdkc-agent", "");
        }
    });
}

#[test]
fn a_package_comes_from_where_the_keys_say_and_the_agent_does_the_rest() {
    each_shell(|testbed, shell| {
        let mirror = Mirror::open(2);
        point_to(testbed, &mirror, SHA256);
        let vm = Vm::new(testbed, shell);
        let ended = vm.run(&[]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let told = format!(
            "k2hr3-init: k2hdkc-agent was installed from {}, and runs for {}",
            mirror.url(),
            testbed.cluster().server_role
        );
        assert_eq!(ended.last, told);
        assert_eq!(mirror.asked(), 3, "it failed twice");
        assert_eq!(vm.read("package"), mirror::PACKAGE);
        let calls = vm.calls();
        assert_eq!(calls[..2], ["sleep 1", "sleep 2"]);
        assert!(calls[2].starts_with(&format!("{APT} install /tmp/")), "{calls:?}");
        assert_eq!(calls[3..], started());

        let ended = vm.run(&[]);
        assert_eq!((ended.code, vm.calls()), (0, started().to_vec()), "what is there is not done again");
        assert!(ended.last.contains("was installed already"), "{}", ended.last);
        assert_eq!(mirror.asked(), 3);
    });
}

#[test]
fn another_checksum_keeps_the_package_out_and_names_both() {
    each_shell(|testbed, shell| {
        let (mirror, other) = (Mirror::open(0), "0".repeat(64));
        point_to(testbed, &mirror, &other);
        let vm = Vm::new(testbed, shell);
        let ended = vm.run(&[]);
        assert_eq!((ended.code, vm.calls()), (1, vec![]), "{}", ended.said);
        let told =
            format!("its checksum is {SHA256} and not {other}; put the right file there, or correct the key");
        assert!(ended.last.contains(&told), "{}", ended.last);

        for wrong in ["", "abc", &"g".repeat(64)] {
            point_to(testbed, &mirror, wrong);
            let ended = vm.run(&[]);
            assert!(ended.last.contains("there is no checksum of http://"), "{}", ended.last);
        }
        assert_eq!((mirror.asked(), vm.calls()), (1, vec![]));
    });
}

#[test]
fn without_keys_the_package_comes_by_its_name_from_the_repositories() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        let ended = vm.run(&[]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let twice = "sleep 5".to_owned();
        let [first, second, third] = started();
        let round = [format!("{APT} update"), format!("{APT} install k2hdkc-agent")];
        let expected = [std::slice::from_ref(&twice), &round, &[first, second, third]].concat();
        assert_eq!(vm.calls(), expected, "K2HR3 has said twice that there is no key");

        // apt-get ends an update well whether it reached a mirror or not.
        let vm = Vm::new(testbed, shell);
        vm.write("outage", &"\n".repeat(5));
        let ended = vm.run(&[]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let mut expected = vec![twice];
        for pause in ["1", "2", "4", "8", "16"] {
            expected.extend([&round[..], &[format!("sleep {pause}")]].concat());
        }
        expected.extend(round.into_iter().chain(started()));
        assert_eq!(vm.calls(), expected);

        let vm = Vm::new(testbed, shell);
        vm.write("repository", "");
        let ended = vm.run(&[]);
        assert_eq!(ended.code, 1);
        let told = "failed: no repository of this host brings k2hdkc-agent (see above); set the keys k2hdkc-agent-package-url";
        assert!(ended.last.contains(told), "{}", ended.last);
        let mark = vm.path("var/lib/k2hdkc-agent/unfinished-bootstrap");
        assert!(mark.is_file(), "once the package is there, the next boot goes on");
        assert_eq!(vm.mode("var/lib/k2hdkc-agent"), 0o700);
    });
}

#[test]
fn a_user_who_may_use_sudo_is_as_good_as_root_and_one_who_may_not_is_told() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).of_user();
        let ended = vm.run(&["-r"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let calls = vm.calls();
        assert_eq!(calls[0], "sudo -- sh /k2hr3-init.sh -r");
        // The agent is waited for, which has the ledger to itself when it has started.
        let last = ["systemctl start k2hdkc-agent.service", "k2hdkc-agent join"];
        assert_eq!(calls[calls.len() - 2..], last, "-r waits until K2HR3 has it");

        let vm = Vm::new(testbed, shell).of_user().without("sudo");
        let ended = vm.run(&[]);
        assert_eq!((ended.code, vm.calls()), (1, vec![]));
        assert!(ended.last.contains("failed: this needs root; run it as root: sh /"), "{}", ended.last);
        assert!(!vm.path("etc/antpickax").exists());
    });
}

#[test]
fn where_nothing_keeps_services_the_host_is_registered_once_and_nothing_is_installed() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).without_systemd();
        for _ in 0..2 {
            let ended = vm.run(&["-r"]);
            assert_eq!((ended.code, vm.calls()), (0, vec![]), "{}", ended.said);
        }
        let members = testbed.lab().members(&testbed.cluster().server_role);
        let own = members.iter().find(|member| member.cuk.as_deref() == Some("8f7d-11")).unwrap();
        assert_eq!(own.tag.as_deref(), Some("vm11.novalocal"));
        let puts = testbed.lab().requests().iter().filter(|request| request.method == "PUT").count();
        assert_eq!(puts, 1, "a member is never registered again");

        let ended = vm.run(&["-d"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        assert_eq!(ended.last, format!("k2hr3-init: this host has left {}", testbed.cluster().server_role));
        assert!(vm.names("etc/antpickax").is_empty());
        let left: Vec<_> =
            testbed.lab().members(&testbed.cluster().server_role).into_iter().filter_map(|m| m.cuk).collect();
        assert_eq!(left, [cuk(11), cuk(12)]);
        assert_eq!(vm.run(&["-d"]).code, 0, "it has left already");
    });
}
