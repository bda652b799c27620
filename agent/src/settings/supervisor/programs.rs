//! `[supervisor.process]`, `[supervisor.systemd]` and `[supervisor.docker]`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::settings::value;

/// `[supervisor.process]` starts both programs with `kind = "process"`. The other kinds use `chmpxstatus` and its
/// environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Process {
    /// chmpx: a path, or a name in PATH.
    /// Default: `"chmpx"`
    pub chmpx: String,
    /// k2hdkc, likewise.
    /// Default: `"k2hdkc"`
    pub k2hdkc: String,
    /// chmpxstatus, likewise. Where it is installed, the agent asks slaves through it.
    /// Default: `"chmpxstatus"`
    pub chmpxstatus: String,
    /// Further arguments of chmpx. Without these, chmpx does not log its reason for the refusal of a file.
    /// Default: `["-d", "err"]`
    pub chmpx_options: Vec<String>,
    /// Further arguments of k2hdkc. Without the first, k2hdkc spins while its chmpx is gone (D2).
    /// Default: `["-no_giveup_rejoin", "-d", "err"]`
    pub k2hdkc_options: Vec<String>,
    /// User of both programs.
    /// Default: the agent's own. Example: `"k2hdkc"`
    pub user: Option<String>,
    /// Environment of the programs, besides PATH. `RES_OPTIONS` limits their name look-ups, which else take 10 s each
    /// where one name server does not answer (C9).
    /// Default: `{ RES_OPTIONS = "timeout:1 attempts:1" }`
    #[serde(deserialize_with = "environment")]
    pub environment: BTreeMap<String, String>,
    /// Directory of the pipes of their output, by `[state]`.
    #[serde(skip)]
    pub runtime_directory: PathBuf,
    /// `/var/lib/antpickax` below the root, in which chmpx keeps its shared memory.
    #[serde(skip)]
    pub base_directory: PathBuf,
    /// True where the agent prepares directories and limits of the host: not below a `--root`.
    #[serde(skip)]
    pub prepares_host: bool,
    /// Longest wait for an answer of chmpx, by `[supervisor.timing]`.
    #[serde(skip)]
    pub answer_within: Duration,
}

/// Limits each name look-up of chmpx, k2hdkc and chmpxstatus.
const ENVIRONMENT: &[(&str, &str)] = &[("RES_OPTIONS", "timeout:1 attempts:1")];

fn environment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    value::overlaid(deserializer, ENVIRONMENT)
}

impl Default for Process {
    fn default() -> Self {
        let options = |options: &[&str]| options.iter().map(|option| (*option).to_owned()).collect();
        Self {
            chmpx: "chmpx".to_owned(),
            k2hdkc: "k2hdkc".to_owned(),
            chmpxstatus: "chmpxstatus".to_owned(),
            chmpx_options: options(&["-d", "err"]),
            k2hdkc_options: options(&["-no_giveup_rejoin", "-d", "err"]),
            user: None,
            environment: value::owned(ENVIRONMENT),
            runtime_directory: PathBuf::new(),
            base_directory: PathBuf::new(),
            prepares_host: false,
            answer_within: Duration::ZERO,
        }
    }
}

/// `[supervisor.systemd]` names the units.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Units {
    /// Unit of chmpx.
    /// Default: `"chmpx.service"`
    #[serde(rename = "chmpx-unit")]
    pub chmpx: String,
    /// Unit of k2hdkc.
    /// Default: `"k2hdkc.service"`
    #[serde(rename = "k2hdkc-unit")]
    pub k2hdkc: String,
    /// Timer of the program that this agent replaces, and its service.
    #[serde(skip)]
    pub rival: [String; 2],
    /// Directory of the configuration of upstream's helpers.
    #[serde(skip)]
    pub helpers: PathBuf,
    /// List of the units that a removal of the package enables again. See [`crate::took_over`].
    #[serde(skip)]
    pub took_over: PathBuf,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            chmpx: "chmpx.service".to_owned(),
            k2hdkc: "k2hdkc.service".to_owned(),
            rival: ["k2hr3-get-resource.timer", "k2hr3-get-resource.service"].map(str::to_owned),
            helpers: PathBuf::new(),
            took_over: PathBuf::new(),
        }
    }
}

/// `[supervisor.docker]` names the containers, each by its name, or by a label as `key=value`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Containers {
    /// Container of both programs.
    /// Default: Trove's, which is called `database` and has the image k2hdkc-trove or its entry point. Example: `"database"`
    pub container: Option<String>,
    /// Container of chmpx, where each program has its own.
    /// Default: none. Example: `"chmpx"`
    #[serde(rename = "chmpx-container")]
    pub chmpx: Option<String>,
    /// Container of k2hdkc, likewise.
    /// Default: none. Example: `"k2hdkc"`
    #[serde(rename = "k2hdkc-container")]
    pub k2hdkc: Option<String>,
    /// Unix socket of the daemon.
    /// Default: `DOCKER_HOST`, else Docker's usual one. Example: `"/var/run/docker.sock"`
    pub socket: Option<String>,
    /// Path of the ini in the container.
    /// Default: `ini.path`. Example: `"/etc/antpickax/k2hdkc.ini"`
    pub ini: String,
}
