//! What DUMP and `chmpxstatus` have in common, and the check that an answer has all the nodes it counts.

use super::fields::{Fields, shown};
use super::row::{self, MODE, RowFields, row};
use super::{Answer, Row, View, ViewError, answer};
use crate::ring::Mode;

/// An answer, as far as it has been read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    whole: Fields<'a, KEYS>,
    own: RowFields<'a>,
    node: RowFields<'a>,
    servers: Vec<Row>,
    slaves: Vec<Row>,
    clients: Option<Vec<u32>>,
}

/// Which of the two lists a row stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// The servers of the ring.
    Servers,
    /// The slaves that are connected.
    Slaves,
}

/// How one kind of answer spells its keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// What was asked, for messages.
    pub(super) answer: &'static str,
    /// The keys that are there once, in the order of the positions below.
    pub(super) whole: &'static [&'static str; KEYS],
    /// The keys of each node.
    pub(super) row: &'static [&'static str; row::KEYS],
}

/// How many keys are there once.
pub(super) const KEYS: usize = 13;

const PID: usize = 0;
const STARTED: usize = 1;
const GROUP: usize = 2;
const FILEVERSION: usize = 3;
const AUTOMERGE: usize = 4;
const SUSPENDED: usize = 5;
const DOMERGE: usize = 6;
const REPLICAS: usize = 7;
const MAXCHMPX: usize = 8;
const OPERATING: usize = 9;
const FREE: usize = 10;
const SERVERS: usize = 11;
const SLAVES: usize = 12;

impl<'a> Reading<'a> {
    /// Nothing of it yet.
    pub(super) fn new(dialect: &Dialect) -> Self {
        let node = Fields::new(dialect.answer, dialect.row);
        Self {
            whole: Fields::new(dialect.answer, dialect.whole),
            own: node,
            node,
            servers: Vec::new(),
            slaves: Vec::new(),
            clients: None,
        }
    }

    /// A key that is there once.
    pub(super) fn put(&mut self, key: &str, text: &'a str) {
        self.whole.put(key, text);
    }

    /// A key of chmpx's own row.
    pub(super) fn put_own(&mut self, key: &str, text: &'a str) {
        self.own.put(key, text);
    }

    /// A key of the row that is being read.
    pub(super) fn put_node(&mut self, key: &str, text: &'a str) {
        self.node.put(key, text);
    }

    /// The row that was being read is whole.
    pub(super) fn end_node(&mut self, list: List) -> Result<(), ViewError> {
        let row = row(&self.node)?;
        self.node.clear();
        match list {
            List::Servers => self.servers.push(row),
            List::Slaves => self.slaves.push(row),
        }
        Ok(())
    }

    /// From here on it is known which processes have joined.
    pub(super) fn begin_clients(&mut self) {
        self.clients = Some(Vec::new());
    }

    /// One that has.
    pub(super) fn client(&mut self, pid: &str) -> Result<(), ViewError> {
        let unreadable =
            || ViewError::Unreadable { answer: self.whole.answer(), key: "pid", value: shown(pid) };
        let pid = pid.parse().map_err(|_| unreadable())?;
        self.clients.get_or_insert_default().push(pid);
        Ok(())
    }

    /// The view, if everything is there that chmpx counts.
    pub(super) fn view(self) -> Result<View, ViewError> {
        self.counted(SERVERS, self.servers.len())?;
        self.counted(SLAVES, self.slaves.len())?;
        let whole = &self.whole;
        let mode = self.own.mode(MODE)?;
        let fileversion: i64 = whole.number(FILEVERSION)?;
        Ok(View {
            fileversion: u32::try_from(fileversion).ok(),
            pid: whole.number(PID)?,
            started: whole.number(STARTED)?,
            group: whole.text(GROUP)?.to_owned(),
            mode,
            automerge: whole.truth(AUTOMERGE)?,
            automerge_suspended: whole.truth(SUSPENDED)?,
            domerge: whole.truth(DOMERGE)?,
            replicas: whole.number(REPLICAS)?,
            maxchmpx: whole.number(MAXCHMPX)?,
            capacity: self.capacity(mode),
            operating: whole.truth(OPERATING)?,
            own: row(&self.own)?,
            servers: self.servers,
            slaves: self.slaves,
            clients: self.clients,
        })
    }

    fn counted(&self, at: usize, listed: usize) -> Result<(), ViewError> {
        let counted = self.whole.number(at)?;
        if counted == listed {
            return Ok(());
        }
        let (answer, key) = (self.whole.answer(), self.whole.key(at));
        Err(ViewError::Miscounted { answer, key, counted, listed })
    }

    /// A server's own row is among the servers; a slave's takes a place and is in neither list.
    fn capacity(&self, mode: Mode) -> Option<usize> {
        let free: usize = self.whole.number(FREE).ok()?;
        let listed = self.servers.len() + self.slaves.len() + usize::from(mode == Mode::Slave);
        free.checked_add(listed)
    }
}

/// Whether a text may be the answer to what was asked: whole lines, and no refusal.
pub(super) fn whole_lines(text: &str, asked: &'static str) -> Result<(), ViewError> {
    if !text.ends_with('\n') {
        return Err(ViewError::CutOff { answer: asked });
    }
    match answer(text) {
        Ok(Answer::Refused(..) | Answer::Unknown(_)) => {
            Err(ViewError::Said { answer: asked, said: shown(text.trim_end()) })
        }
        _ => Ok(()),
    }
}
