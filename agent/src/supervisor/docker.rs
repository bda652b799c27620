//! Supervisor kind `docker`: chmpx and k2hdkc are in one container, as Trove makes it, or in one each.
//!
//! The agent's own file stays the one truth: it is installed as ever, and then put before the processes, by an archive
//! under a temporary name and a rename inside (0 of 10 chmpx ended; an archive over the file itself 1 of 10). The processes are
//! seen from inside, so that their numbers and start times are exact wherever the daemon is, and signalled from inside:
//! a signal to the container is one to Trove's loop, which takes the node out of its role.
//!
//! In Trove's container a helper starts again what ends, so that nothing is started from here; a container of a single
//! program is started when that has ended.

mod address;
mod alive;
mod archive;
mod deaths;
mod end;
mod engine;
pub(super) mod findings;
mod inside;
mod pick;
mod reach;
mod sight;

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;

use tokio::time::sleep;
use tracing::info;

pub(crate) use engine::EngineError;

use super::local::conversation::Conversation;
use super::{
    Ask, Done, Identity, Misplaced, NodeSpec, Observed, Program, Rival, Signal, Step, Supervisor,
    SupervisorError,
};
use crate::file::FileError;
use crate::settings::{Containers, Process};
use crate::wake::Waker;
use engine::Engine;
use inside::Inside;
use pick::Container;
use reach::Reach;
use sight::Sight;

/// The processes of one node, in containers.
#[derive(Debug)]
pub(crate) struct Docker {
    settings: Process,
    wanted: Containers,
    waker: Waker,
    /// Whether this is a command beside the agent: it looks once.
    looks_on: bool,
    reach: Reach,
    talk: Conversation,
    sight: Sight,
}

impl Docker {
    /// Nothing is looked at yet.
    pub(crate) fn new(settings: Process, wanted: Containers, waker: Waker, looks_on: bool) -> Self {
        Self {
            settings: asking(settings),
            wanted,
            waker,
            looks_on,
            reach: Reach::default(),
            talk: Conversation::default(),
            sight: Sight::default(),
        }
    }

    /// Other settings; what is known of the processes stays.
    pub(crate) fn reset(&mut self, settings: Process, wanted: Containers) {
        if wanted != self.wanted {
            self.reach = Reach::default();
            self.sight.turn_away();
        }
        (self.settings, self.wanted) = (asking(settings), wanted);
    }

    /// Looks, unless that was done just now.
    async fn look(&mut self) {
        let (engine, news) = match self.reach.engine(&self.wanted, &self.waker, !self.looks_on).await {
            Ok(found) => found,
            Err(why) => {
                self.sight.unseen = Some(why);
                return;
            }
        };
        if news || self.sight.deaths.heard() {
            self.sight.doubt();
        }
        let due = self.sight.due_in();
        if self.sight.is_stale() {
            // A fifth of a second at most; nothing else would bring the look that is due then.
            sleep(due).await;
        } else if !due.is_zero() {
            return;
        }
        let chmpx = self.sight.chmpx.map(|running| running.id);
        match self.sight.look(engine, &self.wanted, &self.waker).await {
            Ok(()) => self.reach.well(),
            Err(error) => self.sight.unseen = Some(self.reach.judge(&error, &self.waker)),
        }
        if self.sight.chmpx.map(|running| running.id) != chmpx {
            self.talk.forget();
        }
    }

    /// Whether the containers have the installed file.
    fn misplaced(&self, about: &NodeSpec) -> Option<Misplaced> {
        let live = crate::file::read(&about.ini).ok()?;
        let (container, inside) =
            self.sight.inside.iter().find(|(_, inside)| inside.ini.as_ref() != Some(&live))?;
        let name = &container.name;
        Some(match (pick::no_way_to(&self.wanted.ini, &container.mounts), &inside.ini) {
            (Some(text), _) => Misplaced::ForGood(format!("the container {name}: {text}")),
            (None, None) => Misplaced::Yet(format!("the container {name} has no {}", self.wanted.ini)),
            (None, Some(_)) => {
                Misplaced::Yet(format!("{} in the container {name} is another one", self.wanted.ini))
            }
        })
    }

    /// The loop that rewrites the ini inside.
    fn rival(&self) -> Option<Rival> {
        let (container, _) = self.rewritten()?;
        let (ini, conf) = (&self.wanted.ini, inside::beside(&self.wanted.ini, "override.conf"));
        let name = &container.name;
        Some(Rival {
            of: container.id.clone(),
            text: format!("the loop in the container {name} rewrites {ini} in place, which ends chmpx"),
            remedy: format!("set '{}' in {conf} there", inside::SHADOW),
        })
    }

    fn rewritten(&self) -> Option<&(Container, Inside)> {
        self.sight.inside.iter().find(|(container, inside)| rewrites(container, inside, &self.wanted.ini))
    }

    /// Where chmpx is asked: at its container's address, where that has its own.
    fn reached_at(&self, about: &NodeSpec) -> NodeSpec {
        let mut about = about.clone();
        let container = self.sight.place(Program::Chmpx).ok();
        if let Some(address) = container.and_then(|c| c.address?.parse::<IpAddr>().ok()) {
            about.control.set_ip(address);
        }
        about
    }

    /// A client for a step, and where the program is.
    async fn at(&mut self, program: Program) -> Result<(&mut Engine, Container), SupervisorError> {
        let container = self.sight.place(program).map_err(SupervisorError::Away)?;
        self.sight.doubt();
        let engine = self.reach.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        Ok((engine, container))
    }

    /// Stops the containers of both programs.
    async fn retire(&mut self) -> Result<(), SupervisorError> {
        let containers = self.sight.to_stop().map_err(SupervisorError::Away)?;
        self.sight.doubt();
        let engine = self.reach.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        for container in containers {
            engine.stop(&container).await?;
        }
        Ok(())
    }

    async fn send(&mut self, program: Program, id: Identity, signal: Signal) -> Result<(), SupervisorError> {
        let (engine, container) = self.at(program).await?;
        // The kernel lets nobody inside kill the first process, and no signal of the agent is for a container with a loop.
        if id.pid == 1 && signal == Signal::Kill {
            return Ok(engine.kill(&container).await?);
        }
        let name = if signal == Signal::Kill { "KILL" } else { "HUP" };
        engine.run(&container, inside::signal(program, id, name)).await?;
        Ok(())
    }

    /// Puts the installed file into every container that has another one.
    async fn place(&mut self, about: &NodeSpec) -> Result<(), SupervisorError> {
        if let Some(why) = &self.sight.unseen {
            return Err(SupervisorError::Away(why.clone()));
        }
        if let Some(why) = self.sight.nowhere() {
            return Err(SupervisorError::Away(why));
        }
        let live = crate::file::read(&about.ini)?;
        let mode = std::fs::metadata(&about.ini).map_or(0o644, |metadata| metadata.permissions().mode());
        let ini = self.wanted.ini.clone();
        let name = format!(".{}.k2hdkc-agent", ini.rsplit('/').next().unwrap_or_default());
        let directory = inside::beside(&ini, "");
        self.sight.doubt();
        let engine = self.reach.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        let mut done = false;
        for (container, seen) in &mut self.sight.inside {
            // Two containers may have one directory between them, and one replacement is enough.
            if done && let Some(now) = inside::read(&engine.run(container, inside::look(&ini)).await?, &ini) {
                seen.ini = now.ini;
            }
            if seen.ini.as_ref() == Some(&live) {
                continue;
            }
            let archive = archive::of_file(&name, &live, mode, seen.user)
                .map_err(|source| FileError::Io { what: "pack", path: about.ini.clone(), source })?;
            engine.put(container, &directory, archive).await?;
            engine.run(container, inside::rename(&inside::beside(&ini, &name), &ini)).await?;
            // Known without another look, so that it is not done twice.
            (seen.ini, done) = (Some(live.clone()), true);
        }
        Ok(())
    }

    async fn take_over(&mut self) -> Result<(), SupervisorError> {
        self.sight.doubt();
        let ini = &self.wanted.ini;
        let mut all = self.sight.inside.iter_mut();
        let Some((container, seen)) = all.find(|(container, seen)| rewrites(container, seen, ini)) else {
            return Ok(());
        };
        // Where there is one, what is not in it is empty for the helpers: their own files are not asked (dbaas.md 2.3).
        if seen.output.is_none() {
            let conf = inside::beside(ini, "override.conf");
            return Err(SupervisorError::Away(format!(
                "the container {} has no {conf}, and one with nothing else in it would take their own settings from the \
                 helpers",
                container.name
            )));
        }
        let engine = self.reach.for_step(&self.wanted, &self.waker, !self.looks_on).await?;
        engine.run(container, inside::take_over(ini)).await?;
        info!("the loop in the container {} writes elsewhere now; the ini is this agent's", container.name);
        seen.output = Some(inside::ELSEWHERE.to_owned());
        Ok(())
    }
}

/// Whether a loop in the container rewrites the ini there.
fn rewrites(container: &Container, inside: &Inside, ini: &str) -> bool {
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

    async fn observe(&mut self, about: &NodeSpec, ask: Ask) -> Option<Observed> {
        self.look().await;
        let ask = if self.sight.unseen.is_some() {
            self.talk.hush();
            Ask::No
        } else {
            ask
        };
        let (pid, about) = (self.sight.chmpx.map(|running| running.id.pid), self.reached_at(about));
        self.talk
            .go_on((pid, self.sight.here(Program::Chmpx)), ask, (&self.settings, &about, &self.waker))
            .await;
        let mut observed = Observed {
            apart: true,
            misplaced: self.misplaced(&about),
            nowhere: self.sight.nowhere(),
            rival: self.rival(),
            ..Observed::default()
        };
        self.sight.tell(&mut observed);
        self.talk.tell(&mut observed);
        Some(observed)
    }

    async fn act(&mut self, step: &Step, about: &NodeSpec) -> Result<Done, SupervisorError> {
        match step {
            Step::Start(program) => {
                let (engine, container) = self.at(*program).await?;
                engine.start(&container).await?;
                self.sight.awaits(*program);
            }
            Step::Send(program, id, signal) => self.send(*program, *id, *signal).await?,
            Step::Tell(order) => {
                let about = self.reached_at(about);
                self.talk.say(order.clone(), (&self.settings, &about, &self.waker))?;
            }
            // k2hdkc ends before its container, which both programs may share; and a container has no boots of its own.
            Step::Retire(Program::K2hdkc) | Step::Enable(_) => {}
            Step::Retire(Program::Chmpx) => self.retire().await?,
            // What killed chmpx processes leave is the container's, and goes with it.
            Step::Tidy | Step::Prompt(_) => return Err(SupervisorError::NotOurs(self.name())),
            Step::TakeOver => self.take_over().await?,
            Step::Place => self.place(about).await?,
        }
        Ok(Done::Plainly)
    }
}
