//! `k2hdkc`: from the command line to its end.

use std::collections::VecDeque;
use std::future::pending;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::attach::{self, AttachError};
use super::store::{Store, StoreError};
use crate::chmpx::config::{Config, Refused};
use crate::chmpx::link::Link;
use crate::chmpx::node::now;
use crate::chmpx::own::Identity;
use crate::chmpx::wire::{Attach, Frame, Note, Question, Record, Reply};
use crate::model::ring::{Micros, Range};
use crate::simulators::arguments::Arguments;
use crate::simulators::faults::Faults;
use crate::simulators::log::{Log, say};
use crate::simulators::place::Place;

/// The answer to VERSION and `-v`.
pub const VERSION: &str = "K2HDKC Version 1.0.19";
/// From a signal to the end: 0.1 s and more were measured.
const END: Duration = Duration::from_millis(100);
/// Between two looks for a chmpx that is gone. The real one without `-no_giveup_rejoin` spins; this one does not.
const LOOK: Duration = Duration::from_millis(100);
/// From chmpx's return to the rejoin, about 0.9 s altogether.
const REJOIN: Duration = Duration::from_millis(800);
/// From the question of a merge to the end of the reading: with no key, and more with each.
const READING: Duration = Duration::from_millis(5);
const READING_KEY: Duration = Duration::from_micros(250);
/// A chmpx that was gone for longer does not take back into service who does not insist (docs/facts.md C21).
const LONG_GONE: Duration = Duration::from_secs(2);

/// The reason why k2hdkc does not start.
#[derive(Debug, Error)]
enum StartError {
    #[error("{0}")]
    File(#[from] Refused),
    #[error("configuration file does not have [K2HDKC] section")]
    NoSection,
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("Failed to initialize control main object: {0}")]
    Attach(#[from] AttachError),
    #[error("MQACK is on")]
    Ack,
    #[error("{0}")]
    Os(#[from] std::io::Error),
    #[error("the file of faults wants this start to fail")]
    Faults,
}

/// Runs it to its end: exit code 1 where it does not start, else 0.
pub fn run(arguments: &Arguments, place: &Place) -> ExitCode {
    let log = Log::new("K2HDKC", arguments.level);
    block_signals();
    let runtime = Builder::new_current_thread().enable_all().build();
    let ended =
        runtime.map_err(StartError::from).and_then(|runtime| runtime.block_on(serve(arguments, place, &log)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.err(&error);
            say(&format!("ERROR: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// HUP, INT, TERM and USR1 are heard; the others have no effect.
fn block_signals() {
    let mut blocked = SigSet::empty();
    for signal in [Signal::SIGQUIT, Signal::SIGUSR2, Signal::SIGALRM, Signal::SIGPIPE] {
        blocked.add(signal);
    }
    // It cannot fail for a set of existing signals.
    let _ = blocked.thread_block();
}

/// The state of a k2hdkc that outlives a connection to its chmpx.
#[derive(Debug)]
struct K2hdkc {
    store: Store,
    log: Log,
    /// Merge callbacks are registered at the first join, and lost with the first chmpx.
    has_callbacks: bool,
}

async fn serve(arguments: &Arguments, place: &Place, log: &Log) -> Result<(), StartError> {
    if Faults::of(place, log).fails_k2hdkc_start() {
        return Err(StartError::Faults);
    }
    let identity = Identity::of(arguments);
    let config = Config::load(Path::new(&arguments.conf), &identity)?;
    let section = config.ring.profile.k2hdkc.as_ref().ok_or(StartError::NoSection)?;
    let value = |key: &str| {
        section.iter().rev().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str())
    };
    let store = Store::open(value, place)?;
    if config.is_on("MQACK") {
        return Err(StartError::Ack);
    }
    let mut k2hdkc = K2hdkc { store, log: log.clone(), has_callbacks: true };
    let mut ends = Ends::listen(log)?;
    let mut connection = Connection::open(attach::connect_loaded(&config, &identity, place)?, true)?;
    loop {
        tokio::select! {
            () = ends.asked() => break,
            () = k2hdkc.work(&mut connection) => {}
        }
        k2hdkc.has_callbacks = false;
        log.msg("Receive : chmpx is gone, and is joined again when it is back.");
        let left = Instant::now();
        let back = async {
            loop {
                if let Ok(stream) = attach::connect_loaded(&config, &identity, place) {
                    return stream;
                }
                sleep(LOOK).await;
            }
        };
        let stream = tokio::select! {
            stream = back => stream,
            () = ends.asked(), if !arguments.never_gives_up => break,
        };
        let joins_ring = arguments.never_gives_up || left.elapsed() < LONG_GONE;
        sleep(REJOIN).await;
        connection = Connection::open(stream, joins_ring)?;
    }
    sleep(END).await;
    Ok(())
}

/// A question of a merge. The keys are read a little later than it comes, and what was set in between is not sent: neither the
/// new value nor the one before (lib/chmeventmq.cc:2293, k2hash lib/k2hshmdirect.cc:188).
#[derive(Debug)]
struct Giving {
    ticket: u64,
    range: Range,
    until: Micros,
    at: Instant,
}

impl K2hdkc {
    /// Answers chmpx until the connection ends.
    async fn work(&mut self, connection: &mut Connection) {
        let mut asked: VecDeque<Giving> = VecDeque::new();
        loop {
            let reads_at = asked.front().map(|giving| giving.at);
            tokio::select! {
                frame = connection.frames.recv() => match frame {
                    Some(Some(Frame::Ask { ticket, question: Question::Give(range) })) if self.has_callbacks => {
                        asked.push_back(Giving { ticket, range, until: now(), at: Instant::now() + self.reading() });
                    }
                    Some(Some(Frame::Ask { ticket, question })) => {
                        connection.link.answer(ticket, self.answer(question));
                    }
                    Some(Some(Frame::Note(_) | Frame::Answer { .. })) => {}
                    Some(None) | None => return,
                },
                () = at(reads_at) => {
                    if let Some(Giving { ticket, range, until, .. }) = asked.pop_front() {
                        connection.link.answer(ticket, Reply::Items(self.store.give(&range, until)));
                    }
                }
            }
        }
    }

    /// Returns the time that it reads its keys for.
    fn reading(&self) -> Duration {
        READING + READING_KEY * u32::try_from(self.store.count()).unwrap_or(u32::MAX)
    }

    fn answer(&mut self, question: Question) -> Reply {
        match question {
            Question::Set(key, value) => {
                told(&self.log, self.store.write(key, value, now()).map(Reply::Written))
            }
            Question::Get(key) => Reply::Value(self.store.get(&key)),
            Question::Last => Reply::Last(self.store.last()),
            // Without its callbacks it has nothing to give, and says yes to everything (docs/facts.md D2).
            Question::Give(_) => Reply::Items(Vec::new()),
            Question::Keep(_) if !self.has_callbacks => Reply::Kept,
            Question::Copy(records) | Question::Keep(records) => self.keep(records),
            Question::Command(_) => Reply::Failed("k2hdkc has no control port".to_owned()),
        }
    }

    fn keep(&mut self, records: Vec<Record>) -> Reply {
        told(&self.log, self.store.keep(records).map(|()| Reply::Kept))
    }
}

/// Waits for that moment; without one for ever.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

fn told(log: &Log, result: std::io::Result<Reply>) -> Reply {
    result.unwrap_or_else(|error| {
        log.err(&error);
        Reply::Failed(error.to_string())
    })
}

/// The connection to chmpx.
struct Connection {
    link: Link,
    frames: mpsc::UnboundedReceiver<Option<Frame>>,
}

impl Connection {
    fn open(stream: std::os::unix::net::UnixStream, joins_ring: bool) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (read, write) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let (sender, frames) = mpsc::unbounded_channel();
        // The receiver is gone only when the process ends.
        let link = Link::open(read, write, move |frame| drop(sender.send(frame)));
        link.tell(Note::Attach(Attach { pid: std::process::id(), is_k2hdkc: true, joins_ring }));
        Ok(Self { link, frames })
    }
}

/// The signals that end it.
struct Ends(mpsc::UnboundedReceiver<()>);

impl Ends {
    fn listen(log: &Log) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let kinds = [
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::user_defined1(),
        ];
        for kind in kinds {
            let mut caught = signal(kind)?;
            let (sender, log) = (sender.clone(), log.clone());
            tokio::spawn(async move {
                while caught.recv().await.is_some() {
                    if kind == SignalKind::user_defined1() {
                        log.bump();
                    } else if sender.send(()).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self(receiver))
    }

    /// Waits for one; it stays asked for.
    async fn asked(&mut self) {
        if self.0.recv().await.is_none() {
            pending::<()>().await;
        }
    }
}
