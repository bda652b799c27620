//! chmpx's TLS rules: any breach refuses the whole file, on every host that reads it (chmpx 1.0.113 with OpenSSL,
//! lib/chmconf.cc:1600-2590). All paths of all servers must exist on this host, also those of other nodes.

mod words;

use std::collections::BTreeMap;

use super::{FileKind, Host};
use crate::keys::{is_off, is_on, is_unset};
use crate::problem::{Fault as _, Problem};
use crate::ring::Mode;
use words::{Breach, Rule};

/// The keys of one section, each with the line it stands in.
pub(super) type Values<'a> = BTreeMap<&'a str, (&'a str, usize)>;

/// The keys that name files.
const CERTIFICATES: [&str; 5] = ["SERVER_CERT", "SERVER_PRIKEY", "SLAVE_CERT", "SLAVE_PRIKEY", "CAPATH"];

/// The keys of the rules in this file.
const TLS_KEYS: &[&str] = &[
    "SSL",
    "SSL_VERIFY_PEER",
    "SSL_MIN_VER",
    "CAPATH",
    "SERVER_CERT",
    "SERVER_PRIKEY",
    "SLAVE_CERT",
    "SLAVE_PRIKEY",
    "NSSDB_DIR",
];

/// Longest path that chmpx has room for, its end mark included.
const LONGEST_PATH: usize = 1024;

/// A section with the defaults that `[GLOBAL]` gives it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// Name of the section in a problem.
    pub(super) label: &'a str,
    /// Line of the section.
    pub(super) line: usize,
    /// Kind of node; `[GLOBAL]` counts as a server's.
    pub(super) mode: Mode,
    /// Its own keys.
    pub(super) own: &'a Values<'a>,
    /// The keys of `[GLOBAL]`.
    pub(super) global: &'a Values<'a>,
}

impl<'a> View<'a> {
    fn value(&self, key: &str) -> &'a str {
        self.own.get(key).or_else(|| self.global.get(key)).map_or("", |(value, _)| *value)
    }

    fn path(&self, key: &str) -> Option<&'a str> {
        Some(self.value(key)).filter(|value| !is_unset(value))
    }

    fn is_on(&self, key: &str) -> bool {
        is_on(self.value(key))
    }

    /// Tells whether its own keys can break a rule: most rings have `SSL = no` in every section, and nothing else.
    fn speaks_of_tls(&self) -> bool {
        let says =
            |key: &&str| self.own.get(*key).is_some_and(|(value, _)| !is_unset(value) && !is_off(value));
        TLS_KEYS.iter().any(says) || self.own.contains_key("NSSDB_DIR")
    }

    fn breach(&self, rule: Rule<'_>) -> Problem {
        Breach { label: self.label, rule }.at(self.line)
    }
}

/// Every breach of the TLS rules in `[GLOBAL]` and the node sections.
pub(super) fn examine(
    global: &View<'_>,
    servers: &[View<'_>],
    slaves: &[View<'_>],
    host: &Host,
) -> Vec<Problem> {
    if !global.speaks_of_tls() && !servers.iter().chain(slaves).any(View::speaks_of_tls) {
        return Vec::new();
    }
    let any_tls = servers.iter().any(|server| server.is_on("SSL"));
    let any_verify = servers.iter().any(|server| server.is_on("SSL_VERIFY_PEER"));
    let mut problems = in_global(global, host);
    problems.extend(servers.iter().flat_map(|server| in_server(server, any_tls, any_verify, host)));
    problems.extend(slaves.iter().flat_map(|slave| in_slave(slave, any_tls, any_verify, host)));
    problems
}

fn in_global(global: &View<'_>, host: &Host) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !global.is_on("SSL") {
        for key in ["SERVER_CERT", "SERVER_PRIKEY"].into_iter().filter(|key| global.path(key).is_some()) {
            problems.push(global.breach(Rule::SetWhileOff(key)));
        }
        if global.own.contains_key("NSSDB_DIR") {
            problems.push(global.breach(Rule::SetWhileOff("NSSDB_DIR")));
        }
        if global.is_on("SSL_VERIFY_PEER") {
            problems.push(global.breach(Rule::OnWhileOff("SSL_VERIFY_PEER")));
        }
        let version = global.value("SSL_MIN_VER");
        if !version.is_empty() && !version.eq_ignore_ascii_case("DEFAULT") {
            problems.push(global.breach(Rule::SetWhileOff("SSL_MIN_VER")));
        }
    }
    problems.extend(missing_files(global, &CERTIFICATES, host));
    problems.extend(nss_directory(global, host));
    problems
}

/// The one path without a way to say "none": empty and `NULL` are directories that do not exist.
fn nss_directory(global: &View<'_>, host: &Host) -> Option<Problem> {
    let (path, _) = global.own.get("NSSDB_DIR")?;
    let missing = is_unset(path) || host.kind(path).is_some_and(|kind| kind != FileKind::Dir);
    let missing = missing || path.len() >= LONGEST_PATH;
    missing.then(|| global.breach(Rule::NoDirectory(path)))
}

fn in_server(server: &View<'_>, any_tls: bool, any_verify: bool, host: &Host) -> Vec<Problem> {
    let mut problems = own_missing_files(server, &CERTIFICATES, host);
    let tls = server.is_on("SSL");
    for key in ["SERVER_CERT", "SERVER_PRIKEY"] {
        if tls != server.path(key).is_some() {
            problems.push(server.breach(if tls { Rule::OnWithout(key) } else { Rule::SetWhileOff(key) }));
        }
    }
    if !tls && server.is_on("SSL_VERIFY_PEER") {
        problems.push(server.breach(Rule::OnWhileOff("SSL_VERIFY_PEER")));
    }
    if !any_tls && server.path("CAPATH").is_some() {
        problems.push(server.breach(Rule::PathWithoutServer));
    }
    problems.extend(client_certificate(server, any_verify));
    problems
}

fn in_slave(slave: &View<'_>, any_tls: bool, any_verify: bool, host: &Host) -> Vec<Problem> {
    let mut problems = own_missing_files(slave, &["SLAVE_CERT", "CAPATH"], host);
    // The key counts only beside a certificate; a slave's SSL and SERVER_* are never read.
    if slave.path("SLAVE_CERT").is_some() {
        problems.extend(own_missing_files(slave, &["SLAVE_PRIKEY"], host));
    } else if slave.path("SLAVE_PRIKEY").is_some_and(|path| path.len() >= LONGEST_PATH) {
        problems.push(slave.breach(Rule::LongPath("SLAVE_PRIKEY")));
    }
    if !any_tls && slave.path("CAPATH").is_some() {
        problems.push(slave.breach(Rule::PathWithoutServer));
    }
    problems.extend(client_certificate(slave, any_verify));
    problems
}

/// Every node shows a client certificate exactly when some server verifies its peers.
fn client_certificate(node: &View<'_>, any_verify: bool) -> Vec<Problem> {
    let certificate = node.path("SLAVE_CERT").is_some();
    let key = node.path("SLAVE_PRIKEY").is_some() && (certificate || node.mode == Mode::Server);
    if any_verify && !(certificate && key) {
        return vec![node.breach(Rule::NeedsClient)];
    }
    if !any_verify && (certificate || key) {
        return vec![node.breach(Rule::UselessClient)];
    }
    Vec::new()
}

/// The path keys that a node inherits were examined in `[GLOBAL]` already.
fn own_missing_files(node: &View<'_>, keys: &[&str], host: &Host) -> Vec<Problem> {
    let none = Values::new();
    missing_files(&View { global: &none, ..*node }, keys, host)
}

fn missing_files(section: &View<'_>, keys: &[&str], host: &Host) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in keys {
        let Some(path) = section.path(key) else { continue };
        let fits = match host.kind(path) {
            None | Some(FileKind::File) => true,
            Some(FileKind::Dir) => *key == "CAPATH",
            Some(FileKind::Missing) => false,
        };
        if !fits {
            problems.push(section.breach(Rule::NoFile { key, path }));
        }
        if path.len() >= LONGEST_PATH {
            problems.push(section.breach(Rule::LongPath(key)));
        }
    }
    problems
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(super) const CODES: &[&str] = <Breach<'_> as crate::problem::Coded>::CODES;
