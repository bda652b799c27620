//! Commands beside programs that have a file of their own: a command moves none of them, but puts the installed file before
//! them. A failure there, or an unknown state, is no success.

use super::{Inputs, ProgramsDecision};
use crate::lifecycle::words::File;
use crate::lifecycle::{self, Action};
use crate::supervisor::{OutOfSync, Step};

/// Decides on the placement, or on why the programs do not get the file. `in_doubt` is why nobody knows where they are.
pub(super) fn once(
    inputs: &Inputs,
    in_doubt: Option<String>,
    installs: bool,
    notes: &mut Vec<String>,
) -> ProgramsDecision {
    let unsynced = |unsynced: Option<String>| ProgramsDecision { unsynced, ..ProgramsDecision::default() };
    let Some(observed) = &inputs.observed else {
        return unsynced(in_doubt.map(|why| format!("not known whether chmpx has the file: {why}")));
    };
    if !observed.file.is_own {
        notes.extend(
            observed.file.foreign_writer.as_ref().map(|rival| format!("{}: {}", rival.text, rival.remedy)),
        );
        return ProgramsDecision::default();
    }
    let not_there = |why: &str| unsynced(Some(format!("the file is not put before the processes: {why}")));
    if let Some(why) = &observed.unobservable {
        return unsynced(Some(format!("not known whether chmpx has the file: {why}")));
    }
    if let Some(why) = &observed.file.missing {
        return not_there(why);
    }
    let why = match &observed.file.out_of_sync {
        Some(OutOfSync::Fixed(text)) => return not_there(text),
        Some(OutOfSync::Replaceable(text)) => text,
        None if installs => "it is installed",
        None => return ProgramsDecision::default(),
    };
    if let Some(rival) = &observed.file.foreign_writer {
        return not_there(&rival.text);
    }
    let action = Action::Step(Step::SyncFile, File::OutOfSync(why.to_owned()).into());
    let lifecycle = Some(Box::new(lifecycle::Decision::only(action)));
    ProgramsDecision { lifecycle, spec: inputs.about.clone(), ..ProgramsDecision::default() }
}
