//! The news that the sandbox sends to its display.

use std::path::PathBuf;

use k2hdkc_agent::ring::Mode;
use tokio::sync::{mpsc, watch};

use super::census::Lives;
use super::counters::Meter;
use super::ring::Glimpse;
use super::sightings::Shown;

/// A thing to show.
#[derive(Debug)]
pub(super) enum News {
    /// A line that stays, as far as it fits.
    Line(String),
    /// A line that stays and must stay whole, since it will be copied.
    Whole(String),
    /// The counts that change all the time.
    Counts {
        /// The processes.
        lives: watch::Receiver<Lives>,
        /// The readers.
        meter: Meter,
    },
    /// An event has begun.
    Begins {
        /// Which, counted from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// The title.
        title: String,
    },
    /// All events are over; from now on the user plays.
    Playing,
    /// A node came.
    Came {
        /// The name.
        name: String,
        /// Server or slave.
        mode: Mode,
        /// The directory of its agent's socket.
        runtime: PathBuf,
        /// The observed states of its chmpx.
        glimpses: watch::Receiver<Vec<Glimpse>>,
    },
    /// A node went.
    Went {
        /// The name.
        name: String,
    },
    /// A node has a new file.
    File {
        /// The node.
        of: String,
        /// The content, or the reason why chmpx would not load it.
        shown: Result<Shown, String>,
    },
}

/// The end that tells; clones share one listener.
#[derive(Debug, Clone)]
pub(super) struct Teller(mpsc::UnboundedSender<News>);

impl Teller {
    /// A teller and its listener.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<News>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends news; where nobody listens any more, nobody misses it.
    pub(super) fn tell(&self, news: News) {
        let _ = self.0.send(news);
    }

    /// Sends a line.
    pub(super) fn say(&self, line: impl Into<String>) {
        self.tell(News::Line(line.into()));
    }

    /// Sends several lines.
    pub(super) fn lines(&self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.say(line));
    }
}
