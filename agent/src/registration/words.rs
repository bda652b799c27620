//! Verdicts of attempts in words, with their remedies.

use std::path::{Path, PathBuf};

use super::{SHOWN, Step, Verdict};
use crate::answer::{Doubt, DoubtKind};
use crate::clock::spoken;
use crate::problem::{listed, printable};
use crate::settings::Join;

impl Verdict {
    /// Returns the verdict in one line, with its remedy.
    pub fn line(&self, role: &str) -> String {
        match self {
            Self::Member(_) => format!("this node is a member of {role}"),
            Self::Absent => format!("this node is not a member of {role}"),
            Self::Lost => {
                format!(
                    "K2HR3 answered 201 and has not kept the record: this node is not a member of {role}; the agent retries"
                )
            }
            Self::Hidden => format!(
                "K2HR3 confirms this node as a member of {role}, but does not list its CUK: K2HR3 is sick, or this host's \
                 record has none or one with a blank; if it stays so, remove this host from the role in K2HR3, and the \
                 agent registers it again"
            ),
            Self::Taken(cuks) => format!(
                "{role} has this node's address already with {}: a VM that had the address before and was never removed \
                 (or all hosts reach K2HR3 through one address); this node is not registered beside it. If that VM is \
                 gone, remove its record in K2HR3, or by DELETE /v1/role/{role}?cuk=... from this host without a token",
                other_cuk(cuks)
            ),
            Self::Namesakes(members) => format!(
                "the tag of this node is that of {} in the roles of this cluster already: chmpx would give both the same id, so \
                 this node is not registered beside it. Set join.tag to a name of its own, or, if that VM is gone, remove \
                 its record in K2HR3",
                members.join(", ")
            ),
            Self::Elsewhere(host) => elsewhere_line(role, host),
            Self::Stays => {
                format!(
                    "K2HR3 confirmed the removal of this node from {role}, and has it still; the agent retries"
                )
            }
        }
    }

    /// Returns a remark for the operator although the node is a member.
    pub fn note(&self, role: &str) -> Option<String> {
        let Self::Member(rivals) = self else { return None };
        let address = (!rivals.address.is_empty()).then(|| {
            format!(
                "{role} has this node's address also with {}: a VM that had the address before and was never removed; \
                 remove that record in K2HR3",
                other_cuk(&rivals.address)
            )
        });
        let tag = (!rivals.tag.is_empty()).then(|| {
            format!(
                "{role} has this node's tag also at {}: chmpx would give both the same id; remove the record of the one \
                 that is gone, or register it with another tag",
                rivals.tag.join(", ")
            )
        });
        let notes: Vec<String> = address.into_iter().chain(tag).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// A member that the last answers do not show, in one line.
pub(crate) fn hidden(role: &str, rules: &Join) -> String {
    format!("this node was a member of {role}, and answers do not show it any more; {}", outlook(rules))
}

/// The files of this host about a CUK that K2HR3 has under another address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disk {
    /// cloud-init calls this VM by it.
    Own,
    /// cloud-init calls this VM by that id, and these files are of the CUK.
    Copied {
        /// cloud-init's instance id.
        id: String,
        /// Files that stand in the way of it.
        files: Vec<PathBuf>,
    },
    /// No name of this VM is known; these files have the CUK.
    Unknown(Vec<PathBuf>),
}

/// Describes a CUK that is registered under another address, its possible owner, and the remedy for either host. A
/// healthy node must not lose its membership to a copy of its disk.
pub(crate) fn elsewhere(role: &str, host: &str, cuk: &str, disk: &Disk) -> String {
    let moved = "remove that host from the role in K2HR3, or set k2hr3.source-address, or join.enabled = false where \
                 another node registers it";
    let remedy = match disk {
        Disk::Copied { id, files } => format!(
            "this disk is a copy of that node's, whose CUK it has ({cuk}), and cloud-init calls this VM {id}; leave that host \
             in the role, and remove {} on this one: then it joins as {id}",
            listed(shown(files), " and ")
        ),
        Disk::Own => format!(
            "if the address of this VM has changed, {moved}; if that host is another VM that runs, both have the instance id \
             {cuk}: give this one an id of its own"
        ),
        Disk::Unknown(files) if files.is_empty() => format!(
            "if that host runs, {cuk} is its CUK: set another one here (k2hr3.cuk); if it is this host under an address that \
             it had before, {moved}"
        ),
        Disk::Unknown(files) => format!(
            "if that host runs, this disk is a copy of its: leave it in the role, remove {} on this one, and see that \
             cloud-init knows this VM; if it is this host under an address that it had before, {moved}",
            listed(shown(files), " and ")
        ),
    };
    format!("{}: {remedy}", elsewhere_line(role, host))
}

fn shown(files: &[PathBuf]) -> impl Iterator<Item = std::path::Display<'_>> {
    files.iter().map(|path| path.display())
}

fn elsewhere_line(role: &str, host: &str) -> String {
    format!(
        "this node's CUK is registered in {role} under the address {}, which is not the one it comes from now",
        printable(host, SHOWN)
    )
}

/// The address of this node is its own already, under the CUK by which it joined.
pub(crate) fn renamed(role: &str, before: &str, cuk: &str, file: &Path) -> String {
    format!(
        "{role} has this host already, by CUK {before}, as which it joined; by now it is called {cuk}, and is not registered \
         beside its own record. To go on as before, write {before} into {}; if it is to be another node, remove that record in \
         K2HR3",
        file.display()
    )
}

/// Describes the future of a membership that answers do not show any more.
pub(crate) fn outlook(rules: &Join) -> String {
    if rules.enabled && rules.repair {
        let (polls, time) = (rules.confirm_polls, spoken(rules.confirm_for));
        return format!("it is registered again once {polls} answers over {time} have not shown it");
    }
    "join.repair is off, so it is registered again only by 'k2hdkc-agent join'".to_owned()
}

fn other_cuk(cuks: &[String]) -> String {
    // A record may have none.
    let cuks: Vec<String> =
        cuks.iter().filter(|cuk| !cuk.is_empty()).map(|cuk| printable(cuk, SHOWN)).collect();
    if cuks.is_empty() { "another CUK".to_owned() } else { format!("CUK {}", cuks.join(", ")) }
}

/// Returns the remedy where K2HR3 did not do what it was asked for.
pub(crate) fn remedy(step: &Step, doubt: &Doubt) -> &'static str {
    match (doubt.kind, doubt.status) {
        (DoubtKind::NotReady, _) => "",
        (DoubtKind::Unreachable, _) => "; is K2HR3 up, and k2hr3.api-uri right? The agent retries",
        (DoubtKind::TooSlow, _) => {
            "; K2HR3 is overloaded or its backend stalls (k2hr3.timeout); the agent retries"
        }
        (DoubtKind::Unreadable, _) => "; is something else between this host and K2HR3? The agent retries",
        (DoubtKind::Denied, Some(401)) => {
            "; K2HR3's backend is dead, or the role token is wrong, expired or of a deleted role: then put a new one in place"
        }
        (DoubtKind::Denied, Some(400)) if *step == Step::Register => {
            "; is the token of the same tenant as the role?"
        }
        (DoubtKind::Denied, Some(403)) => {
            "; K2HR3's backend is sick, or this host is not seen with its own address"
        }
        (DoubtKind::Denied, Some(404)) => "; is k2hr3.api-uri right, and does the role exist?",
        (DoubtKind::Denied, Some(500..=599)) => "; look at K2HR3's own log; the agent retries",
        (DoubtKind::Denied, _) => "; the agent retries",
    }
}
