//! Common part of DUMP and `chmpxstatus`, with the check that an answer lists all the nodes it counts.

use super::answer::is_refusal;
use super::fields::{Fields, shown};
use super::row::{self, MODE, RowFields, row};
use super::{ChmpxState, Row, ViewError};
use crate::ring::Mode;

/// An answer, as far as it has been read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    whole: Fields<'a, KEYS>,
    own: RowFields<'a>,
    node: RowFields<'a>,
    servers: Vec<Row>,
    slaves: Vec<Row>,
}

/// Spelling of the keys in one kind of answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Command of the answer, for errors.
    pub(super) answer: &'static str,
    /// Keys that occur once, in the order of the positions below.
    pub(super) whole: &'static [&'static str; KEYS],
    /// Keys of each node.
    pub(super) row: &'static [&'static str; row::KEYS],
}

/// Number of keys that occur once.
pub(super) const KEYS: usize = 8;

const PID: usize = 0;
const FILEVERSION: usize = 1;
const AUTOMERGE: usize = 2;
const SUSPENDED: usize = 3;
const TIMEOUT: usize = 4;
const FREE: usize = 5;
const SERVERS: usize = 6;
const SLAVES: usize = 7;

impl<'a> Reading<'a> {
    /// Starts with nothing read.
    pub(super) fn new(dialect: &Dialect) -> Self {
        let node = Fields::new(dialect.answer, dialect.row);
        let whole = Fields::new(dialect.answer, dialect.whole);
        Self { whole, own: node, node, servers: Vec::new(), slaves: Vec::new() }
    }

    /// Takes a key that occurs once.
    pub(super) fn put(&mut self, key: &str, text: &'a str) {
        self.whole.put(key, text);
    }

    /// Takes a key of chmpx's own row.
    pub(super) fn put_own(&mut self, key: &str, text: &'a str) {
        self.own.put(key, text);
    }

    /// Takes a key of the present row.
    pub(super) fn put_node(&mut self, key: &str, text: &'a str) {
        self.node.put(key, text);
    }

    /// Ends the present row, of a server.
    ///
    /// # Errors
    ///
    /// The row lacks a key, or has an unreadable one.
    pub(super) fn end_server(&mut self) -> Result<(), ViewError> {
        self.servers.push(row(&self.node)?);
        self.node.clear();
        Ok(())
    }

    /// Ends the present row, of a connected slave.
    ///
    /// # Errors
    ///
    /// The row lacks a key, or has an unreadable one.
    pub(super) fn end_slave(&mut self) -> Result<(), ViewError> {
        self.slaves.push(row(&self.node)?);
        self.node.clear();
        Ok(())
    }

    /// Makes the view.
    ///
    /// # Errors
    ///
    /// A key is missing or unreadable, or chmpx counts another number of nodes than it lists.
    pub(super) fn view(self) -> Result<ChmpxState, ViewError> {
        self.counted(SERVERS, self.servers.len())?;
        self.counted(SLAVES, self.slaves.len())?;
        let whole = &self.whole;
        let mode = self.own.mode(MODE)?;
        let fileversion: i64 = whole.number(FILEVERSION)?;
        Ok(ChmpxState {
            fileversion: u32::try_from(fileversion).ok(),
            pid: whole.number(PID)?,
            automerge: whole.truth(AUTOMERGE)?,
            automerge_suspended: whole.truth(SUSPENDED)?,
            merge_timeout: whole.number(TIMEOUT)?,
            capacity: self.capacity(mode),
            own: row(&self.own)?,
            servers: self.servers,
            slaves: self.slaves,
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

    /// Rows of the table. A server's own row is among the servers; a slave's takes a row and is in neither list.
    fn capacity(&self, mode: Mode) -> Option<usize> {
        let free: usize = self.whole.number(FREE).ok()?;
        free.checked_add(self.servers.len() + self.slaves.len() + usize::from(mode == Mode::Slave))
    }
}

/// Checks that a text consists of whole lines and is no refusal.
///
/// # Errors
///
/// The text is cut off, or refuses the command.
pub(super) fn whole_lines(text: &str, answer: &'static str) -> Result<(), ViewError> {
    if !text.ends_with('\n') {
        return Err(ViewError::CutOff { answer });
    }
    if is_refusal(text) {
        return Err(ViewError::Said { answer, said: shown(text.trim_end()) });
    }
    Ok(())
}
