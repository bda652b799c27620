//! The agent of one node: the ring change's decisions and memory, and what survives it on the node's disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k2hdkc_agent::chmpx_state::NodeStatus;
use k2hdkc_agent::ring_change::{
    Answer, Automerge, Command, Entry, History, Inputs, List, Local, Mark, Node as Kind, Process, Round,
    ServerId, Wish,
};
use k2hdkc_agent::supervisor::Program;
use k2hdkc_simulators::model::ring::{self, Micros, Node, Nodes, Ring};
use tokio::time::Instant;

use crate::watch::Watch;

/// A watchdog: a process of its own, which ends the stop of a program at its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watchdog {
    /// Number.
    pub(crate) number: u64,
    /// The program that it watches over.
    pub(crate) program: Program,
}

/// An agent.
#[derive(Debug)]
pub(crate) struct Agent {
    /// Node.
    pub(crate) node: Node,
    /// Counts its starts; even while it does not run.
    pub(crate) life: u32,
    /// The time until which it stands still.
    pub(crate) sleeps_until: Micros,
    /// It has let its chmpx go on then.
    pub(crate) thawed_at: Micros,
    /// It cannot have seen a change that began before.
    pub(crate) blind_until: Micros,
    /// Its memory.
    pub(crate) history: History,
    /// The answers to its latest question.
    pub(crate) round: Option<Round>,
    /// What it has gathered, and decides on next.
    pub(crate) gathered: Option<Inputs>,
    /// Servers by K2HR3, as it has learned them.
    pub(crate) members: Nodes,
    /// The time of its next question to K2HR3.
    pub(crate) polls_at: Micros,
    /// The times since when its programs are there, or gone.
    pub(crate) pair: Pair,
    /// True while the file has AUTOMERGE on, since another server insists on it.
    pub(crate) defers: bool,
    /// True while the ring change keeps files from being written.
    pub(crate) holds_file: bool,
    /// What its disk keeps.
    pub(crate) disk: Disk,
    /// Its watchdog.
    pub(crate) watchdog: Option<Watchdog>,
    /// Watch over other hosts.
    pub(crate) watch: Watch,
}

/// What outlives an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    /// Records whether this server is to leave.
    pub(crate) leaves: bool,
    /// Records whether this node runs its programs.
    pub(crate) runs: bool,
    /// The mark of a freeze.
    pub(crate) mark: Mark,
}

/// The times of the own programs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pair {
    /// chmpx is gone since then.
    pub(crate) chmpx_gone: Option<Micros>,
    /// chmpx runs without k2hdkc since then.
    pub k2hdkc_gone: Option<Micros>,
    /// This server is out of the ring, as it wanted, since then.
    pub(crate) out_since: Option<Micros>,
}

impl Agent {
    /// Makes the agent of a node that does not run yet.
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            life: 0,
            sleeps_until: 0,
            thawed_at: 0,
            blind_until: 0,
            history: History::default(),
            round: None,
            gathered: None,
            members: Nodes::default(),
            polls_at: 0,
            pair: Pair::default(),
            defers: false,
            holds_file: false,
            disk: Disk { leaves: false, runs: false, mark: Mark::Absent },
            watchdog: None,
            watch: Watch::default(),
        }
    }

    /// Checks whether it runs.
    pub(crate) fn runs(&self) -> bool {
        !self.life.is_multiple_of(2)
    }

    /// Starts it, without any memory.
    pub(crate) fn start(&mut self) {
        self.life += 1;
        self.history = History::default();
        (self.round, self.gathered) = (None, None);
        self.pair = Pair::default();
        self.watch = Watch::default();
        self.polls_at = 0;
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.life += 1;
    }
}

/// The names of servers, made once.
#[derive(Debug)]
pub(crate) struct Names(Vec<ServerId>);

impl Names {
    /// Makes the names of so many servers.
    pub(crate) fn of(servers: usize) -> Self {
        Self((0..servers).map(|node| ServerId::new(&format!("node{node:02}"))).collect())
    }

    /// Returns the name of a server.
    pub(crate) fn name(&self, node: Node) -> ServerId {
        self.0[node].clone()
    }

    /// Returns the server of a name.
    pub(crate) fn node(&self, id: &ServerId) -> Node {
        self.0.iter().position(|name| name == id).unwrap_or(usize::MAX)
    }

    /// Returns the names of some servers.
    pub(crate) fn names(&self, nodes: Nodes) -> BTreeSet<ServerId> {
        nodes.iter().map(|node| self.name(node)).collect()
    }

    /// Turns the list of a chmpx into what its control port tells.
    pub(crate) fn list(&self, list: &ring::List) -> List {
        let base = list.base();
        let entry = |node, status: u64| Entry {
            status: NodeStatus::from_bits(u32::try_from(status).unwrap_or(0)),
            slot: base.slot(node),
        };
        list.iter().map(|(node, status)| (self.name(node), entry(node, status.bits()))).collect()
    }

    /// Turns a command into one of the model.
    pub(crate) fn command(&self, command: &Command) -> ring::Command {
        match command {
            Command::ServiceIn => ring::Command::ServiceIn,
            Command::ServiceOut(id) => ring::Command::ServiceOut(self.node(id)),
            Command::UpdateStatus => ring::Command::UpdateStatus,
            Command::Merge => ring::Command::Merge,
            Command::CompMerge => ring::Command::CompleteMerge,
            Command::AbortMerge => ring::Command::AbortMerge,
        }
    }

    /// Asks servers for their lists, each twice where it does not answer.
    pub(crate) fn ask(
        &self,
        ring: &mut Ring,
        from: Node,
        who: &[ServerId],
        dump: bool,
        (at, insists): (Instant, Nodes),
    ) -> Round {
        let mut answers = BTreeMap::new();
        for id in who {
            let node = self.node(id);
            let list = ring.look(from, node).or_else(|| ring.look(from, node));
            let automerge = ring.chmpx(node).filter(|_| dump).map(|chmpx| match chmpx.ini.automerge {
                true if insists.has(node) => Automerge::On,
                true => Automerge::Deferred,
                false => Automerge::Off,
            });
            answers.insert(id.clone(), list.map(|list| Answer { list: self.list(&list), automerge }));
        }
        Round { at, answers }
    }
}

/// The moment of a virtual time.
pub(crate) fn moment(base: Instant, now: Micros) -> Instant {
    base + Duration::from_micros(now)
}

/// Gathers the inputs of one look.
pub(crate) fn gather(agent: &mut Agent, names: &Names, ring: &mut Ring, now: Instant, random: f64) -> Inputs {
    let (node, frozen) = (agent.node, ring.is_frozen(agent.node));
    let is_server = ring.is_server(node);
    let list = ring.look(node, node).or_else(|| ring.look(node, node)).map(|list| names.list(&list));
    Inputs {
        now,
        random,
        node: if is_server { Kind::Server(names.name(node)) } else { Kind::Slave(node as u64) },
        members: names.names(agent.members),
        replicas: u32::try_from(ring.ini(node).replicas).unwrap_or(0),
        automerge: ring.ini(node).automerge,
        slaves: u32::try_from(ring.ini(node).slaves.count()).unwrap_or(0),
        wish: Wish { leave: agent.disk.leaves, ..Wish::default() },
        list,
        round: agent.round.take(),
        local: Local {
            k2hdkc: process(ring.k2hdkc(node).map(|k2hdkc| k2hdkc.stopped)),
            chmpx: process(ring.chmpx(node).map(|_| frozen)),
            queues_empty: agent.history.waits_for_queues(now) && ring.is_idle(node),
            progress: ring.progress(node),
            mark: agent.disk.mark,
        },
    }
}

fn process(stopped: Option<bool>) -> Process {
    match stopped {
        None => Process::Absent,
        Some(false) => Process::Running,
        Some(true) => Process::Stopped,
    }
}
