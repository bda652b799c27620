//! What the operator wants: configuration files in layers, read into [`Settings`] once, all faults together.
//!
//! Layers, the later winning key by key: `/usr/lib/k2hdkc-agent/agent.toml`, then the file of `--config` (by default
//! `/etc/k2hdkc-agent/agent.toml`), then `conf.d/*.toml` beside it in the order of their names. Every key is
//! optional. Nothing here touches K2HR3 or the ini.

mod api_uri;
mod defaults;
mod interpret;
mod layers;
mod raw;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::guard;
use crate::lifecycle;
use crate::membership::Naming;
use crate::names::{Cuk, Port, Yrn};
use crate::pace::Pace;
use crate::registration;
use crate::supervisor::Kind;
use crate::supervisor::docker::Containers;
use crate::supervisor::process::Process;
use crate::supervisor::systemd::Units;
pub use api_uri::api_uri;
pub use layers::Faults;
use layers::Layers;
use raw::Raw;

/// Where the settings come from: the global flags of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `--config`: taken as it is, not below the root.
    pub config: Option<PathBuf>,
    /// `--root`: prefix of every other path, the defaults and those in the configuration.
    pub root: Option<PathBuf>,
}

/// Everything that a pass needs to know of the operator's will.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[k2hr3]`
    pub k2hr3: K2hr3,
    /// `[join]`
    pub join: registration::Rules,
    /// `[poll]`
    pub pace: Pace,
    /// `[poll]` settle and max-settle: how long a change must rest, and how long at most it may wait.
    pub settle: (Duration, Duration),
    /// `[ini]`
    pub ini: Ini,
    /// `[hosts]`: the file, where it is to be kept.
    pub hosts: Option<PathBuf>,
    /// `[guard]`
    pub guard: guard::Rules,
    /// `[profile]`
    pub profile: Profile,
    /// `[supervisor]`
    pub supervisor: Supervisor,
    /// `[state]`
    pub state: State,
    /// `[log]`
    pub log: Log,
    /// Files whose change makes these settings old.
    pub sources: Vec<PathBuf>,
    /// The directory of fragments, likewise.
    pub fragments: PathBuf,
    /// What the operator should know of these files although it is no fault.
    pub notes: Vec<String>,
}

impl Settings {
    /// Whether both say the same, whatever there is to know of their files.
    pub fn say_the_same(&self, other: &Self) -> bool {
        let said = |settings: &Self| Self { notes: Vec::new(), ..settings.clone() };
        said(self) == said(other)
    }
}

/// How K2HR3 is asked, and as whom.
#[derive(Debug, Clone, PartialEq)]
pub struct K2hr3 {
    /// `http://host:port` or `https://host:port`; else from `k2hr3-api-uri`.
    pub api_uri: Option<String>,
    /// The role of this node; else from `k2hr3-role-name`.
    pub role: Option<Yrn>,
    /// The role of the server nodes; else the sibling `server` of the role.
    pub server_role: Option<Yrn>,
    /// The role of the slave nodes; else the sibling `slave` of the role.
    pub slave_role: Option<Yrn>,
    /// The resource; else the role with `:role:` replaced.
    pub resource: Option<Yrn>,
    /// This node's CUK; else from `k2hr3-cuk` or cloud-init's instance id.
    pub cuk: Option<Cuk>,
    /// The file with the role token.
    pub token_file: PathBuf,
    /// A PEM file with the authorities that K2HR3's certificate may come from; else the system's.
    pub ca_file: Option<PathBuf>,
    /// Which answer is asked for.
    pub source: SourceKind,
    /// The file of the `file` source.
    pub file: Option<PathBuf>,
    /// How the agent proves who it is.
    pub auth: Auth,
    /// A proxy, only where named here: K2HR3 identifies a node by its source address.
    pub proxy: Option<String>,
    /// The address to come from, on hosts that have several.
    pub source_address: Option<IpAddr>,
    /// Longest time until connected.
    pub connect_timeout: Duration,
    /// Longest time for a whole request.
    pub timeout: Duration,
    /// Longest body, in bytes.
    pub max_body: u64,
    /// The directory of the files that K2HR3's user-data writes.
    pub userdata: PathBuf,
    /// cloud-init's instance id.
    pub instance_id: PathBuf,
    /// Where an address-bound token is kept.
    pub minted_token: PathBuf,
    /// Where the ledger is, which knows as whom this node has joined.
    pub state: PathBuf,
}

/// Which answer of K2HR3 the ini is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// The expanded text of the role's resource.
    Resource,
    /// The member lists of the server and the slave role, with `[profile]`.
    Membership,
    /// An ini file on this host, kept by something else.
    File,
}

/// How the agent proves to K2HR3 who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The role token where there is one, else, or where it is refused, the source address.
    Auto,
    /// The role token only.
    Token,
    /// The source address only.
    Address,
    /// A token bound to the source address, made by the agent itself and renewed at half its life.
    AddressToken,
}

/// The processes that run what the file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Supervisor {
    /// Who runs them.
    pub kind: SupervisorKind,
    /// What the agent may do to them, and how long things may take.
    pub rules: lifecycle::Rules,
    /// How the agent starts them, where it does.
    pub process: Process,
    /// The units that start them, where systemd does.
    pub units: Units,
    /// The containers that they are in, where Docker runs them.
    pub containers: Containers,
    /// Whether they end with the agent.
    pub on_exit: OnExit,
    /// How long the agent takes to end.
    pub drain: Duration,
}

/// Which processes the agent is responsible for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupervisorKind {
    /// One of the others, by what is there.
    Auto,
    /// Only the file.
    None,
    /// The agent starts chmpx and k2hdkc itself.
    Process,
    /// They are units of systemd.
    Systemd,
    /// They are in containers of Docker.
    Docker,
}

impl SupervisorKind {
    /// The kind that is named; `None` where it is to be picked.
    pub fn named(self) -> Option<Kind> {
        match self {
            Self::Auto => None,
            Self::None => Some(Kind::None),
            Self::Process => Some(Kind::Process),
            Self::Systemd => Some(Kind::Systemd),
            Self::Docker => Some(Kind::Docker),
        }
    }
}

/// What happens to the processes when the agent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExit {
    /// They run on, and the next agent takes them over.
    Leave,
    /// They are stopped: k2hdkc, then chmpx.
    Stop,
}

/// The file that chmpx and k2hdkc read.
#[derive(Debug, Clone, PartialEq)]
pub struct Ini {
    /// Where it is.
    pub path: PathBuf,
    /// Its owner; else the present one, or root.
    pub owner: Option<String>,
    /// Its group; else the present one, or root's.
    pub group: Option<String>,
    /// Its permission bits; else the present ones, or 0644.
    pub mode: Option<u32>,
    /// Sections that pass besides GLOBAL, SVRNODE, SLVNODE and K2HDKC.
    pub extra_sections: Vec<String>,
    /// How many installed generations are kept.
    pub keep: usize,
}

/// The local half of the membership source.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// GROUP; else the name of the cluster, which is the parent path of the role.
    pub group: Option<String>,
    /// Where NAME comes from.
    pub naming: Naming,
    /// Whether endpoints and peers are made of inbound and outbound addresses.
    pub peers: bool,
    /// PORT of server nodes.
    pub server_port: Port,
    /// CTLPORT of server nodes.
    pub server_ctlport: Port,
    /// CTLPORT of slave nodes.
    pub slave_ctlport: Port,
    /// Other keys of `[GLOBAL]`.
    pub global: std::collections::BTreeMap<String, String>,
    /// Keys of `[K2HDKC]`.
    pub k2hdkc: std::collections::BTreeMap<String, String>,
}

/// Where the agent keeps what it must not forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Ledger and kept generations.
    pub directory: PathBuf,
    /// The socket of `status` and `confirm`.
    pub runtime_directory: PathBuf,
    /// The group whose members may ask for the status; else the one that the package makes.
    pub status_group: Option<String>,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// What is said.
    pub level: Level,
    /// How it is written.
    pub format: Format,
}

/// How much is logged; `-v` adds one step each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A human is needed.
    Error,
    /// And what is tried again.
    Warn,
    /// And every pass that changed something.
    Info,
    /// And every pass.
    Debug,
    /// And every step.
    Trace,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is wrong with the configuration: every fault, one a line.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// Reads the configuration files and makes the settings of them.
///
/// # Errors
/// Every fault of them, one a line.
pub fn load(origin: &Origin) -> Result<Settings, SettingsError> {
    let (settings, faults) = load_what_is_good(origin);
    if faults.texts.is_empty() { Ok(settings) } else { Err(SettingsError(faults.texts)) }
}

/// The same for commands that only look for the running agent: what is wrong is left at its default and told.
pub fn load_what_is_good(origin: &Origin) -> (Settings, Faults) {
    // Watches are told of absolute paths only.
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let root = origin.root.as_ref().map_or_else(|| PathBuf::from("/"), absolute);
    let vendor = below(&root, Path::new("/usr/lib/k2hdkc-agent/agent.toml"));
    let main =
        origin.config.clone().unwrap_or_else(|| below(&root, Path::new("/etc/k2hdkc-agent/agent.toml")));
    let dropins = main.with_file_name("conf.d");
    let Layers { merged, mut faults, notes } =
        Layers::read(&vendor, (&main, origin.config.is_some()), &dropins);
    let raw = Raw::deserialize(merged).unwrap_or_else(|error| {
        faults.texts.push(error.to_string());
        Raw::default()
    });
    let mut settings = interpret::interpret(raw, &root, &mut faults.texts);
    settings.sources = vec![main, settings.k2hr3.token_file.clone(), settings.k2hr3.instance_id.clone()];
    settings.sources.extend(settings.k2hr3.ca_file.clone());
    settings.fragments = dropins;
    settings.notes = notes;
    (settings, faults)
}

/// `path` below `root`, as every path of the agent is.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A length of time as in the configuration, or a number of seconds.
pub fn length(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let length = seconds.or_else(|| raw::Span::read(text).map(|span| span.0));
    length.ok_or_else(|| "is not a number of seconds, or one with ms, s, m or h behind it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with these files in it, and the settings or errors they make.
    fn with(files: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = below(root.path(), Path::new(path));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            crate::file::store(&path, text.as_bytes()).unwrap();
        }
        let loaded = load(&Origin { config: None, root: Some(root.path().to_owned()) });
        let strip = |text: String| text.replace(&root.path().display().to_string(), "");
        loaded.map_err(|error| error.0.into_iter().map(strip).collect())
    }

    const MAIN: &str = "/etc/k2hdkc-agent/agent.toml";

    #[test]
    fn a_name_look_up_of_the_programs_has_a_limit_that_the_operator_may_set() {
        let options = |text: &str| {
            let environment = with(&[(MAIN, text)]).unwrap().supervisor.process.environment;
            environment.get("RES_OPTIONS").cloned().unwrap_or_default()
        };
        assert_eq!(options(""), "timeout:1 attempts:1");
        assert_eq!(options("[supervisor.environment]\nCHMDBGMODE = \"ERR\"\n"), "timeout:1 attempts:1");
        assert_eq!(options("[supervisor.environment]\nRES_OPTIONS = \"timeout:3\"\n"), "timeout:3");
    }

    #[test]
    fn nothing_configured_is_a_whole_configuration() {
        let settings = load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap();
        assert_eq!(settings.ini.path, Path::new("/nowhere/etc/antpickax/k2hdkc.ini"));
        assert_eq!(settings.k2hr3.token_file, Path::new("/nowhere/etc/antpickax/k2hr3-role-token"));
        assert_eq!(settings.pace.interval, Duration::from_secs(5));
        assert_eq!((settings.supervisor.kind, settings.hosts), (SupervisorKind::Auto, None));
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let settings = with(&[
            (
                "/usr/lib/k2hdkc-agent/agent.toml",
                "[poll]\ninterval = \"1s\"\njitter = 0.1\n[hosts]\nenabled = true\n",
            ),
            (MAIN, "[poll]\ninterval = \"2s\"\n[profile.global]\nREPLICA = 2\nMQACK = true\n"),
            ("/etc/k2hdkc-agent/conf.d/20-b.toml", "[poll]\nload = 2.0\n"),
            ("/etc/k2hdkc-agent/conf.d/10-a.toml", "[poll]\nload = 1.0\n"),
            ("/etc/k2hdkc-agent/conf.d/ignored.txt", "nonsense"),
            ("/etc/k2hdkc-agent/conf.d/30-c.toml~", "nonsense"),
            ("/etc/k2hdkc-agent/conf.d/.30-c.toml.swp", "nonsense"),
        ])
        .unwrap();
        assert_eq!(settings.pace.interval, Duration::from_secs(2));
        assert!((settings.pace.jitter - 0.1).abs() < 1e-9 && (settings.pace.load - 2.0).abs() < 1e-9);
        assert!(settings.hosts.unwrap().ends_with("etc/hosts"));
        assert_eq!((&*settings.profile.global["REPLICA"], &*settings.profile.global["MQACK"]), ("2", "on"));
    }

    #[test]
    fn all_faults_are_told_together_with_file_and_line() {
        let errors = with(&[
            (MAIN, "[poll]\ninterval = \"2s\"\nintervall = \"1s\"\n"),
            ("/etc/k2hdkc-agent/conf.d/1.toml", "\n\n[k2hr3]\nrole = 7\n"),
            ("/etc/k2hdkc-agent/conf.d/2.toml", "[guard]\nmax-lost-share = 2.0\n[ini]\nmode = \"9\"\n"),
        ])
        .unwrap_err();
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(
            errors[0].starts_with("/etc/k2hdkc-agent/agent.toml:3: unknown field `intervall`"),
            "{errors:?}"
        );
        assert!(
            errors[1].starts_with("/etc/k2hdkc-agent/conf.d/1.toml:4: invalid type: integer `7`"),
            "{errors:?}"
        );
        assert_eq!(errors[2], "ini.mode: is not an octal mode such as \"0644\"");
        assert_eq!(errors[3], "guard.max-lost-share: is a share from 0 to 1");
    }

    #[test]
    fn every_value_is_examined() {
        for (text, error) in [
            ("[poll]\njitter = 1.5", "poll.jitter: is a share"),
            ("[k2hr3]\ntimeout = \"0s\"", "k2hr3.timeout: must be more"),
            ("[guard]\nremoval-polls = 0", "guard.removal-polls: must be at least 1"),
            ("[poll]\nload = 0", "poll.load: must be more than 0"),
            ("[poll]\nload = 0.0", "poll.load: must be more than 0"),
            ("[poll]\ninterval = \"0s\"", "poll.interval: must be more"),
            ("[poll]\nbackoff = \"0s\"", "poll.backoff: must be more"),
            ("[poll]\nsettle = \"5s\"", "poll.max-settle: must not be less"),
            ("[poll]\ninterval = 5", "expected a length of time"),
            ("[ini]\npath = \"/x.conf\"", "must end in .ini"),
            ("[ini]\nkeep = 0", "ini.keep: must be at least 1"),
            ("[k2hr3]\nrole = \"server\"", "k2hr3.role: \"server\" is not a role YRN"),
            ("[k2hr3]\nresource = \"x\"", "is not a resource YRN"),
            ("[k2hr3]\napi-uri = \"ftp://x\"", "k2hr3.api-uri: is not of the form"),
            ("[k2hr3]\napi-uri = \"http://u:p@x\"", "is not of the form"),
            ("[k2hr3]\ncuk = \"a b\"", "k2hr3.cuk: a CUK has a blank"),
            ("[k2hr3]\nsource-address = \"x\"", "k2hr3.source-address: invalid IP"),
            ("[k2hr3]\nsource = \"file\"", "k2hr3.file: is needed"),
            ("[k2hr3]\nsource = \"dns\"", "unknown variant `dns`"),
            ("[profile]\nserver-port = 40000", "profile.server-port: port \"40000\""),
            ("[supervisor]\nkind = \"upstart\"", "unknown variant `upstart`"),
            ("[supervisor]\nrestarts = \"sometimes\"", "unknown variant `sometimes`"),
            ("[supervisor]\nanswer-within = \"0s\"", "supervisor.answer-within: must be more"),
            ("[supervisor]\nchmpx = \"\"", "supervisor.chmpx: must not be empty"),
            (
                "[supervisor]\nchmpx-options = [\"-conf\", \"/x.ini\"]",
                "supervisor.chmpx-options: -conf is the agent's",
            ),
            ("[nonsense]", "unknown field `nonsense`"),
            ("no toml", "key with no value"),
        ] {
            let errors = with(&[(MAIN, text)]).err().unwrap_or_default();
            let right = errors.len() == 1 && errors[0].contains(error);
            // An integer where a float is wanted is taken as one.
            assert!(right, "{text}: {errors:?}");
        }
    }

    #[test]
    fn a_configuration_that_was_named_must_exist_and_is_not_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("a.toml");
        let origin = Origin { config: Some(config.clone()), root: Some("/nowhere".into()) };
        assert!(load(&origin).unwrap_err().0[0].contains("No such file"));
        assert!(!load_what_is_good(&origin).1.may_pass, "a wrong name stays wrong");
        crate::file::store(&config, b"[ini]\nkeep = 2\n").unwrap();
        assert_eq!(load(&origin).unwrap().ini.keep, 2);
    }
}
