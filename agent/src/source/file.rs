//! An ini file on this host as the source: for clusters whose membership something else keeps, and for tests.

use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;
use std::time::Instant;

use super::{Answered, Source};
use crate::answer::{Answer, Doubt, DoubtKind};
use crate::identity::Identity;

/// Reads the file at every question.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    most: u64,
    /// The last text, and for whom it was read.
    last: Option<(Identity, String)>,
}

impl FileSource {
    /// The file, and the most bytes it may have.
    pub fn new(path: PathBuf, most: u64) -> Self {
        Self { path, most, last: None }
    }

    fn read(&mut self, identity: &Identity) -> Result<Answer, Doubt> {
        let unreachable = |error: std::io::Error| {
            let kind = if error.kind() == ErrorKind::InvalidData {
                DoubtKind::Unreadable
            } else {
                DoubtKind::Unreachable
            };
            Doubt::new(kind, format!("cannot read {}: {error}", self.path.display()))
        };
        let mut text = String::new();
        let file = std::fs::File::open(&self.path).map_err(unreachable)?;
        file.take(self.most + 1).read_to_string(&mut text).map_err(unreachable)?;
        if text.len() as u64 > self.most {
            let text = format!("{} has more than {} bytes", self.path.display(), self.most);
            return Err(Doubt::new(DoubtKind::Unreadable, text));
        }
        if self.last.as_ref().is_some_and(|(whose, last)| whose == identity && *last == text) {
            return Ok(Answer::Unchanged);
        }
        self.last = Some((identity.clone(), text.clone()));
        Ok(Answer::Ini(text))
    }
}

impl Source for FileSource {
    async fn ask(&mut self, identity: &Identity) -> Answered {
        let start = Instant::now();
        let result = self.read(identity);
        Answered::new(identity, result, start.elapsed())
    }
}
