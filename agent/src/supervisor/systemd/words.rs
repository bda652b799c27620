//! Reasons for which a program of a unit does not run, with their remedies.

use std::path::PathBuf;

use derive_more::Display;

use super::bus::JobEnd;
use super::readiness::JOB_WITHIN;
use crate::supervisor::Program;

/// Reason for which a program does not run.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub(super) enum Unready {
    #[display("{_0} is masked: 'systemctl unmask {_0}' releases it")]
    Masked(String),
    #[display("systemd has no unit {_0}: install it, or name another one in supervisor.systemd")]
    NoUnit(String),
    #[display("systemd cannot load {unit} ({load}): 'systemctl status {unit}' shows the cause")]
    NotLoaded { unit: String, load: String },
    #[display("{unit} is {active} ({sub})")]
    Busy { unit: String, active: String, sub: String },
    #[display("{unit} is {active} ({sub}), and its {} comes", program.name())]
    Coming { unit: String, active: String, sub: String, program: Program },
    #[display("its unit failed ({result}, {restarts} restarts)")]
    Failed { result: String, restarts: u32 },
    #[display("the job of {} ended with \"{}\"", _0.unit, _0.result)]
    JobEnded(JobEnd),
    #[display(
        "another program had systemd stop {_0}: 'k2hdkc-agent stop' stops it for maintenance, until 'k2hdkc-agent start'"
    )]
    StoppedByAnother(String),
    #[display("{_0}")]
    NoBus(String),
    #[display(
        "the helper of {unit} hands it {}, and not {}: set '{remedy}' in {}/override.conf",
        handed.display(), ini.display(), directory.display()
    )]
    OtherIni { unit: String, handed: PathBuf, ini: PathBuf, remedy: String, directory: PathBuf },
    #[display(
        "{unit} needs {of_chmpx}, but the chmpx that runs (pid {pid}) is not that unit's, and systemd would start a second \
         one: end it ('kill -HUP {pid}'), and the agent starts both units"
    )]
    SecondChmpx { unit: String, of_chmpx: String, pid: u32 },
    #[display(
        "its start job waits for more than {} s: 'systemctl list-jobs' shows for what ({_0})",
        JOB_WITHIN.as_secs()
    )]
    JobWaits(String),
    #[display("{unit} was started, and no {} runs: 'systemctl status {unit}' shows the cause", program.name())]
    NothingCame { unit: String, program: Program },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_sentence() {
        let unit = || "x.service".to_owned();
        let (active, sub) = (|| "active".to_owned(), || "start-pre".to_owned());
        let program = Program::Chmpx;
        let other_ini = Unready::OtherIni {
            unit: unit(),
            handed: "/etc/other.ini".into(),
            ini: "/etc/k.ini".into(),
            remedy: "conf:KEY = /etc/k.ini".to_owned(),
            directory: "/etc/antpickax".into(),
        };
        for (why, sentence) in [
            (Unready::Masked(unit()), "x.service is masked: 'systemctl unmask x.service' releases it"),
            (
                Unready::NoUnit(unit()),
                "systemd has no unit x.service: install it, or name another one in supervisor.systemd",
            ),
            (
                Unready::NotLoaded { unit: unit(), load: "error".to_owned() },
                "systemd cannot load x.service (error): 'systemctl status x.service' shows the cause",
            ),
            (Unready::Busy { unit: unit(), active: active(), sub: sub() }, "x.service is active (start-pre)"),
            (
                Unready::Coming { unit: unit(), active: active(), sub: sub(), program },
                "x.service is active (start-pre), and its chmpx comes",
            ),
            (
                Unready::Failed { result: "exit-code".to_owned(), restarts: 3 },
                "its unit failed (exit-code, 3 restarts)",
            ),
            (
                Unready::JobEnded(JobEnd { unit: unit(), result: "failed".to_owned() }),
                "the job of x.service ended with \"failed\"",
            ),
            (
                Unready::StoppedByAnother(unit()),
                "another program had systemd stop x.service: 'k2hdkc-agent stop' stops it for maintenance, until \
                 'k2hdkc-agent start'",
            ),
            (Unready::NoBus("the connection broke".to_owned()), "the connection broke"),
            (
                other_ini,
                "the helper of x.service hands it /etc/other.ini, and not /etc/k.ini: set 'conf:KEY = /etc/k.ini' in \
                 /etc/antpickax/override.conf",
            ),
            (
                Unready::SecondChmpx { unit: unit(), of_chmpx: "chmpx.service".to_owned(), pid: 7 },
                "x.service needs chmpx.service, but the chmpx that runs (pid 7) is not that unit's, and systemd would start \
                 a second one: end it ('kill -HUP 7'), and the agent starts both units",
            ),
            (
                Unready::JobWaits(unit()),
                "its start job waits for more than 90 s: 'systemctl list-jobs' shows for what (x.service)",
            ),
            (
                Unready::NothingCame { unit: unit(), program },
                "x.service was started, and no chmpx runs: 'systemctl status x.service' shows the cause",
            ),
        ] {
            assert_eq!(why.to_string(), sentence);
        }
    }
}
