//! The agent's socket: `status`, and the commands of a running agent. One request line, one JSON answer, and the end.
//!
//! A group may ask for the status; what the agent is ordered to do comes from root or its own user (`SO_PEERCRED`). It owns
//! no state: the status comes through a channel from the loop, a command goes through one to it.

mod door;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::debug;

pub use door::{Listening, listen, socket};

use crate::clock::Timestamp;
use crate::file::FileError;
use crate::status::Status;

/// A question of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The status.
    Status,
    /// The status, after another question to chmpx where its last answer is old.
    Fresh,
    /// Let the loop do this.
    #[serde(untagged)]
    Command(Command),
}

/// An order for the loop of a running agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Release the held loss, of that name if one is given.
    Confirm(Option<String>),
    /// Ask chmpx at once.
    Look,
    /// Enter the role; a leave is called off.
    Join,
    /// Leave the cluster.
    Leave {
        /// Without waiting for the keys, and whatever speaks against it.
        force: bool,
        /// However long its change stops the ring.
        #[serde(default)]
        confirmed: bool,
    },
    /// Stop the processes until they are started again.
    Stop {
        /// Overrides every obstacle.
        force: bool,
    },
    /// Start them again.
    Start,
}

/// An answer of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The status.
    Status(Box<Status>),
    /// Done; one line for people.
    Done(String),
    /// Not done; one line for people.
    Refused(String),
}

/// A command on its way to the loop.
#[derive(Debug)]
pub struct Commanded {
    /// The order.
    pub command: Command,
    /// The channel for the answer.
    pub reply: oneshot::Sender<Result<String, String>>,
}

/// Errors of the socket.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Its directory cannot be made.
    #[error(transparent)]
    Directory(#[from] FileError),
    /// The socket cannot be opened.
    #[error("cannot listen on {path}")]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// No agent runs there.
    #[error("no agent answers on {path}")]
    Absent {
        /// The socket.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The user may not ask the agent that runs there.
    #[error("the agent's socket {path} is closed to this user: {remedy}")]
    Denied {
        /// The socket.
        path: PathBuf,
        /// The remedy.
        remedy: String,
    },
    /// An agent runs there, and gives no answer.
    #[error("the agent that listens on {path} gives no answer")]
    Silent {
        /// The socket.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Refusal for a user that may ask for the status only.
const NOT_ORDERED: &str = "this user may ask for the status only: repeat the command as root";

/// Longest time a client waits: a command waits for the pass that runs, and that for up to three requests of
/// 30 s each to K2HR3 (two lists and a token).
const PATIENCE: Duration = Duration::from_secs(100);

/// Longest wait for an answer of chmpx: most take milliseconds.
const FRESH_WITHIN: Duration = Duration::from_millis(1500);

/// Clients that are served at once.
const MOST_CLIENTS: usize = 16;

/// Longest request line, in bytes.
const LONGEST_REQUEST: u64 = 4096;

/// Serves requests until it is dropped: a confirmation that waits delays no status.
pub async fn serve(
    listener: UnixListener,
    status: watch::Receiver<Status>,
    commands: mpsc::Sender<Commanded>,
) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if clients.len() < MOST_CLIENTS => match accepted {
                Ok((stream, _)) => drop(clients.spawn(client(stream, status.clone(), commands.clone()))),
                // Out of descriptors: the next second may be better.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

/// Serves a client, which may have to wait for the pass that runs.
async fn client(stream: UnixStream, status: watch::Receiver<Status>, commands: mpsc::Sender<Commanded>) {
    let answered = tokio::time::timeout(PATIENCE, answer(stream, &status, &commands)).await;
    if let Ok(Err(error)) = answered {
        debug!(%error, "a client of the socket went away");
    }
}

async fn answer(
    mut stream: UnixStream,
    status: &watch::Receiver<Status>,
    commands: &mpsc::Sender<Commanded>,
) -> std::io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    let (read, mut write) = stream.split();
    let mut line = String::new();
    // A client that connects and sends nothing must not keep the others waiting.
    let limited = Duration::from_secs(2);
    let mut reader = BufReader::new(read.take(LONGEST_REQUEST));
    tokio::time::timeout(limited, reader.read_line(&mut line)).await.map_err(std::io::Error::other)??;
    let response = match serde_json::from_str::<Request>(&line) {
        Ok(Request::Status) => Response::Status(Box::new(status.borrow().clone())),
        Ok(Request::Fresh) => Response::Status(Box::new(fresh(status.clone(), commands).await)),
        Ok(Request::Command(_)) if !door::may_order(peer, geteuid()) => {
            Response::Refused(NOT_ORDERED.to_owned())
        }
        Ok(Request::Command(command)) => commanded(command, commands).await,
        Err(error) => Response::Refused(format!("not a request: {error}")),
    };
    let bytes = serde_json::to_vec(&response).map_err(std::io::Error::other)?;
    write.write_all(&bytes).await?;
    write.shutdown().await
}

/// The status once chmpx has been asked, or the present one where its answer does not come.
async fn fresh(mut status: watch::Receiver<Status>, commands: &mpsc::Sender<Commanded>) -> Status {
    let asked = Timestamp::now();
    if !status.borrow().is_present(asked) {
        let look = async {
            commanded(Command::Look, commands).await;
            // The loop may have ended; its last line is the answer then.
            let _ = status.wait_for(|status| status.is_present(asked)).await;
        };
        // Nor is chmpx waited for that is silent for seconds.
        let _ = tokio::time::timeout(FRESH_WITHIN, look).await;
    }
    status.borrow().clone()
}

async fn commanded(command: Command, commands: &mpsc::Sender<Commanded>) -> Response {
    let (reply, answer) = oneshot::channel();
    let gone = || Response::Refused("the agent is stopping".to_owned());
    if commands.send(Commanded { command, reply }).await.is_err() {
        return gone();
    }
    match answer.await {
        Ok(Ok(line)) => Response::Done(line),
        Ok(Err(line)) => Response::Refused(line),
        Err(_) => gone(),
    }
}

/// Tells whether a running agent has the socket, be it closed to this user.
pub async fn answers(runtime: &Path) -> bool {
    let connected = UnixStream::connect(socket(runtime)).await;
    connected.map_or_else(|error| error.kind() == std::io::ErrorKind::PermissionDenied, |_| true)
}

/// Asks a running agent.
///
/// # Errors
/// None runs there, it is closed to this user, or gives no answer.
pub async fn ask(runtime: &Path, request: &Request) -> Result<Response, AdminError> {
    let path = socket(runtime);
    let exchange = async {
        let mut stream = UnixStream::connect(&path).await?;
        let mut line = serde_json::to_vec(request).map_err(std::io::Error::other)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        serde_json::from_slice(&answer).map_err(std::io::Error::other)
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    let answered = answered.unwrap_or_else(|elapsed| Err(std::io::Error::other(elapsed)));
    answered.map_err(|source| door::judge(&path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx_state::NodeStatus;
    use crate::ledger::Ledger;
    use crate::process_status::{ProcessStatus, Said};

    fn status_of(age: Duration) -> Status {
        let said = Said {
            at: Timestamp::now().before(age),
            fileversion: Some(7),
            status: NodeStatus::HEALTHY,
            servers: Vec::new(),
        };
        let mut status = Status::idle(&Ledger::default(), "process", "/x.ini".into());
        status.processes = Some(ProcessStatus { said: Some(said), ..ProcessStatus::unknown("") });
        status
    }

    #[tokio::test]
    async fn who_wants_to_know_it_fresh_has_chmpx_asked_where_the_last_answer_is_old() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (status_of(Duration::from_secs(12)), status_of(Duration::ZERO));
        let published = watch::Sender::new(old.clone());
        let (command, mut commands) = mpsc::channel::<Commanded>(1);
        tokio::spawn(serve(listen(directory.path(), None).unwrap().listener, published.subscribe(), command));
        assert_eq!(
            ask(directory.path(), &Request::Status).await.unwrap(),
            Response::Status(Box::new(old.clone()))
        );
        let chmpx = async {
            let commanded = commands.recv().await.unwrap();
            assert_eq!(commanded.command, Command::Look);
            commanded.reply.send(Ok(String::new())).unwrap();
            published.send_replace(new.clone());
        };
        let (fresh, ()) = tokio::join!(ask(directory.path(), &Request::Fresh), chmpx);
        assert_eq!(fresh.unwrap(), Response::Status(Box::new(new.clone())));
        let again = ask(directory.path(), &Request::Fresh).await.unwrap();
        assert_eq!(again, Response::Status(Box::new(new)), "what is fresh is asked for no more");
    }
}
