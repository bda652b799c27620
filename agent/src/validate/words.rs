//! The reasons against an installation on this node, in words.

use std::fmt::{self, Display, Formatter};

use super::FILEVERSION_MOST;
use crate::names::Cuk;
use crate::problem::{Fault, Severity, coded};
use crate::ring::NodeKey;

/// A reason against an installation.
pub(super) enum Against<'a> {
    NotUtf8,
    AnotherRing,
    UsedUp,
    /// A key that is for the life of a ring.
    Changed {
        key: &'a str,
        old: &'a str,
        new: &'a str,
    },
    OtherNode {
        file: &'a str,
        own: &'a Cuk,
    },
    NoRoom {
        nodes: usize,
        room: usize,
        most: usize,
    },
    MovesWhileUp {
        old: &'a NodeKey,
        new: String,
    },
}

coded! { Against<'_> {
    Self::NotUtf8 => "not-utf8",
    Self::AnotherRing => "another-ring",
    Self::UsedUp => "fileversion-used-up",
    Self::Changed { .. } => "ring-identity-changed",
    Self::OtherNode { .. } => "file-of-other-node",
    Self::NoRoom { .. } => "running-chmpx-no-room",
    Self::MovesWhileUp { .. } => "moves-while-up",
}}

impl Fault for Against<'_> {
    fn severity(&self) -> Severity {
        Severity::Refused
    }
}

impl Display for Against<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("the rendered file is not UTF-8"),
            Self::AnotherRing => {
                f.write_str("chmpx would read another ring in the rendered file than was meant")
            }
            Self::UsedUp => {
                write!(
                    f,
                    "FILEVERSION is used up ({FILEVERSION_MOST}): it must start again at a lower number by hand"
                )
            }
            Self::Changed { key, old, new } => write!(
                f,
                "{key} would change from \"{old}\" to \"{new}\": no running chmpx can follow; to mean it, stop chmpx \
                 and k2hdkc and remove the installed file"
            ),
            Self::OtherNode { file, own } => write!(f, "SELFCUK is {file}, but this node's CUK is {own}"),
            Self::NoRoom { nodes, room, most } => write!(
                f,
                "{nodes} nodes, but the running chmpx has room for {room} (MAXCHMPX {most} at its start): raise MAXCHMPX \
                 in the template and restart chmpx and k2hdkc first"
            ),
            Self::MovesWhileUp { old, new } => write!(
                f,
                "server {}:{} is up, and would move to {new} under the same CUSTOM_ID_SEED: stop it first",
                old.name, old.ctlport
            ),
        }
    }
}
