//! Package managers of the host: apt and dnf.

use super::programs::{Programs, run};
use super::{HostError, Package, Step};

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    /// Debian's.
    Apt,
    /// dnf, of Fedora and its relatives.
    Dnf,
}

impl Manager {
    /// The manager of this host; `None` if it has neither.
    pub(super) fn of(programs: &Programs) -> Option<Self> {
        [Self::Apt, Self::Dnf].into_iter().find(|manager| programs.find(manager.program()).is_some())
    }

    fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
        }
    }

    /// True if the host has the package.
    pub(super) async fn has(self, programs: &Programs, package: &Package) -> bool {
        let name = package.as_str();
        match self {
            // dpkg still knows a package that was removed.
            Self::Apt => {
                let words = ["--show", "--showformat=${db:Status-Status}", name];
                programs.answer("dpkg-query", &words).await.is_some_and(|status| status == "installed")
            }
            Self::Dnf => programs.confirms("rpm", &["-q", "--quiet", name]).await,
        }
    }

    /// Refreshes the package lists.
    ///
    /// # Errors
    ///
    /// The program is missing or fails. apt succeeds even if it reaches no mirror.
    pub(super) async fn refresh(self, programs: &Programs, step: &Step) -> Result<(), HostError> {
        let words: &[&str] = match self {
            // At the first boot other programs of cloud-init may hold dpkg's lock.
            Self::Apt => &["update", "--quiet", "--option", "DPkg::Lock::Timeout=300"],
            Self::Dnf => &["makecache", "--assumeyes"],
        };
        run(step, &programs.need(step, self.program())?, words).await
    }

    /// Installs a package.
    ///
    /// # Errors
    ///
    /// The program is missing, or cannot install the package.
    pub(super) async fn install(
        self,
        programs: &Programs,
        step: &Step,
        package: &Package,
    ) -> Result<(), HostError> {
        let words: &[&str] = match self {
            Self::Apt => &[
                "install",
                "--quiet",
                "--yes",
                "--no-install-recommends",
                "--option",
                "DPkg::Lock::Timeout=300",
                "--option",
                "Dpkg::Options::=--force-confold",
            ],
            Self::Dnf => &["install", "--assumeyes", "--setopt=install_weak_deps=False"],
        };
        run(step, &programs.need(step, self.program())?, &[words, &[package.as_str()]].concat()).await
    }
}
