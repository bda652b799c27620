//! ALLSTATUS: the servers of a ring, with less than DUMP, and with the status as a number.

use super::fields::Fields;
use super::reading::whole_lines;
use super::row::{self, RowFields, row};
use super::{Row, ViewError};

const ANSWER: &str = "ALLSTATUS";
const GROUP: &[&str; 1] = &["RING Name"];

/// Answer to ALLSTATUS.
#[derive(Debug, Clone, PartialEq)]
pub struct AllStatus {
    /// GROUP.
    pub group: String,
    /// Servers of the ring, without their ids.
    pub servers: Vec<Row>,
}

/// Reads the answer to ALLSTATUS.
///
/// It has neither an end nor a count: cut off between two servers it looks like the answer of a smaller ring. Where their
/// number matters, DUMP is the question. A row without a name is no server: chmpx counts one that its table has no room
/// for, and prints uninitialised memory (empty whenever it was seen).
///
/// # Errors
///
/// The answer is a refusal, is cut off within a server, or lacks a required key.
pub fn all_status(text: &str) -> Result<AllStatus, ViewError> {
    whole_lines(text, ANSWER)?;
    let (mut group, mut node) = (Fields::new(ANSWER, GROUP), Fields::new(ANSWER, row::ALLSTATUS));
    let mut servers = Vec::new();
    let mut in_server = false;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("No.") {
            if in_server {
                end_server(&mut node, &mut servers)?;
            }
            // The numbers go up from 1 without a gap; after a gap something is missing.
            if number.parse() != Ok(servers.len() + 1) {
                return Err(ViewError::CutOff { answer: ANSWER });
            }
            in_server = true;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim(), value.trim());
            if in_server { node.put(key, value) } else { group.put(key, value) }
        }
    }
    let group = group.text(0)?.to_owned();
    if !in_server {
        // chmpx refuses if it has no server at all.
        return Err(ViewError::CutOff { answer: ANSWER });
    }
    end_server(&mut node, &mut servers)?;
    Ok(AllStatus { group, servers })
}

fn end_server(node: &mut RowFields<'_>, servers: &mut Vec<Row>) -> Result<(), ViewError> {
    servers.push(row(node)?);
    node.clear();
    Ok(())
}
