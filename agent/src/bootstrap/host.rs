//! Looks at this host and does the steps, by the programs that the host has for it: each with its own words, a fixed
//! environment and a deadline, and what it said on standard error where it failed.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Facts, Orders, Package, Step, Unit, UserName, closing, running_as};
use crate::clock::spoken;
use crate::file::FileError;
use crate::problem::printable;
use crate::took_over;

/// Where programs are looked for, below the agent's root, and what they get as PATH.
const PATH: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Longest time of a look, and of a step: a mirror may be slow, and another program may have the lock.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
const STEP_WITHIN: Duration = Duration::from_secs(900);
/// How much of a program's last words is shown.
const SHOWN: usize = 300;

/// Why a step was not taken.
#[derive(Debug, Error)]
pub enum HostError {
    /// There is no program for it.
    #[error("cannot {step}: this host has none of {programs}")]
    NoProgram {
        /// The step.
        step: String,
        /// What was looked for.
        programs: &'static str,
    },
    /// Nobody could keep a service running.
    #[error(
        "cannot {step}: this host has neither systemd nor OpenRC with {}; have 'k2hdkc-agent run' started at every boot",
        service.display()
    )]
    NoInit {
        /// The step.
        step: String,
        /// Where OpenRC has it.
        service: PathBuf,
    },
    /// It did not start.
    #[error("cannot start {program}")]
    Spawn {
        /// Which.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It was not through in time, and was killed.
    #[error("cannot {step}: {program} was not through within {}", spoken(STEP_WITHIN))]
    Late {
        /// The step.
        step: String,
        /// Which program.
        program: PathBuf,
    },
    /// It failed.
    #[error("cannot {step}: {program} ended with {status}: {said}")]
    Failed {
        /// The step.
        step: String,
        /// Which program.
        program: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its last words.
        said: String,
    },
    /// Who is to run the programs is not on this host.
    #[error(
        "cannot {step}: this host has no such user; make it, or set the key k2hdkc-dbaas-add-user of the role's resource"
    )]
    NoUser {
        /// The step.
        step: String,
    },
    /// The programs have run as another user, whose files the wanted one may not be able to open.
    #[error(
        "cannot {step}: {} belongs to the user {owner}; give what is in there to the wanted user while both are stopped, \
         and run 'k2hdkc-agent bootstrap' again", path.display()
    )]
    Owned {
        /// The step.
        step: String,
        /// A file of theirs.
        path: PathBuf,
        /// The number of its user.
        owner: u32,
    },
    /// A file or a directory could not be made right for it.
    #[error("cannot {step}")]
    File {
        /// The step.
        step: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// A path keeps its mode.
    #[error("cannot close {} to other users", path.display())]
    Close {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl HostError {
    /// Whether the same step may work some time later.
    pub fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::NoProgram { .. } | Self::NoInit { .. } | Self::NoUser { .. } | Self::Owned { .. }
        )
    }
}

/// Who keeps services running. What of it is installed does not run yet where an image is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Init {
    Systemd,
    OpenRc,
}

/// The package managers, as they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Apk,
}

/// This host.
#[derive(Debug)]
pub struct Host {
    root: PathBuf,
    manager: Option<(Manager, PathBuf)>,
}

impl Host {
    /// The host below that root.
    pub fn new(root: &Path) -> Self {
        let mut host = Self { root: root.to_owned(), manager: None };
        let managers = [(Manager::Apt, "apt-get"), (Manager::Dnf, "dnf"), (Manager::Apk, "apk")];
        host.manager = managers.into_iter().find_map(|(manager, name)| Some((manager, host.find(name)?)));
        host
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let below = |directory: &str| self.root.join(directory.trim_start_matches('/')).join(name);
        PATH.into_iter().map(below).find(|path| path.is_file())
    }

    fn init(&self) -> Option<Init> {
        let systemd = self.find("systemctl").map(|_| Init::Systemd);
        let openrc = self.find("rc-update").and(self.find("rc-service")).map(|_| Init::OpenRc);
        let mut both = systemd.into_iter().chain(openrc);
        both.clone().find(|init| self.runs(*init)).or_else(|| both.next())
    }

    fn runs(&self, init: Init) -> bool {
        let directory = match init {
            Init::Systemd => "run/systemd/system",
            Init::OpenRc => "run/openrc",
        };
        self.root.join(directory).is_dir()
    }

    /// Whether an init is installed that does not run: what is enabled starts when it boots, and nothing now.
    pub fn is_offline(&self) -> bool {
        self.init().is_some_and(|init| !self.runs(init))
    }

    /// Where OpenRC has a service.
    fn service(&self, unit: &Unit) -> PathBuf {
        self.root.join("etc/init.d").join(service(unit))
    }

    /// What is here of what is wanted. What cannot be told counts as missing: its step says why.
    pub async fn look(&self, orders: &Orders) -> Facts {
        let init = self.init();
        let has_systemd = init == Some(Init::Systemd);
        let mut facts = Facts { has_systemd, is_offline: self.is_offline(), ..Facts::default() };
        if orders.closes {
            facts.open = closing::open(&self.root);
            facts.memory = closing::of_memory(&self.root).filter(|_| has_systemd);
        }
        if let Some(user) = &orders.user
            && self.passwd(user).await.is_some()
        {
            facts.users.insert(user.clone());
        }
        facts.runs_as = orders.runs_as.as_ref().is_some_and(|user| running_as::is(&self.root, user));
        for package in &orders.packages {
            if self.has(package).await {
                facts.installed.insert(package.clone());
            }
        }
        for unit in orders.units.iter().chain(&orders.kept).chain(&orders.replaced) {
            if self.is_enabled(init, unit).await {
                facts.enabled.insert(unit.clone());
            }
            if self.is_active(init, unit).await {
                facts.active.insert(unit.clone());
            }
        }
        facts
    }

    async fn is_enabled(&self, init: Option<Init>, unit: &Unit) -> bool {
        match init {
            Some(Init::Systemd) => {
                self.says("systemctl", &["is-enabled", "--quiet", unit.as_str()], |_| true).await
            }
            Some(Init::OpenRc) if self.service(unit).is_file() => {
                self.root.join("etc/runlevels/default").join(service(unit)).exists()
            }
            // There is nothing to enable: its start says so.
            Some(Init::OpenRc) | None => true,
        }
    }

    async fn is_active(&self, init: Option<Init>, unit: &Unit) -> bool {
        match init {
            Some(Init::Systemd) => {
                self.says("systemctl", &["is-active", "--quiet", unit.as_str()], |_| true).await
            }
            Some(Init::OpenRc) => self.says("rc-service", &[service(unit), "status"], |_| true).await,
            None => false,
        }
    }

    async fn has(&self, package: &Package) -> bool {
        let name = package.as_str();
        match self.manager {
            // One that was removed is still known.
            Some((Manager::Apt, _)) => {
                let words = ["--show", "--showformat=${db:Status-Status}", name];
                self.says("dpkg-query", &words, |said| said == "installed").await
            }
            Some((Manager::Dnf, _)) => self.says("rpm", &["-q", "--quiet", name], |_| true).await,
            Some((Manager::Apk, _)) => {
                self.says("apk", &["info", "--quiet", "--installed", name], |_| true).await
            }
            None => false,
        }
    }

    /// A user's line of passwd(5). An image without getent has no other users than those of the file.
    async fn passwd(&self, user: &UserName) -> Option<String> {
        if self.find("getent").is_some() {
            return self.said("getent", &["passwd", user.as_str()]).await;
        }
        let text = std::fs::read_to_string(self.root.join("etc/passwd")).ok()?;
        let is = |line: &&str| line.split(':').next() == Some(user.as_str());
        text.lines().find(is).map(str::to_owned)
    }

    /// Whether a program is here, ends well, and says what is wanted.
    async fn says(&self, program: &str, words: &[&str], is: impl Fn(&str) -> bool) -> bool {
        self.said(program, words).await.is_some_and(|said| is(&said))
    }

    /// What a program says, where it is here and ends well.
    async fn said(&self, program: &str, words: &[&str]) -> Option<String> {
        let program = self.find(program)?;
        match timeout(LOOK_WITHIN, command(&program, words).output()).await {
            Ok(Ok(output)) if output.status.success() => {
                Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        }
    }

    /// Takes one step.
    pub async fn act(&self, step: &Step) -> Result<(), HostError> {
        match step {
            Step::Close(path, mode) => closing::close(path, *mode)
                .map_err(|source| HostError::Close { path: path.to_owned(), source }),
            Step::CloseMemory(script) => self.run(step, script, &["closing"]).await,
            Step::AddUser(name) => self.add_user(step, name).await,
            Step::Refresh => self.manage(step, None).await,
            Step::Install(package) => self.manage(step, Some(package)).await,
            Step::RunAs(name) => self.run_as(step, name).await,
            Step::Disable(unit) => self.disable(step, &["disable"], unit).await,
            Step::Replace(unit) => self.disable(step, &["disable", "--now"], unit).await,
            Step::Enable(unit) => self.enable(step, unit).await,
            Step::Start(unit) => self.start(step, unit).await,
        }
    }

    async fn add_user(&self, step: &Step, name: &UserName) -> Result<(), HostError> {
        let name = name.as_str();
        if let Some(useradd) = self.find("useradd") {
            let words =
                ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name];
            return self.run(step, &useradd, &words).await;
        }
        // busybox
        let adduser = self.find("adduser").ok_or_else(|| none(step, "useradd, adduser"))?;
        self.run(step, &adduser, &["-S", "-D", "-H", "-s", "/sbin/nologin", name]).await
    }

    async fn run_as(&self, step: &Step, name: &UserName) -> Result<(), HostError> {
        let entry = self.passwd(name).await;
        let owner = entry
            .as_deref()
            .and_then(running_as::numbers)
            .ok_or_else(|| HostError::NoUser { step: step.to_string() })?;
        if let Some((path, owner)) = running_as::of_another(&self.root, owner) {
            return Err(HostError::Owned { step: step.to_string(), path, owner });
        }
        running_as::set(&self.root, name, owner)
            .map_err(|source| HostError::File { step: step.to_string(), source })?;
        let systemctl = self.find("systemctl").ok_or_else(|| none(step, "systemctl"))?;
        self.run(step, &systemctl, &["daemon-reload"]).await
    }

    /// What starts at boot now does so again when the package is removed.
    async fn disable(&self, step: &Step, verb: &[&str], unit: &Unit) -> Result<(), HostError> {
        // A unit that nobody can enable is none that was.
        if self.says("systemctl", &["is-enabled", unit.as_str()], |said| said == "enabled").await {
            took_over::add(&took_over::file(&self.root), unit.as_str())
                .map_err(|source| HostError::File { step: step.to_string(), source })?;
        }
        self.systemctl(step, verb, unit).await
    }

    async fn manage(&self, step: &Step, package: Option<&Package>) -> Result<(), HostError> {
        let (manager, program) = self.manager.as_ref().ok_or_else(|| none(step, "apt-get, dnf, apk"))?;
        let mut words = match (manager, package.is_some()) {
            // At the first boot other programs of cloud-init may have dpkg's lock.
            (Manager::Apt, false) => vec!["update", "--quiet", "--option", "DPkg::Lock::Timeout=300"],
            (Manager::Apt, true) => vec![
                "install",
                "--quiet",
                "--yes",
                "--no-install-recommends",
                "--option",
                "DPkg::Lock::Timeout=300",
                "--option",
                "Dpkg::Options::=--force-confold",
            ],
            (Manager::Dnf, false) => vec!["makecache", "--assumeyes"],
            (Manager::Dnf, true) => vec!["install", "--assumeyes", "--setopt=install_weak_deps=False"],
            (Manager::Apk, false) => vec!["update"],
            (Manager::Apk, true) => vec!["add"],
        };
        words.extend(package.map(Package::as_str));
        self.run(step, program, &words).await
    }

    async fn enable(&self, step: &Step, unit: &Unit) -> Result<(), HostError> {
        match self.init() {
            Some(Init::OpenRc) => {
                self.openrc(step, unit, "rc-update", &["add", service(unit), "default"]).await
            }
            Some(Init::Systemd) | None => self.systemctl(step, &["enable"], unit).await,
        }
    }

    async fn start(&self, step: &Step, unit: &Unit) -> Result<(), HostError> {
        match self.init() {
            Some(Init::OpenRc) => self.openrc(step, unit, "rc-service", &[service(unit), "start"]).await,
            // It may wait for the very boot stage in which this runs.
            Some(Init::Systemd) => self.systemctl(step, &["start", "--no-block"], unit).await,
            None => Err(self.no_init(step, unit)),
        }
    }

    async fn openrc(&self, step: &Step, unit: &Unit, name: &str, words: &[&str]) -> Result<(), HostError> {
        let has_service = self.service(unit).is_file();
        let program = self.find(name).filter(|_| has_service).ok_or_else(|| self.no_init(step, unit))?;
        self.run(step, &program, words).await
    }

    fn no_init(&self, step: &Step, unit: &Unit) -> HostError {
        HostError::NoInit { step: step.to_string(), service: self.service(unit) }
    }

    async fn systemctl(&self, step: &Step, verb: &[&str], unit: &Unit) -> Result<(), HostError> {
        let systemctl = self.find("systemctl").ok_or_else(|| none(step, "systemctl"))?;
        self.run(step, &systemctl, &[verb, &[unit.as_str()]].concat()).await
    }

    async fn run(&self, step: &Step, program: &Path, words: &[&str]) -> Result<(), HostError> {
        let output = match timeout(STEP_WITHIN, command(program, words).output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(source)) => return Err(HostError::Spawn { program: program.to_owned(), source }),
            Err(_) => return Err(HostError::Late { step: step.to_string(), program: program.to_owned() }),
        };
        if output.status.success() {
            return Ok(());
        }
        let (step, program, said) = (step.to_string(), program.to_owned(), last_words(&output));
        Err(HostError::Failed { step, program, status: output.status, said })
    }
}

fn command(program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).env_clear().env("PATH", PATH.join(":")).env("LC_ALL", "C");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("HOME", "/root");
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What OpenRC calls a unit.
fn service(unit: &Unit) -> &str {
    unit.as_str().strip_suffix(".service").unwrap_or(unit.as_str())
}

fn none(step: &Step, programs: &'static str) -> HostError {
    HostError::NoProgram { step: step.to_string(), programs }
}

/// The end of what it said, which is where programs say why.
fn last_words(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
    printable(last.trim(), SHOWN)
}
