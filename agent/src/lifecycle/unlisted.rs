//! A server that the others do not list yet: K2HR3 shows it to each of them at its next question, so that this one has its
//! file some seconds before they have theirs. A chmpx that starts meanwhile is turned away by them. Where all do so, it
//! tries again after ten seconds; where only the next one in the ring does, it never listens, and where another one does,
//! nothing is wrong (C33).

use tokio::time::Instant;

use super::memory::Waiting;
use super::rules::{ANSWERS_WITHIN, SOON, TURNED_AWAY_FOR};
use super::{Case, Memory, Next};
use crate::supervisor::neighbours::Hearsay;

/// What chmpx waits for before it is started: until the server to which it connects lists this one. Who does not answer lets
/// nobody in, and keeps nobody waiting, but for a second where that is everybody: where a ring boots they are about to.
pub(super) fn waits(case: &Case<'_>, memory: &mut Memory) -> Option<Next> {
    let server = match case.observed.hearsay {
        _ if !case.rules.wait_for_peers => return None,
        Hearsay::Unasked => return None,
        Hearsay::Asking => {
            let text = "chmpx starts when the next server in the ring has had time to learn of this one, and says that it has";
            return Some(Next::Wait(text.to_owned(), SOON));
        }
        Hearsay::Nobody if memory.waited_for(Waiting::Answers, case.now) < ANSWERS_WITHIN => {
            let text = "chmpx starts in a moment: none of the other servers answers yet".to_owned();
            return Some(Next::Wait(text, SOON));
        }
        Hearsay::Nobody | Hearsay::Listed => {
            memory.waited_enough(Waiting::Listed);
            return None;
        }
        Hearsay::Unknown(server) => server,
    };
    if memory.waited_for(Waiting::Listed, case.now) < case.rules.peers_within {
        let text = format!("chmpx starts when {server} lists this server: until then it turns it away");
        return Some(Next::Wait(text, SOON));
    }
    Some(case.hold(format!(
        "chmpx is not started: {server} does not list this server, and would turn it away; see whether the agent there runs \
         and has an answer of K2HR3, or take that server out of its role; it is asked once a minute"
    )))
}

/// Why a chmpx that has never listened is given up before others are: it came before some of the others listed this server,
/// and they do by now. The next one is let in. `since`: its start, or when it last waited for a name server.
pub(super) fn hangs(case: &Case<'_>, memory: &mut Memory, since: Instant) -> Option<String> {
    let chmpx = case.observed.chmpx.filter(|_| case.observed.said.is_none() && case.observed.shut)?;
    if matches!(case.observed.hearsay, Hearsay::Unknown(_)) {
        memory.too_early = Some(chmpx.id);
        return None;
    }
    let listed = memory.too_early == Some(chmpx.id) && case.observed.hearsay == Hearsay::Listed;
    let pid = chmpx.id.pid;
    (listed && case.now.saturating_duration_since(since) >= TURNED_AWAY_FOR).then(|| {
        format!("chmpx (pid {pid}) came before the other servers listed this one, and has never listened")
    })
}
