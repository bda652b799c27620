//! The course of one change, as this node sees it from look to look: its begin and its end, once each, and the time that it took.
//! Pure.

mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::inputs::ServerId;
use super::prediction::Prediction;
use super::progress::{Progress, Stage};
use super::timing;

/// Follows the changes of the ring.
#[derive(Debug, Default)]
pub struct Course {
    /// Servers of the ring when it was last calm.
    calm: Option<usize>,
    running: Option<Running>,
}

/// A change under way.
#[derive(Debug)]
struct Running {
    begun: Begun,
    begun_at: Instant,
    stop: Span,
    merge: Span,
    /// Time after which the copy was cut off; zero where it was not.
    cut: Duration,
    /// True where chmpx of this slave has stood still: the stop is that time.
    frozen: bool,
}

/// Time in which something was so at each look.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    since: Option<Instant>,
    before: Duration,
}

/// News of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A change begins.
    Begun(Begun),
    /// A change has ended.
    Ended(Ended),
}

/// A change that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// Servers of the ring before; `None` where this agent has not seen it calm.
    pub from: Option<usize>,
    /// The servers that change.
    pub who: Who,
    /// Prediction of the change.
    pub predicted: Option<Prediction>,
}

/// The servers that change in one change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Servers that join.
    pub joining: BTreeSet<String>,
    /// Servers that leave.
    pub leaving: BTreeSet<String>,
    /// Servers that come back.
    pub returning: BTreeSet<String>,
}

/// A change that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    /// Servers of the ring before; `None` where this agent has not seen it calm.
    pub from: Option<usize>,
    /// Servers of the ring now.
    pub to: usize,
    /// The servers that changed.
    #[serde(flatten)]
    pub who: Who,
    /// Prediction of the change.
    pub predicted: Option<Prediction>,
    /// Time in which no server took a request; on a slave the time in which its chmpx stood still.
    #[serde(rename = "stop-ms", with = "crate::clock::millis")]
    pub stop: Duration,
    /// Time of the copy.
    #[serde(rename = "copy-ms", with = "crate::clock::millis")]
    pub copy: Duration,
    /// Time after which the copy was cut off, since slaves stood still; zero where it was not.
    #[serde(rename = "cut-ms", default, with = "crate::clock::millis")]
    pub cut: Duration,
    /// The result.
    pub result: Outcome,
}

/// Result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The ring is as it was to be.
    Done,
    /// The ring is another than announced: some or all of it was taken back.
    Undone,
}

impl Course {
    /// Takes one look in.
    pub fn follow(
        &mut self,
        progress: &Progress,
        predicted: Option<Prediction>,
        now: Instant,
    ) -> Option<News> {
        match progress.stage {
            Stage::Unseen => None,
            Stage::ByChmpx => {
                *self = Self::default();
                None
            }
            Stage::Calm | Stage::Preparing | Stage::BackingOff => {
                let ended = self.running.take().map(|running| running.end(progress.serving, now));
                self.calm = Some(progress.serving);
                ended.map(News::Ended)
            }
            Stage::Announced
            | Stage::Interrupted
            | Stage::GoingPending
            | Stage::Ready
            | Stage::Merging
            | Stage::Completing
            | Stage::Frozen => self.go_on(progress, predicted, now),
        }
    }

    fn go_on(&mut self, progress: &Progress, predicted: Option<Prediction>, now: Instant) -> Option<News> {
        let is_new = self.running.is_none();
        let from = self.calm;
        let running = self.running.get_or_insert_with(|| Running {
            begun: Begun { from, who: Who::default(), predicted },
            begun_at: now,
            stop: Span::default(),
            merge: Span::default(),
            cut: Duration::ZERO,
            frozen: false,
        });
        running.look(progress, now);
        is_new.then(|| News::Begun(running.begun.clone()))
    }
}

impl Running {
    fn look(&mut self, progress: &Progress, now: Instant) {
        self.begun.who.follow(progress);
        self.frozen |= progress.stage == Stage::Frozen;
        let stops = match progress.stage {
            Stage::Frozen => true,
            Stage::GoingPending | Stage::Ready | Stage::Merging | Stage::Completing => !self.frozen,
            _ => false,
        };
        if progress.stage == Stage::Interrupted {
            // The time that a death has cost says nothing of the next change.
            (self.stop, self.merge) = (Span::default(), Span::default());
        }
        self.stop.see(stops, now);
        self.follow_cut(progress, now);
        self.merge.see(progress.stage == Stage::Merging, now);
    }

    /// Notes a copy that was ended at the limit of the change. One that stands still is ended sooner, and shows nothing.
    ///
    /// Statuses of the merge that was ended may come behind its end, so only a copy that is whole shows that nothing was cut off.
    fn follow_cut(&mut self, progress: &Progress, now: Instant) {
        let before_merge = matches!(progress.stage, Stage::Announced | Stage::GoingPending | Stage::Ready);
        let announced = !progress.joining.is_empty() || !progress.leaving.is_empty();
        match self.merge.since {
            Some(since) if before_merge && self.is_overdue(now) => {
                let copied = now.saturating_duration_since(since);
                let is_cut = copied > timing::COPIES;
                self.cut = self.cut.max(if is_cut { copied } else { Duration::ZERO });
            }
            _ if progress.stage == Stage::Completing && announced => self.cut = Duration::ZERO,
            _ => {}
        }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun_at) >= timing::OVERDUE
    }

    fn end(mut self, to: usize, now: Instant) -> Ended {
        self.stop.see(false, now);
        self.merge.see(false, now);
        let is_overdue = self.is_overdue(now);
        let Begun { from, who, predicted } = self.begun;
        // A slave that stands still sees the begin only, so the number is not compared with that of the servers that it saw.
        let moves = who.joining.len() != who.leaving.len();
        let undone = moves && from == Some(to);
        let done = moves && from.is_some_and(|from| from + who.joining.len() == to + who.leaving.len());
        let stop = self.stop.before;
        let cut = match () {
            () if done => Duration::ZERO,
            // A slave that stands still sees no copy.
            () if undone && self.frozen && is_overdue => self.cut.max(stop),
            () => self.cut,
        };
        let result = if undone || !cut.is_zero() { Outcome::Undone } else { Outcome::Done };
        Ended { from, to, who, predicted, stop, copy: self.merge.before, cut, result }
    }
}

impl Who {
    /// Takes the servers of one look. Between SERVICEOUT and SERVICEIN a server that stays looks like one that leaves, so the first
    /// look counts, and those at which all are Pending.
    fn follow(&mut self, progress: &Progress) {
        let names = |ids: &[ServerId]| ids.iter().map(|id| id.as_str().to_owned()).collect();
        let all_pending = matches!(progress.stage, Stage::Ready | Stage::Merging | Stage::Completing);
        let announced = !progress.joining.is_empty() || !progress.leaving.is_empty();
        if announced && (self.is_empty() || all_pending) {
            (self.joining, self.leaving) = (names(&progress.joining), names(&progress.leaving));
        } else if self.is_empty() {
            self.returning = names(&progress.returning);
        }
    }

    /// Returns true where nobody joins or leaves.
    pub fn is_empty(&self) -> bool {
        self.joining.is_empty() && self.leaving.is_empty()
    }
}

impl Span {
    fn see(&mut self, is_so: bool, now: Instant) {
        match (is_so, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.before = self.before.saturating_add(now.saturating_duration_since(since));
                self.since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREDICTED: Prediction = Prediction { keys: Some(20_000), stop: Duration::from_secs(7) };

    /// A look: its time, the stage, the number of servers, and those that join and leave.
    type Look<'a> = (u64, Stage, usize, &'a [&'a str], &'a [&'a str]);

    /// News of those looks.
    fn news(looks: &[Look<'_>]) -> Vec<News> {
        let (begin, mut course) = (Instant::now(), Course::default());
        let ids = |names: &[&str]| names.iter().map(|name| ServerId::new(name)).collect::<Vec<_>>();
        let look = |(ms, stage, serving, joining, leaving): &Look<'_>| {
            let (joining, leaving) = (ids(joining), ids(leaving));
            let progress =
                Progress { stage: *stage, serving: *serving, joining, leaving, ..Progress::default() };
            course.follow(&progress, Some(PREDICTED), begin + Duration::from_millis(*ms))
        };
        looks.iter().filter_map(look).collect()
    }

    fn who(joining: &[&str], leaving: &[&str]) -> Who {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Who { joining: set(joining), leaving: set(leaving), returning: BTreeSet::new() }
    }

    fn ended(from: Option<usize>, to: usize, who: Who, (stop, copy): (u64, u64), result: Outcome) -> News {
        let (stop, copy) = (Duration::from_millis(stop), Duration::from_millis(copy));
        let cut = Duration::ZERO;
        News::Ended(Ended { from, to, who, predicted: Some(PREDICTED), stop, copy, cut, result })
    }

    fn cut_of(looks: &[Look<'_>]) -> (u128, Outcome) {
        match news(looks).pop() {
            Some(News::Ended(ended)) => (ended.cut.as_millis(), ended.result),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_join_begins_and_ends_once_with_the_time_of_its_stop_and_of_its_copy() {
        let d: &[&str] = &["d"];
        let looks = [
            (0, Stage::Calm, 3, &[][..], &[][..]),
            (100, Stage::Announced, 3, d, &[]),
            // A server that stays is between SERVICEOUT and SERVICEIN.
            (700, Stage::GoingPending, 3, d, &["b"]),
            (1500, Stage::Ready, 3, d, &[]),
            (1600, Stage::Merging, 3, d, &[]),
            (1900, Stage::Unseen, 0, &[], &[]),
            (2600, Stage::Completing, 3, d, &[]),
            (2700, Stage::Calm, 4, &[], &[]),
            (2800, Stage::Calm, 4, &[], &[]),
        ];
        let begun = Begun { from: Some(3), who: who(d, &[]), predicted: Some(PREDICTED) };
        let end = ended(Some(3), 4, who(d, &[]), (2000, 1000), Outcome::Done);
        assert_eq!(news(&looks), [News::Begun(begun), end]);
    }

    #[test]
    fn a_change_that_was_taken_back_is_undone_and_one_without_a_begin_counts_no_servers() {
        let d: &[&str] = &["d"];
        let looks = [
            (0, Stage::Calm, 3, &[][..], &[][..]),
            (100, Stage::Announced, 3, d, &[]),
            (9000, Stage::BackingOff, 3, &[], &[]),
        ];
        assert_eq!(news(&looks)[1], ended(Some(3), 3, who(d, &[]), (0, 0), Outcome::Undone));
        let looks = [(0, Stage::Merging, 4, &[][..], d), (500, Stage::Calm, 3, &[], &[])];
        assert_eq!(news(&looks)[1], ended(None, 3, who(&[], d), (500, 500), Outcome::Done));
    }

    #[test]
    fn the_stop_of_a_slave_is_the_time_in_which_its_chmpx_stands_still() {
        let d: &[&str] = &["d"];
        let looks = [
            (0, Stage::Calm, 4, &[][..], &[][..]),
            (100, Stage::Announced, 4, &[], d),
            (400, Stage::Frozen, 0, &[], &[]),
            (2400, Stage::Completing, 4, &[], d),
            (3000, Stage::Calm, 3, &[], &[]),
        ];
        assert_eq!(news(&looks)[1], ended(Some(4), 3, who(&[], d), (2000, 0), Outcome::Done));
    }

    #[test]
    fn a_copy_that_is_ended_at_the_limit_of_its_change_was_cut_off() {
        let d: &[&str] = &["d"];
        let cut = |begin, end| {
            [
                (0, Stage::Calm, 3, &[][..], &[][..]),
                (100, Stage::Announced, 3, d, &[]),
                (begin, Stage::Merging, 3, d, &[]),
                (end, Stage::Ready, 3, d, &[]),
                (end + 600, Stage::Merging, 3, &[], &[]),
                (end + 900, Stage::Calm, 3, &[], &[]),
            ]
        };
        assert_eq!(cut_of(&cut(4000, 20_100)), (16_100, Outcome::Undone));
        assert_eq!(cut_of(&cut(4000, 9100)), (0, Outcome::Undone), "it stuck");
        assert_eq!(cut_of(&cut(16_000, 20_100)), (0, Outcome::Undone), "so short a copy shows nothing");
        let mut went_on = cut(4000, 20_100);
        went_on[4].3 = d;
        went_on[5].2 = 4;
        assert_eq!(cut_of(&went_on), (0, Outcome::Done));
        let mut late = cut(4000, 20_100).to_vec();
        late.insert(4, (20_500, Stage::Merging, 3, d, &[]));
        late.insert(5, (21_200, Stage::Ready, 3, d, &[]));
        assert_eq!(cut_of(&late), (16_100, Outcome::Undone), "a status of that merge comes behind its end");
        // Two servers that join and leave in one change do not show in the number.
        let replaced =
            cut(4000, 20_100).map(|(at, stage, serving, joining, _)| (at, stage, serving, joining, joining));
        assert_eq!(cut_of(&replaced), (16_100, Outcome::Undone));
    }

    #[test]
    fn a_slave_that_stood_still_to_the_limit_of_an_undone_change_takes_that_for_the_copy() {
        let d: &[&str] = &["d"];
        let stood = |end, to| {
            [
                (0, Stage::Calm, 3, &[][..], &[][..]),
                (100, Stage::Announced, 3, d, &[]),
                (400, Stage::Frozen, 0, &[], &[]),
                (end, Stage::Calm, to, &[], &[]),
            ]
        };
        assert_eq!(cut_of(&stood(22_400, 3)), (22_000, Outcome::Undone));
        assert_eq!(cut_of(&stood(12_400, 3)), (0, Outcome::Undone));
        assert_eq!(cut_of(&stood(22_400, 4)), (0, Outcome::Done));
    }

    #[test]
    fn a_ring_whose_merges_chmpx_runs_has_no_news() {
        let looks = [(0, Stage::Calm, 3, &[][..], &[][..]), (1, Stage::ByChmpx, 3, &[], &[])];
        assert_eq!(news(&looks), []);
    }
}
