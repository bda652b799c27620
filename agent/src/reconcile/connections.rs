//! The watch of chmpx's connections beside the pass: what it is to watch, and what it has found.

use std::net::SocketAddr;

use super::Reconciler;
use crate::installed::Installed;
use crate::peer_watch::Target;
use crate::peers::Findings;
use crate::ring::{Mode, Node};
use crate::supervisor::{NodeSpec, Observed, Program, Supervisor};

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

    /// Adds the findings to what is observed, and aims the watch at the chmpx that runs now.
    pub(super) fn aim(
        &mut self,
        about: Option<&NodeSpec>,
        installed: &Installed,
        observed: Option<Observed>,
    ) -> Option<Observed> {
        let runs = observed.as_ref().is_some_and(|observed| observed.chmpx.is_some());
        let chmpx = self.supervisor.on_host(Program::Chmpx).filter(|_| runs);
        let others = about.map(|about| others(about, installed)).unwrap_or_default();
        let servers = about.filter(|about| about.mode == Mode::Server).map(|about| about.others.clone());
        let sentinels = servers.unwrap_or_default();
        self.connections.target = Target { chmpx, hidden: runs && chmpx.is_none(), sentinels, others };
        let mut observed = observed?;
        observed.peers.dead = self.connections.findings.clone();
        Some(observed)
    }
}

/// Control ports of the other hosts, servers first. Those with a host name are absent: nothing here asks a resolver.
fn others(about: &NodeSpec, installed: &Installed) -> Vec<SocketAddr> {
    let slaves = installed.ring().map(|ring| ring.slaves.as_slice()).unwrap_or_default();
    let slaves = slaves.iter().filter(|node| !node.is_placeholder()).filter_map(Node::control_address);
    let own = about.control.ip().to_canonical();
    about.others.iter().copied().chain(slaves).filter(|address| address.ip().to_canonical() != own).collect()
}
