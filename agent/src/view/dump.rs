//! DUMP: the shared memory of a chmpx as it prints it itself, with one block for each node.

use super::lines::{Line, Walk};
use super::reading::{Dialect, List, Reading, whole_lines};
use super::{View, ViewError, row};

const DIALECT: Dialect = Dialect {
    answer: "DUMP",
    whole: &[
        "pid",
        "start_time",
        "group",
        "cfg_revision",
        "automerge in conf",
        "suspend automerge",
        "domerge in conf",
        "replica_count",
        "chmpx_count",
        "is_operating",
        "chmpx_free_count",
        "chmpx_server_count",
        "chmpx_slave_count",
    ],
    row: row::DUMP,
};

/// Reads the answer to DUMP.
pub fn dump(text: &str) -> Result<View, ViewError> {
    whole_lines(text, DIALECT.answer)?;
    let mut reading = Reading::new(&DIALECT);
    let mut walk = Walk::over(text);
    while let Some(line) = walk.step() {
        match (walk.path(), line) {
            ([] | ["chmpx_man"], Line::Pair(key, value)) => {
                reading.put(key, value);
                if key == "client_pids" {
                    reading.begin_clients();
                }
            }
            (["chmpx_man", "chmpx_self"], Line::Pair(key, value)) => reading.put_own(key, value),
            (["chmpx_man", _, _, "chmpx"], Line::Pair(key, value)) => reading.put_node(key, value),
            (["chmpx_man", "chmpx_servers", _], Line::Closed("chmpx")) => reading.end_node(List::Servers)?,
            (["chmpx_man", "chmpx_slaves", _], Line::Closed("chmpx")) => reading.end_node(List::Slaves)?,
            (["client_pids", _], Line::Pair("pid", pid)) => reading.client(pid)?,
            _ => {}
        }
    }
    if !walk.path().is_empty() || !ends_with_a_rule(text) {
        return Err(ViewError::CutOff { answer: DIALECT.answer });
    }
    reading.view()
}

/// The last line is a rule of equals signs. Two more stand at the head, before anything that a view needs.
fn ends_with_a_rule(text: &str) -> bool {
    let last = text.lines().next_back().unwrap_or_default();
    last.starts_with("====") && last.bytes().all(|byte| byte == b'=')
}
