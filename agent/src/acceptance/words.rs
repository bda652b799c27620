//! The faults of a document in words. Each has its code, its judgement and its sentence, and nothing else of the module
//! has a sentence.

use std::fmt::{self, Display, Formatter};

use super::placeholders::OF_CUK;
use crate::keys::Below;
use crate::names::NameError;
use crate::problem::{Fault, Severity, coded};

/// A fault of `[GLOBAL]`, of a node section, or of the ring that they make.
pub(super) enum Wrong<'a> {
    /// A key that chmpx passes over; in other capitals it might know it.
    UnknownKey { label: &'a str, key: &'a str, capitals: Option<String> },
    /// A key that is a placeholder.
    PlaceholderKey { label: &'a str, hole: &'a str },
    /// A value that is a placeholder still; `forbids` where it is not one member's own choice.
    PlaceholderValue { key: &'a str, hole: &'a str, forbids: bool },
    /// A value that is none of the words that chmpx knows.
    UnknownWord { key: &'a str, value: &'a str, known: &'static [&'static str] },
    /// A port that chmpx cannot use.
    BadPort { label: Option<&'a str>, key: &'a str, wrong: NameError },
    /// A number above the largest good one.
    TooLarge { key: &'a str, read: i32, most: i32, below: Below },
    /// A number below the smallest good one.
    TooSmall { key: &'a str, read: i32, least: i32, below: Below },
    /// A number that chmpx reads as another one.
    ReadOtherwise { key: &'a str, value: &'a str, read: i32 },
    /// More queues for each client than there are for all.
    TooManyQueues { each: &'a str, all: &'a str },
    /// A key of `[GLOBAL]` that chmpx demands.
    NoKey(&'a str),
    /// A GROUP that chmpx does not start with.
    BadGroup(BadGroup),
    /// More nodes than rows.
    NoRoom { nodes: usize, most: usize, room: usize },
    /// A section without NAME.
    NoName,
    /// A section with an empty NAME.
    EmptyName { server: bool },
    /// A list of names with an empty one.
    EmptyPart(&'a str),
    /// A NAME that chmpx cannot expand.
    BadRange { name: &'a str, wrong: &'static str },
    /// A NAME that no resolver takes.
    NameNoHost { name: &'a str, host: &'a str, wrong: &'static str },
    /// Two sections that chmpx makes one of.
    OneOfTwo { name: &'a str, line: usize, first: &'a str, second: &'a str },
    /// No section of that kind at all.
    NoSection(&'static str),
    /// Neither the section nor `[GLOBAL]` has the port.
    NoPort { label: &'a str, key: &'a str },
    /// An empty key that chmpx would find a node by.
    EmptyId { label: &'a str, key: &'a str },
    /// An id beyond chmpx's buffer.
    LongId { label: &'a str, key: &'a str },
    /// A section without the key that ids are made of.
    NoId { label: &'a str, key: &'a str, id_type: &'a str },
    /// A section where that key is empty.
    EmptyNeededId { label: &'a str, key: &'a str, id_type: &'a str },
    /// A list with more hosts than chmpx keeps.
    ManyHosts { label: &'a str, key: &'a str },
    /// A list with an entry that no resolver takes.
    ListNoHost { label: &'a str, key: &'a str, host: &'a str, wrong: &'static str },
    /// Two nodes at one address.
    OneAddress { name: &'a str, ctlport: u16, cuks: [&'a str; 2] },
    /// Two nodes with one id.
    OneId { key: &'a str, id: &'a str, nodes: [String; 2] },
    /// A file whose MODE and node sections disagree about this host.
    Self_(NotSelf, &'a str),
    /// A slave without a seed where ids are made of seeds.
    NoSeed,
    /// A key that stands twice in a section.
    Twice { section: &'a str, key: &'a str, line: usize, how: Twice<'a> },
}

/// The reasons against a GROUP, which becomes a part of the names of a message queue and of files.
#[derive(Clone, Copy)]
pub(super) enum BadGroup {
    Empty,
    Slash,
    Long,
}

/// The ways in which a file misses this host.
#[derive(Clone, Copy)]
pub(super) enum NotSelf {
    NoServer,
    SlaveIsServer,
    SlaveHasServersCuk,
    NoSlave,
}

/// The ways in which a key stands twice.
pub(super) enum Twice<'a> {
    /// The section itself begins again, in this line.
    Section(usize),
    /// Both lines mean the same.
    Same,
    /// The last line turns TLS on.
    Last { was: &'a str, is: &'a str },
    /// The lines contradict each other.
    Other { was: &'a str, is: &'a str },
}

coded! { Wrong<'_> {
    Self::UnknownKey { .. } => "unknown-key",
    Self::PlaceholderKey { .. } => "placeholder-key",
    Self::PlaceholderValue { .. } => "placeholder-value",
    Self::UnknownWord { .. } => "unknown-word",
    Self::BadPort { .. } => "bad-port",
    Self::TooLarge { .. } => "number-too-large",
    Self::TooSmall { .. } => "number-too-small",
    Self::ReadOtherwise { .. } => "number-read-otherwise",
    Self::TooManyQueues { .. } => "too-many-queues",
    Self::NoKey(_) => "key-missing",
    Self::BadGroup(_) => "bad-group",
    Self::NoRoom { .. } => "no-room",
    Self::NoName => "name-missing",
    Self::EmptyName { .. } => "name-empty",
    Self::EmptyPart(_) => "name-list-empty-part",
    Self::BadRange { .. } => "name-bad-range",
    Self::NameNoHost { .. } => "name-no-host",
    Self::OneOfTwo { .. } => "two-sections-one-node",
    Self::NoSection(_) => "section-missing",
    Self::NoPort { .. } => "port-missing",
    Self::EmptyId { .. } | Self::EmptyNeededId { .. } => "id-empty",
    Self::LongId { .. } => "id-too-long",
    Self::NoId { .. } | Self::NoSeed => "id-missing",
    Self::ManyHosts { .. } => "too-many-hosts",
    Self::ListNoHost { .. } => "list-no-host",
    Self::OneAddress { .. } => "address-of-two",
    Self::OneId { .. } => "id-of-two",
    Self::Self_(..) => "not-this-host",
    Self::Twice { .. } => "key-twice",
}}

impl Fault for Wrong<'_> {
    fn severity(&self) -> Severity {
        match self {
            Self::UnknownKey { .. }
            | Self::PlaceholderKey { .. }
            | Self::PlaceholderValue { forbids: false, .. }
            | Self::TooSmall { below: Below::Raised, .. }
            | Self::Twice { how: Twice::Same | Twice::Last { .. }, .. } => Severity::Note,
            Self::TooLarge { below, .. } if *below != Below::Fatal => Severity::Note,
            Self::TooSmall { below: Below::Refused, .. }
            | Self::UnknownWord { .. }
            | Self::NoKey(_)
            | Self::EmptyName { server: true }
            | Self::BadRange { .. }
            | Self::NoSection(_)
            | Self::NoPort { .. }
            | Self::NoId { .. }
            | Self::Self_(NotSelf::NoServer | NotSelf::SlaveIsServer, _) => Severity::Refused,
            _ => Severity::Harmful,
        }
    }
}

impl Display for Wrong<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { label, key, capitals: None } => {
                write!(f, "{label}: chmpx does not know the key {key}")
            }
            Self::UnknownKey { label, key, capitals: Some(capitals) } => {
                write!(f, "{label}: chmpx does not know the key {key} (it minds capitals: {capitals})")
            }
            Self::PlaceholderKey { label, hole } => {
                write!(f, "{label}: the placeholder {hole} was not replaced; chmpx passes over it")
            }
            Self::PlaceholderValue { key, hole, .. } => {
                write!(f, "{key} is still the placeholder {hole}: {}", placeholder_remedy(hole))
            }
            Self::UnknownWord { key, value, known } => {
                write!(f, "{key} is \"{value}\"; chmpx knows {}", known.join(", "))
            }
            Self::BadPort { label: None, key, wrong } => write!(f, "{key}: {wrong}"),
            Self::BadPort { label: Some(label), key, wrong } => write!(f, "{label} {key}: {wrong}"),
            Self::TooLarge { key, read, most, below } => {
                let takes = Takes(*most, *below != Below::Fatal);
                write!(f, "{key} is {read}; more than {most} is not good{takes}")
            }
            Self::TooSmall { key, read, least, below } => {
                write!(f, "{key} is {read}; {}", TooSmall(*below, *least))
            }
            Self::ReadOtherwise { key, value, read } => {
                write!(f, "{key} is \"{value}\", which chmpx reads as {read}")
            }
            Self::TooManyQueues { each, all } => {
                write!(f, "MQPERATTACH {each} is more than MAXMQCLIENT {all}: k2hdkc cannot attach")
            }
            Self::NoKey(key) => write!(f, "[GLOBAL] has no {key}"),
            Self::BadGroup(bad) => write!(f, "GROUP {}; chmpx does not start", bad.text()),
            Self::NoRoom { nodes, most, room } => {
                write!(f, "{nodes} nodes, but MAXCHMPX {most} has room for {room}")
            }
            _ => self.of_nodes(f),
        }
    }
}

impl Wrong<'_> {
    /// The sentences about node sections.
    fn of_nodes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("a node without NAME: chmpx drops the section"),
            Self::EmptyName { .. } => f.write_str("a node whose NAME is empty"),
            Self::EmptyPart(name) => {
                write!(f, "NAME {name}: chmpx makes a server of the empty name in the list, and waits for it")
            }
            Self::BadRange { name, wrong } => write!(f, "NAME {name}: {wrong}"),
            Self::NameNoHost { name, host, wrong } if name == host => {
                write!(f, "NAME \"{name}\" is not a host: {wrong}")
            }
            Self::NameNoHost { name, host, wrong } => {
                write!(f, "NAME \"{name}\" is not a host: \"{host}\": {wrong}")
            }
            Self::OneOfTwo { name, line, first, second } => write!(
                f,
                "{name} stands in line {line} already (CUK {first} there, {second} here), with the same CTLPORT: chmpx \
                 makes one node of both; remove the stale member from its role in K2HR3"
            ),
            Self::NoSection(section) => write!(f, "there is no {section}"),
            Self::NoPort { label, key } => write!(f, "{label}: neither the section nor [GLOBAL] has {key}"),
            Self::EmptyId { label, key } => write!(f, "{label}: {key} is empty"),
            Self::LongId { label, key } => {
                write!(f, "{label}: {key} is longer than the 2047 bytes that chmpx has room for")
            }
            Self::NoId { label, key, id_type } => write!(f, "{label}: CHMPXIDTYPE {id_type} needs {key}"),
            Self::EmptyNeededId { label, key, id_type } => {
                write!(f, "{label}: {key} is empty, but CHMPXIDTYPE {id_type} makes the id of it")
            }
            Self::ManyHosts { label, key } => {
                write!(f, "{label}: {key} has more than the four hosts that chmpx keeps")
            }
            Self::ListNoHost { label, key, host, wrong } => {
                write!(f, "{label}: {key} has \"{host}\", which is not a host: {wrong}")
            }
            _ => self.of_ring(f),
        }
    }

    /// The sentences about the ring as a whole, and about repeated keys.
    fn of_ring(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneAddress { name, ctlport, cuks: [one, other] } => write!(
                f,
                "{name}:{ctlport} is the address of two nodes (CUK {one} and {other}); remove the stale member from its \
                 role in K2HR3"
            ),
            Self::OneId { key, id, nodes: [one, other] } => {
                write!(f, "{key} {id} is that of {one} and of {other}: chmpx would give both the same id")
            }
            Self::Self_(NotSelf::NoServer, own) => {
                write!(f, "MODE is SERVER, but no [SVRNODE] is this host ({own})")
            }
            Self::Self_(NotSelf::SlaveIsServer, own) => {
                write!(f, "MODE is SLAVE, but a [SVRNODE] is this host ({own})")
            }
            Self::Self_(NotSelf::SlaveHasServersCuk, own) => {
                write!(f, "MODE is SLAVE, but a [SVRNODE] has this host's CUK ({own})")
            }
            Self::Self_(NotSelf::NoSlave, own) => {
                write!(f, "no [SLVNODE] is this host ({own}): a running chmpx goes on, a starting one exits")
            }
            Self::NoSeed => {
                f.write_str("this host's [SLVNODE] has no CUSTOM_ID_SEED: a starting chmpx exits")
            }
            Self::Twice { section, key, line, how } => {
                write!(f, "[{section}]: {key} stands in line {line} already{}", how.text(section))
            }
            _ => Ok(()),
        }
    }
}

impl BadGroup {
    fn text(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::Slash => "has a '/' in it",
            Self::Long => "is longer than 238 bytes",
        }
    }
}

impl Twice<'_> {
    fn text(&self, section: &str) -> String {
        match self {
            Self::Section(line) => format!(
                ", and [{section}] begins again in line {line}: leave one of both sections (a tag with a line break \
                 makes a second one)"
            ),
            Self::Same => ", and says the same".to_owned(),
            Self::Last { was, is } => format!(" as \"{was}\"; the last one, \"{is}\", counts"),
            Self::Other { was, is } => {
                format!(" as \"{was}\", and \"{is}\" here: chmpx takes the last; leave the one that is meant")
            }
        }
    }
}

/// The number that chmpx takes in place of a larger one.
struct Takes(i32, bool);

impl Display for Takes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.1 { write!(f, ": chmpx takes {}", self.0) } else { Ok(()) }
    }
}

/// The harm of a number below the least.
struct TooSmall(Below, i32);

impl Display for TooSmall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Below::Refused => write!(f, "chmpx refuses less than {}", self.1),
            Below::Fatal | Below::FatalBelow => {
                write!(f, "below {} chmpx or its clients crash, hang or do not start", self.1)
            }
            Below::Raised => f.write_str("chmpx takes its default instead"),
        }
    }
}

fn placeholder_remedy(hole: &str) -> &'static str {
    if OF_CUK.contains(&hole) {
        "the node's CUK belongs there"
    } else {
        "what made the resource did not replace it; make the resource again"
    }
}
