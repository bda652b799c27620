//! The Docker daemon: lists containers, runs a program inside, puts a file in, and hears what happens. The only file that
//! knows bollard. No `docker` program, whose output is for people.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, EventMessage, ExecInspectResponse};
use bollard::query_parameters::{
    EventsOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    ListImagesOptionsBuilder, StopContainerOptionsBuilder, TopOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures_core::Stream;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::alive::{self, Alive};
use super::end::End;
use super::pick::{Container, Mount, State};
use crate::wake::{Reason, Waker};

/// Longest wait for an answer of the daemon, and for a program that it runs inside.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The same for bollard itself, in seconds: longer, so that the text is ours.
const BOLLARD_WITHIN: u64 = 30;
/// Seconds until a container that is to stop is killed: chmpx blocks SIGTERM for ever.
const STOPS_WITHIN: i32 = 3;
/// What is read of a program's output: an ini of a thousand nodes has 200 kB.
const MOST_OUTPUT: usize = 4 << 20;
/// Between two looks whether a process inside has ended: no event tells of it.
const PULSE: Duration = Duration::from_secs(2);
/// Between two questions how a program inside has ended, which has closed its output.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// What changes where the processes are. Not what is executed inside: the agent itself does that all the time.
const EVENTS: [&str; 8] = ["create", "start", "die", "destroy", "rename", "pause", "unpause", "restart"];

/// Why the daemon did not do or say something.
#[derive(Debug, Error)]
pub enum EngineError {
    /// It cannot be reached.
    #[error("the Docker daemon at {address} cannot be reached")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: bollard::errors::Error,
    },
    /// Its address is no socket of this host.
    #[error(
        "{0} is no socket of this host, and the agent reaches Docker by a socket only: set supervisor.docker.socket, or \
         DOCKER_HOST, to a path or to unix:// and a path"
    )]
    Address(String),
    /// It refused.
    #[error("the Docker daemon does not {what} {container}")]
    Refused {
        /// "look into", "start", ...
        what: &'static str,
        /// The container.
        container: String,
        /// Why.
        #[source]
        source: bollard::errors::Error,
    },
    /// It did not answer in time.
    #[error("the Docker daemon did not {what} within {} s", ANSWER_WITHIN.as_secs())]
    Late {
        /// What.
        what: &'static str,
    },
    /// A program inside of a container failed.
    #[error("{program} in the container {container} failed with status {status}: {said}")]
    Failed {
        /// Which.
        program: String,
        /// Where.
        container: String,
        /// How.
        status: i64,
        /// Its last words.
        said: String,
    },
}

/// Whether what happens to a container of that name and image matters to those that are looked for.
pub(super) type Concerns = fn(name: &str, image: &str, wanted: &[String]) -> bool;

/// One client. Dropped, nobody listens any more.
#[derive(Debug)]
pub(super) struct Engine {
    docker: Docker,
    /// Where it is, for what it does not say.
    host: String,
    listening: JoinSet<()>,
    heard: mpsc::UnboundedReceiver<()>,
    bell: Bell,
    /// The ids of the containers that were found.
    found: watch::Sender<Vec<String>>,
    /// The containers that are looked at between the passes.
    pulse: Option<(Vec<String>, JoinSet<()>)>,
}

#[derive(Debug, Clone)]
struct Bell(mpsc::UnboundedSender<()>, Waker);

impl Bell {
    fn ring(&self) {
        // Nobody listens only while the agent ends.
        let _ = self.0.send(());
        self.1.wake(Reason::SupervisorChanged);
    }
}

impl Engine {
    /// Connects; where it is to `listen`, every change of a container that `concerns` wakes a pass from now on.
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
        let bell = Bell(sender, waker.clone());
        let (found, ids) = watch::channel(Vec::new());
        let mut listening = JoinSet::new();
        if let Some(concerns) = concerns {
            let filters = HashMap::from([
                ("type".to_owned(), vec!["container".to_owned()]),
                ("event".to_owned(), EVENTS.map(str::to_owned).into()),
            ]);
            let stream = docker.events(Some(EventsOptionsBuilder::new().filters(&filters).build()));
            listening.spawn(hear(Box::pin(stream), concerns, (names, ids), bell.clone()));
        }
        Ok(Self { docker, host: address.to_owned(), listening, heard, bell, found, pulse: None })
    }

    /// Whether it still hears, and whether something has happened since the last call.
    pub(super) fn news(&mut self) -> (bool, bool) {
        let whole = self.listening.try_join_next().is_none();
        let mut news = false;
        while self.heard.try_recv().is_ok() {
            news = true;
        }
        (whole, news)
    }

    /// All containers of the daemon.
    pub(super) async fn list(&self) -> Result<Vec<Container>, EngineError> {
        let all = ListContainersOptionsBuilder::new().all(true).build();
        let listed = in_time("list its containers", self.docker.list_containers(Some(all))).await?;
        let listed =
            listed.map_err(|source| EngineError::Unreachable { address: self.host.clone(), source })?;
        Ok(listed.into_iter().filter_map(container).collect())
    }

    /// The names of all images of the daemon.
    pub(super) async fn images(&self) -> Result<Vec<String>, EngineError> {
        let all = ListImagesOptionsBuilder::new().build();
        let listed = in_time("list its images", self.docker.list_images(Some(all))).await?;
        let listed =
            listed.map_err(|source| EngineError::Unreachable { address: self.host.clone(), source })?;
        Ok(listed.into_iter().flat_map(|image| image.repo_tags).collect())
    }

    /// Runs a program inside, as the container's user, and gives what it printed.
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
        // A script is called by the name that it was given.
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

    /// How a container ended; `None` where it has not, or nobody can say.
    pub(super) async fn end(&self, container: &Container) -> Option<End> {
        let seen = self.docker.inspect_container(&container.id, None);
        End::read(timeout(ANSWER_WITHIN, seen).await.ok()?.ok()?.state?)
    }

    /// The processes of the two programs in a container; `None` where they cannot be seen from outside.
    pub(super) async fn top(&self, id: &str) -> Option<Vec<Alive>> {
        top(&self.docker, id).await
    }

    /// Wakes a pass when a process of these containers has come or gone.
    pub(super) fn watch(&mut self, ids: Vec<String>) {
        if self.listening.is_empty() || self.pulse.as_ref().is_some_and(|(watched, _)| *watched == ids) {
            return;
        }
        self.found.send_replace(ids.clone());
        let mut task = JoinSet::new();
        task.spawn(feel(self.docker.clone(), ids.clone(), self.bell.clone()));
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

/// Turns what the daemon says into wakes, until the connection breaks, which is one as well.
async fn hear(
    mut stream: Pin<Box<impl Stream<Item = Result<EventMessage, bollard::errors::Error>>>>,
    concerns: Concerns,
    (names, found): (Vec<String>, watch::Receiver<Vec<String>>),
    bell: Bell,
) {
    while let Some(Ok(event)) = next(stream.as_mut()).await {
        let actor = event.actor.unwrap_or_default();
        let (id, attributes) = (actor.id.unwrap_or_default(), actor.attributes.unwrap_or_default());
        let of = |key: &str| attributes.get(key).map(String::as_str).unwrap_or_default();
        let old = of("oldName").trim_start_matches('/');
        let by_name = concerns(of("name"), of("image"), &names) || concerns(old, "", &names);
        if by_name || may_be_found(&id, &names, &found.borrow()) {
            bell.ring();
        }
    }
    bell.ring();
}

/// Whether the container of an event is one that was found, or may be: no event tells the entry point, by which one without a
/// name is known.
fn may_be_found(id: &str, names: &[String], found: &[String]) -> bool {
    found.iter().any(|known| known == id) || (names.is_empty() && found.is_empty())
}

/// Feels whether the processes are the same.
async fn feel(docker: Docker, ids: Vec<String>, bell: Bell) {
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        pulse.tick().await;
        let mut now = Vec::new();
        for id in &ids {
            let Some(alive) = top(&docker, id).await else {
                // Stopped or gone: events tell of that.
                now.clear();
                break;
            };
            now.extend(alive.into_iter().map(|alive| (alive.program, alive.pid)));
        }
        if before.as_ref().is_some_and(|before| *before != now) {
            bell.ring();
        }
        before = Some(now);
    }
}

/// The two programs' processes in a container, the lowest number first; `None` where that is not to be had.
async fn top(docker: &Docker, id: &str) -> Option<Vec<Alive>> {
    let options = TopOptionsBuilder::new().ps_args(alive::ASKED).build();
    let top = timeout(ANSWER_WITHIN, docker.top_processes(id, Some(options))).await.ok()?.ok()?;
    let mut alive: Vec<_> =
        top.processes.unwrap_or_default().iter().filter_map(|row| alive::read(row)).collect();
    alive.sort_by_key(|alive| alive.pid);
    Some(alive)
}

/// The status of a program that was run inside; `None` while it runs, and in the moment before the daemon knows it: a program
/// closes its output before it ends.
fn ended_with(seen: &ExecInspectResponse) -> Option<i64> {
    seen.exit_code.filter(|_| seen.running != Some(true))
}

/// What the daemon lists, in an order that is the same at every look: it has none itself.
fn container(listed: ContainerSummary) -> Option<Container> {
    let name = listed.names?.into_iter().next()?.trim_start_matches('/').to_owned();
    let mode = listed.host_config.and_then(|host| host.network_mode).unwrap_or_default();
    let networks = listed.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut addresses: Vec<_> =
        networks.into_iter().filter_map(|(name, end)| Some((name, end.ip_address?))).collect();
    addresses.sort();
    let address = addresses.into_iter().map(|(_, address)| address).find(|address| !address.is_empty());
    let mounts = listed.mounts.unwrap_or_default().into_iter().map(|mount| Mount {
        source: mount.source.unwrap_or_default(),
        destination: mount.destination.unwrap_or_default(),
        writable: mount.rw.unwrap_or(true),
    });
    let mut mounts: Vec<_> = mounts.collect();
    mounts.sort();
    Some(Container {
        id: listed.id?,
        name,
        image: listed.image.unwrap_or_default(),
        command: listed.command.unwrap_or_default(),
        labels: listed.labels.unwrap_or_default().into_iter().collect(),
        state: match listed.state? {
            ContainerSummaryStateEnum::RUNNING => State::Running,
            ContainerSummaryStateEnum::PAUSED => State::Paused,
            ContainerSummaryStateEnum::RESTARTING
            | ContainerSummaryStateEnum::REMOVING
            | ContainerSummaryStateEnum::STOPPING => State::Moving,
            ContainerSummaryStateEnum::EMPTY
            | ContainerSummaryStateEnum::CREATED
            | ContainerSummaryStateEnum::EXITED
            | ContainerSummaryStateEnum::DEAD => State::Stopped,
        },
        address: address.filter(|_| mode != "host"),
        mounts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::MountPoint;

    /// A container as the daemon lists it, with mounts and labels in that order.
    fn listed(order: [&str; 3]) -> ContainerSummary {
        let mount = |name: &str| MountPoint {
            source: Some(format!("/srv/{name}")),
            destination: Some(format!("/{name}")),
            rw: Some(name != "a"),
            ..MountPoint::default()
        };
        ContainerSummary {
            id: Some("0123".to_owned()),
            names: Some(vec!["/database".to_owned()]),
            state: Some(ContainerSummaryStateEnum::RUNNING),
            labels: Some(order.map(|name| (name.to_owned(), format!("is {name}"))).into()),
            mounts: Some(order.map(mount).into()),
            ..ContainerSummary::default()
        }
    }

    #[test]
    fn a_container_is_the_same_in_whatever_order_the_daemon_lists_its_mounts_and_labels() {
        let one = container(listed(["a", "b", "c"])).unwrap();
        let places: Vec<_> = one.mounts.iter().map(|mount| (&*mount.destination, mount.writable)).collect();
        assert_eq!(places, [("/a", false), ("/b", true), ("/c", true)]);
        assert_eq!(one.labels["b"], "is b");
        for order in [["c", "b", "a"], ["b", "c", "a"], ["b", "a", "c"]] {
            assert_eq!(container(listed(order)).as_ref(), Some(&one));
        }
    }

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
    fn events_of_a_container_known_by_its_entry_point_alone_are_heard_by_its_id() {
        let (found, other) = (["0123".to_owned()], ["other".to_owned()]);
        assert!(may_be_found("0123", &[], &found) && may_be_found("0123", &other, &found));
        assert!(!may_be_found("4567", &[], &found) && !may_be_found("4567", &other, &[]));
        assert!(may_be_found("4567", &[], &[]), "it may be the one that is looked for");
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
