//! Every rule of the choice.

use super::*;
use crate::supervisor::Program;

const AT: &str = "unix:///var/run/docker.sock";

fn has() -> Daemon {
    Daemon::Has { what: "the container database (antpickax/k2hdkc-trove:1.0.5) runs here".into() }
}

fn silent() -> Daemon {
    Daemon::Silent { at: AT.into(), why: "connection refused".into() }
}

fn has_not() -> Daemon {
    Daemon::HasNot { at: AT.into(), why: "there is no container \"database\"".into(), image: None }
}

fn unit(load: &str) -> Init {
    Init::unit("chmpx.service", load.into(), true)
}

fn programs(there: [bool; 2]) -> Vec<ProgramFound> {
    [Program::Chmpx, Program::K2hdkc]
        .into_iter()
        .zip(there)
        .map(|(program, there)| ProgramFound {
            program,
            name: program.name().into(),
            at: there.then(|| format!("/usr/bin/{}", program.name()).into()),
        })
        .collect()
}

/// A server with neither Docker nor systemd nor programs.
fn bare() -> Findings {
    Findings {
        docker: Daemon::Absent { at: AT.into() },
        containers_are_named: false,
        socket_is_named: false,
        before: None,
        runs: false,
        waited: false,
        systemd: Init::Other,
        programs: programs([false, false]),
    }
}

/// A server with everything.
fn full() -> Findings {
    Findings { docker: has(), systemd: unit("loaded"), programs: programs([true, true]), ..bare() }
}

fn kind(findings: &Findings) -> Kind {
    choose(findings).kind
}

#[test]
fn a_container_comes_first_and_is_told_by_name_and_image() {
    let choice = choose(&full());
    assert_eq!(
        choice.to_string(),
        "docker (picked: the container database (antpickax/k2hdkc-trove:1.0.5) runs here)"
    );
    assert_eq!(kind(&Findings { docker: has(), ..bare() }), Kind::Docker);
    assert_eq!(kind(&Findings { socket_is_named: true, ..full() }), Kind::Docker);
}

#[test]
fn containers_that_the_settings_name_are_taken_whatever_is_seen_of_them_now() {
    for docker in [has_not(), silent(), Daemon::Absent { at: AT.into() }] {
        let choice = choose(&Findings { docker: docker.clone(), containers_are_named: true, ..full() });
        assert_eq!(choice.kind, Kind::Docker);
        assert_eq!(choice.why, format!("supervisor.docker names containers; {docker}"));
    }
}

#[test]
fn without_a_container_the_unit_of_systemd_is_taken_also_where_it_is_masked_or_broken() {
    let findings = Findings { docker: has_not(), ..full() };
    assert_eq!(choose(&findings).to_string(), "systemd (picked: systemd has the unit chmpx.service)");
    for load in ["masked", "bad-setting", "error"] {
        let choice = choose(&Findings { systemd: unit(load), ..findings.clone() });
        assert_eq!((choice.kind, choice.why.ends_with(&format!("which is {load}"))), (Kind::Systemd, true));
    }
    assert_ne!(kind(&Findings { systemd: unit("not-found"), ..findings }), Kind::Systemd);
}

#[test]
fn systemd_is_taken_although_a_daemon_is_named_or_silent_and_says_so() {
    let waiting = choose(&Findings { docker: silent(), ..full() });
    assert_eq!(waiting.kind, Kind::Systemd);
    let text = "; the Docker daemon at unix:///var/run/docker.sock does not answer yet (connection refused)";
    assert!(waiting.why.ends_with(text), "{}", waiting.why);
    let named = choose(&Findings { docker: has_not(), socket_is_named: true, ..full() });
    assert_eq!(named.kind, Kind::Systemd);
    assert!(named.why.contains("answers, but there is no container \"database\""), "{}", named.why);
}

#[test]
fn a_unit_that_nobody_uses_is_not_started_while_docker_may_have_the_programs() {
    let idle = Init::unit("chmpx.service", "loaded".into(), false);
    let beside = |docker, socket_is_named| {
        choose(&Findings { docker, socket_is_named, systemd: idle.clone(), ..full() })
    };
    for choice in [beside(silent(), false), beside(has_not(), true)] {
        assert_eq!(choice.kind, Kind::None);
        assert!(choice.why.contains("chmpx.service, which is neither enabled nor active"), "{}", choice.why);
    }
    assert_eq!(beside(has_not(), false).kind, Kind::Systemd, "upstream's user-data often fails to enable it");
}

#[test]
fn without_container_and_unit_the_agent_starts_the_programs_itself() {
    for docker in [has_not(), Daemon::Absent { at: AT.into() }] {
        for systemd in [unit("not-found"), Init::Other] {
            let choice = choose(&Findings { docker: docker.clone(), systemd, ..full() });
            assert_eq!(choice.kind, Kind::Process);
            let start = "chmpx is here (/usr/bin/chmpx), k2hdkc is here (/usr/bin/k2hdkc), and no other supervisor has them: ";
            assert!(choice.why.starts_with(start), "{}", choice.why);
        }
    }
}

#[test]
fn a_server_needs_both_programs_and_a_slave_only_chmpx() {
    let found = |there| Findings { programs: programs(there), ..bare() };
    assert_eq!(kind(&found([true, true])), Kind::Process);
    assert_eq!(kind(&found([false, true])), Kind::None);
    let server = choose(&found([true, false]));
    assert_eq!(server.kind, Kind::None);
    assert!(server.why.ends_with("k2hdkc is not here (k2hdkc is not in PATH)"), "{}", server.why);
    let mut slave = found([true, false]);
    slave.programs.truncate(1);
    assert_eq!(kind(&slave), Kind::Process);
}

#[test]
fn no_program_is_started_while_somebody_else_may_have_it() {
    let programs = Findings { programs: programs([true, true]), ..bare() };
    for (findings, bar) in [
        (Findings { docker: silent(), ..programs.clone() }, "Docker may have them"),
        (
            Findings { socket_is_named: true, docker: has_not(), ..programs.clone() },
            "supervisor.docker names a daemon for them",
        ),
        (Findings { socket_is_named: true, ..programs.clone() }, "supervisor.docker names a daemon for them"),
        (
            Findings { systemd: Init::Silent { why: "no bus".into() }, ..programs.clone() },
            "systemd may have them",
        ),
    ] {
        let choice = choose(&findings);
        assert_eq!(choice.kind, Kind::None, "{findings:?}");
        assert!(choice.why.ends_with(&format!("but none is started here while {bar}")), "{}", choice.why);
    }
    let silent = choose(&Findings { docker: silent(), ..programs });
    assert!(silent.why.contains("the Docker daemon at unix:///var/run/docker.sock does not answer yet"));
}

#[test]
fn where_nothing_is_there_everything_that_was_looked_for_is_told() {
    let mut findings = bare();
    findings.programs[1].name = "/opt/k2hdkc".into();
    assert_eq!(
        choose(&findings).to_string(),
        "none (picked: nothing that runs chmpx was found, so the agent keeps only the file, and looks again from time \
         to time (supervisor.kind = \"none\" if that is meant): there is no Docker daemon at unix:///var/run/docker.sock; systemd is not the init of this host; chmpx is \
         not here (chmpx is not in PATH), k2hdkc is not here (/opt/k2hdkc is no program))"
    );
    let findings = Findings { docker: has_not(), systemd: unit("not-found"), ..findings };
    let why = choose(&findings).why;
    assert!(why.contains("there is no container \"database\"; systemd has no unit chmpx.service; "), "{why}");
}

#[test]
fn it_is_json_of_a_kind_and_a_reason() {
    let choice = Choice { kind: Kind::None, why: "x".into() };
    let json = serde_json::to_string(&choice).unwrap();
    assert_eq!(json, r#"{"kind":"none","why":"x"}"#);
    assert_eq!(serde_json::from_str::<Choice>(&json).unwrap(), choice);
}

#[test]
fn who_had_containers_before_waits_for_them_and_starts_nothing_beside() {
    let before = |findings| choose(&Findings { before: Some(Kind::Docker), docker: has_not(), ..findings });
    let idle = Init::unit("chmpx.service", "loaded".into(), false);
    let choice = before(Findings { systemd: idle, ..full() });
    assert_eq!(choice.kind, Kind::None);
    assert!(choice.why.contains("none is started here while Docker had them before"), "{}", choice.why);
    assert_eq!(before(Findings { systemd: Init::Other, ..full() }).kind, Kind::None);
    assert_eq!(before(full()).kind, Kind::Systemd, "an enabled unit is a node that has moved");
    assert_eq!(kind(&Findings { before: Some(Kind::Docker), ..full() }), Kind::Docker);
}

#[test]
fn an_image_of_troves_is_one_whose_container_may_come_for_a_while_unless_the_programs_are_here() {
    let docker = Daemon::HasNot {
        at: AT.into(),
        why: "there is no container \"database\"".into(),
        image: Some("antpickax/k2hdkc-trove:1.0.5".into()),
    };
    let idle = Init::unit("chmpx.service", "loaded".into(), false);
    for (systemd, kind) in [(idle, Kind::Systemd), (Init::Other, Kind::Process)] {
        let findings = Findings { docker: docker.clone(), systemd, ..full() };
        let choice = choose(&findings);
        assert_eq!(choice.kind, Kind::None);
        let told = "none is started here while Docker has the image antpickax/k2hdkc-trove:1.0.5, whose container may be \
                    about to be made (set supervisor.kind if it is not)";
        assert!(choice.why.ends_with(told), "{}", choice.why);
        let decided = choose(&Findings { waited: true, ..findings.clone() });
        assert_eq!(decided.kind, kind);
        assert!(decided.why.contains("answers, but there is no container"), "{}", decided.why);
        for before in [Kind::Systemd, Kind::Process] {
            assert_eq!(choose(&Findings { before: Some(before), ..findings.clone() }).kind, kind);
        }
        assert_eq!(choose(&Findings { runs: true, ..findings }).kind, kind);
    }
    let used = choose(&Findings { docker, ..full() });
    assert_eq!(used.kind, Kind::Systemd, "it is enabled: {}", used.why);
}
