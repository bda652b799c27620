//! From what K2HR3 says of a new VM to a VM that has it: a user, packages, units. What `k2hr3-init.sh` of K2HR3's user-data
//! does once, without a look at what came of it, and as root not at all (k2hr3_api 2.0.3); here each step is taken only
//! where the host lacks it, so that it may run again, and goes on where it was cut off.
//!
//! The keys of the resource come from everybody who may write it, and what they name is done as root: so names are
//! examined by a strict pattern, programs get them as single words, and packages come from those repositories alone that
//! the image already trusts; no script is fetched and run.
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

/// The keys of a role's resource that tell what its VMs need, as the DBaaS command line and Trove write them.
pub const KEYS: [&str; 5] = [
    "k2hr3-init-packages",
    "k2hr3-init-packagecloud-packages",
    "k2hr3-init-systemd-packages",
    "k2hdkc-dbaas-proc-user",
    "k2hdkc-dbaas-add-user",
];

/// What the programs run as where an operator wants a user and names none (upstream's override.conf has this one).
const USUAL_USER: &str = "k2hdkc";
/// Whom the units that the package brings run both as; another user is put into a drop-in.
const USER_OF_UNITS: &str = "k2hdkc";
/// What this agent replaces: its timer and its service write the same file in place, which ends chmpx.
const REPLACED: &str = "k2hr3-get-resource";
/// What the agent starts itself, when the others are in sight. Enabled, systemd would start them before.
pub const KEPT_BY_AGENT: [&str; 2] = ["chmpx.service", "k2hdkc.service"];
/// The agent's own.
const OWN: &str = "k2hdkc-agent.service";

/// What is wanted on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// A user for chmpx and k2hdkc, to be made where it is missing.
    pub user: Option<UserName>,
    /// Whom chmpx and k2hdkc run as, where it is another user than the units of the package have.
    pub runs_as: Option<UserName>,
    /// Packages, in their order.
    pub packages: Vec<Package>,
    /// Units that start now and at every boot, in their order.
    pub units: Vec<Unit>,
    /// Units that the agent starts and systemd does not.
    pub kept: Vec<Unit>,
    /// Units of what this agent replaces, which start no more.
    pub replaced: Vec<Unit>,
    /// Whether the identity is closed to other users.
    pub closes: bool,
}

impl Orders {
    /// Reads the values of [`KEYS`], in their order; what a key does not say is nothing. On failure every name that is none.
    ///
    /// Where no agent starts chmpx and k2hdkc (`supervisor.kind` is "none"), their units are units like every other.
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
            // Whoever has enabled them: the image, a package, or a user-data before.
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

    /// What comes before the units, and the units. What must not start at boot is looked at in both: some are enabled already, and
    /// a boot in the middle of a long installation would start them; a package may enable others when it comes.
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

/// Names in a list with commas or blanks between them.
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

/// The command line writes 1; upstream's scripts take every value but an empty one for it.
fn is_yes(value: Option<&str>) -> bool {
    !["", "0", "no", "false"].contains(&value.unwrap_or_default().trim().to_ascii_lowercase().as_str())
}

/// What the host has of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Users that are there.
    pub users: BTreeSet<UserName>,
    /// Whether the units run as the user that is wanted.
    pub runs_as: bool,
    /// Packages that are installed.
    pub installed: BTreeSet<Package>,
    /// Whether systemd keeps the units; else only the agent's own is anybody's business.
    pub has_systemd: bool,
    /// Whether no init runs, as where an image is made, or in a container: nothing can be started now.
    pub is_offline: bool,
    /// Units that start at boot.
    pub enabled: BTreeSet<Unit>,
    /// Units that run.
    pub active: BTreeSet<Unit>,
    /// Paths of the identity that are more open than they may be, with the mode for them.
    pub open: Vec<(PathBuf, u32)>,
    /// The script that closes the directory of chmpx's memory, where every user may write there.
    pub memory: Option<PathBuf>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Takes a path from other users: the most that its mode may be.
    Close(PathBuf, u32),
    /// Takes the directory of chmpx's memory from users who are not in its group, by that script.
    CloseMemory(PathBuf),
    /// Makes a system user.
    AddUser(UserName),
    /// Has the units of chmpx and k2hdkc run as that user from their next start on.
    RunAs(UserName),
    /// Reads the lists of the repositories.
    Refresh,
    /// Installs a package.
    Install(Package),
    /// Lets a unit start at no boot; what runs goes on.
    Disable(Unit),
    /// Stops a unit for good: the agent has its work.
    Replace(Unit),
    /// Lets a unit start at every boot.
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
            Self::AddUser(name) => write!(f, "make the user {name}"),
            Self::RunAs(name) => write!(f, "have chmpx and k2hdkc run as {name}"),
            Self::Refresh => f.write_str("read the lists of the package repositories"),
            Self::Install(package) => write!(f, "install {package}"),
            Self::Disable(unit) => write!(f, "disable {unit}: the agent starts it when it is time"),
            Self::Replace(unit) => write!(f, "stop and disable {unit}: the agent keeps its file"),
            Self::Enable(unit) => write!(f, "enable {unit}"),
            Self::Start(unit) => write!(f, "start {unit}"),
        }
    }
}

/// What is missing, in the order in which it is done: the user first, since packages may look for it, and whom the programs
/// run as before there is one that could be started.
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
    let is_anybodys = |unit: &&Unit| facts.has_systemd || unit.as_str() == OWN;
    steps.extend(orders.units.iter().filter(is_anybodys).flat_map(|unit| of_unit(unit, facts)));
    steps
}

fn of_unit(unit: &Unit, facts: &Facts) -> Vec<Step> {
    let (is_enabled, is_active) = (facts.enabled.contains(unit), facts.active.contains(unit));
    let mut steps = Vec::new();
    if !is_enabled {
        steps.push(Step::Enable(unit.clone()));
    }
    if !is_active && !facts.is_offline {
        steps.push(Step::Start(unit.clone()));
    }
    steps
}

/// The agent itself, which comes last: its identity is closed to others, and it is enabled, and started where it does not run.
pub fn agent() -> Orders {
    let units = Unit::try_from(OWN).into_iter().collect();
    Orders { units, closes: true, ..Orders::default() }
}
