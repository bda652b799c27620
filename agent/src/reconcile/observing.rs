//! Looks at the programs of this node.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::leaving::Obstacle;
use super::{Inputs, Reconciler};
use crate::chmpx_state::{NodeStatus, Operation};
use crate::installed::Installed;
use crate::names::Port;
use crate::ring::{Mode, Node, NodeKey};
use crate::supervisor::{Ask, NodeSpec, Observed, Supervisor};

/// A newcomer that has waited so long asks the others whether they know it by now, however seldom they ask K2HR3.
const KNOWN_WITHIN: Duration = Duration::from_mins(1);

impl Inputs {
    /// Servers of the installed file that chmpx reports as up, by their names in the file: chmpx shows resolved ones.
    pub(super) fn up(&self) -> Option<BTreeSet<NodeKey>> {
        self.servers_that(NodeStatus::is_up)
    }

    /// Servers of the installed file that chmpx reports as out of the ring, likewise.
    pub(super) fn left(&self) -> Option<BTreeSet<NodeKey>> {
        self.servers_that(|status| !status.is_in_service() && status.operation() == Operation::Nothing)
    }

    fn servers_that(&self, is: impl Fn(NodeStatus) -> bool) -> Option<BTreeSet<NodeKey>> {
        let said = self.observed.as_ref()?.control.report.as_ref()?;
        let ring = self.installed.ring()?;
        let rows: Vec<_> = said.view.servers.iter().filter(|row| is(row.status)).collect();
        let nodes = ring.servers.iter().filter(|node| rows.iter().any(|row| row.is_of(node)));
        Some(nodes.map(Node::key).collect())
    }

    /// Returns the number of nodes that the running chmpx has room for.
    pub(super) fn capacity(&self) -> Option<usize> {
        self.observed.as_ref()?.control.report.as_ref()?.view.capacity
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Describes this node for the supervisor. A chmpx that runs listens where it was started to. The others may not know a
    /// newcomer before they ask K2HR3 again, and they ask it as often as this node does.
    pub(super) fn about(&self, installed: &Installed) -> Option<NodeSpec> {
        let mut about = NodeSpec::of(installed.ring()?, &self.settings.ini.path)?;
        if self.store.ledger().loaded.is_none() {
            let interval = self.membership.interval(&self.settings.poll);
            about.known_after = interval.min(KNOWN_WITHIN);
        }
        let running = self.processes.running.map(|(chmpx, _)| chmpx);
        if let Some(ran) = self.store.ledger().processes.chmpx
            && running.is_none_or(|chmpx| chmpx == Some(ran.id))
        {
            about.control.set_port(ran.ctlport);
            // So it is called in its own table as well.
            about.own.1 = Port::try_from(ran.ctlport).unwrap_or(about.own.1);
        }
        if self.leaving().is_some() || self.stopped().is_some_and(|stopped| !stopped.follows()) {
            // Nobody lets it in again; and to those that do not list it any more, each question costs a row of look-ups.
            about.others.clear();
        }
        Some(about)
    }

    pub(super) async fn observe(
        &mut self,
        about: Option<&NodeSpec>,
        installed: &Installed,
    ) -> Option<Observed> {
        let ask = if self.daemon { self.may_ask(Instant::now()) } else { self.may_ask_once(installed).await };
        let seen = match about {
            Some(about) => self.supervisor.observe(about, ask).await,
            None => None,
        };
        if seen.is_none() {
            let unmoved = about.is_some() && self.supervisor.look_again().is_none();
            self.processes.obstacle = unmoved.then_some(Obstacle::Unmoved);
            self.processes.running = None;
            self.processes.next_look = about.and_then(|_| self.supervisor.look_again());
        }
        let observed = seen?;
        let is_server = about.is_some_and(|about| about.mode == Mode::Server);
        self.processes.comes = is_server && observed.control.report.is_none() && observed.control.refuses;
        if ask != Ask::No && observed.chmpx.is_some() {
            self.processes.asked = Some(Instant::now());
        }
        self.processes.running =
            Some((observed.chmpx.map(|process| process.id), observed.k2hdkc.map(|process| process.id)));
        Some(observed)
    }
}
