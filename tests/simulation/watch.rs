//! The watch over the hosts at the other ends of chmpx's connections: the product's decisions ([`k2hdkc_agent::peers`]) over the
//! model's connections, with stand-ins for the kernel, the questions to other hosts, and the agents' own connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use k2hdkc_agent::peers::{Answers, Connection, Ends, Findings, History, Limits, Seen, decide};
use k2hdkc_simulators::model::ring::{Micros, Node, Nodes, Wire};

use crate::agent::moment;
use crate::plan::SECOND;
use crate::world::{Wake, World};

/// Pause between two looks in a calm ring, and while something is unanswered.
const LOOK: Micros = SECOND / 2;
const LOOK_SOON: Micros = SECOND / 5;
/// A host answers a question within this time, or not at all.
const WITHIN: Micros = 1_200_000;
/// Hosts that are asked at a time.
const MOST_ASKED: usize = 8;
/// Pause between two attempts at a connection of the agent's own.
const AGAIN: Micros = 5 * SECOND;
/// The kernel gives up such a connection after so many probes, one a second.
const PROBES: Micros = 30 * SECOND;

/// The watch of an agent.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    history: History,
    /// Findings of the latest look.
    pub(crate) findings: Findings,
    /// The agent's own connections, by the server, and the time of the latest attempt.
    sentinels: BTreeMap<Node, Sentinel>,
    answers: Answers,
    /// Begin of the round of questions that is under way.
    asking: Option<Micros>,
}

/// A connection of an agent to the control port of a server.
#[derive(Debug, Clone, Copy, Default)]
struct Sentinel {
    tried: Option<Micros>,
    /// The life of the chmpx that took it in, and the latest sign of life of its host.
    held: Option<(u32, Micros)>,
}

fn address(node: Node, port: u16) -> SocketAddr {
    let host = u8::try_from(node + 1).unwrap_or(u8::MAX);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port)
}

fn ends(node: Node, peer: Node, number: u32) -> Ends {
    let port = u16::try_from(1024 + number % 30_000).unwrap_or(u16::MAX);
    (address(node, port), address(peer, 8020))
}

fn connection(ends: Ends, unanswered: u8, quiet: Micros) -> Connection {
    Connection { ends, established: true, unanswered, quiet: Duration::from_micros(quiet) }
}

impl World {
    /// A look of the watch.
    pub(crate) fn watch(&mut self, node: Node, life: u32) {
        let now = self.now();
        if self.agents[node].life != life {
            return;
        }
        if self.agents[node].sleeps_until > now {
            return self.wake(self.agents[node].sleeps_until, Wake::Watch(node, life));
        }
        let wires: Vec<Wire> = self.ring.wires(node).collect();
        let connections = self.connections(node, &wires);
        self.hear_answers(node);
        let watch = &self.agents[node].watch;
        let seen = Seen { connections, answers: watch.answers.clone() };
        let limits = Limits { dead_after: Duration::from_secs(3), cut: true };
        let (decision, history) = decide(&seen, &watch.history, &limits, moment(self.base, now));
        let is_calm = history == History::default();
        let watch = &mut self.agents[node].watch;
        (watch.history, watch.findings) = (history, decision.findings);
        if decision.ask {
            watch.asking.get_or_insert(now);
        }
        for wire in wires.iter().filter(|wire| decision.cut.contains(&ends(node, wire.peer, wire.number))) {
            self.note(|| format!("{node}: cuts its connection to {}", wire.peer));
            self.ring.cut(node, wire.peer);
        }
        self.end_isolated(node);
        let pause = if is_calm { LOOK } else { LOOK_SOON };
        let next = now + pause + self.rng.u64(0..20_000);
        self.wake(next, Wake::Watch(node, life));
    }

    /// The process half: a server that no other host answers ends its pair at once, and keeps it down until one answers.
    fn end_isolated(&mut self, node: Node) {
        let runs = self.ring.chmpx(node).is_some() || self.ring.k2hdkc(node).is_some();
        if self.is_kept_down(node) && runs {
            self.note(|| format!("{node}: is isolated, and ends its pair"));
            self.end_pair(node, self.agents[node].disk.mark);
        }
    }

    /// Checks whether a server's pair is kept down.
    pub(crate) fn is_kept_down(&self, node: Node) -> bool {
        self.ring.is_server(node) && self.agents[node].watch.findings.isolated.is_some()
    }

    /// The other hosts of the ini, servers first.
    fn other_hosts(&self, node: Node) -> Vec<Node> {
        let ini = self.ring.ini(node);
        ini.servers.iter().chain(ini.slaves.iter()).filter(|other| *other != node).collect()
    }

    /// The connections of chmpx and of the agent where something is unanswered or was; none in a calm ring, and none without chmpx.
    fn connections(&mut self, node: Node, wires: &[Wire]) -> Vec<Connection> {
        let own = self.keep_sentinels(node);
        if self.ring.chmpx(node).is_none() {
            return Vec::new();
        }
        let wires = wires
            .iter()
            .map(|wire| connection(ends(node, wire.peer, wire.number), wire.unanswered, wire.quiet));
        let all: Vec<_> = wires.chain(own).collect();
        let is_calm = self.agents[node].watch.history == History::default();
        if is_calm && all.iter().all(|connection| connection.unanswered == 0) { Vec::new() } else { all }
    }

    /// Keeps a connection to each other server, which the kernel probes every second.
    fn keep_sentinels(&mut self, node: Node) -> Vec<Connection> {
        let (now, others) = (self.now(), self.ring.ini(node).servers.without(node));
        let mut connections = Vec::new();
        for peer in others.iter() {
            let (reaches, life) = (self.ring.reaches(node, peer), self.ring.life(peer));
            let sentinel = self.agents[node].watch.sentinels.entry(peer).or_default();
            sentinel.held = sentinel.held.filter(|(of, heard)| {
                let open = !reaches || life == Some(*of);
                open && *heard + PROBES > now
            });
            if let Some((_, heard)) = sentinel.held.as_mut().filter(|_| reaches) {
                *heard = now;
            }
            let due = sentinel.tried.is_none_or(|tried| tried + AGAIN <= now);
            if sentinel.held.is_none() && due {
                sentinel.tried = Some(now);
                sentinel.held = life.filter(|_| reaches).map(|life| (life, now));
            }
            if let Some((of, heard)) = sentinel.held {
                let quiet = now - heard;
                let unanswered = u8::try_from(quiet / SECOND).unwrap_or(u8::MAX);
                let own_ends =
                    (address(node, 40_000 + u16::try_from(of % 20_000).unwrap_or(0)), address(peer, 8021));
                connections.push(connection(own_ends, unanswered, quiet));
            }
        }
        self.agents[node].watch.sentinels.retain(|peer, _| others.has(*peer));
        connections
    }

    /// Takes the answers of the other hosts; a round ends with the last one, or in vain.
    fn hear_answers(&mut self, node: Node) {
        let (now, hosts) = (self.now(), self.other_hosts(node));
        let there: Nodes =
            hosts.iter().copied().take(MOST_ASKED).filter(|peer| self.ring.reaches(node, *peer)).collect();
        let asked = hosts.len().min(MOST_ASKED);
        let (at, base) = (moment(self.base, now), self.base);
        let watch = &mut self.agents[node].watch;
        watch.answers.hosts = hosts.len();
        let Some(begun) = watch.asking else { return };
        if there.is_empty() && begun + WITHIN > now {
            return;
        }
        watch.answers.latest.extend(there.iter().map(|peer| (address(peer, 0).ip(), at)));
        if there.is_empty() && asked > 0 {
            watch.answers.in_vain = Some(moment(base, begun));
        }
        if there.count() == asked || begun + WITHIN <= now {
            watch.asking = None;
        }
    }
}
