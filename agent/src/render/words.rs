//! Values without a form in the dialect, in words.

use std::fmt::{self, Display, Formatter};

use crate::problem::{Fault, Severity, coded};

/// A part of a ring that has no form in the dialect.
pub(super) enum NoForm<'a> {
    Section(&'a str),
    Key(&'a str),
    Value(&'a str),
}

coded! { NoForm<'_> {
    Self::Section(_) => "section-not-writable",
    Self::Key(_) => "key-not-writable",
    Self::Value(_) => "value-not-writable",
}}

impl Fault for NoForm<'_> {
    fn severity(&self) -> Severity {
        Severity::Refused
    }
}

impl Display for NoForm<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Section(name) => write!(f, "a section cannot be named {name:?}"),
            Self::Key(key) => write!(f, "a key cannot be named as the one with {key:?}"),
            Self::Value(key) => write!(f, "{key}: its value cannot be written in chmpx's dialect"),
        }
    }
}
