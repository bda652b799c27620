//! DUMP: the shared memory of a chmpx in its own print, with one block for each node.

use super::lines::{Line, Walk};
use super::reading::{Dialect, Reading, whole_lines};
use super::{ChmpxState, ViewError, row};

const DIALECT: Dialect = Dialect {
    answer: "DUMP",
    whole: &[
        "pid",
        "cfg_revision",
        "automerge in conf",
        "suspend automerge",
        "merge timeout",
        "chmpx_free_count",
        "chmpx_server_count",
        "chmpx_slave_count",
    ],
    row: row::DUMP,
};

/// Reads the answer to DUMP.
///
/// # Errors
///
/// The answer is a refusal, is cut off, lists another number of nodes than it counts, or lacks a required key.
pub fn dump(text: &str) -> Result<ChmpxState, ViewError> {
    whole_lines(text, DIALECT.answer)?;
    let mut reading = Reading::new(&DIALECT);
    let mut walk = Walk::over(text);
    while let Some(line) = walk.step() {
        match (walk.path(), line) {
            ([] | ["chmpx_man"], Line::Pair(key, value)) => reading.put(key, value),
            (["chmpx_man", "chmpx_self"], Line::Pair(key, value)) => reading.put_own(key, value),
            (["chmpx_man", _, _, "chmpx"], Line::Pair(key, value)) => reading.put_node(key, value),
            (["chmpx_man", "chmpx_servers", _], Line::Closed("chmpx")) => reading.end_server()?,
            (["chmpx_man", "chmpx_slaves", _], Line::Closed("chmpx")) => reading.end_slave()?,
            _ => {}
        }
    }
    if !walk.path().is_empty() || !ends_with_a_rule(text) {
        return Err(ViewError::CutOff { answer: DIALECT.answer });
    }
    reading.view()
}

/// True if the last line is a rule of equals signs. The other two rules stand at the head, before every required key.
fn ends_with_a_rule(text: &str) -> bool {
    let last = text.lines().next_back().unwrap_or_default();
    last.starts_with("====") && last.bytes().all(|byte| byte == b'=')
}
