//! Questions and commands to chmpx, one at a time and beside the pass, with the last answer.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::question::{ChmpxAnswer, Question, SentCommand, Trouble};
use super::resolver;
use crate::settings::Process;
use crate::supervisor::{Ask, ChmpxReport, ControlCommand, NodeSpec, Observed, SupervisorError};
use crate::wake::Waker;

/// Longest wait for an answer in a command that looks once.
const GLANCE: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Conversation {
    question: Option<Question>,
    word: Option<SentCommand>,
    declined: Option<String>,
    said: Option<ChmpxReport>,
    silent: Option<(Instant, String)>,
    resolver: Option<String>,
    shut: bool,
    strange: Option<String>,
}

impl Conversation {
    /// Takes in what has come for the chmpx of that number, and asks it, where that may be. `here` is its number in this
    /// host's own `/proc`, where it is to be found there: a number inside a container is another process's here.
    pub(in crate::supervisor) async fn go_on(
        &mut self,
        (pid, here): (Option<u32>, Option<u32>),
        ask: Ask,
        (settings, spec, waker): (&Process, &NodeSpec, &Waker),
    ) {
        self.take_answer(pid);
        // At each look, since it is over at any moment; one that is idle costs one small file.
        self.resolver = here.and_then(resolver::awaited_by);
        if self.question.is_none() && ask != Ask::No && pid.is_some() {
            self.question = Some(Question::put(settings, spec, waker.clone()));
        }
        if ask == Ask::Wait
            && let Some(question) = &mut self.question
        {
            // What does not come in time is told as unknown.
            let _ = timeout(GLANCE, question.finished()).await;
        }
        self.take_answer(pid);
    }

    /// Takes in an answer, if one has come.
    fn take_answer(&mut self, pid: Option<u32>) {
        if let Some(said) = self.word.as_mut().and_then(SentCommand::answer) {
            (self.word, self.declined) = (None, said.err());
        }
        let Some(ChmpxAnswer { at, result }) = self.question.as_mut().and_then(Question::answer) else {
            return;
        };
        self.question = None;
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
            Ok(view) => (self.said, self.silent, self.strange) = (Some(ChmpxReport { view, at }), None, None),
            // It speaks.
            Err(Trouble { text, silent: false, .. }) => (self.strange, self.silent) = (Some(text), None),
            Err(Trouble { text, silent: true, .. }) => {
                let since = self.silent.take().map_or(at, |(since, _)| since);
                self.silent = Some((since, text));
            }
        }
    }

    /// Forgets the answers of the previous process.
    pub(in crate::supervisor) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The asked process may be frozen: a question under way is taken back, and no silence counts.
    pub(in crate::supervisor) fn hush(&mut self) {
        (self.question, self.silent, self.resolver) = (None, None, None);
    }

    /// Tells chmpx something, and does not wait for what it says to it.
    pub(in crate::supervisor) fn say(
        &mut self,
        order: ControlCommand,
        (settings, spec, waker): (&Process, &NodeSpec, &Waker),
    ) -> Result<(), SupervisorError> {
        self.word = Some(SentCommand::say(order, spec, settings.answer_within, waker.clone())?);
        self.declined = None;
        Ok(())
    }

    /// Adds what it said to what is observed.
    pub(in crate::supervisor) fn tell(&self, observed: &mut Observed) {
        observed.control.report.clone_from(&self.said);
        observed.control.silent.clone_from(&self.silent);
        observed.control.resolver.clone_from(&self.resolver);
        observed.control.refuses = self.shut;
        observed.control.not_understood.clone_from(&self.strange);
        observed.control.declined.clone_from(&self.declined);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::path::Path;

    use super::*;
    use crate::settings::{self, Origin};

    #[tokio::test]
    async fn a_name_server_is_waited_for_as_long_as_the_process_of_this_host_does_and_no_other() {
        let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
        resolver.connect("127.0.0.9:53").unwrap();
        let own = Some(std::process::id());
        let root = tempfile::tempdir().unwrap();
        let origin = Origin { config: None, root: Some(root.path().to_owned()) };
        let settings = settings::load(&origin).unwrap().supervisor.process;
        let (spec, waker) = (NodeSpec::unread(Path::new("/nowhere.ini")), Waker::default());
        let mut talk = Conversation::default();
        // The number inside a container may be any process's of the host.
        talk.go_on((own, None), Ask::No, (&settings, &spec, &waker)).await;
        assert_eq!(talk.resolver, None);
        talk.go_on((Some(7), own), Ask::No, (&settings, &spec, &waker)).await;
        assert!(talk.resolver.is_some());
        // Also while it is asked nothing.
        talk.go_on((Some(7), None), Ask::No, (&settings, &spec, &waker)).await;
        assert_eq!(talk.resolver, None);
    }

    #[test]
    fn the_silence_of_who_may_be_frozen_does_not_count_and_what_was_said_stays_said() {
        let mut talk = Conversation {
            silent: Some((Instant::now(), "nothing came".to_owned())),
            declined: Some("operating now".to_owned()),
            ..Conversation::default()
        };
        talk.hush();
        let mut observed = Observed::default();
        talk.tell(&mut observed);
        assert_eq!(
            (observed.control.silent, observed.control.declined),
            (None, Some("operating now".to_owned()))
        );
    }
}
