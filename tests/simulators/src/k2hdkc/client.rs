//! The client of an application program on a slave node, as libk2hdkc gives it: a handle for each command, or a permanent one
//! (docs/facts.md D7). Blocking.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::attach::{self, AttachError};
use crate::chmpx::own::Identity;
use crate::chmpx::wire::{Attach, Frame, Note, Question, Reply};
use crate::simulators::place::Place;

/// A little longer than chmpx itself waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reason why a key was not set or read.
#[derive(Debug, Error)]
pub enum Failure {
    /// There is no chmpx to attach to.
    #[error("could not make command object: {0}")]
    NoChmpx(#[from] AttachError),
    /// The permanent handle broke when its chmpx went away; it stays broken.
    #[error("DKC_RES_NORESTYPE: the handle is broken for ever")]
    Broken,
    /// The connection ended, or nothing came in time.
    #[error("no answer from chmpx: {0}")]
    NoAnswer(io::Error),
    /// The ring could not serve the key: no server, the server went away, timeout.
    #[error("{0}")]
    Ring(String),
}

/// A client on one node.
#[derive(Debug)]
pub struct Client {
    conf: PathBuf,
    place: Place,
    permanent: Option<Handle>,
    is_permanent: bool,
}

#[derive(Debug)]
struct Handle {
    reader: BufReader<UnixStream>,
    ticket: u64,
}

impl Client {
    /// A handle for each command: it survives restarts of chmpx.
    pub fn per_command(conf: &Path, place: Place) -> Self {
        Self { conf: conf.to_owned(), place, permanent: None, is_permanent: false }
    }

    /// A handle for all: it survives reloads of chmpx, and breaks for ever when chmpx ends.
    pub fn permanent(conf: &Path, place: Place) -> Result<Self, Failure> {
        let mut client = Self { is_permanent: true, ..Self::per_command(conf, place) };
        client.permanent = Some(client.attach()?);
        Ok(client)
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        match self.ask(Question::Set(key.to_owned(), value.to_owned()))? {
            Reply::Written(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The value of a key; `None` where the server that answers for it has none.
    pub fn get(&mut self, key: &str) -> Result<Option<String>, Failure> {
        match self.ask(Question::Get(key.to_owned()))? {
            Reply::Value(value) => Ok(value),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, question: Question) -> Result<Reply, Failure> {
        if !self.is_permanent {
            return exchange(&mut self.attach()?, question).map_err(Failure::NoAnswer);
        }
        let Some(handle) = &mut self.permanent else { return Err(Failure::Broken) };
        let answer = exchange(handle, question);
        if answer.is_err() {
            self.permanent = None;
        }
        answer.map_err(|_| Failure::Broken)
    }

    fn attach(&self) -> Result<Handle, Failure> {
        let stream = attach::connect(&self.conf, &Identity::default(), &self.place)?;
        let prepare = || -> io::Result<Handle> {
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut handle = Handle { reader: BufReader::new(stream.try_clone()?), ticket: 0 };
            let attach = Attach { pid: std::process::id(), is_k2hdkc: false, joins_ring: false };
            send(&mut handle, &Frame::Note(Note::Attach(attach)))?;
            Ok(handle)
        };
        prepare().map_err(Failure::NoAnswer)
    }
}

fn unexpected(reply: &Reply) -> Failure {
    match reply {
        Reply::Failed(text) => Failure::Ring(text.clone()),
        other => Failure::Ring(format!("an odd answer: {other:?}")),
    }
}

fn exchange(handle: &mut Handle, question: Question) -> io::Result<Reply> {
    handle.ticket += 1;
    let ticket = handle.ticket;
    send(handle, &Frame::Ask { ticket, question })?;
    loop {
        let mut line = String::new();
        if handle.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match serde_json::from_str(&line)? {
            Frame::Answer { ticket: answered, reply } if answered == ticket => return Ok(reply),
            Frame::Answer { .. } | Frame::Ask { .. } | Frame::Note(_) => {}
        }
    }
}

fn send(handle: &mut Handle, frame: &Frame) -> io::Result<()> {
    let mut line = serde_json::to_vec(frame)?;
    line.push(b'\n');
    handle.reader.get_mut().write_all(&line)
}
