//! systemd over D-Bus: reads two units, starts and stops them by jobs, and hears when they change. No `systemctl`, whose
//! output is for people.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zbus::fdo::PropertiesProxy;

use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant, message};

use super::unit::UnitState;
use crate::wake::{Reason, Waker};

/// Longest wait for an answer of the bus or of systemd.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Changes that may wait to be heard: more of them say the same.
const QUEUED: Option<NonZeroUsize> = NonZeroUsize::new(64);
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn disable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
    ) -> zbus::Result<Vec<(String, String, String)>>;
    fn enable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
        force: bool,
    ) -> zbus::Result<(bool, Vec<(String, String, String)>)>;
    fn reload(&self) -> zbus::Result<()>;
    #[zbus(property)]
    fn system_state(&self) -> zbus::Result<String>;
}

/// Whether systemd is shutting this host down; not where it is not there, or does not say so in time.
pub async fn host_goes_down() -> bool {
    let state = async {
        let connection = zbus::connection::Builder::system().method_timeout(ANSWER_WITHIN).build().await?;
        ManagerProxy::new(&connection).await?.system_state().await
    };
    matches!(timeout(ANSWER_WITHIN, state).await, Ok(Ok(state)) if state == "stopping")
}

/// Why systemd did not do or say something.
#[derive(Debug, Error)]
pub enum BusError {
    /// The bus or systemd on it cannot be reached, or did not answer in time.
    #[error("systemd cannot be reached over D-Bus")]
    Unreachable(#[source] zbus::Error),
    /// systemd refused.
    #[error("systemd does not {what} {unit}")]
    Refused {
        /// "start", "stop", "disable", "enable".
        what: &'static str,
        /// Which unit.
        unit: String,
        /// Why.
        #[source]
        source: zbus::Error,
    },
}

/// A job that ended: the unit, and systemd's word for how ("done", "failed", "timeout", "dependency", ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobEnd {
    pub(super) unit: String,
    pub(super) result: String,
}

/// One connection. Dropped, nobody listens any more.
#[derive(Debug)]
pub(super) struct Bus {
    connection: Connection,
    manager: ManagerProxy<'static>,
    listening: JoinSet<()>,
    ended: mpsc::UnboundedReceiver<JobEnd>,
}

impl Bus {
    /// Connects, and listens to these units from now on: each change wakes a pass.
    pub(super) async fn connect(units: &[&str], waker: &Waker) -> Result<Self, BusError> {
        let builder = zbus::connection::Builder::system();
        let connection =
            builder.method_timeout(ANSWER_WITHIN).build().await.map_err(BusError::Unreachable)?;
        let manager = ManagerProxy::new(&connection).await.map_err(BusError::Unreachable)?;
        let (jobs, ended) = mpsc::unbounded_channel();
        let mut bus = Self { connection, manager, listening: JoinSet::new(), ended };
        bus.listen(units, waker, &jobs).await.map_err(BusError::Unreachable)?;
        Ok(bus)
    }

    async fn listen(
        &mut self,
        units: &[&str],
        waker: &Waker,
        jobs: &mpsc::UnboundedSender<JobEnd>,
    ) -> zbus::Result<()> {
        // Without it systemd tells its own clients only of what they did themselves.
        self.manager.subscribe().await?;
        let signal =
            || MatchRule::builder().msg_type(message::Type::Signal).sender("org.freedesktop.systemd1");
        let removed = signal().interface("org.freedesktop.systemd1.Manager").member("JobRemoved").build()?;
        let mut rules = vec![removed];
        for unit in units {
            let path = self.manager.load_unit(unit).await?;
            let changed = signal().path(path).member("PropertiesChanged").build()?;
            rules.push(changed);
        }
        for rule in rules {
            let stream = MessageStream::for_match_rule(rule, &self.connection, QUEUED).await?;
            let (jobs, waker) = (jobs.clone(), waker.clone());
            let units: Vec<String> = units.iter().map(|unit| (*unit).to_owned()).collect();
            self.listening.spawn(hear(stream, units, jobs, waker));
        }
        Ok(())
    }

    /// Whether it still hears.
    pub(super) fn is_whole(&mut self) -> bool {
        self.listening.try_join_next().is_none()
    }

    /// Jobs for the units that have ended since the last call.
    pub(super) fn ended(&mut self) -> Vec<JobEnd> {
        std::iter::from_fn(|| self.ended.try_recv().ok()).collect()
    }

    /// How a unit is now.
    pub(super) async fn look(&self, unit: &str) -> Result<UnitState, BusError> {
        let path = self.manager.load_unit(unit).await.map_err(BusError::Unreachable)?;
        let properties = self.properties(path).await.map_err(BusError::Unreachable)?;
        let word = |map: &HashMap<String, OwnedVariant>, key: &str| {
            map.get(key).and_then(|value| String::try_from(value.clone()).ok()).unwrap_or_default()
        };
        let words = |map: &HashMap<String, OwnedVariant>, key: &str| {
            map.get(key).and_then(|value| Vec::<String>::try_from(value.clone()).ok()).unwrap_or_default()
        };
        let number = |map: &HashMap<String, OwnedVariant>, key: &str| {
            map.get(key).and_then(|value| u32::try_from(value.clone()).ok()).unwrap_or_default()
        };
        let (unit, service) = (properties.0, properties.1);
        Ok(UnitState {
            load: word(&unit, "LoadState"),
            active: word(&unit, "ActiveState"),
            sub: word(&unit, "SubState"),
            file: word(&unit, "UnitFileState"),
            has_job: unit
                .get("Job")
                .and_then(|job| <(u32, OwnedObjectPath)>::try_from(job.clone()).ok())
                .is_some_and(|(id, _)| id != 0),
            main_pid: number(&service, "MainPID"),
            is_helped: service.get("ExecStart").is_some_and(runs_helper),
            result: word(&service, "Result"),
            restarts: number(&service, "NRestarts"),
            needs: ["BindsTo", "Requires", "Wants"].iter().flat_map(|key| words(&unit, key)).collect(),
        })
    }

    async fn properties(
        &self,
        path: OwnedObjectPath,
    ) -> zbus::Result<(HashMap<String, OwnedVariant>, HashMap<String, OwnedVariant>)> {
        let builder = PropertiesProxy::builder(&self.connection).destination("org.freedesktop.systemd1");
        let properties = builder.path(path).build().await?;
        let all = |interface: &'static str| zbus::names::InterfaceName::from_static_str(interface);
        let unit = properties.get_all(all(UNIT)?).await?;
        // A timer has none.
        let service = properties.get_all(all(SERVICE)?).await.unwrap_or_default();
        Ok((unit, service))
    }

    /// Asks systemd to start it; its job is not waited for. Clears a start limit that was hit before.
    pub(super) async fn start(&self, unit: &str) -> Result<(), BusError> {
        // It fails where nothing had failed.
        let _ = self.manager.reset_failed_unit(unit).await;
        self.manager.start_unit(unit, "replace").await.map(drop).map_err(refused("start", unit))
    }

    /// Asks systemd to stop it; its job is not waited for.
    pub(super) async fn stop(&self, unit: &str) -> Result<(), BusError> {
        self.manager.stop_unit(unit, "replace").await.map(drop).map_err(refused("stop", unit))
    }

    /// Stops units, and lets none of them start at the next boot. Whether one did before.
    pub(super) async fn disable(&self, units: &[&str]) -> Result<bool, BusError> {
        for unit in units {
            match self.stop(unit).await {
                Err(BusError::Refused { source: zbus::Error::MethodError(name, ..), .. })
                    if name.ends_with(".NoSuchUnit") => {}
                other => other?,
            }
        }
        let [first, ..] = units else { return Ok(false) };
        let changes =
            self.manager.disable_unit_files(units, false).await.map_err(refused("disable", first))?;
        self.manager.reload().await.map_err(refused("disable", first))?;
        Ok(!changes.is_empty())
    }

    /// Lets a unit start at each boot.
    pub(super) async fn enable(&self, unit: &str) -> Result<(), BusError> {
        self.manager.enable_unit_files(&[unit], false, false).await.map_err(refused("enable", unit))?;
        self.manager.reload().await.map_err(refused("enable", unit))
    }
}

/// Whether the first program of an `ExecStart` is one of upstream's helpers.
fn runs_helper(started: &OwnedVariant) -> bool {
    type Started = Vec<(String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32)>;
    let started = Started::try_from(started.clone()).unwrap_or_default();
    started.first().is_some_and(|(path, ..)| path.ends_with("-service-helper"))
}

fn refused(what: &'static str, unit: &str) -> impl FnOnce(zbus::Error) -> BusError {
    let unit = unit.to_owned();
    move |source| BusError::Refused { what, unit, source }
}

/// Turns what systemd says into wakes, until the connection breaks, which is one as well.
async fn hear(
    mut stream: MessageStream,
    units: Vec<String>,
    jobs: mpsc::UnboundedSender<JobEnd>,
    waker: Waker,
) {
    use futures_core::Stream as _;
    loop {
        let next = std::future::poll_fn(|context| std::pin::Pin::new(&mut stream).poll_next(context)).await;
        let Some(Ok(message)) = next else { break };
        match job_end(&message) {
            Some(end) if units.contains(&end.unit) => drop(jobs.send(end)),
            Some(_) => continue,
            None => {}
        }
        waker.wake(Reason::TargetChanged);
    }
    waker.wake(Reason::TargetChanged);
}

fn job_end(message: &Message) -> Option<JobEnd> {
    let is_removal = message.header().member().is_some_and(|member| member.as_str() == "JobRemoved");
    let body = message.body();
    let (_, _, unit, result): (u32, OwnedObjectPath, String, String) =
        is_removal.then(|| body.deserialize().ok()).flatten()?;
    Some(JobEnd { unit, result })
}
