//! Client of the Docker daemon: lists containers, runs a program in one, puts a file into one, and receives events. Only this
//! module and those below it know bollard. The output of the `docker` program is for people, and is not used.

mod error;
mod events;
mod listing;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::ExecInspectResponse;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    StopContainerOptionsBuilder, TopOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures_core::Stream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::container_exit::ContainerExit;
use super::pick::Container;
use super::top::{self, TopEntry};
use crate::wake::Waker;
pub(crate) use error::EngineError;
use events::Bell;
pub(super) use events::Concerns;

/// Longest wait for an answer of the daemon, and for a program that it runs inside.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Deadline of bollard itself, in seconds: a longer one, so that the error is the agent's.
const BOLLARD_WITHIN: u64 = 30;
/// Seconds until a container that is to stop is killed: chmpx blocks SIGTERM for ever.
const STOPS_WITHIN: i32 = 3;
/// Longest output of a program, in bytes: an ini of a thousand nodes has 200 kB.
const MOST_OUTPUT: usize = 4 << 20;
/// Pause between two questions for the exit of a program that has closed its output.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// A client of the daemon. Its listeners end with it.
#[derive(Debug)]
pub(super) struct Engine {
    docker: Docker,
    /// Address of the daemon, for errors.
    host: String,
    listening: JoinSet<()>,
    heard: mpsc::UnboundedReceiver<()>,
    bell: Bell,
    /// Ids of the known containers.
    found: watch::Sender<Vec<String>>,
    /// Containers under check between the passes.
    pulse: Option<(Vec<String>, JoinSet<()>)>,
}

impl Engine {
    /// Connects. With `concerns`, every change of a container that passes this filter wakes a pass from now on.
    ///
    /// # Errors
    ///
    /// The address is no socket, or the daemon does not answer in time.
    pub(super) async fn connect(
        address: &str,
        waker: &Waker,
        concerns: Option<Concerns>,
        names: Vec<String>,
    ) -> Result<Self, EngineError> {
        if !address.starts_with("unix://") {
            return Err(EngineError::Address(address.to_owned()));
        }
        let unreachable = |source| EngineError::Unreachable { address: address.to_owned(), source };
        let docker =
            Docker::connect_with_unix(address, BOLLARD_WITHIN, API_DEFAULT_VERSION).map_err(unreachable)?;
        // An older daemon refuses a newer client's version.
        let docker = in_time("answer", docker.negotiate_version()).await?.map_err(unreachable)?;
        let (sender, heard) = mpsc::unbounded_channel();
        let bell = Bell::new(sender, waker.clone());
        let (found, ids) = watch::channel(Vec::new());
        let mut listening = JoinSet::new();
        if let Some(concerns) = concerns {
            listening.spawn(events::hear(docker.clone(), concerns, (names, ids), bell.clone()));
        }
        Ok(Self { docker, host: address.to_owned(), listening, heard, bell, found, pulse: None })
    }

    /// True if the listeners are alive, and true if an event came since the last call.
    pub(super) fn news(&mut self) -> (bool, bool) {
        let whole = self.listening.try_join_next().is_none();
        let mut news = false;
        while self.heard.try_recv().is_ok() {
            news = true;
        }
        (whole, news)
    }

    /// Lists all containers of the daemon.
    pub(super) async fn list(&self) -> Result<Vec<Container>, EngineError> {
        let all = ListContainersOptionsBuilder::new().all(true).build();
        let listed = in_time("list its containers", self.docker.list_containers(Some(all))).await?;
        let listed =
            listed.map_err(|source| EngineError::Unreachable { address: self.host.clone(), source })?;
        Ok(listed.into_iter().filter_map(listing::container).collect())
    }

    /// Lists the names of all images of the daemon.
    pub(super) async fn images(&self) -> Result<Vec<String>, EngineError> {
        let all = ListImagesOptionsBuilder::new().build();
        let listed = in_time("list its images", self.docker.list_images(Some(all))).await?;
        let listed =
            listed.map_err(|source| EngineError::Unreachable { address: self.host.clone(), source })?;
        Ok(listed.into_iter().flat_map(|image| image.repo_tags).collect())
    }

    /// Runs a program in a container, as the container's user, and returns its output.
    pub(super) async fn run(
        &self,
        container: &Container,
        words: Vec<String>,
    ) -> Result<Vec<u8>, EngineError> {
        in_time("run a program in the container", self.run_to_its_end(container, words)).await?
    }

    async fn run_to_its_end(
        &self,
        container: &Container,
        words: Vec<String>,
    ) -> Result<Vec<u8>, EngineError> {
        let refused = refused("run a program in", container);
        // A script goes by its own name, not by the shell's.
        let named = words.get(3).filter(|_| words.first().is_some_and(|first| first == "/bin/sh"));
        let program = named.or(words.first()).cloned().unwrap_or_default();
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words),
            ..CreateExecOptions::default()
        };
        let id = self.docker.create_exec(&container.id, options).await.map_err(&refused)?.id;
        let started = self.docker.start_exec(&id, None).await.map_err(&refused)?;
        let (mut printed, mut said) = (Vec::new(), Vec::new());
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(part) = next(output.as_mut()).await {
                match part.map_err(&refused)? {
                    LogOutput::StdErr { message } => said.extend_from_slice(&message),
                    LogOutput::StdOut { message }
                    | LogOutput::StdIn { message }
                    | LogOutput::Console { message } => printed.extend_from_slice(&message),
                }
                if printed.len() + said.len() > MOST_OUTPUT {
                    break;
                }
            }
        }
        let status = loop {
            if let Some(status) = ended_with(&self.docker.inspect_exec(&id).await.map_err(&refused)?) {
                break status;
            }
            sleep(ASK_AGAIN).await;
        };
        if status == 0 {
            return Ok(printed);
        }
        let said = String::from_utf8_lossy(&said);
        let said = crate::problem::printable(said.trim(), 300);
        Err(EngineError::Failed { program, container: container.name.clone(), status, said })
    }

    /// Unpacks an archive into a directory of the container.
    pub(super) async fn put(
        &self,
        container: &Container,
        directory: &str,
        archive: Vec<u8>,
    ) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::new().path(directory).build();
        let put = self.docker.upload_to_container(&container.id, Some(options), body_full(archive.into()));
        in_time("take a file", put).await?.map_err(refused("put a file into", container))
    }

    /// Starts a container; one that runs already is no error.
    pub(super) async fn start(&self, container: &Container) -> Result<(), EngineError> {
        let start = self.docker.start_container(&container.id, None);
        in_time("start a container", start).await?.map_err(refused("start", container))
    }

    /// Stops a container; the daemon does not start it again by itself, unless its policy is "always" and the daemon restarts.
    /// One that does not run is no error.
    pub(super) async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        let options = StopContainerOptionsBuilder::new().t(STOPS_WITHIN).build();
        let stop = self.docker.stop_container(&container.id, Some(options));
        in_time("stop a container", stop).await?.map_err(refused("stop", container))
    }

    /// Kills a container's first process, which no signal from inside can do.
    pub(super) async fn kill(&self, container: &Container) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal("KILL").build();
        let kill = self.docker.kill_container(&container.id, Some(options));
        in_time("kill a container", kill).await?.map_err(refused("kill", container))
    }

    /// End of a container; `None` if it has not ended, or is unknown.
    pub(super) async fn end(&self, container: &Container) -> Option<ContainerExit> {
        let seen = self.docker.inspect_container(&container.id, None);
        ContainerExit::read(timeout(ANSWER_WITHIN, seen).await.ok()?.ok()?.state?)
    }

    /// The processes of the two programs in a container; `None` where they cannot be seen from outside.
    pub(super) async fn top(&self, id: &str) -> Option<Vec<TopEntry>> {
        top(&self.docker, id).await
    }

    /// Wakes a pass when a process of these containers has come or gone.
    pub(super) fn watch(&mut self, ids: Vec<String>) {
        if self.listening.is_empty() || self.pulse.as_ref().is_some_and(|(watched, _)| *watched == ids) {
            return;
        }
        self.found.send_replace(ids.clone());
        let mut task = JoinSet::new();
        task.spawn(events::feel(self.docker.clone(), ids.clone(), self.bell.clone()));
        self.pulse = Some((ids, task));
    }
}

async fn in_time<T>(what: &'static str, answer: impl Future<Output = T>) -> Result<T, EngineError> {
    timeout(ANSWER_WITHIN, answer).await.map_err(|_| EngineError::Late { what })
}

fn refused(what: &'static str, container: &Container) -> impl Fn(bollard::errors::Error) -> EngineError {
    let container = container.name.clone();
    move |source| EngineError::Refused { what, container: container.clone(), source }
}

async fn next<S: Stream + ?Sized>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// The two programs' processes in a container, the lowest number first; `None` where that is not to be had.
async fn top(docker: &Docker, id: &str) -> Option<Vec<TopEntry>> {
    let options = TopOptionsBuilder::new().ps_args(top::PS_ARGUMENTS).build();
    let top = timeout(ANSWER_WITHIN, docker.top_processes(id, Some(options))).await.ok()?.ok()?;
    let mut alive: Vec<_> =
        top.processes.unwrap_or_default().iter().filter_map(|row| top::read(row)).collect();
    alive.sort_by_key(|alive| alive.pid);
    Some(alive)
}

/// The status of a program that was run inside; `None` while it runs, and in the moment before the daemon knows it: a program
/// closes its output before it ends.
fn ended_with(seen: &ExecInspectResponse) -> Option<i64> {
    seen.exit_code.filter(|_| seen.running != Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_that_is_no_socket_of_this_host_is_refused_with_the_remedy() {
        for address in ["tcp://127.0.0.1:2375", "ssh://vm", "npipe:////./pipe/docker_engine"] {
            let error = Engine::connect(address, &Waker::default(), None, Vec::new()).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "{address} is no socket of this host, and the agent reaches Docker by a socket only: set \
                     supervisor.docker.socket, or DOCKER_HOST, to a path or to unix:// and a path"
                )
            );
        }
    }

    #[test]
    fn a_program_inside_has_ended_when_the_daemon_knows_how() {
        let seen = |running, exit_code| {
            ended_with(&ExecInspectResponse { running, exit_code, ..ExecInspectResponse::default() })
        };
        assert_eq!(seen(Some(false), Some(1)), Some(1));
        assert_eq!(seen(None, Some(0)), Some(0));
        for (running, code) in [(Some(true), None), (Some(true), Some(0)), (Some(false), None), (None, None)]
        {
            assert_eq!(seen(running, code), None, "{running:?} {code:?}");
        }
    }
}
