//! Target kind `process`: the agent itself starts chmpx and k2hdkc and watches them. For hosts without a service
//! manager.
//!
//! The processes outlive the agent. They write to pipes that have a name and never block or break, so that the next
//! agent reads on; it finds them by their name, their ini and their start time. The end of a process is told by the
//! kernel (a child's by its exit, an adopted one's by its pidfd) and wakes a pass at once.

mod found;
#[cfg(test)]
mod heard;
mod output;
mod prepare;
mod question;
mod spawn;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::info;

use super::{About, Ask, Done, Ended, Observed, Program, Said, Step, Target, TargetError};
use crate::ring::Mode;
use crate::wake::Waker;
use question::{Answer, Question, Trouble, Word};
use watched::Watched;

/// How the programs are started. See `[target]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// chmpx: a path, or a name in PATH.
    pub chmpx: String,
    /// k2hdkc, likewise.
    pub k2hdkc: String,
    /// chmpxstatus, likewise; slaves do without where it is not installed.
    pub chmpxstatus: String,
    /// Further arguments of chmpx.
    pub chmpx_options: Vec<String>,
    /// Further arguments of k2hdkc.
    pub k2hdkc_options: Vec<String>,
    /// Their user; else the agent's.
    pub user: Option<String>,
    /// Their environment, besides PATH.
    pub environment: BTreeMap<String, String>,
    /// Where their output goes through, and what must not be on a tmpfs of somebody else.
    pub runtime_directory: PathBuf,
    /// `/var/lib/antpickax` below the root: where chmpx keeps its shared memory.
    pub base_directory: PathBuf,
    /// Whether the host's own directories and limits are the agent's to prepare: not below a `--root`.
    pub prepares_host: bool,
    /// Longest wait for an answer of chmpx.
    pub answer_within: Duration,
}

/// Between two searches for processes that nobody should have started.
const SEARCH_AGAIN: Duration = Duration::from_secs(10);

/// The same where one of them does not run: each looks at every process of the host, and passes may follow each other
/// ten times a second. Before a start it is looked in any case.
const SEARCH_SOON: Duration = Duration::from_secs(1);

/// Longest wait for an answer in a command that looks once.
const GLANCE: Duration = Duration::from_secs(3);

/// The processes of one node.
#[derive(Debug)]
pub struct Processes {
    settings: Process,
    waker: Waker,
    /// Whether this is a command beside the agent that has the processes in its care: it logs nothing of them.
    looks_on: bool,
    chmpx: Watched,
    k2hdkc: Watched,
    /// Ends are told here by the watches.
    ends: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    question: Option<Question>,
    word: Option<Word>,
    declined: Option<String>,
    said: Option<Said>,
    silent: Option<(Instant, String)>,
    strange: Option<String>,
    searched: Option<Instant>,
    surplus: Vec<(Program, u32)>,
    /// Output that is read on; empty in a command that only looks.
    outputs: Vec<output::Output>,
}

impl Processes {
    /// The target of a running agent. Nothing is looked at yet.
    pub fn new(settings: Process, waker: Waker) -> Self {
        Self {
            settings,
            waker,
            looks_on: false,
            chmpx: Watched::new(Program::Chmpx),
            k2hdkc: Watched::new(Program::K2hdkc),
            ends: mpsc::unbounded_channel(),
            question: None,
            word: None,
            declined: None,
            said: None,
            silent: None,
            strange: None,
            searched: None,
            surplus: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// The target of a command that looks once.
    pub fn onlooker(settings: Process) -> Self {
        Self { looks_on: true, ..Self::new(settings, Waker::default()) }
    }

    /// Other settings; the processes that run are kept. They still write to the pipes in the old runtime directory, and
    /// like the rest of `[state]` another one is taken at the next start.
    pub fn reset(&mut self, settings: Process) {
        let runtime_directory = std::mem::take(&mut self.settings.runtime_directory);
        self.settings = Process { runtime_directory, ..settings };
    }

    fn watched(&mut self, program: Program) -> &mut Watched {
        match program {
            Program::Chmpx => &mut self.chmpx,
            Program::K2hdkc => &mut self.k2hdkc,
        }
    }

    /// Takes in what has ended since the last look.
    fn take_ends(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Ok(end) = self.ends.1.try_recv() {
            // An end that was told late, of a process that another has followed, is still an end.
            self.watched(end.program).forget(end.was.id);
            info!(pid = end.was.id.pid, "{} {}", end.program.name(), end.how.text());
            ended.push(end);
        }
        ended
    }

    /// Adopts what runs with this ini and is not watched yet, and counts what is too much.
    fn search(&mut self, about: &About) {
        let now = Instant::now();
        let complete =
            self.chmpx.running().is_some() && (self.k2hdkc.running().is_some() || about.mode == Mode::Slave);
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
            for id in found::processes(program, &configured, &about.ini) {
                let (waker, ends) = (self.waker.clone(), self.ends.0.clone());
                let watched = self.watched(program);
                match watched.running() {
                    Some(running) if running.id == id => {}
                    Some(_) => self.surplus.push((program, id.pid)),
                    // One that cannot be watched is one too many: it is told, and none is started beside it.
                    None if !watched.adopt(id, ends, waker) => self.surplus.push((program, id.pid)),
                    None if self.looks_on || self.watched(program).running().is_none() => {}
                    None => info!(pid = id.pid, "{} runs already and is taken over", program.name()),
                }
            }
        }
    }

    async fn ask(&mut self, about: &About, ask: Ask) {
        if self.question.is_none() && ask != Ask::No && self.chmpx.running().is_some() {
            self.question = Some(Question::put(&self.settings, about, self.waker.clone()));
        }
        if ask == Ask::Wait
            && let Some(question) = &mut self.question
        {
            // What does not come in time is told as unknown.
            let _ = timeout(GLANCE, question.finished()).await;
        }
    }

    /// Takes in an answer, if one has come.
    fn take_answer(&mut self) {
        if let Some(said) = self.word.as_mut().and_then(Word::answer) {
            (self.word, self.declined) = (None, said.err());
        }
        let Some(Answer { at, result }) = self.question.as_mut().and_then(Question::answer) else { return };
        self.question = None;
        let pid = self.chmpx.running().map(|running| running.id.pid);
        let said = result.and_then(|view| match pid {
            Some(pid) if pid != view.pid => {
                Err(Trouble { text: format!("another chmpx (pid {}) answered", view.pid), silent: false })
            }
            _ => Ok(view),
        });
        match said {
            Ok(view) => (self.said, self.silent, self.strange) = (Some(Said { view, at }), None, None),
            Err(Trouble { text, silent: false }) => self.strange = Some(text),
            Err(Trouble { text, silent: true }) => {
                let since = self.silent.take().map_or(at, |(since, _)| since);
                self.silent = Some((since, text));
            }
        }
    }

    fn forget_answers(&mut self) {
        (self.question, self.said, self.silent, self.strange) = (None, None, None, None);
        (self.word, self.declined) = (None, None);
    }
}

impl Target for Processes {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn observe(&mut self, about: &About, ask: Ask) -> Option<Observed> {
        let before = self.chmpx.running().map(|running| running.id);
        let ended = self.take_ends();
        self.search(about);
        if before.is_none() || self.chmpx.running().map(|running| running.id) != before {
            // What another process said says nothing of this one.
            self.forget_answers();
        }
        self.take_answer();
        self.ask(about, ask).await;
        self.take_answer();
        Some(Observed {
            chmpx: self.chmpx.at_work(),
            k2hdkc: self.k2hdkc.at_work(),
            surplus: self.surplus.clone(),
            ended,
            said: self.said.clone(),
            silent: self.silent.clone(),
            strange: self.strange.clone(),
            declined: self.declined.clone(),
            leftovers: prepare::leftovers(&self.settings.base_directory, about).len(),
        })
    }

    async fn act(&mut self, step: &Step, about: &About) -> Result<Done, TargetError> {
        match step {
            Step::Start(program) => self.start(*program, about),
            Step::Send(program, id, signal) => {
                self.watched(*program).signal(*id, *signal)?;
                Ok(Done::Plainly)
            }
            Step::Tell(order) => {
                let within = self.settings.answer_within;
                self.word = Some(Word::say(*order, about, within, self.waker.clone())?);
                self.declined = None;
                Ok(Done::Plainly)
            }
            Step::Tidy => {
                let leftovers = prepare::leftovers(&self.settings.base_directory, about);
                leftovers.iter().try_for_each(|path| crate::file::remove(path))?;
                Ok(Done::Plainly)
            }
        }
    }
}

impl Processes {
    fn start(&mut self, program: Program, about: &About) -> Result<Done, TargetError> {
        // Somebody may have started one since the last look; a second chmpx destroys the first one's memory.
        self.searched = None;
        self.search(about);
        if let Some(running) = self.watched(program).running() {
            return Ok(Done::Started(running.id));
        }
        if let Some((_, pid)) = self.surplus.iter().find(|(surplus, _)| *surplus == program) {
            return Err(TargetError::RunsAlready { program: program.name(), pid: *pid });
        }
        if self.settings.prepares_host {
            prepare::host(program, about, &self.settings)?;
        }
        let output = output::writer(&self.settings.runtime_directory, program);
        let child = spawn::spawn(program, about, &self.settings, output)?;
        let (ends, waker) = (self.ends.0.clone(), self.waker.clone());
        let id = self.watched(program).take(child, ends, waker)?;
        self.outputs.iter().for_each(|output| output.started(program));
        if program == Program::Chmpx {
            self.forget_answers();
        }
        Ok(Done::Started(id))
    }

    /// Reads the output of both programs into the log from now on.
    pub fn listen(&mut self) {
        let directory = &self.settings.runtime_directory;
        self.outputs =
            [Program::Chmpx, Program::K2hdkc].map(|program| output::Output::read(directory, program)).into();
    }
}
