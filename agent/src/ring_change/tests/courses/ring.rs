//! A ring of chmpx with one truth, as lib/chmstructure.h and lib/chmeventsock.cc change its statuses, and its nodes' agents.

use super::super::*;

/// Seeds of each course.
pub(super) const SEEDS: std::ops::Range<u64> = 0..1;

/// Time of a merge.
const COPY: u64 = 400;
/// Time until the supervisor has a killed chmpx up again, and k2hdkc behind it.
const RESTART: u64 = 3000;
const JOINS_AFTER: u64 = 1000;
/// Time after which K2HR3 does not list a server any more that has vanished.
const DROPPED: u64 = 20_000;

/// A server or a slave.
struct Host {
    status: u32,
    history: History,
    k2hdkc: Process,
    chmpx: Process,
    mark: Mark,
    leaves: bool,
    /// End of the present stop, by the watchdog.
    watchdog: u64,
    /// Rest of the copy; `None` where it never ends (C29).
    copy: Option<u64>,
    /// Work that k2hdkc has done.
    progress: u64,
    next_look: u64,
    /// Time at which the pair runs again, and at which the agent does.
    back: Option<u64>,
    away_until: u64,
}

pub(super) struct Ring {
    hosts: BTreeMap<ServerId, Host>,
    slave: Host,
    pub(super) replicas: u32,
    /// True where a k2hdkc that runs at MERGE loses its answer (C29).
    pub(super) races: bool,
    members: BTreeSet<ServerId>,
    events: Vec<(u64, ServerId, Event)>,
    random: fastrand::Rng,
    begin: Instant,
    now: u64,
    pub(super) log: Vec<String>,
}

#[derive(Clone, Copy)]
enum Event {
    Kill,
    Vanish,
    Drop,
    Forget(u64),
}

fn operation(status: u32) -> u32 {
    status & 0x3000
}

impl Host {
    fn new(status: u32, random: &mut fastrand::Rng) -> Self {
        Self {
            status,
            history: History::default(),
            k2hdkc: Process::Running,
            chmpx: Process::Running,
            mark: Mark::Absent,
            leaves: false,
            watchdog: 0,
            copy: None,
            progress: 0,
            next_look: random.u64(0..50),
            back: None,
            away_until: 0,
        }
    }

    fn is_up(&self) -> bool {
        self.status & 1 != 0
    }
}

impl Ring {
    pub(super) fn new(text: &str, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let hosts: BTreeMap<_, _> = statuses(text)
            .into_iter()
            .map(|(id, status)| (id, Host::new(status.unwrap().bits(), &mut random)))
            .collect();
        let slave = Host::new(0, &mut random);
        let members = hosts.keys().cloned().collect();
        let (events, log, begin) = (Vec::new(), Vec::new(), Instant::now());
        Self { hosts, slave, replicas: 1, races: true, members, events, random, begin, now: 0, log }
    }

    pub(super) fn leave(&mut self, name: &str) {
        self.hosts.get_mut(&id(name)).unwrap().leaves = true;
    }

    pub(super) fn kill_at(&mut self, at: u64, name: &str) {
        self.events.push((at, id(name), Event::Kill));
    }

    pub(super) fn vanish_at(&mut self, at: u64, name: &str) {
        self.events.push((at, id(name), Event::Vanish));
    }

    pub(super) fn forget_at(&mut self, at: u64, name: &str, away: u64) {
        self.events.push((at, id(name), Event::Forget(away)));
    }

    pub(super) fn text(&self) -> String {
        self.hosts.iter().map(|(id, host)| format!("{id}={:x}", host.status)).collect::<Vec<_>>().join(" ")
    }

    /// Runs until the statuses are these, no program stands still, and nothing is left to happen.
    pub(super) fn run_until(&mut self, end: &str, within: u64) -> Option<u64> {
        while self.now < within {
            self.tick();
            let stopped = |host: &Host| host.k2hdkc == Process::Stopped || host.chmpx == Process::Stopped;
            let still = self.hosts.values().chain([&self.slave]).any(stopped);
            if self.events.is_empty() && !still && self.text() == end && self.slave.mark == Mark::Absent {
                return Some(self.now);
            }
        }
        None
    }

    fn tick(&mut self) {
        self.now += 10;
        self.happen();
        self.work();
        let hosts = &self.hosts;
        self.members.retain(|id| !(hosts[id].leaves && hosts[id].status == 0x11));
        let due: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.next_look <= self.now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.look(Some(&id));
        }
        if self.slave.next_look <= self.now {
            self.look(None);
        }
    }

    fn happen(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.events.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, id, event) in due {
            match event {
                Event::Kill => self.kill(&id, Some(now + RESTART)),
                Event::Vanish => {
                    self.kill(&id, None);
                    self.events.push((now + DROPPED, id, Event::Drop));
                }
                Event::Drop => _ = self.members.remove(&id),
                Event::Forget(away) => {
                    let host = self.hosts.get_mut(&id).unwrap();
                    (host.history, host.away_until) = (History::default(), now.saturating_add(away));
                }
            }
        }
    }

    fn kill(&mut self, id: &ServerId, back: Option<u64>) {
        self.log.push(format!("{} {id} ends: {}", self.now, self.text()));
        let host = self.hosts.get_mut(id).unwrap();
        host.status = match host.status & 0x330 {
            0x20 => 0x20,
            0x220 if operation(host.status) == 0x1000 => 0x1220,
            0x220 => 0x3220,
            _ => 0x10,
        };
        (host.k2hdkc, host.chmpx, host.back, host.copy) = (Process::Absent, Process::Absent, back, None);
        host.away_until = if back.is_none() { u64::MAX } else { host.away_until };
    }

    /// Lets processes work: restarts, watchdogs, and copies.
    fn work(&mut self) {
        let now = self.now;
        for host in self.hosts.values_mut() {
            match host.back {
                Some(back) if now >= back + JOINS_AFTER => {
                    host.status &= !0x10000;
                    host.status |= if host.status & 0x230 == 0x20 { 0x1000 } else { 0 };
                    (host.k2hdkc, host.back) = (Process::Running, None);
                }
                Some(back) if now >= back && host.chmpx == Process::Absent => {
                    host.chmpx = Process::Running;
                    host.status =
                        (host.status & !0x3000) | 0x10001 | if host.status & 0x200 != 0 { 0x1000 } else { 0 };
                }
                _ => {}
            }
            if host.k2hdkc == Process::Stopped && now >= host.watchdog {
                host.k2hdkc = Process::Running;
            }
            if operation(host.status) == 0x2000 && host.k2hdkc == Process::Running {
                host.copy = host.copy.map(|rest| rest.saturating_sub(10));
                host.progress += u64::from(host.copy.is_some());
                if host.copy == Some(0) {
                    host.status |= 0x3000;
                }
            }
        }
        if self.slave.chmpx == Process::Stopped && now >= self.slave.watchdog {
            self.slave.chmpx = Process::Running;
        }
    }

    fn list(&self) -> List {
        let entry = |(place, (id, host)): (u64, (&ServerId, &Host))| {
            (id.clone(), Entry { status: NodeStatus::from_bits(host.status), slot: Some(place) })
        };
        (0..).zip(&self.hosts).map(entry).collect()
    }

    fn inputs(&mut self, who: Option<&ServerId>) -> Inputs {
        let host = who.map_or(&self.slave, |id| &self.hosts[id]);
        let answers = host.chmpx == Process::Running && self.random.u8(..) > 1;
        Inputs {
            now: self.begin + ms(self.now),
            random: 1.0,
            node: who.map_or(Node::Slave(0), |id| Node::Server(id.clone())),
            members: self.members.clone(),
            replicas: self.replicas,
            slaves: 1,
            wish: Wish { leave: host.leaves, ..Wish::default() },
            list: answers.then(|| self.list()),
            round: None,
            local: Local {
                k2hdkc: host.k2hdkc,
                chmpx: host.chmpx,
                queues_empty: true,
                progress: host.progress,
                mark: host.mark,
                unacknowledged: BTreeSet::new(),
            },
        }
    }

    fn host(&mut self, who: Option<&ServerId>) -> &mut Host {
        match who {
            Some(id) => self.hosts.get_mut(id).unwrap(),
            None => &mut self.slave,
        }
    }

    fn look(&mut self, who: Option<&ServerId>) {
        if self.host(who).away_until > self.now {
            return;
        }
        let limits = Merge { by: MergeBy::Agents, ..Merge::default() };
        let mut inputs = self.inputs(who);
        let decision = loop {
            let now = inputs.now;
            let history = &mut self.host(who).history;
            history.observe(&inputs, &limits);
            let decision = decide(&inputs, history, &limits);
            history.record(&decision, now);
            let Action::Ask { who, dump } = &decision.action else { break decision };
            if inputs.round.is_some() {
                break decision;
            }
            let answers = who.iter().map(|id| (id.clone(), self.answer(id, *dump))).collect();
            inputs.round = Some(Round { at: now, answers });
        };
        let again = u64::try_from(decision.look_again.as_millis()).unwrap();
        let acted = !is_question(&decision.action);
        let pause = again + self.random.u64(0..20);
        self.host(who).next_look = self.now + pause;
        if acted {
            let name = who.map_or("slave", ServerId::as_str);
            self.log.push(format!(
                "{} {name} {:?} {}: {}",
                self.now,
                decision.row,
                decision.action,
                self.text()
            ));
        }
        self.act(who, decision.action);
    }

    fn answer(&mut self, id: &ServerId, dump: bool) -> Option<Answer> {
        let answers = self.hosts[id].is_up() && self.random.u8(..) > 1;
        answers.then(|| Answer { list: self.list(), automerge: dump.then_some(Automerge::Off) })
    }

    fn act(&mut self, who: Option<&ServerId>, action: Action) {
        let now = self.now;
        match action {
            Action::Send(orders) => orders.iter().for_each(|order| self.order(order)),
            Action::Stop { program, limit } => {
                let host = self.host(who);
                host.watchdog = now + u64::try_from(limit.as_millis()).unwrap();
                match program {
                    Program::K2hdkc => host.k2hdkc = Process::Stopped,
                    Program::Chmpx => (host.chmpx, host.mark) = (Process::Stopped, Mark::Frozen),
                }
            }
            Action::Continue { program: Program::K2hdkc } => self.host(who).k2hdkc = Process::Running,
            Action::Continue { program: Program::Chmpx } => {
                (self.slave.chmpx, self.slave.mark) = (Process::Running, Mark::Thawed);
            }
            Action::Unmark => self.slave.mark = Mark::Absent,
            Action::RestartPair(_) => match who {
                Some(id) => self.kill(id, Some(now + 300)),
                None => self.slave.mark = Mark::Thawed,
            },
            Action::Nothing | Action::Ask { .. } => {}
            Action::EndPair(_) | Action::StartPair | Action::Cut(_) => panic!("no peer is silent: {action}"),
        }
    }

    /// Carries a command out as chmpx does; one in two hundred gets lost.
    fn order(&mut self, order: &Order) {
        if !self.hosts[&order.at].is_up() || self.random.u8(..) == 0 {
            return;
        }
        let merging = self.hosts.values().any(|host| operation(host.status) >= 0x2000);
        match &order.command {
            Command::ServiceIn if !merging => self.service_in(&order.at),
            Command::ServiceOut(id) => self.service_out(id),
            Command::Merge if !merging => self.merge(&order.at),
            Command::CompMerge => self.complete(),
            Command::AbortMerge => self.abort(),
            Command::ServiceIn | Command::Merge | Command::UpdateStatus => {}
        }
    }

    fn service_in(&mut self, id: &ServerId) {
        let host = self.hosts.get_mut(id).unwrap();
        host.status = match host.status {
            0x1221 => 0x1021,
            0x11 => 0x1121,
            status => status,
        };
    }

    fn service_out(&mut self, id: &ServerId) {
        let host = self.hosts.get_mut(id).unwrap();
        host.status = match host.status {
            0x21 | 0x1021 => 0x1221,
            0x1121 => 0x11,
            0x20 => 0x1220,
            status => status,
        };
    }

    fn merge(&mut self, issuer: &ServerId) {
        if self.hosts.values().any(|host| matches!(host.status, 0x20 | 0x10021)) {
            return;
        }
        let buried = self.hosts.values().any(|host| host.status == 0x1220);
        for (id, host) in &mut self.hosts {
            if host.status == 0x1220 {
                host.status = 0x3220;
            } else if operation(host.status) == 0x1000 && !(buried && id == issuer) {
                host.status = (host.status & !0x3000) | 0x2000;
                let raced = self.races && host.k2hdkc == Process::Running;
                host.copy = (!raced).then_some(COPY);
            }
        }
    }

    fn complete(&mut self) {
        let skipped = |host: &Host| host.status == 0x1021;
        let done = |host: &Host| operation(host.status) == 0x3000 && host.is_up();
        assert!(
            !(self.hosts.values().any(skipped) && self.hosts.values().any(done)),
            "{}",
            self.log.join("\n")
        );
        if self.hosts.values().any(|host| operation(host.status) == 0x2000 && host.is_up()) {
            return;
        }
        for host in self.hosts.values_mut() {
            host.status = match host.status {
                0x3021 | 0x3121 => 0x21,
                0x3221 => 0x11,
                0x1220 | 0x3220 => 0x10,
                status => status,
            };
        }
    }

    fn abort(&mut self) {
        for host in self.hosts.values_mut() {
            host.status = match host.status {
                0x2021 | 0x3021 | 0x1221 | 0x2221 | 0x3221 => 0x1021,
                0x2121 | 0x3121 => 0x1121,
                0x1220 | 0x3220 => 0x10,
                status => status,
            };
        }
    }
}
