//! Unusable answers and unusable records in words.

use std::fmt::{self, Display, Formatter};

use super::member::Described;
use crate::acceptance::placeholders;
use crate::names::{Cuk, NameError};
use crate::problem::{Coded, Fault, Problem, Severity, coded, printable};

/// Longest piece of a record in a sentence.
const SHOWN: usize = 64;

/// A fault of the answer as a whole, or a part of it that is left out.
pub(super) enum OfAnswer<'a> {
    Empty,
    NoServers,
    /// A key of an extra section that contradicts itself.
    KeyTwice {
        section: &'a str,
        key: &'a str,
    },
    /// The own CUK is in no section of the own list.
    NotAMember(&'a Cuk),
    /// The placeholder does not load in place of the last slave.
    NoStandIn(&'a str),
    /// A section that the settings do not name.
    SectionLeftOut(&'a str),
    /// A byte order mark before this line.
    MarkLeftOut(&'a str),
    /// The TLS placeholder of the k8s tools.
    TlsLeftOut,
}

coded! { OfAnswer<'_> {
    Self::Empty => "answer-empty",
    Self::NoServers => "no-server-members",
    Self::KeyTwice { .. } => "extra-key-twice",
    Self::NotAMember(_) => "not-a-member",
    Self::NoStandIn(_) => "no-stand-in",
    Self::SectionLeftOut(_) => "section-left-out",
    Self::MarkLeftOut(_) => "byte-order-mark",
    Self::TlsLeftOut => "tls-placeholder-left-out",
}}

impl Fault for OfAnswer<'_> {
    fn severity(&self) -> Severity {
        match self {
            Self::SectionLeftOut(_) | Self::MarkLeftOut(_) | Self::TlsLeftOut => Severity::Note,
            _ => Severity::Refused,
        }
    }
}

impl Display for OfAnswer<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the resource is empty"),
            Self::NoServers => f.write_str("the server role has no member"),
            Self::KeyTwice { section, key } => {
                write!(f, "[{section}]: {key} stands twice, with another value")
            }
            Self::NotAMember(cuk) => {
                write!(f, "this node (CUK {cuk}) is not a member of its role, or K2HR3 does not show it")
            }
            Self::NoStandIn(why) => {
                write!(f, "without them no slave is left, and chmpx takes no stand-in: {why}")
            }
            Self::SectionLeftOut(name) => {
                write!(f, "[{name}] is left out: name it in ini.extra-sections to let it pass")
            }
            Self::MarkLeftOut(line) => {
                let line = printable(line, usize::MAX);
                write!(f, "a byte order mark (U+FEFF) before \"{line}\" is left out")
            }
            Self::TlsLeftOut => write!(
                f,
                "{} was not replaced by what made the resource, and is left out: SSL is what the resource says without it",
                placeholders::OF_TLS
            ),
        }
    }
}

/// A reason for which a record, or the text behind it, cannot be used.
pub(super) enum Unusable<'a> {
    Cuk(NameError),
    TagNotOneWord(&'a str),
    TagTooLong,
    HostNotOneWord,
    NameNoHost {
        name: &'a str,
        wrong: &'static str,
    },
    NotAnAddress {
        field: &'static str,
        text: &'a str,
    },
    /// Another record has the same address or id.
    Excluded {
        called: &'a str,
        other: Described<'a>,
    },
    /// A line break in its tag, or a second section of that name in the resource.
    SecondSection(&'a str),
    /// A line break in its tag or in that of another one, or sections of one kind in two places.
    TwoRuns {
        section: &'a str,
        between: &'a str,
        other: Option<Described<'a>>,
    },
    /// No NAME, behind another record that may have written too much.
    Behind {
        wrong: &'a str,
        before: Described<'a>,
    },
}

coded! { Unusable<'_> {
    Self::Cuk(_) => "bad-cuk",
    Self::TagNotOneWord(_) | Self::TagTooLong => "bad-tag",
    Self::HostNotOneWord | Self::NotAnAddress { .. } => "bad-address",
    Self::NameNoHost { .. } => "name-no-host",
    Self::Excluded { .. } => "excluded-by-another",
    Self::SecondSection(_) | Self::TwoRuns { .. } | Self::Behind { .. } => "line-break-in-tag",
}}

impl Display for Unusable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cuk(wrong) => write!(f, "{wrong}"),
            Self::TagNotOneWord(tag) => {
                write!(
                    f,
                    "its tag \"{}\" cannot be a CUSTOM_ID_SEED (one word is needed)",
                    printable(tag, SHOWN)
                )
            }
            Self::TagTooLong => f.write_str("its tag is longer than chmpx can hold (2047 bytes)"),
            Self::HostNotOneWord => f.write_str("its address is not one word"),
            Self::NameNoHost { name, wrong } => {
                write!(f, "its NAME would be \"{}\", which is not a host: {wrong}", printable(name, SHOWN))
            }
            Self::NotAnAddress { field, text } => {
                write!(f, "its {field} \"{}\" is not an address", printable(text, SHOWN))
            }
            Self::Excluded { called, other } => {
                write!(f, "it has the {called} of {other}: one of the two is stale, or was made wrongly")
            }
            Self::SecondSection(name) => write!(
                f,
                "a [{name}] comes behind its section, and there is another one: its tag has a line break in it, or the \
                 resource has that section twice"
            ),
            Self::TwoRuns { section, between, other } => {
                write!(
                    f,
                    "the [{section}] sections are not in one run, a [{between}] comes between them: its tag has a line \
                     break in it"
                )?;
                if let Some(other) = other {
                    write!(f, ", or that of {other}")?;
                }
                write!(f, ", or the template of the resource has [{section}] in two places")
            }
            Self::Behind { wrong, before } => {
                write!(f, "{wrong}; it comes behind {before}, whose tag may have a line break in it")
            }
        }
    }
}

/// A reason against one record, apart from the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) code: &'static str,
    pub(super) text: String,
}

impl Why {
    /// The reason that chmpx's rules gave.
    pub(super) fn found(problem: &Problem, text: &str) -> Self {
        Self { code: problem.code, text: text.to_owned() }
    }
}

impl From<Unusable<'_>> for Why {
    fn from(unusable: Unusable<'_>) -> Self {
        Self { code: unusable.code(), text: unusable.to_string() }
    }
}

/// The consequence of an unusable record.
#[derive(Clone, Copy)]
pub(super) enum Outlook {
    /// The whole answer is refused on every node.
    Standstill,
    /// The whole answer is refused on this node only.
    OthersGoOn,
    /// The record is left out.
    LeftOut,
    /// chmpx reads it all the same.
    Harmless,
}

/// A record with the reason against it.
pub(super) struct Judged<'a> {
    pub(super) own: bool,
    pub(super) member: Described<'a>,
    pub(super) why: &'a Why,
    pub(super) outlook: Outlook,
}

impl Coded for Judged<'_> {
    const CODES: &'static [&'static str] = &[];

    fn code(&self) -> &'static str {
        self.why.code
    }
}

impl Fault for Judged<'_> {
    fn severity(&self) -> Severity {
        match self.outlook {
            Outlook::Standstill | Outlook::OthersGoOn => Severity::Refused,
            Outlook::LeftOut | Outlook::Harmless => Severity::Note,
        }
    }
}

impl Display for Judged<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { own, member, why, outlook } = self;
        let own = if *own { "this node's own record, " } else { "" };
        write!(f, "{own}{member}: {}", why.text)?;
        f.write_str(match outlook {
            Outlook::Standstill => {
                "; no node of the cluster takes any change before that record is mended or removed in K2HR3"
            }
            Outlook::OthersGoOn => "; the other nodes leave it out",
            Outlook::LeftOut => "; mend that record in K2HR3, or remove it",
            Outlook::Harmless => "",
        })
    }
}

/// A finding in a section that is of no member.
pub(super) struct InResource<'a> {
    pub(super) problem: &'a Problem,
    pub(super) section: &'a str,
}

impl Display for InResource<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { problem: Problem { text, .. }, section } = self;
        if text.contains(&format!("[{section}]")) {
            write!(f, "{text} (in the resource in K2HR3)")
        } else {
            write!(f, "{text} (in [{section}] of the resource in K2HR3)")
        }
    }
}
