//! Splits the bytes of a pipe into lines, and limits the number of logged ones. Pure.

use tokio::time::{Duration, Instant};

/// Bytes of one line that are kept.
pub(super) const LONGEST: usize = 2000;

/// Lines of one program that are logged within [`WINDOW`]; what is above is counted.
pub(super) const MOST_LINES: u32 = 200;
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// The line that has begun. However long it gets, no more than [`LONGEST`] bytes of it are held.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    /// Hands out every line that ends in these bytes, and whether it was longer than what is handed out.
    pub(super) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], bool)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end]);
            each(&self.line, self.cut);
            self.line.clear();
            self.cut = false;
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.line.len();
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// The lines of the present window.
#[derive(Debug)]
pub(super) struct Flow {
    begun: Instant,
    lines: u32,
}

impl Flow {
    pub(super) fn new(now: Instant) -> Self {
        Self { begun: now, lines: 0 }
    }

    /// Counts a line; whether it is logged.
    pub(super) fn lets_pass(&mut self, now: Instant) -> bool {
        if now.duration_since(self.begun) >= WINDOW && !self.is_over() {
            self.begin(now);
        }
        self.lines = self.lines.saturating_add(1);
        !self.is_over()
    }

    /// True if lines were dropped in this window.
    pub(super) fn is_over(&self) -> bool {
        self.lines > MOST_LINES
    }

    /// Time of the report about dropped lines.
    pub(super) fn told_at(&self) -> Option<Instant> {
        self.is_over().then(|| self.begun + WINDOW)
    }

    /// Begins another window; how many lines were passed over in the one before.
    pub(super) fn begin(&mut self, now: Instant) -> u32 {
        let more = self.lines.saturating_sub(MOST_LINES);
        *self = Self::new(now);
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.take(piece, |line, cut| out.push((line.to_vec(), cut)));
        }
        out
    }

    #[test]
    fn a_line_may_come_in_pieces_and_several_at_once() {
        let expected: Vec<_> =
            ["ab", "", "c\u{fc}", "d"].map(|line| (line.as_bytes().to_vec(), false)).into();
        assert_eq!(lines(&[b"a", b"b\n\nc\xc3", b"\xbc\nd", b"\n"]), expected);
        assert_eq!(lines(&[]), []);
    }

    #[test]
    fn the_rest_of_a_line_that_is_too_long_is_no_further_line() {
        let long = vec![b'x'; 3 * LONGEST];
        let whole = vec![b'x'; LONGEST];
        assert_eq!(lines(&[&long, &long, b"\ny\n"]), [(whole.clone(), true), (b"y".to_vec(), false)]);
        assert_eq!(lines(&[&whole, b"\n"]), [(whole.clone(), false)]);
        let mut held = Lines::default();
        (0..100).for_each(|_| held.take(&long, |_, _| panic!("it has no end")));
        assert!(held.line.capacity() <= 2 * LONGEST, "{}", held.line.capacity());
    }

    #[test]
    fn a_flood_is_counted_until_its_window_ends() {
        let begun = Instant::now();
        let mut flow = Flow::new(begun);
        let passed = (0..1000).filter(|_| flow.lets_pass(begun)).count();
        assert_eq!((passed, flow.told_at()), (200, Some(begun + WINDOW)));
        assert_eq!((flow.begin(begun + WINDOW), flow.told_at()), (800, None));
        let slow = (0..1000).filter(|n| flow.lets_pass(begun + WINDOW + Duration::from_secs(*n))).count();
        assert_eq!(slow, 1000, "a line a second is no flood");
    }
}
