//! The ini as chmpx understands it: read by the agent's own rules of acceptance, with what chmpx makes of absent keys.
//!
//! Not done: YAML and JSON, NAMEs that stand for several hosts, certificates, name resolution (docs/facts.md C15).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k2hdkc_agent::acceptance::{self, Host};
use k2hdkc_agent::ini::{self, Kind};
use k2hdkc_agent::keys::{GLOBAL, NODE_REST, Value, atoi, is_on};
use k2hdkc_agent::ring::{Node, Ring};
use k2hdkc_agent::{machine, problem};
use thiserror::Error;

use super::date;
use super::own::{self, Identity};
use crate::model::id::{IdType, chmpxid};

/// A file that chmpx would load.
#[derive(Debug, Clone)]
pub struct Config {
    /// The path of the file.
    pub path: PathBuf,
    /// `[GLOBAL]`, every key that chmpx knows, with its default where the file has none.
    values: BTreeMap<&'static str, String>,
    /// `FILEVERSION`, as `atoi` reads it.
    pub fileversion: i32,
    /// `DATE`, in seconds since 1970; nothing depends on it.
    pub date: u64,
    /// The content of the file.
    pub ring: Ring,
    /// Which of the nodes this host is; a slave may be none of them.
    pub own: Option<Node>,
    /// Records whether it is a server.
    pub is_server: bool,
}

/// The reason why a file is not loaded.
#[derive(Debug, Error)]
pub enum Refused {
    /// The file is not there, or not to be read.
    #[error("configuration file({path}) could not be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The name ends in something that chmpx has no reader for.
    #[error("configuration \"{0}\" is unknown type.")]
    UnknownType(PathBuf),
    /// chmpx's rules forbid it.
    #[error("configuration file({path}): {text}.")]
    Rule {
        /// Which.
        path: PathBuf,
        /// The rule.
        text: String,
    },
}

/// The values that chmpx takes where `[GLOBAL]` has no such key.
const DEFAULTS: &[(&str, &str)] = &[
    ("MAXCHMPX", "1024"),
    ("REPLICA", "0"),
    ("MAXMQSERVER", "1"),
    ("MAXMQCLIENT", "8192"),
    ("MQPERATTACH", "1"),
    ("MAXQPERSERVERMQ", "8"),
    ("MAXQPERCLIENTMQ", "1"),
    ("MAXMQPERCLIENT", "1"),
    ("MAXHISTLOG", "8192"),
    ("RETRYCNT", "-1"),
    ("MQRWTIMEOUT", "10"),
    ("MQRETRYCNT", "3"),
    ("MQACK", "on"),
    ("MAXSOCKPOOL", "1"),
    ("SOCKPOOLTIMEOUT", "60"),
    ("K2HFULLMAP", "on"),
    ("K2HMASKBIT", "8"),
    ("K2HCMASKBIT", "4"),
    ("K2HMAXELE", "32"),
    ("SSL_MIN_VER", "DEFAULT"),
    ("CHMPXIDTYPE", "NAME"),
];

impl Config {
    /// Reads and judges the file as it is now.
    pub fn load(path: &Path, identity: &Identity) -> Result<Self, Refused> {
        let known = path.extension().is_none_or(|extension| extension.eq_ignore_ascii_case("ini"));
        if !known {
            return Err(Refused::UnknownType(path.to_owned()));
        }
        let bytes = fs::read(path).map_err(|source| Refused::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &String::from_utf8_lossy(&bytes), identity)
    }

    fn parse(path: &Path, text: &str, identity: &Identity) -> Result<Self, Refused> {
        let refuse = |text: String| Refused::Rule { path: path.to_owned(), text };
        let document = ini::parse(text);
        let paths = acceptance::paths(&acceptance::read(&document, &Host::default()).ring);
        let host = Host { addresses: None, ..machine::host(paths) };
        let reading = acceptance::read(&document, &host);
        if let Some(fault) =
            reading.problems.iter().find(|found| found.severity == problem::Severity::Refused)
        {
            return Err(refuse(fault.text.clone()));
        }
        let values = values(&reading.ring);
        let (own, is_server) = own::find(&reading.ring, identity).map_err(refuse)?;
        let last = |key| {
            let globals = document.sections.iter().filter(|section| section.kind == Kind::Global);
            globals.filter_map(|section| section.get(key)).next_back().map_or("", |entry| &*entry.value)
        };
        let (fileversion, date) = (atoi(last("FILEVERSION")), date::read(last("DATE")));
        Ok(Self { path: path.to_owned(), values, fileversion, date, ring: reading.ring, own, is_server })
    }

    /// Checks whether chmpx would call this a change (lib/chmconf.h:415-455): DATE, K2H* and SELFCUK do not count.
    pub fn is_changed_from(&self, other: &Self) -> bool {
        let counted = |config: &Self| {
            let values =
                config.values.iter().filter(|(key, _)| !key.starts_with("K2H") && **key != "SELFCUK");
            values.map(|(key, value)| (*key, value.clone())).collect::<Vec<_>>()
        };
        let nodes = |config: &Self| [&config.ring.servers, &config.ring.slaves].map(|nodes| plain(nodes));
        (self.fileversion, counted(self), nodes(self)) != (other.fileversion, counted(other), nodes(other))
    }

    /// A value of `[GLOBAL]` as text; "" for a key without value and default.
    pub fn text(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }

    /// A number of `[GLOBAL]`.
    pub fn number(&self, key: &str) -> i32 {
        atoi(self.text(key))
    }

    /// A count of `[GLOBAL]`; what is negative is none.
    pub fn count(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or_default()
    }

    /// A truth value of `[GLOBAL]`.
    pub fn is_on(&self, key: &str) -> bool {
        is_on(self.text(key))
    }

    /// DELIVERMODE is random: no replicas, and no merging of data.
    pub fn is_random(&self) -> bool {
        self.text("DELIVERMODE").eq_ignore_ascii_case("random")
    }

    /// Checks whether merges run by themselves; random delivery forces it, hash without DOMERGE forbids it.
    pub fn merges_by_itself(&self) -> bool {
        self.is_random() || (self.is_on("AUTOMERGE") && self.is_on("DOMERGE"))
    }

    /// Extra copies of each key.
    pub fn replicas(&self) -> usize {
        if self.is_random() { 0 } else { self.count("REPLICA").min(self.count("MAXCHMPX")) }
    }

    /// GROUP.
    pub fn group(&self) -> &str {
        self.text("GROUP")
    }

    /// CHMPXIDTYPE.
    pub fn id_type(&self) -> IdType {
        IdType::read(self.text("CHMPXIDTYPE"))
    }

    /// The id of a node under this file.
    pub fn id_of(&self, node: &Node) -> u64 {
        let by_name = || format!("{}:{:x}", node.name, node.ctlport.get());
        let seed = match self.id_type() {
            IdType::Name => by_name(),
            IdType::Cuk => node.cuk.clone(),
            IdType::CtlEndpoints => node.rest.get("CTLENDPOINTS").map_or_else(by_name, str::to_owned),
            IdType::Custom => node.seed.clone(),
        };
        chmpxid(self.group(), &seed)
    }

    /// The raw `[GLOBAL]` text of a key, for comparison with a faults entry.
    pub fn raw(&self, key: &str) -> String {
        if key == "FILEVERSION" { self.fileversion.to_string() } else { self.ring.global(key).to_owned() }
    }

    /// Lists `[GLOBAL]`, for [`super::picture::Picture`].
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }
}

/// Nodes without the keys that chmpx does not know.
fn plain(nodes: &[Node]) -> Vec<Node> {
    let plain = |node: &Node| {
        let rest = node.rest.iter().filter(|(key, _)| NODE_REST.contains(key)).collect();
        Node { rest, ..node.clone() }
    };
    nodes.iter().map(plain).collect()
}

/// The keys that chmpx keeps, each in one spelling, so that two spellings of one value are equal. PORT and CTLPORT are
/// defaults of the nodes and stand there.
fn values(ring: &Ring) -> BTreeMap<&'static str, String> {
    let kept = GLOBAL.iter().filter(|key| !["PORT", "CTLPORT", "FILEVERSION", "DATE"].contains(&key.name));
    let default = |name| DEFAULTS.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value);
    kept.map(|key| {
        let text = ring.profile.global.get(key.name).map_or(default(key.name), String::as_str);
        let value = match key.value {
            Value::Number { .. } => atoi(text).to_string(),
            Value::Word(words) if words.contains(&"off") => if is_on(text) { "on" } else { "off" }.to_owned(),
            Value::Word(_) => text.to_ascii_uppercase(),
            Value::Text | Value::Port | Value::Path => text.to_owned(),
        };
        (key.name, value)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx::fixtures::{identity, ini};

    fn config(text: &str) -> Config {
        Config::parse(Path::new("x.ini"), text, &identity()).unwrap()
    }

    #[test]
    fn date_k2h_selfcuk_comments_and_unknown_keys_are_no_change() {
        let old = ini(&[1, 2], &[1]);
        for (from, to) in [
            ("[GLOBAL]\n", "[GLOBAL]\n# nothing\nNOBODY = knows\n"),
            ("[GLOBAL]\n", "[GLOBAL]\nDATE = x\nK2HMASKBIT = 5\n"),
            ("[GLOBAL]\n", "[OTHER]\nA = b\n[GLOBAL]\nMQACK = yes\nSOCKTHREADCNT = 0\n"),
        ] {
            assert!(!config(&old.replace(from, to)).is_changed_from(&config(&old)), "{to}");
        }
        for (from, to) in [
            ("FILEVERSION = 1", "FILEVERSION = 2"),
            ("REPLICA = 1", "REPLICA = 2"),
            ("seed-2", "seed-9"),
            ("AUTOMERGE = on", "AUTOMERGE = off"),
        ] {
            assert!(config(&old.replace(from, to)).is_changed_from(&config(&old)), "{to}");
        }
        assert!(config(&ini(&[1, 2, 3], &[1])).is_changed_from(&config(&old)));
    }

    #[test]
    fn what_chmpx_refuses_is_not_loaded() {
        let good = ini(&[1, 2], &[1]);
        let without_slaves = good.split("[SLVNODE]").next().unwrap_or_default().to_owned();
        for text in [
            String::new(),
            "@@@@ garbage".to_owned(),
            good.replace("GROUP = LAB\n", ""),
            good.replace("REPLICA = 1", "SSL = maybe"),
            without_slaves,
            good.replace("SELFCUK = cuk-1", "SELFCUK = cuk-9"),
            good.replace("MODE = SERVER", "MODE = SLAVE"),
        ] {
            assert!(Config::parse(Path::new("x.ini"), &text, &identity()).is_err(), "{text}");
        }
        assert!(matches!(Config::load(Path::new("x.conf"), &identity()), Err(Refused::UnknownType(_))));
    }

    #[test]
    fn numbers_wrap_as_atoi_does() {
        let text = ini(&[1], &[1]).replace("FILEVERSION = 1", "FILEVERSION = 3000000000");
        assert_eq!(config(&text).fileversion, -1_294_967_296);
    }
}
