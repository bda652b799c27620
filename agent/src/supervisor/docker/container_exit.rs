//! End of a container, from the daemon's answer. Pure.

use bollard::models::{ContainerState, ContainerStateStatusEnum};

use super::words::Why;
use crate::supervisor::ExitStatus;

/// End of a container that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerExit {
    /// Exit of its first process.
    pub(super) how: ExitStatus,
    /// Reason why the daemon could not start it; empty after a start.
    pub(super) error: String,
}

impl ContainerExit {
    /// Reads the end from the daemon's answer; `None` for a container that has not ended.
    pub(super) fn read(state: ContainerState) -> Option<Self> {
        let error = state.error.unwrap_or_default();
        let code = i32::try_from(state.exit_code?).ok()?;
        // As a shell says it, by the signal where it was one; no signal has a higher number.
        let how =
            if (129..=192).contains(&code) { ExitStatus::Signal(code - 128) } else { ExitStatus::Exit(code) };
        match state.status? {
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::RESTARTING => Some(Self { how, error }),
            // It has never run: it was not started, or could not be.
            ContainerStateStatusEnum::CREATED => (!error.is_empty()).then_some(Self { how, error }),
            ContainerStateStatusEnum::EMPTY
            | ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::PAUSED
            | ContainerStateStatusEnum::REMOVING
            | ContainerStateStatusEnum::STOPPING => None,
        }
    }

    /// True if the operator should look: both programs end with status 0 after a stop.
    pub(super) fn is_failure(&self) -> bool {
        self.how != ExitStatus::Exit(0) || !self.error.is_empty()
    }

    /// Describes the end of the container of that name.
    pub(super) fn of(self, name: &str) -> Why {
        let kind = if self.error.is_empty() { Why::Ended } else { Why::NotStarted };
        kind(name.to_owned(), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_does_not_run_tells_its_end_and_one_that_was_never_started_has_none() {
        use ContainerStateStatusEnum as Status;
        let seen = |status, code, error: &str| {
            ContainerExit::read(ContainerState {
                status: Some(status),
                exit_code: Some(code),
                error: Some(error.to_owned()),
                ..ContainerState::default()
            })
        };
        let told = |how, error: &str| Some(ContainerExit { how, error: error.to_owned() });
        assert_eq!(seen(Status::EXITED, 0, ""), told(ExitStatus::Exit(0), ""));
        assert_eq!(seen(Status::RESTARTING, 1, ""), told(ExitStatus::Exit(1), ""));
        assert_eq!(seen(Status::EXITED, 139, ""), told(ExitStatus::Signal(11), ""));
        assert_eq!(seen(Status::EXITED, 255, ""), told(ExitStatus::Exit(255), ""));
        assert_eq!(seen(Status::CREATED, 127, "no such file"), told(ExitStatus::Exit(127), "no such file"));
        assert_eq!(seen(Status::CREATED, 0, ""), None);
        assert_eq!(seen(Status::RUNNING, 0, ""), None);
    }
}
