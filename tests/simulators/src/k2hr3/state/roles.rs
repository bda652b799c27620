//! Roles: their hosts, their policies, and what flows up and down their paths.

use std::time::Instant;

use serde_json::{Map, Value};

use super::hosts::{Hosts, Stored, Wanted, is_address};
use super::{Event, HostRecord, Kind, State};
use crate::k2hr3::yrn;

/// A role. Registering a host under a name that is none makes an entry without id: the orphan key of b12.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::k2hr3) struct Role {
    /// Given at creation; another one after deletion and re-creation, which ends all its tokens (x06).
    pub(in crate::k2hr3) id: Option<u64>,
    pub(in crate::k2hr3) policies: Vec<String>,
    pub(in crate::k2hr3) aliases: Vec<String>,
    pub(in crate::k2hr3) hosts: Hosts,
}

impl State {
    /// Creates a role, or changes the lists that are given. Missing parents come into being too.
    pub(in crate::k2hr3) fn put_role(
        &mut self,
        role: &str,
        policies: Option<Vec<String>>,
        aliases: Option<Vec<String>>,
    ) {
        if let Some(parent) = yrn::parent(role).filter(|parent| !self.is_role(parent)) {
            self.put_role(parent, None, None);
        }
        let id = self.next_id();
        let entry = self.roles.entry(role.to_owned()).or_default();
        entry.id = entry.id.or(Some(id));
        entry.policies = policies.unwrap_or_else(|| std::mem::take(&mut entry.policies));
        entry.aliases = aliases.unwrap_or_else(|| std::mem::take(&mut entry.aliases));
    }

    pub(in crate::k2hr3) fn is_role(&self, role: &str) -> bool {
        self.roles.get(role).is_some_and(|role| role.id.is_some())
    }

    pub(in crate::k2hr3) fn role_id(&self, role: &str) -> Option<u64> {
        self.roles.get(role)?.id
    }

    /// The role and everything below it.
    pub(in crate::k2hr3) fn remove_role(&mut self, role: &str) {
        self.roles.retain(|name, _| name != role && !is_below(name, role));
    }

    /// Registers a host. First goes every record that loosely matches, so the same address with the same
    /// CUK is replaced, with another CUK kept, and without CUK it replaces all (dkc:5943-5955).
    pub(in crate::k2hr3) fn add_host(&mut self, role: &str, record: HostRecord) {
        let cuk = record.cuk.clone();
        let wanted = Wanted { host: &record.host, port: record.port, cuk: cuk.as_deref() };
        let id = self.next_id();
        let entry = self.roles.entry(role.to_owned()).or_default();
        let replaced = entry.hosts.remove(wanted);
        let is_same = replaced.len() == 1 && replaced[0] == record;
        let host = record.host.clone();
        entry.hosts.insert(Stored { id, record });
        if !is_same {
            self.note(role, &host, true);
        }
    }

    /// Removes what loosely matches from this role alone. Says how many went.
    pub(in crate::k2hr3) fn remove_host(&mut self, role: &str, wanted: Wanted<'_>) -> usize {
        let Some(entry) = self.roles.get_mut(role) else { return 0 };
        let gone = entry.hosts.remove(wanted);
        self.forget_orphan(role);
        for record in &gone {
            self.note(role, &record.host, false);
        }
        gone.len()
    }

    /// Removes by CUK in every role, as `k2hr3_osnl` asks for it; `hosts` narrows it to those addresses.
    pub(in crate::k2hr3) fn remove_cuk(&mut self, cuk: &str, hosts: &[String]) {
        let roles: Vec<String> = self.roles.keys().cloned().collect();
        for role in roles {
            let Some(entry) = self.roles.get_mut(&role) else { continue };
            let gone = entry.hosts.remove_where(|record| {
                record.cuk.as_deref() == Some(cuk) && (hosts.is_empty() || hosts.contains(&record.host))
            });
            for record in &gone {
                self.note(&role, &record.host, false);
            }
        }
    }

    /// Looks for a member in the role and in the roles below it: their hosts count as its own (dkc:8161).
    /// Gives the role it was found in.
    pub(in crate::k2hr3) fn find_host<'a>(
        &'a self,
        role: &'a str,
        wanted: Wanted<'_>,
    ) -> Option<(&'a str, &'a Stored)> {
        self.family(role).find_map(|(name, entry)| entry.hosts.find(wanted).map(|stored| (name, stored)))
    }

    /// The list a template or `keyname=` gets: own hosts, aliases, roles below. Empty for an unknown role.
    pub(in crate::k2hr3) fn host_list(&self, role: &str, kind: Kind) -> Map<String, Value> {
        let aliases = self.roles.get(role).map(|entry| entry.aliases.clone()).unwrap_or_default();
        let names = std::iter::once(role).chain(aliases.iter().map(String::as_str));
        let mut hosts: Vec<(String, Value)> =
            names.flat_map(|name| self.family(name)).flat_map(|(_, entry)| entry.hosts.shown(kind)).collect();
        hosts.sort_by_cached_key(|(key, _)| key.replace(',', " "));
        hosts.into_iter().collect()
    }

    /// The policies of the role and of every role above it (dkc:5525-5531).
    pub(in crate::k2hr3) fn effective_policies(&self, role: &str) -> Vec<String> {
        let above = yrn::parent(role).map(|parent| self.effective_policies(parent)).unwrap_or_default();
        let own = self.roles.get(role).map(|entry| entry.policies.clone()).unwrap_or_default();
        [above, own].concat()
    }

    /// The role and those below it, its own hosts first.
    fn family<'a>(&'a self, role: &'a str) -> impl Iterator<Item = (&'a str, &'a Role)> {
        let own = self.roles.get_key_value(role);
        let below = self.roles.iter().filter(move |(name, _)| is_below(name, role));
        own.into_iter().chain(below).map(|(name, entry)| (name.as_str(), entry))
    }

    fn forget_orphan(&mut self, role: &str) {
        if self.roles.get(role).is_some_and(|entry| entry.id.is_none() && entry.hosts.is_empty()) {
            self.roles.remove(role);
        }
    }

    fn note(&mut self, role: &str, host: &str, joined: bool) {
        let at = Instant::now();
        self.events.push(Event { at, role: role.to_owned(), host: host.to_owned(), joined });
    }
}

fn is_below(name: &str, role: &str) -> bool {
    name.strip_prefix(role).is_some_and(|rest| rest.starts_with('/'))
}

/// A client address as it is kept: names fold their case, addresses are taken as they are.
pub(in crate::k2hr3) fn folded_host(text: &str) -> String {
    if is_address(text) { text.to_owned() } else { text.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "yrn:yahoo:::t:role:c";
    const CHILD: &str = "yrn:yahoo:::t:role:c/server";

    fn host(ip: &str, cuk: &str) -> HostRecord {
        HostRecord::openstack(ip, cuk, "tag")
    }

    fn ips(state: &State, role: &str) -> Vec<String> {
        state.host_list(role, Kind::Ip).keys().cloned().collect()
    }

    #[test]
    fn the_same_address_is_replaced_with_the_same_cuk_and_kept_with_another() {
        let mut state = State::default();
        state.add_host(CHILD, HostRecord { port: 80, ..host("10.0.0.1", "a") });
        state.add_host(CHILD, host("10.0.0.1", "a"));
        state.add_host(CHILD, host("10.0.0.1", "b"));
        assert_eq!(ips(&state, CHILD), ["10.0.0.1,0,a", "10.0.0.1,0,b"]);
        state.add_host(CHILD, HostRecord { host: "10.0.0.1".into(), ..HostRecord::default() });
        assert_eq!(ips(&state, CHILD), ["10.0.0.1,0,"]);
    }

    #[test]
    fn lists_are_sorted_by_bytes_and_not_by_number() {
        let mut state = State::default();
        for (ip, cuk) in [("10.0.0.4", "x"), ("10.0.0.30", "y"), ("10.0.0.3", "z")] {
            state.add_host(CHILD, host(ip, cuk));
        }
        assert_eq!(ips(&state, CHILD), ["10.0.0.3,0,z", "10.0.0.30,0,y", "10.0.0.4,0,x"]);
    }

    #[test]
    fn members_are_seen_from_above_and_policies_flow_down() {
        let mut state = State::default();
        state.put_role(PARENT, Some(vec!["policy".into()]), None);
        state.put_role(CHILD, None, None);
        state.add_host(CHILD, host("10.0.0.1", "a"));
        assert_eq!(ips(&state, PARENT), ["10.0.0.1,0,a"]);
        assert_eq!(state.effective_policies(CHILD), ["policy"]);
        let wanted = Wanted { host: "10.0.0.1", port: 0, cuk: None };
        assert_eq!(state.find_host(PARENT, wanted).map(|found| found.0), Some(CHILD));
    }

    #[test]
    fn a_host_may_enter_a_role_that_is_none_and_takes_it_along_when_it_leaves() {
        let mut state = State::default();
        state.add_host(CHILD, host("10.0.0.1", "a"));
        assert!(!state.is_role(CHILD) && state.roles.contains_key(CHILD));
        state.remove_host(CHILD, Wanted { host: "10.0.0.1", port: 0, cuk: Some("a") });
        assert!(state.roles.is_empty());
    }
}
