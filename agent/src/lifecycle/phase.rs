//! Names the phase that the two programs are in. Pure, and total: no phase at all means that they run what the file says.

use super::list::ListDifference;
use super::peers::{self, LeftBehind};
use super::scene::Scene;
use crate::chmpx_state::{ChmpxState, NodeStatus, Operation};
use crate::ring::Mode;
use crate::ring_change::Progress;
use crate::supervisor::{ForeignWriter, OutOfSync, Program, Running};

/// A state of the two programs that asks for something, or may ask for it. Several can hold at once; see [`phases`].
#[derive(Debug)]
pub(super) enum Phase<'a> {
    /// The programs cannot be seen: a daemon is away, or a container is frozen.
    Unobservable(&'a str),
    /// The change of the ring keeps the programs from answering: chmpx of a slave is stopped, or a server is cut off.
    Parked(&'a Progress),
    /// Another program writes the same file.
    ForeignWriter(&'a ForeignWriter),
    /// The programs have a file of their own, and it is not the installed one.
    FileOutOfSync(&'a OutOfSync),
    /// Several processes of one program run with the same ini; they destroy each other's shared memory.
    Duplicate(Program),
    /// No other host of the ring answers this one.
    Isolated,
    /// A program has ended, or chmpx does not run, with a file that the agent installed.
    FileOnTrial,
    /// k2hdkc runs, and is older than its chmpx.
    Unpaired(Running),
    /// k2hdkc runs.
    Paired(Running),
    /// chmpx runs without k2hdkc.
    Unaccompanied(Running),
    /// The program does not start at the next boot.
    NotEnabled(Program),
    /// chmpx does not run.
    Down,
    /// chmpx has not answered yet, does not answer, or answers what is not understood.
    Silent(Running),
    /// chmpx has not said since the file was replaced that it has loaded it.
    Stale,
    /// chmpx runs on a server, and k2hdkc does not.
    NoK2hdkc(Running),
    /// A server went down in the middle of a change.
    LeftBehind(LeftBehind<'a>),
    /// A server that is up is in a change.
    PeerInChange(&'a ChmpxState),
    /// Hosts of servers acknowledge nothing.
    PeerDead(&'a ChmpxState),
    /// The agents change the ring.
    RingChange(&'a Progress),
    /// Slave: chmpx lists the node itself as down.
    SlaveDown(NodeStatus),
    /// Slave: no server that serves is connected.
    SlaveAlone(usize),
    /// Slave: a server that serves has turned it away.
    TurnedAway(&'a ChmpxState),
    /// Server: both programs run, and it is not in service.
    Own(Own, &'a ChmpxState),
    /// The server serves, or the slave is up.
    Serving(&'a ChmpxState),
    /// chmpx lists other servers than the file.
    ListDiffers(ListDifference<'a>),
    /// Killed chmpx processes have left files.
    Leftovers(usize),
}

/// The place of a server that runs both programs and is not in service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// k2hdkc has not joined its chmpx.
    Unjoined,
    /// AUTOMERGE is off: nothing merges by itself.
    ByHand,
    /// The copy of a merge runs.
    Merging,
    /// The server waits for its merge.
    Queued,
    /// The copy has ended, and the ring does not use it yet.
    Done,
    /// The server has joined, and is out of service.
    Out,
}

/// Recognises one phase, or one of a few that exclude each other.
type Recognise = for<'a> fn(&Scene<'a>) -> Option<Phase<'a>>;

/// The order of the table.
const ORDER: [Recognise; 22] = [
    |scene| scene.observed.unobservable.as_deref().map(Phase::Unobservable),
    |scene| scene.parked().map(Phase::Parked),
    |scene| scene.observed.file.foreign_writer.as_ref().map(Phase::ForeignWriter),
    |scene| scene.observed.file.out_of_sync.as_ref().map(Phase::FileOutOfSync),
    |scene| scene.observed.duplicates.first().map(|(program, _)| Phase::Duplicate(*program)),
    |scene| scene.observed.peers.dead.isolated.map(|_| Phase::Isolated),
    on_trial,
    pair,
    unaccompanied,
    |scene| scene.persisted.disabled.first().copied().map(Phase::NotEnabled),
    |scene| scene.observed.chmpx.is_none().then_some(Phase::Down),
    silent,
    stale,
    |scene| unaccompanied(scene).filter(|_| scene.is_server()).and(scene.observed.chmpx).map(Phase::NoK2hdkc),
    |scene| by_chmpx(scene).and_then(peers::left_behind).map(Phase::LeftBehind),
    |scene| by_chmpx(scene)?.server_view().map(Phase::PeerInChange),
    |scene| scene.view().filter(|_| !scene.observed.peers.dead.lost.is_empty()).map(Phase::PeerDead),
    |scene| scene.change().map(Phase::RingChange),
    |scene| if scene.mode() == Mode::Slave { slave(scene) } else { server(scene) },
    |scene| scene.view().filter(|view| serves(scene, view)).map(Phase::Serving),
    |scene| {
        let view = scene.view().filter(|_| scene.observed.file.out_of_sync.is_none())?;
        scene.list_differs(view).map(Phase::ListDiffers)
    },
    |scene| {
        let leftovers = scene.observed.leftovers;
        (leftovers > 0 && scene.observed.control.report.is_some()).then_some(Phase::Leftovers(leftovers))
    },
];

/// Yields the phases that hold, in the order of the table.
pub(super) fn phases<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Phase<'a>> {
    ORDER.iter().filter_map(|recognise| recognise(scene))
}

/// Returns the scene where chmpx runs the merges by itself.
fn by_chmpx<'s, 'a>(scene: &'s Scene<'a>) -> Option<&'s Scene<'a>> {
    Some(scene).filter(|scene| scene.ring_change.is_none())
}

fn on_trial<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let gone = scene.observed.chmpx.is_none() || !scene.observed.events.exits.is_empty();
    (scene.file.age.is_some() && gone).then_some(Phase::FileOnTrial)
}

fn pair<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let k2hdkc = scene.observed.k2hdkc.filter(|_| scene.is_server())?;
    let outlived = scene.limits.restart_k2hdkc_with_chmpx && scene.outlived(k2hdkc);
    Some(if outlived { Phase::Unpaired(k2hdkc) } else { Phase::Paired(k2hdkc) })
}

fn unaccompanied<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let with_k2hdkc = scene.is_server() && scene.observed.k2hdkc.is_some();
    scene.observed.chmpx.filter(|_| !with_k2hdkc).map(Phase::Unaccompanied)
}

fn silent<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let observed = scene.observed;
    let silent = observed.control.report.is_none()
        || observed.control.silent.is_some()
        || observed.control.not_understood.is_some();
    observed.chmpx.filter(|_| silent).map(Phase::Silent)
}

/// chmpx that has another file may well have loaded that one.
fn stale<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let said = scene.observed.control.report.as_ref();
    let said = said.filter(|_| scene.observed.file.out_of_sync.is_none())?;
    let early = scene.history.current_report(scene).is_none();
    (early || said.view.fileversion != Some(scene.file.fileversion)).then_some(Phase::Stale)
}

fn slave<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let view = scene.view()?;
    if !view.own.status.is_up() {
        return Some(Phase::SlaveDown(view.own.status));
    }
    if !view.servers.iter().any(|row| row.status.is_in_service() && row.status.is_up()) {
        return Some(Phase::SlaveAlone(view.servers.len()));
    }
    view.turned_away().next().map(|_| Phase::TurnedAway(view))
}

fn server<'a>(scene: &Scene<'a>) -> Option<Phase<'a>> {
    let both = scene.observed.chmpx.is_some() && scene.observed.k2hdkc.is_some();
    let view = scene.view().filter(|_| both)?;
    let status = view.own.status;
    let own = match status.operation() {
        _ if status.is_healthy() => return None,
        _ if status.is_suspended() => Own::Unjoined,
        _ if !view.merges_by_itself() => Own::ByHand,
        Operation::Doing => Own::Merging,
        Operation::Done => Own::Done,
        Operation::Pending => Own::Queued,
        Operation::Nothing => Own::Out,
    };
    Some(Phase::Own(own, view))
}

fn serves(scene: &Scene<'_>, view: &ChmpxState) -> bool {
    match scene.mode() {
        Mode::Slave => view.own.status.is_up(),
        Mode::Server => {
            let both = scene.observed.chmpx.is_some() && scene.observed.k2hdkc.is_some();
            both && view.own.status.is_healthy()
        }
    }
}
