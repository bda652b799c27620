//! What was measured and what failed: plain values, for the tables and the verdict.

use std::time::Duration;

use super::scenario::Then;
use super::toll::Toll;

/// Everything that came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Changes of the roles that every node followed.
    pub scales: Vec<Scale>,
    /// Sick answers.
    pub answers: Vec<Endured>,
    /// What those cost together.
    pub answers_toll: Toll,
    /// Everything else, a title and what came of it.
    pub others: Vec<(String, String)>,
    /// What failed.
    pub failures: Vec<Failure>,
}

/// A change of the roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scale {
    /// Of the event.
    pub title: String,
    /// From the change of the role to the file that shows it, one for each node.
    pub files: Vec<Time>,
    /// From the change of the role to the chmpx that lists exactly the wanted servers, each of them in service.
    pub rings: Vec<Time>,
    /// What it cost.
    pub toll: Toll,
}

/// How long one node took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    /// Which.
    pub node: String,
    /// How long.
    pub took: Duration,
    /// Whether its agent was started by the event.
    pub booted: bool,
}

/// A sick answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endured {
    /// Of the event.
    pub title: String,
    /// How many nodes kept their file and said why.
    pub held: usize,
    /// How many there were.
    pub of: usize,
    /// The line of the first server's status.
    pub reason: String,
    /// From the recovery of K2HR3 to the last node's file that shows what was changed then.
    pub recovered: Option<Duration>,
}

/// An event that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Of the event.
    pub title: String,
    /// What was not as it must be.
    pub what: String,
}

impl Record {
    /// Keeps what an event cost, of which everything else is recorded.
    pub(super) fn charge(&mut self, then: Then, toll: Toll) {
        match then {
            Then::EveryRingFollows => {
                if let Some(scale) = self.scales.last_mut() {
                    scale.toll = toll;
                }
            }
            Then::EveryFileStays => self.answers_toll = std::mem::take(&mut self.answers_toll).and(toll),
            Then::HeldUntilReleased | Then::CaughtUp | Then::BackInOrder | Then::RunsFromKept => {
                if let Some((_, text)) = self.others.last_mut() {
                    text.push('\n');
                    text.push_str(&toll.line());
                }
            }
        }
    }

    /// One line.
    pub(super) fn verdict(&self) -> String {
        if self.failures.is_empty() {
            return "every scale event followed by every node's ring without a restart, no key lost, no read \
                    unserved; every sick answer held and explained"
                .to_owned();
        }
        let failed: Vec<_> = self.failures.iter().map(|f| format!("{}: {}", f.title, f.what)).collect();
        format!("FAILED: {}", failed.join("; "))
    }
}

/// Least, middle and greatest.
pub(super) fn spread(times: impl IntoIterator<Item = Duration>) -> Option<[Duration; 3]> {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    Some([*times.first()?, times[times.len() / 2], *times.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_times_is_least_middle_and_greatest() {
        let seconds = |list: &[u64]| list.iter().map(|s| Duration::from_secs(*s)).collect::<Vec<_>>();
        assert_eq!(spread(seconds(&[])), None);
        assert_eq!(spread(seconds(&[5, 1, 3])).unwrap().to_vec(), seconds(&[1, 3, 5]));
    }

    #[test]
    fn the_verdict_names_every_failure() {
        let mut record = Record::default();
        assert!(record.verdict().starts_with("every scale event followed"));
        record
            .failures
            .push(Failure { title: "servers 3 -> 4".into(), what: "server-1 did not follow".into() });
        assert_eq!(record.verdict(), "FAILED: servers 3 -> 4: server-1 did not follow");
    }
}
