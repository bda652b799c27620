//! The log: to standard error, as text or JSON, at a level that a reload may change.

#[cfg(test)]
pub(crate) mod heard;

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use crate::settings::{Format, Level, Log};

/// Level of a line that is only known when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// As a warning.
    Warn,
    /// As an event.
    Info,
    /// As a detail.
    Debug,
}

/// The handle to the running log.
#[derive(Debug)]
pub struct Logging {
    level: Option<reload::Handle<Targets, Registry>>,
    /// Steps that `-v` adds.
    louder: u8,
}

impl Logging {
    /// Starts logging. A second start in one process changes nothing.
    pub fn start(log: Log, louder: u8) -> Self {
        let (filter, handle) = reload::Layer::new(filter(log.level, louder));
        let colour = std::io::stderr().is_terminal();
        let plain = fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
        // journald stamps every line itself.
        let journal = std::env::var_os("JOURNAL_STREAM").is_some();
        let layer = match log.format {
            Format::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
            Format::Text if journal => plain.without_time().boxed(),
            Format::Text => plain.boxed(),
        };
        let started = tracing_subscriber::registry().with(filter).with(layer).try_init().is_ok();
        Self { level: started.then_some(handle), louder }
    }

    /// Changes the level. The format stays until the next start.
    pub fn set(&self, log: Log) {
        if let Some(handle) = &self.level {
            // Fails only when the subscriber is gone, and the process with it.
            let _ = handle.modify(|level| *level = filter(log.level, self.louder));
        }
    }
}

/// Libraries are heard from `warn` up: their debug lines tell of sockets, not of the cluster.
fn filter(level: Level, louder: u8) -> Targets {
    let levels =
        [LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];
    let index = (level as usize + usize::from(louder)).min(levels.len() - 1);
    Targets::new()
        .with_target("k2hdkc_agent", levels[index])
        .with_default(levels[index].min(LevelFilter::WARN))
}
