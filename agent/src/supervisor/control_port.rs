//! Asks a chmpx on its control port: one command a connection, and the answer lasts until chmpx closes. [`crate::chmpx_state`] reads
//! the answer.
//!
//! chmpx takes its first read for the whole command, so a command must arrive in one piece. It is silent for 5 to 20 s while it
//! tries dead members: silence is no failure of the process. A connection at the wrong moment makes it swallow a reload
//! (24 of 160 on a slave asked without pause), so nobody asks in the half second behind a new file.

mod command;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::spoken;

pub use command::{Command, Server, Unsayable};

/// Reason why there is no answer.
#[derive(Debug, Error)]
pub enum ControlPortError {
    /// The connection was refused: no chmpx listens there.
    #[error("no chmpx listens on {address}, which {command} was for")]
    NotListening {
        /// Control port.
        address: SocketAddr,
        /// Command.
        command: String,
    },
    /// No connection, or no whole answer, within the deadline.
    #[error("no whole answer of {address} to {command} within {}", spoken(*within))]
    Silent {
        /// Control port.
        address: SocketAddr,
        /// Command.
        command: String,
        /// Deadline.
        within: Duration,
    },
    /// The connection failed, or ended before its answer.
    #[error("the connection to {address} broke at {command}")]
    Broken {
        /// Control port.
        address: SocketAddr,
        /// Command.
        command: String,
        /// Error of the connection.
        #[source]
        source: io::Error,
    },
    /// The answer is longer than any of chmpx's.
    #[error("the answer of {address} to {command} has more than {most} bytes")]
    TooLong {
        /// Control port.
        address: SocketAddr,
        /// Command.
        command: String,
        /// Limit, in bytes.
        most: usize,
    },
}

/// Longest answer, in bytes: DUMP has about 1.1 kB for each node, and a table at most 32768 rows.
const MOST: usize = 64 * 1024 * 1024;

/// Size of most answers, in bytes.
const USUAL: usize = 16 * 1024;

/// Asks once, and waits for the whole answer until the deadline.
///
/// The answer may be cut off: a chmpx that ends amid its answer closes the connection like any other.
///
/// # Errors
///
/// Nobody listens, the connection breaks, or the deadline passes.
pub async fn ask(
    address: SocketAddr,
    command: &Command,
    deadline: Duration,
) -> Result<String, ControlPortError> {
    ask_at_most(address, command, deadline, MOST).await
}

async fn ask_at_most(
    address: SocketAddr,
    command: &Command,
    deadline: Duration,
    most: usize,
) -> Result<String, ControlPortError> {
    let silent = |_| ControlPortError::Silent { address, command: command.to_string(), within: deadline };
    timeout(deadline, exchange(address, command, most)).await.map_err(silent)?
}

async fn exchange(address: SocketAddr, command: &Command, most: usize) -> Result<String, ControlPortError> {
    let words = command.to_string();
    let broken = |source| ControlPortError::Broken { address, command: words.clone(), source };
    let mut stream = match TcpStream::connect(address).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(ControlPortError::NotListening { address, command: words });
        }
        other => other.map_err(broken)?,
    };
    stream.set_nodelay(true).map_err(broken)?;
    stream.write_all(words.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::with_capacity(USUAL);
    loop {
        match stream.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) if answer.len() > most => {
                return Err(ControlPortError::TooLong { address, command: words, most });
            }
            Ok(_) => {}
            // chmpx resets the connection if it left bytes of the command unread, also behind a whole answer.
            Err(_) if !answer.is_empty() && command.has_an_end() => break,
            Err(error) => return Err(broken(error)),
        }
    }
    if answer.is_empty() {
        return Err(broken(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(String::from_utf8(answer)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::chmpx_state::recorded;

    const LONG: Duration = Duration::from_secs(10);

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Takes one connection, and the command that its first read gives.
    async fn taken(listener: &TcpListener) -> (TcpStream, String) {
        let mut stream = listener.accept().await.unwrap().0;
        let mut request = [0; 8191];
        let length = stream.read(&mut request).await.unwrap();
        (stream, String::from_utf8(request[..length].to_vec()).unwrap())
    }

    /// Lets `answers` go out as they are, each in its own write, and says what was asked and what came back.
    async fn answered(answers: &[&[u8]], command: &Command) -> (String, Result<String, ControlPortError>) {
        let (listener, address) = listener().await;
        let chmpx = async {
            let (mut stream, request) = taken(&listener).await;
            stream.set_nodelay(true).unwrap();
            for answer in answers {
                stream.write_all(answer).await.unwrap();
                tokio::task::yield_now().await;
            }
            request
        };
        tokio::join!(chmpx, ask(address, command, LONG))
    }

    #[tokio::test]
    async fn a_command_arrives_at_once_and_its_answer_is_read_to_the_end() {
        let server = Server::new("vm1", crate::names::Port::LEAST, "seed").unwrap();
        let (request, answer) = answered(&[b"SUCCEED\n"], &Command::ServiceOut(server)).await;
        assert_eq!(request, "SERVICEOUT vm1:1:seed");
        assert_eq!(answer.unwrap(), "SUCCEED\n");
    }

    #[tokio::test]
    async fn an_answer_in_many_pieces_is_one() {
        let pieces: Vec<&[u8]> = recorded::DUMP_IN_SERVICE.as_bytes().chunks(100).collect();
        let (_, answer) = answered(&pieces, &Command::Dump).await;
        assert_eq!(answer.unwrap(), recorded::DUMP_IN_SERVICE);
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_not_lose_the_rest() {
        let (_, answer) = answered(&[b"a\xffb\n"], &Command::Dump).await;
        assert_eq!(answer.unwrap(), "a\u{fffd}b\n");
    }

    /// Leaves the command unread, so that closing resets the connection.
    async fn reset_behind(answer: &[u8], command: &Command) -> Result<String, ControlPortError> {
        let (listener, address) = listener().await;
        let chmpx = async {
            let mut stream = listener.accept().await.unwrap().0;
            stream.readable().await.unwrap();
            stream.write_all(answer).await.unwrap();
        };
        tokio::join!(chmpx, ask(address, command, LONG)).1
    }

    #[tokio::test]
    async fn a_reset_behind_the_answer_does_not_lose_it() {
        assert_eq!(reset_behind(b"SUCCEED\n", &Command::Merge).await.unwrap(), "SUCCEED\n");
    }

    #[tokio::test]
    async fn a_reset_breaks_an_answer_that_has_no_end_of_its_own() {
        let error = reset_behind(b"RING Name = LAB\n", &Command::AllStatus).await.unwrap_err();
        assert!(matches!(error, ControlPortError::Broken { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_connection_that_ends_without_a_word_is_broken() {
        for answer in [answered(&[], &Command::Dump).await.1, reset_behind(b"", &Command::Dump).await] {
            let error = answer.unwrap_err();
            assert!(matches!(error, ControlPortError::Broken { .. }), "{error}");
            assert!(error.to_string().ends_with(" broke at DUMP"), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let (listener, address) = listener().await;
        let error = ask(address, &Command::Dump, LONG).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no whole answer of {address} to DUMP within 10.0 s"));
        drop(listener);
    }

    #[tokio::test(start_paused = true)]
    async fn half_an_answer_and_then_silence_is_silence() {
        let (listener, address) = listener().await;
        let chmpx = async {
            let (mut stream, _) = taken(&listener).await;
            stream.write_all(b"SUC").await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = chmpx => panic!("the connection stays open"),
            answer = ask(address, &Command::Merge, LONG) => {
                assert!(matches!(answer, Err(ControlPortError::Silent { within: LONG, .. })), "{answer:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_endless_answer_is_given_up() {
        let (listener, address) = listener().await;
        let chmpx = async {
            let (mut stream, _) = taken(&listener).await;
            // The other end goes away in the middle.
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        };
        let (error, ()) = tokio::join!(ask_at_most(address, &Command::Dump, LONG, 10_000), chmpx);
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), format!("the answer of {address} to DUMP has more than 10000 bytes"));
    }

    #[tokio::test]
    async fn a_port_without_a_listener_is_told_apart() {
        let (listener, address) = listener().await;
        drop(listener);
        let error = ask(address, &Command::Dump, LONG).await.unwrap_err();
        assert!(matches!(error, ControlPortError::NotListening { .. }), "{error}");
        assert_eq!(error.to_string(), format!("no chmpx listens on {address}, which DUMP was for"));
    }
}
