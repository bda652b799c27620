//! The hidden command `hand-over`: gives the merges of a server back to its chmpx, before the package is removed.
//!
//! Without an agent nobody would let this server join, or merge for it: its file gets AUTOMERGE, and the agents of the other
//! servers follow. K2HR3 is not asked.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{complain, failed, reported, say};
use crate::automerge::Automerge;
use crate::chmpx_state;
use crate::clock::Clock;
use crate::installed;
use crate::ledger::Store;
use crate::problem::chain;
use crate::reconcile::Reconciler;
use crate::ring::{Mode, Ring};
use crate::settings::{Settings, SourceKind};
use crate::source::{self, AnySource};
use crate::supervisor::control_port::{self, Command};
use crate::supervisor::{AnySupervisor, NodeSpec};
use crate::wake::Reason;

/// Longest wait for the end of a change of the ring: the next agent in the order ends it.
const CHANGE_WITHIN: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Writes the installed ring once more, with AUTOMERGE on.
pub(super) async fn hand_over(mut settings: Settings) -> ExitCode {
    let bytes = std::fs::read(&settings.ini.path).unwrap_or_default();
    let installed = installed::read_bytes(&bytes);
    let by_agents = |ring: &&Ring| ring.mode() == Some(Mode::Server) && !Automerge::of_ring(ring).insists();
    let Some(ring) = installed.ring().map(|ring| &**ring).filter(by_agents) else {
        say("no merges are the agent's here");
        return ExitCode::SUCCESS;
    };
    if let Some(node) = NodeSpec::of(ring, &settings.ini.path) {
        calm(&node).await;
    }
    let store = match Store::open(&settings.state.directory, settings.ini.keep) {
        Ok(store) => store,
        Err(error) => return failed(chain(&error)),
    };
    (settings.k2hr3.source, settings.k2hr3.file) = (SourceKind::File, Some(settings.ini.path.clone()));
    let answered = source::put(&mut AnySource::new(&settings), &settings.k2hr3).await;
    let supervisor = AnySupervisor::onlooker(&settings, store.ledger().picked);
    let mut reconciler = Reconciler::new(settings, supervisor, store, false, Clock::of_host());
    reconciler.hand_over();
    reported(&reconciler.pass(Reason::Command.into(), Some(answered)).await)
}

/// Waits until no server is in a change, by the own chmpx.
async fn calm(node: &NodeSpec) {
    let begun = Instant::now();
    while let Ok(text) = control_port::ask(node.control, &Command::AllStatus, ANSWER_WITHIN).await {
        let Ok(status) = chmpx_state::all_status(&text) else { return };
        if !status.servers.iter().any(|row| row.status.is_up() && !row.status.is_calm()) {
            return;
        }
        if begun.elapsed() >= CHANGE_WITHIN {
            return complain("the ring is in a change still");
        }
        sleep(LOOK_AGAIN).await;
    }
}
