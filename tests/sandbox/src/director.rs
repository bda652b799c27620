//! Plays the events one after the other, and holds every node against what it must show.
//!
//! What a change is stands in `change`, how it is shown in `plain` and `live`; here is only what must be true.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::census::Program;
use super::cluster::Cluster;
use super::member::Member;
use super::news::{News, Teller};
use super::record::{Failure, Record, Time, spread};
use super::scenario::{Event, Then, What};
use super::sightings::Sighting;
use super::toll::{Restarts, Toll};
use super::traffic::{Counted, Lost};

/// More events than that which cannot be played tell nothing new.
const FAILURES: usize = 3;
/// Where the text of lines begins.
const MARGIN: &str = "                  ";
/// Nor do the logs of more nodes than that, after one failure.
const LOGS: usize = 2;

/// The one who plays.
#[derive(Debug)]
pub(super) struct Director {
    /// What is played with.
    pub cluster: Cluster,
    /// What came of it.
    pub record: Record,
    pub(super) news: Teller,
    start: Instant,
    /// Events that could not be played to their end.
    broken_off: usize,
    /// Keys that were lost when all were counted the last time.
    lost: BTreeSet<String>,
}

/// Why an event failed, and whose log may tell more.
#[derive(Debug)]
pub(super) struct Trouble {
    what: String,
    nodes: Vec<String>,
    /// Whether the cluster is as the next event needs it, whatever it has cost.
    goes_on: bool,
}

/// What stood in the files before an event.
pub(super) type Before = BTreeMap<String, Option<Sighting>>;

impl Director {
    /// Nothing has been played yet.
    pub(super) fn new(cluster: Cluster, news: Teller) -> Self {
        Self {
            cluster,
            record: Record::default(),
            news,
            start: Instant::now(),
            broken_off: 0,
            lost: BTreeSet::new(),
        }
    }

    /// Plays everything, also after a failure, unless there are too many.
    pub(super) async fn play(&mut self, events: &[Event]) {
        for (number, event) in (1..).zip(events) {
            let title = event.title.clone();
            self.news.tell(News::Begins { number, of: events.len(), title });
            match self.event(event).await {
                Ok(line) => self.say("ok", &format!("{}: {line}", event.title)),
                Err(trouble) => self.failed(event, trouble).await,
            }
            let without_start = number == 1 && self.broken_off > 0;
            if without_start || self.broken_off >= FAILURES {
                return self.say("", "giving up");
            }
        }
    }

    async fn event(&mut self, event: &Event) -> Result<String, Trouble> {
        let (begun, counted) = (Instant::now(), self.cluster.traffic.take());
        let last = |member: &Member| (member.name.clone(), member.sightings.last());
        let before: Before = self.cluster.members.iter().map(last).collect();
        let changed = self.cluster.change(&event.what).await?;
        let title = &event.title;
        let line = match event.then {
            Then::EveryRingFollows => self.follows(title, changed).await,
            Then::EveryFileStays => {
                let What::Sick(malady) = &event.what else {
                    return Err(Trouble::with(Vec::new(), "only a sickness has a recovery to wait for"));
                };
                self.stays(title, &malady.cause, &changed, &before, begun).await
            }
            Then::HeldUntilReleased => self.released(title, changed, &before).await,
            Then::CaughtUp => self.catches_up(title, &before, begun).await,
            Then::BackInOrder => self.comes_back(title, changed.at).await,
            Then::RunsFromKept => self.runs_from_kept(title, &changed, &before).await,
        }?;
        let without_file =
            if event.then == Then::RunsFromKept { Some(self.cluster.newest_slave()?) } else { None };
        self.sound_since(begun, without_file.as_deref())?;
        let toll = self.toll(begun, counted).await?;
        let (cost, faults) = (toll.line(), toll.faults(event.what.restarts()));
        self.record.charge(event.then, toll);
        if faults.is_empty() {
            Ok(format!("{line}\n{cost}"))
        } else {
            Err(Trouble { what: faults.join("; "), nodes: Vec::new(), goes_on: true })
        }
    }

    /// What the event cost: restarts by the kernel's word, lost keys by reading each of them through every slave.
    async fn toll(&mut self, since: Instant, counted: Counted) -> Result<Toll, Trouble> {
        let traffic = &self.cluster.traffic;
        traffic.reads_beyond(counted.reads).await;
        let mut counts = JoinSet::new();
        for slave in self.cluster.slaves() {
            counts.spawn(traffic.count(&slave.name, slave.seat.door.clone()));
        }
        let counts = counts.join_all().await;
        let keys = counts.iter().map(|(_, keys)| *keys).max().unwrap_or_default();
        // What one slave does not find is lost, whatever another one finds.
        let missing: Lost = counts.into_iter().flat_map(|(lost, _)| lost).collect();
        traffic.lost(missing.len());
        let now_lost = missing.keys().cloned().collect();
        let before = std::mem::replace(&mut self.lost, now_lost);
        let (old, lost): (Lost, Lost) = missing.into_iter().partition(|(key, _)| before.contains(key));
        let lives = self.cluster.census.fresh().await;
        let count = |program| lives.all_restarts(program, since);
        let restarts = Restarts {
            chmpx: count(Program::Chmpx),
            k2hdkc: count(Program::K2hdkc),
            agents: count(Program::Agent),
        };
        let counted = self.cluster.traffic.take().since(counted);
        let trouble = self.cluster.traffic.trouble();
        Ok(Toll { restarts, lost, lost_before: old.len(), keys, counted, trouble })
    }

    /// What must be true at any time: agents live, and no file was ever absent or unloadable, but the one that was
    /// lost on purpose.
    fn sound_since(&mut self, since: Instant, without_file: Option<&str>) -> Result<(), Trouble> {
        for member in &mut self.cluster.members {
            if !member.node.is_running() {
                return Err(Trouble::at(&member.name, "its agent ended by itself"));
            }
            let problems = member.sightings.unloadable_since(since);
            if let Some(problem) = problems.first().filter(|_| without_file != Some(member.name.as_str())) {
                return Err(Trouble::at(&member.name, format!("its file was not loadable: {problem}")));
            }
        }
        Ok(())
    }

    /// Longest time for anything that a node must do.
    pub(super) fn patience(&self) -> Duration {
        self.cluster.pace.patience
    }

    /// Says a line; what follows it in the same text stands below it.
    pub(super) fn say(&self, mark: &str, text: &str) {
        let start = format!("{:6.1} s  {mark:<6}  ", self.start.elapsed().as_secs_f64());
        self.news.say(start + &text.replace('\n', &format!("\n{MARGIN}")));
    }

    async fn failed(&mut self, event: &Event, trouble: Trouble) {
        let what = trouble.to_string();
        self.say("FAILED", &format!("{}: {what}", event.title));
        let concerned = self.cluster.members.iter_mut().filter(|member| trouble.nodes.contains(&member.name));
        for member in concerned.take(LOGS) {
            let runs = if member.node.is_running() { "runs" } else { "has ended" };
            self.news.say(format!("{MARGIN}{}'s agent {runs}; the end of its log:", member.name));
            member.last_log_lines().iter().for_each(|line| self.news.say(format!("{MARGIN}  {line}")));
        }
        self.broken_off += usize::from(!trouble.goes_on);
        self.record.failures.push(Failure { title: event.title.clone(), what });
        if let Err(error) = self.cluster.cure().await {
            self.say("", &format!("K2HR3 could not be made well: {error}"));
        }
    }
}

/// Least, middle and greatest time, for a line.
pub(super) fn times_line(times: &[Time]) -> String {
    let spread = spread(times.iter().map(|time| time.took));
    spread.map_or_else(String::new, |[least, middle, most]| {
        format!("after {} .. {} ms (median {})", least.as_millis(), most.as_millis(), middle.as_millis())
    })
}

impl Trouble {
    /// With one node.
    pub(super) fn at(node: &str, what: impl std::fmt::Display) -> Self {
        Self { what: format!("{node}: {what}"), nodes: vec![node.to_owned()], goes_on: false }
    }

    /// With several nodes.
    pub(super) fn with(nodes: Vec<String>, what: impl Into<String>) -> Self {
        Self { what: what.into(), nodes, goes_on: false }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self { what: error.to_string(), nodes: Vec::new(), goes_on: false }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}
