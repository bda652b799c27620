//! Plays the events one after the other, and holds every node against what it must show.
//!
//! `change` carries an event out; `plain` and `live` show it. Only the judgement is here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::census::Program;
use super::cluster::Cluster;
use super::cost::{Cost, Restarts};
use super::counters::Counted;
use super::member::Member;
use super::news::{News, Teller};
use super::record::{Outcome, Record, Row, Time};
use super::report::Report;
use super::scenario::{Event, Then, What};
use super::sightings::Sighting;
use super::table;
use super::traffic::Lost;

/// More events than that which cannot be played tell nothing new.
const FAILURES: usize = 3;
/// Nor do the logs of more nodes than that, after one failure.
const LOGS: usize = 2;

/// The director.
#[derive(Debug)]
pub(super) struct Director {
    /// The cluster that is played with.
    pub cluster: Cluster,
    /// The measures.
    pub record: Record,
    /// The report, with everything else that was found out.
    pub report: Report,
    news: Teller,
    start: Instant,
    /// Events that could not be played to their end.
    broken_off: usize,
    /// Keys that were lost when all were counted the last time.
    lost: BTreeSet<String>,
}

/// The reason why an event failed, and the nodes whose logs may have more.
#[derive(Debug)]
pub(super) struct Trouble {
    what: String,
    nodes: Vec<String>,
}

/// The files before an event.
pub(super) type Before = BTreeMap<String, Option<Sighting>>;

impl Director {
    /// Makes a director who has played nothing yet.
    pub(super) fn new(cluster: Cluster, report: Report, news: Teller) -> Self {
        Self {
            cluster,
            record: Record::default(),
            report,
            news,
            start: Instant::now(),
            broken_off: 0,
            lost: BTreeSet::new(),
        }
    }

    /// Plays everything, also after a failure, unless there are too many.
    pub(super) async fn play(&mut self, events: &[Event]) {
        self.record.of = events.len();
        self.news.lines(table::head());
        for (number, event) in (1..).zip(events) {
            let title = event.title.clone();
            self.news.tell(News::Begins { number, of: events.len(), title });
            match self.event(event).await {
                Ok((measured, faults)) => self.ends(event, Some(measured), faults),
                Err(trouble) => self.failed(event, trouble).await,
            }
            let without_start = number == 1 && self.broken_off > 0;
            if without_start || self.broken_off >= FAILURES {
                return self.news.say("giving up");
            }
        }
    }

    async fn event(&mut self, event: &Event) -> Result<((Outcome, Cost), Vec<String>), Trouble> {
        let (begun, counted) = (Instant::now(), self.cluster.traffic.take());
        let last = |member: &Member| (member.name.clone(), member.sightings.last());
        let before: Before = self.cluster.members.iter().map(last).collect();
        let changed = self.cluster.change(&event.what).await?;
        let outcome = match event.then {
            Then::EveryRingFollows => self.follows(changed).await,
            Then::EveryFileStays => {
                let What::Sick(answer) = &event.what else {
                    return Err(Trouble::with(Vec::new(), "only a sickness has a recovery to wait for"));
                };
                self.stays(&answer.cause, &changed, &before, begun).await
            }
            Then::HeldUntilReleased => self.released(changed, &before).await,
            Then::CaughtUp => self.catches_up(&before, begun).await,
            Then::BackInOrder => self.comes_back(changed.at).await,
            Then::RunsFromKept => self.runs_from_kept(&changed, &before).await,
        }?;
        let without_file =
            if event.then == Then::RunsFromKept { Some(self.cluster.newest_slave()?) } else { None };
        self.sound_since(begun, without_file.as_deref())?;
        let cost = self.cost(begun, counted).await?;
        let faults = cost.faults(event.what.restarts());
        Ok(((outcome, cost), faults))
    }

    /// Records an event, and shows its row.
    fn ends(&mut self, event: &Event, measured: Option<(Outcome, Cost)>, faults: Vec<String>) {
        let row = Row { at: self.start.elapsed(), title: event.title.clone(), measured, faults };
        self.news.lines(table::rows(&row));
        self.report.add(table::details(&row));
        self.record.rows.push(row);
    }

    /// Counts what the event cost: restarts as the kernel knows them, lost keys by reading each of them through every slave.
    async fn cost(&mut self, since: Instant, counted: Counted) -> Result<Cost, Trouble> {
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
        Ok(Cost { restarts, lost, lost_before: old.len(), keys, counted, trouble })
    }

    /// Checks what must be true at any time: agents live, and no file was ever absent or unloadable, but the one that was
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

    async fn failed(&mut self, event: &Event, trouble: Trouble) {
        self.broken_off += 1;
        self.ends(event, None, vec![trouble.to_string()]);
        let concerned = self.cluster.members.iter_mut().filter(|member| trouble.nodes.contains(&member.name));
        for member in concerned.take(LOGS) {
            let runs = if member.node.is_running() { "runs" } else { "has ended" };
            self.report.add([format!("         the agent of {} {runs}; the end of its log:", member.name)]);
            self.report.add(member.last_log_lines().iter().map(|line| format!("           {line}")));
        }
        if let Err(error) = self.cluster.cure().await {
            self.news.say(format!("         K2HR3 could not be made well: {error}"));
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

fn spread(times: impl IntoIterator<Item = Duration>) -> Option<[Duration; 3]> {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    Some([*times.first()?, times[times.len() / 2], *times.last()?])
}

impl Trouble {
    /// With one node.
    pub(super) fn at(node: &str, what: impl std::fmt::Display) -> Self {
        Self { what: format!("{node}: {what}"), nodes: vec![node.to_owned()] }
    }

    /// With several nodes.
    pub(super) fn with(nodes: Vec<String>, what: impl Into<String>) -> Self {
        Self { what: what.into(), nodes }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self { what: error.to_string(), nodes: Vec::new() }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}
