//! Cuts a template into plain text and statements.

use super::Broken;

/// A piece of the template, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Text(String),
    /// The text between `{{` and `}}`.
    Statement(String),
}

/// Takes off `{{#!engine }}` and the newlines behind it. Only the stock engine is known.
pub(super) fn without_engine_line(text: &str) -> Result<&str, Broken> {
    let Some(rest) = text.strip_prefix("{{#!") else { return Ok(text) };
    let Some((engine, body)) = rest.split_once("}}") else { return Err(Broken::Syntax) };
    if engine.trim_end_matches([' ', '\t']) == "k2hr3template" {
        Ok(body.trim_start_matches(['\r', '\n']))
    } else {
        Err(Broken::Syntax)
    }
}

/// Splits at `{{` and `}}`. An unterminated statement at the end counts as closed (`t-unclosed2`).
pub(super) fn split(text: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, behind) = until(rest, "{{", "}}}", "}}");
        if !plain.is_empty() {
            segments.push(Segment::Text(plain));
        }
        let Some(inside) = behind else { break };
        let (statement, behind) = until(inside, "}}", "{{{", "{{");
        segments.push(Segment::Statement(statement));
        rest = behind.unwrap_or_default();
    }
    segments
}

/// Reads up to `delimiter`, undoing escapes: the tripled delimiter stands for itself, and so does
/// `other_escape`. Returns what was read and what follows the delimiter, if there was one.
fn until<'a>(text: &'a str, delimiter: &str, other_escape: &str, other: &str) -> (String, Option<&'a str>) {
    let tripled = format!("{delimiter}{}", &delimiter[..1]);
    let mut read = String::new();
    let mut rest = text;
    loop {
        if let Some(behind) = rest.strip_prefix(tripled.as_str()) {
            read.push_str(delimiter);
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix(other_escape) {
            read.push_str(other);
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix(delimiter) {
            return (read, Some(behind));
        } else {
            let mut characters = rest.chars();
            let Some(character) = characters.next() else { return (read, None) };
            read.push(character);
            rest = characters.as_str();
        }
    }
}
