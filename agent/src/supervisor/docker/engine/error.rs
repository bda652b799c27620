//! Failures of the Docker daemon.

use thiserror::Error;

use super::ANSWER_WITHIN;

/// Reason why the daemon failed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The daemon cannot be reached.
    #[error("the Docker daemon at {address} cannot be reached")]
    Unreachable {
        /// Address of the daemon.
        address: String,
        /// Error of the connection.
        #[source]
        source: bollard::errors::Error,
    },
    /// The address is no socket of this host.
    #[error(
        "{0} is no socket of this host, and the agent reaches Docker by a socket only: set supervisor.docker.socket, or \
         DOCKER_HOST, to a path or to unix:// and a path"
    )]
    Address(String),
    /// The daemon refused.
    #[error("the Docker daemon does not {what} {container}")]
    Refused {
        /// "look into", "start", ...
        what: &'static str,
        /// The container.
        container: String,
        /// Answer of the daemon.
        #[source]
        source: bollard::errors::Error,
    },
    /// The daemon exceeded the deadline.
    #[error("the Docker daemon did not {what} within {} s", ANSWER_WITHIN.as_secs())]
    Late {
        /// The overdue action.
        what: &'static str,
    },
    /// A program inside of a container failed.
    #[error("{program} in the container {container} failed with status {status}: {said}")]
    Failed {
        /// The program or container.
        program: String,
        /// The container.
        container: String,
        /// Exit status.
        status: i64,
        /// Its error output.
        said: String,
    },
}
