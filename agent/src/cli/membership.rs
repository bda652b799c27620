//! Commands that bring this node into its cluster and out of it: `join`, `leave`. Both ask the running agent, and
//! follow its status until it is done. The agent goes on whatever becomes of the command.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{complain, failed, say};
use crate::admin::{self, AdminError, Command, Request, Response};
use crate::clock::spoken;
use crate::daemon;
use crate::ledger::{LedgerError, Store};
use crate::lifecycle::{Departure, Insistence, Stage};
use crate::problem::chain;
use crate::settings::Settings;
use crate::status::Status;

/// Between two looks at what has come of a command.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// Longest time from the start of an agent until it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// Usual time of the agent for a look at its processes.
const LOOKED_WITHIN: Duration = Duration::from_secs(2);

/// Enters the role through the running agent, or by itself where none runs. A starting agent has the ledger before it
/// listens.
pub(super) async fn join(settings: &Settings, within: Duration) -> ExitCode {
    let (begun, mut is_told) = (Instant::now(), false);
    told(loop {
        match admin::ask(&settings.state.runtime_directory, &Request::Command(Command::Join)).await {
            Ok(Response::Refused(line)) => break Err(line),
            Ok(_) => break watched(settings, within, joined).await,
            Err(error @ AdminError::Denied { .. }) => break Err(chain(&error)),
            Err(_) => {}
        }
        match Store::open(&settings.state.directory, settings.ini.keep) {
            Ok(store) => break daemon::join(settings, store, within, |text| complain(text)).await,
            Err(LedgerError::Locked { .. }) if begun.elapsed() < STARTS_WITHIN.min(within) => {
                if !is_told {
                    complain("another agent has the ledger, and does not answer yet; retrying");
                }
                is_told = true;
            }
            Err(error) => break Err(chain(&error)),
        }
        sleep(BETWEEN_LOOKS).await;
    })
}

/// Leaves the cluster through the running agent. Nothing else can: the agent has chmpx take it out of service.
pub(super) async fn leave(settings: &Settings, within: Duration, how: Insistence) -> ExitCode {
    let Insistence { force, confirmed } = how;
    let answer = asked_twice(settings, &Request::Command(Command::Leave { force, confirmed })).await;
    told(followed(settings, within, answer, left, |absent| left_before(settings, absent)).await)
}

/// Gives the running agent an order that it may refuse by what it saw some seconds ago. A refusal makes it look, and
/// the order is given once more.
pub(super) async fn asked_twice(settings: &Settings, request: &Request) -> Result<Response, AdminError> {
    let runtime = &settings.state.runtime_directory;
    let answer = admin::ask(runtime, request).await;
    if !matches!(answer, Ok(Response::Refused(_))) {
        return answer;
    }
    sleep(LOOKED_WITHIN).await;
    admin::ask(runtime, request).await
}

/// Follows the running agent until `until` reports success; `absent` decides where no agent runs.
pub(super) async fn followed(
    settings: &Settings,
    within: Duration,
    answer: Result<Response, AdminError>,
    until: Look,
    absent: impl FnOnce(&str) -> Result<String, String>,
) -> Result<String, String> {
    match answer {
        Ok(Response::Refused(line)) => Err(line),
        Ok(answer) => {
            if let Response::Done(line) = answer {
                complain(line);
            }
            watched(settings, within, until).await
        }
        Err(error @ AdminError::Absent { .. }) => absent(&chain(&error)),
        Err(error) => Err(chain(&error)),
    }
}

fn left_before(settings: &Settings, absent: &str) -> Result<String, String> {
    let store = Store::peek(&settings.state.directory, settings.ini.keep);
    match &store.ledger().processes.leaving {
        Some(Departure { stage: Stage::Left, .. }) => Ok(Stage::Left.text().to_owned()),
        _ => Err(needs_agent(absent)),
    }
}

pub(super) fn told(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(line) => {
            say(line);
            ExitCode::SUCCESS
        }
        Err(line) => failed(line),
    }
}

/// Refuses an order to a node without a running agent.
pub(super) fn needs_agent(absent: &str) -> String {
    format!(
        "{absent}; the agent takes this node out of service: start it (k2hdkc-agent run), and repeat the command"
    )
}

/// Reads the progress of a wish from a status: the result, or the present obstacle.
pub(super) type Look = fn(&Status) -> Result<String, Option<String>>;

fn joined(status: &Status) -> Result<String, Option<String>> {
    match &status.registration {
        Some(registration) if registration.good => Ok(registration.line.clone()),
        Some(registration) => Err(Some(registration.line.clone())),
        None => Err(None),
    }
}

fn left(status: &Status) -> Result<String, Option<String>> {
    let Some(leaving) = &status.leaving else { return Err(Some("the leave was called off".to_owned())) };
    let of_k2hr3 = status.registration.as_ref().map(|registration| registration.line.clone());
    let of_processes = status.processes.as_ref().map(|processes| processes.text.clone());
    let more = match leaving.stage {
        Stage::Left => return Ok(format!("{}{}", leaving.stage.text(), took(status, leaving))),
        Stage::Draining | Stage::Stopping | Stage::Stopped => of_processes,
        Stage::Removing => of_k2hr3,
    };
    Err(Some(more.unwrap_or_else(|| leaving.stage.text().to_owned())))
}

/// Returns what the change of the ring took in which this server left.
fn took(status: &Status, leaving: &Departure) -> String {
    let last = status.ring.as_ref().and_then(|ring| ring.last.as_ref());
    let last = last.filter(|last| last.at >= leaving.since && !last.ended.who.leaving.is_empty());
    last.map_or_else(String::new, |last| format!("; the change of the ring: {}", last.ended))
}

/// Waits until the running agent is done, and reports its progress. A restarted agent goes on with it.
async fn watched(settings: &Settings, within: Duration, look: Look) -> Result<String, String> {
    let (end, mut last) = (Instant::now() + within, String::new());
    while Instant::now() < end {
        let seen = match admin::ask(&settings.state.runtime_directory, &Request::Status).await {
            Ok(Response::Status(status)) => look(&status),
            Ok(_) => return Err("the agent gave another answer than a status".to_owned()),
            Err(absent @ AdminError::Absent { .. }) => {
                Err(Some(format!("{}; it goes on when an agent runs again", chain(&absent))))
            }
            Err(error) => Err(Some(chain(&error))),
        };
        match seen {
            Ok(line) => return Ok(line),
            Err(Some(line)) if line != last => {
                complain(&line);
                last = line;
            }
            Err(_) => {}
        }
        sleep(BETWEEN_LOOKS).await;
    }
    Err(format!("not within {}, the agent goes on: {last}", spoken(within)))
}
