//! Settings of the agent: reads the operator's configuration files in layers, and reports all their faults together.
//!
//! Layers, the later winning key by key: `/usr/lib/k2hdkc-agent/agent.toml`, then the file of `--config` (by default
//! `/etc/k2hdkc-agent/agent.toml`), then `conf.d/*.toml` beside it in the order of their names. Every key is optional.
//! Each section is one type: its fields are the keys, their comments the documentation, its `Default` the defaults.
//! `packaging/agent.toml` and `docs/configuration.md` are made of those comments.
//!
//! Nothing here touches K2HR3 or the ini.

mod api_uri;
mod check;
mod faults;
mod guard;
mod ini;
mod join;
mod k2hr3;
mod layers;
mod merge;
mod peers;
mod poll;
mod profile;
mod renamed;
mod resolve;
mod state;
mod supervisor;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

pub use api_uri::api_uri;
pub use faults::{Fault, Faults};
pub use guard::Guard;
pub use ini::{Hosts, Ini};
pub use join::Join;
pub use k2hr3::{Auth, K2hr3, Places, SourceKind};
use layers::Layers;
pub use merge::{Merge, MergeBy, OverLimit};
pub use peers::Peers;
pub use poll::Poll;
pub use profile::{Naming, Profile};
pub use state::{Format, Level, Log, State};
pub use supervisor::{Containers, OnExit, Process, Restarts, Supervisor, SupervisorKind, Timing, Units};
pub use value::length;

/// Origin of the settings: the global flags of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `--config`: taken as it is, not below the root.
    pub config: Option<PathBuf>,
    /// `--root`: prefix of every other path, the defaults and those in the configuration.
    pub root: Option<PathBuf>,
}

/// The operator's will.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// `[k2hr3]`
    pub k2hr3: K2hr3,
    /// `[join]`
    pub join: Join,
    /// `[poll]`
    pub poll: Poll,
    /// `[ini]`
    pub ini: Ini,
    /// `[hosts]`
    pub hosts: Hosts,
    /// `[guard]`
    pub guard: Guard,
    /// `[peers]`
    pub peers: Peers,
    /// `[profile]`
    pub profile: Profile,
    /// `[supervisor]`
    pub supervisor: Supervisor,
    /// `[merge]`
    pub merge: Merge,
    /// `[state]`
    pub state: State,
    /// `[log]`
    pub log: Log,
    /// Files whose change makes these settings old.
    #[serde(skip)]
    pub sources: Vec<PathBuf>,
    /// The directory of fragments, likewise.
    #[serde(skip)]
    pub fragments: PathBuf,
    /// Remarks on these files that are no faults.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Settings {
    /// Returns true where both mean the same, whatever there is to remark on their files.
    pub fn means_the_same(&self, other: &Self) -> bool {
        let meant = |settings: &Self| Self { notes: Vec::new(), ..settings.clone() };
        meant(self) == meant(other)
    }
}

/// All faults of the configuration, one a line.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", crate::problem::listed(.0, "\n"))]
pub struct SettingsError(pub Vec<Fault>);

/// Reads the configuration files.
///
/// # Errors
///
/// All faults of them together.
pub fn load(origin: &Origin) -> Result<Settings, SettingsError> {
    let (settings, faults) = load_what_is_good(origin);
    if faults.list.is_empty() { Ok(settings) } else { Err(SettingsError(faults.list)) }
}

/// Reads the configuration files, for commands that only look for the running agent: a faulty key keeps its default.
pub fn load_what_is_good(origin: &Origin) -> (Settings, Faults) {
    // inotify reports absolute paths only.
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let root = origin.root.as_ref().map_or_else(|| PathBuf::from("/"), absolute);
    let vendor = below(&root, Path::new("/usr/lib/k2hdkc-agent/agent.toml"));
    let main =
        origin.config.clone().unwrap_or_else(|| below(&root, Path::new("/etc/k2hdkc-agent/agent.toml")));
    let fragments = main.with_file_name("conf.d");
    let layers = Layers::read(&vendor, (&main, origin.config.is_some()), &fragments);
    let (mut settings, faults) = faults::examine(&layers);
    resolve::resolve(&mut settings, &root);
    settings.sources = vec![main, settings.k2hr3.token_file.clone(), settings.k2hr3.places.instance_id()];
    settings.sources.extend(settings.k2hr3.ca_file.clone());
    settings.fragments = fragments;
    settings.notes = layers.notes;
    (settings, faults)
}

/// Puts `path` below `root`, as every path of the agent is.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
