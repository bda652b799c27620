//! The changes of the ring as the ledger keeps them: the rate of the last copy, the last change, and the servers of the ring.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::course::{Ended, Outcome};
use super::prediction::{Prediction, Rate};
use crate::clock::Timestamp;

/// The record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Rate of the last copy that showed one.
    pub rate: Option<Rate>,
    /// The last change that this node saw from its begin to its end.
    pub last: Option<LastChange>,
    /// Stops of the last two such changes in which all servers copied, in milliseconds, the later one behind.
    stops_ms: Vec<u64>,
    /// Least copy to predict since one was cut off, in milliseconds: twice that time, then the time of the last whole one.
    least_copy_ms: Option<u64>,
    /// True where the operator has confirmed the join of this server, however long its change stops the ring.
    join_confirmed: bool,
    /// Servers with a slot when the ring was last calm.
    serving: Option<usize>,
    /// The prediction by which this server began to hold newcomers, while it does.
    pub held: Option<Prediction>,
    /// The change of the number of servers by chmpx's way, since which keys may be out of sight.
    pub hidden: Option<ByChmpx>,
}

/// The last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// Time of its end.
    pub at: Timestamp,
    /// The change.
    #[serde(flatten)]
    pub ended: Ended,
}

/// A change of the number of servers in which those that stayed copied nothing (D10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByChmpx {
    /// Servers before the first such change.
    pub from: usize,
    /// Servers since the last one.
    pub to: usize,
}

impl Record {
    /// Takes a change in that has ended. One in which all servers copied brings every key back into sight.
    pub fn take(&mut self, ended: &Ended, at: Timestamp) {
        let all_copied = ended.result == Outcome::Done && !ended.who.is_empty();
        if all_copied {
            self.hidden = None;
        }
        if all_copied && ended.from.is_some() {
            let keys = ended.predicted.and_then(|predicted| predicted.keys);
            self.rate = keys.and_then(|keys| Rate::of_merge(keys, ended.copy)).or(self.rate);
            self.stops_ms.extend(u64::try_from(ended.stop.as_millis()));
            self.stops_ms.drain(..self.stops_ms.len().saturating_sub(2));
            self.least_copy_ms = self.least_copy_ms.and(u64::try_from(ended.copy.as_millis()).ok());
        }
        self.join_confirmed &= !all_copied;
        if !ended.cut.is_zero() {
            let predicted = ended.predicted.map_or(Duration::ZERO, |predicted| predicted.stop);
            let twice = ended.cut.max(predicted).saturating_mul(2);
            self.least_copy_ms = u64::try_from(twice.as_millis()).ok();
        }
        self.serving = Some(ended.to);
        if ended.from.is_some() {
            self.last = Some(LastChange { at, ended: ended.clone() });
        }
    }

    /// Returns true where this node has seen a change in which all servers copied.
    pub fn has_seen_all_copy(&self) -> bool {
        !self.stops_ms.is_empty()
    }

    /// Returns the shorter stop of the last two changes in which all servers copied: one that an accident made longer says nothing of the
    /// next change.
    pub fn stop(&self) -> Option<Duration> {
        self.stops_ms.iter().min().copied().map(Duration::from_millis)
    }

    /// Keeps whether this server holds newcomers. A prediction that moves while it does is no news.
    pub fn hold(&mut self, held: Option<Prediction>) {
        if self.held.is_some() != held.is_some() {
            self.held = held;
        }
    }

    /// Returns the least prediction of a change, since the copy of one was cut off.
    pub fn least(&self) -> Option<Prediction> {
        self.least_copy_ms.map(|ms| Prediction::by_copy(Duration::from_millis(ms)))
    }

    /// Returns true where the operator has confirmed the join of this server.
    pub fn is_join_confirmed(&self) -> bool {
        self.join_confirmed
    }

    /// Keeps that the operator has confirmed the join of this server.
    pub fn confirm_join(&mut self) {
        self.join_confirmed = true;
    }

    /// Takes in how many servers a calm ring has; `by_chmpx` where their chmpx run the merges.
    pub fn observe(&mut self, serving: usize, by_chmpx: bool) {
        let before = self.serving.replace(serving).filter(|before| *before > 0 && *before != serving);
        if let Some(before) = before.filter(|_| by_chmpx) {
            let from = self.hidden.map_or(before, |hidden| hidden.from);
            self.hidden = Some(ByChmpx { from, to: serving });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring_change::course::Who;
    use crate::ring_change::prediction::Prediction;

    fn ended(from: Option<usize>, to: usize, result: Outcome) -> Ended {
        let who = Who { joining: ["d".to_owned()].into(), ..Who::default() };
        let predicted = Some(Prediction { keys: Some(20_000), stop: Duration::from_secs(7) });
        let (stop, copy) = (Duration::from_secs(8), Duration::from_millis(6400));
        Ended { from, to, who, predicted, stop, copy, cut: Duration::ZERO, result }
    }

    #[test]
    fn a_whole_change_shows_the_rate_and_an_undone_or_half_seen_one_keeps_the_older() {
        let mut record = Record::default();
        record.take(&ended(Some(3), 4, Outcome::Undone), Timestamp(1));
        assert_eq!((record.rate, record.last.is_some()), (None, true));
        record.take(&ended(None, 4, Outcome::Done), Timestamp(2));
        assert_eq!((record.rate, record.last.as_ref().unwrap().at), (None, Timestamp(1)));
        record.take(&ended(Some(3), 4, Outcome::Done), Timestamp(3));
        assert_eq!(record.rate.map(Rate::per_key), Some(Duration::from_micros(300)));
        assert_eq!(
            (record.last.as_ref().unwrap().at, record.stop()),
            (Timestamp(3), Some(Duration::from_secs(8)))
        );
        let back = Ended {
            who: Who { returning: ["d".to_owned()].into(), ..Who::default() },
            ..ended(Some(4), 4, Outcome::Done)
        };
        record.take(
            &Ended { copy: Duration::from_secs(1), stop: Duration::from_secs(2), ..back },
            Timestamp(4),
        );
        assert_eq!(record.rate.map(Rate::per_key), Some(Duration::from_micros(300)), "one server copied");
        assert_eq!(
            (record.last.as_ref().unwrap().at, record.stop()),
            (Timestamp(4), Some(Duration::from_secs(8)))
        );
    }

    #[test]
    fn a_change_that_took_longer_by_an_accident_does_not_count_in_the_next_prediction() {
        let mut record = Record::default();
        let seconds = |record: &Record| record.stop().map(|stop| stop.as_secs());
        let took = |stop| Ended { stop: Duration::from_secs(stop), ..ended(Some(3), 4, Outcome::Done) };
        let mut after = |stop, at| {
            record.take(&took(stop), Timestamp(at));
            seconds(&record)
        };
        assert_eq!([after(4, 1), after(12, 2), after(5, 3)], [Some(4), Some(4), Some(5)]);
        assert_eq!(
            [after(9, 4), after(9, 5)],
            [Some(5), Some(9)],
            "a ring that has grown takes longer each time"
        );
    }

    #[test]
    fn a_copy_that_was_cut_off_counts_twice_and_each_further_time_twice_again_until_a_whole_one_is_seen() {
        let mut record = Record::default();
        let seconds = |record: &Record| record.least().map(|least| least.stop.as_secs());
        record.take(&ended(Some(3), 4, Outcome::Done), Timestamp(1));
        assert_eq!(seconds(&record), None, "a ring whose copies end is predicted by its keys");
        let cut = |predicted| Ended {
            predicted,
            cut: Duration::from_secs(16),
            ..ended(Some(3), 3, Outcome::Undone)
        };
        record.take(&cut(None), Timestamp(2));
        assert_eq!(seconds(&record), Some(33));
        record.confirm_join();
        record.take(&cut(record.least()), Timestamp(3));
        assert_eq!((seconds(&record), record.is_join_confirmed()), (Some(68), true));
        record.take(&ended(Some(3), 4, Outcome::Done), Timestamp(4));
        assert_eq!((seconds(&record), record.is_join_confirmed()), (Some(7), false));
    }

    #[test]
    fn a_server_in_chmpx_s_way_hides_keys_until_the_agents_change_the_ring() {
        let mut record = Record::default();
        record.observe(3, true);
        assert_eq!(record.hidden, None, "the ring was found so");
        record.observe(4, true);
        record.observe(5, true);
        assert_eq!(record.hidden, Some(ByChmpx { from: 3, to: 5 }));
        record.observe(5, false);
        assert!(record.hidden.is_some());
        record.take(&ended(Some(5), 5, Outcome::Undone), Timestamp(5));
        assert!(record.hidden.is_some());
        record.take(&ended(Some(5), 6, Outcome::Done), Timestamp(6));
        assert_eq!(record.hidden, None);
        record.observe(6, true);
        assert_eq!(record.hidden, None, "the agents' change is none of chmpx's");
    }

    #[test]
    fn the_record_is_read_as_it_was_written() {
        let mut record = Record::default();
        record.observe(3, true);
        record.take(&ended(Some(3), 4, Outcome::Done), Timestamp(3));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        assert_eq!(serde_json::from_str::<Record>("{}").unwrap(), Record::default());
    }
}
