//! Members of the roles as an answer shows them: who each of them is, for people, and what is said of one that is no good.

use std::fmt;

use super::words::{Judged, Outlook, Why};
use crate::names::Cuk;
use crate::problem::{Fault as _, Note, Problem, printable};
use crate::ring::{Mode, Node, Ring};

/// Longest piece of a member's own text in a sentence.
const SHOWN: usize = 64;

/// The reader of an answer.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    /// CUK of this node.
    pub cuk: &'a Cuk,
    /// The roles that the members are in, for people.
    pub roles: Roles,
    /// The installed ring: of two records that exclude each other the one in it stays.
    pub installed: Option<&'a Ring>,
}

/// The YRNs of the two roles; empty where none is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Of the server nodes.
    pub server: String,
    /// Of the slave nodes.
    pub slave: String,
}

/// A member of a role, by its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) mode: Mode,
    /// The NAME, which is the registered address in upstream's templates.
    pub(super) host: &'a str,
    pub(super) cuk: &'a str,
    pub(super) tag: &'a str,
}

/// The member with its role.
pub(super) struct Described<'a>(Member<'a>, &'a Roles);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Member { mode, host, cuk, tag }, roles) = self;
        let (word, role) = match mode {
            Mode::Server => ("server", &roles.server),
            Mode::Slave => ("slave", &roles.slave),
        };
        match host.trim() {
            "" => write!(f, "{word} without an address")?,
            host => write!(f, "{word} {}", printable(host, SHOWN))?,
        }
        if !role.is_empty() {
            write!(f, " of {role}")?;
        }
        match cuk.trim() {
            "" => f.write_str(" (no CUK, ")?,
            cuk => write!(f, " (CUK {}, ", printable(cuk, SHOWN))?,
        }
        match tag.trim() {
            "" => f.write_str("no tag)"),
            tag => write!(f, "tag \"{}\")", printable(tag, SHOWN)),
        }
    }
}

impl Reader<'_> {
    /// The member in words.
    pub(super) fn describe<'a>(&'a self, member: Member<'a>) -> Described<'a> {
        Described(member, &self.roles)
    }

    /// Tells whether it is this node's own record.
    pub(super) fn is_own(&self, member: Member<'_>) -> bool {
        member.cuk.trim() == self.cuk.as_str()
    }

    /// Tells whether the installed file has this very member.
    pub(super) fn is_installed(&self, member: Member<'_>) -> bool {
        let is = |node: &Node| node.name == member.host && node.cuk == member.cuk && node.seed == member.tag;
        self.installed.is_some_and(|ring| ring.nodes(member.mode).iter().any(is))
    }

    /// Tells whether an unusable record is left out: not that of a server, whose absence would move keys, nor this node's own.
    pub(super) fn can_do_without(&self, member: Member<'_>) -> bool {
        member.mode == Mode::Slave && !self.is_own(member)
    }

    /// The reason for which a member's record refuses the whole answer.
    pub(super) fn refusal(&self, member: Member<'_>, why: &Why) -> Problem {
        let outlook = match (self.is_own(member), member.mode) {
            (true, Mode::Slave) => Outlook::OthersGoOn,
            (true, Mode::Server) | (false, _) => Outlook::Standstill,
        };
        Judged { own: self.is_own(member), member: self.describe(member), why, outlook }.at(None)
    }

    /// The reason for which a member's record refuses the whole answer, on every node alike.
    pub(super) fn standstill(&self, member: Member<'_>, why: &Why) -> Problem {
        Judged { own: false, member: self.describe(member), why, outlook: Outlook::Standstill }.at(None)
    }

    /// The note about a record that is left out. It is a finding first, since the reason quotes the member's own choice.
    pub(super) fn left_out(&self, member: Member<'_>, why: &Why) -> Note {
        let judged = Judged { own: false, member: self.describe(member), why, outlook: Outlook::LeftOut };
        Note::from(&judged.at(None))
    }

    /// The note about a record that chmpx reads all the same.
    pub(super) fn harmless(&self, member: Member<'_>, why: &Why) -> Problem {
        Judged { own: false, member: self.describe(member), why, outlook: Outlook::Harmless }.at(None)
    }
}
