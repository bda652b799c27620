//! The reasons for which a loss is held, in words.

use std::fmt::{self, Display, Formatter};

use std::time::Duration;

use super::TooLong;
use super::loss::Names;
use crate::clock::spoken;
use crate::problem::{coded, printable};
use crate::ring::Node;

/// A reason for which a loss is not ordinary.
pub(super) enum Reason<'a> {
    /// The answer has no server at all.
    NoServer { installed: usize },
    /// The answer lacks this host.
    NoSelf,
    /// Too many servers go at once, or too soon after those.
    TooMany { lost: Names<'a>, installed: usize, before: Option<(Names<'a>, Duration)> },
    /// A server keeps its seed under another address.
    Moved { old: &'a Node, new: &'a Node },
    /// Several servers get another ring port.
    Ports(usize),
    /// The change of the ring would stop the service for too long.
    TooLong { joining: Vec<&'a Node>, too_long: TooLong },
}

coded! { Reason<'_> {
    Self::NoServer { .. } => "no-server",
    Self::NoSelf => "lacks-this-host",
    Self::TooMany { .. } => "too-many-servers",
    Self::Moved { .. } => "server-moved",
    Self::Ports(_) => "ring-ports-changed",
    Self::TooLong { .. } => "change-too-long",
}}

impl Display for Reason<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { installed } => write!(f, "the answer has no server (installed: {installed})"),
            Self::NoSelf => f.write_str("the answer lacks this host"),
            Self::TooMany { lost, installed, before: None } => {
                write!(f, "{} of {installed} servers would go at once: {lost}", lost.len())
            }
            Self::TooMany { lost, installed, before: Some((before, window)) } => write!(
                f,
                "{} of {installed} servers would go less than {} after {before} went: {lost}",
                lost.len(),
                spoken(*window)
            ),
            Self::Moved { old, new } => write!(
                f,
                "server {} would become {} (the same CUSTOM_ID_SEED; is the old one down?)",
                Address(old),
                Address(new)
            ),
            Self::TooLong { joining, too_long: TooLong { stop, keys, limit } } => {
                let names: Vec<_> = joining.iter().map(|node| node.label()).collect();
                write!(f, "{} would stop the ring for {}", names.join(", "), spoken(*stop))?;
                if let Some(keys) = keys {
                    write!(f, " (about {keys} keys)")?;
                }
                write!(f, ", and merge.longest-stop is {}", spoken(*limit))
            }
            Self::Ports(servers) => write!(
                f,
                "{servers} servers would have another ring port at once: they find each other only when all have \
                 restarted, and nobody is served meanwhile"
            ),
        }
    }
}

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (at, node) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{}:{}", if at == 0 { "" } else { ", " }, node.name, node.ctlport)?;
        }
        match self.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A server by everything that chmpx tells nodes apart by.
struct Address<'a>(&'a Node);

impl Display for Address<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(node) = self;
        write!(f, "{}:{} (CUK {}", node.name, node.ctlport, printable(&node.cuk, usize::MAX))?;
        match node.key().hosts {
            hosts if hosts.is_empty() => f.write_str(")"),
            hosts => write!(f, ", {hosts})"),
        }
    }
}
