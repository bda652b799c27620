//! Files whose change is a reason for a pass: directories are watched, names are compared, and what vanished and
//! came back is watched again. Symbolic links on the way to a file count as the file. What inotify misses, the next poll
//! finds.

mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{debug, warn};

use crate::settings::Settings;
use crate::wake::{Reason, Waker};

/// Reasons by path: the meaning of a change.
type Meanings = BTreeMap<PathBuf, Reason>;

/// The watches of one agent.
#[derive(Debug)]
pub(crate) struct Watches {
    watcher: Option<RecommendedWatcher>,
    waker: Waker,
    /// Paths that the settings name, and the directory of their fragments.
    named: Meanings,
    fragments: PathBuf,
    /// Read by inotify's thread, written when the settings change, or where the links lead; the one piece of shared state.
    meanings: Arc<RwLock<Meanings>>,
    /// Directories that matter, with the inode under which each is watched.
    directories: BTreeMap<PathBuf, Option<(u64, u64)>>,
    /// Watched for the sake of a directory below that does not exist yet.
    ancestors: BTreeSet<PathBuf>,
    /// True after the first pass: a path that appears from then on is news.
    started: bool,
}

impl Watches {
    /// Starts to watch. Without inotify the agent polls, and logs that.
    pub(crate) fn new(settings: &Settings, waker: Waker) -> Self {
        let meanings = Arc::new(RwLock::new(Meanings::new()));
        let (shared, bell) = (Arc::clone(&meanings), waker.clone());
        let watcher = notify::recommended_watcher(move |event| raise(event, &shared, &bell));
        let watcher = watcher.map_err(|error| warn!(%error, "files are not watched, only polled")).ok();
        let (directories, ancestors) = (BTreeMap::new(), BTreeSet::new());
        let (named, fragments) = (Meanings::new(), PathBuf::new());
        let mut watches =
            Self { watcher, waker, named, fragments, meanings, directories, ancestors, started: false };
        watches.follow(settings);
        watches.started = true;
        watches
    }

    /// Watches what these settings name, and nothing else.
    pub(crate) fn follow(&mut self, settings: &Settings) {
        (self.named, self.fragments) = (named(settings), settings.fragments.clone());
        self.refresh();
    }

    /// Looks where the links lead now.
    fn aim(&mut self) {
        let aimed = with_links(&self.named, &self.fragments);
        if self.meanings.read().is_ok_and(|known| *known == aimed) {
            return;
        }
        let mut directories: BTreeMap<PathBuf, _> =
            aimed.keys().filter_map(|path| Some((path.parent()?.to_owned(), None))).collect();
        directories.insert(self.fragments.clone(), None);
        for old in self.directories.keys().filter(|old| !directories.contains_key(*old)) {
            // An error here means that the directory is gone, and its watch with it.
            let _ = self.watcher.as_mut().map(|watcher| watcher.unwatch(old));
        }
        for (path, inode) in &mut directories {
            *inode = self.directories.get(path).copied().flatten();
        }
        self.directories = directories;
        if let Ok(mut shared) = self.meanings.write() {
            *shared = aimed;
        }
    }

    /// Watches directories that have come, or come back, since the last look. What came with them may have been
    /// there before the watch, so the settings are read once more.
    pub(crate) fn refresh(&mut self) {
        self.aim();
        let Some(watcher) = &mut self.watcher else { return };
        for (path, watched) in &mut self.directories {
            let present = inode(path);
            if present.is_none() {
                self.ancestors.extend(nearest(path).filter(|near| start(watcher, near)));
            }
            if present == *watched {
                continue;
            }
            let _ = watcher.unwatch(path);
            *watched = present.filter(|_| start(watcher, path));
            if watched.is_some() && self.started {
                self.waker.wake(Reason::SettingsChanged);
            }
        }
        self.release();
    }

    /// Lets go of ancestors whose descendants have all come.
    fn release(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let missing: Vec<&PathBuf> =
            self.directories.iter().filter(|(_, i)| i.is_none()).map(|(p, _)| p).collect();
        let directories = &self.directories;
        self.ancestors.retain(|ancestor| {
            let needed = missing.iter().any(|path| path.starts_with(ancestor));
            if !needed && !directories.contains_key(ancestor) {
                let _ = watcher.unwatch(ancestor);
            }
            needed
        });
    }
}

fn named(settings: &Settings) -> Meanings {
    let mut meanings = Meanings::new();
    for source in settings.sources.iter().chain([&settings.fragments]) {
        meanings.insert(source.clone(), Reason::SettingsChanged);
    }
    for name in ["k2hr3-api-uri", "k2hr3-role-name", "k2hr3-cuk"] {
        meanings.insert(settings.k2hr3.places.userdata().join(name), Reason::SettingsChanged);
    }
    meanings.extend(settings.k2hr3.file.clone().map(|path| (path, Reason::SourceChanged)));
    meanings.insert(settings.ini.path.clone(), Reason::IniChanged);
    meanings
}

/// Adds every link on the way to these files and to the fragments. The ini is left out: it is replaced by its own
/// path.
fn with_links(named: &Meanings, fragments: &Path) -> Meanings {
    let mut all = named.clone();
    let entries = std::fs::read_dir(fragments).into_iter().flatten().flatten();
    let fragments =
        entries.map(|entry| (entry.path(), Reason::SettingsChanged)).filter(|(path, _)| is_toml(path));
    let named = named.iter().map(|(path, reason)| (path.clone(), *reason));
    for (path, reason) in named.chain(fragments).filter(|(_, reason)| *reason != Reason::IniChanged) {
        for link in links::on_the_way(&path) {
            all.entry(link).or_insert(reason);
        }
    }
    all
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().filter(std::fs::Metadata::is_dir).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The nearest directory above `path` that exists.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|ancestor| ancestor.is_dir()).map(Path::to_owned)
}

fn start(watcher: &mut RecommendedWatcher, path: &Path) -> bool {
    let started = watcher.watch(path, RecursiveMode::NonRecursive);
    started.map_err(|error| debug!(%error, path = %path.display(), "not watched")).is_ok()
}

fn raise(event: notify::Result<Event>, meanings: &RwLock<Meanings>, waker: &Waker) {
    let Ok(event) = event else { return };
    if matches!(event.kind, EventKind::Access(_)) {
        return;
    }
    let Ok(meanings) = meanings.read() else { return };
    for path in &event.paths {
        if let Some(reason) = meaning_of(path, &meanings) {
            waker.wake(reason);
        }
    }
}

/// The path itself, a fragment in the directory of fragments, or a directory on the way to a path.
fn meaning_of(path: &Path, meanings: &Meanings) -> Option<Reason> {
    let fragment = || meanings.get(path.parent().filter(|_| is_toml(path))?);
    if let Some(reason) = meanings.get(path).or_else(fragment) {
        return Some(*reason);
    }
    let mut below = meanings.range(path.to_owned()..);
    below.next().filter(|(next, _)| next.starts_with(path)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_what_it_is_for_and_so_does_what_leads_to_it() {
        let meanings = Meanings::from([
            ("/etc/antpickax/k2hdkc.ini".into(), Reason::IniChanged),
            ("/etc/k2hdkc-agent/agent.toml".into(), Reason::SettingsChanged),
            ("/etc/k2hdkc-agent/conf.d".into(), Reason::SettingsChanged),
        ]);
        for (path, meaning) in [
            ("/etc/antpickax/k2hdkc.ini", Some(Reason::IniChanged)),
            ("/etc/antpickax/.k2hdkc.ini.k2hdkc-agent", None),
            ("/etc/antpickax", Some(Reason::IniChanged)),
            ("/etc/k2hdkc-agent/conf.d/1.toml", Some(Reason::SettingsChanged)),
            ("/etc/k2hdkc-agent/conf.d/1.toml.swp", None),
            ("/etc/k2hdkc-agent/other.toml", None),
            ("/etc/hosts", None),
        ] {
            assert_eq!(meaning_of(Path::new(path), &meanings), meaning, "{path}");
        }
    }
}
