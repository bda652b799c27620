//! The watch of chmpx's connections beside the pass: what it is to watch, and what it has found.

use std::net::SocketAddr;

use super::Reconciler;
use crate::installed::Installed;
use crate::peer_watch::Target;
use crate::peers::Findings;
use crate::ring::{Mode, Node};
use crate::supervisor::{NodeSpec, Observed, ProcessId, Program, Supervisor};

/// Largest number of slaves that hold connections to the servers: each costs every server a descriptor. Without them a slave finds
/// a dead server by its first request to it.
const SLAVES_THAT_HOLD: usize = 100;

/// Memory of the watch from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Connections {
    findings: Findings,
    target: Target,
}

impl<T: Supervisor> Reconciler<T> {
    /// Takes what the watch has found.
    pub(crate) fn take_findings(&mut self, findings: Findings) {
        self.connections.findings = findings;
    }

    /// Returns what is to be watched since the last pass.
    pub(crate) fn watched(&self) -> &Target {
        &self.connections.target
    }

    /// Returns the place of a program.
    pub(super) fn place(&self, observed: &Observed, program: Program) -> Place {
        let running = match program {
            Program::Chmpx => observed.chmpx,
            Program::K2hdkc => observed.k2hdkc,
        };
        match (running, self.supervisor.on_host(program)) {
            (None, _) => Place::Absent,
            (Some(_), None) => Place::Hidden,
            (Some(_), Some(id)) => Place::Here(id),
        }
    }

    /// Adds the findings to what is observed, and aims the watch at the chmpx that runs now.
    pub(super) fn aim(
        &mut self,
        about: Option<&NodeSpec>,
        installed: &Installed,
        observed: Option<Observed>,
    ) -> Option<Observed> {
        let chmpx = observed.as_ref().map_or(Place::Absent, |observed| self.place(observed, Program::Chmpx));
        let others = about.map(|about| others(about, installed)).unwrap_or_default();
        let holds = about.filter(|about| about.mode == Mode::Server || slaves(installed) <= SLAVES_THAT_HOLD);
        let sentinels = holds.map(|about| about.others.clone()).unwrap_or_default();
        let hidden = chmpx == Place::Hidden;
        self.connections.target = Target { chmpx: chmpx.here(), hidden, sentinels, others };
        let mut observed = observed?;
        observed.peers.dead = self.connections.findings.clone();
        Some(observed)
    }
}

/// Place of a program, as this host's `/proc` has it: the supervisor of containers observes other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The program does not run.
    Absent,
    /// The program runs out of sight of this host's `/proc`.
    Hidden,
    /// The program is this process.
    Here(ProcessId),
}

impl Place {
    /// Returns the process, where it is in sight.
    pub(super) fn here(self) -> Option<ProcessId> {
        match self {
            Self::Here(id) => Some(id),
            Self::Absent | Self::Hidden => None,
        }
    }
}

/// Returns the number of slaves of the installed ini.
fn slaves(installed: &Installed) -> usize {
    let slaves = installed.ring().map(|ring| ring.slaves.as_slice()).unwrap_or_default();
    slaves.iter().filter(|node| !node.is_placeholder()).count()
}

/// Control ports of the other hosts, servers first. Those with a host name are absent: nothing here asks a resolver.
fn others(about: &NodeSpec, installed: &Installed) -> Vec<SocketAddr> {
    let slaves = installed.ring().map(|ring| ring.slaves.as_slice()).unwrap_or_default();
    let slaves = slaves.iter().filter(|node| !node.is_placeholder()).filter_map(Node::control_address);
    let own = about.control.ip().to_canonical();
    about.others.iter().copied().chain(slaves).filter(|address| address.ip().to_canonical() != own).collect()
}
