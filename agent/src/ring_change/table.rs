//! The table as code: of each row its condition, its act, and the pause between two of them.

use std::time::Duration;

use super::action::Turn;
use super::condition::Condition;
use super::history::History;
use super::row::Row;
use super::scene::Scene;
use super::timing::{
    AGAIN, AT_ONCE, COMPLETE_AGAIN, COMPLETE_PAUSE, COMPLETIONS, CURE, CURE_THAWED, DISOWNED, HELP_AGAIN,
    MERGE_AGAIN, RENEW, STOP_AGAIN, UNDO_AGAIN,
};
use super::{deaths, driving, joining, merging, peers, slave};

/// One row.
pub(super) struct Rule {
    /// Condition at one look.
    pub(super) condition: fn(&Scene<'_>, &History) -> Condition,
    /// The act once the condition has held as long as it must.
    pub(super) act: fn(&Scene<'_>, &History) -> Turn,
    /// Pause between two tries.
    again: Duration,
    /// Pause between two questions.
    pub(super) ask_again: Duration,
    /// Time for which tries are remembered.
    pub(super) memory: Memory,
}

/// Time for which the tries of a row are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// As long as its condition holds.
    Condition,
    /// Until the change is over.
    Change,
}

const fn rule(
    condition: fn(&Scene<'_>, &History) -> Condition,
    act: fn(&Scene<'_>, &History) -> Turn,
    again: Duration,
) -> Rule {
    Rule { condition, act, again, ask_again: AT_ONCE, memory: Memory::Condition }
}

impl Rule {
    const fn asks(self, ask_again: Duration) -> Self {
        Self { ask_again, ..self }
    }

    const fn for_the_change(self) -> Self {
        Self { memory: Memory::Change, ..self }
    }
}

/// Returns the pause between two tries of a row, after so many of them.
pub(super) fn pause(row: Row, times: u32) -> Duration {
    match row {
        Row::Complete if times > 0 && times.is_multiple_of(COMPLETIONS) => COMPLETE_PAUSE,
        row => self::of(row).again,
    }
}

/// Returns the row of the table.
pub(super) const fn of(row: Row) -> Rule {
    use Row as R;
    match row {
        R::Takeover => rule(driving::takeover, driving::wait, AT_ONCE),
        R::Go => rule(merging::go, merging::resume, AGAIN),
        R::Thaw => rule(slave::thaw, slave::resume, AGAIN),
        R::Blind => rule(merging::blind, merging::stop_blind, AGAIN),
        R::Stuck => rule(merging::stuck, merging::end_stuck, AGAIN).for_the_change(),
        R::Serve => rule(merging::serve, joining::service_out, AGAIN),
        R::HalfOut => rule(joining::half_out, joining::service_in, AGAIN),
        R::Yield => rule(joining::yields, joining::service_in, AGAIN),
        R::LeaveAgain => rule(joining::leave_again, joining::leave_once_more, AGAIN).for_the_change(),
        R::Pend => rule(merging::pend, merging::make_pending, AGAIN),
        R::Drain | R::DrainLeaver => drain(row),
        R::JoinAlong => rule(joining::join_along, joining::announce_join, AGAIN).asks(AGAIN),
        R::Join => rule(joining::join, joining::announce_join, AGAIN).asks(AGAIN),
        R::FirstStart => rule(joining::first_start, joining::announce_join, AGAIN).asks(AGAIN),
        R::Leave => rule(joining::leave, joining::announce_leave, AGAIN).asks(AGAIN),
        R::Freeze => rule(slave::freeze, slave::stop_chmpx, AGAIN),
        R::ForcedThaw => rule(slave::forced_thaw, slave::restart, STOP_AGAIN),
        R::Unmark => rule(slave::unmark, slave::remove_mark, AGAIN),
        R::CureThawed => rule(slave::cure_thawed, slave::cure_old_list, CURE_THAWED).asks(CURE_THAWED),
        R::Recount => rule(slave::recount, slave::restart_to_recount, STOP_AGAIN).asks(CURE),
        R::Lost => rule(driving::lost, driving::report_lost, AT_ONCE),
        R::Withdraw => rule(deaths::withdraw, deaths::take_joiners_back, UNDO_AGAIN),
        R::Dismiss => rule(deaths::dismiss, deaths::take_out, AGAIN).asks(AGAIN).for_the_change(),
        R::Bury => rule(deaths::bury, deaths::leave_with_dead, AGAIN).asks(AGAIN).for_the_change(),
        R::Overdue => rule(driving::overdue, driving::give_up, AGAIN),
        R::Doing => rule(driving::doing, driving::wait, AT_ONCE),
        R::Skipped => rule(driving::skipped, driving::abort, AGAIN),
        R::Complete => rule(driving::complete, driving::give_completion, COMPLETE_AGAIN),
        R::Align => rule(driving::disputed, driving::align, COMPLETE_AGAIN),
        R::Merge => rule(driving::merge, driving::give_merge, MERGE_AGAIN),
        R::Undo => rule(driving::undo, driving::take_back, UNDO_AGAIN).for_the_change(),
        R::Help => rule(driving::help, driving::help_late, HELP_AGAIN),
        R::Remind => rule(driving::remind, driving::have_announced_again, Duration::MAX),
        R::Cure => rule(peers::cure, peers::cure_entries, CURE).asks(CURE),
        R::TwoViews => rule(peers::two_views, peers::restart_pair, STOP_AGAIN),
        R::Disowned => rule(peers::disowned, peers::publish, CURE),
        R::Audit => rule(peers::audit, peers::ask_others, AT_ONCE).asks(DISOWNED),
        R::Watch => rule(slave::watch, slave::ask_one_seldom, AT_ONCE),
        R::Survey => rule(driving::survey, driving::survey_all, AT_ONCE),
        R::StayStopped => rule(merging::stays_stopped, merging::stop_longer, RENEW),
    }
}

const fn drain(row: Row) -> Rule {
    let condition = if matches!(row, Row::DrainLeaver) { merging::drain_leaver } else { merging::drain };
    rule(condition, merging::stop_drained, AGAIN).asks(AGAIN)
}
