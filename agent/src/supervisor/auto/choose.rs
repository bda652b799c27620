//! Selects the supervisor by the findings on the host. Pure.
//!
//! Docker comes before systemd, since a host of containers may have chmpx's package as well; and the agent starts programs
//! of its own only where nobody else may be about to run them.

mod words;

use derive_more::Display;
use serde::{Deserialize, Serialize};

use crate::settings::SupervisorKind;
use words::{Bar, Why};
pub(in crate::supervisor) use words::{Daemon, Init, ProgramFound};

/// A supervisor that can be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Containers of Docker.
    Docker,
    /// Units of systemd.
    Systemd,
    /// Processes that the agent starts itself.
    Process,
    /// Only the file.
    None,
}

impl Kind {
    /// Kind that the settings name; `None` for a selection.
    pub fn named(kind: SupervisorKind) -> Option<Self> {
        match kind {
            SupervisorKind::Auto => None,
            SupervisorKind::None => Some(Self::None),
            SupervisorKind::Process => Some(Self::Process),
            SupervisorKind::Systemd => Some(Self::Systemd),
            SupervisorKind::Docker => Some(Self::Docker),
        }
    }

    /// Name of the kind in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Systemd => "systemd",
            Self::Process => "process",
            Self::None => "none",
        }
    }
}

/// A selected supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Display, Serialize, Deserialize)]
#[display("{} (picked: {why})", kind.name())]
pub struct Choice {
    /// The supervisor.
    pub kind: Kind,
    /// Reason, for people.
    pub why: String,
}

/// Findings on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that was found, and none follows from another"
)]
pub(in crate::supervisor) struct Findings {
    pub(in crate::supervisor) docker: Daemon,
    /// True if the settings name containers, which then have the programs, whatever is seen of them now.
    pub(in crate::supervisor) containers_are_named: bool,
    /// True if the settings name the daemon's socket; its containers may have the programs.
    pub(in crate::supervisor) socket_is_named: bool,
    /// Kind of the previous agent; its container may be about to come back.
    pub(in crate::supervisor) before: Option<Kind>,
    /// True if a chmpx of this node runs on the host itself.
    pub(in crate::supervisor) runs: bool,
    /// True if the search has lasted long enough for a container that may be about to come.
    pub(in crate::supervisor) waited: bool,
    pub(in crate::supervisor) systemd: Init,
    /// The programs that this node needs.
    pub(in crate::supervisor) programs: Vec<ProgramFound>,
}

/// Picks the supervisor.
pub(in crate::supervisor) fn choose(findings: &Findings) -> Choice {
    let (kind, why) = picked(findings);
    Choice { kind, why: why.to_string() }
}

fn picked(findings: &Findings) -> (Kind, Why<'_>) {
    let Findings { docker, systemd, programs, .. } = findings;
    if let Daemon::Has { .. } = docker {
        return (Kind::Docker, Why::Container(docker));
    }
    if findings.containers_are_named {
        return (Kind::Docker, Why::ContainersAreNamed(docker));
    }
    let may_be_docker = findings.may_be_docker();
    if let Init::Unit { name, load, is_used } = systemd
        && (*is_used || !may_be_docker)
    {
        // An operator who waits for the containers must see why they were not taken.
        let docker = (may_be_docker || findings.waited).then_some(docker);
        return (Kind::Systemd, Why::Unit { name, load, docker });
    }
    let bars = findings.bars();
    match programs.iter().all(|program| program.at.is_some()) {
        false => (Kind::None, Why::Nothing(findings)),
        true if bars.is_empty() => (Kind::Process, Why::Programs(findings)),
        true => (Kind::None, Why::Barred { findings, bars }),
    }
}

impl Findings {
    /// Reasons why the agent starts no programs of its own, even if it finds them.
    fn bars(&self) -> Vec<Bar<'_>> {
        let bars = [
            (self.socket_is_named, Bar::SocketIsNamed),
            (self.was_docker(), Bar::WasDocker),
            (matches!(self.docker, Daemon::Silent { .. }), Bar::SilentDocker),
            (matches!(self.systemd, Init::Silent { .. }), Bar::SilentSystemd),
        ];
        let bars = bars.into_iter().filter_map(|(is, bar)| is.then_some(bar));
        bars.chain(self.awaits().map(Bar::Image)).collect()
    }

    /// True if the programs may be in containers that cannot be seen now.
    pub(in crate::supervisor) fn may_be_docker(&self) -> bool {
        let silent = matches!(self.docker, Daemon::Silent { .. });
        self.socket_is_named || self.was_docker() || silent || self.awaits().is_some()
    }

    fn was_docker(&self) -> bool {
        self.before == Some(Kind::Docker)
    }

    /// The image whose container may be about to be made: Trove's guest fetches the one before it makes the other. Where the
    /// programs are on the host, it is not.
    fn awaits(&self) -> Option<&str> {
        let Daemon::HasNot { image, .. } = &self.docker else { return None };
        let on_host = self.runs || matches!(self.before, Some(Kind::Systemd | Kind::Process));
        image.as_deref().filter(|_| !self.waited && !on_host)
    }
}

#[cfg(test)]
mod tests;
