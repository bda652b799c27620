//! Confirmations by the operator: of a loss that is held, or of a ring that was rolled back.

use crate::ledger::Store;
use crate::lifecycle::Departure;
use crate::problem::{chain, joined};

/// Name of a leave for `k2hdkc-agent confirm`.
const LEAVE: &str = "leave";

/// Marks what is held as meant: all of it, or only if it is that which `id` names: a loss or a newcomer, the leave of this server, or
/// a ring that was rolled back. `leave_waits` is true where the leave is known to be held.
///
/// # Errors
///
/// Nothing is held under that name, it cannot be released, or the ledger cannot be written.
pub fn confirm(store: &mut Store, id: Option<&str>, leave_waits: bool) -> Result<String, String> {
    let Some(held) = store.ledger().guard.held.clone().filter(|_| id != Some(LEAVE)) else {
        return confirm_leave(store, id, leave_waits);
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

/// Lets this server leave, however long its change stops the ring. The leave keeps that, and ends with it.
fn confirm_leave(store: &mut Store, id: Option<&str>, waits: bool) -> Result<String, String> {
    let can_wait = |leaving: &Departure| leaving.follows() && !leaving.returns && !leaving.confirmed;
    let leaves = store.ledger().processes.leaving.as_ref().is_some_and(can_wait);
    if !leaves || id.map_or(!waits, |id| id != LEAVE) {
        return try_again(store, id);
    }
    store
        .update(|ledger| {
            if let Some(leaving) = &mut ledger.processes.leaving {
                leaving.confirmed = true;
            }
        })
        .map_err(|error| chain(&error))?;
    Ok(format!("confirmed {LEAVE}: this server leaves, however long its change stops the ring"))
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
