//! The file that is installed now, as far as it can be read.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::acceptance::{self, Host};
use crate::clock::Timestamp;
use crate::file::{self, FileError};
use crate::ini;
use crate::problem::{self, Problem};
use crate::ring::Ring;

/// The file at the ini's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// No file.
    Missing,
    /// A file that chmpx would refuse.
    Broken(Vec<Problem>),
    /// A file that chmpx would load.
    Present {
        /// Ring of the file.
        ring: Rc<Ring>,
        /// Its generation, where it can be read.
        fileversion: Option<u32>,
    },
}

impl Installed {
    /// Returns the ring of the file, if chmpx would load it.
    pub fn ring(&self) -> Option<&Rc<Ring>> {
        match self {
            Self::Present { ring, .. } => Some(ring),
            Self::Missing | Self::Broken(_) => None,
        }
    }

    /// Its generation.
    pub fn fileversion(&self) -> Option<u32> {
        match self {
            Self::Present { fileversion, .. } => *fileversion,
            Self::Missing | Self::Broken(_) => None,
        }
    }
}

/// Reads the installed file; a second look at an untouched file costs one `stat`.
#[derive(Debug, Default)]
pub struct Look {
    last: Option<(Seen, Rc<Installed>)>,
    /// When somebody last looked.
    looked: Option<Instant>,
    /// When that file was put in its place.
    placed: Option<Instant>,
}

/// Facts that change whenever the file does.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Seen {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Age of the file in its place: an exchange and a rename both change its inode's time. By the
    /// wall clock, which is all that the file has; nothing where that was set back.
    fn age(&self, wall: Timestamp) -> Duration {
        let ms = self.changed.0.saturating_mul(1000).saturating_add(self.changed.1 / 1_000_000);
        wall.since(Timestamp(u64::try_from(ms).unwrap_or_default()))
    }
}

impl Look {
    /// Looks at `path` at that moment of the wall clock.
    ///
    /// # Errors
    ///
    /// The path must not be replaced, or cannot be read.
    pub fn at(&mut self, path: &Path, wall: Timestamp) -> Result<Rc<Installed>, FileError> {
        let seen = file::examine(path)?.map(|metadata| Seen::of(&metadata));
        let now = Instant::now();
        let known = self.last.take().filter(|(last, _)| Some(last) == seen.as_ref());
        if let Some(seen) = seen.as_ref().filter(|_| known.is_none()) {
            self.placed = now.checked_sub(self.age_of_other(seen, wall));
        }
        self.looked = Some(now);
        let (seen, installed) = match (seen, known) {
            (_, Some(known)) => known,
            (None, None) => return Ok(Rc::new(Installed::Missing)),
            (Some(seen), None) => (seen, Rc::new(read_bytes(&file::read(path)?))),
        };
        Ok(Rc::clone(&self.last.insert((seen, installed)).1))
    }

    /// Age of the file in its place; `None` where there is no file, or one from before all that
    /// tokio's clock can say.
    pub fn age(&self, path: &Path, wall: Timestamp) -> Option<Duration> {
        let seen = Seen::of(&file::examine(path).ok()??);
        if self.last.as_ref().is_some_and(|(last, _)| *last == seen) {
            return self.placed.map(|placed| placed.elapsed());
        }
        Some(self.age_of_other(&seen, wall))
    }

    /// The age of a file that was not there at the last look: not more than the time since then, whatever the wall clock says.
    fn age_of_other(&self, seen: &Seen, wall: Timestamp) -> Duration {
        let most = self.looked.map_or(Duration::MAX, |looked| looked.elapsed());
        seen.age(wall).min(most)
    }
}

/// Reads a file with these bytes as chmpx would.
pub fn read_bytes(bytes: &[u8]) -> Installed {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Installed::Broken(vec![Problem::refused(None, "not UTF-8")]);
    };
    let reading = acceptance::read(&ini::parse(text), &Host::default());
    if reading.loads() {
        Installed::Present { fileversion: reading.fileversion, ring: Rc::new(reading.ring) }
    } else {
        Installed::Broken(problem::split(reading.problems).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_came_a_moment_ago_is_young_whatever_the_wall_clock_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k2hdkc.ini");
        let (hour, second) = (Duration::from_hours(1), Duration::from_secs(1));
        let place = |text: &[u8]| {
            file::store(&path, text).unwrap();
            Timestamp::now()
        };
        let mut look = Look::default();
        let wall = place(b"one");
        assert!(look.age(&path, wall).unwrap() < hour, "the only thing that is known at a first look");
        look.at(&path, wall.after(hour)).unwrap();
        assert!(look.age(&path, wall).unwrap() > hour.saturating_sub(second));
        // Stepped by an hour after the look, or set back.
        for (text, forward) in [(&b"two"[..], true), (b"three", false)] {
            let placed = place(text);
            let wall = if forward { placed.after(hour) } else { placed.before(hour) };
            tokio::time::advance(second).await;
            assert!(look.age(&path, wall).unwrap() <= second, "{wall}");
            look.at(&path, wall).unwrap();
            let seen = look.age(&path, wall).unwrap();
            assert!(seen <= second, "{wall}");
            tokio::time::advance(second).await;
            assert_eq!(
                look.age(&path, wall.after(hour)).unwrap(),
                seen + second,
                "from then on nobody sets it"
            );
        }
        file::remove(&path).unwrap();
        assert_eq!(look.age(&path, wall), None);
    }
}
