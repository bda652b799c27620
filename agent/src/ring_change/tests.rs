//! The ring change, row by row: what each server and slave does at which statuses, and after which time.

mod announcing;
mod copying;
mod driving;
mod failing;
mod findings;
mod interrupted;
mod mixed;
mod safety;
mod simulated;
mod slaves;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::chmpx_state::NodeStatus;
use crate::settings::{Merge, MergeBy};
use crate::supervisor::Program;

/// A node before which a test puts statuses. Servers are `a`, `b`, `c` by slot and by seed.
struct Bench {
    inputs: Inputs,
    history: History,
    limits: Merge,
    /// Own views of the other servers; one without a status does not answer.
    views: BTreeMap<ServerId, Option<NodeStatus>>,
    /// Entries of the other servers' lists that this one's list has otherwise.
    disputes: List,
    /// Servers that run AUTOMERGE.
    foreign: BTreeSet<ServerId>,
    /// True where they would leave the merges to the agents.
    defers: bool,
    /// Status of this server in the lists of those.
    doubted: BTreeMap<ServerId, NodeStatus>,
    begin: Instant,
}

fn id(text: &str) -> ServerId {
    ServerId::new(text)
}

fn ids(text: &str) -> Vec<ServerId> {
    text.split_whitespace().map(id).collect()
}

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Reads `a=21 b=1121 c=-`.
fn statuses(text: &str) -> BTreeMap<ServerId, Option<NodeStatus>> {
    let status = |bits: &str| u32::from_str_radix(bits, 16).ok().map(NodeStatus::from_bits);
    text.split_whitespace()
        .map(|part| part.split_once('=').unwrap())
        .map(|(name, bits)| (id(name), status(bits)))
        .collect()
}

fn list(text: &str) -> List {
    let entry = |(place, (id, status)): (u64, (ServerId, Option<NodeStatus>))| {
        (id, Entry { status: status.unwrap(), slot: Some(place) })
    };
    (0..).zip(statuses(text)).map(entry).collect()
}

impl Bench {
    /// A node with that list, in which every server sees itself as the list does.
    fn new(node: Node, text: &str) -> Self {
        let begin = Instant::now();
        let list = list(text);
        let local = Local {
            k2hdkc: Process::Running,
            chmpx: Process::Running,
            queues_empty: true,
            progress: 0,
            mark: Mark::Absent,
        };
        let inputs = Inputs {
            now: begin,
            random: 1.0,
            node,
            members: list.keys().cloned().collect(),
            replicas: 1,
            automerge: false,
            slaves: 1,
            wish: Wish::default(),
            list: Some(list),
            round: None,
            local,
        };
        let limits = Merge { by: MergeBy::Agents, ..Merge::default() };
        let (history, foreign, doubted) = (History::default(), BTreeSet::new(), BTreeMap::new());
        let disputes = List::new();
        Self {
            inputs,
            history,
            limits,
            views: statuses(text),
            disputes,
            foreign,
            defers: false,
            doubted,
            begin,
        }
    }

    /// A server.
    fn server(own: &str, text: &str) -> Self {
        Self::new(Node::Server(id(own)), text)
    }

    /// A slave.
    fn slave(text: &str) -> Self {
        Self::new(Node::Slave(0), text)
    }

    /// Changes list and views.
    fn now(mut self, text: &str) -> Self {
        self.show(text);
        self
    }

    fn show(&mut self, text: &str) {
        self.inputs.list = Some(list(text));
        self.views = statuses(text);
    }

    /// Changes the views only.
    fn seeing(mut self, text: &str) -> Self {
        self.views.extend(statuses(text));
        self
    }

    fn leaving(mut self) -> Self {
        self.inputs.wish.leave = true;
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Has the other servers list that one so.
    fn dispute(&mut self, name: &str, bits: u32) {
        self.disputes.insert(id(name), Entry { status: NodeStatus::from_bits(bits), slot: None });
    }

    fn runs_automerge(&mut self, name: &str) {
        self.foreign.insert(id(name));
    }

    fn automerge_of(&self, who: &ServerId) -> Automerge {
        match (self.foreign.contains(who), self.defers) {
            (false, _) => Automerge::Off,
            (true, true) => Automerge::Deferred,
            (true, false) => Automerge::On,
        }
    }

    /// Has k2hdkc stopped where the own status is Pending, and nobody is down.
    fn drained(mut self) -> Self {
        let list = self.inputs.list.as_ref();
        let own = self.inputs.own().and_then(|own| list?.get(own));
        let down = list.is_some_and(|list| list.values().any(|entry| entry.status.bits() == 0x20));
        let pending = !down && own.is_some_and(|entry| entry.status.bits() & 0x3000 == 0x1000);
        self.inputs.local.k2hdkc = if pending { Process::Stopped } else { Process::Running };
        self
    }

    /// Takes one look.
    fn look(&mut self) -> Decision {
        let mut inputs = self.inputs.clone();
        inputs.local.queues_empty &= self.history.waits_for_queues(inputs.now);
        self.history.observe(&inputs, &self.limits);
        decide(&inputs, &self.history, &self.limits)
    }

    fn answer(&self, who: &ServerId, dump: bool) -> Option<Answer> {
        let own_view = self.views.get(who).copied().flatten()?;
        let known = self.inputs.list.clone().unwrap_or_default();
        let mut list: List = self
            .inputs
            .members
            .iter()
            .map(|id| (id.clone(), known.get(id).copied()))
            .map(|(id, entry)| {
                (id, entry.unwrap_or(Entry { status: NodeStatus::from_bits(0x10), slot: None }))
            })
            .collect();
        list.extend(known);
        list.extend(self.disputes.clone());
        let mut set = |id: &ServerId, status| _ = list.insert(id.clone(), Entry { status, slot: Some(0) });
        if let (Node::Server(own), Some(status)) = (&self.inputs.node, self.doubted.get(who)) {
            set(own, *status);
        }
        set(who, own_view);
        Some(Answer { list, automerge: dump.then(|| self.automerge_of(who)) })
    }

    /// Looks, answers a question at once, looks again, and records the act.
    fn step(&mut self) -> Decision {
        self.inputs.round = None;
        let mut decision = self.look();
        self.history.record(&decision, self.inputs.now);
        if let Action::Ask { who, dump } = decision.action.clone() {
            let answers = who.iter().map(|id| (id.clone(), self.answer(id, dump))).collect();
            self.inputs.round = Some(Round { at: self.inputs.now, answers });
            decision = self.look();
            self.history.record(&decision, self.inputs.now);
            self.inputs.round = None;
        }
        decision
    }

    /// Looks every 50 ms for that time, and returns the acts with their times since the begin, but not the renewals of a stop: every
    /// wait behind it brings some.
    fn run(&mut self, time: u64) -> Vec<(u64, Row, Action)> {
        self.run_all(time).into_iter().filter(|(_, row, _)| *row != Row::StayStopped).collect()
    }

    /// Looks every 50 ms for that time, and returns all acts.
    fn run_all(&mut self, time: u64) -> Vec<(u64, Row, Action)> {
        let mut acts = Vec::new();
        for _ in 0..time / 50 {
            let decision = self.step();
            let at = u64::try_from((self.inputs.now - self.begin).as_millis()).unwrap();
            if let (Some(row), false) = (decision.row, is_question(&decision.action)) {
                acts.push((at, row, decision.action));
            }
            self.inputs.now += ms(50);
        }
        acts
    }

    /// The first act within that time.
    fn first(mut self, time: u64) -> Option<(u64, Row, Action)> {
        self.run(time).into_iter().next()
    }

    /// The progress after that time without any record.
    fn progress_after(mut self, time: u64) -> Progress {
        self.run(time);
        self.step().progress
    }

    fn hold_after(self, time: u64) -> Option<Hold> {
        self.progress_after(time).hold
    }
}

fn is_question(action: &Action) -> bool {
    matches!(action, Action::Ask { .. } | Action::Nothing)
}

fn send(orders: &[(Command, &str)]) -> Action {
    Action::Send(orders.iter().map(|(command, at)| Order { at: id(at), command: command.clone() }).collect())
}

fn out(text: &str) -> (Command, &str) {
    (Command::ServiceOut(id(text)), text)
}

fn come_in(at: &str) -> (Command, &str) {
    (Command::ServiceIn, at)
}

fn update(at: &str) -> (Command, &str) {
    (Command::UpdateStatus, at)
}

fn stop_k2hdkc() -> Action {
    Action::Stop { program: Program::K2hdkc, limit: ms(5000) }
}

fn go_on(program: Program) -> Action {
    Action::Continue { program }
}
