//! Reasons and sentences of the ring change, for `status`, the log and the operator.

use std::time::Duration;

use derive_more::Display;
use strum::{IntoStaticStr, VariantNames};

use super::action::{Action, Command, Order};
use super::inputs::ServerId;
use super::prediction::Prediction;
use super::progress::{Progress, Stage};
use crate::chmpx_state::NodeStatus;
use crate::clock::spoken;

/// Reason for which a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "ring-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Hold {
    #[display(
        "{_0} leaves merges to its chmpx (AUTOMERGE is on): set merge.by to \"agents\" on every server"
    )]
    RunsAutomerge(ServerId),
    #[display("{server} is {status}")]
    NotReady { server: ServerId, status: NodeStatus },
    #[display("the list of {server} lacks {lacks}")]
    ListIsNotWhole { server: ServerId, lacks: ServerId },
    #[display(
        "the {of} would stop the ring for {}, and merge.longest-stop is {}: confirm it with `k2hdkc-agent confirm {of}`",
        spoken(*predicted),
        spoken(*limit)
    )]
    TooLong { of: Announcement, predicted: Duration, limit: Duration },
    #[display("REPLICA {replicas} is too much for {after} servers: lower it to {}", after.saturating_sub(1))]
    ReplicasWrap { after: usize, replicas: u32 },
    #[display(
        "another server leaves first: REPLICA {replicas} needs more than {after} servers to leave at once"
    )]
    LeavesInTurn { after: usize, replicas: u32 },
    #[display("it is the last server of the ring, and holds the only copy")]
    LastServer,
    #[display(
        "the change waits: the lists of the servers differ about {}, and chmpx would not merge",
        names(_0)
    )]
    ListsDiffer(Vec<ServerId>),
    #[display("the change waits: {}", lost(unknown, down))]
    Lost { unknown: Vec<ServerId>, down: Vec<ServerId> },
}

/// Change that a server announces of itself, by its name for `k2hdkc-agent confirm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, strum::EnumString)]
#[display(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Announcement {
    Join,
    Leave,
}

/// Cost of the leave of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[display(
    "{predicted}; merge.longest-stop is {}{}",
    spoken(*longest_stop),
    if *is_held { ", so it waits for 'k2hdkc-agent confirm leave'" } else { "" }
)]
#[allow(missing_docs, reason = "the sentence says what each means")]
pub struct LeaveCost {
    pub predicted: Prediction,
    pub longest_stop: Duration,
    pub is_held: bool,
}

/// Reason for which chmpx runs the merges although they are the agents' by the settings.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum ByChmpx {
    #[display("{}", Hold::RunsAutomerge(_0.clone()))]
    Insists(ServerId),
    #[display(
        "DELIVERMODE is random, and chmpx loads such a file with AUTOMERGE on only: it runs the merges, whatever merge.by is"
    )]
    DeliversAtRandom,
}

fn lost(unknown: &[ServerId], down: &[ServerId]) -> String {
    let part = |ids: &[ServerId], is: &str| (!ids.is_empty()).then(|| format!("{} {is}", names(ids)));
    let parts = [part(unknown, "did not answer"), part(down, "down or without k2hdkc")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

/// Joins the names of servers.
fn names(ids: &[ServerId]) -> String {
    ids.iter().map(ServerId::as_str).collect::<Vec<_>>().join(", ")
}

impl Hold {
    /// Returns true for an answer that forbids an announcement for a while.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::RunsAutomerge(_) | Self::NotReady { .. } | Self::ListIsNotWhole { .. })
    }

    /// Returns true for a reason that only the operator ends.
    pub(crate) fn needs_operator(&self) -> bool {
        match self {
            Self::RunsAutomerge(_)
            | Self::TooLong { .. }
            | Self::ReplicasWrap { .. }
            | Self::LastServer
            | Self::Lost { .. } => true,
            Self::NotReady { .. }
            | Self::ListIsNotWhole { .. }
            | Self::LeavesInTurn { .. }
            | Self::ListsDiffer(_) => false,
        }
    }
}

/// Reason for which the own pair is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "pair-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum PairEnd {
    #[display("its merge does not move")]
    MergeSticks,
    #[display("every other server lists it as down")]
    ListedAsDown,
    #[display("it is not in service, and another server that runs and it list each other as down")]
    Estranged,
    #[display("its chmpx was continued in the middle of a change, and its list is old")]
    ThawedTooEarly,
    #[display(
        "its chmpx still counts a server that was taken out of the ring, and asks the wrong servers for keys"
    )]
    CountsTheDead,
}

#[derive(Display)]
enum Acting<'a> {
    #[display("nothing")]
    Nothing,
    #[display("ask {}", names(_0))]
    Ask(&'a [ServerId]),
    #[display("send {}", _0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Send(&'a [Order]),
    #[display("stop {_0} for at most {}", spoken(*_1))]
    Stop(&'static str, Duration),
    #[display("continue {_0}")]
    Continue(&'static str),
    #[display("remove the mark of the stop")]
    Unmark,
    #[display("kill and start chmpx and k2hdkc: {_0}")]
    RestartPair(PairEnd),
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let acting = match self {
            Self::Nothing => Acting::Nothing,
            Self::Ask { who, .. } => Acting::Ask(who),
            Self::Send(orders) => Acting::Send(orders),
            Self::Stop { program, limit } => Acting::Stop(program.name(), *limit),
            Self::Continue { program } => Acting::Continue(program.name()),
            Self::Unmark => Acting::Unmark,
            Self::RestartPair(why) => Acting::RestartPair(*why),
        };
        acting.fmt(f)
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, command } = self;
        match command {
            Command::ServiceIn => write!(f, "SERVICEIN to {at}"),
            Command::ServiceOut(id) => write!(f, "SERVICEOUT of {id} to {at}"),
            Command::UpdateStatus => write!(f, "UPDATESTATUS to {at}"),
            Command::Merge => write!(f, "MERGE to {at}"),
            Command::CompMerge => write!(f, "COMPMERGE to {at}"),
            Command::AbortMerge => write!(f, "ABORTMERGE to {at}"),
        }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part =
            |ids: &[ServerId], verb: &str| (!ids.is_empty()).then(|| format!("{verb}: {}", names(ids)));
        let who = [
            part(&self.joining, "joining"),
            part(&self.leaving, "leaving"),
            part(&self.returning, "returning"),
        ];
        let mut text = self.stage.to_string();
        for part in who.into_iter().flatten() {
            text = format!("{text}; {part}");
        }
        if !self.waits_for.is_empty() {
            text = format!("{text}; waiting for {}", names(&self.waits_for));
        }
        if self.attempts > 0 {
            text = format!("{text}; announcements undone: {}", self.attempts);
        }
        match &self.hold {
            Some(hold) => write!(f, "{text}; {hold}"),
            None => f.write_str(&text),
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ByChmpx => "chmpx runs the merges",
            Self::Unseen => "the own chmpx does not answer",
            Self::Calm => "nothing changes",
            Self::Preparing => "a change is prepared",
            Self::BackingOff => "a change was undone, and waits for its next try",
            Self::Announced => "a change is announced",
            Self::Interrupted => "the change waits for a server that is down; the others take requests",
            Self::GoingPending => "the servers go Pending",
            Self::Ready => "every server is Pending, and MERGE is next",
            Self::Merging => "the servers copy",
            Self::Completing => "every server has copied, and COMPMERGE is next",
            Self::Frozen => "chmpx stands still until the change is over",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: [&str; 2]) -> Vec<ServerId> {
        names.map(ServerId::new).to_vec()
    }

    #[test]
    fn a_progress_names_who_changes_and_what_it_waits_for() {
        let progress = Progress {
            stage: Stage::GoingPending,
            serving: 2,
            joining: ids(["c", "d"]),
            leaving: Vec::new(),
            returning: Vec::new(),
            waits_for: vec![ServerId::new("b")],
            since: None,
            attempts: 1,
            hold: Some(Hold::Lost { unknown: vec![ServerId::new("b")], down: Vec::new() }),
            merges: crate::ring_change::Merges::Unknown,
            waits_long: false,
            holds_file: true,
        };
        let text = "the servers go Pending; joining: c, d; waiting for b; announcements undone: 1; the change waits: b did not \
                    answer";
        assert_eq!(progress.to_string(), text);
    }

    #[test]
    fn an_act_names_its_commands_and_limits() {
        let (a, b) = (ServerId::new("a"), ServerId::new("b"));
        let orders = vec![Command::ServiceOut(b.clone()).at(&a), Command::CompMerge.at(&b)];
        assert_eq!(Action::Send(orders).to_string(), "send SERVICEOUT of b to a, COMPMERGE to b");
        let stop =
            Action::Stop { program: crate::supervisor::Program::Chmpx, limit: Duration::from_secs(30) };
        assert_eq!(stop.to_string(), "stop chmpx for at most 30.0 s");
    }
}
