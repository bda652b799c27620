//! The configuration files in their order, with remarks on files that are left out.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::faults::{Fault, Place};

/// All layers, the earlier first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) files: Vec<Layer>,
    /// Files that cannot be read.
    pub(super) unread: Vec<Fault>,
    /// True where a fault may pass without another configuration: a file cannot be read now.
    pub(super) may_pass: bool,
    /// Files that are left out, each with its reason.
    pub(super) notes: Vec<String>,
}

/// A file.
#[derive(Debug)]
pub(super) struct Layer {
    path: PathBuf,
    /// The text behind as many empty lines as all layers before it have bytes. A span of the parser then belongs to one
    /// layer only, also after the layers were merged.
    text: String,
    start: usize,
}

impl Layer {
    /// Parses the file.
    ///
    /// # Errors
    ///
    /// The first fault of its syntax.
    pub(super) fn parse(&self) -> Result<toml::de::DeTable<'_>, toml::de::Error> {
        toml::de::DeTable::parse(&self.text).map(toml::Spanned::into_inner)
    }
}

impl Layers {
    /// Reads the vendor's file, the main one, which must be there where it was named, and the directory of fragments.
    pub(super) fn read(vendor: &Path, (main, was_named): (&Path, bool), fragments: &Path) -> Self {
        let mut layers = Self::default();
        layers.add(vendor, false);
        layers.add(main, was_named);
        for path in layers.fragments(fragments) {
            layers.add(&path, true);
        }
        layers
    }

    /// Returns the file and line of a span.
    pub(super) fn place(&self, span: &Range<usize>) -> Option<Place> {
        let layer = self.files.iter().rev().find(|layer| layer.start <= span.start)?;
        let before = &layer.text[layer.start..span.start.min(layer.text.len())];
        Some(Place { file: layer.path.clone(), line: Some(before.matches('\n').count() + 1) })
    }

    /// Returns the fragments in the order of their names, without leftovers of editors and copies.
    fn fragments(&mut self, directory: &Path) -> Vec<PathBuf> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.notes.extend(dangling(directory).map(|text| format!("{text}: no fragment is read")));
                return Vec::new();
            }
            Err(error) => {
                self.unreadable(directory, &error);
                return Vec::new();
            }
        };
        let is_toml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_toml).collect();
        paths.sort();
        paths.retain(|path| match unfit(path) {
            Some(why) => {
                self.notes.push(format!("{} is skipped: {why}", path.display()));
                false
            }
            None => true,
        });
        paths
    }

    fn add(&mut self, path: &Path, must_exist: bool) {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let start = self.files.last().map_or(0, |layer| layer.text.len());
                self.files.push(Layer {
                    path: path.to_owned(),
                    text: "\n".repeat(start) + &text + "\n",
                    start,
                });
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => {
                self.notes.extend(dangling(path).map(|text| format!("{text}: no key of it is read")));
            }
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        let place = Place { file: path.to_owned(), line: None };
        self.unread.push(Fault { place: Some(place), text: error.to_string() });
        // A missing file, and one that is no text, stays so until the operator changes it.
        self.may_pass |= !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData);
    }
}

/// Returns the reason for which a path in the directory of fragments is none.
fn unfit(path: &Path) -> Option<String> {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    if is_hidden {
        return Some(
            "its name is hidden, as an editor's or a copy's leftover: remove it, or rename it".to_owned(),
        );
    }
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => Some("it is no file".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            dangling(path).map(|_| "it is a symbolic link to nothing".to_owned())
        }
        // The attempt to read it reports any other error.
        Ok(_) | Err(_) => None,
    }
}

/// Describes a symbolic link to a missing file.
fn dangling(path: &Path) -> Option<String> {
    let to = std::fs::read_link(path).ok()?;
    Some(format!("{} is a symbolic link to {}, which does not exist", path.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn store(path: &Path, text: &str) {
        crate::file::store(path, text.as_bytes()).unwrap();
    }

    /// Reads a directory with agent.toml and conf.d.
    fn read(dir: &Path) -> Layers {
        Layers::read(&dir.join("vendor.toml"), (&dir.join("agent.toml"), false), &dir.join("conf.d"))
    }

    fn with_fragment() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let fragments = dir.path().join("conf.d");
        std::fs::create_dir(&fragments).unwrap();
        store(&fragments.join("10-a.toml"), "[poll]\nload = 1.0\n");
        (dir, fragments)
    }

    fn names(layers: &Layers) -> Vec<&str> {
        layers.files.iter().filter_map(|layer| layer.path.file_name()?.to_str()).collect()
    }

    #[test]
    fn leftovers_and_what_is_no_file_are_skipped_with_a_note() {
        let (dir, fragments) = with_fragment();
        symlink("root@vm.4711:1700000000", fragments.join(".#10-a.toml")).unwrap();
        store(&fragments.join("._10-a.toml"), "\0\u{5}\u{16}\u{7}");
        store(&fragments.join(".10-a.toml.swp"), "b0VIM");
        std::fs::create_dir(fragments.join("x.toml")).unwrap();
        nix::unistd::mkfifo(&fragments.join("y.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink("nowhere.toml", fragments.join("z.toml")).unwrap();
        let layers = read(dir.path());
        assert_eq!((names(&layers), &layers.unread), (vec!["10-a.toml"], &Vec::new()));
        let hidden =
            "is skipped: its name is hidden, as an editor's or a copy's leftover: remove it, or rename it";
        let noted: Vec<_> = [
            (".#10-a.toml", hidden),
            ("._10-a.toml", hidden),
            ("x.toml", "is skipped: it is no file"),
            ("y.toml", "is skipped: it is no file"),
            ("z.toml", "is skipped: it is a symbolic link to nothing"),
        ]
        .map(|(name, why)| format!("{} {why}", fragments.join(name).display()))
        .into();
        assert_eq!(layers.notes, noted);
    }

    #[test]
    fn a_file_that_cannot_be_read_now_is_a_fault_that_may_pass_and_a_wrong_one_is_not() {
        let (dir, fragments) = with_fragment();
        let bad = fragments.join("20-b.toml");
        crate::file::store(&bad, b"\xff").unwrap();
        let layers = read(dir.path());
        assert!(!layers.may_pass && layers.unread[0].text.contains("valid UTF-8"), "{layers:?}");
        std::fs::remove_file(&bad).unwrap();
        std::fs::create_dir(dir.path().join("agent.toml")).unwrap();
        let layers = read(dir.path());
        assert!(layers.may_pass && layers.unread[0].to_string().contains("agent.toml: Is a directory"));
        std::fs::remove_dir(dir.path().join("agent.toml")).unwrap();
        std::fs::remove_file(fragments.join("10-a.toml")).unwrap();
        std::fs::remove_dir(&fragments).unwrap();
        symlink(&fragments, &fragments).unwrap();
        let layers = read(dir.path());
        assert!(layers.may_pass && layers.unread[0].to_string().contains("conf.d: "), "{:?}", layers.unread);
    }

    #[test]
    fn links_to_nothing_are_noted() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["agent.toml", "conf.d"] {
            symlink("/no/where", dir.path().join(name)).unwrap();
        }
        let layers = read(dir.path());
        let noted = |name, what| {
            format!(
                "{} is a symbolic link to /no/where, which does not exist: {what}",
                dir.path().join(name).display()
            )
        };
        let expected = [noted("agent.toml", "no key of it is read"), noted("conf.d", "no fragment is read")];
        assert_eq!((layers.notes, layers.unread), (expected.to_vec(), Vec::new()));
    }
}
