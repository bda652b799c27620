//! Plays the events one after the other, and holds every node against what it must show.
//!
//! What a change is stands in `change`, how it is shown in `plain` and `live`; here is only what must be true.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use k2hdkc_agent::clock::spoken;

use super::change::Changed;
use super::cluster::Cluster;
use super::member::Member;
use super::news::{News, Teller};
use super::plain;
use super::record::{Failure, Record, Scale, Time, spread};
use super::scenario::{Event, Then, What};
use super::sightings::Sighting;

/// More failures than that tell nothing new.
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
}

/// Why an event failed, and whose log may tell more.
#[derive(Debug)]
pub(super) struct Trouble {
    what: String,
    nodes: Vec<String>,
}

/// What stood in the files before an event.
pub(super) type Before = BTreeMap<String, Option<Sighting>>;

impl Director {
    /// Nothing has been played yet.
    pub(super) fn new(cluster: Cluster, news: Teller) -> Self {
        Self { cluster, record: Record::default(), news, start: Instant::now() }
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
            let without_start = number == 1 && !self.record.failures.is_empty();
            if without_start || self.record.failures.len() >= FAILURES {
                return self.say("", "giving up");
            }
        }
    }

    async fn event(&mut self, event: &Event) -> Result<String, Trouble> {
        let begun = Instant::now();
        let last = |member: &Member| (member.name.clone(), member.sightings.last());
        let before: Before = self.cluster.members.iter().map(last).collect();
        let changed = self.cluster.change(&event.what)?;
        let line = match event.then {
            Then::EveryFileFollows => self.follows(&event.title, changed, &before).await,
            Then::EveryFileStays => {
                let What::Sick(malady) = &event.what else {
                    return Err(Trouble::with(Vec::new(), "only a sickness has a recovery to wait for"));
                };
                self.stays(&event.title, &malady.cause, &changed, &before).await
            }
            Then::HeldUntilReleased => self.released(&event.title, &changed, &before).await,
            Then::CaughtUp => self.catches_up(&event.title, &before).await,
            Then::RunsFromKept => return self.runs_from_kept(&event.title, &changed, &before).await,
        }?;
        self.sound_since(begun)?;
        Ok(line)
    }

    /// Every file lists exactly the members of the roles; a node that left keeps its file and says why.
    async fn follows(&mut self, title: &str, changed: Changed, before: &Before) -> Result<String, Trouble> {
        let times = self.times_from(changed.at, &changed.booted).await?;
        let line = times_line(&times);
        self.record.scales.push(Scale { title: title.to_owned(), times });
        let mut line = format!("in every file {line}");
        for mut member in changed.left {
            let why = self.left_alone(&member, &changed.begun, before).await?;
            line = format!("{line}\n{}, which left, keeps its file: {why}", member.name);
            member.stop().map_err(|error| Trouble::at(&member.name, error))?;
        }
        Ok(line)
    }

    /// Waits until every file says what K2HR3 says now; each node's time since `since`.
    pub(super) async fn times_from(&self, since: Instant, booted: &[String]) -> Result<Vec<Time>, Trouble> {
        let (wanted, end) = (self.cluster.wanted(), Instant::now() + self.patience());
        let (mut times, mut behind) = (Vec::new(), Vec::new());
        for Member { name, sightings, .. } in &self.cluster.members {
            match sightings.saying(&wanted, end.saturating_duration_since(Instant::now())).await {
                Some(at) => times.push(Time {
                    node: name.clone(),
                    took: at.saturating_duration_since(since),
                    booted: booted.contains(name),
                }),
                None => behind
                    .push((name.clone(), plain::file_line(sightings.last().map(|last| last.shown).as_ref()))),
            }
        }
        if behind.is_empty() { Ok(times) } else { Err(self.behind(&behind)) }
    }

    fn behind(&self, behind: &[(String, String)]) -> Trouble {
        let names: Vec<_> = behind.iter().map(|(name, _)| name.clone()).collect();
        let first = behind.first().map_or("", |(_, shown)| shown);
        let within = spoken(self.patience());
        let what = format!("not followed within {within} by {}; {}: {first}", names.join(", "), names[0]);
        Trouble::with(names, what)
    }

    /// What must be true at any time: agents live, and no file was ever absent or unloadable.
    fn sound_since(&mut self, since: Instant) -> Result<(), Trouble> {
        for member in &mut self.cluster.members {
            if !member.node.is_running() {
                return Err(Trouble::at(&member.name, "its agent ended by itself"));
            }
            if let Some(problem) = member.sightings.unloadable_since(since).first() {
                return Err(Trouble::at(&member.name, format!("its file was not loadable: {problem}")));
            }
        }
        Ok(())
    }

    /// Longest time for anything that a node must do: a hundred polls and more.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(10) + self.cluster.pace.interval * 100
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
