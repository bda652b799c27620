//! Host records, their keys, and what counts as the same host.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A member of a role, as the server shows it. The traps are in `docs/facts.md` K3, K4 and K10.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRecord {
    /// The source address the API saw, or a host name.
    pub host: String,
    /// 0 means any.
    pub port: u16,
    /// Container unique key: the UUID of the Nova instance.
    pub cuk: Option<String>,
    /// `openstack-auto-v1` or `k8s-auto-v1`; anything else is stored and shown as null (b20).
    pub extra: Option<String>,
    /// Free text, by convention the FQDN.
    pub tag: Option<String>,
    /// Address for traffic towards the host, where it is behind NAT.
    pub inboundip: Option<String>,
    /// Address of traffic from the host, where it is behind NAT.
    pub outboundip: Option<String>,
}

impl HostRecord {
    /// A VM as the `DBaaS` user-data script registers it: any port, `openstack-auto-v1`.
    pub fn openstack(host: impl Into<String>, cuk: impl Into<String>, tag: impl Into<String>) -> Self {
        let extra = Some("openstack-auto-v1".to_owned());
        Self { host: host.into(), cuk: Some(cuk.into()), extra, tag: Some(tag.into()), ..Self::default() }
    }

    /// `<host> <port or *> <cuk>`: the key, by whose bytes lists are sorted.
    pub(in crate::k2hr3) fn key(&self) -> String {
        let port = if self.port == 0 { "*".to_owned() } else { self.port.to_string() };
        format!("{} {port} {}", self.host, self.cuk.as_deref().unwrap_or_default())
    }

    /// A key is split at blanks when it is read back, so a blank in the CUK hides the host (b22).
    fn is_visible(&self) -> bool {
        self.key().split(' ').count() == 3
    }

    /// As the expanded lists show it.
    fn shown(&self) -> Value {
        let extra =
            self.extra.as_deref().filter(|extra| ["openstack-auto-v1", "k8s-auto-v1"].contains(extra));
        json!({
            "host": self.host, "port": self.port, "extra": extra, "cuk": self.cuk, "tag": self.tag,
            "inboundip": self.inboundip, "outboundip": self.outboundip,
        })
    }

    /// As `GET role?expand=false` shows it: blank-separated, `extra` only where it is a known one (d01).
    fn line(&self) -> String {
        let extra =
            self.extra.as_deref().filter(|extra| ["openstack-auto-v1", "k8s-auto-v1"].contains(extra));
        [Some(self.key().as_str()), extra, self.tag.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Which host is meant by a call: what is absent matches anything (`rawFindHost`, dkc:8225-8345).
#[derive(Clone, Copy, Debug)]
pub(in crate::k2hr3) struct Wanted<'a> {
    pub(in crate::k2hr3) host: &'a str,
    pub(in crate::k2hr3) port: u16,
    pub(in crate::k2hr3) cuk: Option<&'a str>,
}

impl Wanted<'_> {
    /// Loose in both directions: a record without CUK matches every CUK too. A CUK implies
    /// `openstack-auto-v1`, so a record of another `extra` is not found with its own CUK (b20).
    fn matches(&self, record: &HostRecord) -> bool {
        let extra_fits = match (&self.cuk, &record.extra) {
            (Some(_), Some(extra)) => extra == "openstack-auto-v1",
            _ => true,
        };
        self.host == record.host
            && (self.port == record.port || self.port == 0 || record.port == 0)
            && (self.cuk.is_none() || record.cuk.is_none() || self.cuk == record.cuk.as_deref())
            && extra_fits
    }
}

/// A record with the secret id it got when it was registered. A new registration gives a new id, which is
/// what ends the tokens bound to the host (e18, e20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::k2hr3) struct Stored {
    pub(in crate::k2hr3) id: u64,
    pub(in crate::k2hr3) record: HostRecord,
}

/// The two lists of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::k2hr3) enum Kind {
    /// `hosts/ip`
    Ip,
    /// `hosts/name`
    Name,
    /// `hosts/all`: both, addresses first (t-hostsall-keys)
    All,
}

/// The hosts of one role, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::k2hr3) struct Hosts {
    stored: BTreeMap<String, Stored>,
}

impl Hosts {
    pub(in crate::k2hr3) fn insert(&mut self, stored: Stored) {
        self.stored.insert(stored.record.key(), stored);
    }

    pub(in crate::k2hr3) fn get(&self, key: &str) -> Option<&Stored> {
        self.stored.get(key)
    }

    pub(in crate::k2hr3) fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Every record, those invisible to the API too.
    pub(in crate::k2hr3) fn records(&self) -> impl Iterator<Item = &HostRecord> {
        self.stored.values().map(|stored| &stored.record)
    }

    /// Finds what a call that names this host would find.
    pub(in crate::k2hr3) fn find(&self, wanted: Wanted<'_>) -> Option<&Stored> {
        self.visible().find(|stored| wanted.matches(&stored.record))
    }

    pub(in crate::k2hr3) fn remove(&mut self, wanted: Wanted<'_>) -> Vec<HostRecord> {
        self.remove_where(|record| record.is_visible() && wanted.matches(record))
    }

    pub(in crate::k2hr3) fn remove_where(
        &mut self,
        is_gone: impl Fn(&HostRecord) -> bool,
    ) -> Vec<HostRecord> {
        let gone: Vec<HostRecord> = self.records().filter(|record| is_gone(record)).cloned().collect();
        self.stored.retain(|_, stored| !is_gone(&stored.record));
        gone
    }

    /// Gives the first host another tag, keeping its id.
    pub(in crate::k2hr3) fn retag_first(&mut self, tag: &str) {
        if let Some(first) = self.stored.values_mut().next() {
            first.record.tag = Some(tag.to_owned());
        }
    }

    /// `"<host>,<port>,<cuk>"` -> record, in key order.
    pub(in crate::k2hr3) fn shown(&self, kind: Kind) -> impl Iterator<Item = (String, Value)> {
        self.of_kind(kind).into_iter().map(|record| {
            (
                format!("{},{},{}", record.host, record.port, record.cuk.as_deref().unwrap_or_default()),
                record.shown(),
            )
        })
    }

    pub(in crate::k2hr3) fn lines(&self, kind: Kind) -> Vec<String> {
        self.of_kind(kind).into_iter().map(HostRecord::line).collect()
    }

    fn of_kind(&self, kind: Kind) -> Vec<&HostRecord> {
        let (ips, names): (Vec<&HostRecord>, Vec<&HostRecord>) =
            self.visible().map(|stored| &stored.record).partition(|record| is_address(&record.host));
        match kind {
            Kind::Ip => ips,
            Kind::Name => names,
            Kind::All => [ips, names].concat(),
        }
    }

    fn visible(&self) -> impl Iterator<Item = &Stored> {
        self.stored.values().filter(|stored| stored.record.is_visible())
    }
}

/// Records whether a text is an address and not a name.
pub(in crate::k2hr3) fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(host: &'a str, cuk: Option<&'a str>) -> Wanted<'a> {
        Wanted { host, port: 0, cuk }
    }

    fn hosts(records: impl IntoIterator<Item = HostRecord>) -> Hosts {
        let mut hosts = Hosts::default();
        for record in records {
            hosts.insert(Stored { id: 1, record });
        }
        hosts
    }

    #[test]
    fn what_is_absent_matches_anything_in_both_directions() {
        let bare = HostRecord { host: "10.0.0.1".into(), ..HostRecord::default() };
        let hosts = hosts([bare, HostRecord::openstack("10.0.0.2", "a", "t")]);
        assert!(hosts.find(wanted("10.0.0.1", Some("any"))).is_some());
        assert!(hosts.find(wanted("10.0.0.2", None)).is_some());
        assert!(hosts.find(wanted("10.0.0.2", Some("b"))).is_none());
        assert!(hosts.find(Wanted { host: "10.0.0.2", port: 80, cuk: None }).is_some());
    }

    #[test]
    fn a_host_of_an_unknown_extra_is_not_found_by_its_cuk_and_shown_without_it() {
        let stranger =
            HostRecord { extra: Some("my-own".into()), ..HostRecord::openstack("10.0.0.1", "a", "t") };
        let hosts = hosts([stranger]);
        assert!(hosts.find(wanted("10.0.0.1", Some("a"))).is_none());
        assert!(hosts.find(wanted("10.0.0.1", None)).is_some());
        assert_eq!(hosts.lines(Kind::Ip), ["10.0.0.1 * a t"]);
    }

    #[test]
    fn a_blank_in_the_cuk_hides_a_host_from_every_list_and_from_removal() {
        let mut hosts = hosts([HostRecord::openstack("10.0.0.1", "a b", "t")]);
        assert_eq!((hosts.lines(Kind::All), hosts.shown(Kind::Ip).count()), (Vec::new(), 0));
        assert_eq!(hosts.remove(wanted("10.0.0.1", None)), []);
        assert_eq!(hosts.records().count(), 1);
    }

    #[test]
    fn addresses_and_names_are_two_lists() {
        let hosts =
            hosts([HostRecord::openstack("10.0.0.1", "a", "t"), HostRecord::openstack("vm", "b", "t")]);
        let names = |kind| hosts.shown(kind).map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(
            (names(Kind::Ip), names(Kind::Name)),
            (vec!["10.0.0.1,0,a".to_owned()], vec!["vm,0,b".to_owned()])
        );
        assert_eq!(names(Kind::All).len(), 2);
    }
}
