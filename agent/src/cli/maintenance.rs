//! The commands for maintenance of a node that stays in its cluster: `stop`, `start`. They ask the running agent, and then look
//! until it is done.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::sleep;

use super::complain;
use super::membership::{LOOKED_WITHIN, told, watched};
use crate::admin::{self, Command, Request, Response};
use crate::apply::full;
use crate::course::Stage;
use crate::ledger::Store;
use crate::settings::Settings;
use crate::standing::State;
use crate::status::Status;

/// Stops the processes through the running agent: nothing else takes a server out of service.
pub(super) async fn stop(settings: &Settings, within: Duration, force: bool) -> ExitCode {
    let runtime = &settings.state.runtime_directory;
    let request = Request::Command(Command::Stop { force });
    let mut answer = admin::ask(runtime, &request).await;
    if let Ok(Response::Refused(_)) = answer {
        // By what was seen some seconds ago, perhaps; it has made the agent look.
        sleep(LOOKED_WITHIN).await;
        answer = admin::ask(runtime, &request).await;
    }
    told(match answer {
        Ok(Response::Refused(line)) => Err(line),
        Ok(answer) => {
            if let Response::Done(line) = answer {
                complain(&line);
            }
            watched(settings, within, stopped).await
        }
        Err(absent) => Err(format!(
            "{}; the agent takes this node out of service: start it (k2hdkc-agent run), and say it again",
            full(&absent)
        )),
    })
}

/// Starts them again. Without an agent, the next one does.
pub(super) async fn start(settings: &Settings, within: Duration) -> ExitCode {
    let request = Request::Command(Command::Start);
    told(match admin::ask(&settings.state.runtime_directory, &request).await {
        Ok(Response::Refused(line)) => Err(line),
        Ok(answer) => {
            if let Response::Done(line) = answer {
                complain(&line);
            }
            watched(settings, within, started).await
        }
        Err(absent) => start_later(settings, &full(&absent)),
    })
}

fn start_later(settings: &Settings, absent: &str) -> Result<String, String> {
    let mut store = Store::open(&settings.state.directory, settings.ini.keep)
        .map_err(|error| format!("{absent}; {}", full(&error)))?;
    store.update(|ledger| ledger.known.stopped = None).map_err(|error| full(&error))?;
    Ok("no agent runs; the next one starts chmpx and k2hdkc".to_owned())
}

fn stopped(status: &Status) -> Result<String, Option<String>> {
    let Some(stopped) = &status.stopped else { return Err(Some("the stop was called off".to_owned())) };
    if stopped.stage == Stage::Stopped {
        return Ok(stopped.stage.text().to_owned());
    }
    let more = status.standing.as_ref().map(|standing| standing.text.clone());
    Err(Some(more.unwrap_or_else(|| stopped.stage.text().to_owned())))
}

fn started(status: &Status) -> Result<String, Option<String>> {
    if let Some(stopped) = &status.stopped {
        return Err(Some(format!("it was told to stop again: {}", stopped.stage.text())));
    }
    match &status.standing {
        Some(standing) if standing.state == State::Converged => Ok(standing.text.clone()),
        standing => Err(standing.as_ref().map(|standing| standing.text.clone())),
    }
}
