//! Faults on the way into the cluster, and the way out of the cluster.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use k2hdkc_simulators::k2hr3::{Illness, Sickness, USER_DATA};
use k2hdkc_simulators::node::wait_for;
use serde_json::json;

use super::vm::{Ended, Vm, put};
use super::{Mirror, SHA256, each_shell, point_to, set_key, started};

/// The longest time for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The script failed with these words.
fn failed(ended: &Ended, words: &str) {
    assert_eq!(ended.code, 1, "{}", ended.said);
    assert!(ended.last.starts_with("k2hr3-init: failed: ") && ended.last.contains(words), "{}", ended.said);
}

#[test]
fn a_download_that_never_comes_ends_after_ten_attempts_with_the_reason() {
    each_shell(|testbed, shell| {
        let mirror = Mirror::open(99);
        point_to(testbed, &mirror, SHA256);
        let vm = Vm::new(testbed, shell);
        failed(&vm.run(&[]), "503");
        assert_eq!(mirror.asked(), 10);
        let pauses = ["1", "2", "4", "8", "16", "30", "30", "30", "30"].map(|pause| format!("sleep {pause}"));
        assert_eq!(vm.calls(), pauses);
    });
}

#[test]
fn an_address_that_is_none_is_not_asked() {
    each_shell(|testbed, shell| {
        for url in ["file:///etc/passwd.deb", "http://host/program", "--output.deb", "http://h/$(reboot).txt"]
        {
            set_key(testbed, "k2hdkc-agent-package-url", url);
            failed(
                &Vm::new(testbed, shell).run(&[]),
                "is no http(s) address of a .deb or .rpm; correct the key",
            );
        }
    });
}

#[test]
fn what_k2hr3_does_not_say_clearly_is_asked_again_and_never_taken_for_no_key() {
    each_shell(|testbed, shell| {
        let mirror = Mirror::open(0);
        point_to(testbed, &mirror, SHA256);
        let vm = Vm::new(testbed, shell);
        testbed.lab().set_illness(Some(Illness::from(Sickness::Status(401)).for_answers(3)));
        let ended = vm.run(&[]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        assert_eq!(mirror.asked(), 1);

        let vm = Vm::new(testbed, shell);
        for (sickness, status) in [
            (Sickness::Status(500), "500"),
            (Sickness::ServerErrorSayingTrue, "503"),
            // Denied, as it denies what a policy does not allow.
            (Sickness::Status(404), "404"),
            (Sickness::NullResource, "200 without a text"),
            (Sickness::TruncatedJson, "200 without a text"),
            (Sickness::ResultFalse200, "200 without a text"),
        ] {
            testbed.lab().set_sickness(Some(sickness));
            let told = format!("K2HR3 has no source of k2hdkc-agent: it answered {status}; run /");
            failed(&vm.run(&[]), &told);
            assert!(
                vm.calls().iter().all(|call| call.starts_with("sleep ")),
                "nothing is installed by its name"
            );
        }
        testbed.lab().set_sickness(None);

        // What a template that fails to expand, and a backend that dies, make of a key that is there.
        let told = "K2HR3 has no checksum of k2hdkc-agent: it answered 200 without a text";
        testbed.lab().set_key(&testbed.cluster().server_resource, "k2hdkc-agent-package-sha256", json!({}));
        failed(&vm.run(&[]), told);
        let break_template = |text: &str| format!("{text}{{{{ if }}}}\n");
        testbed.lab().edit_text(&testbed.cluster().resource, break_template);
        failed(&vm.run(&[]), "K2HR3 has no source of k2hdkc-agent: it answered 404");
        assert_eq!(mirror.asked(), 1);
    });
}

#[test]
fn one_word_that_there_is_no_key_is_asked_again_after_a_pause_and_the_second_answer_counts() {
    each_shell(|testbed, shell| {
        let mirror = Mirror::open(0);
        let vm = Vm::new(testbed, shell);
        // The key comes back in the pause.
        vm.program("sleep", "until [ -e \"$root/back\" ]; do :; done\n");
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                let paused = || vm.path("calls").is_file() && vm.read("calls").contains("sleep 5\n");
                if wait_for(PATIENCE, paused) {
                    point_to(testbed, &mirror, SHA256);
                }
                vm.write("back", "");
            });
            vm.run(&[])
        });
        assert_eq!((ended.code, mirror.asked()), (0, 1), "{}", ended.said);
        assert!(ended.last.contains("was installed from http://"), "{}", ended.last);
    });
}

#[test]
fn a_script_that_was_not_filled_in_or_says_why_it_could_not_be_does_nothing() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        let whole = vm.read("k2hr3-init.sh");
        let spoil = |from: &str, to: &str| put(&vm.path("k2hr3-init.sh"), &whole.replace(from, to));
        let token = &testbed.cluster().server_token;
        spoil(token, "no");
        failed(&vm.run(&[]), "the role token is not 64 hexadecimal digits");
        spoil("\nVALUES\n\nmain", "k2hr3 role token is empty\nVALUES\n\nmain");
        failed(&vm.run(&[]), "K2HR3 could not make this script: k2hr3 role token is empty");
        spoil(&format!("\n{}\n", testbed.cluster().server_role), "\n$(reboot)\n");
        failed(&vm.run(&[]), "$(reboot) is no role");
        put(&vm.path("k2hr3-init.sh"), USER_DATA);
        failed(&vm.run(&[]), "K2HR3 has not filled in this script");
        assert!(vm.calls().is_empty() && !vm.path("etc/antpickax").exists());
        assert_eq!(vm.run(&["-x"]).code, 64);
        assert_eq!(vm.run(&["--help"]).code, 0);
    });
}

#[test]
fn an_agent_that_cannot_bring_everything_is_started_and_the_rest_is_told() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        vm.agent("[ \"$1\" != bootstrap ]\n");
        failed(&vm.run(&[]), "; the agent runs; 'k2hdkc-agent bootstrap' goes on with it");
        assert_eq!(vm.calls()[3..], started());
    });
}

#[test]
fn a_vm_that_upstreams_user_data_has_left_gets_its_files_and_directory_closed() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        std::fs::create_dir(vm.path("etc/antpickax")).unwrap();
        vm.write("etc/antpickax/k2hr3-role-token", &testbed.cluster().server_token);
        std::os::unix::fs::symlink("/nonexistent", vm.path("etc/antpickax/k2hr3-cuk")).unwrap();
        std::fs::set_permissions(vm.path("etc/antpickax"), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(vm.run(&[]).code, 0);
        assert_eq!((vm.mode("etc/antpickax"), vm.mode("etc/antpickax/k2hr3-role-token")), (0o755, 0o600));
        assert_eq!(vm.read("etc/antpickax/k2hr3-cuk"), "8f7d-11", "a link is replaced, not followed");
    });
}

#[test]
fn the_way_out_is_the_agents_and_what_it_cannot_do_keeps_the_identity() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        assert_eq!(vm.run(&[]).code, 0);
        vm.calls();
        let identity = vm.names("etc/antpickax");
        vm.program("k2hdkc-agent", "exit 1\n");
        failed(
            &vm.run(&["-d"]),
            "has not left yrn:yahoo:::tenant0:role:mycluster/server (yet); 'k2hdkc-agent status' shows the reason",
        );
        assert_eq!(vm.names("etc/antpickax"), identity);
        assert_eq!(vm.calls().iter().filter(|call| call.starts_with("k2hdkc-agent leave")).count(), 6);

        // It hears at the second attempt.
        vm.program("k2hdkc-agent", "[ -e \"$root/hears\" ] || { : >\"$root/hears\"; exit 1; }\n");
        let ended = vm.run(&["--delete"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let expected = [
            "systemctl enable --quiet k2hdkc-agent.service",
            "systemctl start k2hdkc-agent.service",
            "k2hdkc-agent leave --timeout 5m",
            "sleep 1",
            "k2hdkc-agent leave --timeout 5m",
            "systemctl disable --quiet --now k2hdkc-agent.service",
        ];
        assert_eq!(vm.calls(), expected);
        assert!(vm.names("etc/antpickax").is_empty());
    });
}

#[test]
fn in_a_container_whoever_owns_the_directory_registers_it_without_sudo() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).without_systemd().of_user();
        std::fs::create_dir(vm.path("etc/antpickax")).unwrap();
        std::fs::set_permissions(vm.path("etc/antpickax"), std::fs::Permissions::from_mode(0o777)).unwrap();
        let ended = vm.run(&["-r"]);
        assert_eq!((ended.code, vm.calls()), (0, vec![]), "{}", ended.said);
        assert_eq!(vm.mode("etc/antpickax"), 0o777, "the container's own programs write there");
    });
}

#[test]
fn a_registration_that_k2hr3_did_not_keep_is_made_again() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).without_systemd();
        let lost = Sickness::LostRegistrations { share: 1.0 };
        testbed.lab().set_illness(Some(Illness::from(lost).for_answers(2)));
        let ended = vm.run(&["-r"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let own = |testbed: &k2hdkc_tests::testbed::Testbed| {
            let members = testbed.lab().members(&testbed.cluster().server_role);
            members.iter().any(|member| member.cuk.as_deref() == Some("8f7d-11"))
        };
        assert!(own(testbed));
    });
}
