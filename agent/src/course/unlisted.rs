//! A server that the others do not list yet: K2HR3 shows it to each of them at its next question, so that this one has its
//! file some seconds before they have theirs. A chmpx that starts meanwhile is turned away by each of them, hangs with
//! each, and comes to nothing.

use std::time::Duration;

use super::memory::Waiting;
use super::rules::{LISTED_WITHIN, TURNED_AWAY_FOR};
use super::{Case, Memory};
use crate::target::neighbours::{Heard, Hearsay};

/// Why chmpx is not started yet, where it is not: some of the servers that answer do not list this one. Those that do not
/// answer let nobody in, and keep nobody waiting. One that does not follow its file must not keep a server out for ever.
pub(super) fn waits(case: &Case<'_>, memory: &mut Memory) -> Option<String> {
    let heard = match &case.observed.hearsay {
        _ if !case.rules.wait_for_peers => return None,
        Hearsay::Unasked => return None,
        Hearsay::Asking => {
            return Some("chmpx starts when the other servers have said whether they list it".to_owned());
        }
        Hearsay::Heard(heard) => heard,
    };
    if heard.unknown_to.is_empty() {
        memory.waited_enough(Waiting::Listed);
        return None;
    }
    let waited = memory.waited_for(Waiting::Listed, case.now);
    (waited < patience(heard, case)).then(|| {
        let names: Vec<_> = heard.unknown_to.iter().map(|address| address.ip().to_string()).collect();
        format!("chmpx starts when {} list this server: until then they turn it away", names.join(", "))
    })
}

/// Why a chmpx that has never listened is given up before others are: it came before some of the others listed this server,
/// and they do by now. The next one is let in.
pub(super) fn hangs(case: &Case<'_>, memory: &mut Memory) -> Option<String> {
    let chmpx = case.observed.chmpx.filter(|_| case.observed.said.is_none() && case.observed.shut)?;
    let Hearsay::Heard(heard) = &case.observed.hearsay else { return None };
    if !heard.unknown_to.is_empty() {
        memory.too_early = Some(chmpx.id);
        return None;
    }
    let listed = memory.too_early == Some(chmpx.id) && !heard.listed_by.is_empty();
    let pid = chmpx.id.pid;
    (listed && case.now.duration_since(chmpx.since) >= TURNED_AWAY_FOR).then(|| {
        format!("chmpx (pid {pid}) came before the other servers listed this one, and has never listened")
    })
}

/// Where most of them would let it in, the others learn of it through the ring.
fn patience(heard: &Heard, case: &Case<'_>) -> Duration {
    let most = heard.listed_by.len() > heard.unknown_to.len();
    if most { LISTED_WITHIN } else { case.rules.peers_within.max(LISTED_WITHIN) }
}
