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
