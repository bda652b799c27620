//! What is wrong with an input: one type for every finding about an ini file, an answer of K2HR3 or a plan,
//! so that `check`, the pass and `status` print the same sentence for the same fault.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a [`Problem`] is, judged by what chmpx does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// One finding: how bad, where, and what, with the remedy in the text where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Line in the input, counted from 1; absent where the fault is that something is missing.
    pub line: Option<usize>,
    /// What is wrong, in one line.
    pub text: String,
}

impl Problem {
    /// A finding that chmpx answers by ending.
    pub fn refused(line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Refused, line: line.into(), text: text.into() }
    }

    /// A finding that chmpx takes to somebody's harm.
    pub fn harmful(line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Harmful, line: line.into(), text: text.into() }
    }

    /// A finding that changes nothing for chmpx.
    pub fn note(line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Note, line: line.into(), text: text.into() }
    }

    /// Whether a file with this finding must not be installed.
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
    let mut text = problems.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}

/// Text from outside made safe for a log line: control characters escaped, long text cut at `limit` characters.
pub fn printable(text: &str, limit: usize) -> String {
    let mut out: String = text.chars().take(limit).flat_map(escape_control).collect();
    if text.chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

fn escape_control(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
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
    fn many_problems_become_one_line_with_a_count() {
        let all: Vec<_> = (1..=5).map(|n| Problem::note(n, "x")).collect();
        assert_eq!(one_line(&all), "line 1: x; line 2: x; line 3: x; and 2 more");
    }

    #[test]
    fn outside_text_is_escaped_and_cut() {
        assert_eq!(printable("a\nb\u{1b}[1m", 100), "a\\nb\\u{1b}[1m");
        assert_eq!(printable("abcdef", 3), "abc…");
    }
}
