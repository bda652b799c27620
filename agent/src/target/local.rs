//! What the targets share whose processes run on this very host: they are found in `/proc` by their name, their ini and
//! their start time, watched through pidfd, so that an end wakes a pass at once, and chmpx is asked beside the pass.

pub(super) mod found;
mod question;
pub(super) mod watched;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::info;

use super::process::{Process, prepare};
use super::{About, Ask, Ended, Observed, Order, Program, Said, TargetError};
use crate::ring::Mode;
use crate::wake::Waker;
use question::{Answer, Question, Trouble, Word};
use watched::Watched;

/// Between two searches for processes that nobody should have started.
const SEARCH_AGAIN: Duration = Duration::from_secs(10);

/// The same where one of them does not run: each looks at every process of the host, and passes may follow each other
/// ten times a second. Before a start it is looked in any case.
const SEARCH_SOON: Duration = Duration::from_secs(1);

/// Longest wait for an answer in a command that looks once.
const GLANCE: Duration = Duration::from_secs(3);

/// The processes of one node, as they are seen on its host.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) settings: Process,
    pub(super) waker: Waker,
    /// Whether this is a command beside the agent that has the processes in its care: it logs nothing of them.
    looks_on: bool,
    chmpx: Watched,
    k2hdkc: Watched,
    /// Ends are told here by the watches.
    pub(super) ends: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    question: Option<Question>,
    word: Option<Word>,
    declined: Option<String>,
    said: Option<Said>,
    silent: Option<(Instant, String)>,
    shut: bool,
    strange: Option<String>,
    pub(super) searched: Option<Instant>,
    surplus: Vec<(Program, u32)>,
}

impl Local {
    /// Nothing is looked at yet.
    pub(super) fn new(settings: Process, waker: Waker, looks_on: bool) -> Self {
        Self {
            settings,
            waker,
            looks_on,
            chmpx: Watched::new(Program::Chmpx),
            k2hdkc: Watched::new(Program::K2hdkc),
            ends: mpsc::unbounded_channel(),
            question: None,
            word: None,
            declined: None,
            said: None,
            silent: None,
            shut: false,
            strange: None,
            searched: None,
            surplus: Vec::new(),
        }
    }

    pub(super) fn watched(&mut self, program: Program) -> &mut Watched {
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
            Some(pid) if pid != view.pid => Err(Trouble {
                text: format!("another chmpx (pid {}) answered", view.pid),
                silent: false,
                shut: false,
            }),
            _ => Ok(view),
        });
        self.shut = said.as_ref().is_err_and(|trouble| trouble.shut);
        match said {
            Ok(view) => (self.said, self.silent, self.strange) = (Some(Said { view, at }), None, None),
            // It speaks.
            Err(Trouble { text, silent: false, .. }) => (self.strange, self.silent) = (Some(text), None),
            Err(Trouble { text, silent: true, .. }) => {
                let since = self.silent.take().map_or(at, |(since, _)| since);
                self.silent = Some((since, text));
            }
        }
    }

    /// What another process said says nothing of this one.
    pub(super) fn forget_answers(&mut self) {
        (self.question, self.said, self.silent, self.strange) = (None, None, None, None);
        (self.word, self.declined, self.shut) = (None, None, false);
    }

    /// What runs, what has ended, and what chmpx said last.
    pub(super) async fn observe(&mut self, about: &About, ask: Ask) -> Observed {
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
        Observed {
            chmpx: self.chmpx.at_work(),
            k2hdkc: self.k2hdkc.at_work(),
            surplus: self.surplus.clone(),
            ended,
            said: self.said.clone(),
            silent: self.silent.clone(),
            shut: self.shut,
            strange: self.strange.clone(),
            declined: self.declined.clone(),
            leftovers: prepare::leftovers(&self.settings.base_directory, about).len(),
            ..Observed::default()
        }
    }

    /// Tells chmpx something, and does not wait for what it says to it.
    pub(super) fn say(&mut self, order: Order, about: &About) -> Result<(), TargetError> {
        let within = self.settings.answer_within;
        self.word = Some(Word::say(order, about, within, self.waker.clone())?);
        self.declined = None;
        Ok(())
    }

    /// Somebody may have started one since the last look.
    pub(super) fn look_again(&mut self, about: &About) {
        self.searched = None;
        self.search(about);
    }

    /// Another process of that program than the watched one, which is too many.
    pub(super) fn too_many(&self, program: Program) -> Option<u32> {
        self.surplus.iter().find(|(surplus, _)| *surplus == program).map(|(_, pid)| *pid)
    }
}
