//! SELFSTATUS and ALLSTATUS: less than DUMP, with the status as a number.

use super::fields::Fields;
use super::reading::whole_lines;
use super::row::{self, MODE, RowFields, as_spelt, row};
use super::{AllStatus, Row, SelfStatus, ViewError};

const GROUP: &[&str; 1] = &["RING Name"];

/// Reads the answer to SELFSTATUS.
pub fn self_status(text: &str) -> Result<SelfStatus, ViewError> {
    let answer = "SELFSTATUS";
    whole_lines(text, answer)?;
    let (mut group, mut own) = (Fields::new(answer, GROUP), Fields::new(answer, row::SELFSTATUS));
    let mut in_last_block = false;
    for line in text.lines() {
        let Some((key, value)) = pair(line) else { continue };
        in_last_block |= key == "Stats" && value == "{";
        group.put(key, value);
        own.put(as_spelt(key), value);
    }
    if !in_last_block || !text.ends_with("\n}\n") {
        return Err(ViewError::CutOff { answer });
    }
    let group = Some(group.text(0)?.to_owned());
    Ok(SelfStatus { group, mode: own.mode(MODE)?, own: row(&own)? })
}

/// Reads the answer to ALLSTATUS.
///
/// It has no end and no count: cut off between two servers it looks like the answer of a smaller ring. Where their
/// number matters, ask DUMP. A server without a name is none: chmpx counted one that its table had no room for, and
/// prints memory that nobody set (empty whenever it was seen).
pub fn all_status(text: &str) -> Result<AllStatus, ViewError> {
    let answer = "ALLSTATUS";
    whole_lines(text, answer)?;
    let (mut group, mut node) = (Fields::new(answer, GROUP), Fields::new(answer, row::ALLSTATUS));
    let mut servers = Vec::new();
    let mut in_server = false;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("No.") {
            if in_server {
                end_server(&mut node, &mut servers)?;
            }
            // One by one from 1, or something was lost in between.
            if number.parse() != Ok(servers.len() + 1) {
                return Err(ViewError::CutOff { answer });
            }
            in_server = true;
        } else if let Some((key, value)) = pair(line) {
            if in_server {
                node.put(as_spelt(key), value);
            } else {
                group.put(key, value);
            }
        }
    }
    let group = group.text(0)?.to_owned();
    if !in_server {
        // chmpx refuses where it has no server at all.
        return Err(ViewError::CutOff { answer });
    }
    end_server(&mut node, &mut servers)?;
    Ok(AllStatus { group, servers })
}

fn end_server(node: &mut RowFields<'_>, servers: &mut Vec<Row>) -> Result<(), ViewError> {
    servers.push(row(node)?);
    node.clear();
    Ok(())
}

fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    Some((key.trim(), value.trim()))
}
