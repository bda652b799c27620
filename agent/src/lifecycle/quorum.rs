//! The quorum for a start of k2hdkc: never alone on a ring that has other members.

use std::time::Duration;

use super::history::Waiting;
use super::persisted::Urgency;
use super::rules::LOOKS_AGAIN;
use super::scene::{Draft, Scene};
use super::words::Start;
use super::{Action, Demand, resolving, starting};
use crate::chmpx_state::ChmpxState;
use crate::plan::Class;
use crate::ring::Node;
use crate::supervisor::Program;

/// The other servers of the file, as this chmpx sees them.
#[derive(Debug, Default)]
struct Peers<'a> {
    /// Servers in service.
    serving: usize,
    /// Servers that are up, but not in service.
    ready: Vec<&'a Node>,
    /// Servers that are down, or not listed.
    down: Vec<&'a Node>,
}

/// Starts k2hdkc, waits for its peers, has chmpx look for them anew, or holds.
pub(super) fn start(scene: &Scene<'_>, draft: &mut Draft, view: &ChmpxState) -> Action {
    let peers = peers(scene, view);
    let start = |why: &dyn Fn(Option<String>) -> Start| starting::start(scene, Program::K2hdkc, why);
    let all = peers.serving + peers.ready.len() + peers.down.len();
    if !scene.limits.wait_for_peers {
        return start(&|last| Start::WaitsForNobody { last });
    }
    if all == 0 {
        return start(&|last| Start::OnlyServer { last });
    }
    // How long it was alone says nothing of those that come then.
    let alone = peers.serving == 0 && peers.ready.is_empty();
    let waited = draft.waited(scene, if alone { Waiting::Anybody } else { Waiting::Peers });
    let down = || names(&peers.down);
    match (peers.serving, peers.down.is_empty()) {
        (0, _) if alone => isolated(scene, &peers, waited),
        (0, all_up) => first(scene, &peers, all_up, waited),
        (_, true) => start(&|last| Start::AllUp { peers: all, last }),
        // A server with a slot belongs to the ring that it sees, whoever of it is down.
        (serving, false) if view.own.status.is_in_service() || waited >= scene.limits.timing.peers_within => {
            start(&|last| Start::SomeServe { serving, down: down(), last })
        }
        (_, false) => scene.wait(Start::WaitsForPeers(down())),
    }
}

fn isolated(scene: &Scene<'_>, peers: &Peers<'_>, waited: Duration) -> Action {
    let reason = Start::Isolated { down: peers.down.len(), names: names(&peers.down) };
    if waited < scene.limits.timing.peers_within { scene.wait(reason) } else { scene.hold(reason) }
}

/// No ring is in sight. The first of those that are up begins it, and the others join it then; but only with a majority.
fn first(scene: &Scene<'_>, peers: &Peers<'_>, all_up: bool, waited: Duration) -> Action {
    let (up, all) = (peers.ready.len() + 1, peers.ready.len() + peers.down.len() + 1);
    let (waits, is_few) = (!all_up && waited < scene.limits.timing.peers_within, 2 * up <= all);
    // Servers that came together and were not let in see each other, and then look for nobody else. Two halves of a ring would
    // wait for each other for ever.
    let patience = LOOKS_AGAIN.saturating_mul(1 << scene.history.joining.reconnects.min(16));
    if (waits || is_few) && waited >= patience {
        return reconnect(scene, Start::LooksAnew(names(&peers.down)));
    }
    if waits {
        return scene.wait(Start::WaitsForPeers(names(&peers.down)));
    }
    if is_few {
        // Those that are down to it may serve without it; only a majority has no second ring beside it.
        return scene.hold(Start::Minority { up, all, names: names(&peers.down) });
    }
    if scene.ring_change.is_some() {
        // It comes out of service: the agents make the ring, and only of all that have one.
        let peers = peers.ready.len();
        return starting::start(scene, Program::K2hdkc, |last| Start::AllUp { peers, last });
    }
    let own = scene.own();
    let before = peers.ready.iter().filter(|node| own.is_some_and(|own| **node < own)).count();
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    // Should the first one not come into service, the next one begins.
    if before == 0 || waited >= scene.limits.timing.peers_within.saturating_mul(before + 1) {
        return starting::start(scene, Program::K2hdkc, |last| Start::BeginsTheRing { last });
    }
    scene.wait(Start::WaitsForTheFirst(peers.ready[0].label()))
}

/// Restarts chmpx: one that sees another server looks for no further one.
fn reconnect(scene: &Scene<'_>, reason: Start) -> Action {
    resolving::wait(scene, &reason).unwrap_or_else(|| {
        let (class, urgency) = (Class::RestartChmpx, Urgency::Stuck);
        Action::Demand(Demand { class, urgency, reason: reason.into(), repair: false })
    })
}

fn peers<'a>(scene: &Scene<'a>, view: &ChmpxState) -> Peers<'a> {
    let mut peers = Peers::default();
    for node in scene.peers() {
        match view.status_of(node) {
            Some(status) if status.serves() => peers.serving += 1,
            Some(status) if status.is_up() => peers.ready.push(node),
            _ => peers.down.push(node),
        }
    }
    peers
}

fn names(nodes: &[&Node]) -> String {
    const SHOWN: usize = 4;
    let shown = nodes.iter().take(SHOWN).map(|node| node.label()).collect::<Vec<_>>().join(", ");
    if nodes.len() > SHOWN { format!("{shown} and {} more", nodes.len() - SHOWN) } else { shown }
}
