//! A single question to chmpx, beside the pass: chmpx is silent for seconds while it tries members that are down, and the
//! pass must not wait for it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::chmpx_state::{self, ChmpxState};
use crate::problem::{chain, printable};
use crate::ring::Mode;
use crate::settings::Process;
use crate::supervisor::control_port::{self, Command, ControlPortError, Server};
use crate::supervisor::process::spawn;
use crate::supervisor::{ControlCommand, NodeSpec, SupervisorError, chmpx_status};
use crate::wake::{Reason, Waker};

/// Bytes of an answer that are shown.
const LONGEST_ANSWER: usize = 200;

/// A question on its way. Dropped, nobody waits for the answer.
#[derive(Debug)]
pub(in crate::supervisor) struct Question {
    _asking: JoinSet<()>,
    answer: oneshot::Receiver<ChmpxAnswer>,
    early: Option<ChmpxAnswer>,
}

/// Answer to a question.
#[derive(Debug)]
pub(in crate::supervisor) struct ChmpxAnswer {
    /// Time of the question.
    pub at: Instant,
    /// State of chmpx, or the reason why there is none.
    pub result: Result<ChmpxState, Trouble>,
}

/// Reason why an answer is missing or unusable.
#[derive(Debug)]
pub(in crate::supervisor) struct Trouble {
    /// The reason in words.
    pub text: String,
    /// True if no answer came, rather than an unreadable one.
    pub silent: bool,
    /// True if nobody listened.
    pub shut: bool,
}

impl Question {
    /// Asks for everything that chmpx knows. On a slave by chmpxstatus where it is installed, since a connection to a
    /// slave's control port can make it swallow a reload (24 of 160).
    pub(in crate::supervisor) fn put(settings: &Process, spec: &NodeSpec, waker: Waker) -> Self {
        let (answered, answer) = oneshot::channel();
        let mut asking = JoinSet::new();
        let (spec, within) = (spec.clone(), settings.answer_within);
        let status = spawn::find(&settings.chmpxstatus).filter(|_| spec.mode == Mode::Slave);
        let pairs = settings.environment.iter().map(|(key, value)| (key.into(), value.into()));
        let environment: Vec<(OsString, OsString)> = pairs.collect();
        asking.spawn(async move {
            let at = Instant::now();
            let result = match status {
                Some(program) => by_status(program, &spec, environment, within).await,
                None => by_control_port(&spec, within).await,
            };
            // Nobody waits any more where the process is gone.
            let _ = answered.send(ChmpxAnswer { at, result });
            waker.wake(Reason::Answered);
        });
        Self { _asking: asking, answer, early: None }
    }

    /// The answer, if it has come.
    pub(in crate::supervisor) fn answer(&mut self) -> Option<ChmpxAnswer> {
        self.early.take().or_else(|| self.answer.try_recv().ok())
    }

    /// Waits for the answer.
    pub(in crate::supervisor) async fn finished(&mut self) {
        if self.early.is_none() {
            self.early = (&mut self.answer).await.ok();
        }
    }
}

async fn by_control_port(spec: &NodeSpec, within: Duration) -> Result<ChmpxState, Trouble> {
    let silent = |error| {
        let shut = matches!(error, ControlPortError::NotListening { .. });
        Trouble { text: chain(&error), silent: true, shut }
    };
    let text = control_port::ask(spec.control, &Command::Dump, within).await.map_err(silent)?;
    chmpx_state::dump(&text).map_err(|error| Trouble { text: chain(&error), silent: false, shut: false })
}

/// A tool that fails says nothing of chmpx, which is then asked itself.
async fn by_status(
    program: PathBuf,
    spec: &NodeSpec,
    environment: Vec<(OsString, OsString)>,
    within: Duration,
) -> Result<ChmpxState, Trouble> {
    match chmpx_status::ask(&program, &spec.ini, &environment, within).await {
        Ok(text) => chmpx_state::chmpxstatus(&text).map_err(|error| Trouble {
            text: chain(&error),
            silent: false,
            shut: false,
        }),
        Err(error) => {
            tracing::debug!(error = chain(&error), "chmpxstatus did not help; the control port is asked");
            by_control_port(spec, within).await
        }
    }
}

/// A word to chmpx on its way. Dropped, nobody waits for what it says to it.
#[derive(Debug)]
pub(in crate::supervisor) struct SentCommand {
    _telling: JoinSet<()>,
    answer: oneshot::Receiver<Result<(), String>>,
}

impl SentCommand {
    /// Tells chmpx something that it does to the ring, and does not wait for what it says to it.
    pub(in crate::supervisor) fn say(
        order: ControlCommand,
        spec: &NodeSpec,
        within: Duration,
        waker: Waker,
    ) -> Result<Self, SupervisorError> {
        let command = command(&order, spec)?;
        let (answered, answer) = oneshot::channel();
        let (mut telling, control) = (JoinSet::new(), spec.control);
        telling.spawn(async move {
            let said = match control_port::ask(control, &command, within).await {
                Ok(text) => accepted(&text),
                Err(error) => Err(chain(&error)),
            };
            // Nobody waits any more where the process is gone.
            let _ =
                answered.send(said.map_err(|text| format!("chmpx did not take {}: {text}", order.word())));
            waker.wake(Reason::Answered);
        });
        Ok(Self { _telling: telling, answer })
    }

    /// Answer to the command, if it has come: accepted, or the reason of the refusal.
    pub(in crate::supervisor) fn answer(&mut self) -> Option<Result<(), String>> {
        self.answer.try_recv().ok()
    }
}

fn command(order: &ControlCommand, spec: &NodeSpec) -> Result<Command, SupervisorError> {
    let server_out = |host: &str, ctlport, id: &str| {
        let unsayable =
            |why: &dyn std::error::Error| SupervisorError::Unsayable { order: order.word(), why: chain(why) };
        Server::new(host, ctlport, id).map(Command::ServiceOut).map_err(|error| unsayable(&error))
    };
    Ok(match order {
        ControlCommand::UpdateStatus => Command::UpdateStatus,
        ControlCommand::ServiceIn => Command::ServiceIn,
        ControlCommand::Merge => Command::Merge,
        ControlCommand::CompMerge => Command::CompMerge,
        ControlCommand::ServiceOut => {
            let (host, ctlport, id) = &spec.own;
            server_out(host, *ctlport, id)?
        }
        ControlCommand::Dismiss(named) => server_out(&named.host, named.ctlport, &named.id)?,
    })
}

/// Checks the answer to a command.
///
/// # Errors
///
/// The words of chmpx, unless it accepted.
pub(in crate::supervisor) fn accepted(text: &str) -> Result<(), String> {
    if chmpx_state::is_accepted(text) { Ok(()) } else { Err(printable(text.trim(), LONGEST_ANSWER)) }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::fixtures;

    /// A chmpx that answers one connection with that text, at its time.
    async fn chmpx(text: &'static str) -> (NodeSpec, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let ring = fixtures::ring(&[1, 2], &[]);
        let mut spec = NodeSpec::of(&ring, std::path::Path::new("/nowhere.ini")).unwrap();
        spec.control =
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listener.local_addr().unwrap().port());
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = vec![0; 200];
            let length = stream.read(&mut heard).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&heard[..length]).into_owned()
        });
        (spec, heard)
    }

    #[tokio::test]
    async fn a_word_is_not_waited_for_and_what_chmpx_says_to_it_wakes_a_pass() {
        for (said, taken) in [("SUCCEED: \n", true), ("ERROR: operating now\n", false)] {
            let (waker, (spec, heard)) = (Waker::default(), chmpx(said).await);
            let mut word =
                SentCommand::say(ControlCommand::ServiceOut, &spec, Duration::from_secs(5), waker.clone())
                    .unwrap();
            assert_eq!(word.answer(), None, "it returned before anybody listened");
            assert!(waker.woken().await.contains(Reason::Answered));
            assert!(heard.await.unwrap().starts_with("SERVICEOUT 192.0.2.1:8021"));
            let answer = word.answer().unwrap();
            assert_eq!(answer.is_ok(), taken, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_that_is_told() {
        let (waker, (mut spec, _)) = (Waker::default(), chmpx("").await);
        spec.control.set_port(1);
        let mut word =
            SentCommand::say(ControlCommand::ServiceIn, &spec, Duration::from_secs(5), waker.clone())
                .unwrap();
        waker.woken().await;
        assert!(word.answer().unwrap().unwrap_err().starts_with("chmpx did not take SERVICEIN: "));
    }
}
