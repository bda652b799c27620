//! Turns a new VM into a node: user, packages and units by the keys of the role's resource in K2HR3.
//!
//! `k2hr3-init.sh` of K2HR3's user-data does the same once and unchecked, and as root not at all (k2hr3_api 2.0.3). Here a
//! step is taken only where the host lacks its result, so the bootstrap may run again and continues after an interruption.
//!
//! Root carries out the values of these keys, and every writer of the resource sets them. So a strict pattern examines each
//! name, programs get it as one word, and packages come only from repositories that the image trusts already. No script
//! is fetched and run.
//!
//! Pure, but for [`host`], which looks and acts, and [`unfinished`], which keeps a file.

mod closing;
pub mod host;
mod names;
mod running_as;
#[cfg(test)]
mod tests;
pub mod unfinished;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

pub use names::{NameError, Package, Unit, UserName};

/// Keys of a role's resource that name the needs of its VMs; the DBaaS command line and Trove write them.
pub const KEYS: [&str; 5] = [
    "k2hr3-init-packages",
    "k2hr3-init-packagecloud-packages",
    "k2hr3-init-systemd-packages",
    "k2hdkc-dbaas-proc-user",
    "k2hdkc-dbaas-add-user",
];

/// User where the resource wants one and names none (the one of upstream's override.conf).
const USUAL_USER: &str = "k2hdkc";
/// User in the drop-ins of the package; another one needs a drop-in of its own.
const USER_OF_UNITS: &str = "k2hdkc";
/// Program that this agent replaces: its timer and its service write the same file in place, which ends chmpx.
const REPLACED: &str = "k2hr3-get-resource";
/// Units that the agent starts itself, once other servers are in sight. An enabled one would start earlier, by systemd.
pub const KEPT_BY_AGENT: [&str; 2] = ["chmpx.service", "k2hdkc.service"];
/// Unit of the agent.
const OWN: &str = "k2hdkc-agent.service";

/// Needs of this host, by the keys of its role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// User of chmpx and k2hdkc, created if it is missing.
    pub user: Option<UserName>,
    /// User of chmpx and k2hdkc, if it differs from the one in the units of the package.
    pub runs_as: Option<UserName>,
    /// Packages, in their order.
    pub packages: Vec<Package>,
    /// Units that start now and at every boot, in their order.
    pub units: Vec<Unit>,
    /// Units that the agent starts and systemd does not.
    pub kept: Vec<Unit>,
    /// Units of the replaced program, which start no more.
    pub replaced: Vec<Unit>,
    /// True if the identity is to be closed to other users.
    pub closes: bool,
}

impl Orders {
    /// Reads the values of [`KEYS`], in their order.
    ///
    /// With `supervisor.kind` "none" the units of chmpx and k2hdkc are ordinary ones: the agent starts neither.
    ///
    /// # Errors
    ///
    /// Every value that is no name of its kind, each with its key.
    pub fn read(values: &[Option<String>; KEYS.len()], agent_starts: bool) -> Result<Self, Vec<String>> {
        let [packages, more, units, user, add] = values;
        let mut wrong = Vec::new();
        let mut orders = Self::default();
        for (key, value) in [(KEYS[0], packages), (KEYS[1], more)] {
            orders.packages.extend(each::<Package>(key, value.as_deref(), &mut wrong));
        }
        orders.packages.retain(|package| package.as_str() != REPLACED);
        let units: Vec<Unit> = each(KEYS[2], units.as_deref(), &mut wrong);
        let is_replaced =
            |unit: &Unit| unit.as_str().rsplit_once('.').is_some_and(|(name, _)| name == REPLACED);
        let is_kept = |unit: &Unit| agent_starts && KEPT_BY_AGENT.contains(&unit.as_str());
        (orders.replaced, orders.units) = units.into_iter().partition(is_replaced);
        orders.units.retain(|unit| !is_kept(unit));
        if agent_starts {
            // The image, a package or an earlier user-data may have enabled them.
            orders.kept = KEPT_BY_AGENT.into_iter().flat_map(Unit::try_from).collect();
        }
        let (named, adds) =
            (user.as_deref().map(str::trim).filter(|name| !name.is_empty()), is_yes(add.as_deref()));
        match named.or(adds.then_some(USUAL_USER)).map(UserName::try_from) {
            Some(Ok(name)) => {
                orders.runs_as = Some(name.clone()).filter(|name| name.as_str() != USER_OF_UNITS);
                orders.user = adds.then_some(name);
            }
            Some(Err(error)) => wrong.push(format!("{}: {error}", KEYS[3])),
            None => {}
        }
        if wrong.is_empty() { Ok(orders) } else { Err(wrong) }
    }

    /// Splits the orders into the part before the units and the units. Both parts disable the units that must not start at
    /// boot: a boot amid a long installation would start those enabled already, and a package may enable more.
    pub fn in_turn(self) -> [Self; 2] {
        let Self { user, runs_as, packages, units, kept, replaced, closes } = self;
        let first = Self {
            user,
            runs_as,
            packages,
            kept: kept.clone(),
            replaced: replaced.clone(),
            ..Self::default()
        };
        [first, Self { units, kept, replaced, closes, ..Self::default() }]
    }
}

/// Reads names between commas or blanks.
fn each<'a, T>(key: &str, value: Option<&'a str>, wrong: &mut Vec<String>) -> Vec<T>
where
    T: TryFrom<&'a str, Error = NameError>,
{
    let words = value.unwrap_or_default().split(|c: char| c == ',' || c.is_whitespace());
    let mut names = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        match T::try_from(word) {
            Ok(name) => names.push(name),
            Err(error) => wrong.push(format!("{key}: {error}")),
        }
    }
    names
}

/// Reads a truth value: the command line writes 1, and upstream's scripts accept every value that is not empty.
fn is_yes(value: Option<&str>) -> bool {
    !["", "0", "no", "false"].contains(&value.unwrap_or_default().trim().to_ascii_lowercase().as_str())
}

/// State of the host, as far as the orders concern it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Existing users.
    pub users: BTreeSet<UserName>,
    /// True if the units have the wanted user.
    pub runs_as: bool,
    /// Installed packages.
    pub installed: BTreeSet<Package>,
    /// True if the host has systemd; without it only the agent's own unit matters.
    pub has_systemd: bool,
    /// True if systemd does not run, as in an image or a container: nothing can be started now.
    pub is_offline: bool,
    /// Enabled units.
    pub enabled: BTreeSet<Unit>,
    /// Active units.
    pub active: BTreeSet<Unit>,
    /// Paths of the identity whose mode is too wide, each with its widest mode.
    pub open: Vec<(PathBuf, u32)>,
    /// Script that closes the directory of chmpx's memory, if every user may write there.
    pub memory: Option<PathBuf>,
}

/// One change of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Narrows the mode of a path to this one.
    Close(PathBuf, u32),
    /// Closes the directory of chmpx's memory to users outside its group, by that script.
    CloseMemory(PathBuf),
    /// Creates a system user.
    AddUser(UserName),
    /// Sets the user of the units of chmpx and k2hdkc, from their next start on.
    RunAs(UserName),
    /// Refreshes the package lists.
    Refresh,
    /// Installs a package.
    Install(Package),
    /// Disables a unit; its running process continues.
    Disable(Unit),
    /// Stops and disables a unit that the agent replaces.
    Replace(Unit),
    /// Enables a unit.
    Enable(Unit),
    /// Starts a unit.
    Start(Unit),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(path, mode) => write!(f, "close {} to other users (mode {mode:04o})", path.display()),
            Self::CloseMemory(_) => {
                f.write_str("close the directory of chmpx's memory to users outside its group")
            }
            Self::AddUser(name) => write!(f, "create the user {name}"),
            Self::RunAs(name) => write!(f, "run chmpx and k2hdkc as {name}"),
            Self::Refresh => f.write_str("refresh the package lists"),
            Self::Install(package) => write!(f, "install {package}"),
            Self::Disable(unit) => write!(f, "disable {unit}: the agent starts it"),
            Self::Replace(unit) => write!(f, "stop and disable {unit}: the agent replaces it"),
            Self::Enable(unit) => write!(f, "enable {unit}"),
            Self::Start(unit) => write!(f, "start {unit}"),
        }
    }
}

/// Plans the missing steps in their order: the user first, since packages may need it, and the user of the units before any
/// of them could start.
pub fn plan(orders: &Orders, facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    steps.extend(facts.open.iter().cloned().map(|(path, mode)| Step::Close(path, mode)));
    steps.extend(facts.memory.iter().cloned().map(Step::CloseMemory));
    steps.extend(orders.user.iter().filter(|user| !facts.users.contains(*user)).cloned().map(Step::AddUser));
    if facts.has_systemd && !facts.runs_as {
        steps.extend(orders.runs_as.iter().cloned().map(Step::RunAs));
    }
    if facts.has_systemd {
        let works = |unit: &&Unit| facts.enabled.contains(*unit) || facts.active.contains(*unit);
        steps.extend(orders.replaced.iter().filter(works).cloned().map(Step::Replace));
        let starts_at_boot = |unit: &&Unit| facts.enabled.contains(*unit);
        steps.extend(orders.kept.iter().filter(starts_at_boot).cloned().map(Step::Disable));
    }
    let missing: Vec<_> =
        orders.packages.iter().filter(|package| !facts.installed.contains(*package)).collect();
    if !missing.is_empty() {
        steps.push(Step::Refresh);
    }
    steps.extend(missing.into_iter().cloned().map(Step::Install));
    // Without systemd the start of the agent fails, and its error gives the remedy.
    let matters = |unit: &&Unit| facts.has_systemd || unit.as_str() == OWN;
    steps.extend(orders.units.iter().filter(matters).flat_map(|unit| of_unit(unit, facts)));
    steps
}

fn of_unit(unit: &Unit, facts: &Facts) -> Vec<Step> {
    let (is_enabled, is_active) = (facts.enabled.contains(unit), facts.active.contains(unit));
    let mut steps = Vec::new();
    if facts.has_systemd && !is_enabled {
        steps.push(Step::Enable(unit.clone()));
    }
    if !is_active && !facts.is_offline {
        steps.push(Step::Start(unit.clone()));
    }
    steps
}

/// Orders for the agent itself, which come last: closed identity, unit enabled and started.
pub fn agent() -> Orders {
    let units = Unit::try_from(OWN).into_iter().collect();
    Orders { units, closes: true, ..Orders::default() }
}
