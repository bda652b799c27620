//! Everything of one run: the ring, the agents, K2HR3's list, the operator, the programs, and the invariants.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use k2hdkc_agent::settings::{Merge, MergeBy};
use k2hdkc_simulators::model::ring::{Ini, Micros, Node, Nodes, Odds, Ring};
use tokio::time::Instant;

use crate::agent::{Agent, Names};
use crate::clients::{Clients, FIRST_REQUEST};
use crate::oracle::{Broken, Course, Violation, lasts};
use crate::plan::{Deed, Plan, Programs, SECOND, seconds};

/// After the last fault the ring must be well within this time; tries that were undone pause up to a minute.
pub(crate) const BOUND: Micros = 240 * SECOND;

/// The longest stop of k2hdkc, and of a slave's chmpx.
const LIMITS: [Micros; 2] = [5 * SECOND, 30 * SECOND];

/// What happens next, besides the ring's own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// A step of the plan.
    Step(usize),
    /// An agent looks.
    Look(Node, u32),
    /// An agent decides on what it has seen.
    Decide(Node, u32),
    /// The watch of an agent looks.
    Watch(Node, u32),
    /// An agent starts again.
    Start(Node),
    /// A watchdog ends a stop.
    Watchdog(Node, u64),
    /// A host is there again.
    Reappear(Node),
    /// K2HR3 drops a server.
    Drop(Node),
    /// The odds are as usual again.
    Usual,
    /// K2HR3 answers with that server again.
    Healthy(Node),
    /// A program asks again.
    Program(usize),
    /// The invariants that hold at all times are looked at.
    Check,
}

/// Everything.
pub(crate) struct World {
    /// The plan.
    pub(crate) plan: Plan,
    /// The ring.
    pub(crate) ring: Ring,
    /// The agents, by node.
    pub(crate) agents: Vec<Agent>,
    /// The names of servers.
    pub(crate) names: Names,
    /// The settings of every agent.
    pub(crate) limits: Merge,
    /// The servers in K2HR3.
    pub(crate) members: Nodes,
    /// Servers that K2HR3's answers lack.
    pub(crate) hidden: Nodes,
    /// Servers that run AUTOMERGE.
    pub(crate) foreign: Nodes,
    /// Hosts that are gone for good.
    pub(crate) destroyed: Nodes,
    /// The programs.
    pub(crate) clients: Clients,
    /// What goes on at each node.
    pub(crate) courses: Vec<Course>,
    /// Chance.
    pub(crate) rng: fastrand::Rng,
    /// The moment at which virtual time began.
    pub(crate) base: Instant,
    /// The broken invariants.
    pub(crate) violations: Vec<Violation>,
    /// What has happened, where it is wanted.
    pub(crate) trace: Option<Vec<(Micros, String)>>,
    queue: BinaryHeap<Reverse<(Micros, u64, Wake)>>,
    planned: u64,
}

/// The end of a run.
pub(crate) struct Ended {
    /// The broken invariants.
    pub(crate) violations: Vec<Violation>,
    /// The events of the ring, and the looks of agents.
    pub(crate) steps: u64,
    /// Records whether servers merged while a slave that should have stood still did not.
    pub(crate) open: bool,
    /// What has happened.
    pub(crate) trace: Vec<(Micros, String)>,
}

impl World {
    /// Makes the world of a plan.
    pub(crate) fn new(plan: Plan, traced: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(plan.seed ^ 0x5eed);
        let ring = Ring::new(plan.servers, plan.slaves, plan.keys, usual(&plan), rng.fork());
        let nodes = plan.servers + plan.slaves;
        let limits = Merge {
            by: MergeBy::Agents,
            freeze: std::time::Duration::from_secs(if plan.freezes { 4 } else { 0 }),
            ..Merge::default()
        };
        Self {
            agents: (0..nodes).map(Agent::new).collect(),
            names: Names::of(plan.servers),
            members: Nodes::of(0..plan.starts),
            hidden: Nodes::default(),
            foreign: Nodes::default(),
            clients: Clients::new(&plan),
            courses: vec![Course::default(); nodes],
            plan,
            ring,
            limits,
            destroyed: Nodes::default(),
            rng,
            base: Instant::now(),
            violations: Vec::new(),
            trace: traced.then(Vec::new),
            queue: BinaryHeap::new(),
            planned: 0,
        }
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> Micros {
        self.ring.now()
    }

    /// Plans what happens next.
    pub(crate) fn wake(&mut self, at: Micros, wake: Wake) {
        self.planned += 1;
        self.queue.push(Reverse((at, self.planned, wake)));
    }

    /// Notes what happens.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            trace.push((now, text()));
        }
    }

    /// Notes a broken invariant. Where AUTOMERGE runs merges it hides keys, and nothing counts but that nobody meddles.
    pub(crate) fn violate(&mut self, broken: Broken) {
        if self.plan.is_mixed() != matches!(broken, Broken::Meddled(_)) {
            return;
        }
        for node in 0..self.agents.len() {
            let list = self.list_of(node);
            self.note(|| format!("  list of {node}: {list}"));
        }
        let violation = Violation { at: self.now(), broken };
        self.note(|| format!("VIOLATION {violation}"));
        self.violations.push(violation);
    }

    /// Runs the plan to its end.
    pub(crate) fn run(mut self) -> Ended {
        self.begin();
        let end = self.plan.end();
        let mut well_since = None;
        while self.violations.is_empty() {
            let Some(Reverse((at, _, wake))) = self.queue.pop() else { break };
            self.ring.run_until(at);
            self.forget_in_a_merge();
            self.happen(wake);
            if wake != Wake::Check || at < end {
                continue;
            }
            match self.is_well() {
                Ok(()) if well_since.get_or_insert(at).saturating_add(3 * SECOND) <= at => break,
                Ok(()) => {}
                Err(why) if at > end + BOUND => {
                    self.violate(Broken::NotConverged(why));
                    break;
                }
                Err(_) => well_since = None,
            }
        }
        if self.violations.is_empty() {
            self.check_all_keys();
        }
        let steps = self.ring.steps() + self.planned;
        let open = self.clients.open_merges > 0;
        Ended { violations: self.violations, steps, open, trace: self.trace.unwrap_or_default() }
    }

    fn begin(&mut self) {
        for (number, step) in self.plan.steps.clone().into_iter().enumerate() {
            self.wake(step.at, Wake::Step(number));
        }
        for node in (0..self.plan.starts).chain(self.plan.slave_nodes()) {
            let at = self.rng.u64(0..SECOND);
            self.agents[node].disk.runs = true;
            self.wake(at, Wake::Start(node));
        }
        for program in 0..self.clients.count() {
            self.wake(FIRST_REQUEST, Wake::Program(program));
        }
        self.wake(SECOND, Wake::Check);
    }

    fn happen(&mut self, wake: Wake) {
        match wake {
            Wake::Step(number) => self.step(self.plan.steps[number].deed),
            Wake::Look(node, life) => self.look(node, life),
            Wake::Decide(node, life) => self.decide(node, life),
            Wake::Watch(node, life) => self.watch(node, life),
            Wake::Start(node) => self.start_agent(node),
            Wake::Watchdog(node, number) => self.watchdog(node, number),
            Wake::Reappear(node) => {
                self.note(|| format!("node {node} reappears"));
                self.ring.reappear(node);
            }
            Wake::Drop(node) => self.members = self.members.without(node),
            Wake::Usual => *self.ring.odds() = usual(&self.plan),
            Wake::Healthy(node) => self.hidden = self.hidden.without(node),
            Wake::Program(program) => self.program(program),
            Wake::Check => {
                self.check();
                self.wake(self.now() + SECOND / 10, Wake::Check);
            }
        }
        self.take_outcomes();
    }

    fn start_agent(&mut self, node: Node) {
        if self.agents[node].runs() || self.destroyed.has(node) {
            return;
        }
        self.note(|| format!("agent {node} starts"));
        self.agents[node].start();
        self.agents[node].blind_until = self.now() + 2 * SECOND;
        let life = self.agents[node].life;
        self.wake(self.now(), Wake::Look(node, life));
        let watches = self.now() + self.rng.u64(0..SECOND / 2);
        self.wake(watches, Wake::Watch(node, life));
    }

    fn kill_agent(&mut self, node: Node) {
        if self.agents[node].runs() {
            self.agents[node].kill();
        }
    }

    /// Does a step of the plan.
    fn step(&mut self, deed: Deed) {
        self.note(|| format!("STEP {deed:?}"));
        let now = self.now();
        match deed {
            Deed::Join(node) => {
                self.members = self.members.with(node);
                self.agents[node].disk.runs = true;
                self.wake(now, Wake::Start(node));
            }
            Deed::Leave(node) => self.agents[node].disk.leaves = true,
            Deed::Kill(node, programs) => self.kill(node, programs),
            Deed::KillAgent(node, time) => {
                self.kill_agent(node);
                self.wake(now + time, Wake::Start(node));
            }
            Deed::Sleep(node, time) => {
                self.agents[node].sleeps_until = now + time;
                self.agents[node].blind_until = now + time + 2 * SECOND;
            }
            Deed::Vanish(node, time) => {
                self.ring.vanish(node);
                self.wake(now + time, Wake::Reappear(node));
            }
            Deed::Destroy(node, time) => self.destroy(node, time),
            Deed::Sick(node, time) => {
                self.hidden = self.hidden.with(node);
                self.wake(now + time, Wake::Healthy(node));
            }
            Deed::GoOver(node) => self.foreign = self.foreign.with(node),
            Deed::Silence(time) => {
                self.ring.odds().silent = 0.15;
                for slave in self.plan.slave_nodes() {
                    self.agents[slave].blind_until = now + time + 2 * SECOND;
                }
                self.wake(now + time, Wake::Usual);
            }
            Deed::Load(time) => {
                self.ring.odds().slow = 0.05;
                self.ring.odds().loses = 0.01;
                self.wake(now + time, Wake::Usual);
            }
        }
    }

    fn kill(&mut self, node: Node, programs: Programs) {
        if matches!(programs, Programs::K2hdkc | Programs::Pair) {
            self.ring.kill_k2hdkc(node);
        }
        if matches!(programs, Programs::Chmpx | Programs::Pair) {
            self.ring.kill_chmpx(node);
        }
    }

    fn destroy(&mut self, node: Node, time: Micros) {
        self.destroyed = self.destroyed.with(node);
        self.ring.vanish(node);
        self.ring.kill_k2hdkc(node);
        self.kill_agent(node);
        self.wake(self.now() + time, Wake::Drop(node));
    }

    /// The ini that an agent renders of the servers that it knows.
    pub(crate) fn ini(&self, node: Node, members: Nodes) -> Ini {
        Ini {
            servers: members,
            slaves: Nodes::of(self.plan.slave_nodes()),
            replicas: self.plan.replicas.min(members.count().saturating_sub(1)),
            automerge: self.foreign.has(node) || self.agents[node].defers && self.ring.is_server(node),
            domerge: true,
        }
    }

    /// The invariants that hold at all times.
    fn check(&mut self) {
        self.forget_in_a_merge();
        self.note_lists();
        let own = |node: Node| self.ring.list(node).map_or(0, |list| list.status(node).bits());
        let done = (0..self.plan.servers).any(|node| own(node) & 0x3001 == 0x3001);
        let skipped: Nodes = (0..self.plan.servers).filter(|node| done && own(*node) == 0x1021).collect();
        let serving: Nodes = (0..self.plan.servers).filter(|node| own(*node) == 0x21).collect();
        for node in 0..self.agents.len() {
            let now = self.now();
            let alive = self.agents[node].runs() && self.agents[node].sleeps_until < now;
            let (k2hdkc, frozen) = (self.ring.k2hdkc(node), self.ring.is_frozen(node));
            let gone = k2hdkc.is_none() || self.ring.chmpx(node).is_none();
            let course = &mut self.courses[node];
            course.away = gone || course.away && !serving.has(node);
            let old = k2hdkc.is_some_and(|k2hdkc| !k2hdkc.merges) && alive;
            let stopped = k2hdkc.is_some_and(|k2hdkc| k2hdkc.stopped);
            let older = lasts(&mut course.older, old, 5 * SECOND, now);
            let stands = lasts(&mut course.k2hdkc, stopped, LIMITS[0] + SECOND / 2, now);
            let freezes = lasts(&mut course.chmpx, frozen, LIMITS[1] + SECOND / 2, now);
            lasts(&mut course.skipped, skipped.has(node), 0, now);
            if older {
                self.violate(Broken::OlderThanItsChmpx(node));
            }
            if stands || freezes {
                self.violate(Broken::FrozenTooLong(node));
            }
        }
    }

    /// Notes each list that has changed, where a trace is wanted.
    fn note_lists(&mut self) {
        if self.trace.is_none() {
            return;
        }
        for node in 0..self.agents.len() {
            let list = self.list_of(node);
            if self.courses[node].list != list {
                self.note(|| format!("  list of {node}: {list}"));
                self.courses[node].list = list;
            }
        }
    }

    /// Checks whether the ring is what K2HR3 and the operator want.
    fn is_well(&self) -> Result<(), String> {
        let staying = |node: &Node| !self.agents[*node].disk.leaves;
        let wanted: Nodes = self.members.iter().filter(staying).collect();
        let lists = wanted.iter().chain(self.plan.slave_nodes());
        for node in lists {
            let Some(list) = self.ring.list(node) else { return Err(format!("no chmpx on {node}")) };
            if self.ring.is_frozen(node) {
                return Err(format!("{node} stands still"));
            }
            let serving: Nodes =
                list.iter().filter(|(_, status)| status.bits() == 0x21).map(|(node, _)| node).collect();
            let odd = list.iter().find(|(_, status)| !matches!(status.bits(), 0x10 | 0x11 | 0x10011 | 0x21));
            if serving != wanted || odd.is_some() {
                let wanted: Vec<_> = wanted.iter().collect();
                return Err(format!("the list of {node} has {}, wanted {wanted:?}", self.list_of(node)));
            }
        }
        Ok(())
    }

    /// Prints the list of a node, and the state of its programs.
    fn list_of(&self, node: Node) -> String {
        let Some(list) = self.ring.list(node) else { return "no chmpx".to_owned() };
        let list: Vec<_> = list.iter().map(|(node, status)| format!("{node}={:x}", status.bits())).collect();
        let stopped = self.ring.k2hdkc(node).is_some_and(|k2hdkc| k2hdkc.stopped);
        let frozen = if self.ring.is_frozen(node) { " frozen" } else { "" };
        let linked: Vec<_> =
            self.ring.chmpx(node).map(|chmpx| chmpx.linked.iter().collect()).unwrap_or_default();
        format!("{}{frozen}{}, linked to {linked:?}", list.join(" "), if stopped { " stopped" } else { "" })
    }
}

/// The odds of a plan without faults.
fn usual(plan: &Plan) -> Odds {
    let odds = Odds { per_key: 4_000, ..Odds::default() };
    if plan.buries() { Odds { vain: 0.0, forgets: 0.0, ..odds } } else { odds }
}

/// Prints a trace.
pub(crate) fn print(trace: &[(Micros, String)], last: usize) -> String {
    let from = trace.len().saturating_sub(last);
    trace[from..].iter().map(|(at, text)| format!("{:>9.3} s  {text}\n", seconds(*at))).collect()
}
