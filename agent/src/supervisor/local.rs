//! Common part of the supervisors whose processes run on this very host. They find the processes in `/proc` by name, ini
//! and start time, watch them through pidfd, so that an exit wakes a pass at once, and ask chmpx beside the pass.

pub(super) mod conversation;
pub(super) mod found;
pub(super) mod question;
mod resolver;
mod threads;
pub(super) mod watched;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::info;

use super::process::prepare;
use super::{
    Ask, ControlCommand, Events, Exit, MergeThread, NodeSpec, Observed, ProcessId, Program, SupervisorError,
};
use crate::chmpx_state::Operation;
use crate::ring::Mode;
use crate::settings::Process;
use crate::wake::Waker;
use conversation::Conversation;
use threads::Threads;
use watched::Watched;

/// Pause between two searches for surplus processes.
const SEARCH_AGAIN: Duration = Duration::from_secs(10);

/// The same pause while a program is missing. Each search reads every process of the host, and passes may follow each other
/// ten times a second. A start searches in any case.
const SEARCH_SOON: Duration = Duration::from_secs(1);

/// The processes of one node, as they are seen on its host.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) settings: Process,
    pub(super) waker: Waker,
    /// True in a command beside the agent, which logs nothing of the processes.
    looks_on: bool,
    chmpx: Watched,
    k2hdkc: Watched,
    /// Ends are told here by the watches.
    pub(super) ends: (mpsc::UnboundedSender<Exit>, mpsc::UnboundedReceiver<Exit>),
    talk: Conversation,
    threads: Threads,
    pub(super) searched: Option<Instant>,
    surplus: Vec<(Program, u32)>,
    /// Programs that systemd starts for the agent, and that were not seen yet.
    expected: BTreeSet<Program>,
}

impl Local {
    /// Starts without an observation.
    pub(super) fn new(settings: Process, waker: Waker, looks_on: bool) -> Self {
        Self {
            settings,
            waker,
            looks_on,
            chmpx: Watched::new(Program::Chmpx),
            k2hdkc: Watched::new(Program::K2hdkc),
            ends: mpsc::unbounded_channel(),
            talk: Conversation::default(),
            threads: Threads::default(),
            searched: None,
            surplus: Vec::new(),
            expected: BTreeSet::new(),
        }
    }

    pub(super) fn watched(&mut self, program: Program) -> &mut Watched {
        match program {
            Program::Chmpx => &mut self.chmpx,
            Program::K2hdkc => &mut self.k2hdkc,
        }
    }

    /// Returns the process of a program that runs.
    pub(super) fn running(&self, program: Program) -> Option<ProcessId> {
        let watched = match program {
            Program::Chmpx => &self.chmpx,
            Program::K2hdkc => &self.k2hdkc,
        };
        watched.running().map(|running| running.id)
    }

    /// Takes in what has ended since the last look.
    fn take_ends(&mut self) -> Vec<Exit> {
        let mut ended = Vec::new();
        while let Ok(end) = self.ends.1.try_recv() {
            // An end that was told late, of a process that another has followed, is still an end.
            self.watched(end.program).forget(end.was.id);
            info!(pid = end.was.id.pid, "{} {}", end.program.name(), end.how);
            ended.push(end);
        }
        ended
    }

    /// Adopts what runs with this ini and is not watched yet, and counts what is too much.
    fn search(&mut self, spec: &NodeSpec) {
        let now = Instant::now();
        let complete =
            self.chmpx.running().is_some() && (self.k2hdkc.running().is_some() || spec.mode == Mode::Slave);
        let again = if complete { SEARCH_AGAIN } else { SEARCH_SOON };
        if self.searched.is_some_and(|at| now.duration_since(at) < again) {
            return;
        }
        self.searched = Some(now);
        self.surplus.clear();
        for program in [Program::Chmpx, Program::K2hdkc] {
            let configured = match program {
                Program::Chmpx => self.settings.chmpx.clone(),
                Program::K2hdkc => self.settings.k2hdkc.clone(),
            };
            for id in found::processes(program, &configured, &spec.ini) {
                let (waker, ends) = (self.waker.clone(), self.ends.0.clone());
                let watched = self.watched(program);
                match watched.running() {
                    Some(running) if running.id == id => {}
                    Some(_) => self.surplus.push((program, id.pid)),
                    // One that cannot be watched is one too many: it is told, and none is started beside it.
                    None if !watched.adopt(id, ends, waker) => self.surplus.push((program, id.pid)),
                    None if self.looks_on || self.watched(program).running().is_none() => {}
                    None if self.expected.remove(&program) => info!(pid = id.pid, "{} runs", program.name()),
                    None => info!(pid = id.pid, "{} runs already and is taken over", program.name()),
                }
            }
        }
    }

    /// The next process of that program is one that the agent had somebody else start.
    pub(super) fn expect(&mut self, program: Program) {
        self.expected.insert(program);
    }

    /// Forgets the answers of the previous process.
    pub(super) fn forget_answers(&mut self) {
        self.talk.forget();
    }

    /// Observes running processes, exits, and the last answer of chmpx.
    pub(super) async fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> Observed {
        let before = self.chmpx.running().map(|running| running.id);
        let ended = self.take_ends();
        self.search(spec);
        if before.is_none() || self.chmpx.running().map(|running| running.id) != before {
            // What another process said says nothing of this one.
            self.forget_answers();
        }
        let pid = self.chmpx.running().map(|running| running.id.pid);
        self.talk.go_on((pid, pid), ask, (&self.settings, spec, &self.waker)).await;
        let mut observed = Observed {
            chmpx: self.chmpx.at_work(),
            k2hdkc: self.k2hdkc.at_work(),
            duplicates: self.surplus.clone(),
            events: Events { exits: ended, ..Events::default() },
            leftovers: prepare::leftovers(&self.settings.base_directory, spec).len(),
            ..Observed::default()
        };
        self.talk.tell(&mut observed);
        observed.control.merge_thread = self.merge_thread(&observed);
        observed
    }

    /// Looks at the threads of a chmpx that says that it merges, and only of such a one.
    fn merge_thread(&mut self, observed: &Observed) -> Option<MergeThread> {
        let merges = observed
            .control
            .report
            .as_ref()
            .is_some_and(|said| said.view.own.status.operation() == Operation::Doing);
        let Some(chmpx) = observed.chmpx.filter(|_| merges) else {
            self.threads.forget();
            return None;
        };
        self.threads.look(chmpx.id.pid, Instant::now())
    }

    /// Tells chmpx something, and does not wait for what it says to it.
    pub(super) fn say(&mut self, order: ControlCommand, spec: &NodeSpec) -> Result<(), SupervisorError> {
        self.talk.say(order, (&self.settings, spec, &self.waker))
    }

    /// Running process of a program that is to be started: the operator may have started it since the last search.
    ///
    /// # Errors
    ///
    /// The process cannot be watched; a second chmpx would destroy the first one's memory.
    pub(super) fn in_place(
        &mut self,
        program: Program,
        spec: &NodeSpec,
    ) -> Result<Option<ProcessId>, SupervisorError> {
        self.searched = None;
        self.search(spec);
        if let Some(running) = self.watched(program).running() {
            return Ok(Some(running.id));
        }
        let unwatched = self.surplus.iter().find(|(surplus, _)| *surplus == program);
        unwatched.map_or(Ok(None), |(_, pid)| {
            Err(SupervisorError::RunsAlready { program: program.name(), pid: *pid })
        })
    }
}
