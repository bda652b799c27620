//! The programs on the slaves: readers, and one writer for each key. They keep book of what was acknowledged.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use k2hdkc_agent::ring_change::Mark;
use k2hdkc_simulators::model::ring::{Answer, Deed, Key, Micros, Node, Ticket};

use crate::oracle::{Book, Broken};
use crate::plan::{Plan, SECOND};
use crate::world::{Wake, World};

/// Programs on each slave: the first ones write.
const PROGRAMS: usize = 3;
const WRITERS: usize = 1;
/// The last words of a change may reach a slave behind its stop: 3 of 338,756 real reads got nothing within 7 ms.
const LATE_WORDS: Micros = SECOND / 10;
/// The time of the first requests.
pub(crate) const FIRST_REQUEST: Micros = 20 * SECOND;

/// A request on its way.
#[derive(Debug, Clone, Copy)]
struct Asked {
    program: usize,
    key: Key,
    deed: Deed,
    /// The version that was acknowledged before it began.
    floor: u32,
    /// The latest version that was written before it began.
    written: u32,
    /// Removals that had begun before.
    removals: u32,
    /// The time.
    at: Micros,
}

/// All programs.
#[derive(Debug)]
pub(crate) struct Clients {
    slaves: usize,
    first_slave: Node,
    books: Vec<Book>,
    asked: BTreeMap<Ticket, Asked>,
    /// What was acknowledged before is not sure any more.
    forgotten_at: Micros,
    /// Moments at which servers merged while a slave that should have stood still did not.
    pub(crate) open_merges: u64,
    /// Requests that failed.
    pub(crate) failed: u64,
}

impl Clients {
    /// Makes the programs of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            slaves: plan.slaves,
            first_slave: plan.servers,
            books: vec![Book::default(); plan.keys],
            asked: BTreeMap::new(),
            failed: 0,
            open_merges: 0,
            forgotten_at: 0,
        }
    }

    /// Counts the programs.
    pub(crate) fn count(&self) -> usize {
        self.slaves * PROGRAMS
    }
}

impl World {
    /// A program asks.
    pub(crate) fn program(&mut self, program: usize) {
        let (slave, role) = (self.clients.first_slave + program / PROGRAMS, program % PROGRAMS);
        let writes = role < WRITERS;
        let key = if writes { self.own_key(program) } else { self.rng.usize(0..self.plan.keys) };
        let book = &mut self.clients.books[key];
        let (floor, written) = (book.acknowledged, book.written);
        let removes = writes && self.plan.deletes && self.rng.u8(0..10) == 0;
        let deed = match (writes, removes) {
            (false, _) => Deed::Get,
            (true, true) => {
                book.removals += 1;
                book.acknowledged = 0;
                Deed::Delete
            }
            (true, false) => {
                book.written += 1;
                Deed::Set(book.written)
            }
        };
        let removals = book.removals;
        let ticket = self.ring.ask(slave, key, deed);
        self.clients
            .asked
            .insert(ticket, Asked { program, key, deed, floor, written, removals, at: self.ring.now() });
    }

    /// A key of which this program is the only writer.
    fn own_key(&mut self, program: usize) -> Key {
        let writer = program / PROGRAMS;
        let keys = (self.plan.keys - writer).div_ceil(self.clients.slaves);
        writer + self.rng.usize(0..keys) * self.clients.slaves
    }

    /// Takes the answers, and has the programs ask again.
    pub(crate) fn take_outcomes(&mut self) {
        let outcomes: Vec<_> = self.ring.outcomes().collect();
        for outcome in outcomes {
            let Some(asked) = self.clients.asked.remove(&outcome.ticket) else { continue };
            self.judge(asked, outcome.answer);
            let at = self.now() + self.rng.u64(10_000..60_000);
            self.wake(at, Wake::Program(asked.program));
        }
    }

    fn judge(&mut self, asked: Asked, answer: Answer) {
        let Asked { key, floor, written, removals, .. } = asked;
        let slave = self.clients.first_slave + asked.program / PROGRAMS;
        let sure =
            asked.at > self.clients.forgotten_at && self.now() > self.agents[slave].thawed_at + LATE_WORDS;
        let book = &mut self.clients.books[key];
        let sure = sure && removals == book.removals && !book.removal_unknown;
        match (asked.deed, answer) {
            (Deed::Delete, answer) => book.removal_unknown |= answer != Answer::Ok,
            (Deed::Set(version), Answer::Ok) if sure => {
                book.acknowledged = version;
                self.note(|| format!("key {key}: {version} is acknowledged"));
            }
            (Deed::Set(version), answer) => {
                book.unknown.insert(version);
                self.clients.failed += u64::from(answer == Answer::Failed);
                self.note(|| format!("key {key}: the write of {version} ended with {answer:?}"));
            }
            (Deed::Get, Answer::Value(got)) if sure && !book.allows(floor, got) => {
                self.old(key, Some(got), floor..=written);
            }
            (Deed::Get, Answer::NotFound) if sure && floor > 0 => self.old(key, None, floor..=written),
            (Deed::Get, Answer::Failed) => {
                self.clients.failed += 1;
                self.note(|| format!("key {key}: a read failed"));
            }
            (Deed::Get, _) => {}
        }
    }

    /// While servers merge and a slave does not stand still, nothing is sure any more of what was acknowledged: a leaving server takes
    /// writes to its end, and a key that changes during a copy is not sent at all (W2, W3); a server that comes back gets no
    /// writes (W1); and a write that reaches a stopped server has it ask for newer keys only, of whichever program they are. So
    /// it is before the merge where the slave is not going to stop: by the settings, without its agent, or since its list was
    /// not calm after its latest stop.
    pub(crate) fn forget_in_a_merge(&mut self) {
        let own = |node: Node| self.ring.list(node).map_or(0, |list| list.status(node).bits());
        let any = |bits: u64| (0..self.plan.servers).any(|node| own(node) & bits != 0);
        let runs = |slave: Node| self.ring.chmpx(slave).is_some() && !self.ring.is_frozen(slave);
        let serves = self.ring.now() > FIRST_REQUEST;
        // A slave hears of the end last, and until then writes to those that leave.
        let believes = |slave: Node| {
            self.ring.list(slave).is_some_and(|list| list.iter().any(|(_, status)| status.is_operating()))
        };
        let open =
            serves && self.plan.slave_nodes().any(|slave| runs(slave) && (any(0x2000) || believes(slave)));
        let wraps = self.wraps();
        if open || wraps || any(0x3000) && self.is_careless() {
            self.clients.forgotten_at = self.ring.now();
            self.clients.books.iter_mut().for_each(|book| book.acknowledged = 0);
        }
        self.clients.open_merges += u64::from(open && !self.is_careless());
    }

    /// Checks whether a server copies with more extra copies than there are other servers: it asks for its own slot alone (D15), and
    /// its replicas stay as old as they are. A server that waits to join, or has just left, is counted by REPLICA and not by the ring.
    fn wraps(&self) -> bool {
        (0..self.plan.servers).filter_map(|node| self.ring.chmpx(node)).any(|chmpx| {
            let after = chmpx.list.pending().count();
            chmpx.status().is_doing() && after > 1 && chmpx.ini.replicas >= after
        })
    }

    fn is_careless(&self) -> bool {
        let careless = |slave: Node| {
            let agent = &self.agents[slave];
            !agent.runs() || agent.blind_until > self.ring.now() || agent.disk.mark == Mark::Thawed
        };
        !self.plan.freezes || self.plan.slave_nodes().any(careless)
    }

    /// A read got too little: a violation where a server that lives has more, of a write that began before the read did.
    fn old(&mut self, key: Key, got: Option<u32>, versions: RangeInclusive<u32>) {
        let floor = *versions.start();
        let Some(holder) = (0..self.plan.servers).find(|node| self.has(*node, key, &versions)) else {
            return self.note(|| format!("key {key}: got {got:?} for {floor}, whose holders are dead"));
        };
        self.violate(match got {
            Some(got) => Broken::Old { key, got, acknowledged: floor, holder },
            None => Broken::NotFound { key, acknowledged: floor, holder },
        });
    }

    /// Checks whether a server that serves, and that all reach, has one of these versions of a key. One that was gone and has not come back
    /// into the ring yet may have the only copy: k2hdkc answers before it sends the replicas.
    fn has(&self, node: Node, key: Key, versions: &RangeInclusive<u32>) -> bool {
        let lives =
            self.ring.k2hdkc(node).is_some() && self.ring.chmpx(node).is_some() && self.ring.reaches(node, 0);
        lives
            && !self.courses[node].away
            && self.ring.item(node, key).is_some_and(|item| versions.contains(&item.value))
    }

    /// At the end every slave reads what was acknowledged, where any server has it.
    pub(crate) fn check_all_keys(&mut self) {
        for slave in self.plan.slave_nodes() {
            for key in 0..self.plan.keys {
                let book = &self.clients.books[key];
                let (floor, server) = (book.acknowledged, self.ring.server_of(slave, key));
                let got = server.and_then(|server| self.ring.item(server, key)).map(|item| item.value);
                let good = got.map_or(floor == 0, |got| book.allows(floor, got));
                let held = (0..self.plan.servers).any(|node| self.has(node, key, &(floor..=book.written)));
                if !good && held {
                    self.violate(Broken::Lost { key, got, acknowledged: floor });
                }
            }
        }
    }
}
