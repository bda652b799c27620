//! Rows of the file before the programs: who writes it, and whether it is the installed one.

use super::Action;
use super::history::SyncPause;
use super::scene::{Draft, Scene};
use super::words::File;
use crate::supervisor::{ForeignWriter, OutOfSync, Step};

/// Ends another program that writes the same file: upstream's writes in place, and ends chmpx.
pub(super) fn end_writer(scene: &Scene<'_>, draft: &mut Draft, rival: &ForeignWriter) -> Option<Action> {
    let ForeignWriter { text: writer, remedy, .. } = rival.clone();
    let history = &scene.history.writer;
    if scene.limits.take_over && history.is_due(scene.now) {
        return Some(Action::Step(Step::DisableWriter, File::ForeignWriter(writer).into()));
    }
    let error = history.error().filter(|_| scene.limits.take_over).map(str::to_owned);
    draft.report(match error {
        Some(error) => File::ForeignWriterResists { writer, remedy, error },
        None => File::ForeignWriterStays { writer, remedy },
    });
    None
}

/// Puts the installed file before the programs. That comes before they are started: a chmpx that starts with another file would
/// be restarted for it, and a helper waits for the file before it starts anything.
///
/// A file that cannot be put there keeps nothing waiting: the programs run on the one that they have.
pub(super) fn sync(scene: &Scene<'_>, draft: &mut Draft, misplaced: &OutOfSync) -> Option<Action> {
    let text = match misplaced {
        OutOfSync::Fixed(text) => {
            draft.report(File::CannotBeSynced(text.clone()));
            return None;
        }
        OutOfSync::Replaceable(text) => text.clone(),
    };
    if scene.observed.file.foreign_writer.is_some() {
        // Two that write in turn would end chmpx now and then; the other one was there first.
        draft.report(File::Contested(text));
        return None;
    }
    let pause = scene.history.file.sync_pause(scene.now, &scene.limits.timing.backoff());
    Some(match pause {
        Some(SyncPause::InVain(times, rest)) => Action::hold(File::SyncedInVain { text, times }, rest),
        Some(SyncPause::Failed(error, rest)) => Action::hold(File::SyncFailed { text, error }, rest),
        None => Action::Step(Step::SyncFile, File::OutOfSync(text).into()),
    })
}
