//! The breaches of chmpx's TLS rules in words.

use std::fmt::{self, Display, Formatter};

use crate::problem::{Fault, Severity, coded};

/// A breach in the section of that label.
pub(super) struct Breach<'a> {
    pub(super) label: &'a str,
    pub(super) rule: Rule<'a>,
}

/// The rule that is broken.
pub(super) enum Rule<'a> {
    SetWhileOff(&'a str),
    OnWhileOff(&'a str),
    OnWithout(&'a str),
    PathWithoutServer,
    NeedsClient,
    UselessClient,
    NoFile { key: &'a str, path: &'a str },
    NoDirectory(&'a str),
    LongPath(&'a str),
}

coded! { Breach<'_> {
    Breach { rule: Rule::SetWhileOff(_) | Rule::OnWhileOff(_), .. } => "tls-off",
    Breach { rule: Rule::OnWithout(_), .. } => "tls-without-certificate",
    Breach { rule: Rule::PathWithoutServer, .. } => "tls-no-server",
    Breach { rule: Rule::NeedsClient, .. } => "tls-client-needed",
    Breach { rule: Rule::UselessClient, .. } => "tls-client-not-verified",
    Breach { rule: Rule::NoFile { .. } | Rule::NoDirectory(_), .. } => "tls-file-missing",
    Breach { rule: Rule::LongPath(_), .. } => "tls-path-too-long",
}}

impl Fault for Breach<'_> {
    fn severity(&self) -> Severity {
        Severity::Refused
    }
}

impl Display for Breach<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.label)?;
        match self.rule {
            Rule::SetWhileOff(key) => write!(f, "{key} is set while SSL is off"),
            Rule::OnWhileOff(key) => write!(f, "{key} is on while SSL is off"),
            Rule::OnWithout(key) => write!(f, "SSL is on without {key}"),
            Rule::PathWithoutServer => f.write_str("CAPATH is set while no server has SSL"),
            Rule::NeedsClient => {
                f.write_str("a server has SSL_VERIFY_PEER, so SLAVE_CERT and SLAVE_PRIKEY are needed here")
            }
            Rule::UselessClient => {
                f.write_str("SLAVE_CERT or SLAVE_PRIKEY is set while no server has SSL_VERIFY_PEER")
            }
            Rule::NoFile { key, path } => write!(f, "{key} {path} does not exist on this host as a file"),
            Rule::NoDirectory(path) => write!(f, "NSSDB_DIR \"{path}\" is not a directory on this host"),
            Rule::LongPath(key) => write!(f, "{key} is longer than 1023 bytes"),
        }
    }
}
