//! The names of the hosts block, and of nodes that chmpx may still look up although they are no members any more.

use std::rc::Rc;
use std::time::Duration;

use super::{Inputs, Reconciler};
use crate::hosts::{self, Listed, Names, Reserved};
use crate::machine;
use crate::membership::{self, Wanted};
use crate::ring::Ring;
use crate::supervisor::Supervisor;

/// Time for which the names of gone nodes stay where chmpx cannot be seen: it lists a server until that one ends, and a
/// minute is usual.
const KEPT_UNSEEN: Duration = Duration::from_hours(1);

impl<T: Supervisor> Reconciler<T> {
    /// The names of the members; `None` where there is no block, or where it is not known with whom the agent speaks.
    pub(super) fn names(&self, inputs: &Inputs, wanted: &Wanted) -> Option<Box<Names>> {
        self.settings.hosts.file()?;
        let registry = inputs.identity.as_ref().ok()?.k2hr3.as_ref();
        let registry = registry.map(|registry| registry.api_uri.as_str());
        let daemon = self.settings.supervisor.containers.daemon();
        let own = machine::names();
        let addresses = machine::addresses().unwrap_or_default();
        // Whoever has the proxy's name gets the token.
        let proxy = self.settings.k2hr3.proxy.as_deref();
        let peers = registry.into_iter().chain(proxy).chain([daemon.as_str()]);
        let reserved = Reserved::new(own.iter().map(String::as_str), peers, addresses);
        Some(Box::new(hosts::names(wanted, reserved, self.listed(inputs))))
    }

    /// The same of a kept ring, which comes instead of the members: the others keep their lines.
    pub(super) fn names_of_kept(&self, inputs: &Inputs, ring: &Rc<Ring>) -> Option<Box<Names>> {
        let addresses = membership::peer_addresses(ring);
        let wanted = Wanted { ring: Rc::clone(ring), addresses, ..Wanted::default() };
        self.names(inputs, &wanted).map(|names| Box::new(Names { listed: Listed::Unknown, ..*names }))
    }

    /// The nodes in chmpx's table. It says so of the installed file only once it has loaded it.
    fn listed(&self, inputs: &Inputs) -> Listed {
        let Some(observed) = &inputs.observed else {
            let settled = self
                .files
                .look
                .age(&self.settings.ini.path, self.clock.now().wall)
                .is_some_and(|age| age >= KEPT_UNSEEN);
            return if settled { Listed::only([]) } else { Listed::Unknown };
        };
        let fileversion = inputs.installed.fileversion();
        match &observed.control.report {
            Some(said) if fileversion.is_some() && said.view.fileversion == fileversion => {
                let rows = said.view.servers.iter().chain(&said.view.slaves);
                Listed::only(rows.flat_map(|row| [row.name.as_str(), row.seed.as_str()]))
            }
            _ => Listed::Unknown,
        }
    }
}
