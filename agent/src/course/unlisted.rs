//! A server that the others do not list yet: K2HR3 shows it to each of them at its next question, so that this one has its
//! file some seconds before they have theirs. A chmpx that starts meanwhile is turned away by them. Where all do so, it
//! tries again after ten seconds; where only the next one in the ring does, it never listens (C33).

use std::net::SocketAddr;

use tokio::time::Instant;

use super::memory::Waiting;
use super::rules::{ANSWERS_WITHIN, LISTED_WITHIN, SOON, TURNED_AWAY_FOR};
use super::{Case, Memory, Next};
use crate::ring::Node;
use crate::target::neighbours::{Heard, Hearsay};

/// What chmpx waits for before it is started: until the servers that answer list this one. Those that do not answer let
/// nobody in, and keep nobody waiting, but for a second: where a ring boots they are about to. Nor does, after a while,
/// one that this chmpx does not connect to.
pub(super) fn waits(case: &Case<'_>, memory: &mut Memory) -> Option<Next> {
    let heard = match &case.observed.hearsay {
        _ if !case.rules.wait_for_peers => return None,
        Hearsay::Unasked => return None,
        Hearsay::Asking => {
            let text = "chmpx starts when the other servers have said whether they list it".to_owned();
            return Some(Next::Wait(text, SOON));
        }
        Hearsay::Heard(heard) => heard,
    };
    let silent = heard.silent > 0 && memory.waited_for(Waiting::Answers, case.now) < ANSWERS_WITHIN;
    if heard.unknown_to.is_empty() {
        memory.waited_enough(Waiting::Listed);
        let text =
            format!("chmpx starts in a moment: {} of the other servers do not answer yet", heard.silent);
        return silent.then_some(Next::Wait(text, SOON));
    }
    let waited = memory.waited_for(Waiting::Listed, case.now);
    let names: Vec<_> = heard.unknown_to.iter().map(|address| address.ip().to_string()).collect();
    let names = names.join(", ");
    let enters = next_in_ring(case, heard).is_some_and(|next| heard.listed_by.contains(&next));
    if enters && waited >= LISTED_WITHIN {
        return None;
    }
    if waited < case.rules.peers_within {
        let text = format!("chmpx starts when {names} list this server: until then they turn it away");
        return Some(Next::Wait(text, SOON));
    }
    Some(case.hold(format!(
        "chmpx is not started: {names} do not list this server, and would turn it away; see whether the agents there run \
         and have an answer of K2HR3"
    )))
}

/// The server to which this one's chmpx would connect: the first behind it in chmpx's order, which is that of the seeds and
/// begins anew after the last one (lib/chmstructure.tcc:1943-1976). `None` where the order is that of names as chmpx
/// resolves them, or not all can be asked.
fn next_in_ring(case: &Case<'_>, heard: &Heard) -> Option<SocketAddr> {
    let own = case.own().filter(|_| case.ring.global("CHMPXIDTYPE").eq_ignore_ascii_case("CUSTOM"))?;
    let answers =
        |address: &SocketAddr| heard.listed_by.contains(address) || heard.unknown_to.contains(address);
    let place = |node: &Node| (node.seed <= own.seed, node.seed.clone());
    let others: Option<Vec<_>> =
        case.peers().map(|node| Some((place(node), node.control_address()?))).collect();
    others?.into_iter().filter(|(_, address)| answers(address)).min().map(|(_, address)| address)
}

/// Why a chmpx that has never listened is given up before others are: it came before some of the others listed this server,
/// and they do by now. The next one is let in. `since`: its start, or when it last waited for a name server.
pub(super) fn hangs(case: &Case<'_>, memory: &mut Memory, since: Instant) -> Option<String> {
    let chmpx = case.observed.chmpx.filter(|_| case.observed.said.is_none() && case.observed.shut)?;
    let Hearsay::Heard(heard) = &case.observed.hearsay else { return None };
    if !heard.unknown_to.is_empty() {
        memory.too_early = Some(chmpx.id);
        return None;
    }
    let listed = memory.too_early == Some(chmpx.id) && !heard.listed_by.is_empty();
    let pid = chmpx.id.pid;
    (listed && case.now.saturating_duration_since(since) >= TURNED_AWAY_FOR).then(|| {
        format!("chmpx (pid {pid}) came before the other servers listed this one, and has never listened")
    })
}
