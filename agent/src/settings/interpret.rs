//! From what the files say to what it means: defaults, newtypes and limits, every fault with its key.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::raw::{self, Raw, Span};
use super::{
    Auth, Format, Ini, K2hr3, Level, Log, OnExit, Profile, Settings, SourceKind, State, Supervisor,
    SupervisorKind, api_uri, below, defaults,
};
use crate::guard;
use crate::lifecycle::{Restarts, Rules};
use crate::membership::Naming;
use crate::names::{Cuk, Port, Tag, Yrn};
use crate::pace::Pace;
use crate::registration;
use crate::retry::Backoff;
use crate::supervisor::docker::Containers;
use crate::supervisor::process::Process;
use crate::supervisor::systemd::Units;
use crate::took_over;

/// Makes settings of the merged configuration; whatever is wrong in it is added to `errors`.
pub(super) fn interpret(raw: Raw, root: &Path, errors: &mut Vec<String>) -> Settings {
    let state = below(root, Path::new(raw.state.directory.as_deref().unwrap_or("/var/lib/k2hdkc-agent")));
    let runtime =
        below(root, Path::new(raw.state.runtime_directory.as_deref().unwrap_or("/run/k2hdkc-agent")));
    let inside = raw.ini.path.clone().unwrap_or_else(|| defaults::INI.to_owned());
    let k2hr3 = k2hr3(raw.k2hr3, root, &state, errors);
    Settings {
        join: join(&raw.join, k2hr3.source, errors),
        k2hr3,
        pace: pace(&raw.poll, errors),
        settle: settle(&raw.poll, errors),
        ini: ini(raw.ini, root, errors),
        hosts: hosts(&raw.hosts, root),
        guard: guard_rules(&raw.guard, errors),
        profile: profile(raw.profile, errors),
        supervisor: supervisor(raw.supervisor, root, &runtime, inside, errors),
        state: State { directory: state, runtime_directory: runtime, status_group: raw.state.status_group },
        log: Log {
            level: raw.log.level.unwrap_or(Level::Info),
            format: raw.log.format.unwrap_or(Format::Text),
        },
        sources: Vec::new(),
        fragments: PathBuf::new(),
        notes: Vec::new(),
    }
}

fn span(given: Option<Span>, default: Duration) -> Duration {
    given.map_or(default, |span| span.0)
}

/// Turns a text into a newtype, or an error that names the key.
fn parsed<T, E: std::fmt::Display>(
    key: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, E>,
    errors: &mut Vec<String>,
) -> Option<T> {
    match read(text?) {
        Ok(value) => Some(value),
        Err(error) => {
            errors.push(format!("{key}: {error}"));
            None
        }
    }
}

fn k2hr3(raw: raw::K2hr3, root: &Path, state: &Path, errors: &mut Vec<String>) -> K2hr3 {
    let zero = |span: Option<Span>| span.is_some_and(|span| span.0.is_zero());
    check("k2hr3.connect-timeout", !zero(raw.connect_timeout), "must be more than 0", errors);
    check("k2hr3.timeout", !zero(raw.timeout), "must be more than 0", errors);
    check("k2hr3.max-body", raw.max_body != Some(0), "must be more than 0", errors);
    let userdata = below(root, Path::new("/etc/antpickax"));
    let token_file = raw.token_file.as_deref().map(|path| below(root, Path::new(path)));
    let source = raw.source.unwrap_or(SourceKind::Resource);
    if source == SourceKind::File && raw.file.is_none() {
        errors.push("k2hr3.file: is needed where k2hr3.source is \"file\"".to_owned());
    }
    K2hr3 {
        api_uri: parsed("k2hr3.api-uri", raw.api_uri.as_deref(), api_uri, errors),
        role: parsed("k2hr3.role", raw.role.as_deref(), Yrn::role, errors),
        server_role: parsed("k2hr3.server-role", raw.server_role.as_deref(), Yrn::role, errors),
        slave_role: parsed("k2hr3.slave-role", raw.slave_role.as_deref(), Yrn::role, errors),
        resource: parsed("k2hr3.resource", raw.resource.as_deref(), Yrn::resource, errors),
        cuk: parsed("k2hr3.cuk", raw.cuk.as_deref(), |text| Cuk::try_from(text), errors),
        token_file: token_file.unwrap_or_else(|| userdata.join("k2hr3-role-token")),
        ca_file: raw.ca_file.as_deref().map(|path| below(root, Path::new(path))),
        source,
        file: raw.file.as_deref().map(|path| below(root, Path::new(path))),
        auth: raw.auth.unwrap_or(Auth::Auto),
        proxy: raw.proxy,
        source_address: parsed(
            "k2hr3.source-address",
            raw.source_address.as_deref(),
            str::parse::<IpAddr>,
            errors,
        ),
        connect_timeout: span(raw.connect_timeout, defaults::CONNECT_TIMEOUT),
        timeout: span(raw.timeout, defaults::TIMEOUT),
        max_body: raw.max_body.unwrap_or(defaults::MAX_BODY),
        userdata,
        instance_id: below(root, Path::new("/var/lib/cloud/data/instance-id")),
        minted_token: state.join("address-token.json"),
        state: state.to_owned(),
    }
}

/// A file as the source knows no role.
fn join(raw: &raw::Join, source: SourceKind, errors: &mut Vec<String>) -> registration::Rules {
    check("join.confirm-polls", raw.confirm_polls != Some(0), "must be at least 1", errors);
    registration::Rules {
        enabled: raw.enabled.unwrap_or(true) && source != SourceKind::File,
        repair: raw.repair.unwrap_or(true),
        confirm_polls: raw.confirm_polls.unwrap_or(defaults::REMOVAL_POLLS),
        confirm_for: span(raw.confirm_for, defaults::LOST_FOR),
        tag: parsed("join.tag", raw.tag.as_deref(), |text| Tag::try_from(text), errors),
    }
}

fn pace(raw: &raw::Poll, errors: &mut Vec<String>) -> Pace {
    let jitter = raw.jitter.unwrap_or(defaults::JITTER);
    let load = raw.load.unwrap_or(defaults::LOAD);
    let interval = span(raw.interval, defaults::INTERVAL);
    let (least, most) = (span(raw.backoff, defaults::BACKOFF), span(raw.max_backoff, defaults::MAX_BACKOFF));
    let backoff = Backoff::new(least, most).spread();
    check("poll.jitter", (0.0..=0.9).contains(&jitter), "is a share from 0 to 0.9", errors);
    check("poll.load", load > 0.0, "must be more than 0 (seconds of a K2HR3 worker per second)", errors);
    check("poll.interval", !interval.is_zero(), "must be more than 0", errors);
    check("poll.backoff", !least.is_zero(), "must be more than 0", errors);
    Pace { interval, max_interval: span(raw.max_interval, defaults::MAX_INTERVAL), jitter, load, backoff }
}

fn settle(raw: &raw::Poll, errors: &mut Vec<String>) -> (Duration, Duration) {
    let (rest, most) = (span(raw.settle, defaults::SETTLE), span(raw.max_settle, defaults::MAX_SETTLE));
    check("poll.max-settle", rest <= most, "must not be less than poll.settle", errors);
    (rest, most)
}

fn check(key: &str, good: bool, text: &str, errors: &mut Vec<String>) {
    if !good {
        errors.push(format!("{key}: {text}"));
    }
}

fn ini(raw: raw::Ini, root: &Path, errors: &mut Vec<String>) -> Ini {
    let path = raw.path.unwrap_or_else(|| defaults::INI.to_owned());
    // chmpx takes the format from the extension; the same file must be an ini to it.
    let is_ini = Path::new(&path).extension().is_none_or(|e| e.eq_ignore_ascii_case("ini"));
    check("ini.path", is_ini, "must end in .ini (chmpx chooses the format by the extension)", errors);
    check("ini.keep", raw.keep != Some(0), "must be at least 1", errors);
    let octal = |text: &str| match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("is not an octal mode such as \"0644\""),
    };
    Ini {
        path: below(root, Path::new(&path)),
        owner: raw.owner,
        group: raw.group,
        mode: parsed("ini.mode", raw.mode.as_deref(), octal, errors),
        extra_sections: raw.extra_sections.unwrap_or_default(),
        keep: raw.keep.unwrap_or(defaults::KEEP),
    }
}

/// The programs' environment, with a limit to each name look-up where the operator sets none.
fn resolving(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (key, value) = defaults::RES_OPTIONS;
    environment.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    environment
}

fn hosts(raw: &raw::Hosts, root: &Path) -> Option<PathBuf> {
    let path = raw.path.as_deref().unwrap_or("/etc/hosts");
    raw.enabled.unwrap_or(false).then(|| below(root, Path::new(path)))
}

fn guard_rules(raw: &raw::Guard, errors: &mut Vec<String>) -> guard::Rules {
    check("guard.confirm-polls", raw.confirm_polls != Some(0), "must be at least 1", errors);
    check("guard.removal-polls", raw.removal_polls != Some(0), "must be at least 1", errors);
    let share = raw.max_lost_share.unwrap_or(defaults::MAX_LOST_SHARE);
    check("guard.max-lost-share", (0.0..=1.0).contains(&share), "is a share from 0 to 1", errors);
    guard::Rules {
        max_lost_servers: raw.max_lost_servers.unwrap_or(defaults::MAX_LOST_SERVERS),
        max_lost_share: share,
        confirm_polls: raw.confirm_polls.unwrap_or(defaults::CONFIRM_POLLS),
        confirm_for: span(raw.confirm_for, defaults::CONFIRM_FOR),
        removal_polls: raw.removal_polls.unwrap_or(defaults::REMOVAL_POLLS),
        removal_for: span(raw.removal_for, defaults::REMOVAL_FOR),
        window: span(raw.window, defaults::WINDOW),
    }
}

fn supervisor(
    raw: raw::Supervisor,
    root: &Path,
    runtime: &Path,
    inside: String,
    errors: &mut Vec<String>,
) -> Supervisor {
    let rules = supervisor_rules(&raw, errors);
    let within = raw.answer_within.is_none_or(|span| !span.0.is_zero());
    check("supervisor.answer-within", within, "must be more than 0", errors);
    let mut program = |key: &str, given: Option<String>, name: &str| {
        check(key, given.as_deref() != Some(""), "must not be empty", errors);
        given.unwrap_or_else(|| name.to_owned())
    };
    let chmpx = program("supervisor.chmpx", raw.chmpx, "chmpx");
    let k2hdkc = program("supervisor.k2hdkc", raw.k2hdkc, "k2hdkc");
    let chmpxstatus = program("supervisor.chmpxstatus", raw.chmpxstatus, "chmpxstatus");
    let mut options = |key: &str, given: Option<Vec<String>>, usual: &[&str]| {
        let options = given.unwrap_or_else(|| usual.iter().map(|option| (*option).to_owned()).collect());
        let conf = options.iter().any(|option| option.eq_ignore_ascii_case("-conf"));
        check(key, !conf, "-conf is the agent's", errors);
        options
    };
    let process = Process {
        chmpx,
        k2hdkc,
        chmpxstatus,
        chmpx_options: options("supervisor.chmpx-options", raw.chmpx_options, defaults::CHMPX_OPTIONS),
        k2hdkc_options: options("supervisor.k2hdkc-options", raw.k2hdkc_options, defaults::K2HDKC_OPTIONS),
        user: raw.user,
        environment: resolving(raw.environment),
        runtime_directory: runtime.to_owned(),
        base_directory: below(root, Path::new("/var/lib/antpickax")),
        prepares_host: root == Path::new("/"),
        answer_within: span(raw.answer_within, defaults::ANSWER_WITHIN),
    };
    let unit = |given: Option<String>, usual: &str| given.unwrap_or_else(|| usual.to_owned());
    let units = Units {
        chmpx: unit(raw.systemd.chmpx_unit, "chmpx.service"),
        k2hdkc: unit(raw.systemd.k2hdkc_unit, "k2hdkc.service"),
        rival: ["k2hr3-get-resource.timer".to_owned(), "k2hr3-get-resource.service".to_owned()],
        helpers: below(root, Path::new("/etc/antpickax")),
        took_over: took_over::file(root),
    };
    for (key, name) in [("chmpx-unit", &units.chmpx), ("k2hdkc-unit", &units.k2hdkc)] {
        let well = name.ends_with(".service") && !name.contains(|c: char| c == '/' || c.is_whitespace());
        check(&format!("supervisor.systemd.{key}"), well, "must be the name of a .service", errors);
    }
    let kind = raw.kind.unwrap_or(SupervisorKind::Auto);
    // What ends inside is started again by its helper, or by the daemon. Where Docker is picked, that is told then.
    let ends = kind == SupervisorKind::Docker && raw.on_exit == Some(OnExit::Stop);
    check("supervisor.on-exit", !ends, "cannot be \"stop\" where supervisor.kind is \"docker\"", errors);
    Supervisor {
        kind,
        rules,
        process,
        units,
        containers: containers(raw.docker, inside, errors),
        on_exit: raw.on_exit.unwrap_or(OnExit::Leave),
        drain: span(raw.drain, defaults::DRAIN),
    }
}

fn containers(raw: raw::Docker, inside: String, errors: &mut Vec<String>) -> Containers {
    let ini = raw.ini.unwrap_or(inside);
    check("supervisor.docker.ini", ini.starts_with('/'), "must be an absolute path in the container", errors);
    let one = raw.container.is_none() || raw.chmpx_container.is_none();
    check("supervisor.docker.container", one, "is for both programs: leave chmpx-container out", errors);
    let paired = raw.k2hdkc_container.is_none() || raw.chmpx_container.is_some();
    check("supervisor.docker.k2hdkc-container", paired, "needs chmpx-container as well", errors);
    Containers {
        container: raw.container,
        chmpx: raw.chmpx_container,
        k2hdkc: raw.k2hdkc_container,
        socket: raw.socket,
        ini,
    }
}

fn supervisor_rules(raw: &raw::Supervisor, errors: &mut Vec<String>) -> Rules {
    let backoff = (
        span(raw.restart_backoff, defaults::RESTART_BACKOFF),
        span(raw.max_restart_backoff, defaults::MAX_RESTART_BACKOFF),
    );
    let look = span(raw.look, defaults::LOOK);
    check("supervisor.look", !look.is_zero(), "must be more than 0", errors);
    check("supervisor.restart-backoff", !backoff.0.is_zero(), "must be more than 0", errors);
    Rules {
        quiet: span(raw.quiet, defaults::QUIET),
        between_questions: span(raw.between_questions, defaults::BETWEEN_QUESTIONS),
        look,
        start_gap: span(raw.start_gap, defaults::START_GAP),
        stop_gap: span(raw.stop_gap, defaults::STOP_GAP),
        stop_within: span(raw.stop_within, defaults::STOP_WITHIN),
        deaf_after: span(raw.deaf_after, defaults::DEAF_AFTER),
        roll_back_within: span(raw.roll_back_within, defaults::ROLL_BACK_WITHIN),
        peers_within: span(raw.peers_within, defaults::PEERS_WITHIN),
        join_within: span(raw.join_within, defaults::JOIN_WITHIN),
        idle_merge: span(raw.idle_merge, defaults::IDLE_MERGE),
        merge_within: span(raw.merge_within, defaults::MERGE_WITHIN),
        turn: span(raw.turn, defaults::TURN),
        calm: span(raw.calm, defaults::CALM),
        backoff,
        restarts: raw.restarts.unwrap_or(Restarts::Servers),
        pair: raw.pair.unwrap_or(true),
        wait_for_peers: raw.wait_for_peers.unwrap_or(true),
        take_over: raw.take_over.unwrap_or(false),
    }
}

fn profile(raw: raw::Profile, errors: &mut Vec<String>) -> Profile {
    let mut port = |key: &str, given: Option<u16>, default: u16| {
        let number = given.unwrap_or(default);
        Port::try_from(number).unwrap_or_else(|error| {
            errors.push(format!("profile.{key}: {error}"));
            // Any port will do, so that the other faults are found as well.
            Port::LEAST
        })
    };
    let (server_port, server_ctlport, slave_ctlport) = (
        port("server-port", raw.server_port, 8020),
        port("server-ctlport", raw.server_ctlport, 8021),
        port("slave-ctlport", raw.slave_ctlport, 8031),
    );
    let overlay = |defaults: &[(&str, &str)], given: std::collections::BTreeMap<String, raw::Scalar>| {
        let mut keys: std::collections::BTreeMap<String, String> =
            defaults.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        keys.extend(given.into_iter().map(|(key, value)| (key, value.to_string())));
        keys
    };
    Profile {
        group: raw.group,
        naming: raw.naming.unwrap_or(Naming::Address),
        peers: raw.peers.unwrap_or(false),
        server_port,
        server_ctlport,
        slave_ctlport,
        global: overlay(defaults::GLOBAL, raw.global),
        k2hdkc: overlay(defaults::K2HDKC, raw.k2hdkc),
    }
}
