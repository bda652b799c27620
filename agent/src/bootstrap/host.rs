//! Inspects this host and carries out the steps, by programs of the host.

mod error;
mod packages;
mod programs;

use std::path::{Path, PathBuf};

pub use error::HostError;

use super::{Facts, Orders, Package, Step, Unit, UserName, closing, running_as};
use crate::took_over;
use packages::Manager;
use programs::{Programs, run};

/// This host.
#[derive(Debug)]
pub struct Host {
    root: PathBuf,
    programs: Programs,
    manager: Option<Manager>,
}

impl Host {
    /// The host below that root.
    pub fn new(root: &Path) -> Self {
        let programs = Programs::below(root);
        let manager = Manager::of(&programs);
        Self { root: root.to_owned(), programs, manager }
    }

    fn has_systemd(&self) -> bool {
        self.programs.find("systemctl").is_some()
    }

    /// True if systemd is installed and does not run, as in an image: an enabled unit starts at the first boot, and none now.
    pub fn is_offline(&self) -> bool {
        self.has_systemd() && !self.root.join("run/systemd/system").is_dir()
    }

    /// Finds out how much of the orders the host has. An unanswered query counts as missing; the step then reports the cause.
    pub async fn look(&self, orders: &Orders) -> Facts {
        let has_systemd = self.has_systemd();
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
        if let Some(manager) = self.manager {
            for package in &orders.packages {
                if manager.has(&self.programs, package).await {
                    facts.installed.insert(package.clone());
                }
            }
        }
        if has_systemd {
            self.look_at_units(orders, &mut facts).await;
        }
        facts
    }

    async fn look_at_units(&self, orders: &Orders, facts: &mut Facts) {
        for unit in orders.units.iter().chain(&orders.kept).chain(&orders.replaced) {
            if self.programs.confirms("systemctl", &["is-enabled", "--quiet", unit.as_str()]).await {
                facts.enabled.insert(unit.clone());
            }
            if self.programs.confirms("systemctl", &["is-active", "--quiet", unit.as_str()]).await {
                facts.active.insert(unit.clone());
            }
        }
    }

    /// Line of a user in passwd(5).
    async fn passwd(&self, user: &UserName) -> Option<String> {
        self.programs.answer("getent", &["passwd", user.as_str()]).await
    }

    /// Carries out one step.
    ///
    /// # Errors
    ///
    /// The host lacks the program or the init for the step, or the program fails.
    pub async fn act(&self, step: &Step) -> Result<(), HostError> {
        match step {
            Step::Close(path, mode) => closing::close(path, *mode)
                .map_err(|source| HostError::Close { path: path.to_owned(), source }),
            Step::CloseMemory(script) => run(step, script, &["closing"]).await,
            Step::AddUser(name) => self.add_user(step, name).await,
            Step::Refresh => self.manager(step)?.refresh(&self.programs, step).await,
            Step::Install(package) => self.manager(step)?.install(&self.programs, step, package).await,
            Step::RunAs(name) => self.run_as(step, name).await,
            Step::Disable(unit) => self.disable(step, &["disable"], unit).await,
            Step::Replace(unit) => self.disable(step, &["disable", "--now"], unit).await,
            Step::Enable(unit) => self.systemctl(step, &["enable", unit.as_str()]).await,
            // Without --no-block it could wait for the very boot stage that the bootstrap belongs to.
            Step::Start(unit) if self.has_systemd() => {
                self.systemctl(step, &["start", "--no-block", unit.as_str()]).await
            }
            Step::Start(_) => Err(HostError::NoInit { step: step.to_string() }),
        }
    }

    fn manager(&self, step: &Step) -> Result<Manager, HostError> {
        let none = || HostError::NoProgram { step: step.to_string(), programs: "apt-get, dnf" };
        self.manager.ok_or_else(none)
    }

    async fn add_user(&self, step: &Step, name: &UserName) -> Result<(), HostError> {
        let words =
            ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name.as_str()];
        run(step, &self.programs.need(step, "useradd")?, &words).await
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
        self.systemctl(step, &["daemon-reload"]).await
    }

    /// Disables a unit, and notes an enabled one, which a removal of the package enables again.
    async fn disable(&self, step: &Step, verb: &[&str], unit: &Unit) -> Result<(), HostError> {
        let state = self.programs.answer("systemctl", &["is-enabled", unit.as_str()]).await;
        // Other states, such as static, need no enabling.
        if state.is_some_and(|state| state == "enabled") {
            took_over::add(&took_over::file(&self.root), unit.as_str())
                .map_err(|source| HostError::File { step: step.to_string(), source })?;
        }
        self.systemctl(step, &[verb, &[unit.as_str()]].concat()).await
    }

    async fn systemctl(&self, step: &Step, words: &[&str]) -> Result<(), HostError> {
        run(step, &self.programs.need(step, "systemctl")?, words).await
    }
}
