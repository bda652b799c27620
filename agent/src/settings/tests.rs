//! Layers, faults, and the documents that are made of the types.

mod documents;

use std::path::Path;
use std::time::Duration;

use super::*;

const MAIN: &str = "/etc/k2hdkc-agent/agent.toml";

/// Loads a root with these files; faults are without the root's path.
fn with(files: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = below(root.path(), Path::new(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        crate::file::store(&path, text.as_bytes()).unwrap();
    }
    let loaded = load(&Origin { config: None, root: Some(root.path().to_owned()) });
    let strip = |fault: Fault| fault.to_string().replace(&root.path().display().to_string(), "");
    loaded.map_err(|error| error.0.into_iter().map(strip).collect())
}

#[test]
fn a_name_look_up_of_the_programs_has_a_limit_that_the_operator_may_set() {
    let options = |text: &str| {
        let environment = with(&[(MAIN, text)]).unwrap().supervisor.process.environment;
        environment.get("RES_OPTIONS").cloned().unwrap_or_default()
    };
    assert_eq!(options(""), "timeout:1 attempts:1");
    assert_eq!(options("[supervisor.process.environment]\nCHMDBGMODE = \"ERR\"\n"), "timeout:1 attempts:1");
    assert_eq!(options("[supervisor.process]\nenvironment.RES_OPTIONS = \"timeout:3\"\n"), "timeout:3");
}

#[test]
fn nothing_configured_is_a_whole_configuration() {
    let settings = load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap();
    assert_eq!(settings.ini.path, Path::new("/nowhere/etc/antpickax/k2hdkc.ini"));
    assert_eq!(settings.k2hr3.token_file, Path::new("/nowhere/etc/antpickax/k2hr3-role-token"));
    assert_eq!(settings.poll.interval, Duration::from_secs(5));
    assert_eq!((settings.supervisor.kind, settings.hosts.file()), (SupervisorKind::Auto, None));
    assert_eq!(settings.supervisor.containers.ini, "/etc/antpickax/k2hdkc.ini");
}

#[test]
fn later_layers_win_key_by_key() {
    let settings = with(&[
        (
            "/usr/lib/k2hdkc-agent/agent.toml",
            "[poll]\ninterval = \"1s\"\njitter = 0.1\n[hosts]\nenabled = true\n",
        ),
        (MAIN, "[poll]\ninterval = \"2s\"\n[profile.global]\nREPLICA = 2\nMQACK = true\n"),
        ("/etc/k2hdkc-agent/conf.d/20-b.toml", "[poll]\nload = 2.0\n"),
        ("/etc/k2hdkc-agent/conf.d/10-a.toml", "poll.load = 1\n"),
        ("/etc/k2hdkc-agent/conf.d/ignored.txt", "nonsense"),
        ("/etc/k2hdkc-agent/conf.d/30-c.toml~", "nonsense"),
        ("/etc/k2hdkc-agent/conf.d/.30-c.toml.swp", "nonsense"),
    ])
    .unwrap();
    assert_eq!(settings.poll.interval, Duration::from_secs(2));
    assert!((settings.poll.jitter - 0.1).abs() < 1e-9 && (settings.poll.load - 2.0).abs() < 1e-9);
    assert!(settings.hosts.file().unwrap().ends_with("etc/hosts"));
    let global = |key: &str| settings.profile.global[key].clone();
    assert_eq!(["REPLICA", "MQACK", "SSL"].map(global), ["2", "on", "no"]);
}

#[test]
fn all_faults_are_reported_together_with_file_and_line() {
    let fragments = "/etc/k2hdkc-agent/conf.d";
    let faults = with(&[
        (MAIN, "[poll]\ninterval = \"2s\"\nintervall = \"1s\"\njitter = \"much\"\n"),
        (
            &format!("{fragments}/1.toml"),
            "\n\n[k2hr3]\nrole = 7\n[supervisor]\ndocker = { socket = 1, sockets = 2 }\n",
        ),
        (&format!("{fragments}/2.toml"), "[guard]\nmax-lost-share = 2.0\n[ini]\nmode = \"9\"\n"),
        (&format!("{fragments}/3.toml"), "[guard]\nwindow = \"1s\"\nno toml\n"),
        (&format!("{fragments}/4.toml"), "[supervisor]\nlook = \"1s\"\n"),
    ])
    .unwrap_err();
    let expected = [
        format!("{MAIN}:3: poll.intervall: unknown field `intervall`, expected one of `interval`, "),
        format!("{MAIN}:4: poll.jitter: invalid type: string \"much\", expected f64"),
        format!("{fragments}/1.toml:4: k2hr3.role: invalid type: integer `7`, expected the YRN of a role"),
        format!(
            "{fragments}/1.toml:6: supervisor.docker.socket: invalid type: integer `1`, expected a string"
        ),
        format!("{fragments}/1.toml:6: supervisor.docker.sockets: unknown field `sockets`, expected one of "),
        format!("{fragments}/2.toml:2: guard.max-lost-share: is a share from 0 to 1"),
        format!("{fragments}/2.toml:4: ini.mode: \"9\" is not an octal mode such as \"0644\""),
        format!("{fragments}/3.toml:3: "),
        format!("{fragments}/4.toml:2: supervisor.look: is called supervisor.timing.resync-interval now"),
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(&expected) {
        assert!(fault.starts_with(expected), "{fault}\n{expected}");
    }
}

#[test]
fn a_section_with_its_old_name_is_told_the_new_one() {
    let faults =
        with(&[(MAIN, "[target]\nkind = \"none\"\n[supervisor]\ndrain = \"1s\"\n")]).unwrap_err().join("\n");
    assert!(faults.contains(":1: [target]: is called [supervisor] now"), "{faults}");
    assert!(faults.contains("supervisor.drain: is called supervisor.timing.drain now"), "{faults}");
}

#[test]
fn a_faulty_key_leaves_the_others_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let path = below(root.path(), Path::new(MAIN));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    crate::file::store(&path, b"state = { directory = \"/srv/a\", runtime-directory = 7 }\n").unwrap();
    let (settings, faults) = load_what_is_good(&Origin { config: None, root: Some(root.path().to_owned()) });
    assert_eq!(faults.list.len(), 1);
    assert_eq!(settings.state.directory, root.path().join("srv/a"));
    assert_eq!(settings.state.runtime_directory, root.path().join("run/k2hdkc-agent"));
}

#[test]
fn every_value_is_examined() {
    for (text, error) in [
        ("[poll]\njitter = 1.5", "poll.jitter: is a share"),
        ("[k2hr3]\ntimeout = \"0s\"", "k2hr3.timeout: must be more"),
        ("[guard]\nremoval-polls = 0", "guard.removal-polls: must be at least 1"),
        ("[poll]\nload = 0", "poll.load: must be more than 0"),
        ("[poll]\nload = 0.0", "poll.load: must be more than 0"),
        ("[poll]\ninterval = \"0s\"", "poll.interval: must be more"),
        ("[poll]\nbackoff = \"0s\"", "poll.backoff: must be more"),
        ("[poll]\nsettle = \"5s\"", "poll.settle: must not be more than poll.max-settle"),
        ("[poll]\ninterval = 5", "expected a length of time such as"),
        ("[poll]\ninterval = \"5\"", "\"5\" is not a length of time such as"),
        ("poll = 5", "poll: invalid type: integer `5`"),
        ("[ini]\npath = \"/x.conf\"", "must end in .ini"),
        ("[ini]\nkeep = 0", "ini.keep: must be at least 1"),
        ("[k2hr3]\nrole = \"server\"", "k2hr3.role: \"server\" is not a role YRN"),
        ("[k2hr3]\nresource = \"x\"", "is not a resource YRN"),
        ("[k2hr3]\napi-uri = \"ftp://x\"", "k2hr3.api-uri: is not of the form"),
        ("[k2hr3]\napi-uri = \"http://u:p@x\"", "is not of the form"),
        ("[k2hr3]\ncuk = \"a b\"", "k2hr3.cuk: a CUK has a blank"),
        ("[k2hr3]\nsource-address = \"x\"", "k2hr3.source-address: invalid IP"),
        ("[k2hr3]\nsource = \"file\"", "k2hr3.source: is \"file\": set k2hr3.file"),
        ("[k2hr3]\nsource = \"dns\"", "unknown variant `dns`"),
        ("[profile]\nserver-port = 40000", "profile.server-port: port \"40000\""),
        (
            "[profile.global]\nREPLICA = 0.5",
            "profile.global.REPLICA: is not a text, a whole number or a truth",
        ),
        ("[supervisor]\nkind = \"upstart\"", "unknown variant `upstart`"),
        ("[supervisor]\nrestarts = \"sometimes\"", "unknown variant `sometimes`"),
        ("[supervisor]\nkind = \"docker\"\non-exit = \"stop\"", "supervisor.on-exit: cannot be \"stop\""),
        ("[supervisor.timing]\nanswer-within = \"0s\"", "supervisor.timing.answer-within: must be more"),
        ("[supervisor.process]\nchmpx = \"\"", "supervisor.process.chmpx: must not be empty"),
        (
            "[supervisor.process]\nchmpx-options = [\"-conf\", \"/x.ini\"]",
            "supervisor.process.chmpx-options: must not have -conf",
        ),
        ("[supervisor.systemd]\nchmpx-unit = \"a/b\"", "chmpx-unit: must be the name of a .service"),
        ("[supervisor.docker]\nini = \"\"", "supervisor.docker.ini: must be an absolute path"),
        ("[supervisor.docker]\nk2hdkc-container = \"a\"", "needs chmpx-container as well"),
        ("[supervisor.environment]\nA = \"b\"", "is called supervisor.process.environment now"),
        ("[nonsense]", "unknown field `nonsense`"),
        ("no toml", "key with no value"),
    ] {
        let errors = with(&[(MAIN, text)]).err().unwrap_or_default();
        let right = errors.len() == 1 && errors[0].starts_with(MAIN) && errors[0].contains(error);
        assert!(right, "{text}: {errors:?}");
    }
}

#[test]
fn a_configuration_that_was_named_must_exist_and_is_not_below_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("a.toml");
    let origin = Origin { config: Some(config.clone()), root: Some("/nowhere".into()) };
    assert!(load(&origin).unwrap_err().to_string().contains("No such file"));
    assert!(!load_what_is_good(&origin).1.may_pass, "a wrong name stays wrong");
    crate::file::store(&config, b"[ini]\nkeep = 2\n").unwrap();
    assert_eq!(load(&origin).unwrap().ini.keep, 2);
}
