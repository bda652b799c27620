//! A k2hdkc that somebody else started while none of its ring's other servers was in sight: upstream's helpers and Docker's
//! restart policies wait for nobody. It serves a ring of its own, and where the others have one too, both meet later
//! without any merge, under healthy statuses (see [`super::gate`], which keeps the agent itself from such a start).

use super::{Case, Database, Known, Memory, Pair, Urgency, is_row_of};
use crate::plan::Class;
use crate::view::View;

/// Whether this server, which is in service, came so in sight of others. One that did not is told; once others are up, it is
/// taken out of service and its k2hdkc started anew: so it comes back by a merge. Keys in memory would end with it, so that
/// one is left to somebody's hand.
pub(super) fn met(case: &Case<'_>, memory: &mut Memory, known: &mut Known, pair: Pair, view: &View) -> bool {
    let waits = case.rules.wait_for_peers && case.peers().next().is_some();
    if !waits
        || memory.has_begun(pair.k2hdkc)
        || known.served.is_some_and(|served| served.k2hdkc == pair.k2hdkc)
    {
        return true;
    }
    let is_up = |node| view.servers.iter().any(|row| is_row_of(row, node) && row.status.is_up());
    let pid = pair.k2hdkc.pid;
    if !case.peers().any(is_up) {
        known.alone = Some(pair.k2hdkc);
        memory.loud.push(format!(
            "k2hdkc (pid {pid}) serves, although no other server of its ring has been up to its chmpx since it started: they \
             may have a ring of their own. It is taken out of service and started anew as soon as one is up; if they are \
             gone for good, take them out of their role in K2HR3"
        ));
        return false;
    }
    if known.alone == Some(pair.k2hdkc) && known.database_of(pair.k2hdkc) == Some(&Database::Passing) {
        memory.loud.push(format!(
            "k2hdkc (pid {pid}) was started alone, and met the others without a merge: each has keys that the other does \
             not find. Its own are in memory, so it is not started anew: copy them, then end it by SIGHUP, and the agent \
             starts it again"
        ));
        return false;
    }
    if known.alone.take() == Some(pair.k2hdkc) {
        let why = format!("k2hdkc (pid {pid}) was started alone, and met the others without a merge");
        known.demand(case, Class::RestartK2hdkc, Urgency::Deaf, &why);
    }
    true
}
