//! The course of one run, made of a seed: the nodes, the operations and the faults. A shorter course is one with less of them.

use std::fmt;

use k2hdkc_simulators::model::ring::{Micros, Node};

/// A second of virtual time.
pub(crate) const SECOND: Micros = 1_000_000;
/// A server goes over to AUTOMERGE at this time.
const GOES_OVER: Micros = 25 * SECOND;
/// A server that is gone for good has been taken out within this time.
const BURIAL: Micros = 90 * SECOND;

/// A course.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its seed.
    pub(crate) seed: u64,
    /// Servers that occur.
    pub(crate) servers: usize,
    /// Servers of the first start.
    pub(crate) starts: usize,
    /// Slaves, with programs on each.
    pub(crate) slaves: usize,
    /// REPLICA of the template.
    pub(crate) replicas: usize,
    /// Keys.
    pub(crate) keys: usize,
    /// Records whether slaves stop for a change.
    pub(crate) freezes: bool,
    /// Records whether programs remove keys, too.
    pub(crate) deletes: bool,
    /// Operations and faults, in the order of their times.
    pub(crate) steps: Vec<Step>,
}

/// An operation or a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The time.
    pub(crate) at: Micros,
    /// The deed.
    pub(crate) deed: Deed,
}

/// A deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// K2HR3 gets a new server, whose VM starts.
    Join(Node),
    /// The operator has a server leave.
    Leave(Node),
    /// Programs of a node are killed.
    Kill(Node, Programs),
    /// The agent of a node is killed, and starts after that time.
    KillAgent(Node, Micros),
    /// The agent of a node stands still for that time.
    Sleep(Node, Micros),
    /// The host of a node is out of reach for that time.
    Vanish(Node, Micros),
    /// The host of a node is gone for good; K2HR3 drops it after that time.
    Destroy(Node, Micros),
    /// Control ports often do not answer for that time.
    Silence(Micros),
    /// Messages are often slow for that time.
    Load(Micros),
    /// K2HR3 answers without that server for that time.
    Sick(Node, Micros),
    /// A server goes over to AUTOMERGE: nobody runs its merges but its chmpx.
    GoOver(Node),
}

/// Programs of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Programs {
    /// chmpx.
    Chmpx,
    /// k2hdkc.
    K2hdkc,
    /// Both.
    Pair,
}

impl Plan {
    /// Makes the course of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        // The wider kinds have a chance of their own: the rest of a plan stays as its seed says.
        let mut kinds = fastrand::Rng::with_seed(seed ^ 0x6b69_6e64);
        let (is_large, is_mixed) = (kinds.u8(0..40) == 0, kinds.u8(0..20) == 0);
        let (starts, more) = (rng.usize(1..=4), rng.usize(0..=3));
        let (starts, servers) = if is_large { (10, 11) } else { (starts, starts + more) };
        let slaves = rng.usize(1..=2);
        let replicas = rng.usize(0..=2);
        let mut plan = Self {
            seed,
            servers,
            starts,
            slaves,
            replicas,
            keys: 48,
            freezes: rng.u8(0..8) > 0,
            deletes: kinds.u8(0..4) == 0,
            steps: Vec::new(),
        };
        plan.add_operations(&mut rng);
        if kinds.u8(0..8) == 0 {
            let (node, at) = (kinds.usize(0..starts), kinds.u64(30..60) * SECOND);
            plan.steps.push(Step { at, deed: Deed::Sick(node, kinds.u64(5..40) * SECOND) });
        }
        if is_mixed {
            plan.steps.push(Step { at: GOES_OVER, deed: Deed::GoOver(kinds.usize(0..starts)) });
        }
        plan.steps.sort_by_key(|step| step.at);
        plan
    }

    /// Returns the plan of a ring of ten servers to which an eleventh comes.
    pub(crate) fn eleventh_joins() -> Self {
        let steps = vec![Step { at: 30 * SECOND, deed: Deed::Join(10) }];
        let (servers, starts, slaves, replicas, keys) = (11, 10, 2, 1, 240);
        Self { seed: 10, servers, starts, slaves, replicas, keys, freezes: true, deletes: false, steps }
    }

    /// Checks whether one server goes over to AUTOMERGE.
    pub(crate) fn is_mixed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.deed, Deed::GoOver(_)))
    }

    /// Returns the nodes that are slaves.
    pub(crate) fn slave_nodes(&self) -> std::ops::Range<Node> {
        self.servers..self.servers + self.slaves
    }

    fn add_operations(&mut self, rng: &mut fastrand::Rng) {
        let (mut at, mut next) = (30 * SECOND, self.starts);
        let mut members: Vec<Node> = (0..self.starts).collect();
        for _ in 0..rng.usize(1..=4) {
            if rng.bool() && next < self.servers {
                self.steps.push(Step { at, deed: Deed::Join(next) });
                members.push(next);
                next += 1;
            } else if members.len() > 1 && rng.u8(0..5) > 0 {
                let leaver = members.swap_remove(rng.usize(0..members.len()));
                self.steps.push(Step { at, deed: Deed::Leave(leaver) });
            } else if self.may_lose_one(members.len()) && self.replicas > 0 && self.steps.is_empty() {
                let gone = members.swap_remove(rng.usize(0..members.len()));
                self.steps.push(Step { at, deed: Deed::Destroy(gone, rng.u64(1..30) * SECOND) });
            }
            let buries =
                self.steps.iter().any(|step| step.at == at && matches!(step.deed, Deed::Destroy(..)));
            let faults = if buries { 0 } else { rng.usize(0..=2) };
            for _ in 0..faults {
                let fault = Step { at: at + rng.u64(0..12 * SECOND), deed: self.fault(&members, rng) };
                self.steps.push(fault);
            }
            // A burial is over before anything else happens.
            at += if buries { BURIAL } else { 0 };
            at += if rng.u8(0..4) == 0 { rng.u64(0..3 * SECOND) } else { rng.u64(15 * SECOND..60 * SECOND) };
        }
    }

    /// Checks whether one more host may be out of reach: one server always stays.
    fn may_lose_one(&self, members: usize) -> bool {
        let lost = |step: &&Step| matches!(step.deed, Deed::Vanish(..) | Deed::Destroy(..));
        members > self.steps.iter().filter(lost).count() + 1
    }

    /// Checks whether a server is gone for good. A merge that is given up beside it changes the number of servers, and hides keys from
    /// every later one (W4): no fault meets it.
    pub(crate) fn buries(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.deed, Deed::Destroy(..)))
    }

    fn fault(&self, members: &[Node], rng: &mut fastrand::Rng) -> Deed {
        let server = members[rng.usize(0..members.len())];
        let node = if rng.u8(0..4) == 0 { rng.usize(self.slave_nodes()) } else { server };
        let time = rng.u64(SECOND / 5..10 * SECOND);
        match rng.u8(0..10) {
            0 => Deed::Kill(node, Programs::Chmpx),
            1 => Deed::Kill(server, Programs::K2hdkc),
            2 | 3 => Deed::Kill(server, Programs::Pair),
            4 | 5 => Deed::KillAgent(node, time * 4),
            6 => Deed::Sleep(node, time),
            7 if self.may_lose_one(members.len()) => Deed::Vanish(server, time * 6),
            8 => Deed::Silence(time * 3),
            _ => Deed::Load(time * 3),
        }
    }

    /// Returns the time at which the last fault is over.
    pub(crate) fn end(&self) -> Micros {
        let end = |step: &Step| step.at + step.deed.lasts();
        self.steps.iter().map(end).max().unwrap_or(20 * SECOND)
    }

    /// Returns the plan without some of its steps.
    pub(crate) fn without(&self, steps: std::ops::Range<usize>) -> Self {
        let mut shorter = self.clone();
        shorter.steps.drain(steps);
        shorter
    }
}

impl Deed {
    fn lasts(self) -> Micros {
        match self {
            Self::Join(_) | Self::Leave(_) | Self::Kill(..) | Self::GoOver(_) => 0,
            Self::KillAgent(_, time)
            | Self::Sick(_, time)
            | Self::Sleep(_, time)
            | Self::Vanish(_, time)
            | Self::Destroy(_, time)
            | Self::Silence(time)
            | Self::Load(time) => time,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, servers, starts, slaves, replicas, keys, freezes, deletes, steps } = self;
        write!(
            f,
            "seed {seed}: {starts} of {servers} servers, {slaves} slaves, REPLICA {replicas}, {keys} keys"
        )?;
        write!(
            f,
            "{}{}",
            if *freezes { "" } else { ", slaves never stop" },
            if *deletes { ", removals" } else { "" }
        )?;
        steps.iter().try_for_each(|step| write!(f, "\n  {:>8.3} s  {:?}", seconds(step.at), step.deed))
    }
}

/// Returns a time in seconds, to print it.
#[expect(clippy::cast_precision_loss, reason = "a time to be read")]
pub(crate) fn seconds(time: Micros) -> f64 {
    time as f64 / SECOND as f64
}
