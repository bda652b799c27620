//! The watch on the ini: inotify on the inode that the path led to (docs/facts.md C1, C4, C16).

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep};

use crate::simulators::log::Log;

/// A file may be away for so long: 500 polls of a millisecond, which took 0.57 to 0.65 s.
const PATIENCE: Duration = Duration::from_millis(600);
/// From the end of the old inode to the reload, with the file there: about what was measured. In this moment a
/// connection to a slave's control port can swallow the reload (C18).
const REARM: Duration = Duration::from_millis(1);

const MASK: AddWatchFlags =
    AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MODIFY).union(AddWatchFlags::IN_MOVE_SELF);

/// A watch that is armed.
pub struct Watch {
    inotify: Inotify,
    /// The same, as something that can be waited for.
    events: Receiver,
    path: PathBuf,
    watched: WatchDescriptor,
    log: Log,
}

impl Watch {
    /// Arms it; symlinks are followed.
    pub fn new(path: &Path, log: Log) -> std::io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let watched = inotify.add_watch(path, MASK)?;
        let events = Receiver::from_owned_fd_unchecked(inotify.as_fd().try_clone_to_owned()?)?;
        Ok(Self { inotify, events, path: path.to_owned(), watched, log })
    }

    /// Calls `changed` for every event, without debounce, until the file was away for too long or nobody listens.
    pub async fn run(mut self, changed: impl Fn() -> bool) {
        while self.events.readable().await.is_ok() {
            let read = || self.inotify.read_events().map_err(std::io::Error::from);
            // Nothing to read after all: it is waited for again.
            let Ok(events) = self.events.try_io(read) else { continue };
            for event in events {
                // What came to an inode that is not watched any more is nobody's.
                let meant = event.wd == self.watched && event.mask.intersects(MASK);
                if meant && !(self.takes(event.mask).await && changed()) {
                    return;
                }
            }
        }
    }

    /// Checks whether the watch goes on after an event; what is no event of the mask changes nothing.
    async fn takes(&mut self, mask: AddWatchFlags) -> bool {
        let file = self.path.display().to_string();
        if mask.contains(AddWatchFlags::IN_MODIFY) {
            self.log.msg(format_args!("CheckNotifyEvent : Configuration file {file} is modified(2)."));
            return true;
        }
        let how = if mask.contains(AddWatchFlags::IN_MOVE_SELF) { "moved(2048)" } else { "deleted(1024)" };
        self.log.msg(format_args!("CheckNotifyEvent : Configuration file {file} is {how}."));
        if self.rearm().await {
            return true;
        }
        self.log.err(format_args!(
            "Receive : Failed to set inotify event for configuration file({file}), then no more watching it."
        ));
        false
    }

    /// Waits for the path and watches what is there now.
    async fn rearm(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        sleep(REARM).await;
        while !self.path.exists() {
            if Instant::now() >= end {
                break;
            }
            sleep(REARM).await;
        }
        // Where the inode is gone, the kernel has removed it.
        let _ = self.inotify.rm_watch(self.watched);
        match self.inotify.add_watch(&self.path, MASK) {
            Ok(watched) => {
                self.watched = watched;
                true
            }
            Err(_) => false,
        }
    }
}
