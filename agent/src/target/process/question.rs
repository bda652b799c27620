//! One question to chmpx at a time, put beside the pass: chmpx is silent for seconds while it tries members that are
//! down, and nothing else shall wait for that.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Process, spawn};
use crate::apply::full;
use crate::problem::printable;
use crate::ring::Mode;
use crate::target::control_port::{self, Command, Server};
use crate::target::{About, Done, Order, TargetError, chmpx_status};
use crate::view::{self, View};
use crate::wake::{Reason, Waker};

/// Bytes of an answer that are shown.
const LONGEST_ANSWER: usize = 200;

/// A question on its way. Dropped, nobody waits for the answer.
#[derive(Debug)]
pub(super) struct Question {
    _asking: JoinSet<()>,
    answer: oneshot::Receiver<Answer>,
    early: Option<Answer>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Answer {
    /// When it was put.
    pub at: Instant,
    /// What chmpx said; why that is nothing.
    pub result: Result<View, Trouble>,
}

/// Why it said nothing that can be used.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In words.
    pub text: String,
    /// Whether nothing came, rather than something that is not understood.
    pub silent: bool,
}

impl Question {
    /// Asks for everything that chmpx knows. On a slave by chmpxstatus where it is installed, since a connection to a
    /// slave's control port can make it swallow a reload (24 of 160).
    pub(super) fn put(settings: &Process, about: &About, waker: Waker) -> Self {
        let (answered, answer) = oneshot::channel();
        let mut asking = JoinSet::new();
        let (about, within) = (about.clone(), settings.answer_within);
        let status = spawn::find(&settings.chmpxstatus).filter(|_| about.mode == Mode::Slave);
        let pairs = settings.environment.iter().map(|(key, value)| (key.into(), value.into()));
        let environment: Vec<(OsString, OsString)> = pairs.collect();
        asking.spawn(async move {
            let at = Instant::now();
            let result = match status {
                Some(program) => by_status(program, &about, environment, within).await,
                None => by_control_port(&about, within).await,
            };
            // Nobody waits any more where the process is gone.
            let _ = answered.send(Answer { at, result });
            waker.wake(Reason::Answered);
        });
        Self { _asking: asking, answer, early: None }
    }

    /// The answer, if it has come.
    pub(super) fn answer(&mut self) -> Option<Answer> {
        self.early.take().or_else(|| self.answer.try_recv().ok())
    }

    /// Waits for the answer.
    pub(super) async fn finished(&mut self) {
        if self.early.is_none() {
            self.early = (&mut self.answer).await.ok();
        }
    }
}

async fn by_control_port(about: &About, within: Duration) -> Result<View, Trouble> {
    let silent = |error| Trouble { text: full(&error), silent: true };
    let text = control_port::ask(about.control, &Command::Dump, within).await.map_err(silent)?;
    view::dump(&text).map_err(|error| Trouble { text: full(&error), silent: false })
}

/// A tool that fails says nothing of chmpx, which is then asked itself.
async fn by_status(
    program: PathBuf,
    about: &About,
    environment: Vec<(OsString, OsString)>,
    within: Duration,
) -> Result<View, Trouble> {
    match chmpx_status::ask(&program, &about.ini, &environment, within).await {
        Ok(text) => view::chmpxstatus(&text).map_err(|error| Trouble { text: full(&error), silent: false }),
        Err(error) => {
            tracing::debug!(error = full(&error), "chmpxstatus did not help; the control port is asked");
            by_control_port(about, within).await
        }
    }
}

/// Tells chmpx something that it does to the ring.
pub(super) async fn tell(order: Order, about: &About, within: Duration) -> Result<Done, TargetError> {
    let command = match order {
        Order::UpdateStatus => Command::UpdateStatus,
        Order::ServiceIn => Command::ServiceIn,
        Order::ServiceOut => {
            let (host, ctlport, id) = about.own.clone();
            let server = Server::new(&host, ctlport, &id);
            let unsayable =
                |why: &dyn std::error::Error| TargetError::Unsayable { order: order.word(), why: full(why) };
            Command::ServiceOut(server.map_err(|error| unsayable(&error))?)
        }
    };
    let text = control_port::ask(about.control, &command, within).await?;
    match view::answer(&text) {
        Ok(view::Answer::Succeeded(_)) => Ok(Done::Plainly),
        Ok(view::Answer::Refused(..) | view::Answer::Unknown(_)) | Err(_) => {
            Ok(Done::Declined(printable(text.trim(), LONGEST_ANSWER)))
        }
    }
}
