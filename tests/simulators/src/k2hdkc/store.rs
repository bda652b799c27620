//! The keys of one k2hdkc: in memory, or in a file that survives every end.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};

use k2hdkc_agent::keys::is_off;
use thiserror::Error;

use crate::model::keys::{Item, Keys};
use crate::model::share::Share;
use crate::simulators::place::Place;

/// The keys, and the file that keeps them.
#[derive(Debug, Default)]
pub struct Store {
    keys: Keys,
    file: Option<File>,
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
                store.keys.keep(item);
            }
        }
        store.file = Some(file);
        Ok(store)
    }

    /// Keeps items.
    pub fn set(&mut self, items: Vec<Item>) -> io::Result<()> {
        let mut lines = Vec::new();
        for item in items {
            if let Some(kept) = self.keys.keep(item) {
                serde_json::to_writer(&mut lines, kept)?;
                lines.push(b'\n');
            }
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&lines))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<String> {
        self.keys.get(key)
    }

    /// Lists the items of a share.
    pub fn share(&self, share: &Share) -> Vec<Item> {
        self.keys.share(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, value: &str, stamp: u64) -> Item {
        Item { key: key.to_owned(), value: value.to_owned(), stamp }
    }

    #[test]
    fn a_file_keeps_the_later_of_two_values_over_a_kill() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::at(root.path());
        let value = |key: &str| match key {
            "K2HTYPE" => "file",
            "K2HFILE" => "/x.k2h",
            _ => "",
        };
        let mut store = Store::open(value, &place).unwrap();
        store.set(vec![item("a", "2", 2), item("a", "1", 1), item("b", "3", 3)]).unwrap();
        drop(store);
        let store = Store::open(value, &place).unwrap();
        assert_eq!(
            (store.get("a"), store.get("b"), store.get("c")),
            (Some("2".into()), Some("3".into()), None)
        );
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
