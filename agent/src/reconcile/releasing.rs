//! Confirmations by the operator: of a loss that is held, or of a ring that was rolled back.

use crate::ledger::{Ledger, Store};
use crate::lifecycle::Departure;
use crate::problem::{chain, joined};
use crate::ring_change::Announcement;

/// Marks what is held as meant: all of it, or only if it is that which `id` names: a loss or a newcomer, the join or the leave of
/// this server, or a ring that was rolled back. `waits` is the one of those two that is known to be held.
///
/// # Errors
///
/// Nothing is held under that name, it cannot be released, or the ledger cannot be written.
pub fn confirm(store: &mut Store, id: Option<&str>, waits: Option<Announcement>) -> Result<String, String> {
    let named: Option<Announcement> = id.and_then(|id| id.parse().ok());
    let Some(held) = store.ledger().guard.held.clone().filter(|_| named.is_none()) else {
        let announcement = id.map_or(waits, |_| named);
        return match announcement.filter(|announcement| can_wait(store.ledger(), *announcement)) {
            Some(announcement) => confirm_change(store, announcement),
            None => try_again(store, id),
        };
    };
    if id.is_some_and(|id| id != held.id) {
        return Err(format!("what is held now is {}: {}", held.id, joined(&held.reasons)));
    }
    if !held.releasable {
        let text = "chmpx would end on such a file, so no confirmation can release it";
        return Err(format!("{}: {text}", joined(&held.reasons)));
    }
    store.update(|ledger| ledger.guard.confirmed = Some(held.id.clone())).map_err(|error| chain(&error))?;
    Ok(format!("confirmed {}: {}", held.id, joined(&held.reasons)))
}

/// Returns true where such a change of this server may wait for the operator: a join only after its copy was cut off, since a newcomer
/// has no keys to predict by.
fn can_wait(ledger: &Ledger, announcement: Announcement) -> bool {
    let (leaving, ring) = (ledger.processes.leaving.as_ref(), &ledger.processes.ring);
    let leaves = |leaving: &Departure| leaving.follows() && !leaving.returns && !leaving.confirmed;
    match announcement {
        Announcement::Leave => leaving.is_some_and(leaves),
        Announcement::Join => leaving.is_none() && ring.least().is_some() && !ring.is_join_confirmed(),
    }
}

/// Lets this server join or leave, however long its change stops the ring. Both keep that until they are over.
fn confirm_change(store: &mut Store, announcement: Announcement) -> Result<String, String> {
    store
        .update(|ledger| match (announcement, &mut ledger.processes.leaving) {
            (Announcement::Join, _) => ledger.processes.ring.confirm_join(),
            (Announcement::Leave, leaving) => {
                if let Some(leaving) = leaving {
                    leaving.confirmed = true;
                }
            }
        })
        .map_err(|error| chain(&error))?;
    Ok(format!("confirmed {announcement}: this server goes ahead, however long its change stops the ring"))
}

/// Lets a ring be tried again that was rolled back.
fn try_again(store: &mut Store, id: Option<&str>) -> Result<String, String> {
    let rejected = store.ledger().processes.rejected.clone();
    let Some(rejected) = rejected.filter(|rejected| id.is_none_or(|id| rejected.id() == id)) else {
        return Err("nothing is held or rejected, so there is nothing to confirm".to_owned());
    };
    store.update(|ledger| ledger.processes.rejected = None).map_err(|error| chain(&error))?;
    Ok(format!("confirmed {}: generation {} is tried again", rejected.id(), rejected.fileversion))
}
