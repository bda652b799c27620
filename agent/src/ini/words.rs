//! Lines that chmpx drops, or reads otherwise than they look, in words.

use std::fmt::{self, Display, Formatter};

use crate::problem::{Fault, Severity, coded};

/// A line that is not what it looks like.
pub(super) enum Slip<'a> {
    ControlCharacter,
    /// A section's name in other letters or with blanks.
    LikeSection {
        name: &'a str,
        known: &'a str,
    },
    BeforeSections,
    NoKey,
    OpenQuote(Option<&'a str>),
    /// A byte order mark before nothing that counts.
    Mark,
    /// A byte order mark that hides a section or a key.
    MarkHides(&'a str),
}

coded! { Slip<'_> {
    Self::ControlCharacter => "control-character",
    Self::LikeSection { .. } => "section-name-misspelt",
    Self::BeforeSections => "text-before-sections",
    Self::NoKey => "value-without-key",
    Self::OpenQuote(_) => "open-quote",
    Self::Mark | Self::MarkHides(_) => "byte-order-mark",
}}

impl Fault for Slip<'_> {
    fn severity(&self) -> Severity {
        match self {
            Self::BeforeSections | Self::Mark => Severity::Note,
            _ => Severity::Harmful,
        }
    }
}

impl Display for Slip<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const MARK: &str = "a byte order mark (U+FEFF) stands before the line";
        match self {
            Self::ControlCharacter => f.write_str("a control character"),
            Self::LikeSection { name, known } => {
                write!(f, "[{name}] is not [{known}] to chmpx, and is skipped")
            }
            Self::BeforeSections => f.write_str("text before the first section is ignored"),
            Self::NoKey => f.write_str("a value without a key is dropped"),
            Self::OpenQuote(Some(key)) => {
                write!(f, "{key} has a quote that is not closed, or ends in a backslash: chmpx drops the key")
            }
            Self::OpenQuote(None) => f.write_str("a quote that is not closed: chmpx drops the line"),
            Self::Mark => f.write_str(MARK),
            Self::MarkHides(word) => {
                write!(f, "{MARK}: chmpx does not know \"{word}\" behind it; save the file without one")
            }
        }
    }
}
