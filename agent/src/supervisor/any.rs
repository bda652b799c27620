//! The supervisor that the settings name, or that was picked by what is there.

use std::path::Path;

use tokio::time::Instant;

use super::auto::Auto;
use super::auto::choose::{Choice, Kind, choose};
use super::auto::findings;
use super::docker::Docker;
use super::neighbours::Neighbours;
use super::process::Processes;
use super::systemd::Systemd;
use super::{Ask, Done, NodeSpec, Observed, ProcessId, Program, Step, Supervisor, SupervisorError};
use crate::ring::Mode;
use crate::settings::{self, Settings};
use crate::wake::Waker;

/// See the module.
#[derive(Debug)]
pub struct AnySupervisor {
    settings: Box<settings::Supervisor>,
    edge: Edge,
    plain: Plain,
    neighbours: Neighbours,
    /// Selection of the kind, if the settings name none.
    auto: Option<Box<Auto>>,
}

/// Receiver of events, and the role of this process.
#[derive(Debug, Clone)]
struct Edge {
    waker: Waker,
    /// True in a command that observes once, possibly beside a running agent.
    looks_on: bool,
}

/// Supervisor of one kind.
#[derive(Debug)]
enum Plain {
    /// Only the file.
    FileOnly(FileOnly),
    /// The agent's own processes.
    Process(Box<Processes>),
    /// Units of systemd.
    Systemd(Box<Systemd>),
    /// Containers of Docker.
    Docker(Box<Docker>),
}

impl AnySupervisor {
    /// Makes the supervisor of the settings; nothing is looked at yet. `before` is what was picked on this host last.
    pub fn new(settings: &Settings, waker: Waker, before: Option<Kind>) -> Self {
        Self::made(&settings.supervisor, Edge { waker, looks_on: false }, before)
    }

    /// Makes the supervisor of a command that observes once, possibly beside a running agent.
    pub fn onlooker(settings: &Settings, before: Option<Kind>) -> Self {
        Self::made(&settings.supervisor, Edge { waker: Waker::default(), looks_on: true }, before)
    }

    fn made(settings: &settings::Supervisor, edge: Edge, before: Option<Kind>) -> Self {
        let named = Kind::named(settings.kind);
        Self {
            settings: Box::new(settings.clone()),
            plain: Plain::new(named.unwrap_or(Kind::None), settings, &edge),
            auto: named.is_none().then(|| Box::new(Auto::new(settings, before))),
            neighbours: Neighbours::default(),
            edge,
        }
    }

    /// Takes new settings, and with it what is known of the processes as far as they are still the agent's.
    pub fn reset(&mut self, settings: &Settings, waker: &Waker) {
        *self.settings = settings.supervisor.clone();
        self.edge.waker = waker.clone();
        let before = self.known();
        let kept = self.auto.take().and_then(|auto| auto.follow(&self.settings));
        let kind = Kind::named(self.settings.kind).unwrap_or_else(|| {
            let auto = kept.unwrap_or_else(|| Auto::new(&self.settings, before));
            self.auto.insert(Box::new(auto)).kind()
        });
        if !self.plain.reset(kind, &self.settings) {
            self.plain = Plain::new(kind, &self.settings, &self.edge);
            self.listen();
        }
    }

    /// Reads the programs' output into the log from now on, where nobody else does.
    pub fn listen(&mut self) {
        if let Plain::Process(processes) = &mut self.plain {
            processes.listen();
        }
    }

    /// Picks one for a node of this kind, where the settings name none and it is time to look. What was picked stays.
    pub async fn pick(&mut self, mode: Mode, ini: &Path) {
        let Some(auto) = self.auto.as_mut().filter(|auto| auto.is_due(Instant::now())) else { return };
        // It is large, and so would be every pass.
        let (before, waited) = (auto.before(), auto.has_waited(Instant::now()));
        let findings = Box::pin(findings::gather(&self.settings, (mode, ini), before, waited)).await;
        auto.suspect(findings.may_be_docker());
        let kind = auto.take(choose(&findings), Instant::now(), fastrand::f64(), self.edge.looks_on);
        if kind != Kind::None {
            self.plain = Plain::new(kind, &self.settings, &self.edge);
            if !self.edge.looks_on {
                self.listen();
            }
        }
    }

    /// The selected kind with its reason; `None` if the settings name the kind, or before the first search.
    pub fn choice(&self) -> Option<Choice> {
        self.auto.as_ref()?.choice()
    }

    /// True if only the agent stops the processes in order at a shutdown of the host: they belong to no unit and no
    /// container.
    pub fn is_ended_by_nobody(&self) -> bool {
        matches!(self.plain, Plain::Process(_))
    }

    /// Kind in force, else the one of the previous agent while nothing was found.
    fn known(&self) -> Option<Kind> {
        self.in_force().or_else(|| self.auto.as_ref()?.before())
    }

    /// True if the processes outlive the agent whatever the settings demand: a container restarts what ends in it.
    pub fn lives_on(&self) -> bool {
        matches!(self.plain, Plain::Docker(_))
    }
}

impl Plain {
    fn new(kind: Kind, settings: &settings::Supervisor, edge: &Edge) -> Self {
        let (process, Edge { waker, looks_on }) = (settings.process.clone(), edge.clone());
        match kind {
            Kind::None => Self::FileOnly(FileOnly),
            Kind::Process if looks_on => Self::Process(Box::new(Processes::onlooker(process))),
            Kind::Process => Self::Process(Box::new(Processes::new(process, waker))),
            Kind::Systemd => {
                Self::Systemd(Box::new(Systemd::new(process, settings.units.clone(), waker, looks_on)))
            }
            Kind::Docker => {
                Self::Docker(Box::new(Docker::new(process, settings.containers.clone(), waker, looks_on)))
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::FileOnly(_) => Kind::None,
            Self::Process(_) => Kind::Process,
            Self::Systemd(_) => Kind::Systemd,
            Self::Docker(_) => Kind::Docker,
        }
    }

    /// Takes new settings, where it is of that kind.
    fn reset(&mut self, kind: Kind, settings: &settings::Supervisor) -> bool {
        let settings::Supervisor { process, units, containers, .. } = settings;
        match (self, kind) {
            (Self::FileOnly(_), Kind::None) => {}
            (Self::Process(supervisor), Kind::Process) => supervisor.reset(process.clone()),
            (Self::Systemd(supervisor), Kind::Systemd) => supervisor.reset(process.clone(), units.clone()),
            (Self::Docker(supervisor), Kind::Docker) => supervisor.reset(process.clone(), containers.clone()),
            _ => return false,
        }
        true
    }
}

impl Supervisor for AnySupervisor {
    fn name(&self) -> &'static str {
        if self.auto.as_ref().is_some_and(|auto| auto.choice().is_none()) {
            return "auto";
        }
        match &self.plain {
            Plain::FileOnly(supervisor) => supervisor.name(),
            Plain::Process(supervisor) => supervisor.name(),
            Plain::Systemd(supervisor) => supervisor.name(),
            Plain::Docker(supervisor) => supervisor.name(),
        }
    }

    async fn observe(&mut self, spec: &NodeSpec, ask: Ask) -> Option<Observed> {
        self.pick(spec.mode, &spec.ini).await;
        let observed = match &mut self.plain {
            Plain::FileOnly(supervisor) => supervisor.observe(spec, ask).await,
            Plain::Process(supervisor) => supervisor.observe(spec, ask).await,
            // They are large, and so would be every pass.
            Plain::Systemd(supervisor) => Box::pin(supervisor.observe(spec, ask)).await,
            Plain::Docker(supervisor) => Box::pin(supervisor.observe(spec, ask)).await,
        };
        let mut observed = observed?;
        // Before its chmpx is let in, a server asks the others whether they would; one that speaks knows it itself.
        let needed = spec.mode == Mode::Server && observed.control.report.is_none() && !self.edge.looks_on;
        observed.peers.knowledge = self.neighbours.go_on(spec, needed, fastrand::f64(), &self.edge.waker);
        observed.peers.unprompted = self.neighbours.declined();
        Some(observed)
    }

    async fn act(&mut self, step: &Step, spec: &NodeSpec) -> Result<Done, SupervisorError> {
        if let Step::Prompt(address) = step {
            self.neighbours.prompt(*address, self.settings.process.answer_within, self.edge.waker.clone());
            return Ok(Done::Plainly);
        }
        match &mut self.plain {
            Plain::FileOnly(supervisor) => supervisor.act(step, spec).await,
            Plain::Process(supervisor) => supervisor.act(step, spec).await,
            Plain::Systemd(supervisor) => Box::pin(supervisor.act(step, spec)).await,
            Plain::Docker(supervisor) => Box::pin(supervisor.act(step, spec)).await,
        }
    }

    fn on_host(&self, program: Program) -> Option<ProcessId> {
        match &self.plain {
            Plain::FileOnly(supervisor) => supervisor.on_host(program),
            Plain::Process(supervisor) => supervisor.on_host(program),
            Plain::Systemd(supervisor) => supervisor.on_host(program),
            Plain::Docker(supervisor) => supervisor.on_host(program),
        }
    }

    fn look_again(&self) -> Option<Instant> {
        self.auto.as_ref()?.next()
    }

    fn in_doubt(&self) -> Option<String> {
        self.auto.as_ref()?.in_doubt()
    }

    fn in_force(&self) -> Option<Kind> {
        Some(self.plain.kind()).filter(|kind| *kind != Kind::None)
    }
}

/// Supervisor kind `none`: only the file is ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileOnly;

impl Supervisor for FileOnly {
    fn name(&self) -> &'static str {
        "none"
    }

    async fn observe(&mut self, _: &NodeSpec, _: Ask) -> Option<Observed> {
        None
    }

    async fn act(&mut self, _: &Step, _: &NodeSpec) -> Result<Done, SupervisorError> {
        Err(SupervisorError::NotOurs(self.name()))
    }

    fn on_host(&self, _: Program) -> Option<ProcessId> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, SupervisorKind};

    fn settings(kind: SupervisorKind) -> Settings {
        let mut settings =
            crate::settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap();
        settings.supervisor.kind = kind;
        settings
    }

    #[tokio::test]
    async fn other_settings_make_nobody_forget_that_it_was_docker_be_it_picked_or_named() {
        let (auto, waker) = (settings(SupervisorKind::Auto), Waker::default());
        let mut supervisor = AnySupervisor::new(&settings(SupervisorKind::Docker), waker.clone(), None);
        assert_eq!(supervisor.in_force(), Some(Kind::Docker));
        supervisor.reset(&auto, &waker);
        assert_eq!((supervisor.in_force(), supervisor.known()), (None, Some(Kind::Docker)));
        // Not even where nothing has been found since.
        let mut other = auto.clone();
        other.supervisor.units.chmpx = "other.service".into();
        supervisor.reset(&other, &waker);
        assert_eq!((supervisor.in_force(), supervisor.known()), (None, Some(Kind::Docker)));
        supervisor.reset(&settings(SupervisorKind::Process), &waker);
        supervisor.reset(&auto, &waker);
        assert_eq!(supervisor.known(), Some(Kind::Process), "the settings said that it is over");
    }
}
