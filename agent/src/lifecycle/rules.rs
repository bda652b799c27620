//! Limits that no operator sets. Each was measured, or follows from a fact.

use std::time::Duration;

/// Time in which a server that has left the ring still runs: requests that were on their way are answered rightly there.
pub(super) const ANSWERS_LATE_FOR: Duration = Duration::from_secs(15);
/// Time in a state that should pass by itself, until a nudge.
pub(super) const STICKS_AFTER: Duration = Duration::from_secs(5);
/// The same where the copy is done and no other server copies: the end of a join then takes milliseconds.
pub(super) const DONE_STICKS_AFTER: Duration = Duration::from_secs(2);
/// Pause between two nudges.
pub(super) const NUDGE_AGAIN: Duration = Duration::from_secs(10);
/// Nudges in a row.
pub(super) const MOST_NUDGES: u32 = 5;
/// Pause between two nudges after that, for ever: the obstacle may be gone.
pub(super) const NUDGE_SELDOM: Duration = Duration::from_secs(60);
/// Time without any movement after which a wait is reported; a merge has a limit of its own.
pub(super) const STALLED: Duration = Duration::from_secs(600);
/// Time between two sights of a wait for the name server: chmpx looks up one name after the other.
pub(super) const RESOLVES_AGAIN: Duration = Duration::from_secs(3);
/// Longest wait for a name server that excuses a silence. One without an answer kept chmpx for 60 to 160 s.
pub(super) const RESOLVES_FOR: Duration = Duration::from_secs(600);
/// Pause between two removals of leftovers.
pub(super) const TIDY_AGAIN: Duration = Duration::from_secs(600);
/// Time for other servers to answer where none does: a chmpx listens 0.3 s after its start.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// Silence after which a chmpx that came too early is given up: it tries again after ten seconds (C33).
pub(super) const TURNED_AWAY_FOR: Duration = Duration::from_secs(10);
/// Time for a chmpx to listen after its start: a second is usual. One of chmpx 1.0.113 had not after 160 s, while another
/// server's join waited for it.
pub(super) const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// Silence of chmpx for each server that it does not know as up: 5 to 20 s for one or two; a lossy resolver made it 100 s
/// for ten.
pub(super) const TRIES_ONE_FOR: Duration = Duration::from_secs(10);
/// Rewrites of a ring that chmpx has not loaded. A slave whose control port others poll without pause swallows one reload in
/// five, and its restart would break the handles of the programs there.
pub(super) const MOST_REWRITES: u32 = 8;
/// Rewrites of a ring to correct the list of servers.
pub(super) const MOST_RELISTS: u32 = 3;
/// Wait for peers until chmpx is restarted to look for them: a chmpx that sees another server looks for no further one. The
/// wait doubles each time. A chmpx that sees nobody looks every ten seconds by itself (lib/chmcntrl.cc:528-549).
pub(super) const LOOKS_AGAIN: Duration = Duration::from_secs(5);
/// Restarts in a row that no change asked for, before the operator must look.
pub(super) const MOST_REPAIRS: u32 = 3;
/// Age at which a program counts as started well.
pub(super) const SETTLED: Duration = Duration::from_secs(60);
/// Age below which an end counts as a failed start.
pub(super) const STILLBORN: Duration = Duration::from_secs(3);
/// Time for a helper to start chmpx again: upstream's takes 11 s for an end that it sees, 21 s for a stop of its own, and
/// looks for the file every 10 s; Trove's container, started anew, has it after 70 to 90 s.
pub(super) const COMES_WITHIN: Duration = Duration::from_secs(180);
/// Copies of the file to the programs without a pause.
pub(super) const FEW_SYNCS: u32 = 5;
/// Failed starts that are blamed on a file on trial.
pub(super) const FAILED_STARTS: u32 = 2;
/// Time for an orphaned k2hdkc to obey: with `-no_giveup_rejoin` it hears no signal while its chmpx is gone.
pub(super) const ORPHAN_WITHIN: Duration = Duration::from_secs(1);
/// Time to the next look where something is on its way.
pub(crate) const SOON: Duration = Duration::from_millis(100);
/// Time to the next question to a server's chmpx that has just started and does not listen yet.
pub(crate) const COMES_SOON: Duration = Duration::from_millis(200);
/// Time for k2hdkc to answer chmpx in a merge: less than a millisecond is usual, and a lost answer is waited for 70 s (C29).
pub(super) const ASKS_WITHIN: Duration = Duration::from_secs(10);
/// Time for which the merging thread of chmpx may rest while the status says `[Doing]` (C31).
pub(super) const GIVES_UP_FOR: Duration = Duration::from_secs(5);
/// Time for the ring to end the change of a server that went down by itself.
pub(super) const DEPARTED_FOR: Duration = Duration::from_secs(5);
/// Time in which the agents try to end it, before the operator must look.
pub(super) const SILENT_CHANGE: Duration = Duration::from_mins(1);
/// Least share of one processor that a merge takes of k2hdkc; at rest it takes 0.002 (k2hdkc 1.0.19).
pub(super) const WORKING: f64 = 0.01;
/// Least time over which that share is measured: the kernel counts in ticks of 10 ms, and one of them in half a second
/// would be a merge at work.
pub(super) const LEAST_LOOK: Duration = Duration::from_secs(5);
/// Age of a file up to which it is announced: with a calm ring that was done at once.
pub(super) const ANNOUNCE_WITHIN: Duration = Duration::from_mins(5);
/// Announcements of a new file: a slave that had no connection at the first has missed it.
pub(super) const ANNOUNCEMENTS: u32 = 5;
/// Pause between two announcements.
pub(super) const ANNOUNCE_AGAIN: Duration = Duration::from_secs(4);
/// Time for a stuck chmpx to end by HUP: it seldom does.
pub(super) const STUCK_WITHIN: Duration = Duration::from_secs(3);
/// Wait of a forced leave for programs that cannot be seen.
pub(super) const UNSEEN_WITHIN: Duration = Duration::from_secs(30);
/// Time in the queue while no server merges, until a nudge: that is no wait for a turn.
pub(super) const PENDING_WITHIN: Duration = Duration::from_secs(60);
