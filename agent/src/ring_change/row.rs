//! The rows of the table, in the order in which they are tried.

use strum::VariantArray;

/// A row of the table of [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs, reason = "the table of the module says what each means")]
pub enum Row {
    Takeover,
    Go,
    Thaw,
    Blind,
    Stuck,
    Serve,
    HalfOut,
    Yield,
    LeaveAgain,
    Pend,
    Drain,
    DrainLeaver,
    JoinAlong,
    Join,
    FirstStart,
    Leave,
    Freeze,
    ForcedThaw,
    Unmark,
    CureThawed,
    Recount,
    Lost,
    Withdraw,
    Dismiss,
    Bury,
    Overdue,
    Doing,
    Skipped,
    Complete,
    Align,
    Merge,
    Undo,
    Help,
    Remind,
    Cure,
    TwoViews,
    Disowned,
    Audit,
    Watch,
    Survey,
    StayStopped,
}

impl Row {
    /// Returns true for the rows that announce this server.
    pub(super) fn announces(self) -> bool {
        matches!(self, Self::JoinAlong | Self::Join | Self::FirstStart | Self::Leave)
    }

    /// Returns true for the rows that end a change, or take it back.
    pub(super) fn ends_change(self) -> bool {
        matches!(self, Self::Withdraw | Self::Overdue | Self::Skipped | Self::Complete | Self::Undo)
    }

    /// Returns all rows in the order in which they are tried.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::VARIANTS.iter().copied()
    }
}
