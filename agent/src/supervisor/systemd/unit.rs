//! Meaning of a unit's state for its program. Pure.

use std::time::Duration;

use nix::libc::{CLD_DUMPED, CLD_EXITED, CLD_KILLED};

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
    Idle,
    /// The program starts or ends by itself.
    Moving(String),
    /// The program cannot start; the text has the remedy.
    Blocked(String),
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
            "masked" => {
                return Readiness::Blocked(format!(
                    "{unit} is masked: 'systemctl unmask {unit}' releases it"
                ));
            }
            "not-found" => {
                return Readiness::Blocked(format!(
                    "systemd has no unit {unit}: install it, or name another one in supervisor.systemd"
                ));
            }
            other => {
                return Readiness::Blocked(format!(
                    "systemd cannot load {unit} ({other}): 'systemctl status {unit}' shows the cause"
                ));
            }
        }
        let state = format!("{unit} is {} ({})", self.active, self.sub);
        match (self.active.as_str(), self.sub.as_str()) {
            (_, "auto-restart" | "auto-restart-queued") => Readiness::Idle,
            ("inactive" | "failed", _) if !self.has_job => Readiness::Idle,
            // Upstream's helper is active for ten seconds and more before its program runs, and between two runs of it.
            ("active" | "activating" | "reloading", _) => {
                Readiness::Moving(format!("{state}, and its {} comes", program.name()))
            }
            _ => Readiness::Moving(state),
        }
    }

    /// True if systemd was told to stop the last main process. A unit whose process ends by itself is active until then.
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

    /// Failure of the unit, in words.
    pub(super) fn failure(&self) -> Option<String> {
        let failed = self.active == "failed" && !["", "success"].contains(&self.result.as_str());
        failed.then(|| format!("its unit failed ({}, {} restarts)", self.result, self.restarts))
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
            assert_eq!(readiness(&unit("loaded", active, sub)), Readiness::Idle, "{active} {sub}");
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
    fn what_systemd_will_not_start_is_told_with_its_remedy() {
        let blocked = |load| match unit(load, "inactive", "dead").readiness("x.service", Program::K2hdkc) {
            Readiness::Blocked(text) => text,
            other => panic!("{other:?}"),
        };
        assert!(blocked("masked").contains("systemctl unmask x.service"));
        assert!(blocked("not-found").contains("has no unit x.service"));
        assert!(blocked("bad-setting").contains("systemctl status x.service"));
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
    fn a_failure_says_how() {
        let failed =
            UnitState { result: "exit-code".into(), restarts: 3, ..unit("loaded", "failed", "failed") };
        assert_eq!(failed.failure().as_deref(), Some("its unit failed (exit-code, 3 restarts)"));
        assert_eq!(unit("loaded", "inactive", "dead").failure(), None);
    }
}
