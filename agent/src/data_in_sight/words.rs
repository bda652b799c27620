//! The state of the data in words. Each is a value with a stable code, and its sentence stands beside it.

use derive_more::Display;

use crate::problem::coded;

/// State of the data.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Data {
    #[display("every key is in sight")]
    InSight,
    #[display("not every key is in sight until the present change of the ring is over")]
    Changing,
    #[display("no key is in sight until a server is in service")]
    NobodyServes,
    #[display(
        "not every key is in sight until one of these is back: {}; with REPLICA {replicas} they hold all copies of some keys",
        down.join(", ")
    )]
    AllHoldersDown { down: Vec<String>, replicas: u32 },
    #[display(
        "perhaps not every key is in sight since chmpx took the ring from {from} to {to} servers, until the agents change the ring \
         or each server has left the service and come back"
    )]
    CopiedNothing { from: usize, to: usize },
    #[display(
        "unknown: this agent has seen no change in which all servers copied, and an earlier one may have hidden keys; the next \
         join or leave by the agents brings every key into sight"
    )]
    PastUnseen,
    #[display("unknown: the own chmpx does not answer")]
    Silent,
    #[display("unknown: this server is not in service yet")]
    NoMember,
    #[display("unknown: {_0} leaves merges to its chmpx (AUTOMERGE is on)")]
    Mixed(String),
}

coded! { Data {
    Self::InSight => "in-sight",
    Self::Changing => "ring-changes",
    Self::NobodyServes => "nobody-serves",
    Self::AllHoldersDown { .. } => "all-holders-down",
    Self::CopiedNothing { .. } => "copied-nothing",
    Self::PastUnseen => "past-unseen",
    Self::Silent => "chmpx-silent",
    Self::NoMember => "not-in-service",
    Self::Mixed(_) => "ring-mixed",
}}
