//! Observes the processes: from outside at every observation, from inside after a change.
//!
//! A program that is run inside at the moment of a `docker pause` is frozen half-way, and then no `docker unpause` comes to its
//! end (containerd 1.6.20 with runc 1.1.5: the second of 40 pauses beside programs that are run without a break). So the
//! agent keeps out of a container in which, to Docker's own `top`, nothing has come or gone.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::container_exit::ContainerExit;
use super::engine::{Engine, EngineError};
use super::exit_watch::ExitWatch;
use super::pick::{self, Container, Picked, RunState};
use super::probe::{self, Probe};
use super::top::TopEntry;
use super::words::Why;
use crate::settings::Containers;
use crate::supervisor::{Exit, ExitStatus, Observed, ProcessId, Program, Running};
use crate::wake::Waker;

/// Pause between two observations.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same pause after a known change.
const LOOK_SOON: Duration = Duration::from_millis(200);
/// Pause between two probes without a change: no event reports an edited file.
const INSIDE_AGAIN: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Observer {
    looked: Option<Instant>,
    /// True after an event or an action since the last observation.
    stale: bool,
    picked: Option<Picked>,
    /// Told at once where that can be.
    pub(super) exit_watch: ExitWatch,
    /// The processes as they are seen from outside, and when they were last looked at from inside.
    outside: Vec<TopEntry>,
    entered: Option<Instant>,
    /// Result of the last probe of each container.
    pub(super) probes: Vec<(Container, Probe)>,
    pub(super) chmpx: Option<Running>,
    pub(super) k2hdkc: Option<Running>,
    surplus: Vec<(Program, u32)>,
    /// Ends of the containers that do not run, by their ids.
    ends: BTreeMap<String, ContainerExit>,
    /// A start that was asked for; its process has not been seen yet.
    awaited: Option<Program>,
    /// Reason why nothing can be observed.
    pub(super) unseen: Option<String>,
    /// Exits since the last report.
    ended: Vec<Exit>,
    appeared: Option<(Program, ProcessId)>,
}

impl Observer {
    /// Marks the last observation as out of date.
    pub(super) fn doubt(&mut self) {
        self.stale = true;
    }

    /// Takes note that the settings name other containers.
    pub(super) fn turn_away(&mut self) {
        self.awaited = None;
        self.doubt();
    }

    /// Takes note that the program's container was started.
    pub(super) fn awaits(&mut self, program: Program) {
        self.awaited = Some(program);
    }

    /// Time until the next observation; after a change the pass waits for it.
    pub(super) fn due_in(&self) -> Duration {
        let again = if self.stale || self.unseen.is_some() { LOOK_SOON } else { LOOK_AGAIN };
        self.looked.map_or(Duration::ZERO, |at| again.saturating_sub(at.elapsed()))
    }

    /// True after a change since the last observation.
    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Looks. Where that fails, what is known stays as it was.
    pub(super) async fn look(
        &mut self,
        engine: &mut Engine,
        wanted: &Containers,
        waker: &Waker,
    ) -> Result<(), EngineError> {
        let first = self.looked.replace(Instant::now()).is_none();
        let picked = pick::pick(&engine.list().await?, wanted);
        let containers = picked.containers();
        engine.watch(containers.iter().map(|container| container.id.clone()).collect());
        if let Some(paused) = containers.iter().find(|container| container.state == RunState::Paused) {
            // What is frozen is as it was.
            self.unseen = Some(Why::Paused(paused.name.clone()).to_string());
            self.picked = Some(picked);
            return Ok(());
        }
        self.ends = ends(engine, &containers).await;
        let running: Vec<_> =
            containers.into_iter().filter(|container| container.state == RunState::Running).collect();
        let mut outside = Some(Vec::new());
        for container in &running {
            // Where it cannot be seen from outside, it is seen from inside alone.
            let alive = engine.top(&container.id).await;
            outside = outside.zip(alive).map(|(mut all, alive)| {
                all.extend(alive.into_iter().map(|alive| (container.id.as_str(), alive)));
                all
            });
        }
        self.exit_watch.watch(outside.as_deref().unwrap_or_default(), waker);
        let outside: Option<Vec<_>> = outside.map(|all| all.into_iter().map(|(_, alive)| alive).collect());
        let same = self.unseen.is_none() && !self.stale && self.picked.as_ref() == Some(&picked);
        let recent = self.entered.is_some_and(|at| at.elapsed() < INSIDE_AGAIN);
        let as_it_was = outside.as_deref().is_some_and(|outside| are_same(outside, &self.outside));
        if same && recent && as_it_was {
            self.count(&outside.unwrap_or_default());
            return Ok(());
        }
        let inside = enter(engine, running, wanted).await?;
        self.entered = Some(Instant::now());
        (self.unseen, self.stale, self.picked) = (None, false, Some(picked));
        self.outside = outside.unwrap_or_default();
        self.take(inside, !first);
        Ok(())
    }

    /// The processor time of processes that are as they were. Those of a remote daemon are counted where it is looked inside.
    fn count(&mut self, outside: &[TopEntry]) {
        for (program, running) in [(Program::Chmpx, &mut self.chmpx), (Program::K2hdkc, &mut self.k2hdkc)] {
            let of_it = outside.iter().filter(|alive| alive.program == program);
            let worked = of_it.filter_map(|alive| self.exit_watch.worked(alive.pid)).max();
            if let (Some(running), Some(worked)) = (running, worked) {
                (running.worked, running.counted) = (worked, Instant::now());
            }
        }
    }

    /// Takes in what a look found inside, and compares it with the one before.
    fn take(&mut self, inside: Vec<(Container, Probe)>, looked_before: bool) {
        let now = Instant::now();
        self.surplus.clear();
        for program in [Program::Chmpx, Program::K2hdkc] {
            let of_it = inside.iter().flat_map(|(_, inside)| &inside.processes);
            let mut found: Vec<_> = of_it.filter(|found| found.program == program).collect();
            // Two containers may share their processes.
            found.dedup_by_key(|found| found.id);
            let mut found = found.into_iter();
            let known = match program {
                Program::Chmpx => &mut self.chmpx,
                Program::K2hdkc => &mut self.k2hdkc,
            };
            let before = *known;
            *known = found.next().map(|found| {
                let same = before.filter(|before| before.id == found.id);
                let since = same.map_or_else(|| now.checked_sub(found.age).unwrap_or(now), |same| same.since);
                Running { id: found.id, since, worked: found.worked, counted: now }
            });
            let running = *known;
            self.surplus.extend(found.map(|found| (program, found.id.pid)));
            let anew = running.map(|running| running.id) != before.map(|before| before.id);
            if let Some(was) = before.filter(|_| anew) {
                let how = self.end_of(program).map_or(ExitStatus::Unknown, |end| end.how);
                info!(pid = was.id.pid, "{} {how}", program.name());
                self.ended.push(Exit { program, was, how });
            }
            if let Some(running) = running.filter(|_| anew && looked_before) {
                // Helpers and the daemon start it on the agent's account.
                self.appeared = Some((program, running.id));
            }
        }
        self.probes = inside;
    }

    /// End of a program's container, if it is the program's own exit: below a helper it is not.
    fn end_of(&self, program: Program) -> Option<&ContainerExit> {
        let picked = self.picked.as_ref().filter(|picked| !picked.shared)?;
        self.ends.get(&picked.place(program).as_ref().ok()?.id)
    }

    /// The number of a program on this host, where the daemon is on it and lets its processes be seen.
    pub(super) fn here(&self, program: Program) -> Option<u32> {
        self.exit_watch.here(program).filter(|_| self.unseen.is_none())
    }

    /// The container of a program; why there is none.
    pub(super) fn place(&self, program: Program) -> Result<Container, Why> {
        self.picked.as_ref().map_or(Err(Why::NotYet), |picked| picked.place(program).clone())
    }

    /// Reason why no container can take the file.
    pub(super) fn nowhere(&self) -> Option<Why> {
        self.probes.is_empty().then(|| match self.place(Program::Chmpx) {
            Ok(container) => Why::DoesNotRun(container.name),
            Err(why) => why,
        })
    }

    /// The containers that stop for good, that of k2hdkc first, which has ended before; the reason where they are unknown. A container that
    /// has been removed runs nothing any more.
    pub(super) fn to_stop(&self) -> Result<Vec<Container>, Why> {
        let picked = match (&self.unseen, &self.picked) {
            (Some(why), _) => return Err(Why::Unseen(why.clone())),
            (None, None) => return Err(Why::NotYet),
            (None, Some(picked)) => picked,
        };
        let mut containers = picked.containers();
        // A slave has no k2hdkc, and one container may be that of both.
        containers.reverse();
        match &picked.chmpx {
            Err(why) if !picked.nowhere => Err(why.clone()),
            Ok(_) | Err(_) => Ok(containers),
        }
    }

    /// Adds what is seen to what is observed, and takes what has happened.
    pub(super) fn tell(&mut self, observed: &mut Observed) {
        (observed.chmpx, observed.k2hdkc) = (self.chmpx, self.k2hdkc);
        observed.duplicates.clone_from(&self.surplus);
        observed.unobservable.clone_from(&self.unseen);
        observed.events.exits = std::mem::take(&mut self.ended);
        observed.events.appeared = self.appeared.take();
        let Some(picked) = &self.picked else { return };
        let mut stopped = Vec::new();
        for program in [Program::Chmpx, Program::K2hdkc] {
            let runs = if program == Program::Chmpx { self.chmpx } else { self.k2hdkc };
            if runs.is_some() {
                self.awaited = self.awaited.filter(|awaited| *awaited != program);
                continue;
            }
            match picked.place(program) {
                Err(why) => observed.absence.cannot_start.push((program, why.to_string())),
                Ok(container) => match idle(container, picked.shared, program) {
                    Some(Ok(why)) => observed.absence.externally_managed.push((program, why.to_string())),
                    Some(Err(why)) => observed.absence.cannot_start.push((program, why.to_string())),
                    None => stopped.push((program, container.name.clone())),
                },
            }
        }
        for (program, name) in stopped {
            self.tell_end(program, &name, observed);
        }
    }

    /// Reports the end of a container of one program, and a start without a process.
    fn tell_end(&mut self, program: Program, name: &str, observed: &mut Observed) {
        let end = self.end_of(program).cloned();
        let failure = end.clone().filter(ContainerExit::is_failure);
        observed.absence.exit_details.extend(failure.map(|end| (program, end.of(name).to_string())));
        if self.awaited == Some(program) && self.unseen.is_none() {
            let why = end.map_or_else(|| Why::NothingCame(name.to_owned()), |end| end.of(name));
            observed.events.failed_starts.push((program, why.to_string()));
            self.awaited = None;
        }
    }
}

/// Asks for the ends of the containers that do not run.
async fn ends(engine: &Engine, containers: &[Container]) -> BTreeMap<String, ContainerExit> {
    let mut ends = BTreeMap::new();
    for container in containers {
        if matches!(container.state, RunState::Stopped | RunState::Moving)
            && let Some(end) = engine.end(container).await
        {
            ends.insert(container.id.clone(), end);
        }
    }
    ends
}

/// Looks inside of the containers that run.
async fn enter(
    engine: &Engine,
    running: Vec<Container>,
    wanted: &Containers,
) -> Result<Vec<(Container, Probe)>, EngineError> {
    let mut seen = Vec::new();
    for container in running {
        let printed = engine.run(&container, probe::look(&wanted.ini)).await?;
        let inside = probe::read(&printed, &wanted.ini).ok_or_else(|| EngineError::Failed {
            program: "look".to_owned(),
            container: container.name.clone(),
            status: 0,
            said: crate::problem::printable(&String::from_utf8_lossy(&printed), 100),
        })?;
        seen.push((container, inside));
    }
    Ok(seen)
}

/// True if both lists have the same processes.
fn are_same(now: &[TopEntry], before: &[TopEntry]) -> bool {
    let ids = |all: &[TopEntry]| all.iter().map(|alive| (alive.program, alive.pid)).collect::<Vec<_>>();
    ids(now) == ids(before)
}

/// Meaning of a missing program for its container: the program comes by itself, the operator must act, or the agent may
/// start it.
fn idle(container: &Container, shared: bool, program: Program) -> Option<Result<Why, Why>> {
    let name = container.name.clone();
    match (container.state, shared) {
        (RunState::Running, true) => Some(Ok(Why::Coming(program, name))),
        (RunState::Running | RunState::Moving | RunState::Paused, _) => Some(Ok(Why::Moving(name))),
        (RunState::Stopped, true) => Some(Err(Why::Stopped(name))),
        (RunState::Stopped, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pid_namespace_for_both_containers_is_no_surplus() {
        let found = |program, pid, ticks| probe::Found {
            program,
            id: ProcessId { pid, start_ticks: ticks },
            age: Duration::from_secs(9),
            worked: Duration::ZERO,
        };
        let all = Probe {
            processes: vec![found(Program::Chmpx, 1, 100), found(Program::K2hdkc, 20, 300)],
            ..Probe::default()
        };
        let [chmpx, k2hdkc] = ["chmpx", "k2hdkc"].map(|name| pick::container(name, "x", "x"));
        let mut observer = Observer::default();
        observer.take(vec![(chmpx, all.clone()), (k2hdkc, all)], true);
        assert_eq!(observer.surplus, vec![]);
    }

    /// Containers of one program each, the first of them in that state.
    fn split(state: RunState) -> Observer {
        let ours = Containers {
            chmpx: Some("chmpx".into()),
            k2hdkc: Some("k2hdkc".into()),
            ..Containers::default()
        };
        let [chmpx, k2hdkc] = ["chmpx", "k2hdkc"].map(|name| pick::container(name, "x", "x"));
        let picked = pick::pick(&[Container { state, ..chmpx }, k2hdkc], &ours);
        Observer { picked: Some(picked), ..Observer::default() }
    }

    fn told(observer: &mut Observer) -> Observed {
        let mut observed = Observed::default();
        observer.tell(&mut observed);
        observed
    }

    #[test]
    fn a_start_of_which_no_process_came_is_told_once_with_how_its_container_ended() {
        let mut observer = split(RunState::Stopped);
        observer
            .ends
            .insert("id-chmpx".into(), ContainerExit { how: ExitStatus::Exit(1), error: String::new() });
        let text = "the container chmpx ended with status 1: 'docker logs chmpx' shows the cause";
        let words = vec![(Program::Chmpx, text.to_owned())];
        assert_eq!(
            (told(&mut observer).events.failed_starts, told(&mut observer).absence.exit_details),
            (vec![], words.clone())
        );
        observer.awaits(Program::Chmpx);
        observer.unseen = Some("the Docker daemon is away".into());
        assert_eq!(told(&mut observer).events.failed_starts, vec![], "nobody has looked since");
        observer.unseen = None;
        assert_eq!(told(&mut observer).events.failed_starts, words);
        assert_eq!(told(&mut observer).events.failed_starts, vec![]);
        let error = "exec: \"chmpx\": not found".to_owned();
        observer.ends.insert("id-chmpx".into(), ContainerExit { how: ExitStatus::Exit(127), error });
        let text = "Docker could not start the container chmpx: exec: \"chmpx\": not found";
        assert_eq!(told(&mut observer).absence.exit_details, vec![(Program::Chmpx, text.to_owned())]);
    }

    #[test]
    fn a_start_is_awaited_while_its_container_runs_and_until_its_process_is_seen() {
        let mut observer = split(RunState::Running);
        observer.awaits(Program::Chmpx);
        assert_eq!(told(&mut observer).events.failed_starts, vec![]);
        assert_eq!(observer.awaited, Some(Program::Chmpx));
        let (id, now) = (ProcessId { pid: 1, start_ticks: 1 }, Instant::now());
        observer.chmpx = Some(Running { id, since: now, worked: Duration::ZERO, counted: now });
        assert_eq!(told(&mut observer).events.failed_starts, vec![]);
        assert_eq!(observer.awaited, None);
    }

    #[test]
    fn how_the_first_process_of_a_container_ended_is_known_and_below_a_helper_it_is_not() {
        let (id, now) = (ProcessId { pid: 1, start_ticks: 1 }, Instant::now());
        let running = Running { id, since: now, worked: Duration::ZERO, counted: now };
        for (shared, how) in [(false, ExitStatus::Signal(11)), (true, ExitStatus::Unknown)] {
            let mut observer = split(RunState::Stopped);
            observer.picked.as_mut().unwrap().shared = shared;
            observer.ends.insert(
                "id-chmpx".into(),
                ContainerExit { how: ExitStatus::Signal(11), error: String::new() },
            );
            observer.chmpx = Some(running);
            observer.take(Vec::new(), true);
            assert_eq!(observer.ended, vec![Exit { program: Program::Chmpx, was: running, how }]);
        }
    }

    #[test]
    fn nothing_counts_as_stopped_for_good_before_it_is_known_where_it_is() {
        let ours = Containers { container: Some("both".into()), ..Containers::default() };
        let mut observer = Observer::default();
        assert_eq!(observer.to_stop(), Err(Why::NotYet));
        let both = pick::container("both", "x", "x");
        observer.picked = Some(pick::pick(std::slice::from_ref(&both), &ours));
        assert_eq!(observer.to_stop(), Ok(vec![both.clone()]));
        observer.unseen = Some("Docker is away".into());
        assert_eq!(observer.to_stop(), Err(Why::Unseen("Docker is away".to_owned())));
        observer.unseen = None;
        // Two that may be meant are not none.
        observer.picked = Some(pick::pick(&[both.clone(), both], &ours));
        assert!(observer.to_stop().is_err_and(|why| matches!(why, Why::Several(_))));
        observer.picked = Some(pick::pick(&[], &ours));
        assert_eq!(observer.to_stop(), Ok(Vec::new()), "somebody has removed it");
    }

    #[test]
    fn the_container_of_k2hdkc_stops_first_and_that_of_a_slave_alone() {
        let [chmpx, k2hdkc] = ["chmpx", "k2hdkc"].map(|name| pick::container(name, "x", "x"));
        let mut ours = Containers {
            chmpx: Some("chmpx".into()),
            k2hdkc: Some("k2hdkc".into()),
            ..Containers::default()
        };
        let all = [chmpx.clone(), k2hdkc.clone()];
        let mut observer = Observer { picked: Some(pick::pick(&all, &ours)), ..Observer::default() };
        assert_eq!(observer.to_stop(), Ok(vec![k2hdkc, chmpx.clone()]));
        ours.k2hdkc = None;
        observer.picked = Some(pick::pick(&all, &ours));
        assert_eq!(observer.to_stop(), Ok(vec![chmpx]));
    }
}
