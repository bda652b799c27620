//! The task that watches: looks at chmpx's connections some times a second, asks the other hosts where something is unanswered, and
//! destroys what is to be cut. It reports what it finds, and wakes a pass with every change of it.
//!
//! A look in a calm ring is one dump of the kernel's; the descriptors of chmpx are read only where something is unanswered.
//!
//! [`kernel`] reads and destroys connections, [`witness`] asks, [`sentinel`] holds connections that are never idle for long.

mod kernel;
mod sentinel;
mod witness;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use self::kernel::{Diagnosis, Entry};
use self::sentinel::Sentinels;
use self::witness::Witness;
use crate::peers::{Findings, History, Limits, Seen, Trouble, decide};
use crate::settings;
use crate::supervisor::ProcessId;
use crate::wake::{Reason, Waker};

/// Pause between two looks in a calm ring.
const LOOK: Duration = Duration::from_millis(500);

/// Pause while something is unanswered: the nodes of a ring are to cut at the same time.
const LOOK_SOON: Duration = Duration::from_millis(200);

/// Pause after which an obstacle is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Subject of the watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// chmpx by its number on this host.
    pub chmpx: Option<ProcessId>,
    /// True where chmpx runs out of sight of this host's `/proc`.
    pub hidden: bool,
    /// Control ports of servers to which connections are held.
    pub sentinels: Vec<SocketAddr>,
    /// Control ports of the other hosts of the ring, servers first.
    pub others: Vec<SocketAddr>,
}

/// The watch of an agent. Dropped, it ends.
#[derive(Debug)]
pub struct Watch {
    targets: watch::Sender<(Target, settings::Peers)>,
    findings: watch::Receiver<Findings>,
    _task: JoinSet<()>,
}

impl Watch {
    /// Starts to watch; nothing is a target yet.
    pub fn start(settings: settings::Peers, waker: Waker) -> Self {
        let (targets, target) = watch::channel((Target::default(), settings));
        let (published, findings) = watch::channel(Findings::default());
        let mut task = JoinSet::new();
        task.spawn(Watcher::new(target, published, waker).work());
        Self { targets, findings, _task: task }
    }

    /// Watches that target, by these settings, from now on.
    pub fn follow(&self, target: Target, settings: settings::Peers) {
        self.targets.send_if_modified(|known| {
            let next = (target, settings);
            let differs = *known != next;
            *known = next;
            differs
        });
    }

    /// Returns what is known now.
    pub fn findings(&self) -> Findings {
        self.findings.borrow().clone()
    }
}

/// A diagnosis, or when it failed and why.
type Opened = Result<Diagnosis, (Instant, Trouble)>;

/// The task.
struct Watcher {
    target: watch::Receiver<(Target, settings::Peers)>,
    published: watch::Sender<Findings>,
    waker: Waker,
    history: History,
    witness: Witness,
    sentinels: Sentinels,
    /// The diagnosis of this chmpx.
    diagnosis: Option<(ProcessId, Opened)>,
    /// The latest failure of a cut.
    failed: Option<Trouble>,
}

impl Watcher {
    fn new(
        target: watch::Receiver<(Target, settings::Peers)>,
        published: watch::Sender<Findings>,
        waker: Waker,
    ) -> Self {
        Self {
            target,
            published,
            waker,
            history: History::default(),
            witness: Witness::default(),
            sentinels: Sentinels::default(),
            diagnosis: None,
            failed: None,
        }
    }

    async fn work(mut self) {
        loop {
            let pause = if self.history == History::default() { LOOK } else { LOOK_SOON };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.witness.answer() => {}
                changed = self.target.changed() => if changed.is_err() { return },
            }
            let (target, settings) = self.target.borrow_and_update().clone();
            let findings = self.look(&target, settings);
            self.publish(findings);
        }
    }

    /// Looks once, and carries out what follows.
    fn look(&mut self, target: &Target, settings: settings::Peers) -> Findings {
        self.sentinels.keep(&target.sentinels);
        let (entries, trouble) = match self.entries(target) {
            Ok(entries) => (entries, None),
            Err(trouble) => (Vec::new(), Some(trouble)),
        };
        let connections = entries.iter().map(|entry| entry.connection).collect();
        let seen = Seen { connections, answers: self.witness.answers(&target.others) };
        let limits = Limits { dead_after: settings.dead_after, cut: settings.cut };
        let (decision, history) = decide(&seen, &self.history, &limits, Instant::now());
        self.history = history;
        if decision.ask {
            self.witness.ask(&target.others);
        }
        let own = self.sentinels.ends();
        let is_cut = |entry: &&Entry| decision.cut.contains(&entry.connection.ends);
        let cut: Vec<_> =
            entries.iter().filter(is_cut).filter(|e| !own.contains(&e.connection.ends)).collect();
        self.cut(&cut);
        let trouble = trouble.or_else(|| self.failed.clone()).or_else(|| self.obstacle(settings));
        Findings { trouble, ..decision.findings }
    }

    /// Obstacle of a cut that is known before one is due.
    fn obstacle(&self, settings: settings::Peers) -> Option<Trouble> {
        let (_, diagnosis) = self.diagnosis.as_ref()?;
        diagnosis.as_ref().ok()?.obstacle.clone().filter(|_| settings.cut)
    }

    /// Returns chmpx's connections and the agent's own, where something in its namespace is unanswered or was lost; none in a calm ring.
    fn entries(&mut self, target: &Target) -> Result<Vec<Entry>, Trouble> {
        let Some(chmpx) = target.chmpx else {
            self.diagnosis = None;
            return if target.hidden { Err(Trouble::NotOnHost) } else { Ok(Vec::new()) };
        };
        let (is_calm, own) = (self.history == History::default(), self.sentinels.ends());
        let diagnosis = self.diagnosis(chmpx)?;
        let entries = diagnosis.connections()?;
        if is_calm && entries.iter().all(|entry| entry.connection.unanswered == 0) {
            return Ok(Vec::new());
        }
        Ok(kernel::of_sockets(entries, &kernel::sockets(chmpx.pid)?, &own))
    }

    /// Returns the diagnosis of that chmpx.
    fn diagnosis(&mut self, chmpx: ProcessId) -> Result<&mut Diagnosis, Trouble> {
        let is_good = match &self.diagnosis {
            Some((of, Ok(_))) => *of == chmpx,
            Some((of, Err((at, _)))) => *of == chmpx && at.elapsed() < AGAIN,
            None => false,
        };
        if !is_good {
            (self.diagnosis, self.failed) = (None, None);
        }
        let open = || (chmpx, Diagnosis::of(chmpx.pid).map_err(|trouble| (Instant::now(), trouble)));
        match &mut self.diagnosis.get_or_insert_with(open).1 {
            Ok(diagnosis) => Ok(diagnosis),
            Err((_, trouble)) => Err(trouble.clone()),
        }
    }

    fn cut(&mut self, entries: &[&Entry]) {
        let Some((_, Ok(diagnosis))) = &mut self.diagnosis else { return };
        for entry in entries {
            let (own, other) = entry.connection.ends;
            match diagnosis.destroy(entry) {
                Ok(()) => {
                    self.failed = None;
                    warn!(%own, %other, "the connection of chmpx was destroyed: the host acknowledges nothing");
                }
                Err(trouble) => {
                    warn!(%own, %other, "{trouble}");
                    self.failed = Some(trouble);
                }
            }
        }
    }

    /// Publishes the findings where they differ, and wakes a pass.
    fn publish(&mut self, findings: Findings) {
        let before = self.published.borrow().clone();
        if before == findings {
            return;
        }
        let (told, now) = (before.reasons(), findings.reasons());
        now.iter().filter(|reason| !told.contains(reason)).for_each(|reason| warn!("{reason}"));
        for host in before.lost.keys().filter(|host| !findings.lost.contains_key(*host)) {
            info!("{host} is heard again");
        }
        if before.isolated.is_some() && findings.isolated.is_none() {
            info!("another host of the ring answers again");
        }
        self.published.send_replace(findings);
        self.waker.wake(Reason::PeersChanged);
    }
}
