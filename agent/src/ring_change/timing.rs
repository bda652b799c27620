//! Times of the protocol, as they were measured on chmpx 1.0.113 and k2hdkc 1.0.19: 3 to 4 servers on two shared cores at load 3
//! to 16.

use std::time::Duration;

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// No time at all.
pub(super) const AT_ONCE: Duration = Duration::ZERO;

/// Longest age of an answer that counts.
pub(super) const FRESH: Duration = ms(1000);
/// Longest age of the knowledge that a server runs AUTOMERGE or not.
pub(super) const DIALECT_LASTS: Duration = ms(10_000);

/// Age of that knowledge from which a calm server asks again.
pub(super) const DIALECT_FADES: Duration = ms(60_000);

/// Pause before the look behind an act: chmpx shows it within milliseconds.
pub(super) const BEHIND_ACT: Duration = ms(10);
/// Pause between two looks while the ring changes or a joiner waits.
pub(super) const BUSY: Duration = ms(50);
/// Pause between two looks in a calm ring. At 1 s a slave would stop after the servers are Pending, and its requests fail.
pub(super) const CALM: Duration = ms(250);
/// Share of a server's time for one question of a stopped slave: a hundred a second from all of them.
pub(super) const QUESTION: Duration = ms(10);
/// Pause between two looks of a server that drives only since others do nothing.
pub(super) const SUBSTITUTE: Duration = ms(250);
/// Pause between two questions of the driver while a server of a calm ring is down.
pub(super) const VIGIL: Duration = ms(2000);
/// Pause between two looks where chmpx runs the merges.
pub(super) const IDLE: Duration = ms(5000);

/// Pause between two tries of one row.
pub(super) const AGAIN: Duration = ms(500);
/// Calm before a change is announced.
pub(super) const QUIET: Duration = ms(2000);
/// Patience of a joiner with a member that is not there.
pub(super) const MISSING: Duration = ms(10_000);
/// Further quiet of a first start for each place in the order of seeds.
pub(super) const PER_SEED: Duration = ms(5000);
/// Patience of a majority with members that are not there, before it begins a ring without them.
pub(super) const BEGINS_WITHOUT: Duration = ms(60_000);
/// Pause after an answer that forbade the announcement.
pub(super) const REFUSED: Duration = ms(2000);
/// Shortest pause between an undo and the next announcement.
pub(super) const BACKOFF: Duration = ms(10_000);
/// Longest one.
pub(super) const MOST_BACKOFF: Duration = ms(60_000);

/// Announcement to Pending; slaves stop 0.25 to 0.35 s after the announcement.
pub(super) const PEND: Duration = ms(600);
/// The same where nobody joins: nothing is seen of a leave before, so slaves look at the list seldom, and stop later.
pub(super) const PEND_LEAVE: Duration = ms(900);
/// The same while a further joiner is about to announce.
pub(super) const PEND_JOINER_WAITS: Duration = ms(2000);
/// Pending to the stop of k2hdkc.
pub(super) const DRAIN: Duration = ms(250);
/// Queues empty at all looks of this time.
pub(super) const EMPTY: Duration = ms(30);
/// Patience with queues that do not become empty: a leaver goes on serving where slaves are not stopped.
pub(super) const DRAIN_PATIENCE: Duration = ms(1000);
/// Silence of chmpx after which k2hdkc is stopped unseen.
pub(super) const BLIND: Duration = ms(600);
/// Age of the latest list by which a silent chmpx counts as Pending.
pub(super) const BLIND_TRUSTS: Duration = ms(3000);
/// Limit of a stopped k2hdkc.
pub(super) const K2HDKC_LIMIT: Duration = ms(5000);
/// Pause after which a stop of k2hdkc that is still needed is renewed: well before its limit, also on a busy host.
pub(super) const RENEW: Duration = ms(2000);
/// Number of renewals: a stop that lasts longer than the undo of its change has no end in sight.
pub(super) const RENEWALS: u32 = 8;
/// Pause between two stops of k2hdkc: the limit of the former, and a little.
pub(super) const STOP_AGAIN: Duration = ms(5500);
/// Doing to the continuation of k2hdkc: chmpx has armed its flag by then (C29), also where its thread waits for a processor.
pub(super) const DOING: Duration = ms(300);
/// Patience of a server that is Pending beside others that merge.
pub(super) const LEFT_OUT: Duration = ms(1000);
/// Patience with a merge in which nothing moves.
pub(super) const STUCK: Duration = ms(5000);

/// Whole ring Pending to MERGE: every k2hdkc is stopped by then.
pub(super) const HOLD: Duration = ms(800);
/// The same for a return.
pub(super) const HOLD_RETURN: Duration = ms(1000);
/// The same in a change that has waited for a server, while some may still look like leavers.
pub(super) const HOLD_RESUMED: Duration = ms(2500);
/// Patience with lists that differ before MERGE.
pub(super) const ALIGN: Duration = ms(300);
/// The same while some servers are not Pending: their lists differ for a moment as they become it.
pub(super) const ALIGN_LATE: Duration = ms(1500);
/// Number of times that servers are asked to publish their status before MERGE.
pub(super) const ALIGNMENTS: u32 = 20;
/// Patience with another leaver: a server that goes Pending is one for some milliseconds.
pub(super) const YIELD: Duration = ms(400);
/// The same in a change that has waited for a server.
pub(super) const YIELD_RESUMED: Duration = ms(2000);
/// MERGE to its repetition.
pub(super) const MERGE_AGAIN: Duration = ms(2000);
/// Patience with a server that is Pending beside others that are Done.
pub(super) const SKIPPED: Duration = ms(1000);
/// COMPMERGE to its repetition.
pub(super) const COMPLETE_AGAIN: Duration = ms(600);
/// Number of COMPMERGE in a row.
pub(super) const COMPLETIONS: u32 = 5;
/// Pause after them: status commands fill the windows of frozen slaves.
pub(super) const COMPLETE_PAUSE: Duration = ms(5000);
/// Number of leaves in one change.
pub(super) const LEAVES: u32 = 3;
/// Ring partly Pending to UPDATESTATUS.
pub(super) const REMIND: Duration = ms(3000);
/// The same to the help at the late server's own port.
pub(super) const HELP: Duration = ms(4000);
/// Pause between two helps.
pub(super) const HELP_AGAIN: Duration = ms(1000);
/// The same to the undo.
pub(super) const UNDO: Duration = ms(12_000);
/// Pause between two undos, and from an undo to a repeated leave.
pub(super) const UNDO_AGAIN: Duration = ms(5000);
/// Length of a change with frozen slaves after which it is undone: their watchdog fires at [`FREEZE_LIMIT`].
pub(super) const OVERDUE: Duration = ms(20_000);
/// Longest copy that may not have moved at all: one that stands still ends after [`STUCK`].
pub(super) const COPIES: Duration = ms(6000);
/// Patience with a server that does not answer.
pub(super) const LOST: Duration = ms(2000);
/// Patience with a server that is down: its agent restarts its pair in 3 to 5 s.
pub(super) const DEAD: Duration = ms(8000);
/// The same of a server that has to leave with the dead one: another may leave anyway, and goes first.
pub(super) const DEAD_OF_OTHERS: Duration = ms(9000);
/// A server that is down in a change to the requests that others take meanwhile.
pub(super) const SERVE: Duration = ms(100);
/// The same to the first file that is written meanwhile: in the first seconds each chmpx is busy with the end of that server.
pub(super) const WAITS_LONG: Duration = ms(15_000);
/// Change of the list after which the next one in the order drives, for each place.
pub(super) const TAKEOVER: Duration = ms(3000);

/// Patience with an old entry in a list.
pub(super) const CURE: Duration = ms(3000);
/// Change seen by a slave to the stop of its chmpx.
pub(super) const FREEZE: Duration = ms(300);
/// Limit of a stopped chmpx.
pub(super) const FREEZE_LIMIT: Duration = ms(30_000);
/// Least length of a freeze that has not seen the change.
pub(super) const UNSEEN: Duration = ms(1000);
/// Patience of a slave that stands still with servers that do not take requests yet.
pub(super) const ALL_SERVE: Duration = ms(1500);
/// Time behind the continuation of a slave's chmpx until its list is compared. It has read by then what had waited. Statuses of one second
/// count as equally new, and the last one that it reads wins, whichever server it comes from (C38).
pub(super) const THAWED: Duration = ms(50);
/// Number of such cures behind one continuation.
pub(super) const CURES: u32 = 8;
/// Pause between two of them.
pub(super) const CURE_THAWED: Duration = ms(600);
/// Patience with the comparison before them, where no server answers.
pub(super) const COMPARED: Duration = ms(10_000);
/// Patience with a server that was taken out of the ring, and that the own chmpx still counts.
pub(super) const RECOUNT: Duration = ms(5000);

/// Pause between two questions of a calm server about itself.
pub(super) const AUDIT: Duration = ms(10_000);
/// Pause between the first and the second answer that lists this server as down.
pub(super) const DISOWNED: Duration = ms(2000);
