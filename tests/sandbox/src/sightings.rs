//! The states of a node's ini, and when they were there: seen by inotify, so that the times are the file's and not a poll's.
//!
//! It reads the file and writes nothing.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k2hdkc_agent::installed::{self, Installed};
use k2hdkc_agent::ring::{Mode, Ring};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;
use tokio::time::timeout;

/// The key of `[GLOBAL]` that the sandbox's operator changes.
pub(super) const OPERATORS_KEY: &str = "RWTIMEOUT";

/// A state of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    /// When it was there.
    pub at: Instant,
    /// The inode; 0 where there is none.
    pub inode: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The content, or the reason why chmpx would not load it.
    pub shown: Result<Shown, String>,
}

/// A file that chmpx would load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// FILEVERSION
    pub fileversion: u32,
    /// The rest, as far as the sandbox changes it.
    pub content: Content,
}

/// The content that a file must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// CUKs of the server nodes, sorted.
    pub servers: Vec<String>,
    /// CUKs of the slave nodes, sorted.
    pub slaves: Vec<String>,
    /// The value of [`OPERATORS_KEY`].
    pub operators_value: String,
}

/// The observed states of one file so far. Dropped, it looks no longer.
#[derive(Debug)]
pub(super) struct Sightings {
    ini: PathBuf,
    seen: watch::Receiver<Vec<Sighting>>,
    _watcher: RecommendedWatcher,
}

impl Sightings {
    /// Looks at `ini` from now on; its directory must be there. `tell` hears of every new file.
    pub(super) fn start(ini: PathBuf, tell: impl Fn(&Sighting) + Send + 'static) -> io::Result<Self> {
        let (sender, seen) = watch::channel(Vec::new());
        let path = ini.clone();
        let on_event = move |event: notify::Result<notify::Event>| {
            let concerns = event.is_ok_and(|event| !event.kind.is_access() && event.paths.contains(&path));
            if concerns && let Some(sighting) = note(&sender, look(&path)) {
                tell(&sighting);
            }
        };
        let mut watcher = notify::recommended_watcher(on_event).map_err(io::Error::other)?;
        let directory = ini.parent().unwrap_or(&ini);
        watcher.watch(directory, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
        Ok(Self { ini, seen, _watcher: watcher })
    }

    /// The newest state, if there ever was a file.
    pub(super) fn last(&self) -> Option<Sighting> {
        self.seen.borrow().last().cloned()
    }

    /// Lists what was seen since then that chmpx would not have loaded, the file's absence included.
    pub(super) fn unloadable_since(&self, since: Instant) -> Vec<String> {
        let seen = self.seen.borrow();
        seen.iter().filter(|s| s.at >= since).filter_map(|s| s.shown.clone().err()).collect()
    }

    /// Waits until the file says `content`, and tells since when; `None` when the time ran out.
    pub(super) async fn saying(&self, content: &Content, within: Duration) -> Option<Instant> {
        let mut seen = self.seen.clone();
        let says = |sighting: &Sighting| matches!(&sighting.shown, Ok(shown) if shown.content == *content);
        let found = timeout(within, seen.wait_for(|seen| seen.last().is_some_and(says))).await;
        found.ok()?.ok()?.iter().rev().take_while(|s| says(s)).last().map(|s| s.at)
    }

    /// Checks whether the file is still the one of `before`, in bytes and inode, and was so all the time.
    pub(super) fn is_untouched(&self, before: Option<&Sighting>) -> bool {
        let same = |a: &Sighting, b: &Sighting| a.inode == b.inode && a.bytes == b.bytes;
        let now = look(&self.ini);
        before.is_some_and(|before| self.last().is_some_and(|last| last == *before) && same(before, &now))
    }
}

/// Adds a sighting, unless it is the last one again.
fn note(sender: &watch::Sender<Vec<Sighting>>, new: Sighting) -> Option<Sighting> {
    let is_new = |last: &Sighting| last.inode != new.inode || last.bytes != new.bytes;
    let is_new = sender.borrow().last().is_none_or(is_new);
    is_new.then(|| {
        sender.send_modify(|seen| seen.push(new.clone()));
        new
    })
}

fn look(path: &Path) -> Sighting {
    let at = Instant::now();
    match read(path) {
        Ok((inode, bytes)) => {
            let shown = shown(&bytes);
            Sighting { at, inode, bytes, shown }
        }
        Err(error) => Sighting { at, inode: 0, bytes: Vec::new(), shown: Err(error.to_string()) },
    }
}

fn read(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file.metadata()?.ino(), bytes))
}

fn shown(bytes: &[u8]) -> Result<Shown, String> {
    match installed::read_bytes(bytes) {
        Installed::Present { ring, fileversion } => {
            Ok(Shown { fileversion: fileversion.unwrap_or_default(), content: content(&ring) })
        }
        Installed::Missing => Err("it is missing".to_owned()),
        Installed::Broken(problems) => Err(format!("chmpx would refuse it: {problems:?}")),
    }
}

fn content(ring: &Ring) -> Content {
    let cuks = |mode: Mode| {
        let nodes = ring.nodes(mode).iter().filter(|node| !node.is_placeholder());
        let mut cuks: Vec<_> = nodes.map(|node| node.cuk.clone()).collect();
        cuks.sort();
        cuks
    };
    let operators_value = ring.profile.global.get(OPERATORS_KEY).cloned().unwrap_or_default();
    Content { servers: cuks(Mode::Server), slaves: cuks(Mode::Slave), operators_value }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INI: &str = "[GLOBAL]\nFILEVERSION = 7\nGROUP = g\nMODE = SLAVE\nDELIVERMODE = hash\nCHMPXIDTYPE = CUSTOM\n\
        CTLPORT = 8031\nRWTIMEOUT = 5\n[SVRNODE]\nNAME = a\nCUK = server-1\nPORT = 8020\nCTLPORT = 8021\n\
        CUSTOM_ID_SEED = s\n[SLVNODE]\nNAME = b\nCUK = slave-1\nCTLPORT = 8031\nCUSTOM_ID_SEED = t\n";

    fn replace(path: &Path, text: &str) {
        use std::io::Write as _;
        let next = path.with_extension("next");
        File::options().write(true).create_new(true).open(&next).unwrap().write_all(text.as_bytes()).unwrap();
        std::fs::rename(next, path).unwrap();
    }

    #[tokio::test]
    async fn a_replaced_file_is_seen_with_what_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let ini = directory.path().join("k2hdkc.ini");
        let sightings = Sightings::start(ini.clone(), |_| ()).unwrap();
        replace(&ini, INI);
        let operators_value = "5".to_owned();
        let content =
            Content { servers: vec!["server-1".into()], slaves: vec!["slave-1".into()], operators_value };
        let seen = sightings.saying(&content, Duration::from_secs(10)).await;
        assert!(seen.is_some(), "{:?}", sightings.last());
        assert!(sightings.is_untouched(sightings.last().as_ref()));
    }

    #[tokio::test]
    async fn a_file_that_chmpx_would_refuse_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let (ini, start) = (directory.path().join("k2hdkc.ini"), Instant::now());
        let mut sightings = Sightings::start(ini.clone(), |_| ()).unwrap();
        replace(&ini, "[GLOBAL]\n");
        let seen = timeout(Duration::from_secs(10), sightings.seen.wait_for(|seen| !seen.is_empty())).await;
        seen.unwrap().unwrap();
        assert_eq!(sightings.unloadable_since(start).len(), 1);
    }
}
