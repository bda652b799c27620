//! Judges programs that do not run by their units: startable, coming by themselves, or kept from starting, with the reason.
//! Pure but for the helpers' files: [`super::Systemd`] has looked.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::unit::{Main, Readiness};
use super::words::Unready;
use super::{Systemd, helper, is_same};
use crate::supervisor::{Exit, ForeignWriter, Observed, ProcessId, Program, Running};

/// A start job that has not ended after this time needs the operator. systemd itself gives a
/// service 90 s to start, but none to wait for other jobs.
pub(super) const JOB_WITHIN: Duration = Duration::from_secs(90);

impl Systemd {
    /// Adds the state of the units, and the events since the last look.
    pub(super) fn add_units(&mut self, ini: &Path, observed: &mut Observed) {
        self.add_ended_jobs(observed);
        for (program, running) in both(observed) {
            match running {
                Some(running) => self.add_running(program, running.id, observed),
                None => self.add_absent(program, ini, observed),
            }
        }
        let seen = both(observed).into_iter().filter_map(|(program, running)| Some((program, running?.id)));
        self.seen = Some(seen.collect());
        observed.file.foreign_writer =
            self.rival.as_ref().and_then(|(_, rival)| rival.as_deref().map(ForeignWriter::unit)).filter(
                |_| {
                    let replaced =
                        helper::output(&self.units.helpers, &|path| std::fs::read_to_string(path).ok());
                    replaced.is_none_or(|replaced| is_same(&replaced, ini))
                },
            );
    }

    fn add_ended_jobs(&mut self, observed: &mut Observed) {
        for end in self.connection.ended() {
            let is_chmpx = end.unit == self.unit(Program::Chmpx).0;
            let program = if is_chmpx { Program::Chmpx } else { Program::K2hdkc };
            if self.awaits(program).is_some() && !["done", "skipped"].contains(&end.result.as_str()) {
                self.give_up(program, &Unready::JobEnded(end), observed);
            }
        }
    }

    fn add_running(&mut self, program: Program, id: ProcessId, observed: &mut Observed) {
        if self.awaits(program).is_some() || self.came_by_helper(program, id) {
            self.awaited = self.awaited.filter(|awaited| awaited.program != program);
            observed.events.appeared = Some((program, id));
        }
    }

    fn add_absent(&mut self, program: Program, ini: &Path, observed: &mut Observed) {
        let (unit, state) = self.unit(program);
        let kept = self.keeps_from_starting(program, ini, observed.chmpx).map(Readiness::Blocked);
        match kept.unwrap_or_else(|| state.readiness(unit, program)) {
            Readiness::Moving(why) => observed.absence.externally_managed.push((program, why.to_string())),
            Readiness::Blocked(why) => observed.absence.cannot_start.push((program, why.to_string())),
            Readiness::Startable => {
                let why = state.failure().or_else(|| self.stopped_by_another(program));
                observed.absence.exit_details.extend(why.map(|why| (program, why.to_string())));
                if self.awaits(program).is_some() {
                    self.give_up(program, &self.came_to_nothing(program), observed);
                }
            }
        }
    }

    /// Note that another program than the agent had the unit stopped. The agent takes no order from it: upstream's Debian
    /// packages stop their unit at each upgrade, and nothing starts it then (Y7).
    fn stopped_by_another(&self, program: Program) -> Option<Unready> {
        let (unit, state) = self.unit(program);
        let ours = self.stopped.get(&program) == Some(&state.main.pid);
        // A k2hdkc whose chmpx ended by itself was stopped by systemd alone.
        let chmpx = &self.chmpx;
        let bound = program == Program::K2hdkc && chmpx.main.ended != 0 && !chmpx.was_stopped();
        (state.was_stopped() && !ours && !bound).then(|| Unready::StoppedByAnother(unit.to_owned()))
    }

    /// Reason why the agent asks for no start, whatever the unit.
    fn keeps_from_starting(&self, program: Program, ini: &Path, chmpx: Option<Running>) -> Option<Unready> {
        let why = self.connection.why().map(|why| Unready::NoBus(why.to_owned()));
        why.or_else(|| self.hands_another(program, ini))
            .or_else(|| self.brings_a_second(program, chmpx?.id))
            .or_else(|| self.waits_without_end(program))
    }

    /// Since when its start has been awaited, where it is.
    fn awaits(&self, program: Program) -> Option<Instant> {
        self.awaited.filter(|awaited| awaited.program == program).map(|awaited| awaited.since)
    }

    /// True if a helper has started the program since the last look, on the agent's account.
    fn came_by_helper(&self, program: Program, id: ProcessId) -> bool {
        let (_, state) = self.unit(program);
        state.is_helped && self.seen.as_ref().is_some_and(|seen| seen.get(&program) != Some(&id))
    }

    /// Reason why a helper would start the program with another ini than the agent's, if so.
    fn hands_another(&self, program: Program, ini: &Path) -> Option<Unready> {
        let (unit, state) = self.unit(program);
        if !state.is_helped {
            return None;
        }
        let directory = &self.units.helpers;
        let handed = helper::ini(program, directory, &|path| std::fs::read_to_string(path).ok());
        (!is_same(&handed, ini)).then(|| Unready::OtherIni {
            unit: unit.to_owned(),
            handed,
            ini: ini.to_owned(),
            remedy: helper::remedy(program, ini),
            directory: directory.clone(),
        })
    }

    /// systemd starts what a unit is bound to before it. Where the chmpx that runs is not the unit's, that would be a
    /// second one, which destroys the first one's shared memory.
    fn brings_a_second(&self, program: Program, chmpx: ProcessId) -> Option<Unready> {
        let (unit, state) = self.unit(program);
        let (of_chmpx, _) = self.unit(Program::Chmpx);
        let brings = program == Program::K2hdkc && state.needs.iter().any(|needed| needed == of_chmpx);
        (brings && !self.is_of_unit(Program::Chmpx, chmpx)).then(|| Unready::SecondChmpx {
            unit: unit.to_owned(),
            of_chmpx: of_chmpx.to_owned(),
            pid: chmpx.pid,
        })
    }

    fn waits_without_end(&self, program: Program) -> Option<Unready> {
        let (unit, state) = self.unit(program);
        let waits = state.has_job && self.awaits(program).is_some_and(|since| since.elapsed() >= JOB_WITHIN);
        waits.then(|| Unready::JobWaits(unit.to_owned()))
    }

    /// The awaited start came to nothing. Where the program did run, between two looks, it has ended like
    /// every other: of its file, perhaps. A helper's end is not its program's.
    fn give_up(&mut self, program: Program, why: &Unready, observed: &mut Observed) {
        let before = self.awaited.take().map(|awaited| awaited.before);
        let (_, state) = self.unit(program);
        match state.ending().filter(|_| !state.is_helped && before != Some(state.main)) {
            Some(how) => observed.events.exits.push(Exit { program, was: short_lived(&state.main), how }),
            None => observed.events.failed_starts.push((program, why.to_string())),
        }
    }

    /// Reason of a finished start job without a process: a missing user, an unmet condition, an early end.
    fn came_to_nothing(&self, program: Program) -> Unready {
        let (unit, state) = self.unit(program);
        state.failure().unwrap_or_else(|| Unready::NothingCame { unit: unit.to_owned(), program })
    }
}

/// A process that has ended between two looks.
fn short_lived(main: &Main) -> Running {
    let now = Instant::now();
    // Only like the kernel's count, and as different from every other.
    let id = ProcessId { pid: main.pid, start_ticks: main.started / 10_000 };
    let since = now.checked_sub(main.ran()).unwrap_or(now);
    Running { id, since, worked: Duration::ZERO, counted: now }
}

fn both(observed: &Observed) -> [(Program, Option<Running>); 2] {
    [(Program::Chmpx, observed.chmpx), (Program::K2hdkc, observed.k2hdkc)]
}
