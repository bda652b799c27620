//! How long things may take that no operator sets.

use std::time::Duration;

/// A nudge is given after this time in a state that should pass by itself …
pub(super) const STICKS_AFTER: Duration = Duration::from_secs(5);
/// … sooner where the copy is done and nobody else copies: what ends a join then takes milliseconds …
pub(super) const DONE_STICKS_AFTER: Duration = Duration::from_secs(2);
/// … again after this time …
pub(super) const NUDGE_AGAIN: Duration = Duration::from_secs(10);
/// … and at most so often.
pub(super) const MOST_NUDGES: u32 = 5;
/// … but now and then for ever: what forbade it may be gone.
pub(super) const NUDGE_SELDOM: Duration = Duration::from_secs(60);
/// A wait in which nothing changes is told after this time, except a merge, which has its own limit.
pub(super) const STALLED: Duration = Duration::from_secs(600);
/// chmpx looks up one name after the other, and is seen between two of them as well.
pub(super) const RESOLVES_AGAIN: Duration = Duration::from_secs(3);
/// A name server without an answer kept chmpx for 60 to 160 s; a longer wait without a break has another cause as well.
pub(super) const RESOLVES_FOR: Duration = Duration::from_secs(600);
/// Between two attempts to remove what killed processes left.
pub(super) const TIDY_AGAIN: Duration = Duration::from_secs(600);
/// A chmpx listens 0.3 s after its start.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// A chmpx that was turned away listens within a second all the same, and asks again after ten.
pub(super) const TURNED_AWAY_FOR: Duration = Duration::from_secs(10);
/// A chmpx listens within a second of its start. One of chmpx 1.0.113 was seen that had not after 160 s, while another
/// server's join waited for it.
pub(super) const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// How long chmpx may try a server that it does not know as up, before it answers again (measured: 5 to 20 s for one or
/// two of them; a lossy resolver made it 100 s for ten).
pub(super) const TRIES_ONE_FOR: Duration = Duration::from_secs(10);
/// Times that the same ring is written again because chmpx has not loaded it. A slave whose control port others poll
/// without pause swallows one reload in five, and its restart would break the handles of the programs there.
pub(super) const MOST_REWRITES: u32 = 8;
/// Times that the same ring is written again to correct the list of servers.
pub(super) const MOST_RELISTS: u32 = 3;
/// A chmpx that sees another server looks for no further one; one that is started anew looks for all. The one that sees
/// nobody looks every ten seconds by itself (chmpx 1.0.113, lib/chmcntrl.cc:528-549). After this time for the first time, then
/// after twice as long, and so on.
pub(super) const LOOKS_AGAIN: Duration = Duration::from_secs(5);
/// Restarts that are not for a change, in one life of the agent, before somebody must look.
pub(super) const MOST_REPAIRS: u32 = 3;
/// A program that ran for so long has not failed to start.
pub(super) const SETTLED: Duration = Duration::from_secs(60);
/// A program that ends within this time did not start.
pub(super) const STILLBORN: Duration = Duration::from_secs(3);
/// Time for a helper to start chmpx again: upstream's takes 11 s for an end that it sees, 21 s for a stop of its own, and
/// looks for the file every 10 s; Trove's container, started anew, has it after 70 to 90 s.
pub(super) const COMES_WITHIN: Duration = Duration::from_secs(180);
/// So often the file is put before the processes again at once.
pub(super) const FEW_SYNCS: u32 = 5;
/// Failed starts with a file that is on trial.
pub(super) const FAILED_STARTS: u32 = 2;
/// Time for an orphaned k2hdkc to obey: with `-no_giveup_rejoin` it hears no signal while its chmpx is gone.
pub(super) const ORPHAN_WITHIN: Duration = Duration::from_secs(1);
/// The next look where something is on its way.
pub(crate) const SOON: Duration = Duration::from_millis(100);
/// The next question to a chmpx of a server that does not listen yet, since it has just started.
pub(crate) const COMES_SOON: Duration = Duration::from_millis(200);
/// How long chmpx may ask k2hdkc for the time of its last change: the answer takes less than a millisecond. One that is lost
/// is waited for 70 s and more (docs/facts.md C29).
pub(super) const ASKS_WITHIN: Duration = Duration::from_secs(10);
/// How long the thread of chmpx that merges may rest while the status says `[Doing]`.
pub(super) const GIVES_UP_FOR: Duration = Duration::from_secs(5);
/// What a server copies while it leaves is for nobody, and it takes no longer than this to be as good as whole.
pub(super) const COPIES_IN_VAIN: Duration = Duration::from_mins(5);
/// How long a server that went down in the middle of a change stays so until it is ended: chmpx may do it by itself.
pub(super) const DEPARTED_FOR: Duration = Duration::from_secs(5);
/// How long that is tried until somebody must look.
pub(super) const SILENT_CHANGE: Duration = Duration::from_mins(1);
/// Share of one processor that a merge takes of k2hdkc at least; at rest it takes 0.002 (k2hdkc 1.0.19).
pub(super) const WORKING: f64 = 0.01;
/// Least time over which that share is measured: the kernel counts in ticks of 10 ms, and one of them in half a second
/// would be a merge at work.
pub(super) const LEAST_LOOK: Duration = Duration::from_secs(5);
/// A file that was installed longer ago is nobody's news: with a calm ring it was told at once.
pub(super) const ANNOUNCE_WITHIN: Duration = Duration::from_mins(5);
/// How often the others are told of it, and after what time again: a slave that had no connection at all then has missed it.
pub(super) const ANNOUNCEMENTS: u32 = 5;
/// See [`ANNOUNCEMENTS`].
pub(super) const ANNOUNCE_AGAIN: Duration = Duration::from_secs(4);
/// How long a server must have been out of service before its k2hdkc stops: what was under way to it is answered.
pub(super) const OUT_FOR: Duration = Duration::from_secs(1);
/// Time for a stuck chmpx to end by itself: it seldom does.
pub(super) const STUCK_WITHIN: Duration = Duration::from_secs(3);
/// How long somebody who insists on a leave waits for processes that cannot be seen.
pub(super) const UNSEEN_WITHIN: Duration = Duration::from_secs(30);
/// A join that waits its turn although nobody merges is not waiting for a turn.
pub(super) const PENDING_WITHIN: Duration = Duration::from_secs(60);
