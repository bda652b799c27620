//! The application programs: one on each slave, which reads all keys over and over through one permanent handle, and
//! writes now and then. It counts what it had to put up with.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::counters::{Counted, Counters, Meter};
use super::handle::{Door, Fault, Handle};
use super::keys::{Key, Keys};

/// Keys that each slave writes.
pub(super) const KEYS: usize = 150;
/// Between two reads of one slave: two cores play the whole cluster.
const BETWEEN: Duration = Duration::from_millis(2);
/// Between two tries of a read that was not served.
const AGAIN: Duration = Duration::from_millis(20);
/// So many reads come between two writes.
const READS_A_WRITE: usize = 40;

/// Keys that are lost, by name, with what came instead.
pub(super) type Lost = BTreeMap<String, String>;

/// All application programs. Dropped, they end after what they are at.
#[derive(Debug)]
pub(super) struct Traffic {
    keys: Keys,
    counters: Arc<Counters>,
    readers: BTreeMap<String, Reader>,
    /// The time that a read is tried.
    patience: Duration,
}

#[derive(Debug)]
struct Reader {
    _stop: Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Traffic {
    /// Makes a traffic without readers.
    pub(super) fn new(patience: Duration) -> Self {
        Self { keys: Keys::default(), counters: Arc::default(), readers: BTreeMap::new(), patience }
    }

    /// For whoever shows it.
    pub(super) fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.counters))
    }

    /// Starts the program of a slave, unless it runs. Returns when its keys are written.
    pub(super) async fn start(&mut self, slave: &str, door: Door) -> Result<(), String> {
        if self.readers.contains_key(slave) {
            return Ok(());
        }
        let (stop, stopped) = mpsc::channel();
        let (tell, ready) = tokio::sync::oneshot::channel();
        let program = Program {
            own: self.keys.of(slave, KEYS),
            keys: self.keys.clone(),
            counters: Arc::clone(&self.counters),
            stopped,
            patience: self.patience,
            slave: slave.to_owned(),
            handle: None,
            door,
        };
        let thread = thread::spawn(move || program.run(tell));
        self.readers.insert(slave.to_owned(), Reader { _stop: stop, thread });
        ready
            .await
            .map_err(|_| format!("the program on {slave} could not write its keys: {}", self.trouble()))
    }

    /// Ends the program of a slave, as its operator does before the slave goes.
    pub(super) async fn stop(&mut self, slave: &str) {
        let Some(Reader { _stop: stop, thread }) = self.readers.remove(slave) else { return };
        drop(stop);
        // A thread that panicked has told so itself.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }

    /// The counters; the longest wait begins anew.
    pub(super) fn take(&self) -> Counted {
        let longest = Duration::from_micros(self.counters.longest.swap(0, Ordering::Relaxed));
        Counted { longest, ..self.counters.now() }
    }

    /// Waits until there are more reads than that, where anybody reads.
    pub(super) async fn reads_beyond(&self, reads: u64) {
        let end = Instant::now() + self.patience;
        while self.counters.now().reads <= reads && !self.readers.is_empty() && Instant::now() < end {
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// So many keys were found lost, when all were counted.
    pub(super) fn lost(&self, keys: usize) {
        self.counters.lost.store(keys as u64, Ordering::Relaxed);
    }

    /// The last thing that did not go well.
    pub(super) fn trouble(&self) -> String {
        let trouble = self.counters.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().unwrap_or_else(|| "nobody said why".to_owned())
    }

    /// Reads every key through a new handle on that slave: those that are lost, with what came instead, and how many
    /// there are.
    pub(super) fn count(&self, slave: &str, door: Door) -> impl Future<Output = (Lost, usize)> + use<> {
        let (keys, slave) = (self.keys.written(), slave.to_owned());
        let all = keys.len();
        let counted = tokio::task::spawn_blocking(move || lost(&slave, &door, &keys));
        async move {
            let failed = |error: tokio::task::JoinError| Lost::from([("all".to_owned(), error.to_string())]);
            (counted.await.unwrap_or_else(failed), all)
        }
    }
}

/// Keys that cannot be read by that slave, each tried several times unless it was lost before.
fn lost(slave: &str, door: &Door, keys: &[Arc<Key>]) -> Lost {
    const TRIES: usize = 5;
    let mut handle = None;
    let mut read = |key: &Key| {
        let mut last = Ok(());
        // One that was lost before seldom comes back, and hundreds of them would take minutes.
        let tries = if key.is_lost() { 1 } else { TRIES };
        for _ in 0..tries {
            let least = key.least().unwrap_or_default();
            last = ask(door, &mut handle, |handle| {
                let answer = handle.get(&key.name)?;
                key.check(least, answer.as_deref()).map_err(Fault::Passing)
            });
            if last.is_ok() {
                break;
            }
            // Nobody ends it by a word: it pauses.
            let _ = mpsc::channel::<()>().1.recv_timeout(AGAIN);
        }
        key.counted(last.is_err());
        Some((key.name.clone(), format!("{slave}: {}", last.err()?.text())))
    };
    keys.iter().filter_map(|key| read(key)).collect()
}

/// Does something with an open handle, which is opened if it is not. A broken one is thrown away.
fn ask<T>(
    door: &Door,
    handle: &mut Option<Handle>,
    what: impl FnOnce(&mut Handle) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut open = match handle.take() {
        Some(open) => open,
        None => door.open()?,
    };
    let result = what(&mut open);
    if !matches!(result, Err(Fault::Broken(_))) {
        *handle = Some(open);
    }
    result
}

/// The program of one slave, in its thread.
struct Program {
    own: Vec<Arc<Key>>,
    keys: Keys,
    counters: Arc<Counters>,
    stopped: mpsc::Receiver<()>,
    patience: Duration,
    slave: String,
    door: Door,
    handle: Option<Handle>,
}

/// The program was told to end.
struct Stopped;

impl Program {
    fn run(mut self, ready: tokio::sync::oneshot::Sender<()>) {
        let mut ready = Some(ready);
        // Stopped is the only way out.
        let _ = self.work(&mut ready);
    }

    fn work(&mut self, ready: &mut Option<tokio::sync::oneshot::Sender<()>>) -> Result<(), Stopped> {
        for key in self.own.clone() {
            if !self.write(&key)? {
                // Who waits sees that nobody will say anything.
                *ready = None;
            }
        }
        if let Some(ready) = ready.take() {
            // Who started it may have gone.
            let _ = ready.send(());
        }
        let mut writes = self.own.clone().into_iter().cycle();
        let mut count = 0;
        loop {
            self.pause(BETWEEN)?;
            for key in self.keys.written().iter().filter(|key| !key.is_lost()) {
                self.read(key)?;
                count += 1;
                if count % READS_A_WRITE == 0
                    && let Some(key) = writes.next().filter(|key| !key.is_lost())
                {
                    self.write(&key)?;
                }
                self.pause(BETWEEN)?;
            }
        }
    }

    fn read(&mut self, key: &Key) -> Result<(), Stopped> {
        let (begun, least) = (Instant::now(), key.least().unwrap_or_default());
        let served = self.insist(key, |handle| {
            let answer = handle.get(&key.name)?;
            key.check(least, answer.as_deref()).map_err(Fault::Passing)
        })?;
        let counter = if served { &self.counters.reads } else { &self.counters.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counters.longest.fetch_max(waited, Ordering::Relaxed);
        self.counters.longest_ever.fetch_max(waited, Ordering::Relaxed);
        Ok(())
    }

    /// Checks whether it was taken.
    fn write(&mut self, key: &Key) -> Result<bool, Stopped> {
        let (version, value) = key.next();
        let taken = self.insist(key, |handle| handle.set(&key.name, &value))?;
        if taken {
            key.taken(version);
        }
        let counter = if taken { &self.counters.writes } else { &self.counters.unwritten };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(taken)
    }

    /// Tries until it goes well, the patience ends or the key is known to be lost.
    fn insist(
        &mut self,
        key: &Key,
        mut what: impl FnMut(&mut Handle) -> Result<(), Fault>,
    ) -> Result<bool, Stopped> {
        let end = Instant::now() + self.patience;
        loop {
            let Err(fault) = ask(&self.door, &mut self.handle, &mut what) else { return Ok(true) };
            self.counters.note(format!("{}: {}", self.slave, fault.text()));
            if matches!(fault, Fault::Broken(_)) {
                self.counters.broken.fetch_add(1, Ordering::Relaxed);
            }
            if Instant::now() >= end || key.is_lost() {
                // Should it be the handle, another one may do better.
                self.handle = None;
                return Ok(false);
            }
            self.counters.retries.fetch_add(1, Ordering::Relaxed);
            self.pause(AGAIN)?;
        }
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        match self.stopped.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Stopped),
        }
    }
}
