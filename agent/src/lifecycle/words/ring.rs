//! Reasons that have to do with the ring: this server's place, other servers, and a slave's connections.

use std::time::Duration;

use derive_more::Display;
use strum::{IntoStaticStr, VariantNames};

use super::after;
use crate::chmpx_state::NodeStatus;
use crate::clock::spoken;

/// Reason that has to do with the place of a server in its ring.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "join-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Join {
    #[display("chmpx is asked again, since k2hdkc has just started")]
    AskedAgain,
    #[display("this server is {_0}")]
    Is(NodeStatus),
    #[display("this server is {_0}, and no merge is nudged")]
    IsAtRisk(NodeStatus),
    #[display("this server is {_0}, and AUTOMERGE is off: merging is done by hand")]
    AutomergeIsOff(NodeStatus),
    #[display("k2hdkc is joining its chmpx ({_0})")]
    Joining(NodeStatus),
    #[display("k2hdkc has not joined its chmpx ({_0})")]
    NotJoined(NodeStatus),
    #[display("its join sticks at {_0}")]
    Sticks(NodeStatus),
    #[display("the ring is merging ({_0})")]
    Merging(NodeStatus),
    #[display(
        "the ring has been merging for more than {} ({status}); k2hdkc works on it, and it is left alone",
        spoken(*limit)
    )]
    MergesLong { limit: Duration, status: NodeStatus },
    #[display("a merge sticks at {status}: {why}")]
    MergeSticks { status: NodeStatus, why: String },
    #[display("this server stays {_0}, and nobody merges")]
    NobodyMerges(NodeStatus),
    #[display(
        "this server stays {_0}: do all servers call each other by CUSTOM_ID_SEED or by address, first in /etc/hosts or in \
         DNS?"
    )]
    StaysPending(NodeStatus),
    #[display(
        "this server is {_0}: another hand took it out of service; SERVICEIN on its control port brings it back"
    )]
    OutByHand(NodeStatus),
    #[display("slaves that were turned away before this file was loaded try again")]
    Announces,
    #[display(
        "k2hdkc (pid {_0}) serves, although no other server of its ring has been up to its chmpx since it started: they may \
         have a ring of their own. It is taken out of service and restarted as soon as one is up; if they are gone for good, \
         take them out of their role in K2HR3"
    )]
    ServesAlone(u32),
    #[display("k2hdkc (pid {_0}) was started alone, and met the others without a merge")]
    MetWithoutMerge(u32),
    #[display(
        "k2hdkc (pid {_0}) was started alone, and met the others without a merge: each has keys that the other does not find. \
         Its own are in memory, so it is not restarted: copy them, then end it by SIGHUP, and the agent starts it again"
    )]
    MetInMemory(u32),
}

/// Reason that has to do with another server's change.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "peer-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Peer {
    #[display("{server} went down in the middle of a change ({status})")]
    LeftBehind { server: String, status: NodeStatus },
    #[display("{server} went down in the middle of a change ({status}), and nobody has ended that since")]
    StillLeftBehind { server: String, status: NodeStatus },
    #[display(
        "{server} went down in the middle of a change ({status}), and AUTOMERGE is off: COMPMERGE on one server's control \
         port ends it"
    )]
    LeftBehindByHand { server: String, status: NodeStatus },
    #[display(
        "{server} went down in the middle of a change ({status}), and nobody has ended that since, although it was told to \
         for {}: restart that server, or chmpx and k2hdkc of one server after the other",
        spoken(*tried)
    )]
    LeftBehindForGood { server: String, status: NodeStatus, tried: Duration },
    #[display(
        "{server} has been {status} for {}: look at that server ('k2hdkc-agent status' there), and start its agent where it \
         does not run",
        spoken(*time)
    )]
    Sticks { server: String, status: NodeStatus, time: Duration },
    #[display(
        "{server} is listed as {status}, and its host acknowledges nothing: see whether that VM and its network live"
    )]
    Dead { server: String, status: NodeStatus },
    #[display(
        "no other host of the ring answers this one: see to its network; the programs of a server end, so that nothing old is \
         written late, and start when a host answers"
    )]
    Isolated,
}

/// Reason that has to do with a slave's connections.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "slave-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Slave {
    #[display("this slave is {_0}")]
    Is(NodeStatus),
    #[display("this slave is connected to no server that is in service ({_0} are listed)")]
    Alone(usize),
    #[display(
        "this slave is connected to no server that is in service ({_0} are listed): look at the status of the servers, and \
         at what is between them and this host"
    )]
    StaysAlone(usize),
    #[display("this slave has no connection to {_0}, which is in service")]
    TurnedAway(String),
    #[display(
        "this slave has no connection to {_0}, which is in service; it tries again when it hears that server"
    )]
    Prompted(String),
    #[display(
        "this slave has no connection to {servers}, which is in service, and UPDATESTATUS at its control port has not \
         helped{}; {TURNED_AWAY}",
        after(error.as_ref())
    )]
    PromptedInVain { servers: String, error: Option<String> },
    #[display(
        "this slave has no connection to {_0}, which is in service, and the file has no address for it, so that the agent \
         does not reach it: tell its control port UPDATESTATUS; {TURNED_AWAY}"
    )]
    Unreachable(String),
}

const TURNED_AWAY: &str = "see whether it runs, whether its file lists this slave, and whether this host reaches its ports; \
                           if it is gone, take it out of its role in K2HR3";
