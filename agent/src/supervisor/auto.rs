//! Supervisor kind `auto`: which of the others it is, by what is on this host, and why.
//!
//! The selection happens once. Until something is found, the agent only keeps the file and searches ever less often: a
//! container or a package may come later. A selection stays for the life of the agent: while a container is made again, the
//! agent must not start programs of its own beside it.

pub(super) mod choose;
pub(super) mod findings;

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info};

use crate::retry::{Backoff, Retry};
use crate::settings::{Containers, OnExit, Supervisor, SupervisorKind};
use choose::{Choice, Kind};

/// Pause between two searches in vain: the first, and the longest.
const AGAIN: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// Longest time of Trove's guest from the image to its container.
const COMES_WITHIN: Duration = Duration::from_mins(10);

/// Fault of the settings that only a selected Docker reveals; with the kind named, the check of the settings reports it.
const NO_STOP: &str = "supervisor.on-exit = \"stop\" is not possible with containers: chmpx and k2hdkc will run on when the \
     agent ends";

/// State of the selection.
#[derive(Debug)]
pub(super) struct Auto {
    clues: Clues,
    /// Selection of the previous agent.
    before: Option<Kind>,
    on_exit: OnExit,
    choice: Option<Choice>,
    /// True if the programs may be in containers that cannot be seen.
    may_be_docker: bool,
    /// Searches in vain.
    searches: Retry,
    /// Time of the first search.
    since: Option<Instant>,
}

/// Subject of the search; other clues start a new selection.
#[derive(Debug, PartialEq, Eq)]
struct Clues {
    containers: Containers,
    unit: String,
    programs: [String; 2],
}

impl Clues {
    fn of(settings: &Supervisor) -> Self {
        let process = &settings.process;
        Self {
            // The path of the ini inside says nothing of where the programs are.
            containers: Containers { ini: String::new(), ..settings.containers.clone() },
            unit: settings.units.chmpx.clone(),
            programs: [process.chmpx.clone(), process.k2hdkc.clone()],
        }
    }
}

impl Auto {
    /// Starts without a search, with the selection of the previous agent.
    pub(super) fn new(settings: &Supervisor, before: Option<Kind>) -> Self {
        let (clues, on_exit) = (Clues::of(settings), settings.on_exit);
        Self {
            clues,
            before,
            on_exit,
            choice: None,
            may_be_docker: false,
            searches: Retry::default(),
            since: None,
        }
    }

    /// Selection of the previous agent.
    pub(super) fn before(&self) -> Option<Kind> {
        self.before
    }

    /// Keeps the selection under other settings; `None` if these start a new one.
    pub(super) fn follow(self, settings: &Supervisor) -> Option<Self> {
        if settings.kind != SupervisorKind::Auto || self.clues != Clues::of(settings) {
            return None;
        }
        let was_told = self.is_kept_running();
        let auto = Self { on_exit: settings.on_exit, ..self };
        if auto.is_kept_running() && !was_told {
            error!("{NO_STOP}");
        }
        Some(auto)
    }

    /// True if a search is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let open = self.choice.as_ref().is_none_or(|choice| choice.kind == Kind::None);
        open && self.searches.is_due(now)
    }

    /// Time of the next search; `None` after a selection, and before the first search.
    pub(super) fn next(&self) -> Option<Instant> {
        self.searches.not_before()
    }

    /// True if the search has lasted long enough for a container that may be about to come.
    pub(super) fn has_waited(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) >= COMES_WITHIN)
    }

    /// Takes a choice in; what is new in it is logged, but not by a command that only looks.
    pub(super) fn take(&mut self, choice: Choice, now: Instant, random: f64, looks_on: bool) -> Kind {
        let kind = choice.kind;
        self.since.get_or_insert(now);
        match kind {
            Kind::None => self.searches.failed(now, choice.why.as_str(), &AGAIN, random),
            _ => self.searches.succeeded(),
        }
        let news = self.choice.as_ref() != Some(&choice);
        self.choice = Some(choice);
        if let Some(choice) = self.choice.as_ref().filter(|_| news && !looks_on) {
            info!("supervisor: {choice}");
            if self.is_kept_running() {
                error!("{NO_STOP}");
            }
        }
        kind
    }

    /// Takes in whether the programs may be in containers of which nothing was seen.
    pub(super) fn suspect(&mut self, may_be_docker: bool) {
        self.may_be_docker = may_be_docker;
    }

    /// Reason why the place of the programs is unknown.
    pub(super) fn in_doubt(&self) -> Option<String> {
        let choice = self.choice.as_ref().filter(|choice| choice.kind == Kind::None)?;
        self.may_be_docker.then(|| choice.why.clone())
    }

    /// The kind that is in force.
    pub(super) fn kind(&self) -> Kind {
        self.choice.as_ref().map_or(Kind::None, |choice| choice.kind)
    }

    /// Selection for the status; `None` before the first search.
    pub(super) fn choice(&self) -> Option<Choice> {
        let Choice { kind, why } = self.choice.clone()?;
        let why = if self.is_kept_running() { format!("{why}; {NO_STOP}") } else { why };
        Some(Choice { kind, why })
    }

    fn is_kept_running(&self) -> bool {
        self.on_exit == OnExit::Stop && self.kind() == Kind::Docker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Origin};

    fn supervisor() -> Supervisor {
        settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap().supervisor
    }

    fn choice(kind: Kind) -> Choice {
        Choice { kind, why: "because".into() }
    }

    fn picked(kind: Kind) -> (Auto, Instant) {
        let (mut auto, now) = (Auto::new(&supervisor(), None), Instant::now());
        auto.take(choice(kind), now, 1.0, true);
        (auto, now)
    }

    #[test]
    fn it_is_looked_at_once_and_then_less_and_less_often_while_nothing_is_there() {
        let (mut auto, mut now) = (Auto::new(&supervisor(), None), Instant::now());
        assert!(auto.is_due(now));
        let waits = [5, 10, 20, 40, 60, 60].map(Duration::from_secs);
        for wait in waits {
            auto.take(choice(Kind::None), now, 1.0, true);
            assert_eq!(auto.next(), Some(now + wait));
            assert!(!auto.is_due(now + wait - Duration::from_millis(1)) && auto.is_due(now + wait));
            now += wait;
        }
    }

    #[test]
    fn a_container_that_may_come_is_waited_for_from_the_first_look_on() {
        let (mut auto, now) = (Auto::new(&supervisor(), None), Instant::now());
        assert!(!auto.has_waited(now + COMES_WITHIN), "nobody has looked yet");
        auto.take(choice(Kind::None), now, 1.0, true);
        auto.take(choice(Kind::None), now + AGAIN.least, 1.0, true);
        let just_before = now + COMES_WITHIN.saturating_sub(Duration::from_millis(1));
        assert_eq!((auto.has_waited(just_before), auto.has_waited(now + COMES_WITHIN)), (false, true));
    }

    #[test]
    fn what_was_picked_is_never_looked_for_again() {
        for kind in [Kind::Docker, Kind::Systemd, Kind::Process] {
            let (auto, now) = picked(kind);
            assert_eq!((auto.is_due(now + AGAIN.most * 1000), auto.next(), auto.kind()), (false, None, kind));
        }
    }

    #[test]
    fn other_settings_keep_it_unless_something_else_is_to_be_looked_for() {
        let (auto, _) = picked(Kind::Docker);
        let mut changed = supervisor();
        changed.timing.drain = Duration::from_secs(1);
        changed.timing.resync_interval = Duration::from_secs(1);
        changed.containers.ini = "/other.ini".into();
        let kept = auto.follow(&changed).and_then(|auto| auto.choice());
        assert_eq!(kept, Some(choice(Kind::Docker)));
        let other: [fn(&mut Supervisor); 5] = [
            |supervisor| supervisor.containers.container = Some("other".into()),
            |supervisor| supervisor.containers.socket = Some("/other.sock".into()),
            |supervisor| supervisor.units.chmpx = "other.service".into(),
            |supervisor| supervisor.process.chmpx = "/other".into(),
            |supervisor| supervisor.kind = SupervisorKind::Systemd,
        ];
        for change in other {
            let mut changed = supervisor();
            change(&mut changed);
            assert!(picked(Kind::Docker).0.follow(&changed).is_none(), "{changed:?}");
        }
    }

    #[test]
    fn that_containers_do_not_end_with_the_agent_is_told_where_that_was_wanted() {
        let stop = Supervisor { on_exit: OnExit::Stop, ..supervisor() };
        for (kind, told) in [(Kind::Docker, true), (Kind::Systemd, false), (Kind::Process, false)] {
            let (auto, _) = picked(kind);
            assert_eq!(auto.choice(), Some(choice(kind)));
            let why = auto.follow(&stop).and_then(|auto| auto.choice()).unwrap().why;
            assert_eq!(why.contains("on-exit = \"stop\" is not possible"), told, "{why}");
        }
    }
}
