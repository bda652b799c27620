//! Three who look at a file while it is replaced.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k2hdkc_agent::installed::{self, Installed};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// The events that chmpx watches for (chmpx 1.0.113, lib/chmconf.cc:411).
fn chmpx_mask() -> AddWatchFlags {
    AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVE_SELF
}

/// A watch on the inode as chmpx keeps it: armed anew on the path after each event, and the file read again.
pub(crate) struct Chmpx {
    inotify: Inotify,
    path: PathBuf,
    armed: WatchDescriptor,
}

/// The content that chmpx would have loaded.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) text: String,
    pub(crate) fileversion: u32,
}

impl Chmpx {
    pub(crate) fn watch(path: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        let armed = inotify.add_watch(path, chmpx_mask()).unwrap();
        Self { inotify, path: path.to_owned(), armed }
    }

    /// Waits for an event, arms the watch anew and reads. An error for silence, for an event that tells of
    /// writing in place, and for a file that chmpx would refuse.
    pub(crate) fn next_reload(&mut self, deadline: Duration) -> Result<Reload, String> {
        let end = Instant::now() + deadline;
        loop {
            if !is_readable(&self.inotify, end) {
                return Err("the watch heard nothing".to_owned());
            }
            let mine: Vec<_> = self.events();
            if mine.iter().any(|mask| mask.contains(AddWatchFlags::IN_MODIFY)) {
                return Err(format!("the live inode was written to: {mine:?}"));
            }
            if mine.iter().any(|mask| mask.intersects(chmpx_mask())) {
                return self.reload();
            }
        }
    }

    /// Events on the inode that is watched now; those of an earlier one are late news.
    fn events(&self) -> Vec<AddWatchFlags> {
        let events = read(&self.inotify).into_iter();
        events.filter(|event| event.wd == self.armed).map(|event| event.mask).collect()
    }

    fn reload(&mut self) -> Result<Reload, String> {
        // The old inode's watch is gone where the inode is.
        let _ = self.inotify.rm_watch(self.armed);
        self.armed = self.inotify.add_watch(&self.path, chmpx_mask()).map_err(|error| error.to_string())?;
        let bytes = fs::read(&self.path).map_err(|error| error.to_string())?;
        let fileversion = loadable(&bytes)?;
        Ok(Reload { text: String::from_utf8_lossy(&bytes).into_owned(), fileversion })
    }

    /// Lists what was heard and not asked for.
    pub(crate) fn pending(&self) -> Vec<AddWatchFlags> {
        self.events()
    }
}

/// A watch on the directory. It reads what it heard at the end, so the kernel's queue must hold it.
pub(crate) struct Directory {
    inotify: Arc<Inotify>,
    stop: Arc<AtomicBool>,
    collecting: JoinHandle<Vec<(String, AddWatchFlags)>>,
}

impl Directory {
    pub(crate) fn watch(path: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        let everything = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(path, everything).unwrap();
        let (inotify, stop) = (Arc::new(inotify), Arc::new(AtomicBool::new(false)));
        let (source, stopped) = (Arc::clone(&inotify), Arc::clone(&stop));
        let collecting = std::thread::spawn(move || collect(&source, &stopped));
        Self { inotify, stop, collecting }
    }

    /// Lists everything that happened to this name.
    pub(crate) fn events(self, name: &str) -> Vec<AddWatchFlags> {
        self.stop.store(true, Ordering::Release);
        let mut all = self.collecting.join().unwrap();
        all.extend(named(read(&self.inotify)));
        all.into_iter().filter(|(of, _)| of == name).map(|(_, mask)| mask).collect()
    }

    /// Checks that there were only exchanges: the name was given to another inode that often, and never created, deleted or
    /// written to.
    pub(crate) fn assert_only_exchanged(self, name: &str, times: u32) {
        let events = self.events(name);
        let count = |kind| u32::try_from(events.iter().filter(|mask| mask.contains(kind)).count()).unwrap();
        let came = count(AddWatchFlags::IN_MOVED_TO);
        let went = count(AddWatchFlags::IN_MOVED_FROM);
        let all = u32::try_from(events.len()).unwrap();
        assert_eq!((came, went, all), (times, times, 2 * times));
    }
}

fn collect(inotify: &Inotify, stop: &AtomicBool) -> Vec<(String, AddWatchFlags)> {
    let mut all = Vec::new();
    while !stop.load(Ordering::Acquire) {
        if is_readable(inotify, Instant::now() + Duration::from_millis(20)) {
            all.extend(named(read(inotify)));
        }
    }
    all
}

fn named(events: Vec<InotifyEvent>) -> impl Iterator<Item = (String, AddWatchFlags)> {
    events.into_iter().map(|event| {
        assert!(!event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW), "events were lost");
        (event.name.unwrap_or_default().to_string_lossy().into_owned(), event.mask)
    })
}

/// A reader of the path, over and over.
pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    reading: JoinHandle<Result<Seen, String>>,
}

/// The observations of the reader; a file that is absent or unloadable is an error instead.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) reads: u64,
    /// The last FILEVERSION.
    pub(crate) last: u32,
    /// The number of different ones.
    pub(crate) versions: u32,
    /// The number of times it became less.
    pub(crate) fell: u32,
}

impl Reader {
    pub(crate) fn start(path: &Path) -> Self {
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stopped, fails, path) = (Arc::clone(&stop), Arc::clone(&failed), path.to_owned());
        let reading = std::thread::spawn(move || {
            let result = read_on(&path, &stopped);
            fails.store(result.is_err(), Ordering::Release);
            result
        });
        Self { stop, failed, reading }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn finish(self) -> Result<Seen, String> {
        self.stop.store(true, Ordering::Release);
        self.reading.join().unwrap()
    }
}

fn read_on(path: &Path, stop: &AtomicBool) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut last_bytes = Vec::new();
    loop {
        let stopping = stop.load(Ordering::Acquire);
        let bytes = fs::read(path).map_err(|error| format!("read {}: {error}", seen.reads))?;
        seen.reads += 1;
        if bytes != last_bytes {
            let fileversion = loadable(&bytes).map_err(|error| format!("read {}: {error}", seen.reads))?;
            seen.versions += u32::from(fileversion != seen.last);
            seen.fell += u32::from(fileversion < seen.last);
            seen.last = fileversion;
            last_bytes = bytes;
        }
        if stopping {
            return Ok(seen);
        }
        // The agent has to run as well, on a small machine.
        std::thread::yield_now();
    }
}

/// FILEVERSION of a file that chmpx would load.
fn loadable(bytes: &[u8]) -> Result<u32, String> {
    match installed::read_bytes(bytes) {
        Installed::Present { fileversion: Some(fileversion), .. } => Ok(fileversion),
        other => Err(format!("chmpx would refuse it: {other:?}: {:?}", String::from_utf8_lossy(bytes))),
    }
}

fn is_readable(inotify: &Inotify, end: Instant) -> bool {
    let left = end.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, timeout).unwrap() > 0
}

/// Reads everything that is there now.
fn read(inotify: &Inotify) -> Vec<InotifyEvent> {
    let mut all = Vec::new();
    let end = loop {
        match inotify.read_events() {
            Ok(events) => all.extend(events),
            Err(error) => break error,
        }
    };
    assert_eq!(end, Errno::EAGAIN);
    all
}
