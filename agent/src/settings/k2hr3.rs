//! `[k2hr3]`

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::value;
use crate::names::{Cuk, Yrn};

/// `[k2hr3]` names K2HR3, this node, and the source of the file. On a VM with K2HR3's user-data nothing need be set
/// here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct K2hr3 {
    /// Address of K2HR3's API.
    /// Default: the file `k2hr3-api-uri` of the user-data. Example: `"https://k2hr3.example:443"`
    #[serde(deserialize_with = "value::uri")]
    pub api_uri: Option<String>,
    /// Role of this node.
    /// Default: the file `k2hr3-role-name` of the user-data. Example: `"yrn:yahoo:::tenant:role:mycluster/server"`
    #[serde(deserialize_with = "value::role")]
    pub role: Option<Yrn>,
    /// Role of the server nodes.
    /// Default: the sibling `server` of the role. Example: `"yrn:yahoo:::tenant:role:mycluster/server"`
    #[serde(deserialize_with = "value::role")]
    pub server_role: Option<Yrn>,
    /// Role of the slave nodes.
    /// Default: the sibling `slave` of the role. Example: `"yrn:yahoo:::tenant:role:mycluster/slave"`
    #[serde(deserialize_with = "value::role")]
    pub slave_role: Option<Yrn>,
    /// Resource of the role.
    /// Default: the role with `:resource:` for `:role:`. Example: `"yrn:yahoo:::tenant:resource:mycluster/server"`
    #[serde(deserialize_with = "value::resource")]
    pub resource: Option<Yrn>,
    /// CUK of this node.
    /// Default: the file `k2hr3-cuk` of the user-data, else cloud-init's instance-id. Example: `"2f8e2f1c-0000-4000-8000-000000000001"`
    #[serde(deserialize_with = "value::cuk")]
    pub cuk: Option<Cuk>,
    /// File with the role token.
    /// Default: `"/etc/antpickax/k2hr3-role-token"`
    pub token_file: PathBuf,
    /// PEM file with the authorities that may sign K2HR3's certificate. A certificate that K2HR3 signed itself needs
    /// CA:FALSE and its host as subjectAltName.
    /// Default: the system's authorities. Example: `"/etc/antpickax/ca.crt"`
    pub ca_file: Option<PathBuf>,
    /// Source of the file: `"resource"` reads the expanded template of the role's resource, `"membership"` the two
    /// member lists with `[profile]`, `"file"` an ini on this host.
    /// Default: `"resource"`
    pub source: SourceKind,
    /// Ini of `source = "file"`.
    /// Default: none. Example: `"/srv/k2hdkc.ini"`
    pub file: Option<PathBuf>,
    /// Proof of identity: `"token"` sends the role token, `"address"` relies on the source address, `"address-token"`
    /// makes a token that is bound to it. `"auto"` sends the role token where there is one, and relies on the address
    /// where it is refused.
    /// Default: `"auto"`
    pub auth: Auth,
    /// Proxy to K2HR3, which knows a node without a token by its source address.
    /// Default: none, whatever the environment says. Example: `"http://proxy.example:3128"`
    pub proxy: Option<String>,
    /// Source address of the requests, on a host that has several.
    /// Default: the kernel's choice. Example: `"192.0.2.10"`
    pub source_address: Option<IpAddr>,
    /// Longest time until connected. A refusal takes 10 to 50 ms; a connection that takes longer than this will not
    /// come.
    /// Default: `"3s"`
    #[serde(deserialize_with = "value::span")]
    pub connect_timeout: Duration,
    /// Longest time for a whole request. A role of 1000 hosts takes 1.5 to 6 s, a 401 of a dead backend 14 s (K1,
    /// K6).
    /// Default: `"30s"`
    #[serde(deserialize_with = "value::span")]
    pub timeout: Duration,
    /// Longest answer in bytes. That of 1000 hosts has 260 kB (K13).
    /// Default: `8388608`
    pub max_body: u64,
    /// Paths that follow from the root and from `[state]`.
    #[serde(skip)]
    pub places: Places,
}

/// Directories in which the agent finds and keeps this node's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The root of all paths.
    pub root: PathBuf,
    /// The directory of the ledger.
    pub state: PathBuf,
}

impl Places {
    /// The directory of the files that K2HR3's user-data writes.
    pub fn userdata(&self) -> PathBuf {
        super::below(&self.root, Path::new("/etc/antpickax"))
    }

    /// cloud-init's instance-id.
    pub fn instance_id(&self) -> PathBuf {
        super::below(&self.root, Path::new("/var/lib/cloud/data/instance-id"))
    }

    /// The file that keeps an address-bound token.
    pub fn minted_token(&self) -> PathBuf {
        self.state.join("address-token.json")
    }
}

impl Default for K2hr3 {
    fn default() -> Self {
        Self {
            api_uri: None,
            role: None,
            server_role: None,
            slave_role: None,
            resource: None,
            cuk: None,
            token_file: "/etc/antpickax/k2hr3-role-token".into(),
            ca_file: None,
            source: SourceKind::Resource,
            file: None,
            auth: Auth::Auto,
            proxy: None,
            source_address: None,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(30),
            max_body: 8 << 20,
            places: Places::default(),
        }
    }
}

/// The answer of K2HR3 that becomes the ini.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// The expanded text of the role's resource.
    Resource,
    /// The member lists of the server and the slave role, with `[profile]`.
    Membership,
    /// An ini file on this host, kept by another program.
    File,
}

/// The agent's proof of identity to K2HR3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// By the role token where there is one; without, or where it is refused, by the source address.
    Auto,
    /// By the role token only.
    Token,
    /// By the source address only.
    Address,
    /// By a token bound to the source address, which the agent makes and renews at half its life.
    AddressToken,
}
