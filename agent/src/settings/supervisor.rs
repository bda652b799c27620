//! `[supervisor]`

mod programs;
mod timing;

use serde::Deserialize;

use crate::lifecycle::{Restarts, Rules};
pub use programs::{Containers, Process, Units};
pub use timing::Timing;

/// `[supervisor]` names the supervisor of chmpx and k2hdkc, and the steps that the agent may take with them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Supervisor {
    /// Supervisor of chmpx and k2hdkc: `"docker"` in containers, `"systemd"` as units, `"process"` as children of the
    /// agent; `"none"` leaves them alone. `"auto"` picks the first of these that is there, and keeps it until the
    /// agent ends.
    /// Default: `"auto"`
    pub kind: SupervisorKind,
    /// Disables another program that writes the same file in place, such as k2hr3-get-resource.timer. Off, `status`
    /// reports it.
    /// Default: `false`
    pub take_over: bool,
    /// Nodes that restart for a key that no running process takes: `"servers"` one after the other, each out of
    /// service meanwhile; `"always"` slaves too, whose programs lose their handles (D7); `"never"` none.
    /// Default: `"servers"`
    pub restarts: Restarts,
    /// Fate of both programs at the agent's end: `"leave"` lets them run on, `"stop"` stops k2hdkc, then
    /// chmpx. Containers are always left. Children of the agent end in any case when systemd shuts the host down.
    /// Default: `"leave"`
    pub on_exit: OnExit,
    /// Restarts k2hdkc whenever its chmpx was restarted. Off, the next scale-out loses keys (D2, D3).
    /// Default: `true`
    pub restart_k2hdkc_with_chmpx: bool,
    /// Starts k2hdkc only beside the other servers of its ring. Off, it makes a ring of its own (D8).
    /// Default: `true`
    pub wait_for_peers: bool,
    /// `[supervisor.process]`
    pub process: Process,
    /// `[supervisor.systemd]`
    #[serde(rename = "systemd")]
    pub units: Units,
    /// `[supervisor.docker]`
    #[serde(rename = "docker")]
    pub containers: Containers,
    /// `[supervisor.timing]`
    pub timing: Timing,
    /// Permissions and times as the lifecycle takes them.
    #[serde(skip)]
    pub rules: Rules,
}

impl Default for Supervisor {
    fn default() -> Self {
        let (timing, restarts) = (Timing::default(), Restarts::Servers);
        Self {
            kind: SupervisorKind::Auto,
            take_over: false,
            restarts,
            on_exit: OnExit::Leave,
            restart_k2hdkc_with_chmpx: true,
            wait_for_peers: true,
            process: Process::default(),
            units: Units::default(),
            containers: Containers::default(),
            timing,
            rules: Rules { restarts, pair: true, wait_for_peers: true, take_over: false, ..timed(&timing) },
        }
    }
}

impl Supervisor {
    /// Makes the rules of the lifecycle.
    pub(super) fn rules(&self) -> Rules {
        Rules {
            restarts: self.restarts,
            pair: self.restart_k2hdkc_with_chmpx,
            wait_for_peers: self.wait_for_peers,
            take_over: self.take_over,
            ..timed(&self.timing)
        }
    }
}

/// Makes the times of the lifecycle, and its permissions by default.
fn timed(timing: &Timing) -> Rules {
    Rules {
        quiet: timing.quiet_after_write,
        between_questions: timing.min_query_interval,
        look: timing.resync_interval,
        start_gap: timing.start_gap,
        stop_gap: timing.stop_gap,
        stop_within: timing.stop_within,
        deaf_after: timing.unresponsive_after,
        roll_back_within: timing.roll_back_within,
        peers_within: timing.peers_within,
        join_within: timing.join_within,
        merge_within: timing.merge_within,
        idle_merge: timing.idle_merge,
        turn: timing.restart_stagger,
        calm: timing.settle_before_drain,
        backoff: (timing.restart_backoff, timing.max_restart_backoff),
        restarts: Restarts::Servers,
        pair: true,
        wait_for_peers: true,
        take_over: false,
    }
}

/// A supervisor of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupervisorKind {
    /// Picked among the others, by what is there.
    Auto,
    /// None: the agent keeps only the file.
    None,
    /// The agent itself.
    Process,
    /// systemd.
    Systemd,
    /// Docker.
    Docker,
}

/// The fate of the processes when the agent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExit {
    /// Running on, until the next agent adopts them.
    Leave,
    /// Stopped: k2hdkc, then chmpx.
    Stop,
}
