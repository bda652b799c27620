//! A reason as `status` and the ledger carry it: its code and its sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Coded, OTHER, Problem};

/// Code and sentence of a reason. A bare text, as older ledgers have it, gets the code of no enum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Shape")]
pub struct Note {
    /// The stable name, see [`Coded`].
    pub code: String,
    /// The sentence for people.
    pub text: String,
}

/// The two shapes that are read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Bare(String),
    Whole { code: String, text: String },
}

impl Note {
    /// The reason as it is carried.
    pub fn of(reason: &(impl Coded + fmt::Display)) -> Self {
        Self { code: reason.code().to_owned(), text: reason.to_string() }
    }
}

impl From<Shape> for Note {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Bare(text) => Self { code: OTHER.to_owned(), text },
            Shape::Whole { code, text } => Self { code, text },
        }
    }
}

impl From<&Problem> for Note {
    fn from(problem: &Problem) -> Self {
        Self { code: problem.code.to_owned(), text: problem.to_string() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Joins reasons to one line.
pub fn joined(notes: &[Note]) -> String {
    super::listed(notes, "; ")
}

#[cfg(test)]
impl PartialEq<&str> for Note {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_text_of_an_older_ledger_is_read() {
        let notes: Vec<Note> =
            serde_json::from_str(r#"["old", {"code": "too-many-servers", "text": "new"}]"#).unwrap();
        assert_eq!(
            notes.iter().map(|note| note.code.as_str()).collect::<Vec<_>>(),
            ["other", "too-many-servers"]
        );
        assert_eq!(joined(&notes), "old; new");
    }
}
