//! The file that is installed now, as far as it can be read.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::acceptance::{self, Host};
use crate::file::{self, FileError};
use crate::ini;
use crate::problem::{self, Problem};
use crate::ring::Ring;

/// What stands at the ini's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// Nothing.
    Missing,
    /// A file that chmpx would refuse.
    Broken(Vec<Problem>),
    /// A file that chmpx would load.
    Present {
        /// What it says.
        ring: Rc<Ring>,
        /// Its generation, where it can be read.
        fileversion: Option<u32>,
    },
}

impl Installed {
    /// What it says, if chmpx would load it.
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
}

/// What changes whenever the file does.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Look {
    /// What stands at `path` now. An error for what must not be replaced, or cannot be read.
    pub fn at(&mut self, path: &Path) -> Result<Rc<Installed>, FileError> {
        let seen = file::examine(path)?.map(|metadata| Seen {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        });
        let known = self.last.take().filter(|(last, _)| Some(last) == seen.as_ref());
        let (seen, installed) = match (seen, known) {
            (_, Some(known)) => known,
            (None, None) => return Ok(Rc::new(Installed::Missing)),
            (Some(seen), None) => (seen, Rc::new(read_bytes(&file::read(path)?))),
        };
        Ok(Rc::clone(&self.last.insert((seen, installed)).1))
    }
}

/// How long ago the file was put in its place, by whomever: an exchange and a rename both change its inode's time. `None`
/// where there is no file, or the host's clock was set back.
pub fn age(path: &Path) -> Option<Duration> {
    let metadata = file::examine(path).ok()??;
    let at = (u64::try_from(metadata.ctime()).ok()?, u32::try_from(metadata.ctime_nsec()).ok()?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    now.checked_sub(Duration::new(at.0, at.1))
}

/// What a file with these bytes says to chmpx.
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
