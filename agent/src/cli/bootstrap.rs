//! `bootstrap`: what a new VM needs, from K2HR3's keys, and then the agent. Tried again while K2HR3 is away; a step that fails
//! is told, and those behind it are taken all the same: a package that is missing must not keep the agent from starting.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{complain, failed, say};
use crate::apply::full;
use crate::backoff;
use crate::bootstrap::{self, KEPT_BY_AGENT, KEYS, Orders, host::Host};
use crate::clock::spoken;
use crate::identity;
use crate::problem::one_line;
use crate::settings::{Settings, SourceKind, TargetKind};
use crate::source::k2hr3::K2hr3;

/// Between two attempts to reach K2HR3: the first time, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// See the module.
pub(super) async fn bootstrap(settings: &Settings, root: &Path, within: Duration) -> ExitCode {
    let (host, mut well) = (Host::new(root), true);
    let agent_starts = settings.target.kind != TargetKind::None;
    let orders = match orders(settings, agent_starts, within).await {
        Ok(orders) => orders,
        Err(text) => {
            complain(&text);
            well = false;
            Orders::default()
        }
    };
    let [first, units] = orders.in_turn();
    let turns = if agent_starts {
        [first, units, bootstrap::agent()]
    } else {
        // Their units do not start before the agent has written their file.
        [first, bootstrap::agent(), units]
    };
    for orders in turns {
        if orders.units.iter().any(|unit| KEPT_BY_AGENT.contains(&unit.as_str()))
            && !comes(&settings.ini.path, within).await
        {
            let ini = settings.ini.path.display();
            complain(&format!(
                "{ini} is not there after {}: chmpx does not start without it",
                spoken(within)
            ));
            well = false;
        }
        for step in bootstrap::plan(&orders, &host.look(&orders).await) {
            match host.act(&step).await {
                Ok(()) => say(&step.to_string()),
                Err(error) => {
                    complain(&full(&error));
                    well = false;
                }
            }
        }
    }
    if well {
        say("this host has what K2HR3 wants of it");
        return ExitCode::SUCCESS;
    }
    failed("not everything was done; 'k2hdkc-agent bootstrap' goes on with the rest")
}

/// Whether a file is there, or comes in time.
async fn comes(file: &Path, within: Duration) -> bool {
    let end = Instant::now() + within;
    while !file.exists() {
        if Instant::now() >= end {
            return false;
        }
        sleep(AGAIN.0).await;
    }
    true
}

/// What K2HR3 wants of this host, once it says so.
async fn orders(settings: &Settings, agent_starts: bool, within: Duration) -> Result<Orders, String> {
    if settings.k2hr3.source == SourceKind::File {
        return Ok(Orders::default());
    }
    let (end, mut client) = (Instant::now() + within, K2hr3::new(settings.k2hr3.clone()));
    let mut last = String::new();
    for attempt in 1.. {
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
            Err(text) if text != last => {
                complain(&text);
                last = text;
            }
            Err(_) => {}
        }
        let pause = backoff::pause(attempt, AGAIN, fastrand::f64());
        if Instant::now() + pause >= end {
            break;
        }
        sleep(pause).await;
    }
    Err(format!("not within {}: {last}", spoken(within)))
}
