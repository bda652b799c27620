//! The target that the settings name.

use super::docker::Docker;
use super::process::Processes;
use super::systemd::Systemd;
use super::{About, Ask, Done, Observed, Step, Target, TargetError};
use crate::settings::{self, Settings, TargetKind};
use crate::wake::Waker;

/// See the module.
#[derive(Debug)]
pub enum AnyTarget {
    /// Only the file.
    FileOnly(FileOnly),
    /// The agent's own processes.
    Process(Box<Processes>),
    /// Units of systemd.
    Systemd(Box<Systemd>),
    /// Containers of Docker.
    Docker(Box<Docker>),
}

impl AnyTarget {
    /// Makes the target of the settings; nothing is looked at yet.
    pub fn new(settings: &Settings, waker: Waker) -> Self {
        let settings::Target { kind, process, units, containers, .. } = &settings.target;
        match kind {
            TargetKind::None => Self::FileOnly(FileOnly),
            TargetKind::Process => Self::Process(Box::new(Processes::new(process.clone(), waker))),
            TargetKind::Systemd => {
                Self::Systemd(Box::new(Systemd::new(process.clone(), units.clone(), waker, false)))
            }
            TargetKind::Docker => {
                Self::Docker(Box::new(Docker::new(process.clone(), containers.clone(), waker, false)))
            }
        }
    }

    /// The same for a command that looks once, maybe beside an agent that runs.
    pub fn onlooker(settings: &Settings) -> Self {
        let settings::Target { kind, process, units, containers, .. } = &settings.target;
        match kind {
            TargetKind::None => Self::FileOnly(FileOnly),
            TargetKind::Process => Self::Process(Box::new(Processes::onlooker(process.clone()))),
            TargetKind::Systemd => {
                let systemd = Systemd::new(process.clone(), units.clone(), Waker::default(), true);
                Self::Systemd(Box::new(systemd))
            }
            TargetKind::Docker => {
                let docker = Docker::new(process.clone(), containers.clone(), Waker::default(), true);
                Self::Docker(Box::new(docker))
            }
        }
    }

    /// Takes new settings, and with it what is known of the processes as far as they are still the agent's.
    pub fn reset(&mut self, settings: &Settings, waker: &Waker) {
        let settings::Target { kind, process, units, containers, .. } = &settings.target;
        match (&mut *self, kind) {
            (Self::Process(target), TargetKind::Process) => target.reset(process.clone()),
            (Self::Systemd(target), TargetKind::Systemd) => target.reset(process.clone(), units.clone()),
            (Self::Docker(target), TargetKind::Docker) => target.reset(process.clone(), containers.clone()),
            _ => {
                *self = Self::new(settings, waker.clone());
                self.listen();
            }
        }
    }

    /// Reads the programs' output into the log from now on, where nobody else does.
    pub fn listen(&mut self) {
        if let Self::Process(processes) = self {
            processes.listen();
        }
    }
}

impl Target for AnyTarget {
    fn name(&self) -> &'static str {
        match self {
            Self::FileOnly(target) => target.name(),
            Self::Process(target) => target.name(),
            Self::Systemd(target) => target.name(),
            Self::Docker(target) => target.name(),
        }
    }

    async fn observe(&mut self, about: &About, ask: Ask) -> Option<Observed> {
        match self {
            Self::FileOnly(target) => target.observe(about, ask).await,
            Self::Process(target) => target.observe(about, ask).await,
            Self::Systemd(target) => target.observe(about, ask).await,
            // It is large, and so would be every pass.
            Self::Docker(target) => Box::pin(target.observe(about, ask)).await,
        }
    }

    async fn act(&mut self, step: &Step, about: &About) -> Result<Done, TargetError> {
        match self {
            Self::FileOnly(target) => target.act(step, about).await,
            Self::Process(target) => target.act(step, about).await,
            Self::Systemd(target) => target.act(step, about).await,
            Self::Docker(target) => Box::pin(target.act(step, about)).await,
        }
    }
}

/// Target kind `none`: only the file is ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileOnly;

impl Target for FileOnly {
    fn name(&self) -> &'static str {
        "none"
    }

    async fn observe(&mut self, _: &About, _: Ask) -> Option<Observed> {
        None
    }

    async fn act(&mut self, _: &Step, _: &About) -> Result<Done, TargetError> {
        Err(TargetError::NotOurs(self.name()))
    }
}
