//! What came of an attempt to enter or leave the role, in words: what it is, and what helps.

use super::{Rules, Step, Verdict};
use crate::clock::spoken;
use crate::source::{Doubt, DoubtKind};

impl Verdict {
    /// One line, with the remedy where there is one.
    pub fn line(&self, role: &str) -> String {
        match self {
            Self::Member(_) => format!("this node is a member of {role}"),
            Self::Absent => format!("this node is not a member of {role}"),
            Self::Lost => {
                format!(
                    "K2HR3 said 201 and has not kept it: this node is not a member of {role}; it is tried again"
                )
            }
            Self::Hidden => format!(
                "K2HR3 says that this node is a member of {role}, but does not list its CUK: K2HR3 is sick, or this host's \
                 record has none or one with a blank; if it stays so, remove this host from the role in K2HR3, and it is \
                 registered anew"
            ),
            Self::Taken(cuks) => format!(
                "{role} has this node's address already with {}: a VM that had the address before and was never removed \
                 (or all hosts reach K2HR3 through one address); this node is not registered beside it. If that VM is \
                 gone, remove its record in K2HR3, or by DELETE /v1/role/{role}?cuk=... from this host without a token",
                other_cuk(cuks)
            ),
            Self::Elsewhere(host) => format!(
                "this node's CUK is registered in {role} under the address {host}, which is not the one it comes from now: \
                 remove that host from the role in K2HR3, or set k2hr3.source-address, or join.enabled = false where \
                 somebody else registers it"
            ),
            Self::Stays => {
                format!(
                    "K2HR3 said that this node was removed from {role}, and has it still; it is tried again"
                )
            }
        }
    }

    /// What an operator should know although the node is a member.
    pub fn note(&self, role: &str) -> Option<String> {
        let Self::Member(rivals) = self else { return None };
        let text = format!(
            "{role} has this node's address also with CUK {}: a VM that had the address before and was never removed; \
             remove that record in K2HR3",
            rivals.join(", ")
        );
        (!rivals.is_empty()).then_some(text)
    }
}

/// What becomes of a membership that answers do not show any more.
pub fn outlook(rules: &Rules) -> String {
    if rules.enabled && rules.repair {
        let (polls, time) = (rules.confirm_polls, spoken(rules.confirm_for));
        return format!("it is registered again once {polls} answers over {time} have not shown it");
    }
    "join.repair is off, so it is registered again only by 'k2hdkc-agent join'".to_owned()
}

fn other_cuk(cuks: &[String]) -> String {
    if cuks.is_empty() { "another CUK".to_owned() } else { format!("CUK {}", cuks.join(", ")) }
}

/// What helps where K2HR3 did not do what was asked of it.
pub fn remedy(step: &Step, doubt: &Doubt) -> &'static str {
    match (doubt.kind, doubt.status) {
        (DoubtKind::NotReady, _) => "",
        (DoubtKind::Unreachable, _) => "; is K2HR3 up, and k2hr3.api-uri right? It is tried again",
        (DoubtKind::TooSlow, _) => {
            "; K2HR3 is overloaded or its backend stalls (k2hr3.timeout); it is tried again"
        }
        (DoubtKind::Unreadable, _) => "; is something else between this host and K2HR3? It is tried again",
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
        (DoubtKind::Denied, Some(500..=599)) => "; look at K2HR3's own log; it is tried again",
        (DoubtKind::Denied, _) => "; it is tried again",
    }
}
