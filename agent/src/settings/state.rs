//! `[state]` and `[log]`

use std::path::PathBuf;

use serde::Deserialize;

/// `[state]` names the directories of the agent, and the readers of its status. It takes effect at the next start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct State {
    /// Directory of the ledger and of the kept generations.
    /// Default: `"/var/lib/k2hdkc-agent"`
    pub directory: PathBuf,
    /// Directory of the agent's socket.
    /// Default: `"/run/k2hdkc-agent"`
    pub runtime_directory: PathBuf,
    /// Group whose members may read the status. The socket then has mode 0660, else 0600. Orders (confirm, join,
    /// leave, stop, start) are reserved to root and to the agent's own user.
    /// Default: `k2hdkc-agent`, where the package made it. Example: `"k2hdkc-agent"`
    pub status_group: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: "/var/lib/k2hdkc-agent".into(),
            runtime_directory: "/run/k2hdkc-agent".into(),
            status_group: None,
        }
    }
}

/// `[log]` sets the level and the form of the log on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Log {
    /// Level: `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"`.
    /// Default: `"info"`
    pub level: Level,
    /// Form of a line: `"text"` or `"json"`. It takes effect at the next start.
    /// Default: `"text"`
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, format: Format::Text }
    }
}

/// Level of the log; `-v` adds one step each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Faults that the operator must mend.
    Error,
    /// And failures that the agent retries.
    Warn,
    /// And every pass that changed something.
    Info,
    /// And every pass.
    Debug,
    /// And every step.
    Trace,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text, for people.
    Text,
    /// JSON, one object a line.
    Json,
}
