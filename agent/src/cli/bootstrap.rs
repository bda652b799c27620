//! `bootstrap` sets a new VM up by the keys of K2HR3, and then starts the agent.
//!
//! Retries while K2HR3 is away, and then retries failed steps, since a mirror has bad minutes, too. A failed step
//! is reported, and the steps behind it are taken all the same: a missing package must not keep the agent from
//! starting.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{complain, failed, say};
use crate::bootstrap::host::Host;
use crate::bootstrap::unfinished::Unfinished;
use crate::bootstrap::{self, KEPT_BY_AGENT, KEYS, Orders};
use crate::clock::spoken;
use crate::file::FileError;
use crate::identity;
use crate::problem::{chain, one_line};
use crate::retry::{Backoff, Retry};
use crate::settings::{Settings, SourceKind, SupervisorKind};
use crate::source::k2hr3::K2hr3;

/// Between two attempts to reach K2HR3: the first time, and at most.
const AGAIN: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
/// Between two rounds of steps. Each asks every repository of the host again.
const ROUND_AGAIN: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// See the module.
pub(super) async fn bootstrap(settings: &Settings, root: &Path, within: Duration) -> ExitCode {
    let (end, unfinished) = (Instant::now() + within, Unfinished::below(root));
    let forgotten = |error: FileError| {
        complain(format_args!(
            "whether a bootstrap is unfinished is not kept for the next boot: {}",
            chain(&error)
        ));
    };
    unfinished.begin().unwrap_or_else(forgotten);
    let agent_starts = settings.supervisor.kind != SupervisorKind::None;
    let (orders, is_known) = match orders(settings, agent_starts, within, end).await {
        Ok(orders) => (orders, true),
        Err(text) => {
            complain(text);
            // The agent's own programs are none of systemd's all the same.
            (Orders::read(&Default::default(), agent_starts).unwrap_or_default(), false)
        }
    };
    let mut work = Work::new(root, orders, &settings.ini.path);
    if !work.until(end).await || !is_known {
        return failed("not everything was done; 'k2hdkc-agent bootstrap' goes on with the rest");
    }
    unfinished.end().unwrap_or_else(forgotten);
    let has = "this host has what K2HR3 wants of it";
    if work.host.is_offline() {
        say(format_args!(
            "{has}; no init runs here that could start the agent: the one that is installed will, when it boots"
        ));
    } else {
        say(has);
    }
    ExitCode::SUCCESS
}

/// The steps of this host, and the reports so far.
struct Work {
    host: Host,
    turns: [Orders; 2],
    /// The start of the agent, until it succeeded.
    agent: Option<Orders>,
    /// The file without which the last of them do not start, where the agent writes it and starts nothing.
    file: Option<PathBuf>,
    told: BTreeSet<String>,
}

/// The outcome of steps.
#[derive(Default)]
struct Came {
    failed: bool,
    /// True where a retry may succeed.
    may_pass: bool,
}

impl Work {
    fn new(root: &Path, orders: Orders, ini: &Path) -> Self {
        let (host, agent) = (Host::new(root), Some(bootstrap::agent()));
        let starts_both = orders.units.iter().any(|unit| KEPT_BY_AGENT.contains(&unit.as_str()));
        let file = starts_both.then(|| ini.to_owned());
        Self { host, turns: orders.in_turn(), agent, file, told: BTreeSet::new() }
    }

    /// Takes rounds with growing pauses; returns true where nothing failed in the last one.
    async fn until(&mut self, end: Instant) -> bool {
        let mut retry = Retry::default();
        loop {
            let came = self.round().await;
            retry.failed(Instant::now(), "a step failed", &ROUND_AGAIN, fastrand::f64());
            let next = retry.not_before().filter(|next| came.may_pass && *next < end);
            let Some(next) = next else { return !came.failed };
            sleep_until(next).await;
        }
    }

    /// Takes all missing steps. The agent comes last, but for units that need its file; a package of a later round is
    /// looked at again.
    async fn round(&mut self) -> Came {
        let mut all = Came::default();
        let [first, units] = &self.turns;
        all.add(&take(&self.host, first, &mut self.told).await);
        if self.file.is_none() {
            all.add(&take(&self.host, units, &mut self.told).await);
        }
        if let Some(agent) = self.agent.take() {
            let came = take(&self.host, &agent, &mut self.told).await;
            all.add(&came);
            self.agent = came.failed.then_some(agent);
        }
        match &self.file {
            Some(file) if file.exists() => all.add(&take(&self.host, units, &mut self.told).await),
            Some(file) => {
                all.add(&Came { failed: true, may_pass: true });
                let text =
                    format!("{} is not there yet, and chmpx does not start without it", file.display());
                once(&mut self.told, text, |text| complain(text));
            }
            None => {}
        }
        all
    }
}

impl Came {
    fn add(&mut self, other: &Self) {
        self.failed |= other.failed;
        self.may_pass |= other.may_pass;
    }
}

async fn take(host: &Host, orders: &Orders, told: &mut BTreeSet<String>) -> Came {
    let mut came = Came::default();
    for step in bootstrap::plan(orders, &host.look(orders).await) {
        match host.act(&step).await {
            Ok(()) => once(told, step.to_string(), |text| say(text)),
            Err(error) => {
                came.add(&Came { failed: true, may_pass: error.may_pass() });
                once(told, chain(&error), |text| complain(text));
            }
        }
    }
    came
}

/// Reports a text once.
fn once(told: &mut BTreeSet<String>, text: String, tell: fn(&str)) {
    if !told.contains(&text) {
        tell(&text);
        told.insert(text);
    }
}

/// Asks K2HR3 for the steps of this host, until it answers.
async fn orders(
    settings: &Settings,
    agent_starts: bool,
    within: Duration,
    end: Instant,
) -> Result<Orders, String> {
    if settings.k2hr3.source == SourceKind::File {
        return Ok(Orders::default());
    }
    let mut client = K2hr3::new(settings.k2hr3.clone());
    let mut retry = Retry::default();
    loop {
        let asked = match identity::read(&settings.k2hr3) {
            Ok(identity) => client.keys(&identity, &KEYS).await.map_err(|doubt| doubt.text),
            Err(problems) => Err(one_line(&problems)),
        };
        match asked {
            Ok(values) => {
                return Orders::read(&values, agent_starts).map_err(|wrong| {
                    format!(
                        "the keys of this role's resource in K2HR3 are not followed: {}",
                        wrong.join("; ")
                    )
                });
            }
            Err(text) => {
                if retry.last_error() != Some(&*text) {
                    complain(&text);
                }
                retry.failed(Instant::now(), text, &AGAIN, fastrand::f64());
            }
        }
        let Some(next) = retry.not_before().filter(|next| *next < end) else { break };
        sleep_until(next).await;
    }
    Err(format!("not within {}: {}", spoken(within), retry.last_error().unwrap_or_default()))
}
