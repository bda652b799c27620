//! What a command does for processes that have a file of their own: it moves none of them, but puts the installed file before
//! them. What it cannot do there, or cannot know, is no success.

use super::{Decided, Decision, Scene};
use crate::lifecycle::words::File;
use crate::lifecycle::{self, Action, Persisted};
use crate::supervisor::{Misplaced, Step};

/// Adds the placement to a decision, or why the processes do not get the file. `in_doubt` is why nobody knows where the
/// processes are.
pub(super) fn once(scene: &Scene, in_doubt: Option<String>, decision: &mut Decision) {
    let Some(observed) = &scene.observed else {
        decision.unplaced = in_doubt.map(|why| format!("not known whether chmpx has the file: {why}"));
        return;
    };
    if !observed.apart {
        let told = observed.rival.as_ref().map(|rival| format!("{}: {}", rival.text, rival.remedy));
        decision.notes.extend(told);
        return;
    }
    let not_there = |why: &str| Some(format!("the file is not put before the processes: {why}"));
    if let Some(why) = &observed.unseen {
        decision.unplaced = Some(format!("not known whether chmpx has the file: {why}"));
        return;
    }
    if let Some(why) = &observed.nowhere {
        decision.unplaced = not_there(why);
        return;
    }
    let installs = matches!(decision.verdict, Decided::Install(_));
    let why = match &observed.misplaced {
        Some(Misplaced::ForGood(text)) => {
            decision.unplaced = not_there(text);
            return;
        }
        Some(Misplaced::Yet(text)) => text,
        None if installs => "it is installed",
        None => return,
    };
    if let Some(rival) = &observed.rival {
        decision.unplaced = not_there(&rival.text);
        return;
    }
    let action = Action::Step(Step::Place, File::OutOfSync(why.to_owned()).into());
    decision.lifecycle = Some(Box::new(lifecycle::Decision::only(action, Persisted::default())));
    decision.about.clone_from(&scene.about);
}
