//! Findings of a selection, and its reasons, in words.

use std::path::PathBuf;

use derive_more::Display;

use super::Findings;
use crate::problem::listed;
use crate::supervisor::Program;

/// Answer of the Docker daemon.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub(in crate::supervisor) enum Daemon {
    /// The host has no socket of a daemon.
    #[display("there is no Docker daemon at {at}")]
    Absent { at: String },
    /// A daemon may exist, and does not answer.
    #[display("the Docker daemon at {at} does not answer yet ({why})")]
    Silent { at: String, why: String },
    /// The daemon has the wanted container, described in words.
    #[display("{what}")]
    Has { what: String },
    /// The daemon lacks the wanted container, and may have the image for it.
    #[display("the Docker daemon at {at} answers, but {why}")]
    HasNot { at: String, why: String, image: Option<String> },
}

/// Answer of systemd.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub(in crate::supervisor) enum Init {
    /// Something else is the init of this host.
    #[display("systemd is not the init of this host")]
    Other,
    /// systemd is the init, and does not answer.
    #[display("systemd does not answer yet ({why})")]
    Silent { why: String },
    /// systemd is the init, and has no such unit.
    #[display("systemd has no unit {name}")]
    NoUnit { name: String },
    /// systemd is the init: the `LoadState` of the unit, and true if the unit is enabled or active. A unit that cannot be
    /// loaded counts as well; the supervisor then reports the remedy.
    #[display("systemd has the unit {name}, which is neither enabled nor active")]
    Unit { name: String, load: String, is_used: bool },
}

impl Init {
    pub(in crate::supervisor) fn unit(name: &str, load: String, is_used: bool) -> Self {
        let name = name.to_owned();
        if ["", "not-found"].contains(&load.as_str()) {
            return Self::NoUnit { name };
        }
        Self::Unit { name, load, is_used }
    }
}

/// A program, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
#[display("{} {}", program.name(), self.place())]
pub(in crate::supervisor) struct ProgramFound {
    pub(in crate::supervisor) program: Program,
    /// Name in the settings.
    pub(in crate::supervisor) name: String,
    pub(in crate::supervisor) at: Option<PathBuf>,
}

impl ProgramFound {
    fn place(&self) -> String {
        match &self.at {
            Some(path) => format!("is here ({})", path.display()),
            None if self.name.contains('/') => format!("is not here ({} is no program)", self.name),
            None => format!("is not here ({} is not in PATH)", self.name),
        }
    }
}

/// Reason of a selection.
#[derive(Debug, Display)]
pub(super) enum Why<'a> {
    #[display("{_0}")]
    Container(&'a Daemon),
    #[display("supervisor.docker names containers; {_0}")]
    ContainersAreNamed(&'a Daemon),
    #[display(
        "systemd has the unit {name}{}{}",
        if *load == "loaded" { String::new() } else { format!(", which is {load}") },
        docker.map(|docker| format!("; {docker}")).unwrap_or_default()
    )]
    Unit { name: &'a str, load: &'a str, docker: Option<&'a Daemon> },
    #[display(
        "{}, and no other supervisor has them: {}; {}",
        listed(&_0.programs, ", "), _0.docker, _0.systemd
    )]
    Programs(&'a Findings),
    #[display(
        "nothing that runs chmpx was found, so the agent keeps only the file, and looks again from time to time \
         (supervisor.kind = \"none\" if that is meant): {}; {}; {}",
        _0.docker, _0.systemd, listed(&_0.programs, ", ")
    )]
    Nothing(&'a Findings),
    #[display("{}, but none is started here while {}", Why::Nothing(findings), listed(bars, " and "))]
    Barred { findings: &'a Findings, bars: Vec<Bar<'a>> },
}

/// Reason why the agent starts no programs of its own.
#[derive(Debug, Display)]
pub(super) enum Bar<'a> {
    #[display("supervisor.docker names a daemon for them")]
    SocketIsNamed,
    #[display("Docker had them before (set supervisor.kind if they have moved)")]
    WasDocker,
    #[display("Docker may have them")]
    SilentDocker,
    #[display("systemd may have them")]
    SilentSystemd,
    #[display(
        "Docker has the image {_0}, whose container may be about to be made (set supervisor.kind if it is not)"
    )]
    Image(&'a str),
}
