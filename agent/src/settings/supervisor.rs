//! `[supervisor]`

mod programs;
mod timing;

use serde::Deserialize;

use crate::ring::Mode;
pub use programs::{Containers, Process, Units};
pub use timing::Timing;

/// `[supervisor]` names the supervisor of chmpx and k2hdkc, and the steps that the agent may take with them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Supervisor {
    /// Supervisor of chmpx and k2hdkc: `"docker"` in containers, `"systemd"` as units, `"process"` as children of the
    /// agent; `"none"` leaves them alone. `"auto"` picks the first of these that is there, and keeps it until the
    /// agent ends.
    /// Default: `"auto"`
    pub kind: SupervisorKind,
    /// Disables another program that writes the same file in place, such as k2hr3-get-resource.timer. Off, `status`
    /// reports it.
    /// Default: `false`
    pub take_over: bool,
    /// Nodes that restart for a key that no running process takes: `"servers"` one after the other; `"always"` slaves
    /// too, whose programs lose their handles (D7); `"never"` none.
    /// Default: `"servers"`
    pub restarts: Restarts,
    /// Fate of both programs at the agent's end: `"leave"` lets them run on, `"stop"` stops k2hdkc, then
    /// chmpx. Containers are always left. Children of the agent end in any case when systemd shuts the host down.
    /// Default: `"leave"`
    pub on_exit: OnExit,
    /// Restarts k2hdkc whenever its chmpx was restarted. Off, the next scale-out loses keys (D2, D3).
    /// Default: `true`
    pub restart_k2hdkc_with_chmpx: bool,
    /// Starts k2hdkc only beside the other servers of its ring. Off, it makes a ring of its own (D8).
    /// Default: `true`
    pub wait_for_peers: bool,
    /// `[supervisor.process]`
    pub process: Process,
    /// `[supervisor.systemd]`
    #[serde(rename = "systemd")]
    pub units: Units,
    /// `[supervisor.docker]`
    #[serde(rename = "docker")]
    pub containers: Containers,
    /// `[supervisor.timing]`
    pub timing: Timing,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self {
            kind: SupervisorKind::Auto,
            take_over: false,
            restarts: Restarts::Servers,
            on_exit: OnExit::Leave,
            restart_k2hdkc_with_chmpx: true,
            wait_for_peers: true,
            process: Process::default(),
            units: Units::default(),
            containers: Containers::default(),
            timing: Timing::default(),
        }
    }
}

/// Nodes that restart their processes for a changed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restarts {
    /// Servers, one after the other, each out of service meanwhile; a slave waits for its operator, since a restart of
    /// its chmpx breaks the handles of the programs on it.
    Servers,
    /// Slaves as well.
    Always,
    /// No node: `status` reports the keys that wait.
    Never,
}

impl Restarts {
    /// Returns true where a changed key restarts nothing on a node of this kind.
    pub fn forbids(self, mode: Mode) -> bool {
        match (self, mode) {
            (Self::Always, _) | (Self::Servers, Mode::Server) => false,
            (Self::Never, _) | (Self::Servers, Mode::Slave) => true,
        }
    }

    /// As the configuration has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// A supervisor of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupervisorKind {
    /// Picked among the others, by what is there.
    Auto,
    /// None: the agent keeps only the file.
    None,
    /// The agent itself.
    Process,
    /// systemd.
    Systemd,
    /// Docker.
    Docker,
}

/// The fate of the processes when the agent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExit {
    /// Running on, until the next agent adopts them.
    Leave,
    /// Stopped: k2hdkc, then chmpx.
    Stop,
}
