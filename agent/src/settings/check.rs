//! The check of the whole configuration: limits of single keys, and keys that need or exclude each other.

use std::time::Duration;

use super::{Guard, Ini, Join, K2hr3, OnExit, Poll, Settings, SourceKind, Supervisor, SupervisorKind};

/// Keys with a fault and its remedy.
type Faults = Vec<(&'static str, String)>;

/// Returns every fault of the values. `is_given` knows whether a file has a key.
pub(super) fn check(settings: &Settings, is_given: impl Fn(&str) -> bool) -> Faults {
    let mut faults = Faults::new();
    k2hr3(&settings.k2hr3, &mut faults);
    join(&settings.join, &mut faults);
    poll(&settings.poll, &mut faults);
    ini(&settings.ini, &mut faults);
    guard(&settings.guard, &mut faults);
    let dead_after = settings.peers.dead_after;
    let long = dead_after >= Duration::from_secs(1);
    need(
        "peers.dead-after",
        long,
        "must be at least 1s: the third retransmission comes after 1.4 s",
        &mut faults,
    );
    supervisor(&settings.supervisor, &mut faults);
    let inside = &settings.supervisor.containers.ini;
    let absolute = inside.starts_with('/') || !is_given("supervisor.docker.ini");
    need("supervisor.docker.ini", absolute, "must be an absolute path in the container", &mut faults);
    faults
}

fn need(key: &'static str, is_good: bool, text: &str, faults: &mut Faults) {
    if !is_good {
        faults.push((key, text.to_owned()));
    }
}

fn above_zero(key: &'static str, time: Duration, faults: &mut Faults) {
    need(key, !time.is_zero(), "must be more than 0", faults);
}

fn at_least_one(key: &'static str, number: u32, faults: &mut Faults) {
    need(key, number > 0, "must be at least 1", faults);
}

fn k2hr3(k2hr3: &K2hr3, faults: &mut Faults) {
    above_zero("k2hr3.connect-timeout", k2hr3.connect_timeout, faults);
    above_zero("k2hr3.timeout", k2hr3.timeout, faults);
    need("k2hr3.max-body", k2hr3.max_body > 0, "must be more than 0", faults);
    let has_file = k2hr3.source != SourceKind::File || k2hr3.file.is_some();
    need("k2hr3.source", has_file, "is \"file\": set k2hr3.file to the path of an ini as well", faults);
}

fn join(join: &Join, faults: &mut Faults) {
    at_least_one("join.confirm-polls", join.confirm_polls, faults);
}

fn poll(poll: &Poll, faults: &mut Faults) {
    let jitter = (0.0..=0.9).contains(&poll.jitter);
    need("poll.jitter", jitter, "is a share from 0 to 0.9", faults);
    let load = poll.load > 0.0;
    need("poll.load", load, "must be more than 0 (seconds of a K2HR3 worker per second)", faults);
    above_zero("poll.interval", poll.interval, faults);
    above_zero("poll.backoff", poll.backoff, faults);
    let settles = poll.settle <= poll.max_settle;
    let text = "must not be more than poll.max-settle: raise that, or lower this";
    need("poll.settle", settles, text, faults);
}

fn ini(ini: &Ini, faults: &mut Faults) {
    // The same file must be an ini to chmpx.
    let is_ini = ini.path.extension().is_none_or(|extension| extension.eq_ignore_ascii_case("ini"));
    need("ini.path", is_ini, "must end in .ini (chmpx chooses the format by the extension)", faults);
    need("ini.keep", ini.keep > 0, "must be at least 1", faults);
}

fn guard(guard: &Guard, faults: &mut Faults) {
    at_least_one("guard.confirm-polls", guard.confirm_polls, faults);
    at_least_one("guard.removal-polls", guard.removal_polls, faults);
    let share = (0.0..=1.0).contains(&guard.max_lost_share);
    need("guard.max-lost-share", share, "is a share from 0 to 1", faults);
}

fn supervisor(supervisor: &Supervisor, faults: &mut Faults) {
    let Supervisor { process, units, containers, timing, .. } = supervisor;
    for (key, program) in [
        ("supervisor.process.chmpx", &process.chmpx),
        ("supervisor.process.k2hdkc", &process.k2hdkc),
        ("supervisor.process.chmpxstatus", &process.chmpxstatus),
    ] {
        need(key, !program.is_empty(), "must not be empty", faults);
    }
    for (key, options) in [
        ("supervisor.process.chmpx-options", &process.chmpx_options),
        ("supervisor.process.k2hdkc-options", &process.k2hdkc_options),
    ] {
        let conf = options.iter().any(|option| option.eq_ignore_ascii_case("-conf"));
        need(key, !conf, "must not have -conf, which the agent adds", faults);
    }
    for (key, unit) in
        [("supervisor.systemd.chmpx-unit", &units.chmpx), ("supervisor.systemd.k2hdkc-unit", &units.k2hdkc)]
    {
        let well = unit.ends_with(".service") && !unit.contains(|c: char| c == '/' || c.is_whitespace());
        need(key, well, "must be the name of a .service", faults);
    }
    above_zero("supervisor.timing.resync-interval", timing.resync_interval, faults);
    above_zero("supervisor.timing.restart-backoff", timing.restart_backoff, faults);
    above_zero("supervisor.timing.answer-within", timing.answer_within, faults);
    // A helper or the daemon restarts what ends inside. Where "auto" picks Docker, the log says so then.
    let ends = supervisor.kind == SupervisorKind::Docker && supervisor.on_exit == OnExit::Stop;
    let text = "cannot be \"stop\" where supervisor.kind is \"docker\": set it to \"leave\"";
    need("supervisor.on-exit", !ends, text, faults);
    let one = containers.container.is_none() || containers.chmpx.is_none();
    need("supervisor.docker.container", one, "is for both programs: leave chmpx-container out", faults);
    let paired = containers.k2hdkc.is_none() || containers.chmpx.is_some();
    need("supervisor.docker.k2hdkc-container", paired, "needs chmpx-container as well", faults);
}
