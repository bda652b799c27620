//! Files whose change is a reason for a pass: directories are watched, names are compared, and what vanished and
//! came back is watched again. What inotify misses, the next poll finds.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{debug, warn};

use crate::settings::Settings;
use crate::wake::{Reason, Waker};

/// What a changed path means. A path that is a directory stands for everything in it.
type Meanings = BTreeMap<PathBuf, Reason>;

/// The watches of one agent.
#[derive(Debug)]
pub struct Watches {
    watcher: Option<RecommendedWatcher>,
    /// Read by inotify's thread, written when the settings change; the one piece of shared state.
    meanings: Arc<RwLock<Meanings>>,
    /// Watched directories with the inode they had.
    directories: BTreeMap<PathBuf, Option<(u64, u64)>>,
}

impl Watches {
    /// Starts to watch. Without inotify the agent works by polling alone, and says so.
    pub fn new(settings: &Settings, waker: Waker) -> Self {
        let meanings = Arc::new(RwLock::new(Meanings::new()));
        let shared = Arc::clone(&meanings);
        let watcher = notify::recommended_watcher(move |event| raise(event, &shared, &waker));
        let watcher = watcher.map_err(|error| warn!(%error, "files are not watched, only polled")).ok();
        let mut watches = Self { watcher, meanings, directories: BTreeMap::new() };
        watches.follow(settings);
        watches
    }

    /// Watches what these settings name, and nothing else.
    pub fn follow(&mut self, settings: &Settings) {
        let mut meanings = Meanings::new();
        for source in &settings.sources {
            meanings.insert(source.clone(), Reason::SettingsChanged);
        }
        for name in ["k2hr3-api-uri", "k2hr3-role-name", "k2hr3-cuk"] {
            meanings.insert(settings.k2hr3.userdata.join(name), Reason::SettingsChanged);
        }
        meanings.extend(settings.k2hr3.file.clone().map(|path| (path, Reason::SourceChanged)));
        meanings.insert(settings.ini.path.clone(), Reason::IniChanged);
        let mut directories: BTreeMap<PathBuf, _> =
            meanings.keys().filter_map(|path| Some((path.parent()?.to_owned(), None))).collect();
        directories
            .extend(settings.sources.iter().filter(|path| path.is_dir()).map(|path| (path.clone(), None)));
        for old in self.directories.keys().filter(|old| !directories.contains_key(*old)) {
            // An error here means that the directory is gone, and its watch with it.
            let _ = self.watcher.as_mut().map(|watcher| watcher.unwatch(old));
        }
        for (path, inode) in &mut directories {
            *inode = self.directories.get(path).copied().flatten();
        }
        self.directories = directories;
        if let Ok(mut shared) = self.meanings.write() {
            *shared = meanings;
        }
        self.refresh();
    }

    /// Watches directories that have come, or come back, since the last look.
    pub fn refresh(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for (path, watched) in &mut self.directories {
            let present = path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
            if present == *watched {
                continue;
            }
            let _ = watcher.unwatch(path);
            *watched = present.filter(|_| {
                let started = watcher.watch(path, RecursiveMode::NonRecursive);
                started.map_err(|error| debug!(%error, path = %path.display(), "not watched")).is_ok()
            });
        }
    }
}

fn raise(event: notify::Result<Event>, meanings: &RwLock<Meanings>, waker: &Waker) {
    let Ok(event) = event else { return };
    if matches!(event.kind, EventKind::Access(_)) {
        return;
    }
    let Ok(meanings) = meanings.read() else { return };
    for path in &event.paths {
        let meaning = meanings.get(path).or_else(|| in_directory(path, &meanings));
        if let Some(reason) = meaning {
            waker.wake(*reason);
        }
    }
}

/// A fragment in `conf.d`.
fn in_directory<'a>(path: &Path, meanings: &'a Meanings) -> Option<&'a Reason> {
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    meanings.get(path.parent().filter(|_| is_toml)?)
}
