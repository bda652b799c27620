//! The faults of `[K2HDKC]` in words.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use crate::problem::{Fault, Severity, coded};

/// A fault of the section that k2hdkc reads.
pub(super) enum Wrong<'a> {
    SecondSection,
    NoSection,
    OnSlave,
    Number { key: &'a str, read: i32 },
    Truth { key: &'a str, value: &'a str },
    NoFile { key: &'a str, value: &'a str },
    Threads { least: &'a str, most: &'a str },
    SameTwice(&'a str),
    Twice(&'a str),
    EmptyType,
    UnknownType(&'a str),
    MemoryKept,
    TemporaryKept,
    TypeWithoutFile,
    Relative(&'a str),
    Directory(&'a str),
    BelowFile { file: &'a str, above: &'a Path },
    NoDirectory { file: &'a str, directory: &'a Path },
    EmptyPassphrase,
    TwoPassphrases,
}

coded! { Wrong<'_> {
    Self::SecondSection => "k2hdkc-second-section",
    Self::NoSection => "k2hdkc-section-missing",
    Self::OnSlave => "k2hdkc-on-slave",
    Self::Number { .. } => "k2hdkc-number",
    Self::Truth { .. } => "k2hdkc-truth",
    Self::NoFile { .. } => "k2hdkc-file-missing",
    Self::Threads { .. } => "k2hdkc-threads",
    Self::SameTwice(_) | Self::Twice(_) => "k2hdkc-key-twice",
    Self::EmptyType | Self::UnknownType(_) => "k2hdkc-type",
    Self::MemoryKept | Self::TemporaryKept | Self::TypeWithoutFile => "k2hdkc-storage",
    Self::Relative(_) | Self::Directory(_) | Self::BelowFile { .. } | Self::NoDirectory { .. } => "k2hdkc-place",
    Self::EmptyPassphrase | Self::TwoPassphrases => "k2hdkc-passphrase",
}}

impl Fault for Wrong<'_> {
    fn severity(&self) -> Severity {
        match self {
            Self::OnSlave | Self::SameTwice(_) => Severity::Note,
            _ => Severity::Harmful,
        }
    }
}

impl Display for Wrong<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const DEAD: &str = "k2hdkc would not start";
        match self {
            Self::SecondSection => f.write_str("a second [K2HDKC]: k2hdkc reads only the first"),
            Self::NoSection => f.write_str("a server node without [K2HDKC]: k2hdkc ends when it is started"),
            Self::OnSlave => f.write_str("a slave node has no use for [K2HDKC]"),
            Self::Number { key, read } => write!(f, "[K2HDKC]: {key} is {read}: {DEAD}"),
            Self::Truth { key, value } => write!(f, "[K2HDKC]: {key} is \"{value}\": {DEAD}"),
            Self::NoFile { key, value } => {
                write!(f, "[K2HDKC]: {key} {value} does not exist on this host: {DEAD}")
            }
            Self::Threads { least, most } => {
                write!(f, "[K2HDKC]: MINTHREAD {least} is more than MAXTHREAD {most}: {DEAD}")
            }
            Self::SameTwice(key) => write!(f, "[K2HDKC]: {key} stands twice, and says the same"),
            Self::Twice(key) => write!(f, "[K2HDKC]: {key} stands twice: leave the one that is meant"),
            Self::EmptyType => write!(f, "[K2HDKC]: K2HTYPE is empty: {DEAD}"),
            Self::UnknownType(kind) => write!(f, "[K2HDKC]: K2HTYPE \"{kind}\" is not known: {DEAD}"),
            Self::MemoryKept => {
                write!(f, "[K2HDKC]: a memory database with K2HFULLMAP or K2HINIT off: {DEAD}")
            }
            Self::TemporaryKept => write!(f, "[K2HDKC]: a temporary database with K2HINIT off: {DEAD}"),
            Self::TypeWithoutFile => {
                f.write_str("[K2HDKC]: K2HTYPE without K2HFILE keeps its data in memory, or does not start")
            }
            Self::Relative(file) => {
                write!(
                    f,
                    "[K2HDKC]: K2HFILE {file} is no absolute path: it would be looked for in / or elsewhere"
                )
            }
            Self::Directory(file) => write!(f, "[K2HDKC]: K2HFILE {file} is a directory: {DEAD}"),
            Self::BelowFile { file, above } => {
                let above = above.display();
                write!(f, "[K2HDKC]: K2HFILE {file} lies below {above}, which is a file: {DEAD}")
            }
            Self::NoDirectory { file, directory } => {
                let directory = directory.display();
                write!(
                    f,
                    "[K2HDKC]: K2HFILE {file} lies in no directory: make {directory} for the user of k2hdkc"
                )
            }
            Self::EmptyPassphrase => write!(f, "[K2HDKC]: PASSPHRASES is empty: {DEAD}"),
            Self::TwoPassphrases => write!(f, "[K2HDKC]: PASSPHRASES and PASSFILE together: {DEAD}"),
        }
    }
}
