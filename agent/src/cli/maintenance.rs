//! Commands for the maintenance of a node that stays in its cluster: `stop`, `start`. Both ask the running agent, and
//! follow its status until it is done.

use std::process::ExitCode;
use std::time::Duration;

use super::membership::{asked_twice, followed, needs_agent, told};
use crate::admin::{self, Command, Request};
use crate::ledger::Store;
use crate::lifecycle::Stage;
use crate::problem::chain;
use crate::process_status::State;
use crate::settings::Settings;
use crate::status::Status;

/// Stops the processes through the running agent: nothing else takes a server out of service.
pub(super) async fn stop(settings: &Settings, within: Duration, force: bool) -> ExitCode {
    told(told_to_stop(settings, within, force).await)
}

async fn told_to_stop(settings: &Settings, within: Duration, force: bool) -> Result<String, String> {
    let answer = asked_twice(settings, &Request::Command(Command::Stop { force })).await;
    followed(settings, within, answer, stopped, |absent| Err(needs_agent(absent))).await
}

/// Starts them again. Without an agent, the next one does.
pub(super) async fn start(settings: &Settings, within: Duration) -> ExitCode {
    told(told_to_start(settings, within).await)
}

async fn told_to_start(settings: &Settings, within: Duration) -> Result<String, String> {
    let request = Request::Command(Command::Start);
    let answer = admin::ask(&settings.state.runtime_directory, &request).await;
    followed(settings, within, answer, started, |absent| start_later(settings, absent)).await
}

fn start_later(settings: &Settings, absent: &str) -> Result<String, String> {
    let mut store = Store::open(&settings.state.directory, settings.ini.keep)
        .map_err(|error| format!("{absent}; {}", chain(&error)))?;
    store.update(|ledger| ledger.processes.stopped = None).map_err(|error| chain(&error))?;
    Ok("no agent runs; the next one starts chmpx and k2hdkc".to_owned())
}

fn stopped(status: &Status) -> Result<String, Option<String>> {
    let Some(stopped) = &status.stopped else { return Err(Some("the stop was called off".to_owned())) };
    if stopped.stage == Stage::Stopped {
        return Ok(stopped.stage.text().to_owned());
    }
    let more = status.processes.as_ref().map(|processes| processes.text.clone());
    Err(Some(more.unwrap_or_else(|| stopped.stage.text().to_owned())))
}

fn started(status: &Status) -> Result<String, Option<String>> {
    if let Some(stopped) = &status.stopped {
        return Err(Some(format!("the node was ordered to stop again: {}", stopped.stage.text())));
    }
    match &status.processes {
        Some(processes) if processes.state == State::Converged => Ok(processes.text.clone()),
        processes => Err(processes.as_ref().map(|processes| processes.text.clone())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::clock::Timestamp;
    use crate::lifecycle::Departure;
    use crate::ring::Mode;
    use crate::settings::{self, Origin};

    /// A host whose node was told to stop, and its settings.
    fn host() -> (tempfile::TempDir, Settings) {
        let root = tempfile::tempdir().unwrap();
        let settings = settings::load(&Origin { config: None, root: Some(root.path().to_owned()) }).unwrap();
        let mut store = Store::open(&settings.state.directory, settings.ini.keep).unwrap();
        let stopped = Departure::begin_stop(Timestamp(1), Mode::Server, false, None);
        store.update(|ledger| ledger.processes.stopped = Some(stopped)).unwrap();
        (root, settings)
    }

    fn is_stopped(settings: &Settings) -> bool {
        Store::peek(&settings.state.directory, settings.ini.keep).ledger().processes.stopped.is_some()
    }

    #[tokio::test]
    async fn an_agent_that_gives_no_answer_is_none_that_does_not_run() {
        let (_root, settings) = host();
        let listener = admin::listen(&settings.state.runtime_directory, None).unwrap().listener;
        // It takes the order in, and ends.
        let silent = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 64]).await;
            }
        };
        let orders = async {
            let within = Duration::from_secs(1);
            for result in
                [told_to_stop(&settings, within, false).await, told_to_start(&settings, within).await]
            {
                let error = result.unwrap_err();
                assert!(error.contains("gives no answer") && !error.contains("start it"), "{error}");
            }
        };
        tokio::select! {
            () = orders => {}
            () = silent => {}
        }
        assert!(is_stopped(&settings), "the agent that runs has the ledger");
    }

    #[tokio::test]
    async fn without_an_agent_the_next_one_starts_them() {
        let (_root, settings) = host();
        let error = told_to_stop(&settings, Duration::from_secs(1), false).await.unwrap_err();
        assert!(error.contains("start it (k2hdkc-agent run)"), "{error}");
        assert!(is_stopped(&settings));
        told_to_start(&settings, Duration::from_secs(1)).await.unwrap();
        assert!(!is_stopped(&settings));
    }
}
