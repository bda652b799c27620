//! `run`: the only composition root. Builds the adapters, spawns the edges, runs the reconciler, drains.
//!
//! Everything runs on one thread. The pass does its few file operations in place: they take milliseconds, happen
//! when something changed, and so can never run beside a second pass.

mod alone;
mod asker;
mod errands;
mod registrar;

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
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use asker::Asker;
use registrar::{Attempted, Registrar};

pub use alone::join;

use crate::admin::{self, AdminError, Commanded};
use crate::apply::full;
use crate::clock::{Timestamp, spoken};
use crate::ledger::{LedgerError, Store};
use crate::log::Logging;
use crate::notify::Notify;
use crate::reconcile::Reconciler;
use crate::report::{Kind, Outcome, Report};
use crate::settings::{self, OnExit, Origin, Settings};
use crate::source::Answered;
use crate::standing::State;
use crate::status::Status;
use crate::target::{AnyTarget, Target as _};
use crate::wake::{Reason, Reasons, Waker};
use crate::watch::Watches;

/// Why the agent does not start.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Its state directory cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its socket cannot be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
}

/// Between two looks at processes that shall end.
const BETWEEN_ENDS: Duration = Duration::from_millis(200);

/// What the agent needs to end besides its processes' time.
const AFTER_DRAIN: Duration = Duration::from_secs(15);

/// Runs the agent until SIGTERM or SIGINT.
pub async fn run(origin: Origin, settings: Settings, logging: Logging) -> Result<(), DaemonError> {
    let started = Instant::now();
    let store = Store::open(&settings.state.directory, settings.ini.keep)?;
    if let Some(complaint) = &store.complaint {
        error!("{complaint}");
    }
    let mut signals =
        SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1]).map_err(DaemonError::Signals)?;
    let listener = admin::listen(&settings.state.runtime_directory)?;
    let mut agent = Agent::new(origin, settings, store, logging);
    let (command, commands) = mpsc::channel(1);
    let served = tokio::spawn(admin::serve(listener, agent.published.subscribe(), command));
    info!(pid = std::process::id(), version = env!("CARGO_PKG_VERSION"), ini = %agent.status.ini, "started");
    let waker = agent.waker.clone();
    agent.notify.ready();
    let stopped_by = tokio::select! {
        never = agent.work(commands) => match never {},
        signal = stop_signal(&mut signals, waker) => signal,
    };
    served.abort();
    agent.notify.stopping(agent.reconciler.settings().target.drain + AFTER_DRAIN);
    agent.end_processes().await;
    let socket = admin::socket(&agent.reconciler.settings().state.runtime_directory);
    if let Err(error) = crate::file::remove(&socket) {
        debug!(error = full(&error), "the socket is left behind");
    }
    info!(signal = stopped_by, after = spoken(started.elapsed()), "stopped; {}", agent.left_behind());
    Ok(())
}

/// Turns signals into wakes until one says stop.
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

/// Waits until then; for ever where there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn log_step(step: Option<&Result<String, String>>) {
    match step {
        Some(Ok(text)) => info!("{text}"),
        Some(Err(text)) => warn!("{text}"),
        None => {}
    }
}

fn sender(signal: &Signal) -> String {
    let name = if signal.signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
    match &signal.process {
        Some(process) => format!("{name} from pid {} (uid {})", process.pid, process.uid),
        None => name.to_owned(),
    }
}

/// What the loop waits for.
enum Event {
    /// Something happened, or it is time for something.
    Woken(Reasons),
    /// The source answered the question that was put for these reasons.
    Answered(Reasons, Answered),
    /// It is time to say that the loop lives.
    Beat,
    /// It is time to try to enter or leave the role.
    Errand,
    /// That came to its end.
    Attempted(Attempted),
}

/// The running agent: the reconciler and its edges.
struct Agent {
    origin: Origin,
    reconciler: Reconciler<AnyTarget>,
    asker: Asker,
    registrar: Registrar,
    /// Why the source will be asked as soon as this node has tried to become a member.
    held_back: Reasons,
    waker: Waker,
    watches: Watches,
    status: Status,
    published: watch::Sender<Status>,
    notify: Notify,
    logging: Logging,
    /// What was logged since the last good pass: the same fault may alternate between a few sentences.
    said: BTreeSet<String>,
    /// Since when answers have been doubtful.
    doubtful: Option<(Instant, u32)>,
}

impl Agent {
    fn new(origin: Origin, settings: Settings, store: Store, logging: Logging) -> Self {
        let waker = Waker::default();
        let watches = Watches::new(&settings, waker.clone());
        let (asker, registrar) = (Asker::new(&settings), Registrar::new(&settings));
        let mut target = AnyTarget::new(&settings, waker.clone(), store.ledger().picked);
        target.listen();
        let mut status = Status::idle(store.ledger(), target.name(), settings.ini.path.display().to_string());
        status.pid = Some(std::process::id());
        status.started = Some(Timestamp::now());
        let published = watch::Sender::new(status.clone());
        waker.wake(Reason::Start);
        Self {
            origin,
            reconciler: Reconciler::new(settings, target, store, true),
            asker,
            registrar,
            held_back: Reasons::default(),
            waker,
            watches,
            status,
            published,
            notify: Notify::from_environment(),
            logging,
            said: BTreeSet::new(),
            doubtful: None,
        }
    }

    /// Wakes, passes, reports, for ever. May be dropped at every await: what changes the machine does not await.
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
                    self.registrar.answered(&answered, self.reconciler.settings());
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

    /// What needs an answer of the source waits for it; what does not, is done now.
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
        let report = self.reconciler.pass(reasons, answered).await;
        if asked {
            let wait = self.reconciler.until_next_question(fastrand::f64());
            self.asker.rest(wait);
            self.status.next_question = Some(Timestamp::now().after(wait));
        }
        self.watches.refresh();
        self.log(&report);
        self.status.take(&report, self.reconciler.store().ledger());
        self.tell_target();
        self.publish();
    }

    /// For the socket, and for systemd.
    fn publish(&mut self) {
        self.notify.status(&self.status.summary());
        self.published.send_replace(self.status.clone());
    }

    /// Reads the configuration again. A bad one is reported, and the old one stays.
    fn reload(&mut self) {
        self.notify.reloading();
        match settings::load(&self.origin) {
            Ok(settings) => {
                if self.status.settings_error.take().is_some() {
                    info!("the configuration is good again");
                }
                if settings != *self.reconciler.settings() {
                    self.take_settings(settings);
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.status.settings_error.as_ref() != Some(&text) {
                    error!(
                        "the new configuration is refused, the old one stays: {}",
                        text.replace('\n', "; ")
                    );
                }
                self.status.settings_error = Some(text);
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
        self.status.ini = settings.ini.path.display().to_string();
        self.asker.follow(&settings);
        self.registrar.follow(&settings);
        self.reconciler.replace_settings(settings);
        let settings = self.reconciler.settings().clone();
        self.reconciler.target_mut().reset(&settings, &self.waker);
        self.tell_target();
        info!("the configuration was read again");
        self.waker.wake(Reason::Hangup);
    }

    /// A pass or other settings may have picked another target.
    fn tell_target(&mut self) {
        let target = self.reconciler.target();
        (self.status.target, self.status.picked) = (target.name().to_owned(), target.choice());
    }

    /// Ends the processes where the settings say so; where they stay, what was begun with them is brought to its end.
    async fn end_processes(&mut self) {
        if self.leaves() {
            return self.finish().await;
        }
        let ended = timeout(self.reconciler.settings().target.drain, async {
            loop {
                let (ended, step) = self.reconciler.end().await;
                log_step(step.as_ref());
                if ended {
                    return;
                }
                // The end of a process wakes; what is waited for otherwise is half a second.
                let _ = timeout(BETWEEN_ENDS, self.waker.woken()).await;
            }
        });
        if ended.await.is_err() {
            error!("chmpx and k2hdkc did not end in time and are left as they are");
        }
    }

    /// A node is not left without what the agent has just stopped.
    async fn finish(&mut self) {
        let within = self.reconciler.settings().target.drain;
        self.reconciler.begin_nothing();
        let finished = timeout(within, async {
            while self.reconciler.is_midway() {
                let look = self.reconciler.look_at().unwrap_or_else(Instant::now);
                tokio::select! {
                    _ = self.waker.woken() => {}
                    () = sleep_until(look) => {}
                }
                self.pass(Reason::Look.into(), None).await;
            }
        });
        if finished.await.is_err() {
            error!("what was stopped does not run again yet; the next agent goes on with it");
        }
    }

    fn left_behind(&self) -> &'static str {
        if self.leaves() {
            "chmpx and k2hdkc are left as they are"
        } else {
            "chmpx and k2hdkc were told to end before"
        }
    }

    /// Whether the processes outlive the agent.
    fn leaves(&self) -> bool {
        match self.reconciler.settings().target.on_exit {
            OnExit::Leave => true,
            OnExit::Stop => self.reconciler.target().lives_on(),
        }
    }

    /// One line for a pass that changed something; for others a line when it is a new one.
    fn log(&mut self, report: &Report) {
        let (line, reasons) = (report.line(), report.reasons.as_str());
        let again = self.said_before(report);
        self.log_recovery(report);
        match &report.outcome {
            Outcome::Installed(_) => info!(reasons, "{line}"),
            Outcome::Restored(..) | Outcome::Rewritten(..) => warn!(reasons, "{line}"),
            Outcome::RolledBack(..) => error!(reasons, "{line}"),
            Outcome::Unchanged | Outcome::Settling => debug!(reasons, "{line}"),
            _ if again => debug!(reasons, "{line}"),
            Outcome::Doubtful(_) | Outcome::Held(_) => warn!(reasons, "{line}"),
            Outcome::Refused(_) | Outcome::Rejected(_) | Outcome::Failed(_) => error!(reasons, "{line}"),
        }
        for note in report.notes.iter().filter(|note| !self.status.notes.contains(note)) {
            warn!("{note}");
        }
        log_step(report.step.as_ref());
        self.log_standing(report);
    }

    /// One line when the processes have come to another state.
    fn log_standing(&self, report: &Report) {
        let Some(standing) = &report.standing else { return };
        let past = self.status.standing.as_ref();
        if past.is_some_and(|past| past.state == standing.state && past.text == standing.text) {
            return;
        }
        match standing.state {
            State::Held => error!("{}", standing.text),
            State::Waiting => debug!("{}", standing.text),
            State::Converged => {
                let generation = standing.said.as_ref().and_then(|said| said.fileversion);
                info!(generation, "{}", standing.text);
            }
        }
    }

    /// Whether this very sentence was logged since the last good pass. The memory is short: what fails in ever new
    /// words is told again.
    fn said_before(&mut self, report: &Report) -> bool {
        const REMEMBERED: usize = 8;
        let good =
            matches!(report.outcome, Outcome::Installed(_) | Outcome::Rewritten(..) | Outcome::Unchanged);
        if good || self.said.len() >= REMEMBERED {
            self.said.clear();
        }
        !self.said.insert(report.outcome.line())
    }

    fn log_recovery(&mut self, report: &Report) {
        let doubtful = matches!(report.outcome.kind(), Kind::Doubtful | Kind::Restored);
        if report.asked.is_none() && !doubtful {
            // Nobody was asked, so nothing is known of the source.
            return;
        }
        self.doubtful = match (doubtful, self.doubtful.take()) {
            (true, Some((since, count))) => Some((since, count + 1)),
            (true, None) => Some((Instant::now(), 1)),
            (false, Some((since, count))) => {
                info!(after = spoken(since.elapsed()), doubtful = count, "the source answers again");
                None
            }
            (false, None) => None,
        };
    }
}
