//! What is to be true before anything else is looked at: that the processes can be seen, and that the installed file is the
//! one before them, where they have one of their own.

use super::{Case, Known, Memory, Next};
use crate::supervisor::Misplaced;

/// What is not seen is not moved. It is for somebody to look at: a daemon is away, or somebody has frozen the container.
pub(super) fn seen(case: &Case<'_>, _: &mut Memory, _: &mut Known) -> Option<Next> {
    let why = case.observed.unseen.as_ref()?;
    Some(Next::Hold(why.clone(), case.rules.between_questions))
}

/// A file that is installed and not in place is as good as none. It comes before the processes: a chmpx that starts with
/// another one would be restarted for it, and a helper waits for the file before it starts anything.
///
/// Where it cannot or may not be put there, the processes are kept all the same, on the file that they have.
pub(super) fn placed(case: &Case<'_>, memory: &mut Memory, _: &mut Known) -> Option<Next> {
    let Some(misplaced) = &case.observed.misplaced else {
        memory.placement.lasts();
        return None;
    };
    let text = match misplaced {
        Misplaced::ForGood(text) => {
            memory.loud.push(text.clone());
            return None;
        }
        Misplaced::Yet(text) => text,
    };
    if case.observed.rival.is_some() {
        // Two that write in turn would end chmpx now and then; the other one was there first.
        memory.loud.push(format!("{text}, and stays so as long as both are to write it"));
        return None;
    }
    Some(memory.placement.next(case, text))
}
