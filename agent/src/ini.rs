//! chmpx's ini dialect: text to sections and entries with line numbers, and values back to text.
//!
//! Lexical only; what the keys mean is [`crate::acceptance`]'s. The dialect is not the usual one: sections repeat,
//! names are exact and case-sensitive, `#` starts a comment only at the start of a line or behind a blank, `;`
//! never does, and values have quotes and escapes (chmpx 1.0.113, lib/chmconf.cc:1270-1425 and
//! lib/chmconfutil.cc:59-172). `[K2HDKC]` is read by another program with other rules: keys in any case, no
//! quotes, and a `#` anywhere ends the line (k2hdkc 1.0.19, src/k2hdkcconfparser.cc).

#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use crate::problem::{Fault as _, Problem};
use words::Slip;

/// Kind of a section to chmpx and k2hdkc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[GLOBAL]`
    Global,
    /// `[SVRNODE]`, one server node.
    Server,
    /// `[SLVNODE]`, one slave node or a pattern of them.
    Slave,
    /// `[K2HDKC]`, which chmpx skips and k2hdkc reads.
    K2hdkc,
    /// Any other section: skipped by both.
    Other,
}

/// An ini file as chmpx's lexer sees it. It borrows from the text: a file of a thousand nodes has seven thousand
/// entries, and few of them have a quote in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document<'a> {
    /// The sections in the order of the file; the same name may come many times.
    pub sections: Vec<Section<'a>>,
    /// Lines that chmpx drops or reads otherwise than they look.
    pub problems: Vec<Problem>,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// Kind of the section.
    pub kind: Kind,
    /// The text between the brackets.
    pub name: &'a str,
    /// Line of the bracket, from 1.
    pub line: usize,
    /// Its keys in the order of the file.
    pub entries: Vec<Entry<'a>>,
}

/// A `key = value` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key as the reader of the section compares it.
    pub key: Cow<'a, str>,
    /// The value without quotes and escapes; may be empty.
    pub value: Cow<'a, str>,
    /// Its line, from 1.
    pub line: usize,
}

impl<'a> Section<'a> {
    /// Tells whether it is of one node, and so made of a member's record.
    pub fn is_node(&self) -> bool {
        matches!(self.kind, Kind::Server | Kind::Slave)
    }

    /// The value that counts for `key`: the last one.
    pub fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }
}

/// The mark that some editors write before the first character of a file; chmpx takes it for a part of the line.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a whole file. Never fails: what chmpx drops is reported in [`Document::problems`].
pub fn parse(text: &str) -> Document<'_> {
    let mut document = Document::default();
    for (index, raw) in text.split('\n').enumerate() {
        let line = index + 1;
        let content = trim(raw);
        if has_control(content) {
            document.problems.push(Slip::ControlCharacter.at(line));
        }
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(marked) = content.strip_prefix(BYTE_ORDER_MARK) {
            document.problems.push(marked_line(trim(marked), line));
        }
        match section_name(content) {
            Some(name) => document.open(name, line),
            None => document.take(content, line),
        }
    }
    document
}

impl<'a> Document<'a> {
    fn open(&mut self, name: &'a str, line: usize) {
        let kind = match name {
            "GLOBAL" => Kind::Global,
            "SVRNODE" => Kind::Server,
            "SLVNODE" => Kind::Slave,
            "K2HDKC" => Kind::K2hdkc,
            _ => Kind::Other,
        };
        if kind == Kind::Other && ["GLOBAL", "SVRNODE", "SLVNODE", "K2HDKC"].contains(&folded(name).as_str())
        {
            self.problems.push(Slip::LikeSection { name, known: &folded(name) }.at(line));
        }
        self.sections.push(Section { kind, name, line, entries: Vec::new() });
    }

    fn take(&mut self, content: &'a str, line: usize) {
        let Some(section) = self.sections.last_mut() else {
            self.problems.push(Slip::BeforeSections.at(line));
            return;
        };
        match entry(section.kind, content) {
            Some((key, value)) => section.entries.push(Entry { key, value, line }),
            None => self.problems.push(unreadable(content).at(line)),
        }
    }
}

fn unreadable(content: &str) -> Slip<'_> {
    match content.split_once('=') {
        Some((key, _)) if trim(key).is_empty() => Slip::NoKey,
        Some((key, _)) => Slip::OpenQuote(Some(trim(key))),
        None => Slip::OpenQuote(None),
    }
}

/// A line behind a byte order mark is to chmpx neither a comment nor the section or key that it looks like.
fn marked_line(content: &str, line: usize) -> Problem {
    let plain = content.is_empty() || content.starts_with('#');
    if plain { Slip::Mark.at(line) } else { Slip::MarkHides(word(content)).at(line) }
}

/// First word of a line: a section, or a key. A secret may stand behind it.
fn word(content: &str) -> &str {
    content.split(['=', ' ', '\t']).next().unwrap_or_default()
}

/// Any control character but the tab. Nearly every line is plain ASCII, and its bytes are quicker than its characters.
fn has_control(content: &str) -> bool {
    content.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t')
        || (!content.is_ascii() && content.contains(|c: char| c.is_control() && c != '\t'))
}

/// Trims as chmpx does: space, tab, CR, LF.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

fn folded(name: &str) -> String {
    trim(name).to_ascii_uppercase()
}

/// A line is a section only if the bracket closes it: `[GLOBAL] # x` is a key without value.
fn section_name(content: &str) -> Option<&str> {
    content.strip_prefix('[')?.strip_suffix(']')
}

fn entry(kind: Kind, content: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let content = if kind == Kind::K2hdkc { content.split('#').next().unwrap_or_default() } else { content };
    let (key, value) = content.split_once('=').unwrap_or((content, ""));
    let (key, value) = match kind {
        Kind::K2hdkc => (Cow::Owned(folded(key)), Cow::Borrowed(trim(value))),
        Kind::Other => (Cow::Borrowed(trim(key)), Cow::Borrowed(trim(value))),
        Kind::Global | Kind::Server | Kind::Slave => (unquote(key)?, unquote(value)?),
    };
    (!key.is_empty()).then_some((key, value))
}

/// Place of the scanner of [`unquote`].
#[derive(Clone, Copy, PartialEq)]
enum Quote {
    Outside,
    Single,
    Double,
}

/// Takes quotes, escapes and a trailing comment from a value, as chmpx does; `None` if a quote stays open or
/// the text ends in an escape, in which case chmpx drops the whole line.
fn unquote(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['"', '\'', '\\', '#']) {
        return Some(Cow::Borrowed(trim(text)));
    }
    let (mut out, mut quote, mut escaped, mut after_blank) = (String::new(), Quote::Outside, false, false);
    for c in trim(text).chars() {
        match (quote, c) {
            (Quote::Single, '\'') => quote = Quote::Outside,
            (Quote::Single, c) => out.push(c),
            (Quote::Outside | Quote::Double, '"' | '\\') | (Quote::Outside, '\'') if escaped => {
                out.push(c);
                escaped = false;
            }
            (_, '\\') => escaped = true,
            (Quote::Outside, '"') => quote = Quote::Double,
            (Quote::Double, '"') => quote = Quote::Outside,
            (Quote::Outside, '\'') => quote = Quote::Single,
            (Quote::Outside, '#') if after_blank => break,
            (Quote::Outside, '#') => out.push('#'),
            (Quote::Outside, c) => {
                out.push(c);
                after_blank = is_blank(c);
                escaped = false;
            }
            (Quote::Double, c) => {
                out.extend(std::mem::take(&mut escaped).then_some('\\'));
                out.push(c);
            }
        }
    }
    (quote == Quote::Outside && !escaped).then(|| Cow::Owned(trim(&out).to_owned()))
}

/// C's `isspace` in the "C" locale.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// Writes a value so that chmpx reads exactly `value`; `None` where its dialect has no form for it (a control
/// character, or blanks at the ends, which chmpx trims even inside quotes).
pub fn quote(value: &str) -> Option<String> {
    if value.chars().any(char::is_control) || trim(value) != value {
        return None;
    }
    if !value.contains(['"', '\'', '\\', '#']) {
        return Some(value.to_owned());
    }
    Some(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Writes a value of a foreign section as it was read; `None` for what would not stay on its line.
pub fn raw(value: &str) -> Option<String> {
    let whole = !value.contains(char::is_control) && trim(value) == value;
    whole.then(|| value.to_owned())
}

/// Writes a value for `[K2HDKC]`, whose reader knows no quotes and ends a line at any `#`; `None` where it would
/// read something else.
pub fn bare(value: &str) -> Option<String> {
    let whole = !value.contains(|c: char| c.is_control() || c == '#') && trim(value) == value;
    whole.then(|| value.to_owned())
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(crate) const CODES: &[&str] = <Slip<'_> as crate::problem::Coded>::CODES;
