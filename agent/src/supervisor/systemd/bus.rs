//! systemd over D-Bus: reads two units, starts and stops them by jobs, and hears when they change. No `systemctl`, whose
//! output is for people.

mod error;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};
use zbus::fdo::PropertiesProxy;
use zbus::proxy::{self, CacheProperties};
use zbus::{
    Connection, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant, Proxy, match_rule, message,
};

use super::unit::{Main, UnitState};
use crate::wake::{Reason, Waker};
pub(crate) use error::BusError;

/// Longest wait for an answer of the bus or of systemd.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Pause between two looks at a stopping unit.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Changes that may wait to be heard: more of them carry no more news.
const QUEUED: Option<NonZeroUsize> = NonZeroUsize::new(64);
const SYSTEMD: &str = "org.freedesktop.systemd1";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// True while systemd shuts this host down; false without systemd, or without an answer in time.
pub(crate) async fn host_goes_down() -> bool {
    let state = async { manager(&system().await?).await?.get_property::<String>("SystemState").await };
    matches!(timeout(ANSWER_WITHIN, state).await, Ok(Ok(state)) if state == "stopping")
}

/// A job that ended: the unit, and systemd's word for its end ("done", "failed", "timeout", "dependency", ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobEnd {
    pub(super) unit: String,
    pub(super) result: String,
}

/// A connection. Its listeners end with it.
#[derive(Debug)]
pub(super) struct Bus {
    connection: Connection,
    manager: Proxy<'static>,
    listening: JoinSet<()>,
    ended: mpsc::UnboundedReceiver<JobEnd>,
    stirred: mpsc::Receiver<()>,
}

impl Bus {
    /// Connects, and listens to the units of the programs and of their rival from now on: each change wakes a pass.
    pub(super) async fn connect(
        units: &[&str],
        rival: Option<&str>,
        waker: &Waker,
    ) -> Result<Self, BusError> {
        Self::try_connect(units, rival, waker).await.map_err(BusError::Unreachable)
    }

    async fn try_connect(units: &[&str], rival: Option<&str>, waker: &Waker) -> zbus::Result<Self> {
        let connection = system().await?;
        let manager = manager(&connection).await?;
        let ((jobs, ended), (stirs, stirred)) = (mpsc::unbounded_channel(), mpsc::channel(1));
        let mut bus = Self { connection, manager, listening: JoinSet::new(), ended, stirred };
        bus.listen(units, waker, &jobs).await?;
        if let Some(rival) = rival {
            bus.listen_to_rival(rival, waker, stirs).await?;
        }
        Ok(bus)
    }

    async fn listen(
        &mut self,
        units: &[&str],
        waker: &Waker,
        jobs: &mpsc::UnboundedSender<JobEnd>,
    ) -> zbus::Result<()> {
        // Without it systemd reports to a client only the client's own jobs.
        self.manager.call::<_, _, ()>("Subscribe", &()).await?;
        let mut ids = Vec::new();
        for unit in units {
            let path = self.load_unit(unit).await?;
            ids.push(self.keep(&path).await?);
            self.hear(changes(path)?, waker, |_| true).await?;
        }
        let jobs = jobs.clone();
        let is_ours = move |message: &Message| {
            job_end(message).filter(|end| ids.contains(&end.unit)).is_some_and(|end| jobs.send(end).is_ok())
        };
        let removed = signals().interface("org.freedesktop.systemd1.Manager").member("JobRemoved").build()?;
        self.hear(removed, waker, is_ours).await
    }

    async fn listen_to_rival(
        &mut self,
        unit: &str,
        waker: &Waker,
        stirs: mpsc::Sender<()>,
    ) -> zbus::Result<()> {
        let path = self.load_unit(unit).await?;
        // One that waits to be heard is enough.
        self.hear(changes(path)?, waker, move |_| stirs.try_send(()).is_ok()).await
    }

    /// Turns systemd's signals that `concerns` accepts into wakes, until the connection breaks, which is one as well.
    async fn hear(
        &mut self,
        rule: MatchRule<'static>,
        waker: &Waker,
        concerns: impl Fn(&Message) -> bool + Send + 'static,
    ) -> zbus::Result<()> {
        use futures_core::Stream as _;
        let mut stream = MessageStream::for_match_rule(rule, &self.connection, QUEUED).await?;
        let waker = waker.clone();
        self.listening.spawn(async move {
            loop {
                let next = std::future::poll_fn(|context| std::pin::Pin::new(&mut stream).poll_next(context));
                let Some(Ok(message)) = next.await else { break };
                if concerns(&message) {
                    waker.wake(Reason::SupervisorChanged);
                }
            }
            waker.wake(Reason::SupervisorChanged);
        });
        Ok(())
    }

    /// The unit's own name. A unit that has ended well is forgotten at once where nothing needs it, and with it how its
    /// process ended: as long as this connection lasts, it is not. Where that is not granted, such an end stays unknown.
    async fn keep(&self, path: &OwnedObjectPath) -> zbus::Result<String> {
        let builder = proxy::Builder::new(&self.connection).destination(SYSTEMD).interface(UNIT);
        let unit: Proxy<'_> = builder.path(path).cache_properties(CacheProperties::No).build().await?;
        if let Err(error) = unit.call::<_, _, ()>("Ref", &()).await {
            debug!("systemd may forget {}: {error}", path.as_str());
        }
        unit.get_property("Id").await
    }

    /// True while the listeners are alive.
    pub(super) fn is_whole(&mut self) -> bool {
        self.listening.try_join_next().is_none()
    }

    /// Jobs for the units that have ended since the last call.
    pub(super) fn ended(&mut self) -> Vec<JobEnd> {
        std::iter::from_fn(|| self.ended.try_recv().ok()).collect()
    }

    /// True if the rival's unit has changed since the last call.
    pub(super) fn rival_stirred(&mut self) -> bool {
        self.stirred.try_recv().is_ok()
    }

    /// Reads the present state of a unit.
    ///
    /// # Errors
    ///
    /// systemd cannot be reached, or does not answer in time.
    pub(super) async fn look(&self, unit: &str) -> Result<UnitState, BusError> {
        let path = self.load_unit(unit).await.map_err(BusError::Unreachable)?;
        let (unit, service) = self.properties(path).await.map_err(BusError::Unreachable)?;
        let main = Main {
            pid: value(&service, "ExecMainPID"),
            code: value(&service, "ExecMainCode"),
            status: value(&service, "ExecMainStatus"),
            started: value(&service, "ExecMainStartTimestampMonotonic"),
            ended: value(&service, "ExecMainExitTimestampMonotonic"),
        };
        Ok(UnitState {
            id: value(&unit, "Id"),
            main,
            left: value(&unit, "ActiveExitTimestampMonotonic"),
            load: value(&unit, "LoadState"),
            active: value(&unit, "ActiveState"),
            sub: value(&unit, "SubState"),
            file: value(&unit, "UnitFileState"),
            has_job: unit
                .get("Job")
                .and_then(|job| <(u32, OwnedObjectPath)>::try_from(job.clone()).ok())
                .is_some_and(|(id, _)| id != 0),
            main_pid: value(&service, "MainPID"),
            is_helped: service.get("ExecStart").is_some_and(runs_helper),
            result: value(&service, "Result"),
            restarts: value(&service, "NRestarts"),
            needs: ["BindsTo", "Requires", "Wants"]
                .iter()
                .flat_map(|key| value::<Vec<String>>(&unit, key))
                .collect(),
        })
    }

    async fn properties(
        &self,
        path: OwnedObjectPath,
    ) -> zbus::Result<(HashMap<String, OwnedVariant>, HashMap<String, OwnedVariant>)> {
        let builder = PropertiesProxy::builder(&self.connection).destination(SYSTEMD);
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
        let _: zbus::Result<()> = self.manager.call("ResetFailedUnit", &(unit,)).await;
        self.job("StartUnit", unit).await.map_err(refused("start", unit))
    }

    /// Asks systemd to stop it; its job is not waited for.
    pub(super) async fn stop(&self, unit: &str) -> Result<(), BusError> {
        self.job("StopUnit", unit).await.map_err(refused("stop", unit))
    }

    async fn job(&self, method: &str, unit: &str) -> zbus::Result<()> {
        self.manager.call::<_, _, OwnedObjectPath>(method, &(unit, "replace")).await.map(drop)
    }

    async fn load_unit(&self, unit: &str) -> zbus::Result<OwnedObjectPath> {
        self.manager.call("LoadUnit", &(unit,)).await
    }

    /// Stops units, and lets none of them start at the next boot. Whether one did before; that is not asked twice, so a
    /// reload of systemd that fails behind it, or takes too long, does not lose it.
    pub(super) async fn disable(&self, units: &[&str]) -> Result<bool, BusError> {
        for unit in units {
            match self.stop(unit).await {
                Err(BusError::Refused { source: zbus::Error::MethodError(name, ..), .. })
                    if name.ends_with(".NoSuchUnit") => {}
                other => other?,
            }
        }
        let [first, ..] = units else { return Ok(false) };
        let changes: Vec<(String, String, String)> = self
            .manager
            .call("DisableUnitFiles", &(units, false))
            .await
            .map_err(refused("disable", first))?;
        self.reload().await;
        Ok(!changes.is_empty())
    }

    /// Waits until units that were stopped have ended.
    pub(super) async fn at_rest(&self, units: &[&str], within: Duration) -> Result<(), BusError> {
        let late = Instant::now() + within;
        for unit in units {
            while !self.look(unit).await?.is_at_rest() {
                if Instant::now() >= late {
                    return Err(BusError::StaysOn { unit: (*unit).to_owned(), within });
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        Ok(())
    }

    /// Lets a unit start at each boot.
    pub(super) async fn enable(&self, unit: &str) -> Result<(), BusError> {
        let _: (bool, Vec<(String, String, String)>) = self
            .manager
            .call("EnableUnitFiles", &([unit].as_slice(), false, false))
            .await
            .map_err(refused("enable", unit))?;
        self.reload().await;
        Ok(())
    }

    /// Lets systemd read its units again. What counts at the next boot are the files.
    async fn reload(&self) {
        if let Err(error) = self.manager.call::<_, _, ()>("Reload", &()).await {
            warn!("systemd has not read its units again ('systemctl daemon-reload' does it): {error}");
        }
    }
}

/// True if the first program of an `ExecStart` is one of upstream's helpers.
fn runs_helper(started: &OwnedVariant) -> bool {
    type Started = Vec<(String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32)>;
    let started = Started::try_from(started.clone()).unwrap_or_default();
    started.first().is_some_and(|(path, ..)| path.ends_with("-service-helper"))
}

fn refused(what: &'static str, unit: &str) -> impl FnOnce(zbus::Error) -> BusError {
    let unit = unit.to_owned();
    move |source| BusError::Refused { what, unit, source }
}

/// A property, or nothing where it is not there or of another type.
fn value<T: TryFrom<OwnedVariant> + Default>(properties: &HashMap<String, OwnedVariant>, key: &str) -> T {
    properties.get(key).and_then(|value| T::try_from(value.clone()).ok()).unwrap_or_default()
}

/// The system's bus.
async fn system() -> zbus::Result<Connection> {
    zbus::connection::Builder::system().method_timeout(ANSWER_WITHIN).build().await
}

/// systemd itself, on the bus.
async fn manager(connection: &Connection) -> zbus::Result<Proxy<'static>> {
    Proxy::new(connection, SYSTEMD, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager").await
}

/// Signals of systemd.
fn signals() -> match_rule::Builder<'static> {
    MatchRule::builder().msg_type(message::Type::Signal).sender(SYSTEMD)
}

/// Signals of changes of a unit.
fn changes(path: OwnedObjectPath) -> zbus::Result<MatchRule<'static>> {
    signals().path(path).member("PropertiesChanged").build()
}

fn job_end(message: &Message) -> Option<JobEnd> {
    let is_removal = message.header().member().is_some_and(|member| member.as_str() == "JobRemoved");
    let body = message.body();
    let (_, _, unit, result): (u32, OwnedObjectPath, String, String) =
        is_removal.then(|| body.deserialize().ok()).flatten()?;
    Some(JobEnd { unit, result })
}
