//! Finds out if the daemon has the wanted container, for the selection of a supervisor.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::engine::{Engine, EngineError};
use super::pick::{self, Container, RunState, pick};
use crate::problem::{chain, listed};
use crate::settings::Containers;
use crate::supervisor::auto::choose::Daemon;
use crate::wake::Waker;

/// Asks the daemon which containers it has.
pub(in crate::supervisor) async fn look(wanted: &Containers, within: Duration) -> Daemon {
    let at = wanted.daemon();
    if at.strip_prefix("unix://").is_some_and(|path| !Path::new(path).exists()) {
        return Daemon::Absent { at };
    }
    let (all, images) = match timeout(within, list(&at)).await {
        Ok(Ok(all)) => all,
        Ok(Err(error)) => {
            // The reason stands behind the address.
            let why = error.source().map_or_else(|| chain(&error), |cause| chain(&cause));
            return Daemon::Silent { at, why };
        }
        Err(_) => return Daemon::Silent { at, why: format!("nothing within {} s", within.as_secs()) },
    };
    match found(&all, wanted) {
        Ok(what) => Daemon::Has { what },
        Err(why) => {
            Daemon::HasNot { at, why, image: images.into_iter().find(|image| pick::is_troves(image)) }
        }
    }
}

/// Lists the containers of a daemon and the names of its images.
async fn list(address: &str) -> Result<(Vec<Container>, Vec<String>), EngineError> {
    let engine = Engine::connect(address, &Waker::default(), None, Vec::new()).await?;
    // A user that may only see containers gets no images.
    Ok((engine.list().await?, engine.images().await.unwrap_or_default()))
}

/// Describes the wanted containers, or the reason why they are missing. Several candidates count as present.
fn found(all: &[Container], wanted: &Containers) -> Result<String, String> {
    let picked = pick(all, wanted);
    let is_one = |container| pick(std::slice::from_ref(container), wanted).chmpx.is_ok();
    match &picked.chmpx {
        Err(why) if all.iter().any(is_one) => Ok(why.to_string()),
        Err(why) => Err(why.to_string()),
        Ok(_) => Ok(listed(picked.containers().iter().map(told), ", ")),
    }
}

fn told(container: &Container) -> String {
    let does = match container.state {
        RunState::Running => "runs here",
        RunState::Paused => "is paused here",
        RunState::Moving => "is starting or ending here",
        RunState::Stopped => "is here, and stopped",
    };
    format!("the container {} ({}) {does}", container.name, container.image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, state: RunState) -> Container {
        let image = "antpickax/k2hdkc-trove:1.0.5";
        Container { state, ..pick::container(name, image, "/usr/libexec/k2hdkctrove.sh") }
    }

    #[test]
    fn a_container_is_told_with_its_image_and_what_it_does() {
        for (state, does) in [
            (RunState::Running, "runs here"),
            (RunState::Paused, "is paused here"),
            (RunState::Moving, "is starting or ending here"),
            (RunState::Stopped, "is here, and stopped"),
        ] {
            let text = found(&[container("database", state)], &Containers::default());
            let told = format!("the container database (antpickax/k2hdkc-trove:1.0.5) {does}");
            assert_eq!(text, Ok(told));
        }
    }

    #[test]
    fn containers_that_the_settings_name_are_found_by_these_names_and_no_others() {
        let all = [container("database", RunState::Running), container("chmpx", RunState::Running)];
        let wanted = Containers { chmpx: Some("chmpx".into()), ..Containers::default() };
        assert!(found(&all, &wanted).unwrap().starts_with("the container chmpx ("));
        let wanted = Containers { container: Some("gone".into()), ..Containers::default() };
        assert!(found(&all, &wanted).unwrap_err().starts_with("no container is called \"gone\""));
    }

    #[test]
    fn of_several_that_may_be_meant_none_is_named_but_they_are_there() {
        let all = [container("one", RunState::Running), container("two", RunState::Running)];
        let text = found(&all, &Containers::default()).unwrap();
        assert!(text.starts_with("several containers may be meant (one, two)"), "{text}");
        assert!(found(&[], &Containers::default()).is_err());
    }
}
