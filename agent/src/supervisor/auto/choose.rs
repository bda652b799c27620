//! Selects the supervisor by the findings on the host. Pure.
//!
//! Docker comes before systemd, since a host of containers may have chmpx's package as well; and the agent starts programs
//! of its own only where nobody else may be about to run them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::settings::SupervisorKind;
use crate::supervisor::Program;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The supervisor.
    pub kind: Kind,
    /// Reason, for people.
    pub why: String,
}

impl Choice {
    /// Both in one line.
    pub fn text(&self) -> String {
        format!("{} (picked: {})", self.kind.name(), self.why)
    }
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

/// Answer of the Docker daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) enum Daemon {
    /// The host has no socket of a daemon.
    Absent { at: String },
    /// A daemon may exist, and does not answer.
    Silent { at: String, why: String },
    /// The daemon has the wanted container, described in words.
    Has { what: String },
    /// The daemon lacks the wanted container, and may have the image for it.
    HasNot { at: String, why: String, image: Option<String> },
}

/// Answer of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) enum Init {
    /// Something else is the init of this host.
    Other,
    /// systemd is the init, and does not answer.
    Silent { why: String },
    /// systemd is the init: the `LoadState` of the unit, and true if the unit is enabled or active.
    Unit { name: String, load: String, is_used: bool },
}

/// A program, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) struct ProgramFound {
    pub(in crate::supervisor) program: Program,
    /// Name in the settings.
    pub(in crate::supervisor) name: String,
    pub(in crate::supervisor) at: Option<PathBuf>,
}

/// Picks the supervisor.
pub(in crate::supervisor) fn choose(findings: &Findings) -> Choice {
    let Findings { docker, systemd, programs, .. } = findings;
    if let Daemon::Has { what } = docker {
        return Choice { kind: Kind::Docker, why: what.clone() };
    }
    if findings.containers_are_named {
        return Choice {
            kind: Kind::Docker,
            why: format!("supervisor.docker names containers; {}", docker.lack()),
        };
    }
    let may_be_docker = findings.may_be_docker();
    if let Some(mut why) = systemd.has().filter(|_| !may_be_docker || systemd.is_used()) {
        // Somebody who waits for the containers must see why they were not taken.
        if may_be_docker || findings.waited {
            why = format!("{why}; {}", docker.lack());
        }
        return Choice { kind: Kind::Systemd, why };
    }
    let (lacks, bars) = ([docker.lack(), systemd.lack()].join("; "), findings.bars());
    let all = programs.iter().all(|program| program.at.is_some());
    let listed: Vec<_> = programs.iter().map(ProgramFound::text).collect();
    if all && bars.is_empty() {
        let why = format!("{}, and no other supervisor has them: {lacks}", listed.join(", "));
        return Choice { kind: Kind::Process, why };
    }
    let mut why = format!(
        "nothing that runs chmpx was found, so only the file is kept, and it is looked again from time to time \
         (supervisor.kind = \"none\" if that is meant): {lacks}; {}",
        listed.join(", ")
    );
    if all {
        why = format!("{why}, but none is started here while {}", bars.join(" and "));
    }
    Choice { kind: Kind::None, why }
}

impl Findings {
    /// Reasons why the agent starts no programs of its own, even if it finds them.
    fn bars(&self) -> Vec<String> {
        let silent = matches!(self.docker, Daemon::Silent { .. });
        let bars = [
            (self.socket_is_named, "supervisor.docker names a daemon for them"),
            (self.was_docker(), "Docker had them before (set supervisor.kind if they have moved)"),
            (silent, "Docker may have them"),
            (matches!(self.systemd, Init::Silent { .. }), "systemd may have them"),
        ];
        let bars = bars.into_iter().filter(|(is, _)| *is).map(|(_, text)| text.to_owned());
        let image = self.awaits().map(|image| {
            format!("Docker has the image {image}, whose container may be about to be made (set supervisor.kind if it is not)")
        });
        bars.chain(image).collect()
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

impl Daemon {
    fn lack(&self) -> String {
        match self {
            Self::Absent { at } => format!("there is no Docker daemon at {at}"),
            Self::Silent { at, why } => format!("the Docker daemon at {at} does not answer yet ({why})"),
            Self::Has { what } => what.clone(),
            Self::HasNot { at, why, .. } => format!("the Docker daemon at {at} answers, but {why}"),
        }
    }
}

impl Init {
    /// Reason for systemd, if it has the unit. A unit that cannot be loaded counts as well; the supervisor then reports the
    /// remedy.
    fn has(&self) -> Option<String> {
        let Self::Unit { name, load, .. } = self else { return None };
        match load.as_str() {
            "" | "not-found" => None,
            "loaded" => Some(format!("systemd has the unit {name}")),
            other => Some(format!("systemd has the unit {name}, which is {other}")),
        }
    }

    fn is_used(&self) -> bool {
        matches!(self, Self::Unit { is_used: true, .. })
    }

    fn lack(&self) -> String {
        match self {
            Self::Other => "systemd is not the init of this host".to_owned(),
            Self::Silent { why } => format!("systemd does not answer yet ({why})"),
            Self::Unit { name, .. } if self.has().is_some() => {
                format!("systemd has the unit {name}, which is neither enabled nor active")
            }
            Self::Unit { name, .. } => format!("systemd has no unit {name}"),
        }
    }
}

impl ProgramFound {
    fn text(&self) -> String {
        match &self.at {
            Some(path) => format!("{} is here ({})", self.program.name(), path.display()),
            None if self.name.contains('/') => {
                format!("{} is not here ({} is no program)", self.program.name(), self.name)
            }
            None => format!("{} is not here ({} is not in PATH)", self.program.name(), self.name),
        }
    }
}

#[cfg(test)]
mod tests;
