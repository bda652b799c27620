//! `run`: the only composition root. Builds the adapters, spawns the edges, runs the reconciler, drains.
//!
//! Everything runs on one thread. The pass does its few file operations in place: they take milliseconds, happen
//! when something changed, and so can never run beside a second pass.

mod asker;
mod logging;
mod membership;
mod offline;
mod registrar;
mod shutdown;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin as Signal;
use signal_hook_tokio::SignalsInfo;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use asker::Asker;
use registrar::{Attempted, Registrar};

pub use offline::join;

use crate::admin::{self, AdminError, Commanded, Listening};
use crate::clock::{Clock, Timestamp, spoken};
use crate::ledger::{LedgerError, Store};
use crate::log::Logging;
use crate::notify::Notify;
use crate::peer_watch::Watch;
use crate::problem::{Note, chain};
use crate::reconcile::Reconciler;
use crate::ring_task::RingTask;
use crate::settings::{self, Origin, Settings};
use crate::source::Answered;
use crate::status::Status;
use crate::supervisor::{AnySupervisor, Supervisor as _};
use crate::wake::{Reason, Reasons, Waker};
use crate::watch::Watches;

/// The reason for which the agent does not start.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The socket cannot be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
}

/// Time for the agent's own end, besides its processes' time.
const AFTER_DRAIN: Duration = Duration::from_secs(15);

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
///
/// [`DaemonError`] where the agent cannot start.
pub async fn run(origin: Origin, settings: Settings, logging: Logging) -> Result<(), DaemonError> {
    let started = Instant::now();
    let store = Store::open(&settings.state.directory, settings.ini.keep)?;
    if let Some(complaint) = &store.complaint {
        error!("{complaint}");
    }
    let mut signals =
        SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1]).map_err(DaemonError::Signals)?;
    let Listening { listener, note } =
        admin::listen(&settings.state.runtime_directory, settings.state.status_group.as_deref())?;
    if let Some(note) = note {
        warn!("{note}");
    }
    let mut agent = Agent::new(origin, settings, store, logging);
    let (command, commands) = mpsc::channel(1);
    let served = tokio::spawn(admin::serve(listener, agent.published.subscribe(), command));
    info!(pid = std::process::id(), version = env!("CARGO_PKG_VERSION"), ini = %agent.status.agent.ini, "started");
    let waker = agent.waker.clone();
    agent.notify.ready();
    let stopped_by = tokio::select! {
        never = agent.work(commands) => match never {},
        signal = stop_signal(&mut signals, waker) => signal,
    };
    served.abort();
    agent.notify.stopping(agent.reconciler.settings().supervisor.timing.drain + AFTER_DRAIN);
    agent.beside.ring.end();
    agent.end_processes().await;
    agent.told.end();
    let socket = admin::socket(&agent.reconciler.settings().state.runtime_directory);
    if let Err(error) = crate::file::remove(&socket) {
        debug!(error = chain(&error), "the socket is left behind");
    }
    info!(signal = stopped_by, after = spoken(started.elapsed()), "stopped; {}", agent.left_behind());
    Ok(())
}

/// Turns signals into wakes until one of them means stop.
async fn stop_signal(signals: &mut SignalsInfo<WithOrigin>, waker: Waker) -> String {
    loop {
        let Some(signal) = poll_fn(|context| Pin::new(&mut *signals).poll_next(context)).await else {
            return "none".to_owned();
        };
        match signal.signal {
            SIGHUP => waker.wake(Reason::Hangup),
            SIGUSR1 => waker.wake(Reason::Command),
            _ => return sender(&signal),
        }
    }
}

/// Waits until that time; for ever without one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn sender(signal: &Signal) -> String {
    let name = if signal.signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
    match &signal.process {
        Some(process) => format!("{name} from pid {} (uid {})", process.pid, process.uid),
        None => name.to_owned(),
    }
}

/// An event of the loop.
enum Event {
    /// A wake, or a deadline.
    Woken(Reasons),
    /// The source answered the question that was put for these reasons.
    Answered(Reasons, Answered),
    /// The watchdog's keep-alive is due.
    Beat,
    /// The next attempt at the role is due.
    Errand,
    /// An attempt at the role ended.
    Attempted(Attempted),
}

/// The running agent: the reconciler and its edges.
struct Agent {
    origin: Origin,
    reconciler: Reconciler<AnySupervisor>,
    asker: Asker,
    registrar: Registrar,
    /// Reasons for a question to the source, held back until this node has tried to become a member.
    held_back: Reasons,
    waker: Waker,
    watches: Watches,
    beside: Beside,
    status: Status,
    published: watch::Sender<Status>,
    notify: Notify,
    logging: Logging,
    /// The log of the outcomes.
    outcomes: Outcomes,
    /// The log of the processes.
    told: logging::Told,
    /// True where the host shuts down, and the processes with it.
    goes_down: bool,
}

/// The log of the outcomes.
#[derive(Default)]
struct Outcomes {
    /// Lines logged since the last good pass: one fault may alternate between a few sentences.
    said: BTreeSet<String>,
    /// The start and the number of doubtful answers in a row.
    doubtful: Option<(Instant, u32)>,
}

/// The tasks that look and act beside the passes.
struct Beside {
    /// The changes of the ring.
    ring: RingTask,
    /// The watch over chmpx's connections.
    peers: Watch,
}

impl Agent {
    fn new(origin: Origin, settings: Settings, store: Store, logging: Logging) -> Self {
        let waker = Waker::default();
        let watches = Watches::new(&settings, waker.clone());
        let peers = Watch::start(settings.peers, waker.clone());
        let (clock, asker) = (Clock::of_host(), Asker::new(&settings));
        let mut registrar = Registrar::new(&settings, clock.clone());
        registrar.recall(&settings, store.ledger());
        let mut supervisor = AnySupervisor::new(&settings, waker.clone(), store.ledger().picked);
        supervisor.listen();
        let mut status =
            Status::idle(store.ledger(), supervisor.name(), settings.ini.path.display().to_string());
        status.agent.pid = Some(std::process::id());
        status.agent.started = Some(Timestamp::now());
        let published = watch::Sender::new(status.clone());
        let ring =
            RingTask::start(&settings.state.runtime_directory, &settings.state.directory, waker.clone());
        waker.wake(Reason::Start);
        Self {
            origin,
            reconciler: Reconciler::new(settings, supervisor, store, true, clock),
            asker,
            registrar,
            held_back: Reasons::default(),
            waker,
            watches,
            status,
            published,
            notify: Notify::from_environment(),
            logging,
            outcomes: Outcomes::default(),
            told: logging::Told::default(),
            goes_down: false,
            beside: Beside { ring, peers },
        }
    }

    /// Wakes, passes, reports, for ever. May be dropped at every await: a file is replaced without one, and the next agent finds
    /// by looking what a step has done.
    async fn work(&mut self, mut commands: mpsc::Receiver<Commanded>) -> std::convert::Infallible {
        loop {
            self.notify.beat();
            let (settled, look) = (self.reconciler.settled_at(), self.reconciler.look_at());
            let due = self.asker.due().filter(|_| !self.asker.is_asking() && self.asks());
            let errand = self.errand();
            let event = tokio::select! {
                reasons = self.waker.woken() => Event::Woken(reasons),
                (reasons, answered) = self.asker.answered() => Event::Answered(reasons, answered),
                () = until(due) => Event::Woken(Reason::Timer.into()),
                () = until(settled) => Event::Woken(Reason::Settled.into()),
                () = until(look) => Event::Woken(Reason::Look.into()),
                () = until(self.notify.next_beat()) => Event::Beat,
                attempted = self.registrar.ended() => Event::Attempted(attempted),
                () = until(errand) => Event::Errand,
                Some(commanded) = commands.recv() => Event::Woken(self.commanded(commanded)),
            };
            match event {
                Event::Woken(reasons) => self.woken(reasons).await,
                Event::Answered(reasons, answered) => {
                    self.membership_shown(&answered);
                    self.pass(reasons, Some(answered)).await;
                }
                Event::Errand => {
                    self.look_who_leaves();
                    self.registrar.begin(self.reconciler.settings(), self.reconciler.store().ledger());
                }
                Event::Attempted(attempted) => self.attempted(&attempted),
                Event::Beat => {}
            }
        }
    }

    /// Defers a pass that needs an answer of the source, and makes any other one now.
    async fn woken(&mut self, reasons: Reasons) {
        if reasons.contains(Reason::SettingsChanged) || reasons.contains(Reason::Hangup) {
            self.reload();
            self.registrar.is_perhaps_another(self.reconciler.settings());
        }
        self.held_back = self.held_back.with(reasons.asking());
        self.ask_what_is_held_back();
        if !reasons.local().is_empty() {
            self.pass(reasons.local(), None).await;
        }
    }

    async fn pass(&mut self, reasons: Reasons, answered: Option<Answered>) {
        let asked = answered.is_some();
        self.look_who_leaves();
        while let Some(ended) = self.beside.ring.ended() {
            self.reconciler.take_change(&ended);
        }
        self.reconciler.observe_ring(self.beside.ring.progress());
        let findings = self.beside.peers.findings();
        self.status.peers = findings.reasons().iter().map(Note::of).collect();
        self.reconciler.take_findings(findings);
        let report = self.reconciler.pass(reasons, answered).await;
        self.beside.ring.assign(self.reconciler.assignment());
        self.beside.peers.follow(self.reconciler.watched().clone(), self.reconciler.settings().peers);
        if asked {
            let wait = self.reconciler.until_next_question(fastrand::f64());
            self.asker.rest(wait);
            self.status.answer.next_question = Some(Timestamp::now().after(wait));
        }
        self.watches.refresh();
        self.log(&report);
        self.status.take(&report, self.reconciler.store().ledger());
        self.tell_supervisor();
        self.publish();
    }

    /// Publishes the status to the socket and to systemd.
    fn publish(&mut self) {
        self.notify.status(&self.status.summary());
        self.published.send_replace(self.status.clone());
    }

    /// Reads the configuration again. A bad one is reported, and the old one stays.
    fn reload(&mut self) {
        self.notify.reloading();
        match settings::load(&self.origin) {
            Ok(settings) => {
                if self.status.agent.settings_error.take().is_some() {
                    info!("the configuration is good again");
                }
                if settings.means_the_same(self.reconciler.settings()) {
                    self.reconciler.note(settings.notes);
                } else {
                    self.take_settings(settings);
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.status.agent.settings_error.as_ref() != Some(&text) {
                    error!(
                        "the new configuration is refused, the old one stays: {}",
                        text.replace('\n', "; ")
                    );
                }
                self.status.agent.settings_error = Some(text);
            }
        }
        self.publish();
        self.notify.ready();
    }

    fn take_settings(&mut self, settings: Settings) {
        let old = self.reconciler.settings();
        if settings.state != old.state {
            warn!("[state] takes effect at the next start");
        }
        self.logging.set(settings.log);
        self.watches.follow(&settings);
        self.status.agent.ini = settings.ini.path.display().to_string();
        self.asker.follow(&settings);
        self.registrar.follow(&settings);
        self.reconciler.replace_settings(settings);
        let settings = self.reconciler.settings().clone();
        self.reconciler.supervisor_mut().reset(&settings, &self.waker);
        self.tell_supervisor();
        info!("the configuration was read again");
        self.waker.wake(Reason::Hangup);
    }

    /// A pass or other settings may have picked another supervisor.
    fn tell_supervisor(&mut self) {
        let supervisor = self.reconciler.supervisor();
        (self.status.agent.supervisor, self.status.agent.picked) =
            (supervisor.name().to_owned(), supervisor.choice());
    }
}
