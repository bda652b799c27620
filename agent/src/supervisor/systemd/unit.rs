//! Meaning of a unit's state for its program. Pure.

use std::time::Duration;

use nix::libc::{CLD_DUMPED, CLD_EXITED, CLD_KILLED};

use super::words::Unready;
use crate::supervisor::{ExitStatus, Program};

/// Exit statuses of systemd itself: it could not run the program (`systemd.exec(5)`, "Process Exit Codes").
const NOT_RUN: std::ops::RangeInclusive<i32> = 200..=243;

/// A unit, in systemd's own words (org.freedesktop.systemd1, systemd 252).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    /// `Id`: its own name, also where it was asked for by another.
    pub(super) id: String,
    /// `LoadState`: "loaded", "masked", "not-found", ...
    pub(super) load: String,
    /// `ActiveState`: "active", "activating", "failed", ...
    pub(super) active: String,
    /// `SubState`: "running", "auto-restart", ...
    pub(super) sub: String,
    /// `UnitFileState`: "enabled", ...
    pub(super) file: String,
    /// True while a job of the unit waits or runs.
    pub(super) has_job: bool,
    /// `MainPID`; 0 where there is none. With upstream's helpers it is the helper.
    pub(super) main_pid: u32,
    /// Last main process.
    pub(super) main: Main,
    /// `ActiveExitTimestampMonotonic`: when it last left the state "active", in microseconds; 0 where it never did.
    pub(super) left: u64,
    /// True if the unit runs one of upstream's helpers, which runs the program.
    pub(super) is_helped: bool,
    /// Result of the last run: "success", "exit-code", "start-limit-hit", ...
    pub(super) result: String,
    /// `NRestarts`.
    pub(super) restarts: u32,
    /// `BindsTo`, `Requires` and `Wants`: units that systemd starts with it.
    pub(super) needs: Vec<String>,
}

/// The last main process of a unit, as systemd has seen it; times are microseconds of one clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Main {
    /// `ExecMainPID`; 0 where there was none.
    pub(super) pid: u32,
    /// `ExecMainCode`: a `CLD_` of `waitid(2)`; 0 as long as it runs.
    pub(super) code: i32,
    /// `ExecMainStatus`.
    pub(super) status: i32,
    /// `ExecMainStartTimestampMonotonic`.
    pub(super) started: u64,
    /// `ExecMainExitTimestampMonotonic`; 0 as long as it runs.
    pub(super) ended: u64,
}

impl Main {
    /// Duration of the run.
    pub(super) fn ran(&self) -> Duration {
        Duration::from_micros(self.ended.saturating_sub(self.started))
    }
}

/// Readiness of a program that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The agent may start the program.
    Startable,
    /// The program starts or ends by itself.
    Moving(Unready),
    /// The program cannot start.
    Blocked(Unready),
}

impl UnitState {
    /// True if the unit runs, or is about to.
    pub(super) fn is_active(&self) -> bool {
        ["active", "activating"].contains(&self.active.as_str())
    }

    /// True if nothing of the unit runs, or is about to.
    pub(super) fn is_at_rest(&self) -> bool {
        ["inactive", "failed"].contains(&self.active.as_str()) && !self.has_job
    }

    /// True if the unit starts at boot.
    pub(super) fn is_enabled(&self) -> bool {
        self.file == "enabled"
    }

    /// Readiness of this unit's program, which does not run.
    pub(super) fn readiness(&self, unit: &str, program: Program) -> Readiness {
        match self.load.as_str() {
            "loaded" => {}
            "masked" => return Readiness::Blocked(Unready::Masked(unit.to_owned())),
            "not-found" => return Readiness::Blocked(Unready::NoUnit(unit.to_owned())),
            load => {
                let (unit, load) = (unit.to_owned(), load.to_owned());
                return Readiness::Blocked(Unready::NotLoaded { unit, load });
            }
        }
        let (unit, active, sub) = (unit.to_owned(), self.active.clone(), self.sub.clone());
        match (self.active.as_str(), self.sub.as_str()) {
            (_, "auto-restart" | "auto-restart-queued") => Readiness::Startable,
            ("inactive" | "failed", _) if !self.has_job => Readiness::Startable,
            // Upstream's helper is active for ten seconds and more before its program runs, and between two runs of it.
            ("active" | "activating" | "reloading", _) => {
                Readiness::Moving(Unready::Coming { unit, active, sub, program })
            }
            _ => Readiness::Moving(Unready::Busy { unit, active, sub }),
        }
    }

    /// True if systemd had orders to stop the last main process. A unit whose process ends by itself is active until then.
    pub(super) fn was_stopped(&self) -> bool {
        let Main { started, ended, .. } = self.main;
        ended != 0 && (started..ended).contains(&self.left)
    }

    /// Exit of the last main process by itself. `None` while it runs, after a stop by systemd, and if systemd could not run
    /// the program.
    pub(super) fn ending(&self) -> Option<ExitStatus> {
        let Main { code, status, ended, .. } = self.main;
        match code {
            _ if ended == 0 || self.was_stopped() => None,
            CLD_EXITED if NOT_RUN.contains(&status) => None,
            CLD_EXITED => Some(ExitStatus::Exit(status)),
            CLD_KILLED | CLD_DUMPED => Some(ExitStatus::Signal(status)),
            _ => None,
        }
    }

    /// Failure of the unit.
    pub(super) fn failure(&self) -> Option<Unready> {
        let failed = self.active == "failed" && !["", "success"].contains(&self.result.as_str());
        failed.then(|| Unready::Failed { result: self.result.clone(), restarts: self.restarts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(load: &str, active: &str, sub: &str) -> UnitState {
        let [load, active, sub] = [load, active, sub].map(str::to_owned);
        UnitState { load, active, sub, ..UnitState::default() }
    }

    #[test]
    fn only_a_unit_at_rest_is_started() {
        let readiness = |unit: &UnitState| unit.readiness("chmpx.service", Program::Chmpx);
        for (active, sub) in [("inactive", "dead"), ("failed", "failed"), ("activating", "auto-restart")] {
            assert_eq!(readiness(&unit("loaded", active, sub)), Readiness::Startable, "{active} {sub}");
        }
        let waiting = UnitState { has_job: true, ..unit("loaded", "inactive", "dead") };
        let moving = [
            waiting,
            unit("loaded", "active", "running"),
            unit("loaded", "activating", "start-pre"),
            unit("loaded", "deactivating", "stop-sigterm"),
        ];
        for unit in moving {
            assert!(matches!(readiness(&unit), Readiness::Moving(_)), "{unit:?}");
        }
    }

    #[test]
    fn a_unit_that_systemd_cannot_load_is_blocked() {
        let blocked = |load| unit(load, "inactive", "dead").readiness("x.service", Program::K2hdkc);
        let unit = || "x.service".to_owned();
        let not_loaded = Unready::NotLoaded { unit: unit(), load: "bad-setting".into() };
        assert_eq!(blocked("masked"), Readiness::Blocked(Unready::Masked(unit())));
        assert_eq!(blocked("not-found"), Readiness::Blocked(Unready::NoUnit(unit())));
        assert_eq!(blocked("bad-setting"), Readiness::Blocked(not_loaded));
    }

    #[test]
    fn an_end_is_the_program_s_own_unless_systemd_was_told_to_stop_it_or_could_not_run_it() {
        let ended = |left, code, status| {
            let main = Main { pid: 7, code, status, started: 1_000_000, ended: 3_000_000 };
            UnitState { main, left, ..unit("loaded", "inactive", "dead") }
        };
        assert_eq!(ended(3_000_001, 1, 0).ending(), Some(ExitStatus::Exit(0)));
        assert_eq!(ended(500_000, 1, 1).ending(), Some(ExitStatus::Exit(1)), "it was stopped once before");
        assert_eq!(ended(3_000_001, 3, 11).ending(), Some(ExitStatus::Signal(11)));
        assert_eq!(ended(2_500_000, 1, 0).ending(), None, "systemd was told to stop it");
        assert_eq!(ended(3_000_001, 1, 217).ending(), None, "its user is missing");
        assert_eq!(unit("loaded", "active", "running").ending(), None);
        assert_eq!(ended(0, 1, 0).main.ran(), Duration::from_secs(2));
    }

    #[test]
    fn a_failure_has_its_result_and_the_restarts() {
        let failed =
            UnitState { result: "exit-code".into(), restarts: 3, ..unit("loaded", "failed", "failed") };
        assert_eq!(failed.failure(), Some(Unready::Failed { result: "exit-code".into(), restarts: 3 }));
        assert_eq!(unit("loaded", "inactive", "dead").failure(), None);
    }
}
