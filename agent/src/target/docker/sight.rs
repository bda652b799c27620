//! One look: which containers there are, what is in them, and what it means that a program is not.

use super::engine::{self, Engine, EngineError};
use super::inside::{self, Inside};
use super::pick::{self, Container, Containers, Picked, State};
use crate::target::Program;

/// Which containers there are, and what is in those that run.
pub(super) async fn see(
    engine: &mut Engine,
    wanted: &Containers,
) -> Result<(Picked, Vec<(Container, Inside)>), EngineError> {
    let address = engine::address(wanted.socket.as_deref());
    let picked = pick::pick(&engine.list(&address).await?, wanted);
    let containers = picked.containers();
    engine.watch(containers.iter().map(|container| container.id.clone()).collect());
    let mut seen = Vec::new();
    for container in containers.into_iter().filter(|container| container.state == State::Running) {
        let printed = engine.run(&container, inside::look(&wanted.ini)).await?;
        let inside = inside::read(&printed, &wanted.ini).ok_or_else(|| EngineError::Failed {
            program: "look".to_owned(),
            container: container.name.clone(),
            status: 0,
            said: crate::problem::printable(&String::from_utf8_lossy(&printed), 100),
        })?;
        seen.push((container, inside));
    }
    Ok((picked, seen))
}

/// What it means that a program does not run in its container: it comes by itself, somebody must look, or it may be started.
pub(super) fn idle(container: &Container, shared: bool, program: Program) -> Option<Result<String, String>> {
    let name = &container.name;
    match (container.state, shared) {
        (State::Running, true) => Some(Ok(format!("{} comes by its helper in {name}", program.name()))),
        (State::Running | State::Moving | State::Paused, _) => {
            Some(Ok(format!("the container {name} is starting or ending")))
        }
        (State::Stopped, true) => {
            Some(Err(format!("the container {name} is stopped: 'docker start {name}' starts it")))
        }
        (State::Stopped, false) => None,
    }
}
