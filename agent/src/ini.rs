//! chmpx's ini dialect: text to sections and entries with line numbers, and values back to text.
//!
//! Lexical only; what the keys mean is [`crate::acceptance`]'s. The dialect is not the usual one: sections repeat,
//! names are exact and case-sensitive, `#` starts a comment only at the start of a line or behind a blank, `;`
//! never does, and values have quotes and escapes (chmpx 1.0.113, lib/chmconf.cc:1270-1425 and
//! lib/chmconfutil.cc:59-172). `[K2HDKC]` is read by another program with other rules: keys in any case, no
//! quotes, and a `#` anywhere ends the line (k2hdkc 1.0.19, src/k2hdkcconfparser.cc).

use std::borrow::Cow;

use crate::problem::Problem;

/// What a section is to chmpx and k2hdkc.
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

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// What it is.
    pub kind: Kind,
    /// The text between the brackets.
    pub name: &'a str,
    /// Line of the bracket, from 1.
    pub line: usize,
    /// Its keys in the order of the file.
    pub entries: Vec<Entry<'a>>,
}

/// One `key = value` line.
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
    /// Whether it is of one node, and so made of a member's record.
    pub fn is_node(&self) -> bool {
        matches!(self.kind, Kind::Server | Kind::Slave)
    }

    /// The value that counts for `key`: the last one.
    pub fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }
}

/// What some editors write before the first character of a file; chmpx takes it for a part of the line.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a whole file. Never fails: what chmpx drops is reported in [`Document::problems`].
pub fn parse(text: &str) -> Document<'_> {
    let mut document = Document::default();
    for (index, raw) in text.split('\n').enumerate() {
        let line = index + 1;
        let content = trim(raw);
        if has_control(content) {
            document.problems.push(Problem::harmful(line, "a control character"));
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
            let text = format!("[{name}] is not [{}] to chmpx, and is skipped", folded(name));
            self.problems.push(Problem::harmful(line, text));
        }
        self.sections.push(Section { kind, name, line, entries: Vec::new() });
    }

    fn take(&mut self, content: &'a str, line: usize) {
        let Some(section) = self.sections.last_mut() else {
            self.problems.push(Problem::note(line, "text before the first section is ignored"));
            return;
        };
        match entry(section.kind, content) {
            Some((key, value)) => section.entries.push(Entry { key, value, line }),
            None => self.problems.push(Problem::harmful(line, unreadable(content))),
        }
    }
}

fn unreadable(content: &str) -> String {
    match content.split_once('=') {
        Some((key, _)) if trim(key).is_empty() => "a value without a key is dropped".to_owned(),
        Some((key, _)) => {
            format!(
                "{} has a quote that is not closed, or ends in a backslash: chmpx drops the key",
                trim(key)
            )
        }
        None => "a quote that is not closed: chmpx drops the line".to_owned(),
    }
}

/// A line behind a byte order mark is to chmpx neither a comment nor the section or key that it looks like.
fn marked_line(content: &str, line: usize) -> Problem {
    let text = "a byte order mark (U+FEFF) stands before the line";
    if content.is_empty() || content.starts_with('#') {
        return Problem::note(line, text);
    }
    Problem::harmful(
        line,
        format!("{text}: chmpx does not know \"{}\" behind it; save the file without one", word(content)),
    )
}

/// What a line begins with: a section, or a key. A secret may stand behind it.
fn word(content: &str) -> &str {
    content.split(['=', ' ', '\t']).next().unwrap_or_default()
}

/// Any control character but the tab. Nearly every line is plain ASCII, and its bytes are quicker than its characters.
fn has_control(content: &str) -> bool {
    content.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t')
        || (!content.is_ascii() && content.contains(|c: char| c.is_control() && c != '\t'))
}

/// What chmpx trims: space, tab, CR, LF.
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

/// Where the scanner of [`unquote`] is.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Option<String> {
        let text = format!("[GLOBAL]\nK = {text}\n");
        let document = parse(&text);
        document.sections[0].get("K").map(|entry| entry.value.clone().into_owned())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be absent")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn sections_repeat_and_keep_their_lines() {
        let document = parse("# head\n[GLOBAL]\nGROUP = a\n\n[SVRNODE]\r\nNAME=h1\r\n[SVRNODE]\nNAME = h2");
        let seen: Vec<_> = document.sections.iter().map(|s| (s.kind, s.line, s.entries.len())).collect();
        assert_eq!(seen, [(Kind::Global, 2, 1), (Kind::Server, 5, 1), (Kind::Server, 7, 1)]);
        assert_eq!(document.sections[1].get("NAME").unwrap().line, 6);
        assert_eq!(document.problems, []);
    }

    #[test]
    fn section_names_are_exact() {
        for (text, kind) in [
            ("[GLOBAL]", Kind::Global),
            ("  [GLOBAL]\t", Kind::Global),
            ("[global]", Kind::Other),
            ("[ GLOBAL ]", Kind::Other),
            ("[K2HDKC]", Kind::K2hdkc),
            ("[K2HTPDTOR]", Kind::Other),
        ] {
            let document = parse(text);
            assert_eq!(document.sections[0].kind, kind, "{text}");
            assert_eq!(document.problems.len(), usize::from(kind == Kind::Other && text != "[K2HTPDTOR]"));
        }
        assert_eq!(parse("[GLOBAL] # x").sections, []);
        assert_eq!(parse("\u{feff}[GLOBAL]\nGROUP=a").sections, [], "a byte order mark hides the section");
    }

    #[test]
    fn comments_start_at_the_line_or_behind_a_blank() {
        assert_eq!(value("LAB # c"), some("LAB"));
        assert_eq!(value("LAB#c"), some("LAB#c"));
        assert_eq!(value("LAB ; c"), some("LAB ; c"));
        assert_eq!(value("'a # b'"), some("a # b"));
        assert_eq!(value(""), some(""));
        assert_eq!(value("# c"), some("# c"), "chmpx looks at the trimmed value: no blank before");
    }

    #[test]
    fn quotes_and_escapes_are_chmpx_s() {
        for (text, read) in [
            ("'it''s'", some("its")),
            ("'a\\b'", some("a\\b")),
            ("\"a\\\"b\"", some("a\"b")),
            ("\"a\\\\b\"", some("a\\b")),
            ("\"a\\nb\"", some("a\\nb")),
            ("a\\b", some("ab")),
            ("a\\\\b", some("a\\b")),
            ("a\\'b", some("a'b")),
            ("a=b=c", some("a=b=c")),
            ("\" x \"", some("x")),
            ("'open", None),
            ("\"open", None),
            ("end\\", None),
        ] {
            assert_eq!(value(text), read, "{text}");
        }
    }

    #[test]
    fn k2hdkc_has_rules_of_its_own() {
        let document = parse("[K2HDKC]\nk2hType = file # x\nPASSPHRASES = a'b\nK2HFILE=/x#y\n");
        let read: Vec<_> = document.sections[0].entries.iter().map(|e| (&*e.key, &*e.value)).collect();
        assert_eq!(read, [("K2HTYPE", "file"), ("PASSPHRASES", "a'b"), ("K2HFILE", "/x")]);
    }

    #[test]
    fn what_chmpx_drops_is_told_with_its_line() {
        let document = parse("lost\n[GLOBAL]\nA = 'x\n= y\nB = a\u{1}b\n");
        let told: Vec<_> = document.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "line 1: text before the first section is ignored",
                "line 3: A has a quote that is not closed, or ends in a backslash: chmpx drops the key",
                "line 4: a value without a key is dropped",
                "line 5: a control character",
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_is_told_and_hides_its_line_from_chmpx() {
        let document = parse("\u{feff}[GLOBAL]\nA = b\n");
        assert_eq!(document.sections, []);
        assert_eq!(
            document.problems[0].to_string(),
            "line 1: a byte order mark (U+FEFF) stands before the line: chmpx does not know \"[GLOBAL]\" behind it; \
             save the file without one"
        );
        assert!(document.problems[0].forbids());
        assert!(!parse("\u{feff}# head\n[GLOBAL]\n").problems[0].forbids());
    }

    proptest! {
        #[test]
        fn what_quote_writes_is_read_back_unchanged(text in "[ -~äあ]{0,40}") {
            if let Some(written) = quote(&text) {
                prop_assert_eq!(value(&written), Some(text));
            } else {
                prop_assert!(text.starts_with(' ') || text.ends_with(' '));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic_and_within_its_lines(text in "(?s).{0,200}") {
            let document = parse(&text);
            let lines = text.split('\n').count();
            prop_assert!(document.sections.iter().flat_map(|s| &s.entries).all(|e| e.line <= lines));
        }

        /// rust-ini knows another dialect; on the part both share (bare values, unique keys, no `#`, `;`, quotes
        /// or backslashes) the two must read the same sections, in the same order, repeated ones included.
        #[test]
        fn rust_ini_reads_the_common_dialect_alike(
            sections in proptest::collection::vec(
                ("(GLOBAL|SVRNODE|SLVNODE|OTHER)",
                 proptest::collection::btree_map("[A-Z][A-Z0-9_]{0,8}", "[a-z0-9./,-]{1,12}", 1..5)),
                1..8,
            )
        ) {
            let text: String = sections
                .iter()
                .map(|(name, keys)| {
                    let keys: String = keys.iter().map(|(k, v)| format!("{k} = {v}\n")).collect();
                    format!("[{name}]\n{keys}")
                })
                .collect();
            let ours: Vec<(String, Vec<(String, String)>)> = parse(&text)
                .sections
                .into_iter()
                .map(|s| {
                    let entries = s.entries.into_iter().map(|e| (e.key.into_owned(), e.value.into_owned()));
                    (s.name.to_owned(), entries.collect())
                })
                .collect();
            let oracle = ini::Ini::load_from_str(&text).unwrap();
            let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(ours.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), names);
            for name in ["GLOBAL", "SVRNODE", "SLVNODE", "OTHER"] {
                let theirs: Vec<Vec<(String, String)>> = oracle
                    .section_all(Some(name))
                    .map(|p| p.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
                    .collect();
                let mine: Vec<_> = ours.iter().filter(|(n, _)| n == name).map(|(_, e)| e.clone()).collect();
                prop_assert_eq!(mine, theirs);
            }
        }
    }
}
