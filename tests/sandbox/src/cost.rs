//! The cost of an event for the ring and its users, and whether that is too much. Pure.

use std::time::Duration;

use super::counters::Counted;
use super::traffic::Lost;

/// The cost of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Processes that were followed by another one.
    pub restarts: Restarts,
    /// Keys that could not be read at the end of the event and could before it, each with what came instead, through any
    /// slave.
    pub lost: Lost,
    /// Keys that were lost before the event and still are.
    pub lost_before: usize,
    /// Keys that were written before.
    pub keys: usize,
    /// The counts of the readers meanwhile.
    pub counted: Counted,
    /// The last thing that did not go well for a reader.
    pub trouble: String,
}

/// Restarts by program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    /// Of chmpx.
    pub chmpx: usize,
    /// Of k2hdkc.
    pub k2hdkc: usize,
    /// Of agents.
    pub agents: usize,
}

impl Restarts {
    fn and(self, later: Self) -> Self {
        Self {
            chmpx: self.chmpx + later.chmpx,
            k2hdkc: self.k2hdkc + later.k2hdkc,
            agents: self.agents + later.agents,
        }
    }

    /// The programs that restarted, for a column.
    pub(super) fn short(self) -> String {
        let counts = [(self.chmpx, "chmpx"), (self.k2hdkc, "k2hdkc"), (self.agents, "agent")];
        let words: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| if count == 1 { name.to_owned() } else { format!("{count} {name}") })
            .collect();
        if words.is_empty() { "-".to_owned() } else { words.join(" ") }
    }

    /// In words.
    pub(super) fn text(self) -> String {
        format!("{} of chmpx, {} of k2hdkc, {} of agents", self.chmpx, self.k2hdkc, self.agents)
    }
}

impl Cost {
    /// Two events together.
    pub(super) fn and(mut self, later: Self) -> Self {
        self.restarts = self.restarts.and(later.restarts);
        self.lost.extend(later.lost);
        self.lost_before = later.lost_before;
        self.keys = later.keys;
        self.counted = self.counted.and(later.counted);
        self.trouble = later.trouble;
        self
    }

    /// Lists what is too much, where the event itself brings about exactly those restarts.
    pub(super) fn faults(&self, expected: Restarts) -> Vec<String> {
        let Counted { failed, broken, unwritten, reads, .. } = self.counted;
        let mut faults = Vec::new();
        if self.restarts != expected {
            let (were, should) = (self.restarts.text(), expected.text());
            faults.push(format!("restarts: {were}; expected: {should}"));
        }
        if let Some(first) = self.lost.values().next() {
            faults.push(format!("{}: {first}", self.lost_text()));
        }
        if self.keys == 0 || reads == 0 {
            faults.push("nothing was read".to_owned());
        }
        let counted = [(failed, "reads failed"), (unwritten, "writes failed"), (broken, "handles broke")];
        for (count, what) in counted.into_iter().filter(|(count, _)| *count > 0) {
            faults.push(format!("{count} {what}, the last one: {}", self.trouble));
        }
        faults
    }

    /// The keys that were lost, in words.
    pub(super) fn lost_text(&self) -> String {
        let before = match self.lost_before {
            0 => String::new(),
            lost => format!(" (besides {lost} that were lost before)"),
        };
        format!("{} of {} keys lost{before}", self.lost.len(), self.keys)
    }
}

/// A time with one digit behind the point where that says something.
pub(super) fn milliseconds(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    } else {
        format!("{} ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Cost {
        let counted = Counted { reads: 100, longest: Duration::from_millis(3), ..Counted::default() };
        Cost { keys: 300, counted, ..Cost::default() }
    }

    #[test]
    fn a_good_event_costs_nothing() {
        let none = Restarts::default();
        assert_eq!(good().faults(none), Vec::<String>::new());
        assert_eq!((good().lost_text(), good().restarts.short()), ("0 of 300 keys lost".into(), "-".into()));
        assert_eq!(Restarts { chmpx: 1, k2hdkc: 2, agents: 0 }.short(), "chmpx 2 k2hdkc");
    }

    #[test]
    fn every_loss_is_a_fault() {
        let none = Restarts::default();
        let one = Restarts { chmpx: 1, ..none };
        let (mut restarted, mut lost, mut failed, mut broken, mut unwritten) =
            (good(), good(), good(), good(), good());
        restarted.restarts = one;
        lost.lost = Lost::from([("a".into(), "a has no value".into())]);
        failed.counted.failed = 1;
        broken.counted.broken = 1;
        unwritten.counted.unwritten = 1;
        for cost in [&restarted, &lost, &failed, &broken, &unwritten, &Cost::default()] {
            assert_eq!(cost.faults(none).len(), 1, "{cost:?}");
        }
        assert_eq!(restarted.faults(one), Vec::<String>::new());
        assert_eq!(good().faults(one).len(), 1, "a restart that should be and was not");
        assert_eq!(lost.faults(none), ["1 of 300 keys lost: a has no value"]);
    }

    #[test]
    fn what_was_lost_before_is_told_and_is_no_fault_of_this_event() {
        let cost = Cost { lost_before: 74, ..good() };
        assert_eq!(cost.faults(Restarts::default()), Vec::<String>::new());
        assert_eq!(cost.lost_text(), "0 of 300 keys lost (besides 74 that were lost before)");
        let both = good().and(cost.clone()).and(cost);
        assert_eq!(both.lost_before, 74, "those are the same keys");
    }

    #[test]
    fn a_retry_that_helped_is_told_and_is_no_fault() {
        let mut cost = good();
        cost.counted.retries = 2;
        assert_eq!(cost.faults(Restarts::default()), Vec::<String>::new());
        assert!(cost.counted.line().contains("2 tried again"), "{}", cost.counted.line());
    }
}
