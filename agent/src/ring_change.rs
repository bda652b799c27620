//! Decides the next step of a change of the ring: who joins, who leaves, who comes back, and who does what about it.
//!
//! One protocol for every node, on chmpx's own commands, and without a message between agents: each looks at the statuses that
//! chmpx shows, and knows what comes next. *Observe*: [`History::observe`] notes since when each row's condition holds. *Decide*:
//! [`decide`] takes the first row that is due and may act. *Record*: [`History::record`] keeps the try. A command is never judged
//! by its answer: the control port does not always answer. Pure: time and chance are arguments.
//!
//! # Words
//!
//! A status is a number: 0x21 serves, 0x11 waits to join, 0x1121 is announced to join, 0x1221 is announced to leave, 0x1021 is
//! Pending, 0x20 is dead. *p*, *d* and *c* are Pending, Doing and Done. *List*: the servers as the own chmpx lists them. *View*: a
//! server's own entry, asked at that server. *S*: servers with a slot that stay. *J* joins, *L* leaves, *R* has come back: p, d
//! or c while nobody joins or leaves. *Ring*: S, J and L together, or R alone. *Calm*: nobody is p, d or c, joins or leaves. A server
//! without an answer is unknown, and not dead. *Interrupted*: a change in which an S is down, and nobody d or c. MERGE waits for that
//! server. chmpx gives no request to an S that is p, and gives them to one that is 0x1221: each S is that meanwhile, slaves go on,
//! and both stop again when the server is back, or taken out.
//!
//! *Driver*: the first of L by slot, R, S by slot and J by seed. Each further one drives as well where the list has not changed
//! for 3 s times its place: two drivers do no harm, chmpx refuses the second MERGE.
//!
//! # The table
//!
//! Numbers are those of the protocol's table; a row without one has come later. The first row that is due and acts wins.
//!
//! | row | number | role | observed, and for how long | action |
//! |---|---|---|---|---|
//! | `Takeover` | 21 | others | the list is not calm and unchanged, 3 s x place | drives, until it changes |
//! | `Go` | 11 | server | k2hdkc is stopped: own d 0.3 s; own p beside d or c 1 s; own neither, or interrupted | continues k2hdkc |
//! | `Thaw` | 24 | slave | chmpx is stopped, and a server's list is calm, after it was not, or after 1 s; or interrupted, at the latest 1.5 s | continues chmpx |
//! | `Blind` | 10 | server | own p at the latest answer, not interrupted, and chmpx is silent 0.6 s | stops k2hdkc |
//! | `Stuck` | 12 | server | own d, and k2hdkc's file and processor time stand still 5 s | ABORTMERGE where it was stopped, once; else restarts the pair |
//! | `Serve` | | S | own 0x1021, *interrupted*, and it has taken requests since its start, 0.1 s | SERVICEOUT |
//! | `HalfOut` | 7 | S | own 0x1221, no leave is wanted, not interrupted, 0.6 s | SERVICEIN |
//! | `Yield` | | L | another L is before it, and REPLICA is too large for both at once, not interrupted, 0.4 s; 2 s behind it | SERVICEIN |
//! | `LeaveAgain` | 5 | L | own 0x1021 by ABORTMERGE, others p | SERVICEOUT, three times a change |
//! | `Pend` | 6 | S | J or a living L is announced, nobody d, c or down, 0.6 s, 0.9 s without J; 2 s while a J waits | asks J and L for AUTOMERGE; SERVICEOUT, SERVICEIN |
//! | `Drain` | 8 | S, J, R | own p, nobody d or c, 0.25 s, queues empty | stops k2hdkc for at most 5 s |
//! | `DrainLeaver` | 9 | L | the same, and the whole ring is p | stops k2hdkc for at most 5 s |
//! | `JoinAlong` | 2 | J | as `Join`, and another J is announced | as `Join` |
//! | `Join` | 1 | J | 0x11, S calm, no L, all others there, 2 s; one missing, 10 s | asks all; AUTOMERGE off, lists whole: SERVICEIN |
//! | `FirstStart` | 3 | J | no S, all members up, 2 s and 5 s x place by seed; a majority, 60 s later | asks all; SERVICEIN |
//! | `Leave` | 4 | L | S and L well, no J, 2 s; at once where another L is announced | asks all; SERVICEOUT |
//! | `Freeze` | 23 | slave | J, L or R in the list 0.3 s, at once where chmpx is new; not interrupted, not stopped in this change | asks them for AUTOMERGE; stops chmpx, which is killed after 30 s |
//! | `ForcedThaw` | | slave | another hand has continued chmpx, and the list is not calm | restarts chmpx |
//! | `Unmark` | 25 | slave | chmpx runs, and the list is calm, 10 s behind a continuation by an agent; or chmpx has ended | removes the mark of the stop |
//! | `CureThawed` | 26 | slave | continued 0.4 s ago | compares the list with a server's: UPDATESTATUS to servers whose entries are old; where none is, or that list is not calm, removes the mark |
//! | `Recount` | | slave | the list settled, and with a server that was taken out, 5 s; a server's list has it out of service | restarts chmpx |
//! | `Lost` | 20 | driver | a server is unknown or down, 2 s | reports it; rows 13 to 19 wait |
//! | `Withdraw` | 20 | driver | S down, J announced, nobody p, 2 s | SERVICEOUT to each J |
//! | `Dismiss` | 20 | L | S down 8 s, L lives; the ini lacks the dead, or a living S takes no requests and others have its keys | SERVICEOUT of the dead; ABORTMERGE where some are d or c |
//! | `Bury` | 20 | driver | the same without a living L, or 1 s later; or an L down 8 s | SERVICEOUT of the dead and of itself; ABORTMERGE alike |
//! | `Overdue` | | driver | the change lasts 20 s, and slaves stand still | ABORTMERGE; SERVICEOUT to each J, SERVICEIN to each L |
//! | `Doing` | 14 | driver | some d | waits |
//! | `Skipped` | 15 | driver | some c, some p, nobody d, 1 s | ABORTMERGE |
//! | `Complete` | 16 | driver | ring c, or some c and the rest 0x21 | COMPMERGE; after 0.6 s UPDATESTATUS to all, COMPMERGE; a pause of 5 s behind five |
//! | `Align` | | driver | ring p, the lists of the servers differ, 0.3 s; partly p, 1.5 s | UPDATESTATUS to the servers about which they differ |
//! | `Merge` | 13 | driver | ring p, nobody unknown or down, 0.8 s; R 1.0 s; 2.5 s where an L was interrupted | MERGE |
//! | `Undo` | 19 | driver | ring partly p, or p and its lists differ, 12 s | SERVICEOUT to each J, SERVICEIN to each L |
//! | `Help` | 18 | driver | ring partly p, a view is 0x21, 4 s | SERVICEOUT and SERVICEIN to that server |
//! | `Remind` | 17 | driver | ring partly p, 3 s | UPDATESTATUS to J and L, once |
//! | `Cure` | 22 | all | an entry is not calm and unchanged 3 s, its view differs, all views are calm | UPDATESTATUS to that server |
//! | `TwoViews` | | server | all who serve and answer list this server as down, twice in 2 s; of two servers the later one; or it is 0x11 or p, and another one and it list each other as down and both answer, 10 s | restarts the pair |
//! | `Disowned` | | server | some who answer do | UPDATESTATUS to itself |
//! | `Audit` | | server | it serves | asks the others every 10 s |
//! | `Watch` | 24 | slave | chmpx is stopped | asks one server, by its own number |
//! | `Survey` | 13 | driver | the list is not calm, or a server of it is down | asks every server |
//! | `StayStopped` | | S, J, L, R | own p, nobody d or c, k2hdkc is stopped 2 s | stops it for 5 s from now, eight times |
//!
//! Hosts that acknowledge nothing any more are no matter of this table: [`crate::peers`] cuts them, and ends an isolated pair.
//!
//! # Limits
//!
//! With `merge.by = "chmpx"` only `Go` and `Thaw` act. Beside a server that runs AUTOMERGE nothing but a question, a continuation
//! and the end of a mark is asked for: the ring goes on by AUTOMERGE, and [`Progress::hold`] names that server. A return of servers
//! whose files have AUTOMERGE off is the exception: no chmpx begins it, and it is carried to its end. Where a server insists
//! ([`Progress::merges`]), the pass has this server run AUTOMERGE as well. Each stop has a limit, kept by a process that outlives the
//! agent.
//!
//! # A new row
//!
//! 1. [`Row`]: a variant, in its order.
//! 2. Here: a row of the table. In `table`: its condition, its act and its pause.
//! 3. `tests/`: a test; `tests/safety.rs` goes over all rows.

mod action;
mod condition;
pub mod course;
mod deaths;
mod dialects;
mod driving;
mod history;
mod inputs;
mod joining;
mod merging;
mod peers;
pub mod prediction;
mod progress;
pub mod record;
mod row;
mod scene;
mod slave;
mod table;
#[cfg(test)]
mod tests;
mod timing;
pub mod words;

use std::time::Duration;

pub use crate::automerge::Automerge;
pub use action::{Action, Command, Order};
pub use history::History;
pub use inputs::{Answer, Entry, Inputs, List, Local, Mark, Node, Process, Round, ServerId, Wish};
pub use progress::{Merges, Progress, Stage};
pub use row::Row;
pub use words::{Announcement, ByChmpx, Hold, LeaveCost, PairEnd};

use self::action::Turn;
use self::scene::Scene;
use crate::settings::{Merge, MergeBy};

/// The next step of this node.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The act.
    pub action: Action,
    /// The row of the table that asks for it; `None` where nothing is to be done.
    pub row: Option<Row>,
    /// Longest time until the next look; the end of a round of questions ends it as well.
    pub look_again: Duration,
    /// Progress of the change.
    pub progress: Progress,
    /// True where an answer forbade the announcement of this server.
    refused: bool,
}

/// Decides the next step. `history` has observed the same inputs before.
pub fn decide(inputs: &Inputs, history: &History, limits: &Merge) -> Decision {
    let scene = Scene::new(inputs, limits);
    let is_foreign = history.dialects().foreign_here(&scene);
    let is_foreign = is_foreign.filter(|_| !merging::returns_by_agents(&scene, history));
    // A change that chmpx should finish, and does not. A copy that goes on may take as long as it likes.
    let stands = history.has_held(Row::Takeover, timing::UNDO, inputs.now) && !scene.seen.is_merging();
    let ends_stalled = |row: Row| stands && row.ends_change();
    let (mut chosen, mut hold, mut refused) = (None, is_foreign.clone().map(Hold::RunsAutomerge), false);
    for row in Row::all().filter(|row| history.is_due(*row, inputs.now) && speaks(limits, *row)) {
        match turn(row, &scene, history) {
            Turn::Act(action) if is_foreign.is_none() || is_harmless(&action) || ends_stalled(row) => {
                chosen = Some((row, action));
                break;
            }
            Turn::Held(reason) => {
                refused |= row.announces() && reason.is_refusal();
                hold = hold.or(Some(reason));
            }
            Turn::Act(_) | Turn::Pass => {}
        }
    }
    let (row, action) = chosen.map_or((None, Action::Nothing), |(row, action)| (Some(row), action));
    let hold = hold.or_else(|| driving::still_lost(&scene, history).cloned());
    let holds_file = limits.by == MergeBy::Agents && holds_file(&scene, history);
    let progress = Progress { holds_file, ..progress::progress(&scene, history, hold) };
    let look_again = match action {
        Action::Nothing | Action::Ask { .. } => look_again(&scene, history, progress.stage),
        _ => timing::BEHIND_ACT,
    };
    Decision { action, row, look_again, progress, refused }
}

/// Returns true where the settings let a row act.
fn speaks(limits: &Merge, row: Row) -> bool {
    limits.by == MergeBy::Agents || matches!(row, Row::Go | Row::Thaw)
}

/// Returns true for an act that does not touch a ring which chmpx merges.
fn is_harmless(action: &Action) -> bool {
    match action {
        Action::Nothing | Action::Ask { .. } | Action::Continue { .. } | Action::Unmark => true,
        Action::Send(_) | Action::Stop { .. } | Action::RestartPair(_) => false,
    }
}

/// Returns the turn of a row that is due, unless its latest try or question is too recent.
fn turn(row: Row, scene: &Scene<'_>, history: &History) -> Turn {
    let now = scene.inputs.now;
    if history.due_try(row, now, table::pause(row, history.times(row))).is_some() {
        return Turn::Pass;
    }
    let rule = table::of(row);
    match (rule.act)(scene, history) {
        Turn::Act(Action::Ask { .. }) if !history.may_ask(row, now, rule.ask_again) => Turn::Pass,
        turn => turn,
    }
}

/// Returns true where a server is in a change, by the list, by its own view, or by the latest list before a silence. A chmpx that
/// has ended reloads nothing, and perhaps waits for another file.
fn holds_file(scene: &Scene<'_>, history: &History) -> bool {
    let views = scene.views.as_ref().is_some_and(|views| !views.roles.is_calm());
    let ended = !scene.is_heard() && scene.inputs.local.chmpx == Process::Absent;
    views || history.change_since().is_some() && !ended
}

fn look_again(scene: &Scene<'_>, history: &History, stage: Stage) -> Duration {
    match stage {
        Stage::ByChmpx => timing::IDLE,
        Stage::Calm | Stage::BackingOff => timing::CALM,
        Stage::Preparing if scene.waiting_joiners().is_empty() => timing::CALM,
        Stage::Frozen => slave::pause(scene),
        Stage::Unseen if history.change_since().is_none() => timing::CALM,
        Stage::Unseen
        | Stage::Preparing
        | Stage::Announced
        | Stage::Interrupted
        | Stage::GoingPending
        | Stage::Ready
        | Stage::Merging
        | Stage::Completing => timing::BUSY,
    }
}
