//! The files of a simulated node, below a root of its own, so that many of them fit on one host (docs/facts.md C14).
//!
//! The real programs use fixed paths. These prefix them with a root: the environment's, or the one that
//! `simulators::install` left beside the links, for callers that start programs with a fixed environment.

use std::path::{Path, PathBuf};

/// The environment variable with the root.
pub const ROOT: &str = "K2HDKC_SIMULATOR_ROOT";
/// The environment variable with the path of the file of faults.
pub const FAULTS: &str = "K2HDKC_SIMULATOR_FAULTS";
/// The file beside the links that holds the root where the environment has none.
pub const ROOT_FILE: &str = "simulator-root";

/// The root of one node; empty is the host itself.
#[derive(Debug, Clone, Default)]
pub struct Place {
    root: PathBuf,
    faults: Option<PathBuf>,
}

impl Place {
    /// A place with that root.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), faults: None }
    }

    /// The place of this process: `program` is what stands in its `argv[0]`.
    pub fn of_process(program: &Path) -> Self {
        let beside = || {
            let text = std::fs::read_to_string(program.with_file_name(ROOT_FILE)).ok()?;
            Some(PathBuf::from(text.trim()))
        };
        let root = std::env::var_os(ROOT).map(PathBuf::from).or_else(beside).unwrap_or_default();
        Self { root, faults: std::env::var_os(FAULTS).map(PathBuf::from) }
    }

    /// An absolute path of the real programs below the root.
    pub fn path(&self, absolute: &str) -> PathBuf {
        if self.root.as_os_str().is_empty() {
            return PathBuf::from(absolute);
        }
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// `/var/lib/antpickax`, or `/tmp` where that is missing.
    pub fn base(&self) -> PathBuf {
        let base = self.path("/var/lib/antpickax");
        if base.is_dir() {
            return base;
        }
        let temporary = self.path("/tmp");
        // Only below a root may it be missing, and then nobody else makes it.
        let _ = std::fs::create_dir_all(&temporary);
        temporary
    }

    /// Returns the path of the file with faults.
    pub fn faults(&self) -> PathBuf {
        self.faults.clone().unwrap_or_else(|| self.path("/simulator.toml"))
    }
}
