//! The keys of one k2hdkc: in memory, or in a file that survives every end.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};

use k2hdkc_agent::keys::is_off;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chmpx::wire::Record;
use crate::model::id::key_hash;
use crate::model::ring::{self, Item, Micros, Range};
use crate::simulators::place::Place;

/// The keys, and the file that keeps them.
#[derive(Debug, Default)]
pub struct Store {
    keys: ring::Store<String, String>,
    file: Option<File>,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    /// A client wrote it.
    Written(Record),
    /// Another server has sent it.
    Kept(Record),
}

/// The reason why the keys cannot be kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// `[K2HDKC]` asks for something that is not there.
    #[error("K2HTYPE is \"{0}\"")]
    Type(String),
    /// The file, or its directory.
    #[error("could not open k2hash file {path}: {source}")]
    File {
        /// Which, below the root.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

impl Store {
    /// Opens what `[K2HDKC]` asks for: `value` gives the values of its keys, "" for an absent one.
    pub fn open<'a>(value: impl Fn(&str) -> &'a str, place: &Place) -> Result<Self, StoreError> {
        let path = value("K2HFILE");
        match value("K2HTYPE").to_ascii_lowercase().as_str() {
            "" | "m" | "mem" | "memory" if path.is_empty() => {
                let wrong = is_off(value("K2HFULLMAP")) || is_off(value("K2HINIT"));
                if wrong { Err(StoreError::Type("mem".to_owned())) } else { Ok(Self::default()) }
            }
            "m" | "mem" | "memory" | "t" | "temp" | "temporary" => Ok(Self::default()),
            "" | "f" | "file" if !path.is_empty() => Self::of_file(path, place),
            other => Err(StoreError::Type(other.to_owned())),
        }
    }

    fn of_file(path: &str, place: &Place) -> Result<Self, StoreError> {
        let whole = place.path(path);
        let wrong = |source| StoreError::File { path: whole.display().to_string(), source };
        let file = File::options().read(true).append(true).create(true).open(&whole).map_err(wrong)?;
        let mut store = Self::default();
        for line in BufReader::new(&file).lines().map_while(Result::ok) {
            // A kill in the middle of a write leaves a torn last line.
            if let Ok(item) = serde_json::from_str(&line) {
                store.take(item);
            }
        }
        store.file = Some(file);
        Ok(store)
    }

    /// Writes for a client.
    pub fn write(&mut self, key: String, value: String, set: Micros) -> io::Result<Record> {
        let record = (key, Item { value, set });
        self.log(Line::Written(record.clone()))?;
        Ok(record)
    }

    /// Keeps what other servers have sent, as far as it is newer.
    pub fn keep(&mut self, records: Vec<Record>) -> io::Result<()> {
        records.into_iter().try_for_each(|record| self.log(Line::Kept(record)))
    }

    fn log(&mut self, line: Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let is_new = self.take(line);
        self.file.as_mut().filter(|_| is_new).map_or(Ok(()), |file| file.write_all(&text))
    }

    fn take(&mut self, line: Line) -> bool {
        match line {
            Line::Written((key, item)) => {
                self.keys.write(key, item);
                true
            }
            Line::Kept((key, item)) => self.keys.keep(key, item),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<String> {
        self.keys.get(&key.to_owned()).map(|item| item.value.clone())
    }

    /// Returns the time of the last direct write.
    pub fn last(&self) -> Micros {
        self.keys.last()
    }

    /// Counts the keys.
    pub fn count(&self) -> usize {
        self.keys.count()
    }

    /// Lists what a merge takes that was set until then.
    pub fn give(&self, range: &Range, until: Micros) -> Vec<Record> {
        self.keys.give(|key| key_hash(key), range, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str, set: u64) -> Record {
        (key.to_owned(), Item { value: value.to_owned(), set })
    }

    #[test]
    fn a_file_keeps_the_later_of_two_values_and_the_last_write_over_a_kill() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::at(root.path());
        let value = |key: &str| match key {
            "K2HTYPE" => "file",
            "K2HFILE" => "/x.k2h",
            _ => "",
        };
        let mut store = Store::open(value, &place).unwrap();
        store.keep(vec![record("a", "2", 2), record("a", "1", 1), record("b", "3", 3)]).unwrap();
        store.write("d".into(), "4".into(), 4).unwrap();
        store.keep(vec![record("e", "5", 5)]).unwrap();
        drop(store);
        let store = Store::open(value, &place).unwrap();
        let all = ["a", "b", "c", "d", "e"].map(|key| store.get(key).unwrap_or_default()).concat();
        assert_eq!((all.as_str(), store.last()), ("2345", 4), "a copy is no direct write");
    }

    #[test]
    fn a_file_needs_its_directory_and_memory_no_file() {
        let place = Place::at(std::path::Path::new("/nowhere-at-all"));
        let value = |key: &str| if key == "K2HFILE" { "/none/x.k2h" } else { "file" };
        assert!(matches!(Store::open(value, &place), Err(StoreError::File { .. })));
        assert!(Store::open(|_| "", &place).is_ok());
        assert!(matches!(
            Store::open(|key| if key == "K2HTYPE" { "disk" } else { "" }, &place),
            Err(StoreError::Type(_))
        ));
    }
}
