//! Dead peers: hosts at the other ends of chmpx's connections that acknowledge nothing any more.
//!
//! A VM that vanishes sends neither FIN nor RST. chmpx waits for it, and with chmpx every program of this node, also for keys of
//! living servers, until the kernel gives up. The kernel itself counts what a host has not acknowledged, so no guess is needed:
//! a program that hangs on a living host is acknowledged for by its kernel, and is left alone.
//!
//! [`decide`] is pure. The evidence against a host:
//!
//! 1. a connection of chmpx to it has data that waits for an acknowledgement,
//! 2. three or more retransmissions or probes in a row have no answer,
//! 3. no connection to it has brought an acknowledgement or data for `dead-after`, and the first unanswered one is as old.
//!
//! Retransmissions and probes count from the last acknowledgement. The kernel's backoff would not do: a frozen program on a living
//! host closes its window, and the probes of it back off although each is answered.
//!
//! Before a cut, the other hosts of the ring are asked whether one of them answers, for it may be this host that has vanished:
//!
//! | evidence against | another host answers | what follows |
//! |---|---|---|
//! | none | - | nothing |
//! | some host | yes, or this ring has no third host | its connections are destroyed, once each |
//! | some host | the host itself | nothing: it lives, and its kernel goes on |
//! | some host | no | this host is isolated: nothing is cut, and a server ends its own pair ([`crate::lifecycle`]) |
//! | isolated before, some host | yes | its connections are destroyed: their queues hold old writes |
//!
//! chmpx connects again and again to a server that its list has as up, and takes nothing else until the connect fails. While a host that
//! was cut is not heard, each connection to it that two looks see without an answer is destroyed as well.
//!
//! Pure; [`crate::peer_watch`] looks and cuts.

pub mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

pub use words::{Finding, Trouble};

/// Retransmissions or probes without an answer that are evidence: the third comes 1.4 s after the data.
const UNANSWERED: u8 = 3;

/// Share of `dead-after` after which the other hosts are asked, so that their answers are there in time.
const ASK_AT: f64 = 0.4;

/// A connection of chmpx, by its two ends.
pub type Ends = (SocketAddr, SocketAddr);

/// A connection of chmpx as the kernel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Own end, and the other one.
    pub ends: Ends,
    /// True once the other host has accepted it.
    pub established: bool,
    /// Retransmissions or probes since the last acknowledgement; 0 while none is due.
    pub unanswered: u8,
    /// Time since the last acknowledgement or data of the other host.
    pub quiet: Duration,
}

/// Answers of the other hosts of the ring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Number of hosts besides this one in the ring.
    pub hosts: usize,
    /// The latest answer of each.
    pub latest: BTreeMap<IpAddr, Instant>,
    /// The begin of the latest round of questions that nobody answered in time.
    pub in_vain: Option<Instant>,
}

/// The sight of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Connections of chmpx.
    pub connections: Vec<Connection>,
    /// Answers of the other hosts.
    pub answers: Answers,
}

/// Limits of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time without any acknowledgement.
    pub dead_after: Duration,
    /// True where connections may be destroyed.
    pub cut: bool,
}

/// Memory from look to look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Hosts with something unanswered, and since when.
    waiting: BTreeMap<IpAddr, Instant>,
    /// Connections that were destroyed.
    destroyed: BTreeSet<Ends>,
    /// Connections to lost hosts that no host has accepted yet.
    opening: BTreeSet<Ends>,
    /// See [`Findings`].
    lost: BTreeMap<IpAddr, Lost>,
    isolated: Option<Instant>,
}

/// Outcome of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// True where the other hosts are to be asked.
    pub ask: bool,
    /// Connections to destroy.
    pub cut: Vec<Ends>,
    /// Findings of the look.
    pub findings: Findings,
}

/// Knowledge of the hosts behind chmpx's connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Hosts that were found dead and have not been heard since.
    pub lost: BTreeMap<IpAddr, Lost>,
    /// The time at which no other host of the ring answered; `None` as soon as one does.
    pub isolated: Option<Instant>,
    /// Obstacles of the watch.
    pub trouble: Option<Trouble>,
}

/// A host that was found dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The first thing that it has not acknowledged.
    pub since: Instant,
    /// True once its connections were destroyed.
    pub cut: bool,
}

impl Connection {
    /// Returns the other host, unless the connection stays on this one.
    fn host(&self) -> Option<IpAddr> {
        let (own, other) = (self.ends.0.ip().to_canonical(), self.ends.1.ip().to_canonical());
        (own != other && !other.is_loopback()).then_some(other)
    }

    /// Returns when the other host was last heard; never before a connection is established.
    fn heard(&self, now: Instant) -> Option<Instant> {
        now.checked_sub(self.quiet).filter(|_| self.established)
    }
}

impl Answers {
    /// Returns true where a host other than these has answered after that time.
    fn any_after(&self, time: Instant, besides: &BTreeSet<IpAddr>) -> bool {
        self.latest.iter().any(|(host, at)| *at > time && !besides.contains(host))
    }

    fn of(&self, host: IpAddr) -> Option<Instant> {
        self.latest.get(&host).copied()
    }
}

/// Decides on one look. Returns the memory for the next one.
pub fn decide(seen: &Seen, history: &History, limits: &Limits, now: Instant) -> (Decision, History) {
    let mut next = history.clone();
    let hosts = by_host(&seen.connections);
    next.waiting = waiting(&hosts, &history.waiting, now);
    let silent = silent(&hosts, &next.waiting, limits, now);
    next.hear(&hosts, &silent, now);
    let returns = next.leave_isolation(seen, &hosts, now);
    let sight = next.sight(seen, &hosts, &silent, now);
    if sight == Sight::Nobody && next.isolated.is_none() {
        next.isolated = Some(now);
    }
    let dead = |host: &IpAddr| match sight {
        Sight::Unknown | Sight::Nobody => false,
        Sight::Somebody => returns || !answers_itself(seen, &next.waiting, *host),
    };
    let dead: BTreeSet<IpAddr> = silent.iter().copied().filter(dead).collect();
    let mut cut = if limits.cut { next.cut(&hosts, &dead) } else { Vec::new() };
    for host in &dead {
        let since = next.waiting.get(host).copied().unwrap_or(now);
        next.lost.entry(*host).or_insert(Lost { since, cut: false }).cut |= limits.cut;
    }
    cut.extend(next.cut_opening(&hosts));
    let soon = limits.dead_after.mul_f64(ASK_AT);
    let ask = next.isolated.is_some() || next.waiting.values().any(|at| now.duration_since(*at) >= soon);
    let findings = Findings { lost: next.lost.clone(), isolated: next.isolated, trouble: None };
    (Decision { ask, cut, findings }, next)
}

/// Connections of each other host.
type Hosts<'a> = BTreeMap<IpAddr, Vec<&'a Connection>>;

fn by_host(connections: &[Connection]) -> Hosts<'_> {
    let mut hosts = Hosts::new();
    for connection in connections {
        if let Some(host) = connection.host() {
            hosts.entry(host).or_default().push(connection);
        }
    }
    hosts
}

/// Returns the hosts with something unanswered: since the first look at it, or since the host was last heard, if that is later.
fn waiting(hosts: &Hosts<'_>, before: &BTreeMap<IpAddr, Instant>, now: Instant) -> BTreeMap<IpAddr, Instant> {
    let unanswered = |connection: &&&Connection| connection.established && connection.unanswered > 0;
    let waits = hosts.iter().filter(|(_, all)| all.iter().any(|connection| unanswered(&connection)));
    waits
        .map(|(host, all)| {
            let since = before.get(host).copied().unwrap_or(now);
            let heard = all.iter().filter_map(|connection| connection.heard(now)).max();
            (*host, heard.map_or(since, |heard| heard.max(since)))
        })
        .collect()
}

/// Returns the hosts against which there is evidence.
fn silent(
    hosts: &Hosts<'_>,
    waiting: &BTreeMap<IpAddr, Instant>,
    limits: &Limits,
    now: Instant,
) -> BTreeSet<IpAddr> {
    let established = |host: &IpAddr| hosts.get(host).into_iter().flatten().filter(|c| c.established);
    let is_silent = |host: &IpAddr, since: Instant| {
        now.duration_since(since) >= limits.dead_after
            && established(host).all(|connection| connection.quiet >= limits.dead_after)
            && established(host).any(|connection| connection.unanswered >= UNANSWERED)
    };
    waiting.iter().filter(|(host, since)| is_silent(host, **since)).map(|(host, _)| *host).collect()
}

/// Sight of this host by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// One does, or the ring has no third host that could.
    Somebody,
    /// None of those that were asked.
    Nobody,
    /// The answers are on their way, or nothing was asked.
    Unknown,
}

/// Returns true where the host itself has answered a question since it was silent.
fn answers_itself(seen: &Seen, waiting: &BTreeMap<IpAddr, Instant>, host: IpAddr) -> bool {
    let since = waiting.get(&host).copied();
    seen.answers.of(host).zip(since).is_some_and(|(answered, since)| answered > since)
}

impl History {
    /// Forgets the hosts that are heard again.
    fn hear(&mut self, hosts: &Hosts<'_>, silent: &BTreeSet<IpAddr>, now: Instant) {
        let heard = |host: &IpAddr| hosts.get(host).into_iter().flatten().filter_map(|c| c.heard(now)).max();
        self.lost.retain(|host, lost| silent.contains(host) || heard(host).is_none_or(|at| at <= lost.since));
        let there: BTreeSet<Ends> = hosts.values().flatten().map(|connection| connection.ends).collect();
        self.destroyed.retain(|ends| there.contains(ends));
    }

    /// Ends the isolation once another host is heard. Returns true in the look in which it ends.
    fn leave_isolation(&mut self, seen: &Seen, hosts: &Hosts<'_>, now: Instant) -> bool {
        let Some(since) = self.isolated else { return false };
        let answered = seen.answers.any_after(since, &BTreeSet::new());
        let heard =
            hosts.values().flatten().filter_map(|connection| connection.heard(now)).any(|at| at > since);
        if answered || heard {
            self.isolated = None;
        }
        self.isolated.is_none()
    }

    fn sight(&self, seen: &Seen, hosts: &Hosts<'_>, silent: &BTreeSet<IpAddr>, now: Instant) -> Sight {
        let Some(since) = silent.iter().filter_map(|host| self.waiting.get(host)).min().copied() else {
            return Sight::Unknown;
        };
        let others = hosts.iter().filter(|(host, _)| !silent.contains(host)).flat_map(|(_, all)| all);
        let heard = others.filter_map(|connection| connection.heard(now)).any(|at| at > since);
        if heard
            || seen.answers.hosts.max(hosts.len()) <= 1
            || seen.answers.any_after(since, &BTreeSet::new())
        {
            return Sight::Somebody;
        }
        if seen.answers.in_vain.is_some_and(|begun| begun > since) { Sight::Nobody } else { Sight::Unknown }
    }

    /// Returns the connections to these hosts that were not destroyed before.
    fn cut(&mut self, hosts: &Hosts<'_>, dead: &BTreeSet<IpAddr>) -> Vec<Ends> {
        let all = dead.iter().filter_map(|host| hosts.get(host)).flatten();
        all.map(|connection| connection.ends).filter(|ends| self.destroyed.insert(*ends)).collect()
    }

    /// Returns the connections to lost hosts that two looks have seen without an answer. chmpx waits 2 to 3 s for each, and takes
    /// nothing else meanwhile; a host that is back accepts one between two looks.
    fn cut_opening(&mut self, hosts: &Hosts<'_>) -> Vec<Ends> {
        let lost = self.lost.iter().filter(|(_, lost)| lost.cut).filter_map(|(host, _)| hosts.get(host));
        let opening = lost.flatten().filter(|connection| !connection.established);
        let opening: BTreeSet<Ends> = opening.map(|connection| connection.ends).collect();
        let before = std::mem::replace(&mut self.opening, opening);
        let seen_twice: Vec<_> = self.opening.intersection(&before).copied().collect();
        seen_twice.into_iter().filter(|ends| self.destroyed.insert(*ends)).collect()
    }
}

impl Findings {
    /// Returns the findings as reasons, with the hosts in order.
    pub fn reasons(&self) -> Vec<Finding> {
        let reason = |host, lost: &Lost| if lost.cut { Finding::Cut(host) } else { Finding::Silent(host) };
        let lost = self.lost.iter().map(|(host, lost)| reason(*host, lost));
        let isolated = self.isolated.map(|_| Finding::Isolated);
        isolated.into_iter().chain(lost).chain(self.trouble.clone().map(Finding::Trouble)).collect()
    }
}
