//! Findings about an input: one type for an ini file, an answer of K2HR3 and a plan,
//! so that `check`, the pass and `status` print the same sentence for the same fault.

mod note;

use std::fmt;

pub use note::{Note, joined};

/// A reason that has a stable name beside its sentence: programs compare the code, people read the text.
pub trait Coded {
    /// Every code of this type, as docs/status.md lists them.
    const CODES: &'static [&'static str];

    /// The code in kebab case. It never changes; the sentence may.
    fn code(&self) -> &'static str;
}

/// Gives the reasons of a type their codes, each variant by one pattern.
macro_rules! coded {
    ($type:ty { $($pattern:pat => $code:literal,)+ }) => {
        impl $crate::problem::Coded for $type {
            const CODES: &'static [&'static str] = &[$($code),+];

            fn code(&self) -> &'static str {
                match self {
                    $($pattern => $code,)+
                }
            }
        }
    };
}
pub(crate) use coded;

/// A fault of an input: a reason that knows how bad it is.
pub trait Fault: Coded + fmt::Display {
    /// The judgement by what chmpx does with it.
    fn severity(&self) -> Severity;

    /// The finding in that line, or about the whole.
    fn at(&self, line: impl Into<Option<usize>>) -> Problem
    where
        Self: Sized,
    {
        Problem::new(self.severity(), line.into(), self.code(), self.to_string())
    }
}

/// Severity of a [`Problem`], judged by what chmpx does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// chmpx ignores it; an operator may still want to know.
    Note,
    /// chmpx takes it, and harm follows: a ghost row, a wrong port, a merged node.
    Harmful,
    /// chmpx refuses the file: at start it exits with 1, at a reload it ends with exit code 0.
    Refused,
}

impl Severity {
    /// The word that `check` prints.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Harmful => "harmful",
            Severity::Refused => "refused",
        }
    }
}

/// A finding: severity, place and text, with the remedy where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The judgement.
    pub severity: Severity,
    /// Line in the input, counted from 1; absent where the fault is that something is missing.
    pub line: Option<usize>,
    /// Stable name of the fault, see [`Coded`].
    pub code: &'static str,
    /// The fault and its remedy, in one line.
    pub text: String,
}

/// The code of a finding that has no enum of its own: its text is all there is.
pub const OTHER: &str = "other";

impl Problem {
    /// A finding that chmpx answers by ending.
    pub fn refused(line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self::new(Severity::Refused, line.into(), OTHER, text.into())
    }

    /// A finding that chmpx takes, and that does harm.
    pub fn harmful(line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self::new(Severity::Harmful, line.into(), OTHER, text.into())
    }

    /// A finding that changes nothing for chmpx.
    pub fn note(line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self::new(Severity::Note, line.into(), OTHER, text.into())
    }

    /// The same finding in other words.
    #[must_use]
    pub fn reworded(&self, text: impl Into<String>) -> Self {
        Self::new(self.severity, None, self.code, text.into())
    }

    /// Texts quote values of files and of K2HR3, and end on terminals.
    fn new(severity: Severity, line: Option<usize>, code: &'static str, text: String) -> Self {
        let text = if text.contains(is_unseen) { printable(&text, usize::MAX) } else { text };
        Self { severity, line, code, text }
    }

    /// The same about a text that is on no disk: neither its own line nor the one that its text names is anybody's.
    #[must_use]
    pub fn without_lines(&self) -> Self {
        const MARK: &str = " in line ";
        let mut text = self.text.clone();
        let mut from = 0;
        while let Some(at) = text[from..].find(MARK).map(|at| at + from) {
            let number = text[at + MARK.len()..].bytes().take_while(u8::is_ascii_digit).count();
            let end = if number > 0 { at + MARK.len() + number } else { at };
            text.replace_range(at..end, "");
            from = if number > 0 { at } else { at + MARK.len() };
        }
        Self { line: None, text, ..*self }
    }

    /// Tells whether a file with this finding must not be installed.
    pub fn forbids(&self) -> bool {
        self.severity > Severity::Note
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Splits findings into those that forbid an installation and the notes.
pub fn split(problems: Vec<Problem>) -> (Vec<Problem>, Vec<Problem>) {
    problems.into_iter().partition(Problem::forbids)
}

/// Joins findings into one line, the first few whole and the rest as a count.
pub fn one_line(problems: &[Problem]) -> String {
    const SHOWN: usize = 3;
    let mut text = listed(problems.iter().take(SHOWN), "; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}

/// Joins the words of several things.
pub fn listed<T: fmt::Display>(things: impl IntoIterator<Item = T>, between: &str) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(between)
}

/// Joins an error and its causes to one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Text from outside made safe for a log line: characters that nobody sees escaped, long text cut at `limit` characters.
pub fn printable(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    for c in text.chars().take(limit) {
        if is_unseen(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

/// Tells whether a character has an effect and no shape of its own: control characters, every blank but the space, and what
/// joins, hides or turns round the text beside it (Unicode's default-ignorable and bidirectional format characters).
pub fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_line_when_it_has_one() {
        assert_eq!(Problem::refused(3, "no GROUP").to_string(), "line 3: no GROUP");
        assert_eq!(Problem::refused(None, "no GROUP").to_string(), "no GROUP");
    }

    #[test]
    fn notes_do_not_forbid_and_the_rest_does() {
        let all = vec![Problem::note(1, "a"), Problem::harmful(2, "b"), Problem::refused(3, "c")];
        let (bad, notes) = split(all);
        assert_eq!(bad.iter().map(|p| p.severity.word()).collect::<Vec<_>>(), ["harmful", "refused"]);
        assert_eq!(notes, [Problem::note(1, "a")]);
    }

    #[test]
    fn a_finding_about_a_text_that_is_on_no_disk_names_no_line_of_it() {
        let problem = Problem::harmful(
            9,
            "[A]: B stands in line 12 already, and [A] begins again in line 3: in line x",
        );
        let text = "[A]: B stands already, and [A] begins again: in line x";
        assert_eq!(problem.without_lines(), Problem::harmful(None, text));
    }

    #[test]
    fn many_problems_become_one_line_with_a_count() {
        let all: Vec<_> = (1..=5).map(|n| Problem::note(n, "x")).collect();
        assert_eq!(one_line(&all), "line 1: x; line 2: x; line 3: x; and 2 more");
    }

    #[test]
    fn outside_text_is_escaped_and_cut() {
        assert_eq!(printable("a\nb\u{1b}[1m", 100), "a\\nb\\u{1b}[1m");
        assert_eq!(printable("abcdef", 3), "abc…");
        let unseen = "a\u{a0}b\u{202e}c\u{feff}d\u{200b}é 漢";
        assert_eq!(printable(unseen, 100), "a\\u{a0}b\\u{202e}c\\u{feff}d\\u{200b}é 漢");
    }

    #[test]
    fn a_problem_is_one_line_whatever_it_quotes() {
        let problem = Problem::refused(None, "MODE is \"\u{1b}[2J\nb\"");
        assert_eq!(problem.text, "MODE is \"\\u{1b}[2J\\nb\"");
    }
}
