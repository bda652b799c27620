//! Lines that say the same again and again: the first is copied, and the others are counted. The count is told at growing
//! intervals, and at the end. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::spoken;

/// From the copy of a line to its first count, from that to the next one, and so on.
const INTERVALS: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(10), Duration::from_mins(60)];

/// A line that was not heard for so long is copied again.
const QUIET: Duration = Duration::from_mins(10);

/// Kinds of lines that are known at once; of more, the one that was silent for longest is let go.
const MOST_KINDS: usize = 64;

/// See the module. `T` is what the owner must know of a kind to tell its count.
#[derive(Debug)]
pub(crate) struct Repeats<T> {
    kinds: BTreeMap<String, Kind<T>>,
    /// Counts of kinds that were let go.
    left: Vec<Count<T>>,
}

#[derive(Debug)]
struct Kind<T> {
    tag: T,
    /// The last of its lines.
    text: String,
    heard: Instant,
    /// When it was copied, or its count was told, and how many came since.
    told: Instant,
    more: u32,
    /// Number of counts so far.
    times: usize,
}

/// Repetitions of a line since it was copied, or counted, last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count<T> {
    /// As its owner gave it.
    pub tag: T,
    /// The line with its count.
    pub text: String,
    /// When it was counted.
    pub at: Instant,
}

impl<T> Default for Repeats<T> {
    fn default() -> Self {
        Self { kinds: BTreeMap::new(), left: Vec::new() }
    }
}

impl<T: Copy> Repeats<T> {
    /// Takes in a line of this kind; whether it is to be copied.
    pub(crate) fn hear(&mut self, kind: &str, text: &str, tag: T, now: Instant) -> bool {
        if let Some(known) = self.kinds.get_mut(kind) {
            if now.duration_since(known.heard) < QUIET {
                (known.heard, known.tag) = (now, tag);
                known.more = known.more.saturating_add(1);
                text.clone_into(&mut known.text);
                return false;
            }
            self.let_go(kind, now);
        } else if self.kinds.len() >= MOST_KINDS {
            let oldest = self.kinds.iter().min_by_key(|(_, kind)| kind.heard).map(|(kind, _)| kind.clone());
            if let Some(kind) = oldest {
                self.let_go(&kind, now);
            }
        }
        let text = text.to_owned();
        self.kinds.insert(kind.to_owned(), Kind { tag, text, heard: now, told: now, more: 0, times: 0 });
        true
    }

    /// When a count is to be told next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let counts = self.kinds.values().filter(|kind| kind.more > 0).map(Kind::due);
        // What was let go is due since then.
        counts.chain(self.left.first().map(|count| count.at)).min()
    }

    /// The counts that are due.
    pub(crate) fn counted(&mut self, now: Instant) -> Vec<Count<T>> {
        let mut counts = std::mem::take(&mut self.left);
        for kind in self.kinds.values_mut().filter(|kind| kind.more > 0 && kind.due() <= now) {
            counts.extend(kind.count(now));
            (kind.told, kind.more, kind.times) = (now, 0, kind.times + 1);
        }
        counts
    }

    /// All counts. Every line is a new one from now on.
    pub(crate) fn end(&mut self, now: Instant) -> Vec<Count<T>> {
        let kinds = std::mem::take(&mut self.kinds);
        let left = std::mem::take(&mut self.left);
        left.into_iter().chain(kinds.values().filter_map(|kind| kind.count(now))).collect()
    }

    fn let_go(&mut self, kind: &str, now: Instant) {
        self.left.extend(self.kinds.remove(kind).and_then(|kind| kind.count(now)));
    }
}

impl<T: Copy> Kind<T> {
    fn due(&self) -> Instant {
        self.told + INTERVALS[self.times.min(INTERVALS.len() - 1)]
    }

    fn count(&self, now: Instant) -> Option<Count<T>> {
        let within = spoken(now.saturating_duration_since(self.told));
        let text = format!("again {} times within {within}: {}", self.more, self.text);
        (self.more > 0).then_some(Count { tag: self.tag, text, at: now })
    }
}

/// Kind of a line, apart from its numbers, addresses and times: each word with a digit is one `#`, with what joins them.
pub(crate) fn kind(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        close(&mut out, &word);
        word.clear();
        out.push(c);
    }
    out.pop();
    out
}

/// Ends a word. A number that is joined to the one before is of it, as in an address or a time.
fn close(out: &mut String, word: &str) {
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        out.push_str(word);
        return;
    }
    let joined = out.trim_end_matches(['.', ':', '-', '/']);
    if joined.ends_with('#') {
        out.truncate(joined.len());
    } else {
        out.push('#');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn numbers_addresses_and_times_make_no_other_line() {
        for (one, other) in [
            ("Accept(4283) : Denied 10.79.8.101 - (sock:28)", "Accept(4283) : Denied 10.79.8.4 - (sock:129)"),
            ("at 2026-11-30T12:09:50.135928Z", "at 2027-01-01T00:00:00.000001Z"),
            ("id 0x00007f3bc2a1 of [fe80::1]:8021", "id 0xffff of [2001:db8::17]:80"),
            ("server-12.example.com is down", "server-7.example.com is down"),
        ] {
            assert_eq!(kind(one), kind(other));
        }
        for (one, other) in
            [("errno=9(EBADF)", "errno=11(EAGAIN)"), ("a is down", "b is down"), ("1 - 2", "1 2")]
        {
            assert_ne!(kind(one), kind(other));
        }
        assert_eq!(kind("Denied 10.79.8.101(sock:28):8031 by"), "Denied #(sock:#):# by");
        assert_eq!(kind("ende-1-x ünï 3"), "ende-#-x ünï #");
    }

    #[test]
    fn the_first_is_copied_and_the_others_are_counted_at_growing_intervals() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        let (mut copied, mut told) = (0, Vec::new());
        for second in 0..7200_u32 {
            let now = begun + second * SECOND;
            copied += u32::from(repeats.hear("x #", &format!("x {second}"), (), now));
            told.extend(repeats.counted(now).into_iter().map(|count| (second, count.text)));
        }
        assert_eq!(copied, 1);
        let told: Vec<_> = told.iter().map(|(second, text)| (*second, text.as_str())).collect();
        assert_eq!(
            told,
            [
                (60, "again 60 times within 1 min 0 s: x 60"),
                (660, "again 600 times within 10 min 0 s: x 660"),
                (4260, "again 3600 times within 1 h 0 min: x 4260"),
            ]
        );
        assert_eq!(repeats.due(), Some(begun + 7860 * SECOND));
        let end = repeats.end(begun + 7200 * SECOND);
        let text = "again 2939 times within 49 min 0 s: x 7199".into();
        assert_eq!(end, [Count { tag: (), text, at: begun + 7200 * SECOND }]);
        assert!(repeats.hear("x #", "x", (), begun + 7200 * SECOND), "it begins anew");
    }

    #[test]
    fn what_was_silent_for_long_is_copied_again_and_what_came_before_is_not_lost() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        assert!(repeats.hear("x", "x", 1, begun));
        assert_eq!(repeats.due(), None, "there is nothing to count");
        assert!(!repeats.hear("x", "x", 2, begun + SECOND));
        let later = begun + SECOND + QUIET;
        assert!(repeats.hear("x", "x", 3, later));
        let count = Count { tag: 2, text: "again 1 times within 10 min 1 s: x".into(), at: later };
        assert_eq!((repeats.counted(later), repeats.due()), (vec![count], None));
    }

    #[test]
    fn of_too_many_kinds_the_oldest_is_let_go_with_its_count() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        for _ in 0..2 {
            repeats.hear("oldest", "oldest", (), begun);
        }
        for number in 0..1000_u32 {
            assert!(repeats.hear(&number.to_string(), "x", (), begun + (number + 1) * SECOND));
        }
        assert_eq!((repeats.kinds.len(), repeats.counted(begun).len()), (MOST_KINDS, 1));
    }
}
