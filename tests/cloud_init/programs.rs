//! Images that lack programs, names or a datasource: who a VM is then, and what is said before anything is changed.

use super::vm::{TOOLS, Vm};
use super::{Mirror, SHA256, each_shell, point_to};

const TAG: &str = "etc/antpickax/k2hr3-tag-param";

#[test]
fn without_the_program_hostname_the_tag_is_the_kernel_s_name_with_the_resolver_s_last_domain() {
    for (resolver, tag) in [
        ("nameserver 192.0.2.1\nsearch novalocal example.com\n", "tag=vm11.novalocal"),
        ("domain one.example\n  search .two.example.\tmore\n# search no.example", "tag=vm11.two.example"),
        ("search last.example", "tag=vm11.last.example"),
        ("search .\n", "tag=vm11"),
        ("nameserver 192.0.2.1\n", "tag=vm11"),
    ] {
        each_shell(|testbed, shell| {
            // Neither does it take uname, awk, sed or grep.
            let vm = Vm::new(testbed, shell).without("uname");
            vm.write("etc/resolv.conf", resolver);
            let ended = vm.run(&[]);
            assert_eq!((ended.code, vm.read(TAG).as_str()), (0, tag), "{}", ended.said);
        });
    }
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        std::fs::remove_file(vm.path("etc/resolv.conf")).unwrap();
        vm.name("vm11.of.its.own");
        assert_eq!(vm.run(&[]).code, 0);
        assert_eq!(vm.read(TAG), "tag=vm11.of.its.own");
    });
}

#[test]
fn a_name_that_every_host_may_have_is_no_tag_and_the_agent_makes_one_when_there_is_a_name() {
    each_shell(|testbed, shell| {
        for name in ["localhost", "localhost.localdomain", "", "(none)", ".example.com", "a b"] {
            let vm = Vm::new(testbed, shell);
            vm.name(name);
            std::fs::create_dir(vm.path("etc/antpickax")).unwrap();
            vm.write(TAG, "tag=of-the-original");
            let ended = vm.run(&[]);
            assert_eq!(ended.code, 0, "{}", ended.said);
            let told = format!("this host has no name of its own yet (\"{name}\"); set one");
            assert!(ended.said.contains(&told), "{}", ended.said);
            assert!(!vm.path(TAG).exists(), "{name}");

            // Where the script itself registers, it does not.
            let vm = Vm::new(testbed, shell).without_systemd();
            vm.name(name);
            let ended = vm.run(&["-r"]);
            assert_eq!(ended.code, 1, "{}", ended.said);
            assert!(ended.last.contains("this host has no name of its own: "), "{}", ended.said);
        }
        assert!(testbed.lab().requests().iter().all(|request| request.method != "PUT"));
    });
}

#[test]
fn a_program_that_is_not_there_is_named_before_anything_is_changed_or_is_not_missed() {
    each_shell(|testbed, shell| {
        let mirror = Mirror::open(0);
        point_to(testbed, &mirror, SHA256);
        for tool in TOOLS {
            let vm = Vm::new(testbed, shell).without(tool);
            let ended = vm.run(&[]);
            match *tool {
                "uname" => assert_eq!(ended.code, 0, "{}", ended.said),
                // The repositories have it.
                "curl" => assert_eq!((ended.code, vm.path("bin/curl").exists()), (0, true), "{}", ended.said),
                "sha256sum" => {
                    assert!(
                        ended.last.contains("failed: this host lacks the program sha256sum; put "),
                        "{}",
                        ended.said
                    );
                    assert!(!vm.path("package").exists());
                }
                tool => {
                    let told = format!(
                        "failed: this host lacks the program {tool}; put what has it (coreutils, busybox)"
                    );
                    assert!(ended.code == 1 && ended.last.contains(&told), "{tool}: {}", ended.said);
                    assert!(!vm.path("etc/antpickax").exists() && vm.calls().is_empty(), "{tool}");
                }
            }
        }
        let vm = Vm::new(testbed, shell).without("mv").without("id");
        let ended = vm.run(&[]);
        assert!(ended.last.contains("lacks the program id mv;"), "{}", ended.said);
    });
}

#[test]
fn where_nothing_installs_packages_nobody_waits_for_it() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).without("apt-get");
        let ended = vm.run(&[]);
        assert!(ended.said.contains("this host has none of apt-get, dnf and yum"), "{}", ended.said);
        assert_eq!((ended.code, vm.calls()), (1, vec!["sleep 5".to_owned()]), "no ten attempts");

        // A package of another distribution is not even fetched.
        let mirror = Mirror::open(0);
        point_to(testbed, &mirror, SHA256);
        let ended = vm.run(&[]);
        assert!(
            ended.last.contains("is no package for this host, which has no program for it"),
            "{}",
            ended.said
        );
        assert_eq!((ended.code, mirror.asked()), (1, 0));
    });
}

#[test]
fn without_systemctl_nobody_keeps_the_agent_and_the_host_is_only_registered() {
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell).without("systemctl");
        let ended = vm.run(&[]);
        assert_eq!((ended.code, vm.calls()), (0, vec![]), "{}", ended.said);
        assert!(ended.last.contains("without systemd nothing was installed or started"), "{}", ended.last);
    });
}

#[test]
fn what_cloud_init_calls_every_vm_of_which_it_knows_nothing_is_no_cuk() {
    const FALLBACKS: [&str; 13] = [
        "",
        "iid-datasource-none",
        "iid-datasource",
        "iid-datasource-wsl",
        "iid-dsopenstack",
        "iid-dsconfigdrive",
        "iid-dsopennebula",
        "iid-dsovf",
        "iid-AZURE-NODE",
        "nocloud",
        "NoCloud",
        "IID-datasource-NONE",
        "455",
    ];
    each_shell(|testbed, shell| {
        let vm = Vm::new(testbed, shell);
        for id in FALLBACKS {
            vm.write("var/lib/cloud/data/instance-id", &format!("{id}\n"));
            let ended = vm.run(&[]);
            let told = format!(
                "instance-id is no identity: \"{id}\"; cloud-init has not found the datasource of this VM"
            );
            assert!(ended.code == 1 && ended.last.contains(&told), "{}", ended.said);
            assert!(!vm.path("etc/antpickax/k2hr3-cuk").exists());
        }
        // A node that has a CUK stays who it is.
        vm.write("var/lib/cloud/data/instance-id", "8f7d-11\n");
        assert_eq!(vm.run(&[]).code, 0);
        for id in FALLBACKS {
            vm.write("var/lib/cloud/data/instance-id", &format!("{id}\n"));
            let ended = vm.run(&[]);
            assert!(ended.code == 0 && ended.said.contains("this host stays 8f7d-11"), "{}", ended.said);
            assert_eq!(vm.read("etc/antpickax/k2hr3-cuk"), "8f7d-11");
        }
    });
}
