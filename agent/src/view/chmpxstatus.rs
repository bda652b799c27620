//! What the program `chmpxstatus` prints: it reads the same shared memory as DUMP, without asking the process.

use super::fields::Fields;
use super::lines::{Line, Walk};
use super::reading::{Dialect, List, Reading, whole_lines};
use super::row::{self, MODE, row};
use super::{SelfStatus, View, ViewError};

const DIALECT: Dialect = Dialect {
    answer: "chmpxstatus",
    whole: &[
        "chmpx process id",
        "process start time",
        "chmpx name",
        "configuration file version",
        "auto merge",
        "suspend auto merge",
        "merge processing(do merge)",
        "replication count",
        "maximum chmpx count",
        "now operating",
        "free chmpx area count",
        SERVERS,
        SLAVES,
    ],
    row: row::CHMPXSTATUS,
};

const SERVERS: &str = "server chmpxs";
const SLAVES: &str = "slave chmpxs";
/// The last block of the whole text.
const CLIENTS: &str = "joining client process";

/// Reads what `chmpxstatus -conf <file>` prints.
pub fn chmpxstatus(text: &str) -> Result<View, ViewError> {
    whole_lines(text, DIALECT.answer)?;
    let mut reading = Reading::new(&DIALECT);
    let mut walk = Walk::over(text);
    let mut ended = false;
    while let Some(line) = walk.step() {
        match (walk.path(), line) {
            ([], Line::Pair(key, value)) => reading.put(key, value),
            ([block], Line::Opened) => {
                if *block == CLIENTS {
                    reading.begin_clients();
                } else if let Some((list, count)) = counted(block) {
                    reading.put(list, count);
                }
            }
            (["self chmpx"], Line::Pair(key, value)) => reading.put_own(key, value),
            ([CLIENTS], Line::Pair(key, pid)) if key.ends_with("] pid") => reading.client(pid)?,
            ([_, _], Line::Pair(key, value)) => reading.put_node(key, value),
            ([block], Line::Closed(_)) => match counted(block) {
                Some((SERVERS, _)) => reading.end_node(List::Servers)?,
                Some((SLAVES, _)) => reading.end_node(List::Slaves)?,
                _ => {}
            },
            ([], Line::Closed(CLIENTS)) => ended = true,
            _ => {}
        }
    }
    if !ended || !walk.path().is_empty() {
        return Err(ViewError::CutOff { answer: DIALECT.answer });
    }
    reading.view()
}

/// The name and the count of `server chmpxs [ 2 ]`.
fn counted(block: &str) -> Option<(&str, &str)> {
    let (list, count) = block.strip_suffix(']')?.split_once('[')?;
    Some((list.trim_end(), count.trim()))
}

/// Reads what `chmpxstatus -conf <file> -self` prints.
pub fn chmpxstatus_self(text: &str) -> Result<SelfStatus, ViewError> {
    let answer = "chmpxstatus -self";
    whole_lines(text, answer)?;
    let mut own = Fields::new(answer, row::CHMPXSTATUS);
    let mut walk = Walk::over(text);
    while let Some(line) = walk.step() {
        if let Line::Pair(key, value) = line {
            own.put(key, value);
        }
    }
    // The status comes last, so that none is there where the text was cut.
    Ok(SelfStatus { group: None, mode: own.mode(MODE)?, own: row(&own)? })
}
