//! An agent's look: it gathers, decides a little later, and acts. Beside the ring change there is its process half, which starts
//! programs, and its file half, which writes the ini.

use k2hdkc_agent::ring_change::{Action, Decision, Mark, Merges, decide};
use k2hdkc_agent::settings::{Merge, MergeBy};
use k2hdkc_agent::supervisor::Program;
use k2hdkc_simulators::model::ring::{Command, Micros, Node, Nodes, Reply};

use crate::agent::{Watchdog, gather, moment};
use crate::oracle::Broken;
use crate::plan::SECOND;
use crate::world::{Wake, World};

/// The age of the views that a driver decides on, on a busy machine.
const KNOWN: Micros = 2 * SECOND;
/// Each agent knows by then that a server has gone over to AUTOMERGE: what it knew before is too old.
const KNOWN_BY: Micros = 40 * SECOND;
/// The patience of a k2hdkc with servers that are not up.
const PEERS_WITHIN: Micros = 30 * SECOND;

impl World {
    /// Gathers the inputs of a look.
    pub(crate) fn look(&mut self, node: Node, life: u32) {
        let now = self.now();
        if self.agents[node].life != life {
            return;
        }
        if self.agents[node].sleeps_until > now {
            return self.wake(self.agents[node].sleeps_until, Wake::Look(node, life));
        }
        self.poll(node);
        let (moment, random) = (moment(self.base, now), self.rng.f64());
        let inputs = gather(&mut self.agents[node], &self.names, &mut self.ring, moment, random);
        let silent = inputs.list.is_none() && self.ring.chmpx(node).is_some();
        self.agents[node].gathered = Some(inputs);
        let pause = if silent { 600_000 } else { self.pause() };
        self.wake(now + pause, Wake::Decide(node, life));
    }

    /// The time that a step of an agent takes; now and then its machine is busy.
    fn pause(&mut self) -> Micros {
        match self.rng.u8(0..100) {
            0 => self.rng.u64(50_000..700_000),
            _ => self.rng.u64(1_000..10_000),
        }
    }

    /// Decides, and acts.
    pub(crate) fn decide(&mut self, node: Node, life: u32) {
        let now = self.now();
        let agent = &mut self.agents[node];
        let Some(inputs) = agent.gathered.take().filter(|_| agent.life == life) else { return };
        let limits =
            if self.foreign.has(node) { Merge { by: MergeBy::Chmpx, ..self.limits } } else { self.limits };
        agent.history.observe(&inputs, &limits);
        let decision = decide(&inputs, &agent.history, &limits);
        agent.history.record(&decision, moment(self.base, now));
        match decision.progress.merges {
            Merges::ByChmpx(_) => agent.defers = true,
            Merges::ByAgents => agent.defers = false,
            Merges::Unknown => {}
        }
        agent.holds_file = decision.progress.is_by_agents() && decision.progress.forbids_files();
        let acts = decision.action != Action::Nothing;
        self.act(node, &decision);
        self.run_programs(node);
        self.write_ini(node);
        let look_again = u64::try_from(decision.look_again.as_micros()).unwrap_or(SECOND);
        let next = if acts { self.pause() } else { look_again };
        let next = match (&decision.action, &self.agents[node].round) {
            (Action::Ask { .. }, Some(round)) if round.answers.values().any(Option::is_none) => {
                next + 600_000
            }
            _ => next,
        };
        self.wake(now + next, Wake::Look(node, life));
    }

    fn act(&mut self, node: Node, decision: &Decision) {
        match &decision.action {
            Action::Nothing | Action::Ask { .. } => {}
            action => self.note(|| format!("{node}: {action} ({:?})", decision.row)),
        }
        let moves = matches!(decision.action, Action::Stop { .. } | Action::Send(_) | Action::RestartPair(_));
        if moves && self.insists() && self.now() > KNOWN_BY && !self.returns_by_agents(node) {
            self.violate(Broken::Meddled(node));
        }
        match &decision.action {
            Action::Nothing => {}
            Action::Ask { who, dump } => {
                let at = moment(self.base, self.now());
                let round = self.names.ask(&mut self.ring, node, who, *dump, (at, self.foreign));
                self.agents[node].round = Some(round);
            }
            Action::Send(orders) => {
                for order in orders {
                    self.send(node, self.names.node(&order.at), self.names.command(&order.command));
                }
            }
            Action::Stop { program, limit } => self.stop(node, *program, *limit),
            Action::Continue { program } => self.resume(node, *program),
            Action::Unmark => self.agents[node].disk.mark = Mark::Absent,
            Action::RestartPair(_) => self.end_pair(node, Mark::Absent),
        }
    }

    /// Checks whether a server insists on AUTOMERGE whose host is not gone for good.
    fn insists(&self) -> bool {
        self.foreign.iter().any(|node| !self.destroyed.has(node))
    }

    /// Checks whether a node sees nothing but a return of servers whose files have AUTOMERGE off: the agents carry it to its end.
    fn returns_by_agents(&self, node: Node) -> bool {
        let Some(list) = self.ring.list(node) else { return false };
        let announced = list.iter().any(|(_, status)| status.is_add() || status.is_delete());
        let mut back = list.iter().filter(|(_, status)| status.bits() & 0x3000 != 0).peekable();
        !announced && back.peek().is_some() && back.all(|(server, _)| !self.ring.ini(server).automerge)
    }

    fn send(&mut self, from: Node, to: Node, command: Command) {
        if command == Command::CompleteMerge {
            self.check_completion();
        }
        let reply = self.ring.order(from, to, command);
        if reply != Some(Reply::Succeed) {
            self.note(|| format!("{from}: {command:?} at {to} is answered {reply:?}"));
        }
    }

    /// COMPMERGE goes out: nobody may have been skipped for so long that each agent must know.
    fn check_completion(&mut self) {
        let known = |skipped: Option<Micros>| skipped.is_some_and(|since| since + KNOWN <= self.ring.now());
        let skipped = (0..self.plan.servers).find(|node| known(self.courses[*node].skipped));
        if let Some(node) = skipped {
            self.violate(Broken::CompletedBesideSkipped(node));
        }
    }

    /// Kills chmpx and k2hdkc of a node.
    pub(crate) fn end_pair(&mut self, node: Node, mark: Mark) {
        let is_slave = node >= self.plan.servers;
        self.ring.kill_k2hdkc(node);
        self.ring.kill_chmpx(node);
        let agent = &mut self.agents[node];
        agent.watchdog = None;
        agent.disk.mark = if is_slave { mark } else { agent.disk.mark };
    }

    fn stop(&mut self, node: Node, program: Program, limit: std::time::Duration) {
        let now = self.now();
        let number = now;
        self.agents[node].watchdog = Some(Watchdog { number, program });
        match program {
            Program::Chmpx => {
                self.agents[node].disk.mark = Mark::Frozen;
                self.ring.freeze_chmpx(node, true);
            }
            Program::K2hdkc => {
                // A stop that is renewed has its limit from now.
                self.courses[node].k2hdkc = None;
                self.ring.stop_k2hdkc(node, true);
            }
        }
        let limit = u64::try_from(limit.as_micros()).unwrap_or(SECOND);
        self.wake(now + limit, Wake::Watchdog(node, number));
    }

    fn resume(&mut self, node: Node, program: Program) {
        self.agents[node].watchdog = None;
        match program {
            Program::Chmpx => {
                self.agents[node].disk.mark = Mark::Thawed;
                self.agents[node].thawed_at = self.now();
                self.ring.freeze_chmpx(node, false);
            }
            Program::K2hdkc => self.ring.stop_k2hdkc(node, false),
        }
    }

    /// A watchdog ends a stop at its limit, whatever has become of the agent: chmpx of a slave is killed.
    pub(crate) fn watchdog(&mut self, node: Node, number: u64) {
        let Some(watchdog) = self.agents[node].watchdog.take_if(|watchdog| watchdog.number == number) else {
            return;
        };
        self.note(|| format!("watchdog of {node} ends the stop of {:?}", watchdog.program));
        match watchdog.program {
            Program::Chmpx => self.end_pair(node, self.agents[node].disk.mark),
            Program::K2hdkc => self.ring.stop_k2hdkc(node, false),
        }
    }

    /// Asks K2HR3 for the servers, every one or two seconds.
    fn poll(&mut self, node: Node) {
        let (now, pause) = (self.now(), self.rng.u64(SECOND..2 * SECOND));
        let reaches = self.ring.reaches(node, node);
        let told: Nodes = self.members.iter().filter(|server| !self.hidden.has(*server)).collect();
        let misled = self.is_misled(node, told);
        let agent = &mut self.agents[node];
        if agent.polls_at <= now && reaches && !misled {
            // The guard: K2HR3 may be sick, so nobody goes at its first word.
            let kept: Nodes = agent.members.iter().filter(|server| self.hidden.has(*server)).collect();
            agent.members = told.and(kept);
            agent.polls_at = now + pause;
        }
    }

    /// Checks whether the answer of K2HR3 lacks all servers of the ring for a node that knows none yet. Such a newcomer begins a ring of
    /// its own, which meets the other one without a merge (docs/limits.md): it has no other source, and no such answer is simulated.
    fn is_misled(&self, node: Node, told: Nodes) -> bool {
        let serves = |server: &Node| {
            self.ring.list(*server).is_some_and(|list| list.status(*server).is_in() && *server != node)
        };
        let ring: Nodes = (0..self.plan.servers).filter(serves).collect();
        self.agents[node].members.is_empty()
            && !ring.is_empty()
            && !ring.iter().any(|server| told.has(server))
    }

    /// Writes the ini where it differs, but not in a change: a ring goes over to AUTOMERGE or back while it is calm.
    fn write_ini(&mut self, node: Node) {
        let agent = &self.agents[node];
        let (ini, installed) = (self.ini(node, agent.members), self.ring.ini(node));
        let changes = self.ring.list(node).is_some_and(|list| {
            self.names.list(list).values().any(|entry| entry.status.is_up() && !entry.status.is_calm())
        });
        let is_held = agent.holds_file || changes && ini.automerge != installed.automerge;
        if installed != ini && !is_held && !self.ring.is_frozen(node) && !agent.members.is_empty() {
            let count = agent.members.count();
            self.note(|| format!("{node}: ini of {count} servers"));
            self.ring.write(node, ini);
        }
    }

    /// The process half: the pair runs, k2hdkc is never older than its chmpx, and a server that has left ends.
    fn run_programs(&mut self, node: Node) {
        let now = self.now();
        let is_kept_down = self.is_kept_down(node);
        let agent = &mut self.agents[node];
        let runs = agent.disk.runs && !is_kept_down && !self.ring.ini(node).servers.is_empty();
        match (self.ring.chmpx(node).is_some(), runs) {
            (false, true) => self.start_chmpx(node),
            (true, true) if self.ring.is_server(node) => self.start_k2hdkc(node),
            (true | false, _) => {}
        }
        let own = self.ring.list(node).map_or(0, |list| list.status(node).bits());
        let agent = &mut self.agents[node];
        if !agent.disk.leaves || own & 0xff != 0x11 || !self.ring.is_server(node) {
            agent.pair.out_since = None;
        } else if *agent.pair.out_since.get_or_insert(now) + 15 * SECOND <= now && agent.disk.runs {
            agent.disk.runs = false;
            self.members = self.members.without(node);
            self.note(|| format!("{node}: has left, and ends"));
            self.end_pair(node, Mark::Absent);
        }
    }

    fn start_chmpx(&mut self, node: Node) {
        let now = self.now();
        self.ring.kill_k2hdkc(node);
        let pair = &mut self.agents[node].pair;
        pair.k2hdkc_gone = None;
        let gone = *pair.chmpx_gone.get_or_insert(now);
        if gone + SECOND <= now && self.is_listed_by_next(node) {
            let pair = &mut self.agents[node].pair;
            pair.chmpx_gone = None;
            self.note(|| format!("{node}: starts chmpx"));
            self.ring.start_chmpx(node);
        }
    }

    /// A server's chmpx waits until the next one that answers lists it: that is where it connects (docs/facts.md C33).
    fn is_listed_by_next(&self, node: Node) -> bool {
        let servers = self.plan.servers;
        let mut behind =
            (1..servers).map(|step| (node + step) % servers).filter(|next| self.ring.reaches(node, *next));
        let next = behind.find_map(|next| self.ring.list(next));
        !self.ring.is_server(node) || next.is_none_or(|list| list.knows(node))
    }

    fn start_k2hdkc(&mut self, node: Node) {
        let now = self.now();
        match self.ring.k2hdkc(node) {
            Some(k2hdkc) if k2hdkc.merges => self.agents[node].pair.k2hdkc_gone = None,
            Some(_) => self.ring.kill_k2hdkc(node),
            None => {
                let pair = &mut self.agents[node].pair;
                let gone = *pair.k2hdkc_gone.get_or_insert(now);
                if gone + 1_200_000 <= now && self.may_start_k2hdkc(node, now - gone) {
                    self.note(|| format!("{node}: starts k2hdkc"));
                    self.ring.start_k2hdkc(node);
                }
            }
        }
    }

    /// k2hdkc waits for the other members to be up, for half a minute where some serve, else for a majority.
    fn may_start_k2hdkc(&self, node: Node, waited: Micros) -> bool {
        let (Some(list), others) = (self.ring.list(node), self.ring.ini(node).servers.without(node)) else {
            return false;
        };
        let serves = |other: &Node| list.status(*other).is_servicing();
        let up = others.iter().filter(|other| list.status(*other).is_up()).count();
        let long = waited >= PEERS_WITHIN;
        match others.iter().any(|other| serves(&other)) {
            _ if up == others.count() => true,
            true => long,
            false => long && 2 * (up + 1) > others.count() + 1 && up > 0,
        }
    }
}
