//! Sicknesses of the member list: the same server, looking at other data.

use super::Sickness;
use crate::k2hr3::state::{HostRecord, Role, State};

/// The tag that x01 registered: it ends its line and opens a section.
const EVIL_TAG: &str = "x\nSSL = yes\n[SVRNODE]\nNAME = evil.example";
const CONTROL_TAG: &str = "bell\u{7}escape\u{1b}[31m tab\t nul\u{0} delete\u{7f}";

impl Sickness {
    /// Records whether [`Self::seen_state`] differs from the real one.
    pub(in crate::k2hr3) fn changes_members(&self) -> bool {
        matches!(
            self,
            Self::NoServers
                | Self::NoSlaves
                | Self::WithoutHost { .. }
                | Self::HalfOfServers
                | Self::NewlineInTag
                | Self::ControlCharacters
        )
    }

    /// The state as the sick server sees it. By the convention of the `DBaaS` tools the servers' role ends in
    /// `/server` and the slaves' in `/slave`.
    pub(in crate::k2hr3) fn seen_state(&self, state: &State) -> State {
        let mut seen = state.clone();
        for (name, role) in &mut seen.roles {
            match self {
                Self::NoServers if name.ends_with("/server") => remove_all(role),
                Self::NoSlaves if name.ends_with("/slave") => remove_all(role),
                Self::HalfOfServers if name.ends_with("/server") => remove_every_second(role),
                Self::WithoutHost { cuk } => {
                    role.hosts.remove_where(|record| record.cuk.as_ref() == Some(cuk));
                }
                Self::NewlineInTag if name.ends_with("/server") => role.hosts.retag_first(EVIL_TAG),
                Self::ControlCharacters if name.ends_with("/server") => role.hosts.retag_first(CONTROL_TAG),
                _ => {}
            }
        }
        seen
    }
}

fn remove_all(role: &mut Role) {
    role.hosts.remove_where(|_| true);
}

fn remove_every_second(role: &mut Role) {
    let kept: Vec<HostRecord> = role.hosts.records().step_by(2).cloned().collect();
    role.hosts.remove_where(|record| !kept.contains(record));
}
