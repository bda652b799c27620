//! The membership of this node in its role of K2HR3, and the next step to enter or leave it.
//!
//! Registering is no heartbeat: PUT deletes the record and makes it anew, so that readers miss the node meanwhile,
//! and every token bound to its address dies (k2hr3_api 2.0.3). So it is sent only where HEAD says, and the member
//! list does not deny, that the node is no member. A 201 may be lost: it is believed only when both show the node.
//! Registration is not sent either where another CUK has this node's address or tag: two records of one address make
//! an ini that lists one server twice, and two of one tag give both the same id, for every member.
//!
//! Pure: questions and answers are arguments.

#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answer::HostRecord;
use crate::answer::{Answer, Doubt};
use crate::names::{Cuk, Tag};
use crate::problem::printable;
use crate::settings::Join;
pub(crate) use words::{Disk, elsewhere, hidden, outlook, remedy, renamed};

/// The wish for the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To know whether this node is in it.
    Look,
    /// To be in it.
    Join,
    /// To be out of it.
    Leave,
}

/// Knowledge of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Answer of HEAD: true for a member.
    pub member: Option<bool>,
    /// Finding in the member list.
    pub listed: Option<Listed>,
    /// Answer of HEAD without a CUK: true where this node's address is in the role.
    pub taken: Option<bool>,
    /// True where this attempt has registered or removed the node.
    pub changed: bool,
}

/// The entry of this node in a member list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Present under this address.
    Here(String, Rivals),
    /// Absent.
    Absent(Rivals),
    /// The list cannot be read by this node.
    Unreadable,
}

/// Other members that claim what this node has for itself alone, by their CUKs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rivals {
    /// Members with its address, or with one of this host's.
    pub address: Vec<String>,
    /// Members with its tag, each by its address.
    pub tag: Vec<String>,
}

impl Rivals {
    fn is_empty(&self) -> bool {
        self.address.is_empty() && self.tag.is_empty()
    }
}

/// The next step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// HEAD, without a token: with one, it says only whether the token is good.
    Ask,
    /// Read the member list.
    List,
    /// HEAD without a CUK, which any record of this node's address answers.
    AskAddress,
    /// PUT.
    Register,
    /// DELETE, without a token: with one, it deletes the token, and the node stays.
    Deregister,
    /// End of the attempt.
    End(Verdict),
}

/// The verdict of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Member.
    Member(Rivals),
    /// Not a member.
    Absent,
    /// K2HR3 said 201, and does not have it.
    Lost,
    /// HEAD says yes, and the member list does not show it.
    Hidden,
    /// Registered under this other address.
    Elsewhere(String),
    /// The address is registered with another CUK: with these, as far as the member list shows it.
    Taken(Vec<String>),
    /// The tag is that of these members.
    Namesakes(Vec<String>),
    /// K2HR3 said that it was removed, and has it still.
    Stays,
}

/// Returns the next step. A member by HEAD is never registered.
pub(crate) fn next(wish: Wish, seen: &Seen) -> Step {
    match (seen.member, &seen.listed) {
        (None, _) => Step::Ask,
        // One answer alone is no proof that it is gone already; to ask for it again harms nobody.
        (Some(true), _) | (Some(false), Some(_)) if wish == Wish::Leave && !seen.changed => Step::Deregister,
        (Some(true), _) if wish == Wish::Leave => Step::End(Verdict::Stays),
        (Some(_), None) => Step::List,
        (Some(true), Some(Listed::Here(_, rivals))) => Step::End(Verdict::Member(rivals.clone())),
        (Some(true), Some(Listed::Unreadable)) => Step::End(Verdict::Member(Rivals::default())),
        (Some(true), Some(Listed::Absent(_))) => Step::End(Verdict::Hidden),
        (Some(false), Some(Listed::Here(host, _))) => Step::End(Verdict::Elsewhere(host.clone())),
        (Some(false), Some(listed)) => match (wish, seen.changed, seen.taken) {
            (Wish::Leave | Wish::Look, ..) => Step::End(Verdict::Absent),
            (Wish::Join, true, _) => Step::End(Verdict::Lost),
            (Wish::Join, false, None) => Step::AskAddress,
            (Wish::Join, false, Some(true)) => Step::End(Verdict::Taken(listed.rivals().address)),
            (Wish::Join, false, Some(false)) => match listed.rivals().tag {
                tag if tag.is_empty() => Step::Register,
                tag => Step::End(Verdict::Namesakes(tag)),
            },
        },
    }
}

impl Listed {
    /// Returns the other members with this node's address or tag.
    fn rivals(&self) -> Rivals {
        match self {
            Self::Here(_, rivals) | Self::Absent(rivals) => rivals.clone(),
            Self::Unreadable => Rivals::default(),
        }
    }

    /// Adds the members of the other role: ids are made of the tags of both.
    #[must_use]
    pub(crate) fn beside(mut self, others: &[HostRecord], cuk: &Cuk, tag: Option<&Tag>) -> Self {
        if let (Self::Absent(rivals), Some(tag)) = (&mut self, tag) {
            rivals.tag.extend(namesakes(others, cuk, tag.as_str(), &rivals.address));
        }
        self
    }
}

/// Finds this node, which has these addresses and registers with that tag, in a member list.
pub(crate) fn listed(
    members: &[HostRecord],
    cuk: &Cuk,
    addresses: &BTreeSet<IpAddr>,
    tag: Option<&Tag>,
) -> Listed {
    let others = |claims: &dyn Fn(&str) -> bool| {
        let rivals = members.iter().filter(|member| !is_own(member, cuk) && claims(&member.host));
        rivals.map(|member| member.cuk.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    if let Some(own) = members.iter().find(|member| is_own(member, cuk)) {
        let address = others(&|host| host == own.host);
        let tag = namesakes(members, cuk, own.tag.as_deref().unwrap_or_default(), &address);
        return Listed::Here(own.host.clone(), Rivals { address, tag });
    }
    let address = others(&|host| host.parse().is_ok_and(|host| addresses.contains(&host)));
    let tag = namesakes(members, cuk, tag.map_or("", Tag::as_str), &address);
    Listed::Absent(Rivals { address, tag })
}

/// The others with that tag, or with it as their address, in words. Names of hosts are the same in any case. Who has this
/// node's address as well is told as that.
fn namesakes(members: &[HostRecord], cuk: &Cuk, tag: &str, at_address: &[String]) -> Vec<String> {
    let is = |text: &str| !tag.is_empty() && text.eq_ignore_ascii_case(tag);
    let same = |member: &&HostRecord| is(&member.host) || member.tag.as_deref().is_some_and(is);
    let told = |member: &&HostRecord| member.cuk.as_ref().is_some_and(|cuk| at_address.contains(cuk));
    let others =
        members.iter().filter(|member| !is_own(member, cuk)).filter(same).filter(|member| !told(member));
    let word = |member: &HostRecord| {
        let cuk = member.cuk.as_deref().filter(|cuk| !cuk.is_empty());
        let cuk = cuk.map_or("no CUK".to_owned(), |cuk| format!("CUK {}", printable(cuk, SHOWN)));
        format!("{} ({cuk})", printable(&member.host, SHOWN))
    };
    others.map(word).collect()
}

/// Longest part of another member's record that is shown.
const SHOWN: usize = 64;

fn is_own(member: &HostRecord, cuk: &Cuk) -> bool {
    member.cuk.as_deref() == Some(cuk.as_str())
}

/// Returns true where an answer to a poll shows this node; `None` where it is unchanged, or has no CUK at all.
pub(crate) fn shown(answer: &Answer, cuk: &Cuk) -> Option<bool> {
    match answer {
        Answer::Unchanged => None,
        Answer::Ini(text) => {
            let value = |line: &str| {
                let (key, value) = line.split_once('=')?;
                key.trim().eq_ignore_ascii_case("CUK").then(|| value.trim() == cuk.as_str())
            };
            text.lines().filter_map(value).reduce(|found, is| found || is)
        }
        Answer::Members { servers, slaves } => {
            Some([servers, slaves].into_iter().any(|list| list.iter().any(|member| is_own(member, cuk))))
        }
    }
}

/// Returns true where a doubtful answer shows that this node is no member. K2HR3 denies the answer to a node that it
/// knew by its address alone. A dead backend denies the same, so K2HR3 is asked before anything is done.
pub(crate) fn disowns(doubt: &Doubt, by_address: bool) -> bool {
    by_address && matches!(doubt.status, Some(403 | 404))
}

/// Knowledge between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past<'a> {
    /// True where the ledger says that this very node was a member before.
    pub joined: bool,
    /// Verdict of the last attempt; `None` before the first one.
    pub verdict: Option<&'a Verdict>,
    /// In how many answers in a row it was missing, and for how long.
    pub missing: (u32, Duration),
}

/// Returns the wish of the next attempt, if any. A former member is not registered again at once: the operator may
/// have removed it on purpose, and a sick K2HR3 shows half of its members.
///
/// A member with rivals looks again until they are gone.
pub(crate) fn wish(rules: &Join, past: Past<'_>) -> Option<Wish> {
    let in_the_way = past.verdict.is_some_and(Verdict::has_rivals);
    if !rules.enabled {
        return in_the_way.then_some(Wish::Look);
    }
    let (polls, time) = past.missing;
    let lost = rules.repair && polls >= rules.confirm_polls && time >= rules.confirm_for;
    match past.verdict {
        None if past.joined => Some(Wish::Look),
        None
        | Some(
            Verdict::Lost
            | Verdict::Hidden
            | Verdict::Elsewhere(_)
            | Verdict::Taken(_)
            | Verdict::Namesakes(_),
        ) => Some(Wish::Join),
        Some(Verdict::Absent) if !past.joined => Some(Wish::Join),
        Some(Verdict::Member(_) | Verdict::Absent) if lost => Some(Wish::Join),
        Some(Verdict::Member(_)) if in_the_way => Some(Wish::Look),
        Some(Verdict::Member(_) | Verdict::Absent | Verdict::Stays) => None,
    }
}

impl Verdict {
    /// Returns true where another member stands in the way of this one.
    pub fn has_rivals(&self) -> bool {
        matches!(self, Self::Member(rivals) if !rivals.is_empty())
    }

    /// Returns true where the wish is fulfilled: this node is in its role, or out of it where that is wanted.
    pub fn fulfils(&self, wish: Wish) -> bool {
        match wish {
            Wish::Look | Wish::Join => matches!(self, Self::Member(_)),
            Wish::Leave => *self == Self::Absent,
        }
    }
}
