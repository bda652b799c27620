//! The record of a run: one row an event, and the verdict. Plain values.

use std::time::Duration;

use super::cost::Cost;
use super::table;

/// The measures of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The events that were played.
    pub rows: Vec<Row>,
    /// The number of events to play.
    pub of: usize,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// From the start of the run to the end of the event.
    pub at: Duration,
    /// The title.
    pub title: String,
    /// The measures; none where it could not be played to its end.
    pub measured: Option<(Outcome, Cost)>,
    /// The faults: what was not as it must be.
    pub faults: Vec<String>,
}

/// The deeds of the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Times until the files followed, one for each node that had to.
    pub files: Vec<Time>,
    /// Times until each chmpx had the wanted servers in service.
    pub rings: Vec<Time>,
    /// The rest, as sentences for the report.
    pub text: String,
}

/// The time that one node took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    /// The node.
    pub node: String,
    /// The time.
    pub took: Duration,
    /// Records whether the event started its agent.
    pub booted: bool,
}

impl Record {
    /// Checks whether all events were played, and were as they must be.
    pub(super) fn is_good(&self) -> bool {
        self.rows.len() == self.of && self.rows.iter().all(|row| row.faults.is_empty())
    }

    /// The verdict, for people.
    pub(super) fn verdict(&self) -> Vec<String> {
        let cost = self.cost();
        let good = self.rows.iter().filter(|row| row.faults.is_empty()).count();
        let word = if self.is_good() { "good" } else { "FAILED" };
        let missing = match self.of - self.rows.len() {
            0 => String::new(),
            missing => format!(", {missing} not played"),
        };
        let first = format!("verdict: {word}: {good} of {} events as they must be{missing}", self.of);
        let second = format!("{}; restarts: {}", cost.lost_text(), cost.restarts.text());
        let rest = [cost.counted.line(), second].into_iter().flat_map(|text| table::below(&text));
        [first].into_iter().chain(rest).collect()
    }

    fn cost(&self) -> Cost {
        let costs = self.rows.iter().filter_map(|row| Some(row.measured.as_ref()?.1.clone()));
        // The keys that an event found lost before it are in the sum already.
        Cost { lost_before: 0, ..costs.fold(Cost::default(), Cost::and) }
    }
}

impl Outcome {
    /// The time of the last file.
    pub(super) fn file(&self) -> Option<Duration> {
        last(&self.files)
    }

    /// The time of the last ring.
    pub(super) fn ring(&self) -> Option<Duration> {
        last(&self.rings)
    }
}

/// The greatest time.
pub(super) fn last(times: &[Time]) -> Option<Duration> {
    times.iter().map(|time| time.took).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(faults: &[&str]) -> Row {
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        let measured = Some((Outcome::default(), Cost::default()));
        Row { at: Duration::ZERO, title: "servers 3 -> 4".into(), measured, faults }
    }

    #[test]
    fn a_run_is_good_when_every_event_was_played_without_a_fault() {
        let record = |rows: &[Row], of| Record { rows: rows.to_vec(), of };
        assert!(record(&[row(&[]), row(&[])], 2).is_good());
        assert!(!record(&[row(&[])], 2).is_good());
        assert!(!record(&[row(&[]), row(&["x"])], 2).is_good());
        let verdict = record(&[row(&[]), row(&["x"])], 3).verdict();
        assert_eq!(verdict[0], "verdict: FAILED: 1 of 3 events as they must be, 1 not played");
    }
}
