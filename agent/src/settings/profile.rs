//! `[profile]`

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::value;
use crate::names::Port;

/// `[profile]` is the local half of `source = "membership"`: the keys of the ini that no member list has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Profile {
    /// GROUP, the name of the cluster.
    /// Default: the parent path of the role. Example: `"mycluster"`
    pub group: Option<String>,
    /// NAME of each node: `"address"` is its registered address, `"tag"` its tag, which must resolve on every node.
    /// Default: `"address"`
    pub naming: Naming,
    /// Makes endpoints and peers of inbound and outbound addresses, as Trove's template does.
    /// Default: `false`
    pub peers: bool,
    /// PORT of server nodes.
    /// Default: `8020`
    pub server_port: Port,
    /// CTLPORT of server nodes.
    /// Default: `8021`
    pub server_ctlport: Port,
    /// CTLPORT of slave nodes.
    /// Default: `8031`
    pub slave_ctlport: Port,
    /// Other keys of `[GLOBAL]`.
    /// Default: those of upstream's DBaaS templates, key by key. Example: `{ REPLICA = 2 }`
    #[serde(deserialize_with = "global")]
    pub global: BTreeMap<String, String>,
    /// Keys of `[K2HDKC]`.
    /// Default: those of upstream's DBaaS templates, key by key. Example: `{ K2HTYPE = "mem" }`
    #[serde(deserialize_with = "k2hdkc")]
    pub k2hdkc: BTreeMap<String, String>,
}

/// The origin of a node's NAME.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// From the registered address, as in the DBaaS CLI's template.
    Address,
    /// From the tag, as in Trove's template: names must then resolve on every node.
    Tag,
}

impl Default for Profile {
    fn default() -> Self {
        let [server_port, server_ctlport, slave_ctlport] =
            [8020, 8021, 8031].map(|number| Port::try_from(number).unwrap_or(Port::LEAST));
        Self {
            group: None,
            naming: Naming::Address,
            peers: false,
            server_port,
            server_ctlport,
            slave_ctlport,
            global: value::owned(GLOBAL),
            k2hdkc: value::owned(K2HDKC),
        }
    }
}

fn global<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    value::overlaid(deserializer, GLOBAL)
}

fn k2hdkc<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    value::overlaid(deserializer, K2HDKC)
}

/// `[GLOBAL]` of upstream's DBaaS templates.
const GLOBAL: &[(&str, &str)] = &[
    ("CHMPXIDTYPE", "CUSTOM"),
    ("DELIVERMODE", "hash"),
    ("MAXCHMPX", "256"),
    ("REPLICA", "1"),
    ("MAXMQSERVER", "8"),
    ("MAXMQCLIENT", "128"),
    ("MQPERATTACH", "8"),
    ("MAXQPERSERVERMQ", "8"),
    ("MAXQPERCLIENTMQ", "8"),
    ("MAXMQPERCLIENT", "16"),
    ("MAXHISTLOG", "0"),
    ("RWTIMEOUT", "10000"),
    ("RETRYCNT", "500"),
    ("CONTIMEOUT", "1000"),
    ("MQRWTIMEOUT", "500"),
    ("MQRETRYCNT", "10000"),
    ("MQACK", "no"),
    ("AUTOMERGE", "on"),
    ("DOMERGE", "on"),
    ("MERGETIMEOUT", "0"),
    ("SOCKTHREADCNT", "8"),
    ("MQTHREADCNT", "8"),
    ("MAXSOCKPOOL", "16"),
    ("SOCKPOOLTIMEOUT", "0"),
    ("SSL", "no"),
    ("K2HFULLMAP", "on"),
    ("K2HMASKBIT", "4"),
    ("K2HCMASKBIT", "8"),
    ("K2HMAXELE", "16"),
];

/// `[K2HDKC]` of upstream's DBaaS templates.
const K2HDKC: &[(&str, &str)] = &[
    ("K2HTYPE", "file"),
    ("K2HFILE", "/var/lib/antpickax/k2hdkc/data/k2hdkc.k2h"),
    ("K2HFULLMAP", "on"),
    ("K2HINIT", "no"),
    ("K2HMASKBIT", "8"),
    ("K2HCMASKBIT", "8"),
    ("K2HMAXELE", "32"),
    ("K2HPAGESIZE", "512"),
    ("MAXTHREAD", "20"),
];
