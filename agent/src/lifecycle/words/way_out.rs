//! Reasons that have to do with a restart, a leave, or a stop for maintenance.

use derive_more::Display;
use strum::{IntoStaticStr, VariantNames};

use crate::chmpx_state::NodeStatus;
use crate::lifecycle::departure::Stage;
use crate::lifecycle::rules::MOST_REPAIRS;
use crate::supervisor::Program;

/// Reason that has to do with a restart: the cause, and the present obstacle.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "restart-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Restart {
    #[display("{reason}; {MOST_REPAIRS} restarts did not help")]
    DidNotHelp { reason: String },
    #[display(
        "{cause}; supervisor.restarts forbids it. To do it yourself, end chmpx{} by SIGHUP, on a server k2hdkc first: the \
         agent starts both again",
        pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    Forbidden { cause: String, pid: Option<u32> },
    #[display("{cause}: this server is {status}")]
    Unhealthy { cause: String, status: NodeStatus },
    #[display("{cause}: first {peer} must be well again ({status})")]
    PeerIsUnwell { cause: String, peer: String, status: String },
    #[display("{cause}: the servers before it restart first")]
    Turn { cause: String },
    #[display("{cause}: all servers are well")]
    Settling { cause: String },
    #[display(
        "[K2HDKC] names another database: k2hdkc (pid {_0}) is not restarted for it, since its keys would stay behind. Move \
         them, then end it by SIGHUP: the agent starts it again"
    )]
    OtherDatabase(u32),
    #[display(
        "k2hdkc (pid {pid}) must be restarted ({cause}), but {loss}: its keys would be lost. Until it is, do not scale the \
         cluster. Copy its keys, then end it: the agent starts it again"
    )]
    DataAtRisk { pid: u32, cause: String, loss: String },
}

/// Reason that has to do with a leave, or with a stop for maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Display, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", prefix = "leave-")]
#[allow(missing_docs, reason = "each sentence says what its variant means")]
pub enum Leave {
    #[display("{}", _0.text())]
    At(Stage),
    #[display("this node was told to stop: {}", Stage::Stopped.text())]
    Stopped,
    #[display(
        "this node was told to stop: {} (pid {pid}) was started by another hand and is left alone; 'k2hdkc-agent start' \
         takes it over",
        program.name()
    )]
    StartedByHand { program: Program, pid: u32 },
    #[display("{obstacle}; {}", ways(*returns))]
    Obstructed { obstacle: String, returns: bool },
    #[display("it has left the ring, and answers late requests for a moment")]
    AnswersLate,
    #[display("{} at once", why(*returns))]
    AtOnce { returns: bool },
    #[display("it stops once its processes are seen again: {_0}")]
    Unobservable(String),
}

/// The ways out for the operator.
fn ways(returns: bool) -> &'static str {
    if returns {
        "'k2hdkc-agent stop --force' stops all the same, 'k2hdkc-agent start' calls it off"
    } else {
        "'k2hdkc-agent leave --force' leaves all the same, 'k2hdkc-agent join' stays"
    }
}

fn why(returns: bool) -> &'static str {
    if returns { "it was told to stop" } else { "it leaves the cluster" }
}
