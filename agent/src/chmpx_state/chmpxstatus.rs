//! Output of the program `chmpxstatus`: it reads the shared memory that DUMP prints, without a question to the process.

use super::lines::{Line, Walk};
use super::reading::{Dialect, Reading, whole_lines};
use super::row;
use super::{ChmpxState, ViewError};

const DIALECT: Dialect = Dialect {
    answer: "chmpxstatus",
    whole: &[
        "chmpx process id",
        "configuration file version",
        "auto merge",
        "suspend auto merge",
        "timeout for merge",
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

/// Reads the output of `chmpxstatus -conf <file>`.
///
/// # Errors
///
/// The text is cut off, lists another number of nodes than it counts, or lacks a required key.
pub fn chmpxstatus(text: &str) -> Result<ChmpxState, ViewError> {
    whole_lines(text, DIALECT.answer)?;
    let mut reading = Reading::new(&DIALECT);
    let mut walk = Walk::over(text);
    let mut ended = false;
    while let Some(line) = walk.step() {
        match (walk.path(), line) {
            ([], Line::Pair(key, value)) => reading.put(key, value),
            ([block], Line::Opened) => {
                if let Some((list, count)) = counted(block) {
                    reading.put(list, count);
                }
            }
            (["self chmpx"], Line::Pair(key, value)) => reading.put_own(key, value),
            ([_, _], Line::Pair(key, value)) => reading.put_node(key, value),
            ([block], Line::Closed(_)) => match counted(block) {
                Some((SERVERS, _)) => reading.end_server()?,
                Some((SLAVES, _)) => reading.end_slave()?,
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

/// Name and count of `server chmpxs [ 2 ]`.
fn counted(block: &str) -> Option<(&str, &str)> {
    let (list, count) = block.strip_suffix(']')?.split_once('[')?;
    Some((list.trim_end(), count.trim()))
}
