//! The configuration files, merged key by key, with what is wrong with them and what is to be known of them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::raw::Raw;

/// What is wrong with the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Each in one line.
    pub texts: Vec<String>,
    /// Whether one of them may be over without another configuration: a file could not be read.
    pub may_pass: bool,
}

/// What the files say together.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) merged: toml::Table,
    pub(super) faults: Faults,
    /// What was skipped, and why.
    pub(super) notes: Vec<String>,
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

    /// The fragments in the order of their names. What an editor or a copy has left there is none of them.
    fn fragments(&mut self, directory: &Path) -> Vec<PathBuf> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.notes.extend(dangling(directory).map(|text| format!("{text}: no fragment is read")));
                return Vec::new();
            }
            Err(error) => {
                self.unread(directory, &error);
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
            Ok(text) => match table(path, &text) {
                Ok(table) => merge(&mut self.merged, table),
                Err(fault) => self.faults.texts.push(fault),
            },
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => {
                self.notes.extend(dangling(path).map(|text| format!("{text}: nothing of it holds")));
            }
            Err(error) => self.unread(path, &error),
        }
    }

    fn unread(&mut self, path: &Path, error: &std::io::Error) {
        self.faults.texts.push(format!("{}: {error}", path.display()));
        // What is not there, and what is no text, stays so until somebody changes it.
        self.faults.may_pass |= !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData);
    }
}

/// Why a path in the directory of fragments is none, where it is not.
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
        // What keeps it from being read is told then.
        Ok(_) | Err(_) => None,
    }
}

/// That a path is a symbolic link to what is not there.
fn dangling(path: &Path) -> Option<String> {
    let to = std::fs::read_link(path).ok()?;
    Some(format!("{} is a symbolic link to {}, which is not there", path.display(), to.display()))
}

/// One file as a table, after it was found to hold known keys and fitting types only.
fn table(path: &Path, text: &str) -> Result<toml::Table, String> {
    let located = |error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("{}:{line}: {}", path.display(), error.message().replace('\n', " "))
    };
    toml::from_str::<Raw>(text).map_err(located)?;
    toml::from_str(text).map_err(located)
}

fn merge(into: &mut toml::Table, layer: toml::Table) {
    for (key, value) in layer {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn store(path: &Path, text: &str) {
        crate::file::store(path, text.as_bytes()).unwrap();
    }

    /// Layers of a directory with agent.toml and conf.d, and its path.
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
        assert_eq!(layers.faults, Faults::default());
        assert_eq!(layers.merged["poll"]["load"].as_float(), Some(1.0));
        let hidden =
            "is skipped: its name is hidden, as an editor's or a copy's leftover: remove it, or rename it";
        let told: Vec<_> = [
            (".#10-a.toml", hidden),
            ("._10-a.toml", hidden),
            ("x.toml", "is skipped: it is no file"),
            ("y.toml", "is skipped: it is no file"),
            ("z.toml", "is skipped: it is a symbolic link to nothing"),
        ]
        .map(|(name, why)| format!("{} {why}", fragments.join(name).display()))
        .into();
        assert_eq!(layers.notes, told);
    }

    #[test]
    fn a_file_that_cannot_be_read_now_is_a_fault_that_may_pass_and_a_wrong_one_is_not() {
        let (dir, fragments) = with_fragment();
        let bad = fragments.join("20-b.toml");
        store(&bad, "nonsense");
        assert!(!read(dir.path()).faults.may_pass);
        crate::file::store(&bad, b"\xff").unwrap();
        let faults = read(dir.path()).faults;
        assert!(!faults.may_pass && faults.texts[0].contains("valid UTF-8"), "{faults:?}");
        std::fs::remove_file(&bad).unwrap();
        std::fs::create_dir(dir.path().join("agent.toml")).unwrap();
        let layers = read(dir.path());
        assert!(layers.faults.may_pass && layers.faults.texts[0].contains("agent.toml: Is a directory"));
        std::fs::remove_dir(dir.path().join("agent.toml")).unwrap();
        std::fs::remove_file(fragments.join("10-a.toml")).unwrap();
        std::fs::remove_dir(&fragments).unwrap();
        symlink(&fragments, &fragments).unwrap();
        let layers = read(dir.path());
        assert!(layers.faults.may_pass && layers.faults.texts[0].contains("conf.d: "), "{:?}", layers.faults);
    }

    #[test]
    fn links_to_nothing_hold_nothing_and_are_told() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["agent.toml", "conf.d"] {
            symlink("/no/where", dir.path().join(name)).unwrap();
        }
        let layers = read(dir.path());
        let told = |name, what| {
            format!(
                "{} is a symbolic link to /no/where, which is not there: {what}",
                dir.path().join(name).display()
            )
        };
        let expected = [told("agent.toml", "nothing of it holds"), told("conf.d", "no fragment is read")];
        assert_eq!((layers.notes, layers.faults), (expected.to_vec(), Faults::default()));
    }
}
