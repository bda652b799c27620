//! Differences and what they take, in words.

use std::fmt::{self, Display, Formatter};

use super::{Change, Class, Plan};
use crate::problem::coded;
use crate::ring::Mode;

coded! { Class {
    Self::Nothing => "nothing",
    Self::FileOnly => "file-only",
    Self::Reload => "reload",
    Self::RestartK2hdkc => "restart-k2hdkc",
    Self::RestartChmpx => "restart-chmpx",
    Self::Impossible => "impossible",
}}

impl Class {
    /// The consequence on a server or a slave.
    pub fn meaning(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Class::Nothing, _) => "nothing to do",
            (Class::FileOnly, _) => "the file only; no process reads the difference",
            (Class::Reload, _) => "live: chmpx takes it when the file is replaced",
            (Class::RestartK2hdkc, _) => "needs a restart of k2hdkc",
            (Class::RestartChmpx, Mode::Server) => "needs a restart of chmpx, then of k2hdkc",
            (Class::RestartChmpx, Mode::Slave) => "needs a restart of chmpx",
            (Class::Impossible, _) => "no running ring can follow",
        }
    }
}

impl Plan {
    /// A change and what it takes, in one line.
    pub fn line(&self, change: &Change) -> String {
        format!("{}   [{}]", change.text, change.class.meaning(self.mode))
    }

    /// The consequence of the whole plan, in one line.
    pub fn meaning(&self) -> String {
        let meaning = self.class.meaning(self.mode);
        if self.at_once {
            return format!("{meaning}, at once: servers of the old and of the new ports do not meet");
        }
        meaning.to_owned()
    }
}

/// A value, as far as it may be shown.
pub(super) enum Shown {
    Absent,
    Secret,
    Number(u16),
    Texts(Vec<String>),
}

impl Shown {
    pub(super) fn of(value: Option<impl Into<String>>) -> Self {
        value.map_or(Self::Absent, |value| Self::Texts(vec![value.into()]))
    }
}

/// A difference between two rings.
pub(super) enum Difference<'a> {
    First { servers: usize, slaves: usize },
    Global { key: &'a str, values: [Shown; 2] },
    Gone { word: &'a str, label: String },
    New { word: &'a str, label: String },
    Node { word: &'a str, label: String, key: &'a str, values: [Shown; 2] },
    K2hdkc { gone: bool },
    K2hdkcKey { key: &'a str, values: [Shown; 2], moves: bool },
    Extras(Vec<&'a str>),
}

impl Difference<'_> {
    /// The change that takes this much.
    pub(super) fn change(self, class: Class) -> Change {
        Change { class, text: self.to_string() }
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("(absent)"),
            Self::Secret => f.write_str("***"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Texts(texts) => write!(f, "\"{}\"", texts.join("\", \"")),
        }
    }
}

impl Display for Difference<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::First { servers, slaves } => {
                write!(f, "first installation: {servers} servers, {slaves} slaves")
            }
            Self::Global { key, values: [old, new] } => write!(f, "[GLOBAL] {key}: {old} -> {new}"),
            Self::Gone { word, label } => write!(f, "- {word} {label}"),
            Self::New { word, label } => write!(f, "+ {word} {label}"),
            Self::Node { word, label, key, values: [old, new] } => {
                write!(f, "{word} {label} {key}: {old} -> {new}")
            }
            Self::K2hdkc { gone: true } => f.write_str("- [K2HDKC]"),
            Self::K2hdkc { gone: false } => f.write_str("+ [K2HDKC]"),
            Self::K2hdkcKey { key, values: [old, new], moves } => {
                write!(f, "[K2HDKC] {key}: {old} -> {new}")?;
                f.write_str(if *moves {
                    " (the keys do not move: k2hdkc is not restarted for it)"
                } else {
                    ""
                })
            }
            Self::Extras(names) => {
                write!(f, "sections that no process of the ring reads: [{}]", names.join("], ["))
            }
        }
    }
}

/// The nodes by which a file and an answer differ.
pub(super) struct Differs {
    pub(super) has: Vec<String>,
    pub(super) lacks: Vec<String>,
}

impl Display for Differs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the file is not what K2HR3 says: it ")?;
        match (self.has.is_empty(), self.lacks.is_empty()) {
            (true, true) => f.write_str("has other values"),
            (false, true) => write!(f, "has {}", Listed(&self.has)),
            (true, false) => write!(f, "lacks {}", Listed(&self.lacks)),
            (false, false) => write!(f, "has {}, and lacks {}", Listed(&self.has), Listed(&self.lacks)),
        }
    }
}

/// The first names, and the number of the others.
struct Listed<'a>(&'a [String]);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let Self(names) = self;
        f.write_str(&names[..names.len().min(SHOWN)].join(", "))?;
        match names.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
