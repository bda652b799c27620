//! The ring as a node's chmpx reports it, and since when: seen through its shared memory as `chmpxstatus` sees it, so
//! without the agent, and without a connection that could make chmpx swallow a reload.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use k2hdkc_agent::chmpx_state::{self, NodeStatus};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use k2hdkc_simulators::chmpx::picture::Picture;
use k2hdkc_simulators::chmpx::shm;

/// The deadline of `chmpxstatus`, which takes some 40 ms.
const PRINTED_WITHIN: Duration = Duration::from_secs(10);

/// The way to look at a chmpx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Eye {
    /// The simulator's shared memory, a file.
    Memory(PathBuf),
    /// `chmpxstatus` with its arguments, and what enters the node before it.
    Program(Vec<OsString>),
}

impl Eye {
    /// Between two looks. The real `chmpxstatus` takes 40 ms of a processor.
    fn every(&self) -> Duration {
        match self {
            Self::Memory(_) => Duration::from_millis(20),
            Self::Program(_) => Duration::from_millis(400),
        }
    }

    async fn look(&self) -> Option<Seen> {
        match self {
            Self::Memory(path) => in_memory(&shm::read(path).ok()?),
            Self::Program(words) => printed(words).await,
        }
    }
}

fn in_memory(picture: &Picture) -> Option<Seen> {
    let rows = picture.servers.iter();
    Some(Seen {
        pid: picture.pid,
        fileversion: u32::try_from(picture.fileversion).ok()?,
        own: status(picture.own.status.bits()),
        servers: rows.map(|row| (row.cuk.clone(), status(row.status.bits()))).collect(),
    })
}

async fn printed(words: &[OsString]) -> Option<Seen> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PRINTED_WITHIN, command.output()).await.ok()?.ok()?;
    let view = chmpx_state::chmpxstatus(&String::from_utf8_lossy(&output.stdout)).ok()?;
    Some(Seen {
        pid: view.pid,
        fileversion: view.fileversion?,
        own: view.own.status,
        servers: view.servers.into_iter().map(|row| (row.cuk, row.status)).collect(),
    })
}

fn status(bits: u64) -> NodeStatus {
    NodeStatus::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))
}

/// The report of a running chmpx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The process.
    pub pid: u32,
    /// The FILEVERSION that it has loaded.
    pub fileversion: u32,
    /// The own status.
    pub own: NodeStatus,
    /// The servers that it lists, by CUK.
    pub servers: BTreeMap<String, NodeStatus>,
}

impl Seen {
    /// Checks whether it lists exactly these servers, each of them in service.
    pub(super) fn is_whole(&self, servers: &[String]) -> bool {
        self.servers.keys().eq(servers) && self.servers.values().all(|status| status.is_healthy())
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let unwell: Vec<_> = self.servers.iter().filter(|(_, status)| !status.is_healthy()).collect();
        let rest: String =
            unwell.iter().map(|(name, status)| format!(", {name} {:#x}", status.bits())).collect();
        format!("generation {} loaded, {} servers listed{rest}", self.fileversion, self.servers.len())
    }
}

/// The report from one moment on; nothing where no chmpx answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glimpse {
    /// Since when.
    pub at: Instant,
    /// The report.
    pub seen: Option<Seen>,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Looks {
    glimpses: watch::Receiver<Vec<Glimpse>>,
    _looking: JoinSet<()>,
}

impl Looks {
    /// Looks from now on.
    pub(super) fn start(eye: Eye) -> Self {
        let first = Glimpse { at: Instant::now(), seen: None };
        let (sender, glimpses) = watch::channel(vec![first]);
        let mut looking = JoinSet::new();
        looking.spawn(async move {
            let mut ticks = interval(eye.every());
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let (at, seen) = (Instant::now(), eye.look().await);
                let is_new = sender.borrow().last().is_none_or(|last| last.seen != seen);
                if is_new {
                    sender.send_modify(|glimpses| glimpses.push(Glimpse { at, seen }));
                }
            }
        });
        Self { glimpses, _looking: looking }
    }

    /// Returns the present report.
    pub(super) fn last(&self) -> Option<Seen> {
        self.glimpses.borrow().last().and_then(|glimpse| glimpse.seen.clone())
    }

    /// The same for people.
    pub(super) fn line(&self) -> String {
        self.last().map_or_else(|| "no chmpx answers".to_owned(), |seen| seen.line())
    }

    /// For whoever shows it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Vec<Glimpse>> {
        self.glimpses.clone()
    }

    /// Waits until it is so, and tells since when; `None` when the time ran out.
    pub(super) async fn until(&self, within: Duration, is_so: impl Fn(&Seen) -> bool) -> Option<Instant> {
        let mut glimpses = self.glimpses.clone();
        let fits = |glimpse: &Glimpse| glimpse.seen.as_ref().is_some_and(&is_so);
        let found = timeout(within, glimpses.wait_for(|glimpses| glimpses.last().is_some_and(fits))).await;
        since(&found.ok()?.ok()?, fits)
    }

    /// Checks whether the servers and their statuses have been the same ever since; else what was seen instead.
    pub(super) fn steady_since(&self, since: Instant) -> Result<(), String> {
        steady(&self.glimpses.borrow(), since)
    }
}

/// When the run of fitting glimpses began that goes on until now.
fn since(glimpses: &[Glimpse], fits: impl Fn(&Glimpse) -> bool) -> Option<Instant> {
    glimpses.iter().rev().take_while(|glimpse| fits(glimpse)).last().map(|glimpse| glimpse.at)
}

fn steady(glimpses: &[Glimpse], since: Instant) -> Result<(), String> {
    let begins = glimpses.iter().rposition(|glimpse| glimpse.at <= since).unwrap_or_default();
    let servers = |glimpse: &Glimpse| glimpse.seen.as_ref().map(|seen| seen.servers.clone());
    let first = glimpses.get(begins).and_then(servers);
    match glimpses.iter().skip(begins).find(|glimpse| servers(glimpse) != first || first.is_none()) {
        None => Ok(()),
        Some(Glimpse { seen: Some(seen), .. }) => Err(seen.line()),
        Some(_) => Err("no chmpx answered".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(servers: &[(&str, u32)]) -> Seen {
        let servers =
            servers.iter().map(|(name, bits)| ((*name).to_owned(), NodeStatus::from_bits(*bits))).collect();
        Seen { pid: 1, fileversion: 7, own: NodeStatus::HEALTHY, servers }
    }

    #[test]
    fn a_ring_is_whole_when_exactly_the_wanted_servers_are_in_service() {
        let wanted = ["server-1".to_owned(), "server-2".to_owned()];
        assert!(seen(&[("server-1", 0x21), ("server-2", 0x21)]).is_whole(&wanted));
        assert!(!seen(&[("server-1", 0x21), ("server-2", 0x2121)]).is_whole(&wanted));
        assert!(!seen(&[("server-1", 0x21)]).is_whole(&wanted));
        assert!(!seen(&[("server-1", 0x21), ("server-2", 0x21), ("server-3", 0x21)]).is_whole(&wanted));
    }

    #[test]
    fn a_ring_that_changed_and_came_back_was_not_steady() {
        let start = Instant::now();
        let glimpse = |n: u64, bits| Glimpse {
            at: start + Duration::from_secs(n),
            seen: Some(seen(&[("server-1", bits)])),
        };
        let glimpses = [glimpse(0, 0x21), glimpse(1, 0x10021), glimpse(2, 0x21)];
        assert_eq!(
            steady(&glimpses, start),
            Err("generation 7 loaded, 1 servers listed, server-1 0x10021".into())
        );
        assert_eq!(steady(&glimpses, start + Duration::from_secs(3)), Ok(()));
        assert_eq!(steady(&[Glimpse { at: start, seen: None }], start), Err("no chmpx answered".into()));
        let healthy = |glimpse: &Glimpse| {
            glimpse.seen.as_ref().is_some_and(|seen| seen.servers["server-1"].is_healthy())
        };
        assert_eq!(since(&glimpses, healthy), Some(start + Duration::from_secs(2)));
    }
}
