//! Confirmations by the operator: of a loss that is held, or of a ring that was rolled back.

use crate::ledger::Store;
use crate::problem::{chain, joined};

/// Marks the held loss as meant: all of it, or only if it is the one that `id` names.
///
/// # Errors
///
/// Nothing is held under that name, it cannot be released, or the ledger cannot be written.
pub fn confirm(store: &mut Store, id: Option<&str>) -> Result<String, String> {
    let Some(held) = store.ledger().guard.held.clone() else {
        return try_again(store, id);
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

/// Lets a ring be tried again that was rolled back.
fn try_again(store: &mut Store, id: Option<&str>) -> Result<String, String> {
    let rejected = store.ledger().processes.rejected.clone();
    let Some(rejected) = rejected.filter(|rejected| id.is_none_or(|id| rejected.id() == id)) else {
        return Err("nothing is held or rejected, so there is nothing to confirm".to_owned());
    };
    store.update(|ledger| ledger.processes.rejected = None).map_err(|error| chain(&error))?;
    Ok(format!("confirmed {}: generation {} is tried again", rejected.id(), rejected.fileversion))
}
