//! Findings of the watch in words. Each is a value with a stable code, and its sentence stands beside it.

use std::net::IpAddr;

use derive_more::Display;

use crate::problem::coded;

/// A finding of the watch.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub enum Finding {
    /// A host acknowledges nothing, and its connections stay.
    #[display("{_0} acknowledges nothing; chmpx waits for it until the kernel gives it up")]
    Silent(IpAddr),
    /// A host acknowledged nothing, and chmpx's connections to it were destroyed.
    #[display(
        "{_0} acknowledged nothing; chmpx's connections to it were destroyed, and it has not been heard since"
    )]
    Cut(IpAddr),
    /// No other host of the ring answers.
    #[display(
        "no other host of the ring answers this one: see to its network; a server starts again when one answers"
    )]
    Isolated,
    /// The watch cannot do its work.
    #[display("{_0}")]
    Trouble(Trouble),
}

coded! { Finding {
    Self::Silent(_) => "host-silent",
    Self::Cut(_) => "host-cut",
    Self::Isolated => "host-isolated",
    Self::Trouble(Trouble::NotOnHost) => "chmpx-not-on-host",
    Self::Trouble(Trouble::Unreadable(_)) => "sockets-unreadable",
    Self::Trouble(Trouble::Namespace(_)) => "namespace-closed",
    Self::Trouble(Trouble::NoDiagnosis(_)) => "no-socket-diagnosis",
    Self::Trouble(Trouble::NoCapability) => "no-cap-net-admin",
    Self::Trouble(Trouble::NoDestruction) => "no-socket-destruction",
    Self::Trouble(Trouble::Failed(_)) => "cut-failed",
}}

/// Obstacle of the watch.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub enum Trouble {
    /// The process is in a container of another host, or hidden.
    #[display(
        "chmpx runs where this host's /proc does not show it: a host that vanishes is not noticed; run an agent there"
    )]
    NotOnHost,
    /// The descriptors of chmpx cannot be read.
    #[display("chmpx's sockets cannot be read ({_0}): give the agent CAP_SYS_PTRACE, or run it as root")]
    Unreadable(String),
    /// The network namespace of chmpx cannot be entered.
    #[display(
        "chmpx's network namespace cannot be entered ({_0}): give the agent CAP_SYS_ADMIN and RestrictNamespaces=net, or the \
         container the network of the host"
    )]
    Namespace(String),
    /// The kernel does not say what is not acknowledged.
    #[display("the kernel shows no connections ({_0}): it needs CONFIG_INET_DIAG")]
    NoDiagnosis(String),
    /// The agent may not destroy connections.
    #[display(
        "chmpx's connections to a host that vanishes cannot be destroyed: give the agent CAP_NET_ADMIN"
    )]
    NoCapability,
    /// The kernel cannot destroy connections.
    #[display(
        "chmpx's connections to a host that vanishes cannot be destroyed: the kernel lacks CONFIG_INET_DIAG_DESTROY"
    )]
    NoDestruction,
    /// A connection was not destroyed.
    #[display(
        "chmpx's connections to a dead host could not be destroyed ({_0}): restart chmpx and k2hdkc of this node"
    )]
    Failed(String),
}
