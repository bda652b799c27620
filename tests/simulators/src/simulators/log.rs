//! The lines of the programs on stderr, at the level of `-d`, in the form of the real ones; no time stamps.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The level of the log (`-d`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No line.
    Silent,
    /// Errors.
    Err,
    /// Warnings.
    Wan,
    /// Messages.
    Msg,
    /// The whole.
    Dump,
}

const LEVELS: [(Level, &str, &str); 5] = [
    (Level::Silent, "SLT", "silent"),
    (Level::Err, "ERR", "err"),
    (Level::Wan, "WAN", "wan"),
    (Level::Msg, "MSG", "msg"),
    (Level::Dump, "DMP", "dump"),
];

impl Level {
    /// Reads the word behind `-d`, in any case.
    pub fn read(word: &str) -> Option<Self> {
        let found = LEVELS
            .iter()
            .find(|(_, short, long)| word.eq_ignore_ascii_case(short) || word.eq_ignore_ascii_case(long));
        let alias = word.eq_ignore_ascii_case("info").then_some(Self::Msg);
        found.map(|(level, ..)| *level).or(alias)
    }
}

/// The log of one process. Clones share the level, so that SIGUSR1 turns all of them.
#[derive(Debug, Clone)]
pub struct Log {
    program: &'static str,
    level: Arc<AtomicU8>,
}

impl Log {
    /// A log of `program` (`CHMPX`, `K2HDKC`).
    pub fn new(program: &'static str, level: Level) -> Self {
        Self { program, level: Arc::new(AtomicU8::new(level as u8)) }
    }

    /// An error.
    pub fn err(&self, text: impl fmt::Display) {
        self.say(Level::Err, &text);
    }

    /// A warning.
    pub fn wan(&self, text: impl fmt::Display) {
        self.say(Level::Wan, &text);
    }

    /// A message.
    pub fn msg(&self, text: impl fmt::Display) {
        self.say(Level::Msg, &text);
    }

    fn say(&self, level: Level, text: &dyn fmt::Display) {
        if level as u8 <= self.level.load(Ordering::Relaxed) {
            let (_, word, _) = LEVELS[level as usize];
            // A closed stderr is nobody's business.
            let _ = writeln!(std::io::stderr(), "[{}-{word}] {text}", self.program);
        }
    }

    /// The next level, round and round: what SIGUSR1 does.
    pub fn bump(&self) {
        let next = (self.level.load(Ordering::Relaxed) + 1) % 5;
        self.level.store(next, Ordering::Relaxed);
        let (_, word, _) = LEVELS[usize::from(next)];
        say(&format!("MESSAGE: Caught signal SIGUSR1, bumpup the logging level to {word}."));
    }
}

/// A line on stdout.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
