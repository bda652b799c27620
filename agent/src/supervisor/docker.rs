//! Supervisor kind `docker`: chmpx and k2hdkc are in one container, as Trove makes it, or in one each.
//!
//! The agent's own file stays the one truth: it is installed as ever, and then put before the processes, by an archive
//! under a temporary name and a rename inside (0 of 10 chmpx ended; an archive over the file itself 1 of 10). The processes are
//! seen from inside, so that their numbers and start times are exact wherever the daemon is, and signalled from inside:
//! a signal to the container is one to Trove's loop, which takes the node out of its role.
//!
//! In Trove's container a helper restarts what ends, so the agent starts nothing there. A container of a single program is
//! started after that program has ended.

mod address;
mod top;
mod words;
mod archive;
mod exit_watch;
mod container_exit;
mod engine;
pub(super) mod findings;
mod probe;
mod pick;
mod connection;
mod observer;

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;

use tokio::time::sleep;
use tracing::info;

pub(crate) use engine::EngineError;

use super::local::conversation::Conversation;
use super::local::found;
use super::{
    Ask, Done, FilePlace, ForeignWriter, NodeSpec, Observed, OutOfSync, ProcessId, Program, Signal, Step,
    Supervisor, SupervisorError,
};
use crate::file::FileError;
use crate::settings::{Containers, Process};
use crate::wake::Waker;
use connection::DaemonConnection;
use engine::Engine;
use observer::Observer;
use pick::Container;
use probe::Probe;
use words::Why;

/// The processes of one node, in containers.
#[derive(Debug)]
pub(crate) struct Docker {
    settings: Process,
    wanted: Containers,
    waker: Waker,
    /// True in a command beside the agent, which observes once.
    looks_on: bool,
    connection: DaemonConnection,
    talk: Conversation,
    observer: Observer,
}

impl Docker {
    /// Makes the supervisor; nothing is observed yet.
    pub(crate) fn new(settings: Process, wanted: Containers, waker: Waker, looks_on: bool) -> Self {
        Self {
            settings: asking(settings),
            wanted,
            waker,
            looks_on,
            connection: DaemonConnection::default(),
            talk: Conversation::default(),
            observer: Observer::default(),
        }
    }

    /// Takes other settings and keeps the knowledge of the processes.
    pub(crate) fn reset(&mut self, settings: Process, wanted: Containers) {
        if wanted != self.wanted {
            self.connection = DaemonConnection::default();
            self.observer.turn_away();
        }
        (self.settings, self.wanted) = (asking(settings), wanted);
    }

    /// Looks, unless that was done just now.
    async fn look(&mut self) {
        let (engine, news) = match self.connection.engine(&self.wanted, &self.waker, !self.looks_on).await {
            Ok(found) => found,
            Err(why) => {
                self.observer.unseen = Some(why);
                return;
            }
        };
        if news || self.observer.exit_watch.heard() {
            self.observer.doubt();
        }
        let due = self.observer.due_in();
        if self.observer.is_stale() {
            // A fifth of a second at most; nothing else would bring the look that is due then.
            sleep(due).await;
        } else if !due.is_zero() {
            return;
        }
        let chmpx = self.observer.chmpx.map(|running| running.id);
        match self.observer.look(engine, &self.wanted, &self.waker).await {
            Ok(()) => self.connection.well(),
            Err(error) => self.observer.unseen = Some(self.connection.judge(&error, &self.waker)),
        }
        if self.observer.chmpx.map(|running| running.id) != chmpx {
            self.talk.forget();
        }
    }

    /// Difference between the installed file and that of the containers.
    fn misplaced(&self, spec: &NodeSpec) -> Option<OutOfSync> {
        let live = crate::file::read(&spec.ini).ok()?;
        let (container, inside) =
            self.observer.probes.iter().find(|(_, inside)| inside.ini.as_ref() != Some(&live))?;
        let (name, ini) = (container.name.clone(), self.wanted.ini.clone());
        Some(match (pick::no_way_to(&ini, &container.mounts), &inside.ini) {
            (Some(why), _) => OutOfSync::Fixed(Why::NoWay(name, why).to_string()),
            (None, None) => OutOfSync::Replaceable(Why::NoFile { name, ini }.to_string()),
            (None, Some(_)) => OutOfSync::Replaceable(Why::OtherFile { name, ini }.to_string()),
        })
    }

    /// The loop that rewrites the ini inside.
    fn rival(&self) -> Option<ForeignWriter> {
        let (container, _) = self.rewritten()?;
        let (name, ini) = (container.name.clone(), self.wanted.ini.clone());
        let conf = probe::beside(&ini, "override.conf");
        Some(ForeignWriter {
            of: container.id.clone(),
            text: Why::Rewrites { name, ini }.to_string(),
            remedy: format!("set '{}' in {conf} there", probe::SHADOW),
        })
    }

    fn rewritten(&self) -> Option<&(Container, Probe)> {
        self.observer.probes.iter().find(|(container, inside)| rewrites(container, inside, &self.wanted.ini))
    }

    /// The spec with the control port at the container's own address, if it has one.
    fn reached_at(&self, spec: &NodeSpec) -> NodeSpec {
        let mut spec = spec.clone();
        let container = self.observer.place(Program::Chmpx).ok();
        if let Some(address) = container.and_then(|c| c.address?.parse::<IpAddr>().ok()) {
            spec.control.set_ip(address);
        }
        spec
    }

    /// A client for a step, and where the program is.
    async fn at(&mut self, program: Program) -> Result<(&mut Engine, Container), SupervisorError> {
        let container = self.observer.place(program)?;
        self.observer.doubt();
        let engine = self.connection.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        Ok((engine, container))
    }

    /// Stops the containers of both programs.
    async fn retire(&mut self) -> Result<(), SupervisorError> {
        let containers = self.observer.to_stop()?;
        self.observer.doubt();
        let engine = self.connection.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        for container in containers {
            engine.stop(&container).await?;
        }
        Ok(())
    }

    async fn send(&mut self, program: Program, id: ProcessId, signal: Signal) -> Result<(), SupervisorError> {
        let (engine, container) = self.at(program).await?;
        // The kernel lets nobody inside kill the first process, and no signal of the agent is for a container with a loop.
        if id.pid == 1 && signal == Signal::Kill {
            return Ok(engine.kill(&container).await?);
        }
        let name = if signal == Signal::Kill { "KILL" } else { "HUP" };
        engine.run(&container, probe::signal(program, id, name)).await?;
        Ok(())
    }

    /// Puts the installed file into every container that has another one.
    async fn place(&mut self, spec: &NodeSpec) -> Result<(), SupervisorError> {
        if let Some(why) = &self.observer.unseen {
            return Err(SupervisorError::Unreachable(why.clone()));
        }
        if let Some(why) = self.observer.nowhere() {
            return Err(why.into());
        }
        let live = crate::file::read(&spec.ini)?;
        let mode = std::fs::metadata(&spec.ini).map_or(0o644, |metadata| metadata.permissions().mode());
        let ini = self.wanted.ini.clone();
        let name = format!(".{}.k2hdkc-agent", ini.rsplit('/').next().unwrap_or_default());
        let directory = probe::beside(&ini, "");
        self.observer.doubt();
        let engine = self.connection.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        let mut done = false;
        for (container, seen) in &mut self.observer.probes {
            // Two containers may have one directory between them, and one replacement is enough.
            if done && let Some(now) = probe::read(&engine.run(container, probe::look(&ini)).await?, &ini) {
                seen.ini = now.ini;
            }
            if seen.ini.as_ref() == Some(&live) {
                continue;
            }
            let archive = archive::of_file(&name, &live, mode, seen.user)
                .map_err(|source| FileError::Io { what: "pack", path: spec.ini.clone(), source })?;
            engine.put(container, &directory, archive).await?;
            engine.run(container, probe::rename(&probe::beside(&ini, &name), &ini)).await?;
            // Known without another look, so that it is not done twice.
            (seen.ini, done) = (Some(live.clone()), true);
        }
        Ok(())
    }

    async fn take_over(&mut self) -> Result<(), SupervisorError> {
        self.observer.doubt();
        let ini = &self.wanted.ini;
        let mut all = self.observer.probes.iter_mut();
        let Some((container, seen)) = all.find(|(container, seen)| rewrites(container, seen, ini)) else {
            return Ok(());
        };
        // Where there is one, what is not in it is empty for the helpers: their own files are not asked (dbaas.md 2.3).
        if seen.output.is_none() {
            let conf = probe::beside(ini, "override.conf");
            return Err(Why::NoConf { name: container.name.clone(), conf }.into());
        }
        let engine = self.connection.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        engine.run(container, probe::take_over(ini)).await?;
        info!("the loop in the container {} writes elsewhere now; the ini is this agent's", container.name);
        seen.output = Some(probe::ELSEWHERE.to_owned());
        Ok(())
    }
}

/// True if a loop in the container rewrites the ini there.
fn rewrites(container: &Container, inside: &Probe, ini: &str) -> bool {
    container.loops() && inside.is_rewritten(ini)
}

/// A slave is asked through its control port as well: chmpxstatus reads shared memory that is inside.
fn asking(settings: Process) -> Process {
    Process { chmpxstatus: String::new(), ..settings }
}

impl Supervisor for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> Option<Observed> {
        self.look().await;
        let ask = if self.observer.unseen.is_some() {
            self.talk.hush();
            Ask::No
        } else {
            ask
        };
        let (pid, spec) = (self.observer.chmpx.map(|running| running.id.pid), self.reached_at(spec));
        self.talk
            .go_on((pid, self.observer.here(Program::Chmpx)), ask, (&self.settings, &spec, &self.waker))
            .await;
        let mut observed = Observed {
            file: FilePlace {
                is_own: true,
                out_of_sync: self.misplaced(&spec),
                missing: self.observer.nowhere().map(|why| why.to_string()),
                foreign_writer: self.rival(),
            },
            ..Observed::default()
        };
        self.observer.tell(&mut observed);
        self.talk.tell(&mut observed);
        Some(observed)
    }

    async fn act(&mut self, step: &Step, spec: &NodeSpec) -> Result<Done, SupervisorError> {
        match step {
            Step::Start(program) => {
                let (engine, container) = self.at(*program).await?;
                engine.start(&container).await?;
                self.observer.awaits(*program);
            }
            Step::Signal(program, id, signal) => self.send(*program, *id, *signal).await?,
            Step::Control(order) => {
                let spec = self.reached_at(spec);
                self.talk.say(order.clone(), (&self.settings, &spec, &self.waker))?;
            }
            // k2hdkc ends before its container, which both programs may share; and a container has no boots of its own.
            Step::Disable(Program::K2hdkc) | Step::Enable(_) => {}
            Step::Disable(Program::Chmpx) => self.retire().await?,
            // What killed chmpx processes leave is the container's, and goes with it.
            Step::RemoveLeftovers | Step::Prompt(_) => return Err(SupervisorError::NotOurs(self.name())),
            Step::DisableWriter => self.take_over().await?,
            Step::SyncFile => self.place(spec).await?,
        }
        Ok(Done::Plainly)
    }

    fn on_host(&self, program: Program) -> Option<ProcessId> {
        found::identity(self.observer.here(program)?)
    }
}
