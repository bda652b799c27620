//! Supervisor kind `process`: the agent itself starts chmpx and k2hdkc and watches them. For hosts without a service
//! manager.
//!
//! The processes outlive the agent. They write to pipes that have a name and never block or break, so that the next
//! agent reads on; it finds them by their name, their ini and their start time. The end of a process is told by the
//! kernel (a child's by its exit, an adopted one's by its pidfd) and wakes a pass at once.

mod output;
pub(super) mod prepare;
pub(super) mod spawn;
#[cfg(test)]
mod tests;

use super::local::Local;
use super::{Ask, Done, NodeSpec, Observed, ProcessId, Program, Step, Supervisor, SupervisorError};
use crate::settings::Process;
use crate::wake::Waker;

/// The processes of one node.
#[derive(Debug)]
pub(crate) struct Processes {
    local: Local,
    /// Output that is read on; empty in a command that only looks.
    outputs: Vec<output::Output>,
}

impl Processes {
    /// The supervisor of a running agent. Nothing is looked at yet.
    pub(crate) fn new(settings: Process, waker: Waker) -> Self {
        Self { local: Local::new(settings, waker, false), outputs: Vec::new() }
    }

    /// The supervisor of a command that looks once.
    pub(crate) fn onlooker(settings: Process) -> Self {
        Self { local: Local::new(settings, Waker::default(), true), outputs: Vec::new() }
    }

    /// Takes other settings and keeps the running processes. These write to the pipes in the old runtime directory; another
    /// one counts from the next start of the agent, as the rest of `[state]` does.
    pub(crate) fn reset(&mut self, settings: Process) {
        let runtime_directory = std::mem::take(&mut self.local.settings.runtime_directory);
        self.local.settings = Process { runtime_directory, ..settings };
    }
}

impl Supervisor for Processes {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> Option<Observed> {
        Some(self.local.observe(spec, ask).await)
    }

    async fn act(&mut self, step: &Step, spec: &NodeSpec) -> Result<Done, SupervisorError> {
        match step {
            Step::Start(program) => return self.start(*program, spec),
            Step::Signal(program, id, signal) => self.local.watched(*program).signal(*id, *signal)?,
            Step::Control(order) => self.local.say(order.clone(), spec)?,
            Step::RemoveLeftovers => prepare::tidy(&self.local.settings, spec)?,
            // Nobody but the agent starts it.
            Step::Disable(_) | Step::Enable(_) => {}
            Step::DisableWriter | Step::SyncFile | Step::Prompt(_) => {
                return Err(SupervisorError::NotOurs(self.name()));
            }
        }
        Ok(Done::Plainly)
    }

    fn on_host(&self, program: Program) -> Option<ProcessId> {
        self.local.running(program)
    }
}

impl Processes {
    fn start(&mut self, program: Program, spec: &NodeSpec) -> Result<Done, SupervisorError> {
        if let Some(running) = self.local.in_place(program, spec)? {
            return Ok(Done::Started(running));
        }
        let settings = &self.local.settings;
        if settings.prepares_host {
            prepare::host(program, spec, settings)?;
        }
        let output = output::writer(&settings.runtime_directory, program);
        let child = spawn::spawn(program, spec, settings, output)?;
        let (ends, waker) = (self.local.ends.0.clone(), self.local.waker.clone());
        let id = self.local.watched(program).take(child, ends, waker)?;
        self.outputs.iter().for_each(|output| output.started(program));
        if program == Program::Chmpx {
            self.local.forget_answers();
        }
        Ok(Done::Started(id))
    }

    /// Reads the output of both programs into the log from now on.
    pub(crate) fn listen(&mut self) {
        let directory = &self.local.settings.runtime_directory;
        self.outputs =
            [Program::Chmpx, Program::K2hdkc].map(|program| output::Output::read(directory, program)).into();
    }
}
