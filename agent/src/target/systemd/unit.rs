//! What the state of a unit means for the program in it. Pure.

use crate::target::Program;

/// A unit, in systemd's own words (org.freedesktop.systemd1, systemd 252).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    /// `LoadState`: "loaded", "masked", "not-found", ...
    pub(super) load: String,
    /// `ActiveState`: "active", "activating", "failed", ...
    pub(super) active: String,
    /// `SubState`: "running", "auto-restart", ...
    pub(super) sub: String,
    /// `UnitFileState`: "enabled", ...
    pub(super) file: String,
    /// Whether a job of it waits or runs.
    pub(super) has_job: bool,
    /// `MainPID`; 0 where there is none. With upstream's helpers it is the helper.
    pub(super) main_pid: u32,
    /// Whether it runs one of upstream's helpers, which runs the program.
    pub(super) is_helped: bool,
    /// Result of the last run: "success", "exit-code", "start-limit-hit", ...
    pub(super) result: String,
    /// `NRestarts`.
    pub(super) restarts: u32,
    /// `BindsTo`, `Requires` and `Wants`: units that systemd starts with it.
    pub(super) needs: Vec<String>,
}

/// Whether a program that does not run may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It may.
    Idle,
    /// It comes, or goes, by itself.
    Moving(String),
    /// It cannot, and this is the remedy.
    Blocked(String),
}

impl UnitState {
    /// Whether it runs, or is about to.
    pub(super) fn is_active(&self) -> bool {
        ["active", "activating"].contains(&self.active.as_str())
    }

    /// Whether it starts at boot.
    pub(super) fn is_enabled(&self) -> bool {
        self.file == "enabled"
    }

    /// What it means that the program of this unit does not run.
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
                    "systemd has no unit {unit}: install it, or name another one in target.systemd"
                ));
            }
            other => {
                return Readiness::Blocked(format!(
                    "systemd cannot load {unit} ({other}): 'systemctl status {unit}' says why"
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

    /// How it ended, where that was not well.
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
    fn a_failure_says_how() {
        let failed =
            UnitState { result: "exit-code".into(), restarts: 3, ..unit("loaded", "failed", "failed") };
        assert_eq!(failed.failure().as_deref(), Some("its unit failed (exit-code, 3 restarts)"));
        assert_eq!(unit("loaded", "inactive", "dead").failure(), None);
    }
}
