//! Commands that talk to the running agent, or read its ledger where none runs: `status`, `confirm`.

use std::process::ExitCode;

use super::membership::told;
use super::{complain, failed, say};
use crate::admin::{self, AdminError, Command, Request, Response};
use crate::clock::{Clock, Timestamp};
use crate::installed::Look;
use crate::ledger::Store;
use crate::problem::chain;
use crate::reconcile;
use crate::ring::Mode;
use crate::settings::Settings;
use crate::status::Status;
use crate::supervisor::{AnySupervisor, NodeSpec, Supervisor as _};

/// Prints the status. 0 if all is well, 1 if the operator should look.
pub(super) async fn status(settings: &Settings, json: bool) -> ExitCode {
    let runtime = &settings.state.runtime_directory;
    let answered = match admin::ask(runtime, &Request::Fresh).await {
        // An agent from before an upgrade knows no such request.
        Ok(Response::Refused(_)) => admin::ask(runtime, &Request::Status).await,
        other => other,
    };
    let status = match answered {
        Ok(Response::Status(status)) => *status,
        Ok(_) => return failed("the agent gave another answer than a status: is it of another version?"),
        Err(AdminError::Absent { .. }) => from_ledger(settings).await,
        Err(error) => return failed(chain(&error)),
    };
    if json {
        match serde_json::to_string_pretty(&status) {
            Ok(text) => say(text),
            Err(error) => return failed(error),
        }
    } else {
        say(status.text(Clock::of_host().now()));
    }
    if status.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn from_ledger(settings: &Settings) -> Status {
    let store = Store::peek(&settings.state.directory, settings.ini.keep);
    if let Some(complaint) = &store.complaint {
        complain(complaint);
    }
    let mut supervisor = AnySupervisor::onlooker(settings, store.ledger().picked);
    let installed = Look::default().at(&settings.ini.path, Timestamp::now()).ok();
    let about = installed.as_ref().and_then(|installed| NodeSpec::of(installed.ring()?, &settings.ini.path));
    supervisor.pick(about.map_or(Mode::Server, |about| about.mode), &settings.ini.path).await;
    let mut status = Status::idle(store.ledger(), supervisor.name(), settings.ini.path.display().to_string());
    status.agent.picked = supervisor.choice();
    status
}

/// Confirms through the running agent, or in its ledger for the next pass.
pub(super) async fn confirm(settings: &Settings, id: Option<String>) -> ExitCode {
    let request = Request::Command(Command::Confirm(id.clone()));
    let answered = match admin::ask(&settings.state.runtime_directory, &request).await {
        Ok(Response::Done(line)) => Ok(line),
        Ok(Response::Refused(line)) => Err(line),
        Ok(Response::Status(_)) => {
            Err("the agent answered with its status: is it of another version?".to_owned())
        }
        Err(absent @ AdminError::Absent { .. }) => {
            in_ledger(settings, id.as_deref()).map_err(|error| format!("{error} ({absent})"))
        }
        Err(error) => Err(chain(&error)),
    };
    told(answered)
}

fn in_ledger(settings: &Settings, id: Option<&str>) -> Result<String, String> {
    let mut store =
        Store::open(&settings.state.directory, settings.ini.keep).map_err(|error| chain(&error))?;
    reconcile::confirm(&mut store, id, None).map(|line| format!("{line}; the next pass goes by it"))
}
